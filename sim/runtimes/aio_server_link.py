"""The back-end's side of one real connection: hands what comes to its host and counts it. It decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sim.clock import Instant
from sim.machine import LinkId, Machine
from sim.office import ConnectionView
from sim.runtimes.aio_counts import CallCounts
from sim.runtimes.channel import Channel
from sim.runtimes.websocket import OVERSIZE
from sim.runtimes.websocket_server import Handshake

if TYPE_CHECKING:
    from sim.runtimes.aio_backend import BackEndHost


class ServerLink:
    """The back-end's side of one connection."""

    __slots__ = ("_host", "armed", "counts", "frames_down", "frames_up", "id", "last", "machine", "opened_at", "peer",
                 "socket", "station", "subprotocol")  # fmt: skip

    def __init__(
        self, host: BackEndHost, id: LinkId, shake: Handshake, machine: Machine, subprotocol: str | None
    ) -> None:
        self._host = host
        self.id = id
        self.station = shake.identity
        self.peer = shake.peer
        self.machine = machine
        self.subprotocol = subprotocol
        self.socket: Channel | None = None
        self.armed: int | None = None
        self.opened_at = Instant(0)
        self.last: Instant | None = None
        self.frames_up = self.frames_down = 0
        self.counts = CallCounts(host.counters.calls)

    def opened(self, socket: Channel) -> None:
        """The handshake succeeded."""
        self.socket = socket
        self.peer = self.peer or socket.address
        self._host.link_opened(self)

    def text(self, frame: bytes) -> None:
        """A frame of the station."""
        self._host.received(self, frame)

    def closed(self, code: int, reason: str) -> None:
        """The connection is over."""
        if reason == OVERSIZE:
            self._host.counters.closed_oversize += 1
        self._host.link_closed(self, reason)

    def view(self) -> ConnectionView:
        """As operators see it."""
        socket = self.socket
        return ConnectionView(
            link=self.id,
            station=self.station,
            subprotocol=self.subprotocol,
            peer=self.peer,
            opened_at=self.opened_at,
            last_frame_at=self.last,
            frames_up=self.frames_up,
            frames_down=self.frames_down,
            bytes_up=socket.bytes_up if socket is not None else 0,
            bytes_down=socket.bytes_down if socket is not None else 0,
        )
