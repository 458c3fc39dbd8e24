"""What the virtual runtime keeps of a back-end: the process while it lives, its connections, and how it is to die.

It holds state and decides nothing; what happens to a back-end and when is the business of `virtual_backends`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.backend import BackEnd, Factory, Release, Setup
from sim.machine import Event, LinkId, Machine, Received
from sim.runtimes.virtual_ailing import Ailing
from sim.runtimes.virtual_crash import Crash

DUTIES = ("accept", "operate", "flush", "tick", "next_deadline")
"""What an object must be able to do to be a back-end."""
Late = tuple[Callable[[Any], None], Any]
"""A call that is to be made last at an instant."""


class Connection:
    """The back-end's Machine of one link, with its armed wake-up."""

    __slots__ = ("armed", "handle", "next_deadline", "ticks")

    def __init__(self, machine: Machine) -> None:
        self.handle = machine.handle
        self.next_deadline = machine.next_deadline
        self.ticks: bool = not getattr(machine, "tickless", False)
        self.armed: int | None = None


class Process:
    """A back-end process: the object while it lives, its connections, and how it is to die next."""

    __slots__ = (
        "ailing",
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
        "then",
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
        self.ailing: Ailing | None = None
        """What it suffers from, None for a healthy one."""
        self.then: list[Callable[[], None]] = []
        """What is to be called after the next commit."""


def told(event: Event) -> str:
    """An event, for a sentence about who raised over it."""
    if isinstance(event, Received):
        return f"the frame {event.frame[:60].decode('utf-8', 'replace')}"
    return type(event).__name__
