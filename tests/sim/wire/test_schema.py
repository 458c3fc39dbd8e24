"""The strict judgement of payloads: what the schemas say, date-times, and the wire code of a breach."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim import clock
from sim.wire import ocppj, schema
from sim.wire.schema import Violation

START = {"connectorId": 1, "idTag": "A", "meterStart": 5, "timestamp": "2019-06-12T07:00:00Z"}


def judge(action: str, payload: Any, direction: schema.Direction = "request", version: str = "1.6") -> Violation | None:
    return schema.judge(version, action, direction, json.dumps(payload).encode())


def code(action: str, payload: Any, version: str = "1.6") -> str:
    breach = judge(action, payload, version=version)
    assert breach is not None
    return breach.code


def test_every_shipped_schema_compiles_in_all_versions() -> None:
    counts = {}
    for version in schema.VERSIONS:
        counts[version] = len(schema.actions(version))
        assert schema.known_actions(version) == frozenset(schema.actions(version))
        for action in schema.actions(version):
            for direction in ("request", "response"):
                breach = schema.judge(version, action, direction, b"[]")
                assert breach is not None and breach.code == "TypeConstraintViolation"
    assert counts == {"1.6": 39, "2.0.1": 64, "2.1": 90}


def test_good_payloads_pass() -> None:
    assert judge("StartTransaction", START) is None
    assert judge("Heartbeat", {}) is None
    assert judge("StartTransaction", {"transactionId": 7, "idTagInfo": {"status": "Accepted"}}, "response") is None
    assert judge("Heartbeat", {"customData": {"vendorId": "x", "free": 1}}, version="2.0.1") is None


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"idTag": 7}, Violation("TypeConstraintViolation", "idTag", "has the wrong type")),
        ({"connectorId": 1.0}, Violation("TypeConstraintViolation", "connectorId", "has the wrong type")),
        ({"meterStart": True}, Violation("TypeConstraintViolation", "meterStart", "has the wrong type")),
        ({"meterStart": 1 << 63}, Violation("TypeConstraintViolation", "meterStart", "is too large for an integer")),
        ({"idTag": "x" * 21}, Violation("PropertyConstraintViolation", "idTag", "is too long")),
        ({"timestamp": None}, Violation("TypeConstraintViolation", "timestamp", "has the wrong type")),
        ({"timestamp": "now"}, Violation("PropertyConstraintViolation", "timestamp", "is no RFC 3339 date-time")),
        ({"free": 1}, Violation("FormationViolation", "", "has a field that is not allowed")),
    ],
)
def test_a_breach_has_the_code_of_1_6_and_a_place(change: dict[str, Any], expected: Violation) -> None:
    assert judge("StartTransaction", START | change) == expected


def test_a_missing_field_is_an_occurence_violation_with_one_r() -> None:
    for missing in START:
        payload = {name: value for name, value in START.items() if name != missing}
        assert code("StartTransaction", payload) == "OccurenceConstraintViolation"


def test_an_unknown_value_of_an_enumeration_is_a_property_violation() -> None:
    assert code("Reset", {"type": "Medium"}) == "PropertyConstraintViolation"


def test_an_empty_list_where_one_item_is_wanted_is_an_occurence_violation() -> None:
    assert code("MeterValues", {"connectorId": 1, "meterValue": []}) == "OccurenceConstraintViolation"


def test_a_date_deep_inside_is_found() -> None:
    good = {"timestamp": "2019-06-12T07:00:00Z", "sampledValue": [{"value": "1"}]}
    breach = judge(
        "MeterValues", {"connectorId": 1, "meterValue": [good, good | {"timestamp": "2019-06-31T00:00:00Z"}]}
    )
    assert breach is not None and breach.path == "meterValue/1/timestamp"


def test_later_versions_have_their_own_spellings() -> None:
    assert code("Heartbeat", {"free": 1}, version="2.0.1") == "FormatViolation"
    assert code("Reset", {}, version="2.1") == "OccurrenceConstraintViolation"


def test_an_unknown_action_is_not_implemented() -> None:
    for action in ("StartFire", "", "startTransaction", "../v16/schemas/Reset", "HeartbeatResponse"):
        assert code(action, {}) == "NotImplemented"


def test_our_own_mistakes_raise() -> None:
    with pytest.raises(ValueError):
        schema.judge("1.7", "Heartbeat", "request", b"{}")
    with pytest.raises(ValueError):
        schema.judge("1.6", "Heartbeat", "reply", b"{}")  # type: ignore[arg-type]
    with pytest.raises(KeyError):
        schema.document("1.6", "StartFire", "request")


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"vendorId":"\xff"}',
        b'{"vendorId":"\\ud800"}',
        b'{"vendorId":"x","data":1e999}',
        b'{"vendorId":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        b'{"vendorId":' + b"[" * 300 + b"]" * 300 + b"}",
    ],
)
def test_what_is_no_json_is_a_formation_violation(raw: bytes) -> None:
    breach = schema.judge("1.6", "DataTransfer", "request", raw)
    assert breach is not None and breach.code == "FormationViolation"


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=80), st.sampled_from(schema.actions("1.6")))
def test_no_bytes_make_it_raise(raw: bytes, action: str) -> None:
    breach = schema.judge("1.6", action, "request", raw)
    assert breach is None or breach.code in ocppj.ERROR_CODES


def test_a_problem_never_repeats_what_the_peer_sent() -> None:
    for payload in (START | {"idTag": "secret" * 9}, START | {"secret": 1}, START | {"timestamp": "secret"}):
        breach = judge("StartTransaction", payload)
        assert breach is not None and "secret" not in breach.problem + breach.path


@pytest.mark.parametrize("limit", [21.4, 21, 0.1, 0.3, 6.6, 1999.9])
def test_one_decimal_is_accepted_exactly(limit: float) -> None:
    assert judge("SetChargingProfile", profile(limit)) is None


def test_two_decimals_are_not() -> None:
    assert code("SetChargingProfile", profile(21.45)) == "PropertyConstraintViolation"


def profile(limit: float) -> dict[str, Any]:
    periods = [{"startPeriod": 0, "limit": limit}]
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 0,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": periods},
        },
    }


@settings(deadline=None)
@given(st.datetimes(), st.sampled_from(["Z", "z", "+00:00", "-23:59", "+14:00", "+0200", ""]), st.sampled_from("Tt "))
def test_a_date_time_that_passes_can_be_read(moment: Any, zone: str, separator: str) -> None:
    text = moment.isoformat(separator) + zone
    if schema.is_date_time(text):
        clock.parse_iso(text)
    else:
        assert zone in ("+0200", "") or separator == " " or moment.year in (1, 9999)


@pytest.mark.parametrize(
    "text",
    [
        "2019-06-12T07:00Z",
        "20190612T070000Z",
        "2019-W24-3T07:00:00Z",
        "2019-06-12T24:00:00Z",
        "2019-06-12T07:00:60Z",
        "2019-06-12T07:00:00.Z",
        "2019-06-12T07:00:00,5Z",
        "2019-06-12T07:00:00+25:00",
        "٢019-06-12T07:00:00Z",
    ],
)
def test_other_spellings_of_iso_8601_are_no_rfc_3339(text: str) -> None:
    assert not schema.is_date_time(text)
