"""Which control unit a station has: the assembly of the OCPP version that its profile names.

The one place that knows all versions; whoever puts a station up needs no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from fleet.station import v16, v201
from fleet.station.config import StationConfig
from fleet.station.desk import Desk
from fleet.station.hardware import Hardware
from fleet.station.outbox import Outbox
from sim.clock import Instant
from sim.machine import Effect, Event, LinkId


class ControlUnit(Protocol):
    """A station between power-up and power-down, as the metal around it sees it."""

    desk: Desk
    outbox: Outbox

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """React to one event; the first one is the command power-up."""
        ...

    def hear(self, link: LinkId, frame: bytes, now: Instant) -> Sequence[Effect]:
        """As `handle`, for a frame."""
        ...

    def wake(self, now: Instant) -> Sequence[Effect]:
        """As `handle`, for a Tick."""
        ...

    def next_deadline(self) -> Instant | None:
        """The earliest wish of any part."""
        ...

    def last_gasp(self, now: Instant) -> Sequence[Effect]:
        """Power is failing: the last thing this object does."""
        ...


_BY_VERSION: dict[str, Callable[[StationConfig, Mapping[str, Any], Hardware], ControlUnit]] = {
    "1.6": v16.Station,
    "2.0.1": v201.Station,
}


def station_of(config: StationConfig, flash: Mapping[str, Any], hardware: Hardware) -> ControlUnit:
    """The control unit of this station, built from what its flash holds."""
    return _BY_VERSION[config.profile.version](config, flash, hardware)
