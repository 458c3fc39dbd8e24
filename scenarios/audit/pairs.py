"""Records, sessions and invoices held against each other: twice, missing, overlapping."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scenarios.audit.model import Bill, Exports
from scenarios.audit.verdicts import found, result
from sim.clock import MINUTE, iso
from sim.evidence.verdict import CheckResult, Finding

_SLACK = MINUTE
"""Begin and end of one session may differ by this much between two exports, in ms."""
_LEAST_OVERLAP = 1000


def charged(exports: Exports) -> list[Bill]:
    """The records that bill a charge and were not taken back by a credit of the same session."""
    credited = {bill.session_id for bill in exports.bills if bill.credit and bill.session_id}
    kept: list[Bill] = []
    taken_back: dict[str, int] = dict.fromkeys(credited, 0)
    for bill in exports.bills:
        if bill.credit:
            continue
        if bill.session_id in taken_back and not taken_back[bill.session_id]:
            taken_back[bill.session_id] = 1
            continue
        kept.append(bill)
    return kept


def once(check: str, claim: str, exports: Exports) -> CheckResult:
    """Two records of one session, or of one charge under two names."""
    bills = charged(exports)
    findings: list[Finding] = []
    by_session: dict[str, Bill] = {}
    by_charge: dict[tuple[object, ...], Bill] = {}
    for bill in bills:
        before = by_session.get(bill.session_id) if bill.session_id else None
        if before is not None:
            findings.append(
                found(check, "session", bill.session_id, f"is billed by {before.name} and by {bill.name}", before, bill)
            )
            continue
        if bill.session_id:
            by_session[bill.session_id] = bill
        key = (bill.station, bill.connector, bill.charge.start, bill.kwh)
        twin = by_charge.setdefault(key, bill)
        if twin is not bill and bill.station:
            what = f"bills the charge of {twin.name}: {bill.station}, {iso(bill.charge.start)}, {bill.kwh} kWh"
            findings.append(found(check, "bill", bill.name, what, twin, bill))
    return result(check, claim, len(bills), findings)


def both_ways(check: str, claim: str, exports: Exports) -> CheckResult:
    """Sessions without a record, and records without a session."""
    if exports.sessions is None:
        return result(check, claim, 0, (), "there is no export of sessions")
    billed = {bill.session_id for bill in exports.bills if bill.session_id}
    known = {one.session_id for one in exports.sessions}
    findings = [
        found(check, "session", one.session_id, f"charged {one.kwh} kWh at {one.station} and has no record", one)
        for one in exports.sessions
        if one.session_id not in billed and one.end is not None and (one.kwh is None or one.kwh > 0)
    ]
    findings += [
        found(
            check,
            "bill",
            bill.name,
            f"bills session {bill.session_id or '(none)'}, which the export does not know",
            bill,
        )
        for bill in exports.bills
        if not bill.credit and bill.session_id not in known
    ]
    return result(check, claim, len(known | billed), findings)


def apart(check: str, claim: str, exports: Exports) -> CheckResult:
    """Two charges at the same connector at the same time; those that are billed twice are told by A02."""
    places: dict[tuple[str, int], list[Bill]] = {}
    for bill in charged(exports):
        if bill.station:
            places.setdefault((bill.station, bill.connector), []).append(bill)
    findings = [
        found(
            check, "connector", f"{station}*{connector}" if connector else station,
            f"{one.name} ({_span(one)}) and {other.name} ({_span(other)}) overlap", one, other,
        )
        for (station, connector), bills in places.items()
        for one, other in _overlaps(bills)
    ]  # fmt: skip
    return result(
        check, claim, sum(map(len, places.values())), findings, "" if places else "no record names its station"
    )


def _span(bill: Bill) -> str:
    return f"{iso(bill.charge.start)} to {iso(bill.charge.end)}"


def _overlaps(bills: Sequence[Bill]) -> Iterable[tuple[Bill, Bill]]:
    ordered = sorted(bills, key=lambda one: (one.charge.start, one.charge.end))
    longest: Bill | None = None
    for bill in ordered:
        if longest is not None and bill.charge.start < longest.charge.end - _LEAST_OVERLAP:
            same = bill.session_id == longest.session_id and bill.session_id
            twin = (bill.charge.start, bill.kwh) == (longest.charge.start, longest.kwh)
            if not same and not twin:
                yield longest, bill
        if longest is None or bill.charge.end > longest.charge.end:
            longest = bill


def invoiced(check: str, claim: str, exports: Exports) -> CheckResult:
    """Records on no invoice, or on two."""
    if exports.lines is None:
        return result(check, claim, 0, (), "there is no export of invoice lines")
    findings: list[Finding] = []
    bills = charged(exports)
    for bill in bills:
        mine = [
            line
            for line in exports.lines
            if (line.cdr_id and line.cdr_id == bill.cdr_id) or (line.session_id and line.session_id == bill.session_id)
        ]
        if not mine:
            findings.append(found(check, "bill", bill.name, "stands on no invoice", bill))
        elif len(mine) > 1:
            numbers = " and ".join(line.number for line in mine)
            findings.append(found(check, "bill", bill.name, f"stands on invoices {numbers}", bill, *mine))
    return result(check, claim, len(bills), findings)
