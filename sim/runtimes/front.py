"""A process that holds sockets and no back-end: handshakes, frames and pings here, every judgement at the core.

It answers no station by itself. When the core is gone it cuts everybody: what was not acknowledged comes again.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import msgspec

from sim.backend import Refusal
from sim.runtimes.channel import Channel, Keeper
from sim.runtimes.pipe import Kind, Pipe
from sim.runtimes.websocket_server import Admission, Handshake

_pack = msgspec.msgpack.encode


class Verdict(msgspec.Struct, frozen=True):
    """What the core says of a handshake: `refusal`, or the subprotocol it chose (None: no header)."""

    refusal: Refusal | None
    subprotocol: str | None = None


class Goodbye(msgspec.Struct, frozen=True):
    """How a connection ended, or is to end: code of RFC 6455 and a reason."""

    code: int
    reason: str


_verdict = msgspec.msgpack.Decoder(Verdict).decode
_goodbye = msgspec.msgpack.Decoder(Goodbye).decode


class Front:
    """The sockets of one process. `over` is done once the core is gone."""

    def __init__(self, keeper: Keeper) -> None:
        self.keeper = keeper
        self.over = asyncio.get_running_loop().create_future()
        self.no_more: Callable[[], None] = lambda: None
        """Called when nobody is to be taken in any more."""
        self._pipe = Pipe(self._heard, self._lost, self._choked)
        self._asked: dict[int, Callable[[Admission | Refusal], None]] = {}
        self._sockets: dict[int, Channel] = {}
        self._next = 1
        self._full = False

    async def attach(self, end: socket.socket) -> None:
        """Talk to the core through this end of a stream."""
        await asyncio.get_running_loop().create_connection(lambda: self._pipe, sock=end)

    def ready(self) -> None:
        """Stations can come."""
        self._pipe.send(Kind.READY, 0)

    def ask(self, shake: Handshake, then: Callable[[Admission | Refusal], None]) -> None:
        """Let the core judge a handshake."""
        number, self._next = self._next, self._next + 1
        self._asked[number] = then
        self._pipe.send(Kind.ASK, number, _pack(shake))

    def counted(self, status: int) -> None:
        """A handshake ended with this status."""
        self._pipe.send(Kind.COUNTED, status)

    def opened(self, number: int, channel: Channel) -> None:
        """A connection is up."""
        self._sockets[number] = channel
        if self._full:
            channel.pause(True)
        self._pipe.send(Kind.OPENED, number, channel.address.encode())

    def text(self, number: int, frame: bytes) -> None:
        """A message of a station."""
        self._pipe.send(Kind.TEXT, number, frame)

    def closed(self, number: int, code: int, reason: str) -> None:
        """A connection is over, or came to nothing."""
        self._sockets.pop(number, None)
        self._pipe.send(Kind.CLOSED, number, _pack(Goodbye(code, reason)))

    # -- what the core says ----------------------------------------------------------------------------------------

    def _heard(self, kind: int, number: int, rest: bytes) -> None:
        channel = self._sockets.get(number)
        if kind == Kind.FRAME:
            if channel is not None:
                channel.send(rest)
        elif kind == Kind.VERDICT:
            said, then = _verdict(rest), self._asked.pop(number)
            then(said.refusal or Admission(_Station(self, number), said.subprotocol))
        elif kind == Kind.NO_MORE:
            self.no_more()
        elif channel is None:
            return  # it has ended meanwhile
        elif kind == Kind.CLOSE:
            word = _goodbye(rest)
            channel.close(word.code, word.reason)
        elif kind == Kind.CUT:
            channel.cut(rest.decode())
        else:
            channel.pause(kind == Kind.PAUSE)

    def _lost(self) -> None:
        self.no_more()
        self.keeper.cut_all("the core is gone")
        if not self.over.done():
            self.over.set_result(None)

    def _choked(self, on: bool) -> None:
        """The core does not keep up: stations wait in the network, not in our memory."""
        self._full = on
        for channel in self._sockets.values():
            channel.pause(on)


class _Station:
    """Hears of one connection."""

    __slots__ = ("_front", "_number")

    def __init__(self, front: Front, number: int) -> None:
        self._front = front
        self._number = number

    def opened(self, socket: Channel) -> None:
        """The handshake succeeded."""
        self._front.opened(self._number, socket)

    def text(self, frame: bytes) -> None:
        """One message."""
        self._front.text(self._number, frame)

    def closed(self, code: int, reason: str) -> None:
        """It is over."""
        self._front.closed(self._number, code, reason)
