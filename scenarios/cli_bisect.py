"""`chargerig bisect`: the first moment at which the books of a run part from the truth, from its folder alone.

Each true session is followed through the planes in the order in which they come to know of it: the wire, the transaction in
the books, its signed records, what became of it, its energy, its price, its bill, its journal entry. The earliest plane that
does not say what the meter said is where that session parts; the earliest of those in time is the answer. Nothing here may
ask a check for its verdict: a parting is seen in the rows themselves.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from msgspec import Struct

from reports.run import Run
from reports.trace_lines import Line, local, plain
from reports.trace_lines import calls as wire_lines
from reports.walk import Walk, of_truth
from scenarios import oracle
from scenarios.checks.energy import SETTLED, complaint_of
from scenarios.checks.joins import BILLED, NEAR, Case, Ledgered, book_wh, clock_doubt, joined, ledgered
from scenarios.checks.plan import Plan, plan_of
from scenarios.checks.prices import priced_case
from scenarios.checks.registry import Judge
from scenarios.oracle import NoOpinion
from sim.evidence.reader import Evidence
from sim.evidence.views import BookEntry, BookSession, BookTransaction

STAGES = ("wire", "transaction", "outcome", "energy", "price", "bill", "journal")
"""In the order in which they come to know of a session."""
_PLANE = {"wire": "wire"}
_UNSIGNED = ("tampered",)
Row = dict[str, Any]


class Parting(Struct, frozen=True):
    """Where one session parts: when, at which stage, what is wrong, and the rows that say so beside the true one."""

    at: int
    stage: str
    station: str
    connector: int | None
    session: str
    sentence: str
    rows: tuple[tuple[str, Row], ...]

    @property
    def plane(self) -> str:
        """The plane of evidence that it is seen in."""
        return _PLANE.get(self.stage, "books")


class Bisected(Struct, frozen=True):
    """The first parting with the lines that lead to it, how many sessions part, and how many were followed.

    `found`: for a run whose sessions are all right, the checks that found something nonetheless.
    """

    first: Parting | None
    lines: tuple[Line, ...]
    parted: int
    followed: int
    zone: str
    found: tuple[str, ...] = ()

    def text(self) -> str:
        """For a terminal."""
        if self.first is None:
            said = f"books and truth do not part in any of {self.followed} sessions"
            return said + (f"; what {', '.join(self.found)} found is not in a session" if self.found else "")
        one = self.first
        where = f"{one.session} at {one.station}*{one.connector} parts in the {one.plane}, {one.stage}"
        head = [
            f"{local(one.at, self.zone)}: {where}",
            f"  {one.sentence}",
            "",
            *(f"  {line.shown(self.zone)}" for line in self.lines),
            "",
            *(f"  {table}: {json.dumps(row, ensure_ascii=False)}" for table, row in one.rows),
        ]
        return "\n".join([*head, "", f"{self.parted} of {self.followed} sessions part"])

    def data(self) -> Row:
        """For programs."""
        told: Row = {"parted": self.parted, "followed": self.followed, "found": list(self.found), "first": None}
        if self.first is not None:
            one = self.first
            told["first"] = {
                "at": one.at,
                "time": local(one.at, self.zone),
                "plane": one.plane,
                "stage": one.stage,
                "session": one.session,
                "station": one.station,
                "connector": one.connector,
                "sentence": one.sentence,
                "rows": [{"table": table, "row": row} for table, row in one.rows],
                "lines": [line.data(self.zone) for line in self.lines],
            }
        return told


def bisect(run: Run) -> Bisected:
    """Follow every true session of the run, and every session of the books that stands for none."""
    evidence = run.evidence
    plan, books = plan_of(evidence), _Books(evidence)
    partings: list[tuple[Parting, Case | None]] = []
    for case in joined(evidence).cases:
        parting = _parting(run, plan, books, case)
        if parting is not None:
            partings.append((parting, case))
    for ghost in joined(evidence).ghosts:
        if ghost.state in (BILLED, "free"):
            at = int(ghost.started_at or 0)
            sentence = f"{ghost.state} at {ghost.backend}, but no such session ever happened"
            rows = (("books_sessions", _row(ghost)),)
            told = Parting(at, "outcome", ghost.station, ghost.connector, ghost.session_id, sentence, rows)
            partings.append((told, None))
    partings.sort(key=lambda pair: (pair[0].at, STAGES.index(pair[0].stage), pair[0].session))
    followed = len(joined(evidence).cases)
    if not partings:
        found = tuple(result.check for result in run.results if result.findings)
        return Bisected(None, (), 0, followed, run.zone, found)
    first, where = partings[0]
    return Bisected(first, _lines(run, first, where), len(partings), followed, run.zone)


class _Books:
    """What the books hold of each session, by back-end and id."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence
        self.transactions: dict[tuple[str, str], BookTransaction] = {}
        for one in evidence.read(BookTransaction):
            if one.session_id is not None:
                self.transactions[one.backend, one.session_id] = one
        self.ledgered = {(one.session.backend, one.session.session_id): one for one in ledgered(evidence)}
        self.entries = {(one.backend, one.seq): one for one in evidence.read(BookEntry)}


def _parting(run: Run, plan: Plan, books: _Books, case: Case) -> Parting | None:
    """The first stage at which this session is not what it truly was."""
    truth = case.truth
    energy = case.energy_wh
    if energy is None or energy < plan.minimum_wh(truth.site, truth.started_at):
        return None

    def parts(stage: str, at: int | None, sentence: str, *rows: Any) -> Parting:
        shown = (("truth_sessions", _row(truth)), *((row.table, _row(row)) for row in rows))
        name = next((row.session_id for row in case.rows), truth.session_id)
        when = truth.stopped_at if at is None else at
        return Parting(int(when or 0), stage, truth.station, truth.connector, str(name), sentence, shown)

    for step in (_wire, _transaction, _outcome, _energy, _price, _bill, _journal):
        found = step(run, plan, books, case, parts)
        if found is not None:
            return found
    return None


Parts = Callable[..., Parting]


def _wire(run: Run, plan: Plan, books: _Books, case: Case, parts: Parts) -> Parting | None:
    """Only where nothing of it reached any book: was it never told?"""
    if case.rows or case.handed or case.orphans:
        return None
    walk = of_truth(run, _row(case.truth))
    delivered = [call for call in walk.calls if call["way"] == "up" and call["delivered_at"] is not None]
    if delivered:
        return None
    return parts("wire", case.truth.started_at, "nothing that tells of this session ever reached a back-end")


def _transaction(run: Run, plan: Plan, books: _Books, case: Case, parts: Parts) -> Parting | None:
    truth = case.truth
    near = NEAR + clock_doubt(books.evidence).get(truth.station, 0)
    for session in case.rows:
        one = books.transactions.get((session.backend, session.session_id))
        if one is None or one.state == "handed-over":
            continue
        for name, told, true, received in (
            ("begin", one.started_at, truth.started_at, one.received_start_at),
            ("end", one.stopped_at, truth.stopped_at, one.received_stop_at),
        ):
            if told is not None and true is not None and abs(told - true) > near:
                sentence = f"its {name} is booked {(told - true) / 1000:+.1f} s from the true one"
                return parts("transaction", received, sentence, one)
        for name, register, meter, received in (
            ("begin", one.meter_start, truth.register_start, one.received_start_at),
            ("end", one.meter_stop, truth.register_stop, one.received_stop_at),
        ):
            if register is not None and meter is not None and abs(register - meter) > 1:
                return parts(
                    "transaction", received, f"its register at the {name} is {register} Wh, not {meter} Wh", one
                )
    return None


def _outcome(run: Run, plan: Plan, books: _Books, case: Case, parts: Parts) -> Parting | None:
    settled = [row for row in case.rows if row.state in SETTLED]
    states = [row.state for row in settled] or ["quarantined" for _ in case.orphans[:1]]
    complaint = complaint_of(plan, books.evidence, case, settled, states)
    meter = plan.meters.get((case.truth.station, case.truth.connector))
    if complaint is None and BILLED in states:
        if any(word in (case.truth.harm or "") for word in _UNSIGNED):
            complaint = "billed, although a signed record of it had been altered"
        elif meter is not None and not meter.registered:
            complaint = "billed, although nobody knows the public key of its meter"
    if complaint is None:
        return None
    known = [books.transactions.get((row.backend, row.session_id)) for row in settled or case.rows]
    moments = [one.received_stop_at for one in known if one is not None and one.received_stop_at is not None]
    return parts("outcome", max(moments, default=None), complaint, *settled, *case.handed, *case.orphans)


def _energy(run: Run, plan: Plan, books: _Books, case: Case, parts: Parts) -> Parting | None:
    for session in case.rows:
        booked = book_wh(books.evidence, session) if session.state == BILLED else None
        if booked is not None and booked != case.energy_wh:
            sentence = f"{booked.normalize():f} Wh are booked, the meter counted {case.energy_wh} Wh"
            return parts("energy", _stopped(books, session), sentence, session, *_cdr(books, session))
    return None


def _price(run: Run, plan: Plan, books: _Books, case: Case, parts: Parts) -> Parting | None:
    for session in case.rows:
        entry = books.ledgered.get((session.backend, session.session_id))
        if entry is None or entry.rated is None:
            continue
        priced = priced_case(books.evidence, plan, session, Judge("bisect"))
        try:
            said = None if priced is None else oracle.opinion(priced.points, priced.terms)
        except NoOpinion:
            continue
        if priced is None or said is None:
            continue
        rated = entry.rated
        if not said.free and (rated.gross, rated.net, rated.vat) != (said.gross, said.net, said.vat):
            why = "; ".join(f"{one.component} {one.quantity} x {one.price} = {one.amount}" for one in said.lines)
            sentence = (
                f"rated at {rated.gross} {rated.currency} (minor units), and by the oracle at {said.gross}: {why}"
            )
            return parts("price", _stopped(books, session), sentence, rated, *_cdr(books, session))
        missed = oracle.changes_missed(priced.points, priced.terms)
        if missed:
            return parts("price", missed[0], "the price changes here, and the meter was not asked to sign", rated)
        lines = run.where("books_rated", backend=session.backend, rated_id=rated.rated_id)
        total = sum(int(one["amount"]) for row in lines for one in json.loads(row["lines"] or "[]"))
        if total != rated.gross:
            return parts("price", _stopped(books, session), f"its lines add up to {total}, not {rated.gross}", rated)
    return None


def _bill(run: Run, plan: Plan, books: _Books, case: Case, parts: Parts) -> Parting | None:
    for entry in _entries(books, case):
        if len(entry.bills) > 1 and not (entry.cdr is not None and entry.cdr.corrects):
            sentence = f"{len(entry.bills)} bills for one session"
            return parts("bill", entry.bills[1].issued_at, sentence, *entry.bills)
        for bill in entry.bills:
            rated = entry.rated
            if rated is not None and (bill.gross, bill.net, bill.vat) != (rated.gross, rated.net, rated.vat):
                return parts("bill", bill.issued_at, f"the bill asks {bill.gross}, rated at {rated.gross}", bill, rated)
            customer = plan.customer(case.truth.token)
            if customer is not None and bill.customer not in (None, customer):
                return parts("bill", bill.issued_at, f"billed to {bill.customer}, not to {customer}", bill)
    return None


def _journal(run: Run, plan: Plan, books: _Books, case: Case, parts: Parts) -> Parting | None:
    for entry in _entries(books, case):
        for bill in entry.bills:
            posted = books.entries.get((bill.backend, bill.journal_seq or -1))
            if posted is None:
                return parts("journal", bill.issued_at, f"bill {bill.number} has no journal entry", bill)
            postings = [(str(account), int(amount)) for account, _, amount in json.loads(posted.postings)]
            wrong = _wrong_postings(postings, bill)
            if wrong:
                return parts("journal", posted.at, f"entry {posted.seq}: {wrong}", posted, bill)
    return None


def _wrong_postings(postings: list[tuple[str, int]], bill: Any) -> str:
    total = sum(amount for _, amount in postings)
    if total:
        return f"its postings do not add up to nothing but to {total}"
    sums: dict[str, int] = {}
    for account, amount in postings:
        sums[account.partition(":")[0]] = sums.get(account.partition(":")[0], 0) + amount
    owed = [account for account, amount in postings if amount == bill.gross and account.startswith("receivable:")]
    if bill.gross and not any(str(bill.customer) in account for account in owed):
        return f"{bill.gross} are not put down to {bill.customer}"
    if "vat" in sums and -sums["vat"] != bill.vat:
        return f"VAT of {-sums['vat']} is posted, the bill has {bill.vat}"
    return ""


def _entries(books: _Books, case: Case) -> Iterator[Ledgered]:
    for session in case.rows:
        entry = books.ledgered.get((session.backend, session.session_id))
        if entry is not None:
            yield entry


def _stopped(books: _Books, session: BookSession) -> int | None:
    """When the books heard of the end of a session, which is when they worked out what it gave and costs."""
    known = books.transactions.get((session.backend, session.session_id))
    return None if known is None else known.received_stop_at


def _cdr(books: _Books, session: BookSession) -> tuple[Any, ...]:
    entry = books.ledgered.get((session.backend, session.session_id))
    return () if entry is None or entry.cdr is None else (entry.cdr,)


def _row(view: Any) -> Row:
    return {name: getattr(view, name) for name in view.__struct_fields__ if getattr(view, name) is not None}


_MOST_LINES = 12


def _lines(run: Run, first: Parting, case: Case | None) -> tuple[Line, ...]:
    """The calls that lead to the parting, the last ones first cut, and what came right after it."""
    if case is None:
        return ()
    walk: Walk = of_truth(run, _row(case.truth))
    told = [line for line in wire_lines(walk) if line.at is not None]
    before = [line for line in told if int(line.at or 0) <= first.at]
    here = Line(first.at, f"HERE: {plain(first.sentence)}")
    after = [line for line in told if int(line.at or 0) > first.at]
    return (*before[-_MOST_LINES:], here, *after[:3])
