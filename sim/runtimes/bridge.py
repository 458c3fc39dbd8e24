"""One station's connection through the proxy: two websockets, what passes between them, and how it ends.

Text passes byte for byte and in order, as late as the link rules say; what was under way when a leg died is recorded as
lost. Queues are bounded: a side that does not read stops the other from sending. Nothing that one side sends may reach
another connection or raise beyond this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed
from websockets.protocol import State

from sim.evidence.recording import PROXY, Recording
from sim.network.faults import Line
from sim.network.rules import WAYS, Way

_FAR: Mapping[Way, Way] = {"up": "down", "down": "up"}
SIDES: Mapping[Way, str] = {"up": "station", "down": "backend"}
"""Who sends in a way."""
NO_STATUS = 1005
"""What a close without a code is called (RFC 6455 §7.1.5); it is never sent."""


class Limits(Struct, frozen=True):
    """Bounds of a connection: bytes of a message, frames under way each way, seconds of pings and of a close."""

    max_size: int = 1 << 20
    queue: int = 32
    ping_interval: float = 20.0
    ping_timeout: float = 20.0
    close_timeout: float = 5.0


class _End(Struct, frozen=True):
    """A leg is closed: `code` to pass on, None if it broke off."""

    code: int | None
    reason: str


class _Under(Struct, frozen=True):
    """Something under way: sent, to arrive, and the message or the end."""

    sent: int
    at: int
    what: str | bytes | _End


class Bridge:
    """Both legs of a connection. `clock()` is the time in ms; `run` returns when both legs are closed."""

    def __init__(
        self,
        legs: Mapping[Way, Connection],
        line: Line,
        recording: Recording,
        station: str,
        link: int,
        clock: Callable[[], int],
        limits: Limits,
    ) -> None:
        """`legs["up"]` is where frames for the back-end come from: the station's leg."""
        self.station = station
        self._legs = legs
        self._line = line
        self._recording = recording
        self._link = link
        self._clock = clock
        self._limits = limits
        self._under: dict[Way, asyncio.Queue[_Under]] = {way: asyncio.Queue(limits.queue) for way in WAYS}
        self._gone = asyncio.Event()
        self._ended = False

    async def run(self) -> None:
        """Pass on what comes until both legs are closed."""
        watching = [asyncio.create_task(self._watch(way)) for way in WAYS] if self._limits.ping_interval else []
        try:
            async with asyncio.TaskGroup() as tasks:
                for way in WAYS:
                    tasks.create_task(self._read(way))
                    tasks.create_task(self._write(way))
        finally:
            for task in watching:
                task.cancel()
            await asyncio.gather(*watching, return_exceptions=True)

    def cut(self, by: str, reason: str) -> None:
        """Break both legs off as a dead network does: no closing frame, what is under way is lost."""
        self._end(by, reason)
        self._gone.set()
        for way in WAYS:
            abort(self._legs[way])

    async def stop(self) -> None:
        """Close both legs because the proxy goes away."""
        self._end(PROXY, "1001 stopped")
        self._gone.set()
        for leg in self._legs.values():
            self._release(leg)
        await asyncio.gather(*(self._legs[way].close(1001, "the proxy stops") for way in WAYS))

    def hold(self) -> None:
        """Read nothing, pings included, from a side whose way is stalled now."""
        now = self._clock()
        loop = asyncio.get_running_loop()
        for way in WAYS:
            leg, until = self._legs[way], self._line.held(way, now)
            # A leg whose buffer is full is paused already, and only its reader may let it go on.
            if until > now and not leg.recv_messages.paused and leg.state is State.OPEN:
                leg.transport.pause_reading()
                loop.call_later((until - now) / 1000, self._release, leg)

    @staticmethod
    def _release(leg: Connection) -> None:
        if not leg.transport.is_closing():
            leg.transport.resume_reading()

    async def _read(self, way: Way) -> None:
        leg, under = self._legs[way], self._under[way]
        while True:
            await self._until(lambda: self._line.held(way, self._clock()))
            try:
                message = await leg.recv()
            except ConnectionClosed as closed:
                now = self._clock()
                at = now if self._ended else self._line.closing(way, now)
                await under.put(_Under(now, at, self._closed(way, closed)))
                return
            now = self._clock()
            frame = message.encode() if isinstance(message, str) else message
            passage = self._line.frame(way, frame, now)
            await under.put(_Under(now, passage.at, message))
            if passage.cut:
                self.cut(PROXY, passage.cut)
            elif passage.at > now:
                self.hold()

    async def _write(self, way: Way) -> None:
        far, under = self._legs[_FAR[way]], self._under[way]
        while True:
            one = await under.get()
            await self._until(lambda: max(one.at, self._line.held(way, self._clock())))  # noqa: B023 - awaited here
            if isinstance(one.what, _End):
                await self._pass_on(far, one.what)
                return
            alive = far.state is State.OPEN and not self._gone.is_set()
            # Written down first: the answer may be read before the sending task goes on.
            now = self._clock() if alive else None
            text = one.what if isinstance(one.what, str) else one.what.decode("utf-8", "backslashreplace")
            self._recording.frame(one.sent, now, self.station, self._link, way, text)
            if alive:
                with contextlib.suppress(ConnectionClosed):
                    await far.send(one.what)

    async def _watch(self, way: Way) -> None:
        """Ping a leg and give it up if it stays silent, unless it is the rules that keep it silent."""
        leg, limits = self._legs[way], self._limits
        while True:
            await asyncio.sleep(limits.ping_interval)
            if self._line.held(way, self._clock()):
                continue
            try:
                async with asyncio.timeout(limits.ping_timeout):
                    await (await leg.ping())
            except TimeoutError:
                if not self._line.held(way, self._clock()) and not leg.recv_messages.paused:
                    self.cut(SIDES[way], f"no answer to a ping within {limits.ping_timeout:g} s")
                    return
            except ConnectionClosed:
                return

    async def _until(self, moment: Callable[[], int]) -> None:
        """Wait for a moment that may move on meanwhile, or until the connection is gone."""
        while not self._gone.is_set() and (wait := moment() - self._clock()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), wait / 1000)

    def _closed(self, way: Way, closed: ConnectionClosed) -> _End:
        """What ended this leg: its peer's close, our own refusal of what it sent, or nothing that could be heard."""
        if closed.rcvd is not None and (closed.rcvd_then_sent or closed.sent is None):
            end = _End(closed.rcvd.code, closed.rcvd.reason)
        elif closed.sent is not None:
            end = _End(closed.sent.code, closed.sent.reason)
        else:
            end = _End(None, "")
        said = f"{end.code} {end.reason}".strip() if end.code is not None else "broke off"
        self._end(SIDES[way], said)
        return end

    def _end(self, by: str, reason: str) -> None:
        """The first end is the one that counts; the other leg only follows."""
        if not self._ended:
            self._ended = True
            self._recording.closed(self._clock(), self._link, by, reason)

    @staticmethod
    async def _pass_on(far: Connection, end: _End) -> None:
        if end.code is None:
            abort(far)
            return
        code: Any = None if end.code == NO_STATUS else end.code
        await far.close(code, end.reason)


def abort(leg: Connection) -> None:
    """Reset the TCP connection of a leg, as a dead network or a killed process does."""
    transport = leg.transport
    raw = transport.get_extra_info("socket")
    if raw is not None and not transport.is_closing():
        with contextlib.suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
