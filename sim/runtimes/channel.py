"""What a connection is to its user whichever stack carries it, its limits, and who looks after all of a process.

No stack is named here, and nothing is sent. Seconds and bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from msgspec import Struct

MAX_FRAME = 1 << 20
"""The largest message that is taken, bytes; a larger one ends the connection with 1009."""
MAX_UNSENT = 4 << 20
"""So many bytes may wait for a peer that does not read; with more it is cut off."""
OPEN_TIMEOUT_S = 30.0


class Channel(Protocol):
    """One connection as its user sees it, whichever stack carries it. Sizes in bytes."""

    bytes_up: int
    bytes_down: int

    @property
    def subprotocol(self) -> str | None:
        """What both sides agreed on."""
        ...

    @property
    def address(self) -> str:
        """Host and port of the other side."""
        ...

    @property
    def alive(self) -> bool:
        """Whether frames can still be sent."""
        ...

    def send(self, frame: bytes) -> None:
        """Send one text message. On a connection that is over it goes nowhere."""
        ...

    def close(self, code: int, reason: str) -> None:
        """Say goodbye; the connection is cut when the other side does not answer in time."""
        ...

    def cut(self, reason: str) -> None:
        """End it without a word, as a network does."""
        ...

    def pause(self, on: bool) -> None:
        """Stop reading, or go on: what the other side sends meanwhile waits in the network."""
        ...

    def check(self, now: float) -> None:
        """Called once a second: pings, and an end for a peer that is silent, slow to open, or does not read."""
        ...


class Peer(Protocol):
    """Whoever uses a socket. `closed` is called exactly once, and never before `opened` unless the dial failed."""

    def opened(self, socket: Channel) -> None:
        """The handshake is over, and it succeeded."""
        ...

    def text(self, frame: bytes) -> None:
        """One text message arrived whole."""
        ...

    def closed(self, code: int, reason: str) -> None:
        """It is over. `reason` is `refused`, `timeout`, an HTTP status, `keep-alive`, or what the other side said."""
        ...


class Limits(Struct, frozen=True, kw_only=True):
    """Limits of a connection. Ping interval and time-out in seconds, 0 for no pings; sizes in bytes."""

    ping_interval_s: float = 30.0
    ping_timeout_s: float = 30.0
    max_frame: int = MAX_FRAME
    max_unsent: int = MAX_UNSENT
    open_timeout_s: float = OPEN_TIMEOUT_S


class Timer(Protocol):
    """Something that will be called."""

    def cancel(self) -> None:
        """It will not."""
        ...


class Timing(Protocol):
    """What sockets and worlds need of a loop, asyncio's or another. Seconds."""

    def time(self) -> float:
        """A clock that never goes back."""
        ...

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> Timer:
        """Call it after so long."""
        ...


class Keeper:
    """Looks after all sockets of one loop (None: the asyncio loop that runs): one timer for all of them."""

    def __init__(self, limits: Limits, timing: Timing | None = None) -> None:
        timing = timing or asyncio.get_running_loop()
        self.limits = limits
        self.time, self.later = timing.time, timing.call_later
        self._sockets: dict[Channel, None] = {}
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._sockets)

    def add(self, socket: Channel) -> None:
        """From now on this socket is looked after."""
        self._sockets[socket] = None
        if self._timer is None:
            self._timer = self.later(1.0, self._look)

    def discard(self, socket: Channel) -> None:
        """This one is over."""
        self._sockets.pop(socket, None)

    def close_all(self, code: int, reason: str) -> None:
        """Say goodbye to everybody."""
        for socket in list(self._sockets):
            socket.close(code, reason) if socket.alive else socket.cut(reason)

    def cut_all(self, reason: str) -> None:
        """End everything without a word."""
        for socket in list(self._sockets):
            socket.cut(reason)

    def _look(self) -> None:
        self._timer = None
        now = self.time()
        for socket in list(self._sockets):
            socket.check(now)
        if self._sockets:
            self._timer = self.later(1.0, self._look)
