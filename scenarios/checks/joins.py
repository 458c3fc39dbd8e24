"""Which row of the books stands for which true session: the join that most checks share.

Joined by station, connector, token and start, never by a transaction id: ids are what back-ends get wrong.
"""

from __future__ import annotations

import json
from decimal import Decimal

from msgspec import Struct

from scenarios.checks.stops import WireStop, stops
from sim.clock import MINUTE
from sim.evidence.reader import Evidence
from sim.evidence.views import BookBill, BookCdr, BookRated, BookSession, Held, TrueSession, WorldEvent

NEAR = 2_000
"""How far a station's time may be from the true one, in ms."""
CLOCK_STEPPED = "clock-stepped"
"""The event by which a station tells that its clock jumped by itself."""
ROUGHLY = 10 * MINUTE
"""How far off the times of a station may be that is made to tell wrong ones."""
MISREPORTED = "misreported"
"""Harm to a session of which its station does not say what is so: a quirk that was asked for."""
NO_STOP = "no-stop"
"""Why a back-end holds a session whose end it was never told."""
UNTOLD = "untold"
"""Harm to a session whose end its station has forgotten."""
HANDED_OVER = "handed-over"
BILLED = "billed"


class Case(Struct, frozen=True):
    """One true session with everything that any back-end wrote down for it.

    `rows`: its sessions in the books, without those that were handed over; `handed`: those that were; `orphans`: cases
    of the quarantine that belong to its stop and to no session.
    """

    truth: TrueSession
    rows: tuple[BookSession, ...]
    handed: tuple[BookSession, ...]
    orphans: tuple[Held, ...]

    @property
    def energy_wh(self) -> int | None:
        """What the meter counted, None while the session is open."""
        truth = self.truth
        if truth.stopped_at is None or truth.register_stop is None:
            return None
        return truth.register_stop - truth.register_start

    @property
    def untold(self) -> bool:
        """Whether nobody can know its end: the station forgot it, or is one that does not tell and the books hold it."""
        harm = (self.truth.harm or "").split(",")
        return UNTOLD in harm or (MISREPORTED in harm and any(row.reason == NO_STOP for row in self.rows))


class Joined(Struct, frozen=True):
    """All true sessions with their rows, and the rows that stand for none."""

    cases: tuple[Case, ...]
    ghosts: tuple[BookSession, ...]
    case_of: dict[tuple[str, str], Case]

    def truth_of(self, session: BookSession) -> TrueSession | None:
        """The true session that a row of the books stands for."""
        case = self.case_of.get((session.backend, session.session_id))
        return case.truth if case else None


class Ledgered(Struct, frozen=True):
    """A billed session with its charge detail record, effective rating and bills."""

    session: BookSession
    cdr: BookCdr | None
    rated: BookRated | None
    bills: tuple[BookBill, ...]

    @property
    def name(self) -> str:
        """How a finding names it: the number of its bill, or its session."""
        return self.bills[0].number if self.bills else self.session.session_id


def joined(evidence: Evidence) -> Joined:
    """The join of this evidence, made once."""
    return evidence.keep("joined", _join)


def ledgered(evidence: Evidence) -> list[Ledgered]:
    """Every session that a back-end calls billed, or has a bill for."""
    return evidence.keep("ledgered", _ledgered)


def billed_kwh(entry: Ledgered) -> Decimal | None:
    """The energy that was billed, from the charge detail record."""
    return None if entry.cdr is None or entry.cdr.kwh is None else Decimal(entry.cdr.kwh)


def book_wh(evidence: Evidence, session: BookSession) -> Decimal | None:
    """What a row of the books accounts for in Wh: that of its charge detail record, or else the raw registers."""
    cdrs = evidence.keep("cdrs by id", lambda e: {(cdr.backend, cdr.cdr_id): cdr for cdr in e.read(BookCdr)})
    cdr = cdrs.get((session.backend, session.cdr_id or ""))
    if cdr is not None and cdr.kwh is not None:
        return Decimal(cdr.kwh) * 1000
    return None if session.energy_wh is None else Decimal(session.energy_wh)


def _join(evidence: Evidence) -> Joined:
    truths = evidence.read(TrueSession)
    places: dict[tuple[str, int, str], list[int]] = {}
    for index, truth in enumerate(truths):
        places.setdefault((truth.station, truth.connector, truth.token.upper()), []).append(index)
    said = _stops_of(evidence, truths)
    doubt = clock_doubt(evidence)
    rows: list[list[BookSession]] = [[] for _ in truths]
    ghosts: list[BookSession] = []
    for row in evidence.read(BookSession):
        number = _nearest(row, truths, places, NEAR + doubt.get(row.station, 0))
        if number is None:
            number = said.get((row.station, row.transaction_id or 0)) if row.started_at is None else None
        if number is None:
            ghosts.append(row)
        else:
            rows[number].append(row)
    orphans = _orphans(evidence, said)
    cases = tuple(
        Case(
            truth,
            tuple(row for row in rows[n] if row.state != HANDED_OVER),
            tuple(row for row in rows[n] if row.state == HANDED_OVER),
            tuple(orphans.get(n, ())),
        )
        for n, truth in enumerate(truths)
    )
    case_of = {(row.backend, row.session_id): case for case in cases for row in (*case.rows, *case.handed)}
    return Joined(cases, tuple(ghosts), case_of)


def clock_doubt(evidence: Evidence) -> dict[str, int]:
    """How far the clock of a station may have been off by what befell it, ms; none but those of faults."""

    def read(source: Evidence) -> dict[str, int]:
        found: dict[str, int] = {}
        for event in source.read(WorldEvent):
            if event.kind == CLOCK_STEPPED:
                found[event.station] = found.get(event.station, 0) + abs(int(json.loads(event.data or "{}")["ms"]))
        return found

    return evidence.keep("clock doubt", read)


def _nearest(
    row: BookSession, truths: list[TrueSession], places: dict[tuple[str, int, str], list[int]], doubt: int
) -> int | None:
    if row.started_at is None or row.connector is None:
        return None
    at = row.started_at
    here = places.get((row.station, row.connector, (row.id_tag or "").upper()), [])
    near = [number for number in here if abs(truths[number].started_at - at) <= doubt]
    if not near:  # a station that is known to tell wrong times
        lied = [number for number in here if MISREPORTED in (truths[number].harm or "").split(",")]
        near = [number for number in lied if abs(truths[number].started_at - at) <= ROUGHLY]
    return min(near, key=lambda number: abs(truths[number].started_at - at), default=None)


def _stops_of(evidence: Evidence, truths: list[TrueSession]) -> dict[tuple[str, int | str], int]:
    """Which true session the stop of (station, transaction id) told of, by its time and register."""
    if evidence.missing("wire_calls"):
        return {}
    ends: dict[str, list[int]] = {}
    for number, truth in enumerate(truths):
        ends.setdefault(truth.station, []).append(number)

    def fits(stop: WireStop, truth: TrueSession) -> bool:
        ended, register = truth.stopped_at, truth.register_stop
        return ended is not None and abs(ended - stop.at) <= NEAR and abs((register or 0) - stop.meter_stop) <= 1

    found: dict[tuple[str, int | str], int] = {}
    for stop in stops(evidence):
        for number in ends.get(stop.call.station, ()):
            if fits(stop, truths[number]):
                found.setdefault((stop.call.station, stop.transaction_id), number)
    return found


def _orphans(evidence: Evidence, said: dict[tuple[str, int | str], int]) -> dict[int, list[Held]]:
    """By true session the cases of the quarantine. A check that looks at them declares the quarantine among its needs."""
    found: dict[int, list[Held]] = {}
    for held in evidence.read_shown(Held):
        number = said.get((held.station or "", held.transaction_id or 0)) if held.session_id is None else None
        if number is not None:
            found.setdefault(number, []).append(held)
    return found


def _ledgered(evidence: Evidence) -> list[Ledgered]:
    cdrs = {(cdr.backend, cdr.cdr_id): cdr for cdr in evidence.read(BookCdr)}
    effective = {(rated.backend, rated.cdr_id): rated for rated in evidence.read(BookRated) if rated.effective}
    bills: dict[tuple[str, str], list[BookBill]] = {}
    for bill in evidence.read(BookBill):
        bills.setdefault((bill.backend, bill.session_id), []).append(bill)
    found = []
    for session in evidence.read(BookSession):
        own = bills.get((session.backend, session.session_id), [])
        if session.state == BILLED or own:
            key = (session.backend, session.cdr_id or (own[0].cdr_id if own else None) or "")
            found.append(Ledgered(session, cdrs.get(key), effective.get(key), tuple(own)))
    return found
