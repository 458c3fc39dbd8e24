"""The yardstick of `bench sockets`: a central system on `ocpp` and `websockets`, validated, durable in SQLite.

It keeps every start and reading and answers after the commit of its group, as the reference CSMS does, and does nothing
else. Runs as a process of its own: `python -m scenarios.bench.library_server PORT DATABASE`. Only for measuring.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import sys
from datetime import UTC, datetime
from typing import Any

import websockets
from ocpp.routing import on
from ocpp.v16 import ChargePoint, call_result


class _Store:
    """Rows of one group, committed once per turn of the loop."""

    def __init__(self, path: str) -> None:
        self._connection = sqlite3.connect(path)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        self._connection.execute("CREATE TABLE received (station TEXT, action TEXT, body TEXT)")
        self._rows: list[tuple[str, str, str]] = []
        self._done: asyncio.Future[None] | None = None

    def keep(self, station: str, action: str, body: Any) -> asyncio.Future[None]:
        """Done when it is committed."""
        self._rows.append((station, action, json.dumps(body)))
        if self._done is None:
            loop = asyncio.get_running_loop()
            self._done = loop.create_future()
            loop.call_soon(self._commit)
        return self._done

    def _commit(self) -> None:
        rows, self._rows, done, self._done = self._rows, [], self._done, None
        self._connection.executemany("INSERT INTO received VALUES (?, ?, ?)", rows)
        self._connection.commit()
        if done is not None:
            done.set_result(None)


class _Station(ChargePoint):
    """One connection."""

    def __init__(self, name: str, socket: Any, store: _Store) -> None:
        super().__init__(name, socket)
        self._store = store

    @on("BootNotification")
    async def _boot(self, **fields: Any) -> Any:
        return call_result.BootNotification(datetime.now(UTC).isoformat(), 300, "Accepted")

    @on("StartTransaction")
    async def _start(self, **fields: Any) -> Any:
        await self._store.keep(self.id, "StartTransaction", fields)
        return call_result.StartTransaction(transaction_id=1, id_tag_info={"status": "Accepted"})

    @on("MeterValues")
    async def _meter_values(self, **fields: Any) -> Any:
        await self._store.keep(self.id, "MeterValues", fields)
        return call_result.MeterValues()


async def serve(port: int, database: str) -> None:
    """Serve until the process is ended."""
    store = _Store(database)

    async def handle(socket: Any) -> None:
        station = _Station(socket.request.path.rsplit("/", 1)[-1], socket, store)
        try:
            await station.start()
        except websockets.ConnectionClosed:
            return

    async with websockets.serve(handle, "127.0.0.1", port, subprotocols=["ocpp1.6"], compression=None):  # type: ignore[list-item]
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), sys.argv[2]))
