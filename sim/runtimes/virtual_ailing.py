"""What a back-end of a virtual world can suffer from while its sockets stay up, at its port and never inside it.

It stalls, its store is slow or full, it answers with errors, what it sends out is lost, or messages reach it twice. Works
for any back-end behind the port; nothing here knows what a message means.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from msgspec import Struct

from sim.backend import Release
from sim.clock import SECOND
from sim.machine import Effect, Event, Received, Send, Settled, Tell, Unknown
from sim.runtimes.virtual_crash import Crash
from sim.wire import ocppj

if TYPE_CHECKING:
    from sim.runtimes.virtual import VirtualWorld
    from sim.runtimes.virtual_process import Process

LOST_AFTER = 30 * SECOND
"""After so long a back-end hears that what it told somebody was lost, ms."""
RESTART_AFTER = 10 * SECOND
"""So long a back-end that found its disk full is away, ms."""
_REPLY = re.compile(rb'^\[[34],"([^"]*)"')
_CALL = re.compile(rb'^\[2,"([^"]*)","([^"]*)"')

Happened = Callable[[], None]
"""Called once, when the ailment is first felt."""


class Ailment(Struct):
    """One ailment until an instant. `action`: only messages that hold it, empty for all; `share` of them, drawn."""

    kind: str
    until: int
    happened: Happened
    chance: Random
    action: bytes = b""
    share: float = 1.0
    amount: int = 0
    code: str = ""
    felt: bool = False

    def feel(self) -> None:
        """It was felt: the first time is told."""
        if not self.felt:
            self.felt = True
            self.happened()

    def meets(self, frame: bytes) -> bool:
        """Whether this CALL of a station is one that it hits."""
        if frame[:2] != b"[2" or (self.action and self.action not in frame):
            return False
        return self.share >= 1 or self.chance.random() < self.share


class Ailing:
    """All that one back-end suffers from. What is over is forgotten."""

    def __init__(self, world: VirtualWorld, process: Process) -> None:
        self._world = world
        self._process = process
        self._ailments: list[Ailment] = []
        self._held: deque[Callable[[], None]] = deque()
        self._twice: dict[tuple[int, str], int] = {}

    def add(self, ailment: Ailment) -> None:
        """From now on until its end."""
        self._ailments.append(ailment)
        if ailment.kind == "stall":
            self._world.at(ailment.until, self._drain)

    def _now(self, kind: str) -> Ailment | None:
        now = self._world.now
        self._ailments = [one for one in self._ailments if one.until > now]
        return next((one for one in self._ailments if one.kind == kind), None)

    # -- stalled ------------------------------------------------------------------------------------------------------

    def holds(self, then: Callable[[], None]) -> bool:
        """Whether the process does nothing now; then that is done, in order, once it goes on."""
        stall = self._now("stall")
        if stall is None and not self._held:
            return False
        if stall is not None:
            stall.feel()
        self._held.append(then)
        return True

    def stalled_until(self) -> int:
        """Until when nobody is served, 0 if somebody is."""
        stall = self._now("stall")
        if stall is not None:
            stall.feel()
        return 0 if stall is None else stall.until

    def _drain(self) -> None:
        if self._now("stall") is None:
            held, self._held = self._held, deque()
            for then in held:
                then()

    # -- frames -------------------------------------------------------------------------------------------------------

    def refuses(self, event: Event) -> bool:
        """Whether this message is answered with an error instead of being handled."""
        if type(event) is not Received:
            return False
        errors = self._now("errors")
        found = _CALL.match(event.frame) if errors is not None else None
        if errors is None or found is None or not errors.meets(event.frame):
            return False
        errors.feel()
        code = errors.code or "InternalError"
        reply = ocppj.encode_error(found[1].decode(), code, "out of order")
        self._process.release(Send(event.link, reply))
        return True

    def repeats(self, event: Event) -> int:
        """How often this message is delivered beside the first time."""
        if type(event) is not Received:
            return 0
        twice = self._now("duplicates")
        found = _CALL.match(event.frame) if twice is not None else None
        if twice is None or found is None or not twice.meets(event.frame):
            return 0
        twice.feel()
        self._twice[event.link, found[1].decode()] = 0
        return twice.amount or 1

    def lets(self, effect: Effect) -> bool:
        """Whether this effect of the back-end leaves it: a second reply to one call does not, lost tells neither."""
        if type(effect) is Send:
            found = _REPLY.match(effect.frame) if self._twice else None
            key = (effect.link, found[1].decode()) if found is not None else None
            if key is None or key not in self._twice:
                return True
            self._twice[key] += 1
            return self._twice[key] == 1
        if type(effect) is Tell and effect.call_id is not None:
            lost = self._now("lost-tells")
            if lost is not None:
                lost.feel()
                at = self._world.now + LOST_AFTER
                self._world.at(at, self._unheard, effect.call_id)
                return False
        return True

    def _unheard(self, call_id: str) -> None:
        self._world.backends.settled(self._process.setup.name, Settled(call_id, Unknown("lost")))

    # -- the store ----------------------------------------------------------------------------------------------------

    def commit_takes(self) -> int:
        """How long a commit that begins now takes, ms."""
        slow = self._now("slow-store")
        if slow is None:
            return 0
        slow.feel()
        return slow.amount

    def full(self) -> Crash | None:
        """How the back-end dies at this commit, if there is no room left on its disk."""
        full = self._now("full-disk")
        if full is None:
            return None
        return Crash(self._world.now, "before-commit", "", RESTART_AFTER, lambda died, back: full.feel())


def ailing_of(world: VirtualWorld, process: Process) -> Ailing:
    """The ailments of a process, which from now on looks at what it lets go."""
    if process.ailing is None:
        ailing = process.ailing = Ailing(world, process)
        process.release = _through(ailing, process.release)
    return process.ailing


def _through(ailing: Ailing, release: Release) -> Release:
    def let_go(effect: Effect) -> None:
        if ailing.lets(effect):
            release(effect)

    return let_go
