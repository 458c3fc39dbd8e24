"""The migration tool as a Machine: walks every station of a site through the states, and writes each transition down.

It never decides whether a move went well: it records, and the checks judge.
"""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.migration.states import LEGAL
from scenarios.migration.steps import Ask, Inform, MoveOrder, StationMove, StationOrder, Step, Wait
from sim.clock import Instant
from sim.machine import Effect, Event, Note, Settled, Tell

__all__ = ["MigrationTool", "MoveOrder", "StationOrder"]


class _Walk:
    """One station on its way: the state reached, the running step, and what it waits for."""

    def __init__(self, order: StationOrder, move: StationMove) -> None:
        self.order = order
        self.move = move
        self.state = ""
        self.story: Step | None = None
        self.wake: Instant | None = order.begin
        self.calls = 0


class MigrationTool:
    """Machine `migration`: no commands; begins by itself at each station's time."""

    def __init__(self, order: MoveOrder) -> None:
        self._order = order
        self._now = Instant(0)
        self._calls: dict[str, _Walk] = {}
        self._walks = {
            station.station: _Walk(station, StationMove(order, station, lambda: self._now))
            for station in order.stations
        }

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """Go on with whatever the event concerns."""
        self._now = now
        effects: list[Effect] = []
        if isinstance(event, Settled):
            walk = self._calls.pop(event.call_id)
            self._advance(walk, event.outcome, effects)
        for walk in self._walks.values():
            while walk.wake is not None and walk.wake <= now:
                walk.wake = None
                self._advance(walk, None, effects)
        return effects

    def next_deadline(self) -> Instant | None:
        """The earliest wish of any station."""
        return min((walk.wake for walk in self._walks.values() if walk.wake is not None), default=None)

    def _advance(self, walk: _Walk, value: object, effects: list[Effect]) -> None:
        if not walk.state:
            self._enter(walk, "PLANNED", f"{self._order.old} to {self._order.new} by {walk.order.route}", effects)
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
                call_id = f"move/{walk.order.station}/{walk.calls}"
                self._calls[call_id] = walk
                effects.append(Tell(wish.to, wish.command, call_id))
            elif isinstance(wish, Wait):
                walk.wake = Instant(self._now + wish.ms)
            return

    def _enter(self, walk: _Walk, state: str, detail: str, effects: list[Effect]) -> None:
        if state not in LEGAL[walk.state]:
            raise ValueError(f"{walk.order.station}: {state} may not follow {walk.state or 'nothing'}")
        walk.state = state
        over = not LEGAL[state] or (state == "STUCK" and not walk.move.may_come_back)
        walk.story = None if over else walk.move.step(state)
        row = {
            "at": self._now,
            "station": walk.order.station,
            "site": self._order.site,
            "state": state,
            "detail": detail,
        }
        effects.append(Note("migration", row))
