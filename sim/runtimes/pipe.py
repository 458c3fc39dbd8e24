"""Between the process that owns a back-end and a process that holds its sockets: numbered messages on a stream.

What is written in one turn of the loop leaves at once. Nothing is understood here but the length of a message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import IntEnum
from struct import Struct


class Kind(IntEnum):
    """What a message is about. Those of a front to the core first, then those of the core to a front."""

    READY = 1
    ASK = 2
    OPENED = 3
    TEXT = 4
    CLOSED = 5
    COUNTED = 6
    VERDICT = 7
    FRAME = 8
    CLOSE = 9
    CUT = 10
    PAUSE = 11
    RESUME = 12
    NO_MORE = 13


_HEAD = Struct("!BII")
Heard = Callable[[int, int, bytes], None]
"""Kind, number of the connection (0: none), and the rest."""


class Pipe(asyncio.Protocol):
    """One end. `heard` gets each message, `lost` is called once, `choked` when the other side does not keep up."""

    def __init__(
        self, heard: Heard, lost: Callable[[], None], choked: Callable[[bool], None] = lambda on: None
    ) -> None:
        self._heard = heard
        self._lost = lost
        self._choked = choked
        self._transport: asyncio.WriteTransport | None = None
        self._loop = asyncio.get_running_loop()
        self._out: list[bytes] = []
        self._rest = b""

    def send(self, kind: Kind, number: int, rest: bytes = b"") -> None:
        """One message. After the other end is gone it goes nowhere."""
        if not self._out:
            self._loop.call_soon(self._leave)
        self._out += (_HEAD.pack(kind, number, len(rest)), rest)

    def close(self) -> None:
        """Nothing more is sent; what was said before still arrives."""
        self._leave()
        if self._transport is not None:
            self._transport.close()

    def _leave(self) -> None:
        if self._out and self._transport is not None and not self._transport.is_closing():
            self._transport.write(b"".join(self._out))
        self._out.clear()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._leave()

    def data_received(self, data: bytes) -> None:
        if self._rest:
            data = self._rest + data
        begin, have, head = 0, len(data), _HEAD.size
        while have - begin >= head:
            kind, number, size = _HEAD.unpack_from(data, begin)
            end = begin + head + size
            if end > have:
                break
            self._heard(kind, number, data[begin + head : end])
            begin = end
        self._rest = data[begin:]

    def pause_writing(self) -> None:
        self._choked(True)

    def resume_writing(self) -> None:
        self._choked(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._out.clear()
        self._lost()
