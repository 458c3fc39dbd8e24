"""The core's side of its fronts: each connection that a front holds is a Channel here, so that nobody sees a difference.

A command finds its connection whichever process holds it, and a newer connection closes the older one at another front.
When a front dies all its connections have ended, as in a network that went away.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import msgspec

from sim.backend import Refusal
from sim.runtimes.channel import Keeper, Peer
from sim.runtimes.front import Goodbye, Verdict
from sim.runtimes.pipe import Kind, Pipe
from sim.runtimes.websocket import ABNORMAL
from sim.runtimes.websocket_server import Handshake, Judge

_GONE = "its worker is gone"
_pack = msgspec.msgpack.encode
_handshake = msgspec.msgpack.Decoder(Handshake).decode
_goodbye = msgspec.msgpack.Decoder(Goodbye).decode


class FrontDesk:
    """One front. `ready` is done when it takes stations, `gone` when it has ended; `keeper` knows all connections."""

    def __init__(self, keeper: Keeper, judge: Judge, counted: Callable[[int], None]) -> None:
        loop = asyncio.get_running_loop()
        self.ready, self.gone = loop.create_future(), loop.create_future()
        self._keeper = keeper
        self._judge = judge
        self._counted = counted
        self._pipe = Pipe(self._heard, self._lost)
        self._channels: dict[int, _Far] = {}

    def __len__(self) -> int:
        return len(self._channels)

    async def attach(self, end: socket.socket) -> None:
        """Talk to the front through this end of a stream."""
        await asyncio.get_running_loop().create_connection(lambda: self._pipe, sock=end)

    def no_more(self) -> None:
        """It is to take nobody in any more."""
        self._pipe.send(Kind.NO_MORE, 0)

    def close(self) -> None:
        """It is to end."""
        self._pipe.close()

    def _heard(self, kind: int, number: int, rest: bytes) -> None:
        if kind == Kind.TEXT:
            channel = self._channels.get(number)
            if channel is not None:
                channel.bytes_up += len(rest)
                channel.peer.text(rest)
        elif kind == Kind.ASK:
            self._ask(number, _handshake(rest))
        elif kind == Kind.OPENED:
            channel = self._channels[number]
            channel.address, channel.alive = rest.decode(), True
            self._keeper.add(channel)
            channel.peer.opened(channel)
        elif kind == Kind.CLOSED:
            channel, word = self._channels.pop(number), _goodbye(rest)
            channel.end(word.code, word.reason)
        elif kind == Kind.COUNTED:
            self._counted(number)
        elif kind == Kind.READY and not self.ready.done():
            self.ready.set_result(None)

    def _ask(self, number: int, shake: Handshake) -> None:
        verdict = self._judge(shake)
        if isinstance(verdict, Refusal):
            said = Verdict(verdict)
        else:
            self._channels[number] = _Far(self._pipe, self._keeper, number, verdict.peer, verdict.subprotocol)
            said = Verdict(None, verdict.subprotocol)
        self._pipe.send(Kind.VERDICT, number, _pack(said))

    def _lost(self) -> None:
        channels = list(self._channels.values())
        self._channels.clear()
        for channel in channels:
            channel.end(ABNORMAL, _GONE)
        for told in (self.ready, self.gone):
            if not told.done():
                told.set_result(None)


class _Far:
    """A connection at a front."""

    __slots__ = ("_keeper", "_number", "_pipe", "address", "alive", "bytes_down", "bytes_up", "peer", "subprotocol")

    def __init__(self, pipe: Pipe, keeper: Keeper, number: int, peer: Peer, subprotocol: str | None) -> None:
        self._pipe = pipe
        self._keeper = keeper
        self._number = number
        self.peer = peer
        self.subprotocol = subprotocol
        self.address = ""
        self.alive = False
        self.bytes_up = self.bytes_down = 0

    def send(self, frame: bytes) -> None:
        """As `Channel`."""
        if self.alive:
            self.bytes_down += len(frame)
            self._pipe.send(Kind.FRAME, self._number, frame)

    def close(self, code: int, reason: str) -> None:
        """As `Channel`; the front cuts it when the other side does not answer in time."""
        if self.alive:
            self.alive = False
            self._pipe.send(Kind.CLOSE, self._number, _pack(Goodbye(code, reason)))

    def cut(self, reason: str) -> None:
        """As `Channel`."""
        self.alive = False
        self._pipe.send(Kind.CUT, self._number, reason.encode())

    def pause(self, on: bool) -> None:
        """As `Channel`."""
        self._pipe.send(Kind.PAUSE if on else Kind.RESUME, self._number)

    def check(self, now: float) -> None:
        """Its front looks after it."""

    def end(self, code: int, reason: str) -> None:
        """It has ended."""
        self.alive = False
        self._keeper.discard(self)
        self.peer.closed(code, reason)
