"""A glance reads the usual CALL exactly as parser, judge and decoder do together, and is silent about all others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct

from sim.wire import ocppj, schema
from sim.wire.glance import glance
from sim.wire.payloads import v16

VALUES = {
    "connectorId": 1,
    "transactionId": 7,
    "meterValue": [
        {
            "timestamp": "2019-06-12T07:00:00.000Z",
            "sampledValue": [{"value": "1.5", "unit": "A", "phase": "L1-N"}, {"value": "ä", "format": "SignedData"}],
        }
    ],
}
BOOT = {"chargePointModel": "M", "chargePointVendor": "V", "meterSerialNumber": "9"}
START = {"connectorId": 1, "idTag": "A", "meterStart": 5, "timestamp": "2019-06-12T07:00:00Z", "reservationId": 3}
STOP = {
    "transactionId": 1,
    "meterStop": 9,
    "timestamp": "2019-06-12T07:00:00Z",
    "transactionData": VALUES["meterValue"],
}
STATUS = {"connectorId": 0, "errorCode": "NoError", "status": "Available", "vendorErrorCode": ""}
USUAL: list[tuple[str, dict[str, Any]]] = [
    ("BootNotification", BOOT),
    ("Heartbeat", {}),
    ("StatusNotification", STATUS),
    ("Authorize", {"idTag": "A"}),
    ("StartTransaction", START),
    ("MeterValues", VALUES),
    ("StopTransaction", STOP),
    ("DataTransfer", {"vendorId": "V", "data": "{}"}),
]


def alike(one: Any, other: Any) -> bool:
    """Whether two payload structs say the same, whatever their classes."""
    if isinstance(other, Struct):
        names = other.__struct_fields__
        return one.__struct_fields__ == names and all(alike(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(other, list):
        return len(one) == len(other) and all(map(alike, one, other))
    return type(one) is type(other) and bool(one == other)


def frame_of(action: str, payload: Any, id: str = "5a04a08b-2300-63b7-0d4b-000000000001") -> bytes:
    return json.dumps([2, id, action, payload], ensure_ascii=False, separators=(",", ":")).encode()


def agrees(frame: bytes) -> bool:
    """Whether a glance says something, which must then be what the slow way says."""
    seen = glance(frame)
    if seen is None:
        return False
    call = ocppj.parse(frame)
    assert isinstance(call, ocppj.Call) and (call.id, call.action) == (seen.id, seen.action)
    assert schema.judge("1.6", call.action, "request", call.payload) is None
    assert alike(seen.request, v16.decode_request(call.action, call.payload))
    return True


@pytest.mark.parametrize(("action", "payload"), USUAL)
def test_what_a_station_says_is_read_at_a_glance(action: str, payload: dict[str, Any]) -> None:
    assert agrees(frame_of(action, payload))


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"[2",
        b'[3,"a",{}]',
        b'[2,"a","Fly",{}]',
        b'[2,"a","Heartbeat"]',
        b'[2,"a","Heartbeat",{},1]',
        b'[2,"a","Heartbeat",{}',
        b'[2,"a","Heartbeat",null]',
        b'[2,"a","Heartbeat",{"x":1}]',
        b'[2,7,"Heartbeat",{}]',
        b'[2,"a\xff","Heartbeat",{}]',
        b'[2,"' + b"a" * 37 + b'","Heartbeat",{}]',
        b'[2,"a","Authorize",{"idTag":"\xff"}]',
        b'[2,"a","Authorize",{"idTag":null}]',
        b'[4,"a","Heartbeat",{}]',
    ],
)
def test_it_is_silent_about_what_is_wrong(frame: bytes) -> None:
    assert not agrees(frame)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(USUAL),
    st.integers(0, 700),
    st.one_of(st.binary(max_size=2), st.sampled_from([b'"', b"\\", b"0", b"null", b" ", b"\xc3\xa4", b"1.0", b"{}"])),
    st.integers(0, 2),
)
def test_a_frame_with_a_few_bytes_changed_is_read_as_the_slow_way_reads_it_or_not_at_all(
    usual: tuple[str, dict[str, Any]], place: int, bytes_: bytes, gone: int
) -> None:
    frame = frame_of(*usual)
    at = place % len(frame)
    agrees(frame[:at] + bytes_ + frame[at + gone :])
