"""What a fault plan is made of: what it knows of stations, and the blows that will fall. Only data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from scenarios.faults.timing import Event
from sim.clock import Instant


class Place(Struct, frozen=True):
    """What the fault plan knows of a station. `idle_billable`: its clock may serve for idle fees, after `idle_grace` ms."""

    station: str
    site: str
    zone: str
    backend: str
    idle_billable: bool
    idle_grace: int = 0
    turn: Instant | None = None
    carries: bool = False
    route: str = ""
    profile: str = ""
    version: str = "1.6"


class Blow(Struct, frozen=True):
    """One fault that will happen: to whom, from when to when.

    With an `event` it waits for that, and `until` is as much later as it lasts; with `sender` it hits whose message it was.
    """

    fault_id: str
    kind: str
    target: str
    at: Instant
    until: Instant
    data: dict[str, Any] = {}
    event: Event | None = None
    sender: bool = False


Happened = Callable[[], None]
"""Writes down that a blow fell, at this instant."""
Deed = Callable[[Blow, Happened], None]
"""Does a blow, and says so once it met something."""
