"""What comes twice, late or in another order is billed once, and at the same price (B10), also around a move (M12).

Deliveries are read from the wire and joined to the true session by station, time and register; the amount that is due is
the oracle's. Nothing is played again here: the judgement rests on the repetitions and delays that the run really had.
"""

from __future__ import annotations

from msgspec import Struct

from scenarios import oracle
from scenarios.checks.ends import ENDS
from scenarios.checks.joins import BILLED, NEAR, Case, joined
from scenarios.checks.moves import moves
from scenarios.checks.plan import plan_of
from scenarios.checks.prices import priced_case
from scenarios.checks.registry import Judge, check
from scenarios.checks.stops import WireStart, WireStop, starts, stops
from sim.clock import DAY, HOUR, MINUTE
from sim.evidence.reader import Evidence, line
from sim.evidence.verdict import EvidenceLine
from sim.evidence.views import BookBill, BookRated, BookSession

LATE = MINUTE
"""From when on a delivery is late, in ms after what it tells of."""
AROUND = (HOUR, DAY)
"""How long before and after the move of a station a late message has to do with it, ms."""


class Told(Struct, frozen=True):
    """A true session that ended, and every delivery of its start and stop in order."""

    case: Case
    starts: tuple[WireStart, ...]
    stops: tuple[WireStop, ...]

    @property
    def messages(self) -> list[WireStart | WireStop]:
        """All of them, starts first."""
        return [*self.starts, *self.stops]

    @property
    def deliveries(self) -> list[tuple[int, int, str]]:
        """(what time it tells of, when it was delivered, to whom) of each."""
        return [(one.at, _at(one), one.call.backend) for one in self.messages]

    @property
    def late(self) -> bool:
        """Whether the first delivery of its start or stop came late."""
        firsts: list[WireStart | WireStop] = [*self.starts[:1], *self.stops[:1]]
        return any(_at(one) - one.at > LATE for one in firsts)

    @property
    def disturbed(self) -> str:
        """How its messages came otherwise than once, at once and in order; empty if they came so."""
        found = []
        if len(self.starts) > 1 or len(self.stops) > 1:
            found.append(f"{len(self.starts)} starts and {len(self.stops)} stops")
        if self.late:
            found.append("late")
        if self.starts and self.stops and _at(self.stops[0]) < _at(self.starts[0]):
            found.append("the stop first")
        return ", ".join(found)

    def lines(self) -> list[EvidenceLine]:
        """The calls themselves."""
        return [line(one.call) for one in self.messages]


def told(evidence: Evidence) -> list[Told]:
    """Every true session that ended, with its deliveries; made once."""
    return evidence.keep("told", _told)


def bills_of(evidence: Evidence, case: Case) -> list[BookBill]:
    """Every bill over a true session, of both back-ends."""

    def index(source: Evidence) -> dict[tuple[str, str], list[BookBill]]:
        found: dict[tuple[str, str], list[BookBill]] = {}
        for bill in source.read(BookBill):
            found.setdefault((bill.backend, bill.session_id), []).append(bill)
        return found

    known = evidence.keep("bills of sessions", index)
    return [bill for row in (*case.rows, *case.handed) for bill in known.get((row.backend, row.session_id), ())]


@check(
    "B10",
    sentence="messages that came twice, late or out of order led to one bill with the amount of a second calculation",
    planes=("truth", "wire", "books", "plan"),
    needs=("wire_calls", "books_sessions", "books_bills", "books_rated", "books_cdrs", "books_quarantine"),
)
def replays_change_nothing(evidence: Evidence, judge: Judge) -> None:
    """Every true session whose messages were repeated, late or in another order."""
    effective = {(one.backend, one.cdr_id): one for one in evidence.read(BookRated) if one.effective}
    kinds: dict[str, int] = {}
    for one in told(evidence):
        if not one.disturbed:
            continue
        judge.examined()
        for kind in ("starts", "late", "first"):
            kinds[kind] = kinds.get(kind, 0) + (kind in one.disturbed)
        bills = bills_of(evidence, one.case)
        row = next((row for row in one.case.rows if row.state == BILLED), None)
        problem = ""
        if len(bills) > 1:
            problem = f"led to {len(bills)} bills"
        elif row is not None and not bills:
            problem = "is called billed and has no bill"
        elif row is not None:
            problem = _amount(evidence, judge, row, bills[0], effective.get((row.backend, row.cdr_id or "")))
        if problem:
            sentence = f"what came with {one.disturbed} {problem}"
            rows = [line(one.case.truth), *map(line, bills), *one.lines()]
            judge.fail("session", one.case.truth.session_id, sentence, *rows)
    names = {"starts": "repeated", "late": "late", "first": "with the stop first"}
    judge.say(", ".join(f"{kinds.get(kind, 0)} {name}" for kind, name in names.items()))


def _amount(evidence: Evidence, judge: Judge, row: BookSession, bill: BookBill, rated: BookRated | None) -> str:
    """How bill, or the rating of a corrected one, differs from the oracle; empty if it does not."""
    case = priced_case(evidence, plan_of(evidence), row, judge)
    if case is None:
        return ""
    said = oracle.opinion(case.points, case.terms)
    corrected = rated is not None and rated.cdr_id != bill.cdr_id
    booked = rated if corrected and rated is not None else bill
    if said.free:
        return f"is billed with {booked.gross}, and nothing is due"
    if (booked.gross, booked.net, booked.vat) != (said.gross, said.net, said.vat):
        return f"is billed with {booked.gross} (net {booked.net}), and {said.gross} (net {said.net}) are due"
    return ""


@check(
    "M12",
    sentence="what stations could deliver only late around their move arrived once and is billed once, by the rule",
    planes=("truth", "wire", "books", "plan"),
    needs=("wire_calls", "books_sessions", "books_bills", "books_quarantine"),
)
def queued_messages_billed_once(evidence: Evidence, judge: Judge) -> None:
    """Every session of a moving station with a late message, or with one that both back-ends got, around its move."""
    move = moves(evidence)
    for one in told(evidence):
        window = move.window(one.case.truth.station)
        if window is None or not _around(one, window):
            continue
        judge.examined()
        ends = [row for row in one.case.rows if row.state in ENDS]
        bills, due = bills_of(evidence, one.case), move.due(one.case.truth)
        wrong = [bill for bill in bills if due and bill.backend not in due]
        if len(ends) + len(one.case.orphans[: 0 if ends else 1]) != 1:
            problem = f"ended up {len(ends)} times in the books"
        elif len(bills) != sum(row.state == BILLED for row in ends):
            problem = f"has {len(bills)} bills"
        elif wrong:
            problem = f"is billed by {wrong[0].backend}, and {' or '.join(sorted(due))} has its bill by the rule"
        else:
            continue
        rows = [line(one.case.truth), *map(line, (*one.case.rows, *one.case.handed, *bills)), *one.lines()]
        judge.fail("session", one.case.truth.session_id, f"a session of late messages {problem}", *rows)


def _around(one: Told, window: tuple[int, int]) -> bool:
    begun, over = window[0] - AROUND[0], window[1] + AROUND[1]
    near = [(at, came) for at, came, _ in one.deliveries if at <= over and came >= begun]
    both = len({backend for _, _, backend in one.deliveries}) > 1 and len(one.stops) + len(one.starts) > 2
    return bool(near) and (one.late or both)


def _at(one: WireStart | WireStop) -> int:
    return one.call.delivered_at or one.at


def _told(evidence: Evidence) -> list[Told]:
    begun: dict[tuple[str, int, str], list[WireStart]] = {}
    for start in sorted(starts(evidence), key=_at):
        begun.setdefault((start.call.station, start.connector, start.id_tag.upper()), []).append(start)
    ended: dict[str, list[WireStop]] = {}
    for stop in sorted(stops(evidence), key=_at):
        ended.setdefault(stop.call.station, []).append(stop)
    found = []
    for case in joined(evidence).cases:
        truth = case.truth
        if truth.stopped_at is None:
            continue
        place = (truth.station, truth.connector, truth.token.upper())
        register, until = truth.register_stop or 0, truth.stopped_at
        found.append(
            Told(
                case,
                tuple(one for one in begun.get(place, ()) if abs(one.at - truth.started_at) <= NEAR),
                tuple(
                    one
                    for one in ended.get(truth.station, ())
                    if abs(one.at - until) <= NEAR and abs(one.meter_stop - register) <= 1
                ),
            )
        )
    return found
