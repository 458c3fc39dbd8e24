"""One worker of `chargerig serve --workers N` as a process: holds sockets for a core, and ends with it.

Runs as `python -m scenarios.sockets.front FD TASK`. It knows no back-end and no database.
"""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from pathlib import Path

import msgspec
from msgspec import Struct

from sim.runtimes.aio_loop import run_loop
from sim.runtimes.channel import Keeper, Limits
from sim.runtimes.front import Front
from sim.runtimes.tls import server_context
from sim.runtimes.websocket_server import listen_asking

_LAST_S = 5.0


class TlsFiles(Struct, frozen=True):
    """Certificates with their keys, the authority of client certificates, and whether each station needs one."""

    pairs: tuple[tuple[str, str], ...]
    client_ca: str | None = None
    required: bool = False


class FrontTask(Struct, frozen=True, kw_only=True):
    """Where a worker listens, and how."""

    host: str
    port: int
    limits: Limits
    compression: bool
    tls: TlsFiles | None = None


async def hold(end: socket.socket, task: FrontTask) -> None:
    """Take stations until the core says so, or is gone, or SIGTERM comes. Ctrl-C is the core's: it hears it too."""
    loop = asyncio.get_running_loop()
    keeper = Keeper(task.limits)
    front = Front(keeper)
    files = task.tls
    tls = None
    if files is not None:
        ca = None if files.client_ca is None else Path(files.client_ca)
        tls = server_context([(Path(one), Path(key)) for one, key in files.pairs], ca, files.required)
    server = await listen_asking(
        task.host, task.port, keeper, front.ask, front.counted, tls, task.compression, shared=True
    )
    front.no_more = server.close
    told = asyncio.Event()
    loop.add_signal_handler(signal.SIGINT, lambda: None)
    loop.add_signal_handler(signal.SIGTERM, told.set)
    await front.attach(end)
    front.ready()
    stopped = asyncio.ensure_future(told.wait())
    await asyncio.wait([front.over, stopped], return_when="FIRST_COMPLETED")
    stopped.cancel()
    if not front.over.done():
        server.close()
        keeper.close_all(1001, "the worker is going down")
        until = loop.time() + _LAST_S
        while len(keeper) and loop.time() < until:
            await asyncio.sleep(0.02)


if __name__ == "__main__":
    run_loop(hold(socket.socket(fileno=int(sys.argv[1])), msgspec.json.decode(sys.argv[2], type=FrontTask)))
