"""How sessions end up: in one state, billed when final, within the meter, never below zero (B01, B05, B07, B09, B12).

What truly happened and what the meter counted is held against the rows of both back-ends; no rating and no ledger of a
back-end is asked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal

from scenarios.checks.joins import BILLED, HANDED_OVER, NEAR, Case, book_wh, joined, ledgered
from scenarios.checks.plan import Plan, plan_of
from scenarios.checks.registry import Judge, check
from sim.evidence.billing_views import BookInvoice, BookInvoiceLine
from sim.evidence.reader import Evidence, line
from sim.evidence.views import (
    BookBill,
    BookCdr,
    BookEntry,
    BookRated,
    BookSession,
    BookTransaction,
    Held,
    Meter,
    View,
)

FREE, QUARANTINED, DISPUTED = "free", "quarantined", "disputed"
ENDS = (BILLED, FREE, QUARANTINED, DISPUTED)
BELOW_MINIMUM = "below-minimum"
TAKEN_BACK = ("credit", "cancellation")
"""Kinds of documents, and with `reversal` of their lines, that turn amounts round."""


@check(
    "B01",
    sentence="every finished session is in exactly one state over both back-ends: billed, free, disputed or held",
    planes=("truth", "books"),
    needs=("books_sessions", "books_bills", "books_quarantine"),
)
def one_end_each(evidence: Evidence, judge: Judge) -> None:
    """Every true session that ended, also the smallest, and every row of the books that stands for none."""
    billed = {(bill.backend, bill.session_id) for bill in evidence.read(BookBill)}
    held = {(one.backend, one.session_id or "") for one in evidence.read(Held)}
    for case in joined(evidence).cases:
        if case.truth.stopped_at is None:
            continue
        judge.examined()
        ends = [row for row in case.rows if row.state in ENDS]
        problem = _not_one(case, ends) or next(filter(None, (_unlike(row, billed, held) for row in ends)), "")
        if problem:
            rows = (*case.rows, *case.handed, *case.orphans)
            judge.fail("session", case.truth.session_id, problem, line(case.truth), *map(line, rows))
    for ghost in joined(evidence).ghosts:
        judge.examined()
        problem = _unlike(ghost, billed, held) if ghost.state in ENDS else ""
        if ghost.state not in (*ENDS, "open", HANDED_OVER):
            problem = f"is in the state {ghost.state}, which is none"
        if problem:
            judge.fail("session", ghost.session_id, problem, line(ghost))


def _not_one(case: Case, ends: list[BookSession]) -> str:
    if len(ends) + len(case.orphans[: 0 if ends else 1]) == 1:
        return ""
    if ends:
        return f"ended up {len(ends)} times: {', '.join(f'{row.state} at {row.backend}' for row in ends)}"
    other = [f"{row.state} at {row.backend}" for row in (*case.rows, *case.handed)]
    return f"is over and in no final state ({', '.join(other) or 'no book has it'})"


def _unlike(row: BookSession, billed: set[tuple[str, str]], held: set[tuple[str, str]]) -> str:
    """Why a row is not what its state says; empty if it is."""
    place = (row.backend, row.session_id)
    if row.state == BILLED and place not in billed:
        return "is called billed and has no bill"
    if row.state in (FREE, QUARANTINED) and place in billed:
        return f"is called {row.state} and has a bill"
    if row.state in (FREE, QUARANTINED) and not row.reason:
        return f"is {row.state} without a reason"
    if row.state == QUARANTINED and place not in held:
        return "is called quarantined, and the quarantine does not have it"
    return ""


@check(
    "B05",
    sentence="no session is billed before its stop is final, and each later correction is a credit and a new record",
    planes=("truth", "books"),
    needs=("books_sessions", "books_transactions", "books_bills", "books_cdrs", "books_journal"),
)
def billed_when_final(evidence: Evidence, judge: Judge) -> None:
    """Every bill with the end of its session and the arrival of its stop; every record that corrects another."""
    stops = {(one.backend, one.session_id): one for one in evidence.read(BookTransaction)}
    sessions = {(one.backend, one.session_id): one for one in evidence.read(BookSession)}
    for bill in evidence.read(BookBill):
        judge.examined()
        session = sessions.get((bill.backend, bill.session_id))
        truth = joined(evidence).truth_of(session) if session is not None else None
        told = stops.get((bill.backend, bill.session_id))
        rows = [line(row) for row in (session, told, truth) if row is not None]
        if truth is not None and truth.stopped_at is None:
            problem = "is over a session that still charges"
        elif session is not None and session.stopped_at is None:
            problem = "is over a session that has no stop in the books"
        elif truth is not None and (bill.issued_at or 0) + NEAR < (truth.stopped_at or 0):
            problem = f"was issued at {bill.issued_at}, before the session ended"
        elif told is not None and (bill.issued_at or 0) < (told.received_stop_at or 0):
            problem = f"was issued at {bill.issued_at}, before its stop had come"
        else:
            continue
        judge.fail("bill", bill.number, f"the bill {problem}", line(bill), *rows)
    _corrections(evidence, judge)


def _corrections(evidence: Evidence, judge: Judge) -> None:
    """What corrects a record: one credit and one new record of the same session, each with its own entry."""
    cdrs = {(one.backend, one.cdr_id): one for one in evidence.read(BookCdr)}
    pairs: dict[tuple[str, str], list[BookCdr]] = {}
    for cdr in cdrs.values():
        if cdr.corrects:
            pairs.setdefault((cdr.backend, cdr.corrects), []).append(cdr)
    named: dict[tuple[str, str], int] = {}
    for entry in evidence.read(BookEntry):
        for word in (entry.ref or "").split(" "):
            if entry.kind == "correction":
                named[entry.backend, word] = named.get((entry.backend, word), 0) + 1
    for (backend, corrected), pair in pairs.items():
        judge.examined()
        first = cdrs.get((backend, corrected))
        credits = sum(bool(one.credit) for one in pair)
        if first is None:
            problem = "is corrected and is not there"
        elif credits != 1 or len(pair) != 2:
            problem = f"is corrected by {credits} credits and {len(pair) - credits} new records"
        elif any(one.session_id != first.session_id for one in pair):
            problem = "is corrected by a record of another session"
        elif any(named.get((backend, one.cdr_id)) != 1 for one in pair):
            problem = "is corrected, and the journal does not say so once for the credit and once for the new record"
        else:
            continue
        judge.fail("bill", corrected, f"the record {problem}", *map(line, [*([first] if first else []), *pair]))


@check(
    "B07",
    sentence="sessions never account for more than their meter counted in the window, and what they lack is explained",
    planes=("truth", "books"),
    needs=("books_sessions", "books_cdrs", "books_quarantine"),
)
def within_the_meter(evidence: Evidence, judge: Judge) -> None:
    """Per meter, over both back-ends: booked is at most the advance; the rest is still charging or in the quarantine."""
    cases: dict[tuple[str, int], list[Case]] = {}
    for case in joined(evidence).cases:
        cases.setdefault((case.truth.station, case.truth.connector), []).append(case)
    rows: dict[tuple[str, int], list[BookSession]] = {}
    for row in evidence.read(BookSession):
        if row.state in ENDS:
            rows.setdefault((row.station, row.connector or 0), []).append(row)
    for meter in evidence.read(Meter):
        place = (meter.station, meter.connector)
        mine, happened = rows.get(place, []), cases.get(place, [])
        advance = meter.register_stop - meter.register_start
        if not advance and not mine:
            continue
        judge.examined()
        booked = sum((book_wh(evidence, row) or Decimal(0) for row in mine), Decimal(0))
        rest, slack = advance - booked, max(1, len(mine))
        slack += sum(case.energy_wh or 0 for case in happened if case.untold)
        explained = sum(_unbooked(case, meter) for case in happened)
        if rest < -slack:
            sentence = f"{booked.normalize():f} Wh are booked, and the meter counted {advance} Wh"
        elif abs(rest - explained) > slack:
            sentence = (
                f"{rest.normalize():f} Wh of {advance} Wh are in no session, and {explained} Wh of them are explained"
            )
        else:
            continue
        judge.fail("meter", meter.meter_id, sentence, line(meter), *map(line, mine))


def _unbooked(case: Case, meter: Meter) -> int:
    """What of a true session may be missing in the rows of sessions: it still charges, or only its stop is held."""
    truth = case.truth
    if truth.stopped_at is None:
        return (truth.register_stop or meter.register_stop) - truth.register_start
    if any(row.state in ENDS for row in case.rows):
        return 0
    return (case.energy_wh or 0) if case.orphans else 0


@check(
    "B09",
    sentence="duration, energy and cost are never below zero, except on what takes something back",
    planes=("books",),
    needs=("books_sessions", "books_cdrs", "books_rated", "books_bills"),
)
def never_negative(evidence: Evidence, judge: Judge) -> None:
    """Sessions that were billed or free, records, ratings, bills and, where there are any, documents with their lines."""
    credits = {(cdr.backend, cdr.cdr_id) for cdr in evidence.read(BookCdr) if cdr.credit}
    for session in evidence.read(BookSession):
        if session.state in (BILLED, FREE):
            _signs(judge, session.session_id, session, False, _duration(session), ("energy", session.energy_wh))
    for cdr in evidence.read(BookCdr):
        energy = None if cdr.kwh is None else Decimal(cdr.kwh)
        judge.examined()
        _wrong(judge, cdr.cdr_id, cdr, (_duration(cdr), ("idle time", cdr.idle_seconds)), False)
        _wrong(judge, cdr.cdr_id, cdr, (("energy", energy),), bool(cdr.credit))
    for rated in evidence.read(BookRated):
        back = (rated.backend, rated.cdr_id) in credits
        lines = [(f"the line {one['component']}", one["amount"]) for one in json.loads(rated.lines or "[]")]
        _signs(judge, rated.cdr_id, rated, back, *_amounts(rated), *lines)
    for bill in evidence.read(BookBill):
        _signs(judge, bill.number, bill, False, *_amounts(bill))
    for invoice in evidence.read_shown(BookInvoice):
        _signs(judge, invoice.number, invoice, invoice.kind in TAKEN_BACK, *_amounts(invoice))
    for one in evidence.read_shown(BookInvoiceLine):
        if one.kind != "reversal":  # of a cancelled invoice that had a credit on it, this may be either
            _signs(judge, one.number, one, one.kind == "credit", (f"line {one.position}", one.amount))
    for table in ("books_invoices", "books_invoice_lines"):
        judge.say("; ".join(evidence.missing(table)))


def _duration(row: BookSession | BookCdr) -> tuple[str, int | None]:
    known = row.started_at is not None and row.stopped_at is not None
    return "duration", (row.stopped_at or 0) - (row.started_at or 0) if known else None


def _amounts(row: BookRated | BookBill | BookInvoice) -> Iterator[tuple[str, int | None]]:
    for name in ("gross", "net", "vat"):
        yield name, getattr(row, name)


def _signs(judge: Judge, subject: str, row: View, back: bool, *values: tuple[str, int | Decimal | None]) -> None:
    judge.examined()
    _wrong(judge, subject, row, values, back)


def _wrong(
    judge: Judge, subject: str, row: View, values: tuple[tuple[str, int | Decimal | None], ...], back: bool
) -> None:
    for name, value in values:
        if value is not None and (value > 0 if back else value < 0):
            kind = "gives something back" if back else "takes nothing back"
            judge.fail("bill", subject, f"{name} is {value} on what {kind}", line(row))


@check(
    "B12",
    sentence="each free session carries a true reason, costs nothing, and is counted",
    planes=("truth", "books", "plan"),
    needs=("books_sessions", "books_cdrs", "books_bills", "books_rated"),
)
def free_for_a_reason(evidence: Evidence, judge: Judge) -> None:
    """Every free session: a reason that holds by the plan, no bill, and no amount on its rating."""
    plan, counts = plan_of(evidence), dict[str, int]()
    gross = {(one.backend, one.cdr_id): one for one in evidence.read(BookRated) if one.effective}
    bills = {entry.session: entry.bills for entry in ledgered(evidence)}
    for session in evidence.read(BookSession):
        if session.state != FREE:
            continue
        judge.examined()
        counts[session.reason or "no reason"] = counts.get(session.reason or "no reason", 0) + 1
        rated = gross.get((session.backend, session.cdr_id or ""))
        problem = _untrue(evidence, plan, session)
        if rated is not None and rated.gross:
            problem = f"is rated at {rated.gross}"
        if bills.get(session):
            problem = "has a bill"
        if problem:
            rows = [line(row) for row in (rated, *bills.get(session, ())) if row is not None]
            judge.fail("session", session.session_id, f"free, and {problem}", line(session), *rows)
    judge.say(", ".join(f"{count} {reason}" for reason, count in sorted(counts.items())))


def _untrue(evidence: Evidence, plan: Plan, session: BookSession) -> str:
    """Why the reason of a free session does not hold; empty if it does."""
    truth = joined(evidence).truth_of(session)
    if truth is None:
        return "never happened"
    token = plan.token(truth.token)
    if not session.reason:
        return "nobody says why"
    if session.reason == BELOW_MINIMUM:
        counted, least = (
            (truth.register_stop or 0) - truth.register_start,
            plan.minimum_wh(truth.site, truth.started_at),
        )
        return "" if counted < least else f"{counted} Wh are not below the minimum of {least} Wh"
    return "" if token is not None and token.free else f"the plan knows no reason {session.reason} for {truth.token}"
