"""How the tool asks and waits: the wishes that a step yields, and the ways of asking that several steps share.

Whoever is asked may be a back-end, the maker's cloud behind a rig, or a technician. An answer that never came is Unknown,
and whatever was asked may have happened.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from msgspec import Struct

from scenarios.migration.orders import MoveOrder, StationOrder
from scenarios.migration.parts import MoveParts
from sim.clock import SECOND, Instant
from sim.machine import Answered, Command, Outcome, Refused, Unknown


class Ask(Struct, frozen=True):
    """Hand a command to somebody and wait for the outcome."""

    to: str
    command: Command


class Inform(Struct, frozen=True):
    """Hand a command to somebody without waiting."""

    to: str
    command: Command


class Wait(Struct, frozen=True):
    """Let this many milliseconds pass."""

    ms: int


Wish = Ask | Inform | Wait
Step = Generator[Wish, Any, tuple[str, str]]
Clock = Callable[[], Instant]
GONE = "Gone"
"""The status of a call whose answer was lost because the station left for good."""


class Asking:
    """One station's move as somebody who asks. `memory` holds what must outlive the tool: plain data, written down at
    once by `remember`.
    """

    def __init__(
        self,
        order: MoveOrder,
        station: StationOrder,
        now: Clock,
        parts: MoveParts,
        memory: dict[str, Any],
        written: Callable[[], None],
    ) -> None:
        self.order = order
        self.station = station
        self.now = now
        self.parts = parts
        self.memory = memory
        self._written = written

    @property
    def new_url(self) -> str:
        """The address that this station is sent to."""
        return self.station.new_url or self.order.new_url

    def remember(self, **what: Any) -> None:
        """Write it down: the tool may die at any time."""
        self.memory.update(what)
        self._written()

    def operate(self, backend: str, kind: str, **args: Any) -> Generator[Wish, Any, Outcome]:
        """Ask once."""
        outcome: Outcome = yield Ask(backend, Command(kind, args))
        return outcome

    def call(self, backend: str, action: str, **payload: Any) -> Generator[Wish, Any, Outcome]:
        """Let a back-end call the station, once."""
        station = self.station.station
        return (yield from self.operate(backend, "call", station=station, action=action, payload=payload))

    def insist(self, backend: str, kind: str, **args: Any) -> Generator[Wish, Any, Any]:
        """Ask until answered; None once the patience for a stuck station is used up."""
        return (yield from self.insist_until(self.now() + self.order.stuck_after, backend, kind, **args))

    def insist_until(self, until: int, backend: str, kind: str, **args: Any) -> Generator[Wish, Any, Any]:
        """The same with the instant at which patience ends."""
        while self.now() < until:
            outcome = yield from self.operate(backend, kind, **args)
            if isinstance(outcome, Answered):
                return outcome.payload
            yield Wait(20 * SECOND)
        return None

    def insist_call(self, backend: str, action: str, **payload: Any) -> Generator[Wish, Any, Any]:
        """Let a back-end call the station until it answers; None as for `insist`."""
        station = self.station.station
        return (yield from self.insist(backend, "call", station=station, action=action, payload=payload))

    def last_call(self, backend: str, action: str, **payload: Any) -> Generator[Wish, Any, Any]:
        """As `insist_call`, for a call after which the station leaves: a lost answer of one that has left was a yes."""
        until = self.now() + self.order.stuck_after
        while self.now() < until:
            outcome = yield from self.call(backend, action, **payload)
            if isinstance(outcome, Answered):
                return outcome.payload
            yield Wait(20 * SECOND)
            if isinstance(outcome, Unknown):
                snapshot = yield from self.snapshot(backend)
                if snapshot and not snapshot.get("connected"):
                    return {"status": GONE}
        return None

    def snapshot(self, backend: str) -> Generator[Wish, Any, dict[str, Any]]:
        """What a back-end shows of the station, empty if it shows nothing."""
        outcome = yield from self.operate(backend, "export", what="station", station=self.station.station)
        return dict(outcome.payload) if isinstance(outcome, Answered) else {}

    def left_overs(self, backend: str) -> Generator[Wish, Any, list[dict[str, Any]] | None]:
        """What a back-end left in the station; empty for one that keeps no such notes, None if it never answered."""
        until = self.now() + self.order.stuck_after
        while self.now() < until:
            outcome = yield from self.operate(backend, "export", what="left-overs", station=self.station.station)
            if isinstance(outcome, Answered):
                return list(outcome.payload["rows"])
            if isinstance(outcome, Refused) and outcome.code != "unavailable":
                return []
            yield Wait(20 * SECOND)
        return None


def is_there(snapshot: Mapping[str, Any], boots: int = 0) -> bool:
    """Whether a station is connected where this snapshot was taken, and has booted there more than `boots` times."""
    return bool(snapshot.get("connected")) and snapshot.get("boots", 0) > boots
