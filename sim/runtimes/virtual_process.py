"""What the virtual runtime keeps of a back-end: the process while it lives, its connections, and how it is to die.

It holds state and decides nothing; what happens to a back-end and when is the business of `virtual_backends`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sim.backend import BackEnd, Factory, Release, Setup
from sim.clock import Instant
from sim.machine import Effect, LinkId, Machine, Received
from sim.runtimes.virtual_crash import Crash

Late = tuple[Callable[[Any], None], Any]
"""A call that is to be made last at an instant."""


Hear = Callable[[LinkId, bytes, Instant], Sequence[Effect]]
"""Takes a frame of a link."""


def hearing(machine: Machine) -> Hear:
    """The door of a Machine for frames: its `hear`, or its `handle`."""
    handle = machine.handle
    hear: Hear = getattr(machine, "hear", lambda link, frame, now: handle(Received(link, frame), now))
    return hear


class Connection:
    """The back-end's Machine of one link, with its armed wake-up."""

    __slots__ = ("armed", "handle", "hear", "next_deadline", "ticks")

    def __init__(self, machine: Machine) -> None:
        self.handle = machine.handle
        self.hear = hearing(machine)
        self.next_deadline = machine.next_deadline
        self.ticks: bool = not getattr(machine, "tickless", False)
        self.armed: int | None = None


class Process:
    """A back-end process: the object while it lives, its connections, and how it is to die next."""

    __slots__ = (
        "armed",
        "connections",
        "crashes",
        "doomed",
        "factory",
        "flush",
        "flush_armed",
        "object",
        "release",
        "setup",
    )

    def __init__(self, factory: Factory, setup: Setup) -> None:
        self.factory = factory
        self.setup = setup
        self.release: Release
        """Takes what it lets go."""
        self.flush: Late
        """What is to be done last at an instant at which it had something to do."""
        self.object: BackEnd | None = None
        self.connections: dict[LinkId, Connection] = {}
        self.flush_armed = False
        self.armed: int | None = None
        self.crashes: list[Crash] = []
        self.doomed: Crash | None = None
