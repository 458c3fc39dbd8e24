"""What the migration tool is told to do: which stations move, when, from where to where. Plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from sim.clock import Instant

CARRYING = ("vendor_cloud", "technician")
"""Routes that need no OCPP link to the station."""
UNDRAINED = ("vendor_cloud",)
"""Routes that take a running transaction along, so that nobody has to be kept away from the station beforehand."""


class StationOrder(Struct, frozen=True):
    """One station to move: its route, and what new must know of it.

    `route` is one of `fleet.profile.MigrationProfile`. `applies` says whether the address acts at once or at the next
    `reboot`. `new_url` is another address than that of the order: a slip of whoever wrote it down.
    """

    station: str
    route: str
    url_key: str
    begin: Instant
    station_row: Mapping[str, Any]
    meter_rows: tuple[Mapping[str, Any], ...]
    configuration: Mapping[str, str]
    local_list: tuple[Mapping[str, Any], ...]
    applies: str = "reboot"
    new_url: str = ""


class MoveOrder(Struct, frozen=True):
    """The move of one site in one wave. Times in ms.

    `deadline` is the end of the wave's working day: what is not verified by then is rolled back; None for no such rule.
    `probation` is how long a station must stay at the new back-end before it is closed at the old one. `technician`:
    whether somebody may be sent to a station that cannot be reached.
    """

    site: str
    old: str
    new: str
    new_url: str
    stations: tuple[StationOrder, ...]
    drain_timeout: int
    stuck_after: int
    old_url: str = ""
    deadline: Instant | None = None
    probation: int = 0
    technician: bool = False
