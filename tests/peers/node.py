"""A peer written for Node, as a child process: orders in, answers and what it heard out, all in JSON lines.

It is ended by whoever started it, and ends by itself when its input is closed. It is never waited for without a limit.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

NPM = Path(__file__).parent / "npm"
_START_S = 20.0
_ANSWER_S = 20.0


def missing() -> str | None:
    """Why no Node peer can run here; None if it can."""
    if shutil.which("node") is None:
        return "there is no node on the path"
    if not (NPM / "node_modules" / "ocpp-rpc").is_dir():
        return "their packages are not installed (`make peers`)"
    return None


class NodePeer:
    """One script. `heard` are the calls that came to it: (station, action, payload); `problems` what it objected to."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._orders = 0
        self.port = 0
        self.heard: list[tuple[str, str, dict[str, Any]]] = []
        self.problems: list[str] = []
        self.ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def listen(self) -> None:
        """Hear what it says until it says no more."""
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self._line(json.loads(line))

    def _line(self, said: dict[str, Any]) -> None:
        if "heard" in said:
            self.heard.append((said["station"], said["heard"], said["payload"]))
        elif "problem" in said:
            self.problems.append(said["problem"])
        elif "order" in said:
            waiting = self._waiting.pop(said["order"])
            if "error" in said:
                waiting.set_exception(RuntimeError(said["error"]))
            else:
                waiting.set_result(said["answer"])
        else:
            self.port = said.get("port", 0)
            self.ready.set_result(None)

    async def call(self, station: str, action: str, payload: dict[str, Any]) -> Any:
        """The payload of the other end's answer. Raises RuntimeError for an error, TimeoutError for none."""
        assert self._process.stdin is not None
        self._orders += 1
        self._waiting[self._orders] = answer = asyncio.get_running_loop().create_future()
        order = {"order": self._orders, "station": station, "action": action, "payload": payload}
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        async with asyncio.timeout(_ANSWER_S):
            return await answer


@asynccontextmanager
async def node_peer(script: str, *arguments: str) -> AsyncIterator[NodePeer]:
    """The script while it is needed; it is ended afterwards whatever happens. Raises TimeoutError if it does not come up."""
    process = await asyncio.create_subprocess_exec(
        "node", script, *arguments, cwd=NPM, stdin=PIPE, stdout=PIPE, stderr=DEVNULL
    )
    peer = NodePeer(process)
    listening = asyncio.ensure_future(peer.listen())
    try:
        async with asyncio.timeout(_START_S):
            await asyncio.wait([peer.ready, listening], return_when="FIRST_COMPLETED")
        assert peer.ready.done(), f"{script} ended before it was ready: {peer.problems}"
        yield peer
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await listening
