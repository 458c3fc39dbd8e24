"""`serve --workers`: one port, several processes that hold the sockets, one that owns the books (points 1 and 8)."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleet.profile import load_profile
from scenarios.sockets.account import account, provision
from scenarios.sockets.child import ServerChild
from scenarios.sockets.fleet import Fleet, FleetWish, station_names
from scenarios.sockets.fuzz import Client, Lost
from scenarios.sockets.sheet import SITE
from scenarios.sockets.visits import Traffic
from scenarios.targets.http import Http
from sim.runtimes.channel import Keeper, Limits

STATIONS = station_names("W-{n:02}", 12)
PATIENCE_S = 25.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerChild]:
    folder = tmp_path_factory.mktemp("workers")
    more = ("--heartbeat", "60", "--accept-unknown", "--db", f"sqlite:///{folder / 'w.sqlite'}")
    child = ServerChild(folder, ["--workers", "2", *more])
    child.start()
    yield child
    child.kill()


def workers_of(server: ServerChild) -> list[int]:
    """The processes that hold the sockets."""
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    return [int(one) for one in children if b"scenarios.sockets.front" in Path(f"/proc/{one}/cmdline").read_bytes()]


def fleet_for(server: ServerChild, tokens: tuple[str, ...] = ("K1", "K2")) -> Fleet:
    return Fleet(
        FleetWish(
            url=server.ocpp,
            stations=STATIONS,
            profile=load_profile("ac-duo"),
            tokens=tokens,
            traffic=Traffic(session_s=60, gap_s=10, spread_s=10),
            sample_s=5,
            for_s=60,
            ramp_s=0,
            pace=20,
            salt="workers",
        )
    )


async def until(true: Callable[[], bool], what: str) -> None:
    end = asyncio.get_running_loop().time() + PATIENCE_S
    while not true():
        assert asyncio.get_running_loop().time() < end, what
        await asyncio.sleep(0.02)


async def clear_caches(server: ServerChild) -> dict[str, Any]:
    """A command to each station, and what it answered."""
    headers = {"Authorization": f"Bearer {server.token}"}
    async with httpx.AsyncClient(base_url=server.api, headers=headers, timeout=PATIENCE_S) as api:
        answers = await asyncio.gather(*(api.post(f"/operations/{one}/ClearCache", json={}) for one in STATIONS))
    return {one: (answer.status_code, answer.json()) for one, answer in zip(STATIONS, answers, strict=True)}


def test_commands_reach_stations_at_every_worker_and_the_death_of_one_loses_nothing(server: ServerChild) -> None:
    one_worker_dies(server)


@pytest.mark.postgres
def test_the_same_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    child = ServerChild(tmp_path, ["--workers", "2", "--heartbeat", "60", "--db", postgres_url])
    child.start()
    try:
        one_worker_dies(child)
        assert child.stop() == 0
    finally:
        child.kill()


def one_worker_dies(server: ServerChild) -> None:
    async def play() -> None:
        fleet = fleet_for(server)
        with Http(server.api, server.token) as http:
            await asyncio.to_thread(provision, http, fleet.configs(), fleet.wish.tokens, SITE)
        fleet.put_up()
        running = asyncio.ensure_future(fleet.run())
        boots, readings = fleet.lines.ledger.of("BootNotification"), fleet.lines.ledger.of("MeterValues")
        await until(lambda: boots.accepted == len(STATIONS) and readings.answered > 20, "the fleet charges")
        reached = await clear_caches(server)
        assert all(status == 200 and answer == {"status": "Accepted"} for status, answer in reached.values()), reached

        before, opened = workers_of(server), fleet.lines.counts["opened"]
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        await until(lambda: fleet.lines.alive() < len(STATIONS), "who was at the dead worker hears of it")
        assert fleet.lines.alive() > 0, "both workers had stations"
        await until(lambda: fleet.lines.alive() == len(STATIONS), "they come again elsewhere")
        assert opened < fleet.lines.counts["opened"] < opened + len(STATIONS)
        reached = await clear_caches(server)
        assert all(status == 200 and answer == {"status": "Accepted"} for status, answer in reached.values()), reached
        await until(lambda: len(workers_of(server)) == 2 and before[0] not in workers_of(server), "another one comes")

        fleet.close()
        await until(fleet.settled, "everybody leaves and every message is delivered")
        fleet.world.stop()
        await running
        await fleet.leave()
        with Http(server.api, server.token) as http:
            kept = await asyncio.to_thread(account, http, fleet.driven(), fleet.unsettled(), fleet.began, 20)
        assert kept.clean, kept
        assert kept.driven >= len(STATIONS), "sessions ended before and after"

    asyncio.run(play())


def test_a_newer_connection_wins_whichever_worker_has_it(server: ServerChild) -> None:
    async def play() -> None:
        keeper, clients = Keeper(Limits()), []
        url = server.ocpp.replace("{id}", "TWICE")
        for number in range(8):  # dealt out by the system: all at one worker once in 128 runs
            client = Client(url, keeper)
            await client.up(PATIENCE_S)
            clients.append(client)
            heartbeat = f'[2,"{number}","BootNotification",{{"chargePointVendor":"v","chargePointModel":"m"}}]'
            answer = await client.ask(str(number), heartbeat.encode(), PATIENCE_S)
            assert answer is not None and answer[2]["status"] == "Accepted"
        *older, newest = clients
        await until(lambda: all(one.over is not None for one in older), "the older ones are closed")
        assert newest.over is None and {str(one.over) for one in older} == {"1000 replaced by a newer connection"}
        keeper.cut_all("the test is over")

    asyncio.run(play())


def test_a_handshake_is_judged_by_the_core(server: ServerChild) -> None:
    async def play() -> None:
        client = Client(server.ocpp.replace("{id}", "LOCKED"), Keeper(Limits()), ("LOCKED", b"not the password at all"))
        with Http(server.api, server.token) as http:
            row = {"station": "LOCKED", "site": SITE, "password": "0123456789abcdef"}
            await asyncio.to_thread(http.post_json, "/stations", {"rows": [row]})
        with pytest.raises(Lost, match="401"):
            await client.up(PATIENCE_S)

    asyncio.run(play())


def test_all_processes_end_together(server: ServerChild) -> None:
    workers = workers_of(server)
    assert len(workers) == 2
    assert server.stop() == 0, "SIGTERM ends it cleanly"
    assert gone(workers)
    server.start()
    workers = workers_of(server)
    server.kill()
    assert gone(workers), "without its core no worker stays"


def gone(processes: list[int]) -> bool:
    """Whether all of them end."""
    until_s = time.monotonic() + PATIENCE_S
    while any(Path(f"/proc/{one}").exists() for one in processes) and time.monotonic() < until_s:
        time.sleep(0.02)
    return not any(Path(f"/proc/{one}").exists() for one in processes)
