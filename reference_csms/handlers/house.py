"""What the handlers of every version need of the house, and what they say alike.

No payload of any version is known here.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from reference_csms.authorization import Access
from reference_csms.installed import Installed
from reference_csms.readings import MAX_DIGITS
from reference_csms.records import ACCEPTED, PENDING
from reference_csms.sessions import Sessions
from reference_csms.stations import Stations, StationState
from reference_csms.trails import Trails
from sim.clock import Instant, iso

Handler = Callable[["Handlers", StationState, Any, str, Instant], bytes]
"""(house, station, request, message id, now) -> the bytes of the answer."""

_STATUS = {ACCEPTED: "Accepted", PENDING: "Pending"}


class Handlers:
    """What the handlers need of the house. Intervals in seconds."""

    def __init__(
        self,
        stations: Stations,
        sessions: Sessions,
        trails: Trails,
        access: Access,
        installed: Installed,
        current_time: Callable[[str, Instant], Instant],
        acknowledge: Callable[[str], bytes],
        status_place: Callable[[int, int], int],
        heartbeat_interval: int,
        retry_interval: int,
        on_boot: Callable[[str, Instant], None],
    ) -> None:
        self.stations = stations
        self.sessions = sessions
        self.trails = trails
        self.access = access
        self.installed = installed
        self.current_time = current_time
        self.acknowledge = acknowledge
        self.status_place = status_place
        self.heartbeat_interval = heartbeat_interval
        self.retry_interval = retry_interval
        self._on_boot = on_boot
        self.beat = (-1, b"")

    def booted(self, state: StationState, data: dict[str, Any], now: Instant) -> tuple[str, str, int]:
        """Note a boot: status, currentTime and interval of the answer."""
        registration = self.stations.boot(state, data, now)
        self._on_boot(state.station, now)
        heartbeat = state.row.heartbeat_s or self.heartbeat_interval
        interval = heartbeat if registration == ACCEPTED else self.retry_interval
        return _STATUS.get(registration, "Rejected"), iso(self.current_time("BootNotification", now)), interval

    def heartbeat(self, now: Instant) -> bytes:
        """The answer to every Heartbeat of this instant."""
        at, reply = self.beat
        if at != now:
            reply = b'{"currentTime":"%b"}' % iso(self.current_time("Heartbeat", now)).encode()
            self.beat = (now, reply)
        return reply


def note_status(state: StationState, connector: int, status: str, error: str, at: Instant) -> None:
    """What a connector said of itself; older news never change the live state (INV-11)."""
    before = state.statuses.get(connector)
    if before is None or before[2] <= at:
        state.statuses[connector] = (status, error, at)


def watt_hours(value: str, unit: str | None) -> int | None:
    """A sampled energy in whole Wh, None if it is no number. Exact: energy is never a binary float."""
    try:
        number = Decimal(value)
        return int(number.scaleb(3) if unit == "kWh" else number) if abs(number.adjusted()) < MAX_DIGITS else None
    except (InvalidOperation, ValueError, OverflowError):
        return None
