"""A server that takes every station and says yes to everything, by bytes: what a fleet is measured against.

It stores nothing and checks nothing. Runs as a process of its own: `python -m scenarios.bench.sink PORT`.
"""

from __future__ import annotations

import asyncio
import sys
import time

from sim.backend import Refusal
from sim.clock import iso_bytes
from sim.runtimes.channel import Channel, Keeper, Limits
from sim.runtimes.websocket_fast import listen_fast
from sim.runtimes.websocket_server import Admission, Handshake

_ANSWERS = {
    b"Authorize": b'{"idTagInfo":{"status":"Accepted"}}',
    b"StopTransaction": b'{"idTagInfo":{"status":"Accepted"}}',
}


class _Yes:
    """One connection."""

    __slots__ = ("_channel",)
    transactions = 0

    def opened(self, channel: Channel) -> None:
        """Somebody came."""
        self._channel = channel

    def text(self, frame: bytes) -> None:
        """Answer a CALL; anything else is of no interest."""
        if not frame.startswith(b'[2,"'):
            return
        _, id, _, action, _ = frame.split(b'"', 4)
        answer = _ANSWERS.get(action, b"{}")
        if action == b"BootNotification":
            answer = b'{"status":"Accepted","interval":300,"currentTime":"%s"}' % iso_bytes(time.time_ns() // 1_000_000)
        elif action == b"Heartbeat":
            answer = b'{"currentTime":"%s"}' % iso_bytes(time.time_ns() // 1_000_000)
        elif action == b"StartTransaction":
            _Yes.transactions += 1
            answer = b'{"transactionId":%d,"idTagInfo":{"status":"Accepted"}}' % _Yes.transactions
        self._channel.send(b'[3,"%s",%s]' % (id, answer))

    def closed(self, code: int, reason: str) -> None:
        """Somebody left."""


def _judge(shake: Handshake) -> Admission | Refusal:
    return Admission(_Yes(), "ocpp1.6")


async def sink(port: int) -> None:
    """Take stations until the process is ended."""
    await listen_fast("127.0.0.1", port, Keeper(Limits(ping_interval_s=0)), _judge)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(sink(int(sys.argv[1])))
