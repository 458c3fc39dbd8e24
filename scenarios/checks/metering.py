"""From the signed value to the bill: only what verifies is billed, and exactly that (INV-29, INV-31, B06).

The records are taken from the wire, never from a back-end's books.
"""

from __future__ import annotations

import json
from decimal import Decimal

from scenarios.checks.joins import Ledgered, billed_kwh, ledgered
from scenarios.checks.plan import plan_of
from scenarios.checks.registry import Judge, check
from scenarios.checks.stops import UNREADABLE, WireStop, signed_kwh, stop_of
from sim.evidence.reader import Evidence, line, note
from sim.evidence.verdict import EvidenceLine
from sim.evidence.views import BookSession, Meter
from sim.wire import ocmf

_NEEDS = ("wire_calls", "books_sessions", "books_cdrs", "books_rated", "books_bills")


@check(
    "INV-29",
    sentence="every billed session rests on records that verify over the raw bytes with its meter's registered key",
    planes=("wire", "truth", "books", "plan"),
    needs=_NEEDS,
)
def only_verified_billed(evidence: Evidence, judge: Judge) -> None:
    """The text found on the wire, the key printed on the meter, which must be the one registered."""
    billed = {(entry.session.backend, entry.session.session_id) for entry in ledgered(evidence)}
    kept_off = 0
    for session in evidence.read(BookSession):
        stop = stop_of(evidence, session.station, session.transaction_id)
        if (session.backend, session.session_id) in billed:
            judge.examined()
            problem = _unproven(evidence, session, stop)
            if problem:
                judge.fail("session", session.session_id, f"billed, although {problem}", line(session), *_of(stop))
        elif session.state == "quarantined" and stop is not None and _unproven(evidence, session, stop):
            kept_off += 1
    judge.say(f"{kept_off} sessions whose records do not prove them were kept off the bills")


def _unproven(evidence: Evidence, session: BookSession, stop: WireStop | None) -> str | None:
    """Why the signed values of a session prove nothing, None if they do."""
    if stop is None:
        return "no StopTransaction of it was ever delivered"
    if not stop.signed:
        return "its StopTransaction carried no signed value"
    meters = evidence.keep("meters", lambda e: {(meter.station, meter.connector): meter for meter in e.read(Meter)})
    meter = meters.get((session.station, session.connector or 0))
    planned = plan_of(evidence).meters.get((session.station, session.connector or 0))
    if meter is None or meter.public_key is None:
        return "no meter with a printed key is at this connector"
    if planned is None or not planned.registered:
        return f"the key of meter {meter.meter_id} was never registered"
    if planned.public_key.lower() != meter.public_key.lower():
        return f"the registered key of meter {meter.meter_id} is not the printed one"
    marks = ""
    for value in dict.fromkeys(stop.signed):
        try:
            record = ocmf.parse(ocmf.unwrap(value))
        except ocmf.Malformed as err:
            return f"a record is malformed ({err})"
        if not ocmf.verify(record, meter.public_key):
            return f"the signature of page {record.pagination} does not fit meter {meter.meter_id}"
        if record.meter_id != meter.meter_id:
            return f"a record is of meter {record.meter_id}, not of {meter.meter_id}"
        marks += "".join(reading.mark for reading in record.readings)
    return None if "B" in marks and "E" in marks else "a signed begin or end is missing"


@check(
    "INV-31",
    sentence="billed energy is the signed end less the signed begin, with the signed decimals",
    planes=("wire", "books"),
    needs=_NEEDS,
)
def signed_energy(evidence: Evidence, judge: Judge) -> None:
    """Charge detail record against the records on the wire, read again by a reader of our own."""
    for entry in ledgered(evidence):
        signed = _signed(evidence, judge, entry)
        if signed is None:
            continue
        booked = billed_kwh(entry)
        if booked != signed:
            sentence = f"signed {signed} kWh, booked {'nothing' if booked is None else booked} kWh"
            rows = [line(one) for one in (entry.session, entry.cdr) if one is not None]
            judge.fail("session", entry.session.session_id, sentence, *rows, *_of(_stop(evidence, entry)))


@check(
    "B06",
    sentence="the kWh on the lines of a bill are the signed stop register less the signed start register",
    planes=("wire", "books"),
    needs=_NEEDS,
)
def billed_lines(evidence: Evidence, judge: Judge) -> None:
    """Sum of the energy lines of the effective rating, measured and billed quantity alike."""
    for entry in ledgered(evidence):
        signed = _signed(evidence, judge, entry)
        if signed is None:
            continue
        if entry.rated is None:
            judge.fail("bill", entry.name, "billed without an effective rating", line(entry.session))
            continue
        for column in ("quantity", "billed_quantity"):
            total = energy_on_lines(entry.rated.lines, column)
            if total != signed:
                sentence = f"signed {signed} kWh, {total} kWh on the lines ({column})"
                judge.fail("bill", entry.name, sentence, line(entry.rated), *_of(_stop(evidence, entry)))
                break


def energy_on_lines(lines: str | None, column: str) -> Decimal:
    """The kWh of all energy lines."""
    total = Decimal(0)
    for one in json.loads(lines or "[]", parse_float=Decimal):
        if one["component"] == "energy":
            total += Decimal(one[column]).scaleb(-3 if one.get("unit") == "Wh" else 0)
    return total


def _signed(evidence: Evidence, judge: Judge, entry: Ledgered) -> Decimal | None:
    """The signed energy of a billed session; what cannot be read is a finding."""
    judge.examined()
    stop = _stop(evidence, entry)
    try:
        if stop is None:
            raise ValueError("no StopTransaction of it was delivered")
        return signed_kwh(stop.signed)
    except UNREADABLE as err:
        sentence = f"billed, and the signed values cannot be read: {err}"
        judge.fail("session", entry.session.session_id, sentence, line(entry.session), *_of(stop))
        return None


def _stop(evidence: Evidence, entry: Ledgered) -> WireStop | None:
    return stop_of(evidence, entry.session.station, entry.session.transaction_id)


def _of(stop: WireStop | None) -> list[EvidenceLine]:
    if stop is None:
        return []
    signed = note("wire", "wire_calls", call_no=stop.call.call_no, signed=" ".join(map(_record, stop.signed)))
    return [line(stop.call), signed]


def _record(value: str) -> str:
    try:
        return ocmf.unwrap(value)
    except ocmf.Malformed:
        return value
