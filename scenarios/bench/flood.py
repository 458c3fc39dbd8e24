"""Many connections that say MeterValues as fast as they are answered: the load of `bench sockets`. Judges nothing.

Each connection has one CALL outstanding, as OCPP-J wants. Frames are put together from bytes and masked with zeros, so
that this side costs little and the server's CPU time is what is measured.
"""

from __future__ import annotations

import asyncio
import time
from urllib.parse import urlsplit

from msgspec import Struct

from sim.clock import iso_bytes

_KEY = b"Y2hhcmdlcmlnIGJlbmNoIQ=="
_BOOT = b'[2,"%s","BootNotification",{"chargePointVendor":"chargerig","chargePointModel":"bench"}]'
_START = b'[2,"%s","StartTransaction",{"connectorId":1,"idTag":"BENCH","meterStart":0,"timestamp":"%s"}]'
_READING = (
    b'[2,"%s","MeterValues",{"connectorId":1,"transactionId":%d,"meterValue":[{"timestamp":"%s","sampledValue":['
    b'{"value":"%d","context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","unit":"Wh"},'
    b'{"value":"11000","context":"Sample.Periodic","measurand":"Power.Active.Import","unit":"W"},'
    b'{"value":"16.0","context":"Sample.Periodic","measurand":"Current.Offered","unit":"A"},'
    b'{"value":"230.0","context":"Sample.Periodic","measurand":"Voltage","unit":"V"}]}]}]'
)
_UNMASKED = b"\x00\x00\x00\x00"


class FloodResult(Struct, frozen=True):
    """Readings answered while it was measured, wall seconds, and the slowest answer in ms."""

    readings: int
    wall_s: float
    worst_ms: float


class _Talker(asyncio.Protocol):
    """One connection: boots, starts, then reads out its meter without end."""

    def __init__(self, number: int, host: str, path: str, flood: _Flood) -> None:
        self._number = number
        self._host = host
        self._path = path
        self._flood = flood
        self._buffer = b""
        self._open = False
        self._step = 0
        self._transaction = 0
        self._sent_at = 0.0
        self._id = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        request = (
            f"GET {self._path} HTTP/1.1\r\nHost: {self._host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {_KEY.decode()}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ocpp1.6\r\n\r\n"
        )
        self._transport.write(request.encode())  # type: ignore[union-attr]

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer + data if self._buffer else data
        if not self._open:
            head, found, rest = buffer.partition(b"\r\n\r\n")
            if not found:
                self._buffer = buffer
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._flood.fail(head.split(b"\r\n")[0].decode("latin-1"))
                return
            self._open, buffer = True, rest
            self._next(b"")
        while len(buffer) >= 2:
            length, begin = buffer[1], 2
            if length == 126:
                if len(buffer) < 4:
                    break
                length, begin = int.from_bytes(buffer[2:4], "big"), 4
            if len(buffer) < begin + length:
                break
            frame, opcode = buffer[begin : begin + length], buffer[0] & 0x0F
            buffer = buffer[begin + length :]
            if opcode == 1:
                self._heard(frame)
            elif opcode == 9:
                self._write(frame, 0x8A)
        self._buffer = buffer

    def connection_lost(self, exc: Exception | None) -> None:
        self._flood.lost()

    def _heard(self, frame: bytes) -> None:
        if frame.startswith(b'[2,"'):
            self._say(b'[3,"%s",{"status":"Accepted"}]' % frame.split(b'"', 2)[1])
        elif frame.startswith(b'[3,"' + self._id):
            if self._step > 2:
                self._flood.answered(time.perf_counter() - self._sent_at)
            self._next(frame)
        elif frame.startswith(b"[4"):
            self._flood.fail(frame.decode("utf-8", "replace"))

    def _next(self, answer: bytes) -> None:
        self._step += 1
        step = self._step
        self._id = id = b"b%07d-0000-0000-0000-%012d" % (self._number, step)
        now = iso_bytes(time.time_ns() // 1_000_000)
        if step == 1:
            self._say(_BOOT % id)
        elif step == 2:
            self._say(_START % (id, now))
        else:
            if step == 3:
                self._transaction = int(answer.split(b'"transactionId":', 1)[1].split(b"}")[0].split(b",")[0])
            self._sent_at = time.perf_counter()
            self._say(_READING % (id, self._transaction, now, step))

    def _say(self, frame: bytes) -> None:
        self._write(frame, 0x81)

    def _write(self, frame: bytes, head: int) -> None:
        size = len(frame)
        length = bytes((head, 0x80 | size)) if size < 126 else bytes((head, 0xFE)) + size.to_bytes(2, "big")
        if self._transport is not None:
            self._transport.write(length + _UNMASKED + frame)


class _Flood:
    """Counts what all connections hear."""

    def __init__(self) -> None:
        self.readings = 0
        self.worst_s = 0.0
        self.failure: str | None = None
        self.over = False

    def answered(self, seconds: float) -> None:
        self.readings += 1
        if seconds > self.worst_s:
            self.worst_s = seconds

    def fail(self, why: str) -> None:
        self.failure = self.failure or why

    def lost(self) -> None:
        if not self.over:
            self.fail("a connection was lost")


async def flood(url: str, connections: int, warm_up_s: float, seconds: float, begin: object = None) -> FloodResult:
    """Flood a back-end at `url` with `{id}` from so many stations FLOOD-n. Raises RuntimeError when one is refused.

    `begin`, if given, is called when the warm-up is over and measuring begins.
    """
    loop, state = asyncio.get_running_loop(), _Flood()
    parts = urlsplit(url.replace("{id}", "@"))
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    transports = []
    for number in range(connections):
        path = parts.path.replace("@", f"FLOOD-{number}")
        transport, _ = await loop.create_connection(lambda n=number, p=path: _Talker(n, host, p, state), host, port)  # type: ignore[misc]
        transports.append(transport)
    await asyncio.sleep(warm_up_s)
    state.readings, state.worst_s = 0, 0.0
    if callable(begin):
        begin()
    began = time.perf_counter()
    await asyncio.sleep(seconds)
    result = FloodResult(state.readings, time.perf_counter() - began, state.worst_s * 1000)
    state.over = True
    for transport in transports:
        transport.abort()
    if state.failure is not None:
        raise RuntimeError(f"the flood was answered with {state.failure}")
    return result
