"""Real time on gevent, for Locust: the same world, lines and websockets as on asyncio, over sockets of gevent.

Only timers and the bytes of a socket differ, so Machines, faults, pings and counts are those of `sim.runtimes.aio`. It
never patches the process, and nothing that serves or drives with asyncio may import it. What a Machine does never waits.
"""

from __future__ import annotations

import contextlib
import socket as kernel
import ssl
from collections.abc import Callable, Iterator, Mapping
from time import monotonic
from typing import Any

import gevent
import gevent.event
import gevent.pool
import gevent.socket

from sim.clock import Instant
from sim.runtimes.aio import AioWorld, Clock
from sim.runtimes.aio_ledger import Told
from sim.runtimes.aio_lines import Lines
from sim.runtimes.channel import Keeper, Limits, Peer
from sim.runtimes.sinks import TruthSink, WireSink
from sim.runtimes.websocket import Socket
from sim.runtimes.websocket_client import Dial, begin, failed

_AT_ONCE = 65_536
_CHOKED = 65_536
"""With more bytes than that unsent a socket is choked, as on asyncio."""
_ASIDE = 50


class GreenWorld(AioWorld):
    """All Machines of a process, on gevent."""

    def __init__(self, clock: Clock, truth: TruthSink, lines: Lines) -> None:
        super().__init__(clock, truth, lines)
        self._over: Any = gevent.event.Event()
        self._aside = gevent.pool.Pool(_ASIDE)

    def live(self, until: Instant) -> None:
        """Live until that instant, or until `stop`. Raises what a Machine raised: that is our own mistake."""
        self.at(until, self.stop)
        self._over.wait()
        if self._failed is not None:
            raise self._failed

    def aside(self, fn: Callable[..., None], *args: Any) -> None:
        """Call it beside the world, where it may wait; so many at once at most, the others queue."""
        gevent.spawn(lambda: self._aside.spawn(fn, *args))


def look_at_the_clock() -> None:
    """gevent counts timers from when its loop last turned; after long work they would come too early."""
    gevent.get_hub().loop.update_now()


def park() -> None:
    """Wait until this greenlet is ended."""
    gevent.event.Event().wait()


def every(seconds: float, act: Callable[[], None]) -> None:
    """Do it again and again, for as long as the process lives."""

    def again() -> None:
        while True:
            gevent.sleep(seconds)
            act()

    gevent.spawn(again)


def wait_until(true: Callable[[], bool], seconds: float) -> bool:
    """Wait until it is true, so long at most; whether it is."""
    until = monotonic() + seconds
    while not true() and monotonic() < until:
        gevent.sleep(0.02)
    return true()


def green_lines(
    now: Callable[[], Instant],
    wire: WireSink,
    limits: Limits,
    passwords: Mapping[str, bytes] | None = None,
    tls: Callable[[str], Any] | None = None,
    told: Told | None = None,
) -> Lines:
    """Lines on gevent; `told` hears of each call."""
    keeper = Keeper(limits, _Timing())
    lines = Lines(now, wire, keeper, passwords, tls, dialler=lambda wish, peer: _spawned(wish, peer, keeper))
    lines.ledger.told = told
    return lines


class _Timer:
    """A greenlet that has not begun."""

    __slots__ = ("_greenlet",)

    def __init__(self, greenlet: gevent.Greenlet) -> None:
        self._greenlet = greenlet

    def cancel(self) -> None:
        """It will not begin."""
        self._greenlet.kill(block=False)


class _Timing:
    """What sockets and worlds need of a loop."""

    def time(self) -> float:
        return monotonic()

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any) -> _Timer:
        look_at_the_clock()
        return _Timer(gevent.spawn_later(delay, callback, *args))


class _Transport:
    """The bytes of one connection: what asyncio's transports are for `Socket`. Writing never waits."""

    def __init__(self, raw: Any, socket: Socket, plain: bool) -> None:
        self._raw = raw
        self._socket = socket
        self._plain = plain
        self._unsent = bytearray()
        self._writes = False
        self._choked = False
        self._last: Callable[[], None] | None = None
        self._closing = False
        self.readable = gevent.event.Event()
        self.readable.set()

    def write(self, data: bytes) -> None:
        """Send what the kernel takes at once; the rest goes in a greenlet of its own."""
        if self._closing:
            return
        if self._plain and not self._unsent:
            try:
                data = data[self._raw.send(data, 0, 0.0) :]
            except BlockingIOError:
                pass
            except OSError:
                self.abort()
                return
        if data:
            self._unsent += data
            if len(self._unsent) > _CHOKED and not self._choked:
                self._choked = True
                self._socket.pause_writing()
            if not self._writes:
                self._writes = True
                gevent.spawn(self._drain)

    def _drain(self) -> None:
        while self._unsent:
            try:
                sent = self._raw.send(bytes(self._unsent[:_AT_ONCE]))
            except OSError:
                self.abort()
                return
            del self._unsent[:sent]
        self._writes = False
        if self._choked:
            self._choked = False
            self._socket.resume_writing()
        if self._last is not None:
            self._last()

    def _afterwards(self, act: Callable[[], None]) -> None:
        self._last = act
        if not self._unsent:
            act()

    def _end_of_stream(self) -> None:
        with contextlib.suppress(OSError):  # the other side may have ended it first
            self._raw.shutdown(kernel.SHUT_WR)

    def can_write_eof(self) -> bool:
        return self._plain

    def write_eof(self) -> None:
        self._afterwards(self._end_of_stream)

    def is_closing(self) -> bool:
        return self._closing

    def close(self) -> None:
        self._closing = True
        self._afterwards(self.abort)

    def abort(self) -> None:
        """Nothing is sent or read any more: whoever reads hears of it."""
        self._closing = True
        self._unsent.clear()
        self.readable.set()
        with contextlib.suppress(OSError):
            self._raw.shutdown(kernel.SHUT_RDWR)
        self._raw.close()

    def pause_reading(self) -> None:
        self.readable.clear()

    def resume_reading(self) -> None:
        self.readable.set()

    def get_write_buffer_size(self) -> int:
        return len(self._unsent)

    def get_extra_info(self, name: str) -> Any:
        return self._raw.getpeername() if name == "peername" else None


def _spawned(wish: Dial, peer: Peer, keeper: Keeper) -> None:
    gevent.spawn(_connection, wish, peer, keeper)


def _connection(wish: Dial, peer: Peer, keeper: Keeper) -> None:
    """The whole life of a connection that is dialled. The peer hears `opened` or `closed`."""
    begun = begin(wish, peer, keeper)
    if begun is None:
        return
    socket, uri, context = begun
    try:
        with gevent.Timeout(keeper.limits.open_timeout_s, TimeoutError("no answer")):
            raw = gevent.socket.create_connection((uri.host, uri.port))
            raw.setsockopt(kernel.IPPROTO_TCP, kernel.TCP_NODELAY, 1)
            if context is not None:
                raw = context.wrap_socket(raw, server_hostname=uri.host)
    except TimeoutError:
        failed(socket, "timeout")
        return
    except ssl.SSLError as err:
        failed(socket, f"tls: {err.reason or err}")
        return
    except OSError:
        failed(socket, "refused")
        return
    transport: Any = _Transport(raw, socket, plain=context is None)
    socket.connection_made(transport)
    try:
        for data in _read(raw, transport):
            socket.data_received(data)
        if not transport.is_closing():
            socket.eof_received()
    finally:
        transport.abort()
        socket.connection_lost(None)


def _read(raw: Any, transport: Any) -> Iterator[bytes]:
    """What the other side sends, until it ends or is ended."""
    while not transport.is_closing():
        transport.readable.wait()
        try:
            data = raw.recv(_AT_ONCE)
        except OSError:
            return
        if not data:
            return
        yield data
