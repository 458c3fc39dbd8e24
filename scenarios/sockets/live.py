"""A scenario against a back-end behind real sockets: the same stations and people, the clock on the wall, foreign books.

The world is that of the scenario, moved so that its first visit comes now. Only stimuli are drawn from the seed; ids carry a
salt of this run. What was in the books before is not of this run. What cannot be told here is named as missing, never left
out in silence.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from fleet.ev_driver import EvDriver
from fleet.rig import Rig
from fleet.visits import Visit
from scenarios.app import App
from scenarios.checks import run_checks
from scenarios.harvest import price_grid
from scenarios.model import Scenario
from scenarios.runner import REPEATED, Played, Progress
from scenarios.sockets.fleet import read_state, write_state
from scenarios.stage import Stage, set_stage
from scenarios.targets.answerable import LEVERS, without_levers
from scenarios.targets.external import ExternalBackEnd
from scenarios.targets.model import ForeignTarget
from scenarios.targets.rebook import NO_QUOTES, NO_REPEAT
from sim.backend import Books, Row, Unverifiable
from sim.clock import MINUTE, SECOND, Instant, iso
from sim.errors import BadInput, need
from sim.evidence.schema import PARTNERS, QUOTES
from sim.evidence.store import Evidence, write_evidence
from sim.evidence.truth import TruthRecorder
from sim.evidence.verdict import CheckResult
from sim.evidence.wire import Policy, WireRecorder
from sim.machine import Effect, Event, Note, Received
from sim.runtimes.aio import AioWorld, Clock
from sim.runtimes.aio_lines import Lines
from sim.runtimes.channel import Keeper, Limits
from sim.runtimes.entropy import run_salt

LEAD = 30 * SECOND
"""From the moment that the stations are switched on to the first visit, ms of the world."""
LINGER = 2 * MINUTE
"""From the last EV that leaves to the end of the world, ms of the world."""
BACKEND_CLOCK = "backend_clock"
"""What a check needs that holds the time of a back-end against that of the world."""
_HURRIED = "the world runs at another pace than the clock of the back-end"
_TIMED = ("books_transactions.received_start_at", "books_transactions.received_stop_at", "books_bills.issued_at")
_ALONE = "the journal began before this run"
_CHAIN = ("books_journal.hash", "books_journal.prev_hash")
_KEYS: Mapping[str, tuple[str, ...]] = {
    "books_transactions": ("transaction_id",),
    "books_events": ("station", "transaction_id"),
    "books_sessions": ("session_id",),
    "books_records": ("text",),
    "books_cdrs": ("cdr_id",),
    "books_rated": ("rated_id", "cdr_id"),
    "books_bills": ("number",),
    "books_journal": ("seq",),
    "books_quarantine": ("quarantine_id",),
    "books_corrections": ("correction_id",),
    "books_invoices": ("number",),
    "books_invoice_lines": ("number", "position"),
    "books_billables": ("number",),
    "books_runs": ("run_id",),
    "books_claims": ("claim_id",),
    "books_payments": ("attempt_id",),
    "books_webhooks": ("event_id",),
    "books_movements": ("movement_id",),
    "books_statement_lines": ("line_id",),
}
"""Books of what happens, with the columns that tell their rows apart; the others hold how things are."""
_CURRENT_TIME = re.compile(rb'("currentTime"\s*:\s*")[^"]*(")')


class _OwnTime:
    """A rig in a world with a pace of its own: what the back-end says of the time is replaced by the time of the world.

    The wire keeps what was really said.
    """

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        if type(event) is Received and b"currentTime" in event.frame:
            frame = _CURRENT_TIME.sub(rb"\g<1>" + iso(now).encode() + rb"\g<2>", event.frame)
            event = Received(event.link, frame)
        return self.rig.handle(event, now)

    def next_deadline(self) -> Instant | None:
        return self.rig.next_deadline()


def judge_live(
    scenario: Scenario,
    seed: int,
    target: ForeignTarget,
    *,
    sessions: Path,
    folder: Path | None = None,
    progress: Progress | None = None,
    pace: float = 1.0,
    state: Path | None = None,
) -> tuple[Played, list[CheckResult]]:
    """Let the scenario happen against a back-end and judge it. Takes as long as its visits, divided by the pace.

    `state`: the folder in which meters keep their registers from run to run. Raises BadInput for a scenario or target
    that cannot be played on sockets, before anything is dialled.
    """
    stage = set_stage(scenario, seed, sessions)
    _judge(stage, target)

    async def play() -> Played:
        return await _Live(stage, target, pace, state, progress).play(folder, "whole")

    played = asyncio.run(play())
    return played, run_checks(played.evidence, [name for name in scenario.checks.all_of if name != REPEATED])


def _judge(stage: Stage, target: ForeignTarget) -> None:
    name = stage.scenario.name
    still = stage.plan["move"] is None and stage.upgrade is None
    need(still, name, "move", "nothing can be moved on sockets yet", "a scenario without a move, such as smoke")
    need(not stage.blows, name, "fault", "its faults need virtual time", "a scenario without faults, such as smoke")
    roles = sorted({plan.backend for plan in stage.stations})
    need(target.single and len(roles) == 1, target.file, "", "is for two back-ends", "one back-end for all stations")
    ocpp = target.roles[""].ocpp
    if ocpp is None:
        raise BadInput(target.file, "ocpp", "is missing", "a table [ocpp] with the url of the OCPP port")
    fits = "{station}" not in ocpp.url or ocpp.url.endswith("/{station}")
    need(fits, target.file, "ocpp.url", "does not end with the identity", "ws://HOST:PORT/PATH/{station}")


class _Live:
    """One run on the running loop."""

    def __init__(
        self, stage: Stage, target: ForeignTarget, pace: float, state: Path | None, progress: Progress | None
    ) -> None:
        self._target = target
        self._pace = pace
        self._state = state
        self._progress = progress
        self._role = stage.stations[0].backend
        self._salt = run_salt()
        self._clock = Clock(pace=pace)
        self._stage = stage
        self._truth = TruthRecorder()
        self._keeper = Keeper(Limits())
        self._rigs: dict[str, Rig] = {}
        self._drivers: list[EvDriver] = []

    async def play(self, folder: Path | None, policy: Policy) -> Played:
        people = {visit.mobile: visit.token for visit in self._stage.visits}
        path = folder / "wire.jsonl.zst" if folder is not None else None
        wire = WireRecorder(path, salt=self._salt, policy=policy)
        try:
            async with ExternalBackEnd(self._role, self._target, people) as back_end:
                await back_end.provision(_provisioned(self._stage))
                before = back_end.books()
                self._clock = Clock(pace=self._pace)
                self._stage = _moved(self._stage, Instant(self._clock.now() + LEAD))
                world, lines = self._world(back_end, wire)
                end = Instant(max(visit.leave for visit in self._stage.visits) + LINGER)
                self._beat(world, lines, end)
                await world.run(end)
                await self._leave()
                for notes in self._last_notes():
                    self._truth.note(notes.kind, notes.fields)
                await asyncio.sleep(back_end.foreign.clock.settle_s)
                books = self._own(before, back_end.books())
                evidence = self._evidence(wire, books, back_end, folder)
        finally:
            wire.close()
        if self._state is not None:
            write_state(self._state, self._rigs, self._clock.now())
        frames = lines.counts["frames_up"] + lines.counts["frames_down"]
        lag = f"{world.lag.worst_ms:.0f} ms"
        facts = {
            "salt": self._salt,
            "pace": str(self._pace),
            "worst lag": lag,
            "dials": str(lines.counts["dials"]),
        }
        return Played(stage=self._stage, evidence=evidence, frames=frames, facts=facts)

    def _world(self, back_end: ExternalBackEnd, wire: WireRecorder) -> tuple[AioWorld, Lines]:
        passwords = {} if back_end.password is None else self._passwords(back_end.password)
        lines = Lines(self._clock.now, wire, self._keeper, passwords, backend=self._role)
        world = AioWorld(self._clock, self._truth, lines)
        world.add_operator(self._role, back_end)
        world.add("app", App({plan.station: self._role for plan in self._stage.stations}))
        meters = read_state(self._state)
        now = self._clock.now()
        for number, plan in enumerate(self._stage.stations):
            config = replace(
                plan.config,
                url=back_end.url("").rstrip("/"),
                salt=f"{self._salt}/{self._stage.seed}",
                meters=meters.get(plan.station, {}),
            )
            rig = self._rigs[plan.station] = Rig(config, Instant(now + number * 100))
            world.add(f"rig:{plan.station}", rig if self._pace == 1 else _OwnTime(rig))
        for visit in self._stage.visits:
            driver = EvDriver(visit, self._stage.seed)
            self._drivers.append(driver)
            world.add(visit.machine, driver)
        return world, lines

    def _beat(self, world: AioWorld, lines: Lines, end: Instant) -> None:
        """Tell how far it is, once a second."""
        if self._progress is not None:
            frames = lines.counts["frames_up"] + lines.counts["frames_down"]
            self._progress(self._stage.start, world.now, end, frames)
            world.at(world.now + int(SECOND * self._pace), self._beat, world, lines, end)

    def _passwords(self, password: str) -> dict[str, bytes]:
        return {plan.station: password.encode() for plan in self._stage.stations}

    async def _leave(self) -> None:
        """All stations hang up; who does not answer is cut off."""
        self._keeper.close_all(1000, "the run is over")
        until = asyncio.get_running_loop().time() + 3
        while len(self._keeper) and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.02)
        self._keeper.cut_all("the run is over")

    def _last_notes(self) -> list[Note]:
        now = self._clock.now()
        notes = [note for rig in self._rigs.values() for note in rig.final_notes(now)]
        return [*notes, *(note for driver in self._drivers for note in driver.final_notes(now))]

    def _own(self, before: Books, after: Books) -> Books:
        """The books of this run: rows that were there before are of another."""
        books: Books = dict(after)
        old = False
        for name, keys in _KEYS.items():
            first, last = before.get(name), after.get(name)
            if first is None or last is None or isinstance(first, Unverifiable) or isinstance(last, Unverifiable):
                continue
            known = {_key(row, keys) for row in first}
            books[name] = [row for row in last if _key(row, keys) not in known]
            old |= name == "books_journal" and bool(known)
        if old:
            books |= {column: Unverifiable(_ALONE) for column in _CHAIN}
        if self._pace != 1:
            books |= {column: Unverifiable(_HURRIED) for column in _TIMED}
        return books

    def _evidence(self, wire: WireRecorder, books: Books, back_end: ExternalBackEnd, folder: Path | None) -> Evidence:
        statements = back_end.statements()
        quotes: dict[str, Any] = {name: Unverifiable(NO_QUOTES) for name in QUOTES}
        if back_end.foreign.quote is not None:  # one back-end alone: no record of another's to be rated again
            quotes = {"quotes_grid": price_grid(self._stage, [back_end]), "quotes_rerated": []}
        shown = {
            name: rows for name, rows in statements.items() if name in PARTNERS and not isinstance(rows, Unverifiable)
        }
        evidence = write_evidence(
            folder / "evidence.sqlite" if folder is not None else None,
            truth=self._truth,
            wire=wire,
            books={self._role: books},
            partners=shown or None,
            quotes=quotes,
            plan=self._stage.plan,
            ended_at=self._clock.now(),
            hash_seed=os.environ.get("PYTHONHASHSEED", "random"),
        )
        for name, rows in statements.items():
            if isinstance(rows, Unverifiable):
                evidence.add_missing(name, rows.reason)
        evidence.add_missing("repeats", NO_REPEAT)
        for _, _, reason in without_levers(self._target, self._stage.scenario):
            evidence.add_missing(LEVERS, reason)
        if self._pace != 1:
            evidence.add_missing(BACKEND_CLOCK, _HURRIED)
        return evidence


def _key(row: Row, names: Sequence[str]) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in names)


def _provisioned(stage: Stage) -> dict[str, list[Row]]:
    """What the back-end is told; test stations that only tap after the day do not come here."""
    probes = {str(row["station"]) for row in stage.plan["probes"]}
    stations = [row for row in stage.provision["stations"] if row["station"] not in probes]
    return {**stage.provision, "stations": stations}


def _moved(stage: Stage, first: Instant) -> Stage:
    """The stage with its visits moved so that the first one comes at this instant."""
    need(bool(stage.visits), stage.scenario.name, "sessions", "nobody comes", "a day with sessions")
    by = first - min(visit.arrive for visit in stage.visits)

    def later(visit: Visit) -> Visit:
        return replace(visit, arrive=Instant(visit.arrive + by), leave=Instant(visit.leave + by))

    visits = tuple(map(later, stage.visits))
    window = {"start": first - LEAD, "end": max(visit.leave for visit in visits)}
    plan = {**stage.plan, "window": window, "probes": []}
    return replace(stage, start=Instant(first - LEAD), visits=visits, plan=plan)
