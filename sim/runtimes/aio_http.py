"""HTTP beside the websockets in the same loop: runs an ASGI application. The only door to uvicorn.

It takes no signals and writes no log of its own; whoever starts it stops it.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn


class _Server(uvicorn.Server):
    """Without the library's own handling of signals."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class Http:
    """A running HTTP server. `port` is the one that it got."""

    def __init__(self, server: _Server, task: asyncio.Task[None], port: int) -> None:
        self._server = server
        self._task = task
        self.port = port

    async def stop(self, patience_s: float = 3.0) -> None:
        """Answer what is under way, then stop."""
        self._server.should_exit = True
        try:
            await asyncio.wait_for(asyncio.shield(self._task), patience_s)
        except TimeoutError:
            self._server.force_exit = True
            await self._task


async def serve_http(app: Any, host: str, port: int, tls: ssl.SSLContext | None = None) -> Http:
    """Serve an ASGI application. Raises OSError if the address cannot be had."""
    listening = socket.create_server((host, port), backlog=1024)
    config = uvicorn.Config(app, log_config=None, access_log=False, lifespan="off", http="h11", ws="none")
    config.load()
    if tls is not None:
        config.ssl = tls
    server = _Server(config)
    task = asyncio.ensure_future(server.serve(sockets=[listening]))
    while not server.started and not task.done():
        await asyncio.sleep(0.005)
    return Http(server, task, int(listening.getsockname()[1]))
