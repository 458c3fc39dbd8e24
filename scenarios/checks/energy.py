"""Energy: what the meters counted is what the books account for, once and for one place (INV-01, 02, 03, 09, B08)."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from scenarios.checks.excuses import REFUSING, excused
from scenarios.checks.joins import (
    BILLED,
    HANDED_OVER,
    MISREPORTED,
    NEAR,
    UNTOLD,
    Case,
    book_wh,
    clock_doubt,
    joined,
    ledgered,
)
from scenarios.checks.plan import Plan, plan_of
from scenarios.checks.registry import Judge, check
from sim.evidence.reader import Evidence, line
from sim.evidence.verdict import EvidenceLine
from sim.evidence.views import BookBill, BookSession, Held, Meter

SETTLED = (BILLED, "free", "quarantined")

UNKNOWN_TRANSACTION = "unknown-transaction"
EXPLAINS = {
    "wrong-signature": ("tampered",),
    "key-unknown": ("key-unregistered", "tampered"),
    "malformed-record": ("tampered",),
    "unsupported": ("tampered",),
    "record-missing": ("tampered",),
    "not-billable": ("blocked-token", "tampered", "clock-step", MISREPORTED),
    "unknown-token": ("blocked-token",),
    UNKNOWN_TRANSACTION: ("stray-stop", MISREPORTED),
    "no-stop": (UNTOLD, MISREPORTED),
    "implausible": ("register-reset", "clock-step", "tampered", MISREPORTED),
}
"""Which harm to a session explains which quarantine, besides a harm of the same name."""


@check(
    "INV-01",
    sentence="billed, free and quarantined energy of both back-ends is what each meter counted",
    planes=("truth", "books"),
    needs=("books_sessions", "books_cdrs", "books_quarantine"),
)
def energy_conserved(evidence: Evidence, judge: Judge) -> None:
    """Per meter: sum over both books = register advance, within 1 Wh per session; what still charges is listed."""
    meters = {(meter.station, meter.connector): meter for meter in evidence.read(Meter)}
    cases: dict[tuple[str, int], list[Case]] = {place: [] for place in meters}
    still_open = 0
    for case in joined(evidence).cases:
        cases[case.truth.station, case.truth.connector].append(case)
        still_open += case.truth.stopped_at is None
    rows: dict[tuple[str, int], list[BookSession]] = {place: [] for place in meters}
    for session in evidence.read(BookSession):
        place = (session.station, session.connector or 0)
        if place in rows:
            rows[place].append(session)
        elif session.state != HANDED_OVER and session.energy_wh:
            judge.fail("session", session.session_id, "energy is booked where no meter is", line(session))
    for place, meter in meters.items():
        if meter.register_stop != meter.register_start or rows[place] or cases[place]:
            judge.examined()
            _conserve(evidence, judge, meter, cases[place], rows[place])
    if still_open:
        judge.say(f"{still_open} sessions were still charging at the end")


def _conserve(evidence: Evidence, judge: Judge, meter: Meter, cases: list[Case], rows: list[BookSession]) -> None:
    advance = meter.register_stop - meter.register_start
    accounted = Decimal(0)
    for session in rows:
        if session.state in SETTLED:
            accounted += book_wh(evidence, session) or 0
    for case in cases:
        if case.truth.stopped_at is None:
            accounted += (case.truth.register_stop or meter.register_stop) - case.truth.register_start
        elif not any(row.state in SETTLED for row in case.rows):
            accounted += sum(held.energy_wh or 0 for held in case.orphans[:1])
    untold = sum(
        case.energy_wh or 0 for case in cases if case.untold
    )  # of these nobody can know more than readings showed
    if abs(accounted - advance) > max(1, len(cases)) + untold:
        sentence = f"the meter counted {advance} Wh, the books of both back-ends account for {accounted:f} Wh"
        judge.fail("meter", meter.meter_id, sentence, line(meter), *_differing(evidence, cases, rows))


def _differing(evidence: Evidence, cases: list[Case], rows: list[BookSession]) -> list[EvidenceLine]:
    """The sessions of a meter whose books are not what truth says."""
    lines: list[EvidenceLine] = []
    seen = {(row.backend, row.session_id) for case in cases for row in (*case.rows, *case.handed)}
    for case in cases:
        settled = [row for row in case.rows if row.state in SETTLED]
        booked = sum((book_wh(evidence, row) or Decimal(0) for row in settled), Decimal(0))
        if len(settled) != 1 or abs(booked - (case.energy_wh or 0)) > 1:
            lines += [line(case.truth), *map(line, case.rows), *map(line, case.handed)]
    return lines + [line(row) for row in rows if (row.backend, row.session_id) not in seen]


@check(
    "INV-02",
    sentence="no second of a connector and no true session is billed twice, over both back-ends",
    planes=("truth", "books"),
    needs=("books_sessions", "books_bills"),
)
def billed_once(evidence: Evidence, judge: Judge) -> None:
    """Billed intervals of a connector do not overlap, and a true session has at most one bill."""
    billed = [entry.session for entry in ledgered(evidence) if entry.session.state != HANDED_OVER]
    judge.examined(len(billed))
    _no_overlap(judge, billed, "billed")
    bills = _bills_of(evidence)
    for case in joined(evidence).cases:
        rows = [row for row in (*case.rows, *case.handed) if bills.get((row.backend, row.session_id))]
        own = [bill for row in rows for bill in bills[row.backend, row.session_id]]
        times = max(len(own), sum(row.state == BILLED for row in case.rows))
        if times > 1:
            sentence = f"this session of {case.truth.station} was billed {times} times"
            judge.fail("session", case.truth.session_id, sentence, line(case.truth), *map(line, rows), *map(line, own))


@check(
    "B08",
    sentence="two sessions on one connector never overlap in time, over both back-ends",
    planes=("books",),
    needs=("books_sessions",),
)
def no_overlap(evidence: Evidence, judge: Judge) -> None:
    """All closed sessions with both times, also those that are held: a place cannot be used twice at once."""
    closed = [one for one in evidence.read(BookSession) if one.state in SETTLED]
    judge.examined(len(closed))
    _no_overlap(judge, closed, "in the books")


def _no_overlap(judge: Judge, sessions: Iterable[BookSession], what: str) -> None:
    places: dict[tuple[str, int | None], list[tuple[int, int, BookSession]]] = {}
    for session in sessions:
        if session.started_at is not None and session.stopped_at is not None:
            interval = (session.started_at, session.stopped_at, session)
            places.setdefault((session.station, session.connector), []).append(interval)
    for (station, connector), intervals in places.items():
        intervals.sort(key=lambda interval: interval[:2])
        last: tuple[int, int, BookSession] | None = None
        for interval in intervals:
            if last is not None and interval[0] < last[1]:
                overlap = min(last[1], interval[1]) - interval[0]
                sentence = f"{overlap} ms of this connector are {what} twice"
                judge.fail("connector", f"{station}*{connector}", sentence, line(last[2]), line(interval[2]))
            if last is None or interval[1] > last[1]:
                last = interval


def _bills_of(evidence: Evidence) -> dict[tuple[str, str], list[BookBill]]:
    bills: dict[tuple[str, str], list[BookBill]] = {}
    for bill in evidence.read(BookBill):
        bills.setdefault((bill.backend, bill.session_id), []).append(bill)
    return bills


@check(
    "INV-03",
    sentence="every true session above the minimum is invoiced, free by policy, or quarantined for a true reason",
    planes=("truth", "books", "plan"),
    needs=("books_sessions", "books_quarantine"),
)
def settled_exactly_once(evidence: Evidence, judge: Judge) -> None:
    """Exactly one of billed, free, quarantined over both books; and nothing is billed that never happened."""
    plan = plan_of(evidence)
    counts = dict.fromkeys(SETTLED, 0)
    for case in joined(evidence).cases:
        energy = case.energy_wh
        if energy is None or energy < plan.minimum_wh(case.truth.site, case.truth.started_at):
            continue
        judge.examined()
        settled = [row for row in case.rows if row.state in SETTLED]
        states = [row.state for row in settled] or ["quarantined" for _ in case.orphans[:1]]
        complaint = complaint_of(plan, evidence, case, settled, states)
        if complaint:
            rows = map(line, (*case.rows, *case.handed, *case.orphans))
            judge.fail("session", case.truth.session_id, complaint, line(case.truth), *rows)
        for state in states:
            counts[state] += 1
    for ghost in joined(evidence).ghosts:
        if ghost.state in (BILLED, "free"):
            judge.examined()
            judge.fail("session", ghost.session_id, f"{ghost.state}, but no such session ever happened", line(ghost))
    judge.say(", ".join(f"{count} {state}" for state, count in counts.items()))


def complaint_of(
    plan: Plan, evidence: Evidence, case: Case, settled: list[BookSession], states: list[str]
) -> str | None:
    """What is wrong with the end of a session, None if it ended as it should."""
    if len(states) > 1:
        return f"{case.energy_wh} Wh ended up {len(states)} times: {', '.join(states)}"
    if not states:
        if any(row.state == "open" for row in case.rows):
            return f"{case.energy_wh} Wh: the session is over, and the books still call it open"
        if case.handed:
            return f"{case.energy_wh} Wh were handed over, and nobody took them"
        return f"{case.energy_wh} Wh are in no book"
    if states[0] == "quarantined":
        reasons = _quarantine_reasons(evidence, case, settled)
        if any(_explained(plan, case, reason) for reason in reasons):
            return None
        if UNKNOWN_TRANSACTION in reasons and _start_was_refused(evidence, case, settled):
            return None
        return f"an honest session of {case.energy_wh} Wh is held as {' and '.join(reasons) or 'nothing in particular'}"
    if states[0] == "free":
        token = plan.token(case.truth.token)
        if token is None or not token.free:
            return f"{case.energy_wh} Wh were given away as free ({settled[0].reason or 'without a reason'})"
    return None


def _quarantine_reasons(evidence: Evidence, case: Case, settled: list[BookSession]) -> list[str]:
    reasons = [row.reason for row in settled] + [held.reason for held in case.orphans]
    named = {(row.backend, row.session_id) for row in settled}
    reasons += [held.reason for held in evidence.read(Held) if (held.backend, held.session_id) in named]
    return list(dict.fromkeys(reason for reason in reasons if reason))


def _start_was_refused(evidence: Evidence, case: Case, settled: list[BookSession]) -> bool:
    """Whether the back-end that holds it was made to answer with errors when it began: then nobody gave it a number."""
    held_at = [*(row.backend for row in settled), *(held.backend for held in case.orphans)]
    return any(excused(evidence, *REFUSING)(backend, case.truth.started_at) for backend in held_at)


def _explained(plan: Plan, case: Case, reason: str) -> bool:
    harm = set((case.truth.harm or "").replace("+", ",").split(","))
    meter = plan.meters.get((case.truth.station, case.truth.connector))
    if meter is not None and not meter.registered:
        harm.add("key-unregistered")
    token = plan.token(case.truth.token)
    if not plan.knows_token(case.truth.token) or (token is not None and token.status != "Accepted"):
        harm.add("blocked-token")
    return not harm.isdisjoint((reason, *EXPLAINS.get(reason, ())))


@check(
    "INV-09",
    sentence="billed sessions begin and end when they truly did, not when the message arrived",
    planes=("truth", "books"),
    needs=("books_sessions", "books_cdrs"),
)
def true_times(evidence: Evidence, judge: Judge) -> None:
    """Start and stop of each billed session within 2 s of the true ones."""
    for entry in ledgered(evidence):
        truth = joined(evidence).truth_of(entry.session)
        if truth is None or truth.stopped_at is None:
            continue
        judge.examined()
        for source in (entry.session, entry.cdr):
            if source is None or source.stopped_at is None:
                continue
            begin, end = (source.started_at or 0) - truth.started_at, source.stopped_at - truth.stopped_at
            if max(abs(begin), abs(end)) > NEAR + clock_doubt(evidence).get(truth.station, 0):
                sentence = f"booked to begin {begin:+d} ms and to end {end:+d} ms from what truly happened"
                judge.fail("session", entry.session.session_id, sentence, line(truth), line(source))
                break
