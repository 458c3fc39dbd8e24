"""The migration tool as a Machine: walks every station of its waves through the states, and writes each transition down.

It never decides whether a move went well: it records, and the checks judge. What it must not forget stands on its `disk`,
written before anything is asked; a tool that died is made anew with the same disk and goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scenarios.migration.asking import Ask, Inform, Step, Wait
from scenarios.migration.orders import MoveOrder, StationOrder
from scenarios.migration.parts import MoveParts
from scenarios.migration.states import LEGAL, outcome
from scenarios.migration.steps import StationMove
from sim.clock import Instant
from sim.machine import Command, Effect, Event, Note, Settled, Tell

__all__ = ["MigrationTool", "MoveOrder", "MoveParts", "StationOrder"]

Disk = dict[str, Any]
"""Plain data: `epoch`, how many tools there were; `stations`, for each one its states in order and its memory."""


class _Walk:
    """One station on its way: the state reached, the running step, and what it waits for."""

    def __init__(self, order: MoveOrder, station: StationOrder, record: dict[str, Any]) -> None:
        self.site = order.site
        self.label = f"{order.old} to {order.new} by {station.route}"
        self.station = station.station
        self.record = record
        self.move: StationMove
        self.story: Step | None = None
        self.wake: Instant | None = station.begin
        self.calls = 0

    @property
    def state(self) -> str:
        """The state last written down."""
        return str(self.record["walk"][-1]) if self.record["walk"] else ""


class MigrationTool:
    """Machine that begins by itself at each station's time. Command `roll-back{station}`: the operator's order."""

    def __init__(
        self, orders: MoveOrder | Sequence[MoveOrder], parts: MoveParts | None = None, disk: Disk | None = None
    ) -> None:
        self._now = Instant(0)
        self._calls: dict[str, _Walk] = {}
        self._disk: Disk = {} if disk is None else disk
        self._epoch = self._disk["epoch"] = self._disk.get("epoch", 0) + 1
        self._walks: dict[str, _Walk] = {}
        parts = parts or MoveParts()
        for order in [orders] if isinstance(orders, MoveOrder) else orders:
            for station in order.stations:
                self._walks[station.station] = self._walk(order, station, parts)

    def _walk(self, order: MoveOrder, station: StationOrder, parts: MoveParts) -> _Walk:
        stations = self._disk.setdefault("stations", {})
        record = stations.setdefault(station.station, {"walk": [], "memory": {}})
        walk = _Walk(order, station, record)
        memory = dict(record["memory"])

        def written() -> None:
            record["memory"] = dict(memory)

        walk.move = StationMove(order, station, lambda: self._now, parts, memory, written)
        if walk.state:
            walk.wake = Instant(0) if self._goes_on(walk) else None
        return walk

    def _goes_on(self, walk: _Walk) -> bool:
        state = walk.state
        return bool(LEGAL[state]) and (state != "STUCK" or walk.move.may_come_back)

    # -- the contract -------------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """Go on with whatever the event concerns. Answers to calls of a tool that died belong to nobody."""
        self._now = now
        effects: list[Effect] = []
        if isinstance(event, Settled):
            walk = self._calls.pop(event.call_id, None)
            if walk is not None:
                self._advance(walk, event.outcome, effects)
        elif isinstance(event, Command) and event.name == "roll-back":
            walk = self._walks.get(str(event.args["station"]))
            if walk is not None:
                walk.move.remember(ordered=True)
        for walk in self._walks.values():
            while walk.wake is not None and walk.wake <= now:
                walk.wake = None
                self._advance(walk, None, effects)
        return effects

    def next_deadline(self) -> Instant | None:
        """The earliest wish of any station."""
        wish = min((walk.wake for walk in self._walks.values() if walk.wake is not None), default=None)
        return None if wish is None else max(wish, self._now)

    def states(self) -> list[str]:
        """The state that each station has reached, empty for one whose turn has not come."""
        return [walk.state for walk in self._walks.values()]

    def final_notes(self, now: Instant) -> list[Note]:
        """At harvest: what became of each station's move."""
        return [
            Note("outcomes", {"station": walk.station, "site": walk.site, **outcome(walk.record["walk"])})
            for walk in self._walks.values()
        ]

    # -- walking ------------------------------------------------------------------------------------------------------

    def _advance(self, walk: _Walk, value: object, effects: list[Effect]) -> None:
        if not walk.state:
            self._enter(walk, "PLANNED", walk.label, effects)
        elif walk.story is None:  # a tool before this one had come so far
            walk.story = walk.move.step(walk.state)
        while walk.story is not None:
            try:
                wish = walk.story.send(value)
            except StopIteration as done:
                state, detail = done.value
                self._enter(walk, state, detail, effects)
                value = None
                continue
            if isinstance(wish, Inform):
                effects.append(Tell(wish.to, wish.command))
                value = None
                continue
            if isinstance(wish, Ask):
                walk.calls += 1
                call_id = f"move/{self._epoch}/{walk.station}/{walk.calls}"
                self._calls[call_id] = walk
                effects.append(Tell(wish.to, wish.command, call_id))
            elif isinstance(wish, Wait):
                walk.wake = Instant(self._now + wish.ms)
            return

    def _enter(self, walk: _Walk, state: str, detail: str, effects: list[Effect]) -> None:
        if state not in LEGAL[walk.state]:
            raise ValueError(f"{walk.station}: {state} may not follow {walk.state or 'nothing'}")
        walk.record["walk"].append(state)
        walk.story = walk.move.step(state) if self._goes_on(walk) else None
        row = {"at": self._now, "station": walk.station, "site": walk.site, "state": state, "detail": detail}
        effects.append(Note("migration", row))
