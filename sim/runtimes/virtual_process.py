"""What the virtual runtime keeps of a back-end: the process while it lives, its connections, and how it is to die.

It holds state and decides nothing; what happens to a back-end and when is the business of `virtual_backends`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.backend import BackEnd, Factory, Release, Setup
from sim.machine import LinkId, Machine

MOMENTS = ("before-commit", "before-replies", "after-first-reply")
Late = tuple[Callable[[Any], None], Any]
"""A call that is to be made last at an instant."""


class Crash:
    """How a back-end dies: in the first group after `at` that handles `action` (any group if empty), and for how long.

    moment: `before-commit` (staged work is gone), `before-replies` (committed, no reply got out), `after-first-reply`.
    `happened(died_at, back_at)` is called when it does. A crash that comes due while the back-end is down already waits
    until it is back; one that never meets its moment does not happen.
    """

    __slots__ = ("action", "at", "down_for", "happened", "moment")

    def __init__(self, at: int, moment: str, action: str, down_for: int, happened: Callable[[int, int], None]) -> None:
        if moment not in MOMENTS:
            raise ValueError(f"unknown crash moment {moment!r}")
        self.at = at
        self.moment = moment
        self.action = f'"{action}"'.encode() if action else b""
        self.down_for = down_for
        self.happened = happened


class Connection:
    """The back-end's Machine of one link, with its armed wake-up."""

    __slots__ = ("armed", "handle", "next_deadline")

    def __init__(self, machine: Machine) -> None:
        self.handle = machine.handle
        self.next_deadline = machine.next_deadline
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
