"""Signed values of records: authentic, by the registered key, the energy that was billed, and no gap between sessions.

A signature is judged by `sim.metering` alone. Nothing here knows prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from scenarios.audit.model import Bill, Exports
from scenarios.audit.pairs import charged
from scenarios.audit.verdicts import found, result
from sim.evidence.verdict import CheckResult, Finding
from sim.metering.documents import read_document
from sim.metering.facts import SessionFacts
from sim.metering.judge import Judge, Judgement, Value
from sim.metering.reasons import INVALID, KEY_UNKNOWN, MALFORMED, UNSUPPORTED, VALID, Kind
from sim.wire.ocmf_parse import Malformed, Reading

_CONTEXTS = {"start": "Transaction.Begin", "end": "Transaction.End", "begin": "Transaction.Begin"}


class Signed(Struct, frozen=True):
    """A record with signed values, and what they are worth."""

    bill: Bill
    judgement: Judgement

    @property
    def ends(self) -> tuple[Reading, Reading] | None:
        """The first and last reading of the register, if there are two and their signatures are valid."""
        readings = self.judgement.readings if self.judgement.signature == VALID else ()
        return (readings[0], readings[-1]) if len(readings) > 1 else None

    @property
    def meter(self) -> str:
        """The serial of the meter that signed."""
        return next((one.record.meter_id for one in self.judgement.records if one.record is not None), "")


def judged(exports: Exports) -> tuple[Signed, ...]:
    """The records that carry signed values, each judged."""
    judge = Judge(exports.registry)
    return tuple(
        Signed(bill, judge.session(_values(bill), SessionFacts(session=bill.session_id or bill.name)))
        for bill in charged(exports)
        if bill.signed
    )


def _values(bill: Bill) -> list[Value]:
    values: list[Value] = []
    for text, context in bill.signed:
        try:
            sheets = read_document(text)
        except Malformed:
            values.append(Value(text, context=_CONTEXTS.get(context.lower(), context), sent_key=bill.sent_key))
            continue
        values += [
            Value(
                one.text,
                one.inside,
                one.context or _CONTEXTS.get(context.lower(), context),
                sent_key=one.sent_key or bill.sent_key,
            )
            for sheet in sheets
            for one in sheet.values
        ]
    return values


def signatures(check: str, claim: str, exports: Exports, signed: Sequence[Signed]) -> CheckResult:
    """Signatures that are wrong, unreadable or by a key that nobody registered."""
    if not signed:
        return result(check, claim, 0, (), "no record carries signed values")
    findings: list[Finding] = []
    unknown = 0
    for one in signed:
        verdict = one.judgement.verdict
        heavy = [why for why in one.judgement.reasons if why.kind >= Kind.NOBILL]
        if verdict == KEY_UNKNOWN and exports.registry is None and one.judgement.signature != INVALID:
            unknown += 1
        elif verdict in (MALFORMED, UNSUPPORTED, KEY_UNKNOWN) or one.judgement.signature != VALID or heavy:
            text = "; ".join(dict.fromkeys(why.text for why in heavy)) or verdict
            findings.append(found(check, "bill", one.bill.name, f"{verdict}: {text}", one.bill))
    unsigned = [bill.name for bill in charged(exports) if not bill.signed]
    said = []
    if unsigned:
        said.append(f"{len(unsigned)} records carry no signed value: {', '.join(unsigned)[:120]}")
    if unknown:
        said.append(f"{unknown} records are signed by keys that came along with them, and there is no key registry")
    return result(check, claim, len(signed), findings, "; ".join(said))


def energies(check: str, claim: str, exports: Exports, signed: Sequence[Signed]) -> CheckResult:
    """Records that bill another energy than their meter signed, to the Wh."""
    told = [(one, one.ends) for one in signed]
    pairs = [(one.bill, ends) for one, ends in told if ends is not None]
    if not pairs:
        return result(check, claim, 0, (), "no record carries signed readings of its begin and its end")
    findings = []
    for bill, (first, last) in pairs:
        measured = _kwh(last) - _kwh(first)
        if measured != bill.kwh:
            sentence = f"bills {bill.kwh:f} kWh where {measured:f} kWh were signed"
            findings.append(found(check, "bill", bill.name, sentence, bill))
    without = len(charged(exports)) - len(pairs)
    return result(
        check, claim, len(pairs), findings, f"{without} records carry no signed begin and end" if without else ""
    )


def registers(check: str, claim: str, exports: Exports, signed: Sequence[Signed]) -> CheckResult:
    """Energy between two sessions of a meter that nobody was billed for, or that two were.

    A session that is billed twice is one (A02 tells of it). What a record says whose signature is not valid proves
    nothing, so neither side of it is judged.
    """
    meters: dict[str, list[Signed]] = {}
    seen: dict[str, None] = {}
    for one in signed:
        if one.meter and (not one.bill.session_id or one.bill.session_id not in seen):
            seen[one.bill.session_id] = None
            meters.setdefault(one.meter, []).append(one)
    pairs = [(meter, *two) for meter, rows in meters.items() for two in pairwise(sorted(rows, key=_start))]
    proven = [(meter, before, after) for meter, before, after in pairs if before.ends and after.ends]
    findings = [
        found(check, "meter", meter, sentence, before.bill, after.bill)
        for meter, before, after in proven
        if (sentence := _gap(before, after))
    ]
    return result(
        check, claim, len(proven), findings, "" if proven else "no meter signed two sessions one after the other"
    )


def _start(one: Signed) -> int:
    """When the meter says that it began, else when the record does."""
    return min((reading.at for reading in one.judgement.readings), default=one.bill.charge.start)


def _gap(before: Signed, after: Signed) -> str:
    assert before.ends is not None
    assert after.ends is not None
    end, begin = before.ends[1], after.ends[0]
    missing = _kwh(begin) - _kwh(end)
    if begin.register != end.register or not missing:
        return ""
    if missing > 0:
        return f"{missing:f} kWh between {before.bill.name} and {after.bill.name} stand in no record"
    return f"{-missing:f} kWh stand in {before.bill.name} and in {after.bill.name}"


def _kwh(reading: Reading) -> Decimal:
    return reading.value / 1000 if reading.unit == "Wh" else reading.value
