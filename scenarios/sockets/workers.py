"""The workers of a server: started on one port, watched, started again when one dies, ended with it.

Only processes that were started here are ended here. What they hold is known to `sim.runtimes.fronts` alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Callable

import msgspec

from scenarios.sockets.front import FrontTask
from scenarios.sockets.logs import Log
from sim.runtimes.channel import Keeper
from sim.runtimes.fronts import FrontDesk
from sim.runtimes.websocket_server import Judge

_READY_S = 30.0
_END_S = 10.0
_AGAIN_S = 0.5
"""So long after a worker has died the next one comes."""


class WorkersFailed(RuntimeError):
    """A worker did not come up."""


class Workers:
    """So many processes that listen on one port. `keeper` knows all their connections."""

    def __init__(self, task: FrontTask, keeper: Keeper, judge: Judge, counted: Callable[[int], None], log: Log) -> None:
        self._task = task
        self._keeper = keeper
        self._judge = judge
        self._counted = counted
        self._log = log
        self._alive: dict[FrontDesk, asyncio.subprocess.Process] = {}
        self._watching: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self, count: int) -> None:
        """Start them all and wait until they take stations. Raises WorkersFailed."""
        try:
            await asyncio.gather(*(self._start() for _ in range(count)))
        except WorkersFailed:
            await self.end()
            raise

    async def _start(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with theirs:
            number = theirs.fileno()
            command = (sys.executable, "-m", "scenarios.sockets.front", str(number))
            text = msgspec.json.encode(self._task).decode()
            process = await asyncio.create_subprocess_exec(
                *command, text, pass_fds=[number], stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL
            )
        desk = FrontDesk(self._keeper, self._judge, self._counted)
        self._alive[desk] = process
        await desk.attach(ours)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(desk.ready), _READY_S)
        if not desk.ready.done() or desk.gone.done():
            raise WorkersFailed(f"a worker did not come up on {self._task.host}:{self._task.port}")
        self._watching.append(asyncio.ensure_future(self._watch(desk, process)))

    async def _watch(self, desk: FrontDesk, process: asyncio.subprocess.Process) -> None:
        """When it dies, its stations come again at the others, and another one takes its place."""
        await desk.gone
        code = await process.wait()
        self._alive.pop(desk, None)
        while not self._stopping:
            self._log("worker lost", pid=process.pid, exit_code=code, left=len(self._alive))
            await asyncio.sleep(_AGAIN_S)
            if self._stopping:
                return
            try:
                await self._start()
            except (OSError, WorkersFailed) as err:
                self._log("worker not started", why=str(err))
            else:
                return

    def no_more(self) -> None:
        """Nobody is taken in any more."""
        self._stopping = True
        for desk in self._alive:
            desk.no_more()

    async def end(self) -> None:
        """End them all."""
        self._stopping = True
        for desk in list(self._alive):
            desk.close()
        for process in list(self._alive.values()):
            try:
                await asyncio.wait_for(process.wait(), _END_S)
            except TimeoutError:
                process.kill()
                await process.wait()
        for task in self._watching:
            task.cancel()


def reserved(host: str, port: int) -> tuple[socket.socket, int]:
    """A socket that keeps the port for us and takes no connection, and the port. Raises OSError if somebody has it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as alone:  # without sharing: another server's workers must not be joined in silence
        if os.name == "posix":
            alone.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        alone.bind((host, port))
        port = alone.getsockname()[1]
    kept = socket.socket(family)
    try:
        kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        kept.bind((host, port))
    except OSError:
        kept.close()
        raise
    return kept, port
