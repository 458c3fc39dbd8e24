"""One websocket connection in virtual time: an ordered path per direction, each side alive or gone on its own.

It decides when a frame arrives and whether it still can; it never schedules anything itself and never looks inside a frame.
"""

from __future__ import annotations

from typing import Any

from sim.machine import LinkId
from sim.network.uplink import Uplink


class Link:
    """A connection between a station and a back-end.

    `host` and `peer` are whatever the runtime needs to find the station and the back-end's side of it again.

    Either side may be gone while the other has not noticed yet (half-open). A frame that arrives at a side that is gone
    is lost, as in TCP after a reset.
    """

    __slots__ = (
        "backend",
        "backend_alive",
        "down_free_at",
        "host",
        "id",
        "peer",
        "station",
        "station_alive",
        "subprotocol",
        "up_free_at",
        "uplink",
    )

    def __init__(self, link_id: LinkId, host: Any, station: str, backend: str, uplink: Uplink) -> None:
        self.id = link_id
        self.host = host
        self.peer: Any = None
        self.station = station
        self.backend = backend
        self.uplink = uplink
        self.station_alive = True
        self.backend_alive = False
        self.subprotocol: str | None = None
        """What the back-end chose when it accepted, None before and where there is nothing in common."""
        self.up_free_at = 0
        self.down_free_at = 0

    def arrival_up(self, now: int) -> int:
        """When a frame sent now by the station arrives; never before an earlier one."""
        uplink = self.uplink
        at = (now if now > uplink.stalled_until else uplink.stalled_until) + uplink.latency()
        if at < self.up_free_at:
            at = self.up_free_at
        self.up_free_at = at
        return at

    def arrival_down(self, now: int) -> int:
        """When a frame sent now by the back-end arrives; never before an earlier one."""
        uplink = self.uplink
        at = (now if now > uplink.stalled_until else uplink.stalled_until) + uplink.latency()
        if at < self.down_free_at:
            at = self.down_free_at
        self.down_free_at = at
        return at
