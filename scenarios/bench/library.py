"""The same messages through the `ocpp` library's own engine, as the yardstick of the bench.

Two `ocpp.v16.ChargePoint` objects in one asyncio loop, joined by two queues: one calls with `call()`, the other answers
from `@on` handlers. They carry messages and nothing else: no session, no signature, no bill, no socket, no record of what
was said. This module measures the library itself and is therefore the one exception to the rule that only
`sim.wire.schema` imports `ocpp`; nothing here may be used for anything but measuring.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import ocpp.messages
from msgspec import Struct
from ocpp.charge_point import camel_to_snake_case
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result

from scenarios.bench.world import Exchange


class LibraryRun(Struct, frozen=True):
    """One measurement: `threads` is the library's ASYNC_VALIDATION, `cpu_s` counts the threads of its pool too."""

    threads: bool
    round_trips: int
    cpu_s: float
    wall_s: float

    @property
    def per_cpu_s(self) -> float:
        """Round trips per second of CPU time."""
        return self.round_trips / self.cpu_s


class _Line:
    """One end of a connection in memory."""

    def __init__(self, incoming: asyncio.Queue[str], outgoing: asyncio.Queue[str]) -> None:
        self._incoming = incoming
        self._outgoing = outgoing

    async def send(self, message: str) -> None:
        self._outgoing.put_nowait(message)

    async def recv(self) -> str:
        return await self._incoming.get()


class _Ready(Struct, frozen=True):
    """A round trip with everything prepared that an application would have at hand: keyword arguments, snake case."""

    way: str
    request: Callable[..., Any]
    request_fields: dict[str, Any]
    answer: Any


def measure(exchanges: Sequence[Exchange], threads: bool, at_least: int) -> LibraryRun:
    """Send these round trips, over and over in their order, until there were `at_least` of them."""
    ready = [_prepare(exchange) for exchange in exchanges]
    before = ocpp.messages.ASYNC_VALIDATION
    ocpp.messages.ASYNC_VALIDATION = threads  # on the module: a name imported from it would have no effect
    try:
        return asyncio.run(_measure(ready, _first_of_each(exchanges, ready), threads, at_least))
    finally:
        ocpp.messages.ASYNC_VALIDATION = before


def _prepare(exchange: Exchange) -> _Ready:
    answer = camel_to_snake_case(msgspec.json.decode(exchange.answer))
    return _Ready(
        way=exchange.way,
        request=getattr(call, exchange.action),
        request_fields=camel_to_snake_case(msgspec.json.decode(exchange.request)),
        answer=getattr(call_result, exchange.action)(**answer),
    )


def _first_of_each(exchanges: Sequence[Exchange], ready: list[_Ready]) -> list[_Ready]:
    """One round trip of each kind: the library loads and compiles a schema when it first meets a message."""
    first: dict[tuple[str, str], _Ready] = {}
    for exchange, prepared in zip(exchanges, ready, strict=True):
        first.setdefault((exchange.way, exchange.action), prepared)
    return list(first.values())


async def _measure(ready: list[_Ready], warm_up: list[_Ready], threads: bool, at_least: int) -> LibraryRun:
    up: asyncio.Queue[str] = asyncio.Queue()
    down: asyncio.Queue[str] = asyncio.Queue()
    station, backend = _End("station", _Line(down, up)), _End("back-end", _Line(up, down))
    loops = [asyncio.create_task(end.start()) for end in (station, backend)]
    try:
        for exchange in warm_up:
            await _round_trip(station, backend, exchange)
        passes = -(-at_least // len(ready))
        wall, cpu = time.perf_counter(), time.process_time()
        for _ in range(passes):
            for exchange in ready:
                await _round_trip(station, backend, exchange)
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    finally:
        for loop in loops:
            loop.cancel()
    return LibraryRun(threads, passes * len(ready), cpu, wall)


async def _round_trip(station: _End, backend: _End, exchange: _Ready) -> None:
    caller, callee = (station, backend) if exchange.way == "up" else (backend, station)
    callee.answer = exchange.answer
    answer = await caller.call(exchange.request(**exchange.request_fields), suppress=False)
    if answer != exchange.answer:
        raise RuntimeError(f"the library brought another answer than was given: {answer!r}")


class _End(ChargePoint):
    """Either end: handlers give the answer that was laid ready, as the real back-end gave it."""

    answer: Any = None

    @on("BootNotification")
    async def _boot_notification(self, **fields: Any) -> Any:
        return self.answer

    @on("Heartbeat")
    async def _heartbeat(self, **fields: Any) -> Any:
        return self.answer

    @on("StatusNotification")
    async def _status_notification(self, **fields: Any) -> Any:
        return self.answer

    @on("Authorize")
    async def _authorize(self, **fields: Any) -> Any:
        return self.answer

    @on("StartTransaction")
    async def _start_transaction(self, **fields: Any) -> Any:
        return self.answer

    @on("MeterValues")
    async def _meter_values(self, **fields: Any) -> Any:
        return self.answer

    @on("StopTransaction")
    async def _stop_transaction(self, **fields: Any) -> Any:
        return self.answer

    @on("ChangeConfiguration")
    async def _change_configuration(self, **fields: Any) -> Any:
        return self.answer
