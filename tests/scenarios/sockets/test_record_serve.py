"""Record and replay with our own `serve` behind them: the same server says the same, another one exactly what differs."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from scenarios.sockets.serve import ServeWish, Where, serve
from scenarios.sockets.sheet import SITE
from sim.evidence.compared import Comparison
from sim.evidence.recording import Recording
from sim.evidence.sameness import Ignore
from sim.evidence.script import read_script
from sim.evidence.wire import WireFile
from sim.runtimes.proxy import Ends, Proxy
from sim.runtimes.replay import Replay, Wish
from tests.sim.runtimes.peers import lines, station

NAMES = ("CS-1", "CS-2", "CS-3")
PASSWORD = "00112233445566778899aabbccddeeff"


def sheet(**status: str) -> dict[str, list[dict[str, Any]]]:
    stations = [{"station": name, "site": SITE, "power_w": 22_000, "password": PASSWORD} for name in NAMES]
    tokens = [{"token": f"T-{name}", "customer": name, "status": status.get(name[-1:], "Accepted")} for name in NAMES]
    return {"stations": stations, "tokens": tokens}


class Server:
    """Our own server while a test runs."""

    def __init__(self, **wish: Any) -> None:
        self._wish = ServeWish(**{"port": 0, "api_port": 0, "least": 1, "sheet": sheet(), **wish})
        self._stop = asyncio.Event()

    async def __aenter__(self) -> str:
        up: asyncio.Future[Where] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(serve(self._wish, lambda event, **said: None, up.set_result, self._stop))
        async with asyncio.timeout(20):
            await asyncio.wait([self._task, up], return_when="FIRST_COMPLETED")
        if not up.done():
            self._task.result()
        return up.result().ocpp.removesuffix("/ocpp/{id}")

    async def __aexit__(self, *error: object) -> None:
        self._stop.set()
        served = await self._task
        assert served.failure is None


def test_three_stations_through_the_proxy_and_then_at_other_servers(tmp_path: Path) -> None:
    trace = tmp_path / "t.jsonl.zst"

    async def replayed(**wish: Any) -> Comparison:
        async with Server(**wish) as url:
            return await Replay(read_script(trace), Wish(f"{url}/ocpp", seconds=5), Ignore(())).run()

    async def run() -> tuple[Comparison, Comparison]:
        async with Server() as url, AsyncExitStack() as stack:
            recording = Recording(WireFile(trace, private=True), "serve")
            proxy = await stack.enter_async_context(Proxy(Ends("127.0.0.1", 0, url), recording))
            for name in NAMES:
                async with station(proxy.port, name, PASSWORD) as one:
                    await one.session(f"T-{name}")
        return await replayed(), await replayed(heartbeat_s=77, sheet=sheet(**{"2": "Blocked"}))

    same, other = asyncio.run(run())
    assert len(lines(trace, "open")) == 3
    assert (same.compared, same.unanswered, same.differences) == (15, 0, [])
    assert not same.problems
    told = sorted((one.station, one.action, one.path, one.recorded, one.new) for one in other.differences)
    assert told == sorted(
        [
            *((name, "BootNotification", "$.interval", 300, 77) for name in NAMES),
            ("CS-2", "Authorize", "$.idTagInfo.status", "Accepted", "Blocked"),
            ("CS-2", "StartTransaction", "$.idTagInfo.status", "Accepted", "Blocked"),
            ("CS-2", "StopTransaction", "$.idTagInfo.status", "Accepted", "Blocked"),
        ]
    )
