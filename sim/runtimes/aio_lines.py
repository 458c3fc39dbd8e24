"""The stations' side of real connections: dials, frames both ways, and the faults of a station's network.

Faults are honest to TCP: a stalled line holds everything back and loses nothing, a reset ends the connection. Every
frame is reported to the wire plane as this side saw it: sent when it was handed to the socket, or received.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from sim.backend import Row
from sim.clock import Instant
from sim.machine import Closed, Event, LinkId, Open, Opened, Received, Send
from sim.runtimes.aio_ledger import CallLedger, LinkLedger
from sim.runtimes.channel import Channel, Keeper, Peer
from sim.runtimes.sinks import WireSink
from sim.runtimes.websocket import ABNORMAL, NORMAL_CLOSURE
from sim.runtimes.websocket_client import Dial, dial

Tell = Callable[[Event], None]


class Line:
    """The network of one station. Delays and stalls in ms of real time."""

    def __init__(self) -> None:
        self.delay_ms = 0
        self.refuses = False
        self.stalled = False
        self.links: dict[LinkId, _Link] = {}

    def stall(self, on: bool) -> None:
        """Nothing comes through in either direction, or everything that has waited does."""
        self.stalled = on
        for link in list(self.links.values()):
            link.stall(on)

    def reset(self) -> None:
        """Cut the living connections."""
        for link in list(self.links.values()):
            link.cut("reset")


class Lines:
    """All connections that the Machines of a world have dialled."""

    def __init__(
        self,
        now: Callable[[], Instant],
        wire: WireSink,
        keeper: Keeper,
        passwords: Mapping[str, bytes] | None = None,
        tls: Callable[[str], Any] | None = None,
        backend: str = "target",
        dialler: Callable[[Dial, Peer], None] | None = None,
    ) -> None:
        self.now = now
        self.wire = wire
        self.keeper = keeper
        self.backend = backend
        self._passwords = {} if passwords is None else passwords
        self._tls = tls
        self._lines: dict[str, Line] = {}
        self._links: dict[LinkId, _Link] = {}
        self._next = 1
        self._dial = dialler or self._dial_on_loop
        self._dials: set[asyncio.Task[None]] = set()
        self.ledger = CallLedger()
        self.counts: Row = {"dials": 0, "opened": 0, "frames_up": 0, "frames_down": 0, "unsent": 0}
        """What this side has done: frames_up are those handed to a socket, unsent those that had none any more."""
        self.failures: dict[str, int] = {}
        """Why dials came to nothing: `refused`, `timeout`, an HTTP status, `tls: ...`; how many of each."""

    def line(self, station: str) -> Line:
        """The network of a station."""
        found = self._lines.get(station)
        if found is None:
            found = self._lines[station] = Line()
        return found

    def open(self, host: str, effect: Open, tell: Tell) -> None:
        """A station dials; it hears Opened or Closed."""
        station = host.partition(":")[2] or host
        line = self.line(station)
        link = _Link(LinkId(self._next), station, line, self, tell)
        self._next += 1
        self.counts["dials"] += 1
        if line.refuses:
            self.keeper.later(0, link.closed, ABNORMAL, "refused")
            return
        password = self._passwords.get(station)
        wish = Dial(
            url=effect.url,
            subprotocols=tuple(effect.subprotocols),
            login=None if password is None else (station, password),
            tls=self._tls(station) if self._tls is not None else None,
        )
        self._dial(wish, link)

    def _dial_on_loop(self, wish: Dial, peer: Peer) -> None:
        task = asyncio.ensure_future(dial(wish, peer, self.keeper))
        self._dials.add(task)
        task.add_done_callback(self._dials.discard)

    def send(self, effect: Send) -> None:
        """A frame from a station. One for a link that is gone meanwhile goes nowhere, as on a closed socket."""
        link = self._links.get(effect.link)
        if link is None:
            self.counts["unsent"] += 1
        else:
            link.send(effect.frame)

    def close(self, link_id: LinkId, reason: str) -> None:
        """A station hangs up, or loses power (`power`): then nobody says goodbye."""
        link = self._links.get(link_id)
        if link is not None:
            link.hang_up(reason)

    def alive(self) -> int:
        """How many connections are up."""
        return len(self._links)

    def up(self, link: _Link, subprotocol: str | None) -> None:
        """A connection is up, with the subprotocol that the back-end chose."""
        self._links[link.id] = link
        link.line.links[link.id] = link
        self.counts["opened"] += 1
        self.wire.link_opened(self.now(), link.station, self.backend, link.id, subprotocol)

    def down(self, link: _Link, reason: str) -> None:
        """A connection is over."""
        link.forget()
        if self._links.pop(link.id, None) is not None:
            link.line.links.pop(link.id, None)
            self.wire.link_closed(self.now(), link.id, "network", reason)


class _Link:
    """One connection of a station: between its Machine and the socket."""

    __slots__ = ("_calls", "_held", "_lines", "_over", "_socket", "_tell", "id", "line", "station")

    def __init__(self, id: LinkId, station: str, line: Line, lines: Lines, tell: Tell) -> None:
        self.id = id
        self.station = station
        self.line = line
        self._lines = lines
        self._tell = tell
        self._socket: Channel | None = None
        self._over = False
        self._calls = LinkLedger(lines.ledger, station)
        self._held: deque[Callable[[], None]] = deque()

    # -- from the machine ------------------------------------------------------------------------------------------

    def send(self, frame: bytes) -> None:
        """Hand a frame to the socket, or hold it while the line is stalled or slow."""
        if self.line.stalled or self.line.delay_ms or self._held:
            self._hold(lambda: self._send(frame))
        else:
            self._send(frame)

    def _send(self, frame: bytes) -> None:
        socket, lines = self._socket, self._lines
        if socket is None or not socket.alive:
            lines.counts["unsent"] += 1
            return
        now = lines.now()
        self._calls.up(frame)
        socket.send(frame)
        lines.counts["frames_up"] += 1
        lines.wire.frame(now, now, self.station, lines.backend, self.id, "up", frame)

    def hang_up(self, reason: str) -> None:
        """The station ends it; it wants to hear nothing more of it."""
        self._over = True
        socket = self._socket
        if socket is not None:
            socket.cut(reason) if reason == "power" else socket.close(NORMAL_CLOSURE, reason)
        self._lines.down(self, reason)

    def forget(self) -> None:
        """Nothing more will be answered here."""
        self._calls.over()

    def cut(self, reason: str) -> None:
        """The network ends it."""
        if self._socket is not None:
            self._socket.cut(reason)

    def stall(self, on: bool) -> None:
        """Stop reading, or go on and let what was held go."""
        if self._socket is not None:
            self._socket.pause(on)
        if not on:
            self._release()

    def _hold(self, act: Callable[[], None]) -> None:
        self._held.append(act)
        if not self.line.stalled:
            self._lines.keeper.later(self.line.delay_ms / 1000, self._release_one)

    def _release_one(self) -> None:
        if self._held and not self.line.stalled:
            self._held.popleft()()

    def _release(self) -> None:
        while self._held and not self.line.stalled:
            self._held.popleft()()

    # -- from the socket -------------------------------------------------------------------------------------------

    def opened(self, socket: Channel) -> None:
        """The handshake succeeded."""
        self._socket = socket
        if self._over:
            socket.cut("not wanted any more")
            return
        self._lines.up(self, socket.subprotocol)
        if self.line.stalled:
            socket.pause(True)
        self._tell(Opened(self.id, socket.subprotocol))

    def text(self, frame: bytes) -> None:
        """A frame from the back-end."""
        if self._over:
            return
        if self.line.delay_ms or self._held:
            self._hold(lambda: self._received(frame))
        else:
            self._received(frame)

    def _received(self, frame: bytes) -> None:
        if self._over:
            return
        lines = self._lines
        now = lines.now()
        lines.counts["frames_down"] += 1
        self._calls.down(frame)
        lines.wire.frame(now, now, self.station, lines.backend, self.id, "down", frame)
        self._tell(Received(self.id, frame))

    def closed(self, code: int, reason: str) -> None:
        """It is over, or the dial failed."""
        if self._socket is None:
            self._lines.failures[reason] = self._lines.failures.get(reason, 0) + 1
        self._lines.down(self, reason)
        if not self._over:
            self._over = True
            self._tell(Closed(self.id, reason))
