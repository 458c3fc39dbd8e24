"""What the stations really said on the wire about transactions: starts, stops, signed values and who was accepted.

Reads recorded calls only. The signed values are read here a second time, by a reader of our own that knows JSON and
decimals and nothing else of the house.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from scenarios.checks.events import EVENT, WireEvent, events, place_of, signed_values, token_of
from sim.clock import parse_iso
from sim.evidence.reader import Evidence
from sim.evidence.views import WireCall, WireLink

ENDS = frozenset("ELRAP")
"""TX codes of OCMF that end a transaction."""
UNREADABLE = (ValueError, KeyError, IndexError, ArithmeticError, TypeError)
"""What reading a signed value that is none may raise."""


class WireStart(Struct, frozen=True):
    """One delivered begin of a transaction. `transaction_id` is the id by which it goes on, as far as it is known: told by
    the answer (1.6) or by the station itself (2.0.1)."""

    call: WireCall
    connector: int
    id_tag: str
    at: int
    meter_start: int
    transaction_id: int | str | None

    @property
    def key(self) -> tuple[str, int, str, int, int]:
        """The business key: what makes two deliveries the same start."""
        return (self.call.station, self.connector, self.id_tag.upper(), self.at, self.meter_start)


class WireStop(Struct, frozen=True):
    """One delivered end of a transaction with its signed values as they stood in the messages."""

    call: WireCall
    transaction_id: int | str
    at: int
    meter_stop: int
    signed: tuple[str, ...]

    @property
    def key(self) -> tuple[str, int | str, int, int]:
        """The business key: what makes two deliveries the same stop."""
        return (self.call.station, self.transaction_id, self.at, self.meter_stop)


class SignedReading(Struct, frozen=True):
    """One reading of a signed record: mark (TX), energy in kWh, time status letter."""

    mark: str
    kwh: Decimal
    letter: str


def delivered(evidence: Evidence, *actions: str) -> list[WireCall]:
    """Well-formed calls of stations with these actions that reached a back-end, in order of delivery."""
    return [
        call
        for call in evidence.read(WireCall)
        if call.action in actions and call.way == "up" and call.delivered_at is not None and call.well_formed != 0
    ]


def starts(evidence: Evidence) -> list[WireStart]:
    """Every delivered StartTransaction, and every TransactionEvent that says Started."""

    def read(source: Evidence) -> list[WireStart]:
        found = [_start(call, json.loads(call.payload or "{}")) for call in delivered(source, "StartTransaction")]
        for told in events(source).values():
            found += [_started(event, told) for event in told if event.kind == "Started"]
        return sorted(found, key=lambda start: start.call.call_no)

    return evidence.keep("wire starts", read)


def stops(evidence: Evidence) -> list[WireStop]:
    """Every delivered StopTransaction, and every TransactionEvent that says Ended."""

    def read(source: Evidence) -> list[WireStop]:
        found = [_stop(call, json.loads(call.payload or "{}")) for call in delivered(source, "StopTransaction")]
        for told in events(source).values():
            found += [_ended(event, told) for event in told if event.kind == "Ended"]
        return sorted(found, key=lambda stop: stop.call.call_no)

    return evidence.keep("wire stops", read)


def stop_of(evidence: Evidence, station: str, transaction_id: int | str | None) -> WireStop | None:
    """The stop that counts for a transaction: the first one that was answered, or else the first one delivered."""

    def index(source: Evidence) -> dict[tuple[str, int | str], WireStop]:
        found: dict[tuple[str, int | str], WireStop] = {}
        for stop in stops(source):
            key = (stop.call.station, stop.transaction_id)
            have = found.get(key)
            if have is None or (have.call.answer_kind != "result" and stop.call.answer_kind == "result"):
                found[key] = stop
        for stop in stops(source):
            if isinstance(stop.transaction_id, int) and stop.transaction_id <= 0:
                _adopt(stop, starts(source), found)
        return found

    if transaction_id is None:
        return None
    return evidence.keep("stop of transaction", index).get((station, transaction_id))


def _adopt(stop: WireStop, begun: Sequence[WireStart], found: dict[tuple[str, int | str], WireStop]) -> None:
    """A stop without an id ends the one begun transaction of its station that fits and has no other (1.6 errata §3.18)."""
    fitting = {
        start.transaction_id
        for start in begun
        if start.call.station == stop.call.station
        and start.transaction_id is not None
        and (stop.call.station, start.transaction_id) not in found
        and start.at <= stop.at
        and start.meter_start <= stop.meter_stop
    }
    if len(fitting) == 1:
        found[stop.call.station, fitting.pop()] = stop


def answer(call: WireCall) -> Any:
    """The decoded payload of a CALLRESULT, None if there was none."""
    return json.loads(call.answer or "{}") if call.answer_kind == "result" else None


def verdict(told: Any) -> tuple[str, str] | None:
    """What an answer says of a token: status and group ("" for none); None if it says nothing.

    Unknown is the word of 2.0.1 for a token that nobody knows, which is Invalid in 1.6.
    """
    if not isinstance(told, dict):
        return None
    if "idTagInfo" in told:
        info = told["idTagInfo"]
        return str(info["status"]), str(info.get("parentIdTag") or "")
    if "idTokenInfo" in told:
        info = told["idTokenInfo"]
        status = "Invalid" if info["status"] == "Unknown" else str(info["status"])
        return status, str(info.get("groupIdToken", {}).get("idToken") or "")
    return None


def token_asked(call: WireCall) -> str | None:
    """The token that this call asks about: that of an Authorize or of a begin; None for any other call."""
    payload = json.loads(call.payload or "{}") if call.action in ("Authorize", "StartTransaction", EVENT) else {}
    if call.action == EVENT and payload.get("eventType") != "Started":
        return None
    return payload.get("idTag") or payload.get("idToken", {}).get("idToken")


def versions(evidence: Evidence) -> Mapping[int, str]:
    """The OCPP version of each link."""
    return evidence.keep("versions", lambda source: {one.link: one.version or "1.6" for one in source.read(WireLink)})


def error_code(call: WireCall) -> str | None:
    """The code of a CALLERROR, None if there was none."""
    return str(json.loads(call.answer or "{}").get("code")) if call.answer_kind == "error" else None


def unwrapped(value: str) -> str:
    """The record inside a signed value: plain OCMF, or JSON around base64 of it (OCA note §3.2). Raises ValueError."""
    if value.startswith("OCMF|"):
        return value
    box = json.loads(value)
    if not isinstance(box, dict):
        raise ValueError("a signed value that is no object")
    packed = box.get("signedMeterData", box.get("signedMeterValue"))
    if not isinstance(packed, str):
        raise ValueError("a signed value without signedMeterData")
    if packed.startswith("OCMF|"):
        return packed
    try:
        return base64.b64decode(packed, validate=True).decode()
    except binascii.Error as err:
        raise ValueError(f"signedMeterData is no base64 ({err})") from err


def readings(values: Sequence[str]) -> list[SignedReading]:
    """All readings of these signed values, by page. Raises ValueError or KeyError for what is no record."""
    pages: list[tuple[int, list[SignedReading]]] = []
    for value in dict.fromkeys(values):
        body = json.loads(unwrapped(value).split("|", 2)[1], parse_float=Decimal, parse_int=Decimal)
        pages.append((int(str(body["PG"])[1:]), _readings(body["RD"])))
    return [reading for _, page in sorted(pages, key=lambda page: page[0]) for reading in page]


def signed_kwh(values: Sequence[str]) -> Decimal:
    """Signed end less signed begin, exactly as the decimals say. Raises ValueError if one of them is missing."""
    found = readings(values)
    begin = [reading.kwh for reading in found if reading.mark == "B"]
    end = [reading.kwh for reading in found if reading.mark in ENDS]
    if len(begin) != 1 or len(end) != 1:
        raise ValueError(f"{len(begin)} signed begins and {len(end)} signed ends")
    return end[0] - begin[0]


def letters(evidence: Evidence, station: str, transaction_id: int | str | None) -> tuple[str, ...]:
    """Time status letters of a transaction's signed readings from its first S on; none if there is nothing to read."""
    if evidence.missing("wire_calls"):
        return ()
    stop = stop_of(evidence, station, transaction_id)
    try:
        found = readings(stop.signed) if stop else []
    except UNREADABLE:
        return ()
    marks = [reading.mark for reading in found]
    return tuple(reading.letter for reading in found[marks.index("S") if "S" in marks else 0 :])


def _readings(rows: Sequence[Mapping[str, Any]]) -> list[SignedReading]:
    """Fields that a reading leaves out are those of the reading before (OCMF §RD)."""
    found = []
    carried: dict[str, Any] = {}
    for row in rows:
        carried = {**carried, "TX": None, **row}
        scale = {"kWh": 0, "Wh": -3}[carried["RU"]]
        mark = str(carried["TX"] or "")
        found.append(SignedReading(mark, Decimal(row["RV"]).scaleb(scale), str(carried["TM"]).rsplit(" ", 1)[-1]))
    return found


def _start(call: WireCall, payload: Mapping[str, Any]) -> WireStart:
    at = parse_iso(payload["timestamp"])
    number = (answer(call) or {}).get("transactionId")
    return WireStart(call, payload["connectorId"], payload["idTag"], at, payload["meterStart"], number)


def _started(event: WireEvent, told: Sequence[WireEvent]) -> WireStart:
    register = event.register("Transaction.Begin") or 0
    return WireStart(event.call, place_of(told), token_of(told), event.at, register, event.transaction_id)


def _ended(event: WireEvent, told: Sequence[WireEvent]) -> WireStop:
    register = event.register("Transaction.End") or 0
    return WireStop(event.call, event.transaction_id, event.at, register, signed_values(told))


def _stop(call: WireCall, payload: Mapping[str, Any]) -> WireStop:
    values = [
        sampled["value"]
        for metered in payload.get("transactionData", ())
        for sampled in metered.get("sampledValue", ())
        if sampled.get("format") == "SignedData"
    ]
    return WireStop(
        call, payload["transactionId"], parse_iso(payload["timestamp"]), payload["meterStop"], tuple(values)
    )
