"""A rig of OCPP 2.0.1 and one of 1.6 on real sockets at one served back-end: the version is chosen in each handshake."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import httpx

from fleet.profile import load_profile
from fleet.rig import Rig, RigConfig, meters_of
from reference_csms.web.tokens import api_token
from scenarios.sockets.serve import ServeWish, Where, serve
from scenarios.sockets.sheet import SITE, default_sheet
from sim.machine import Command
from sim.runtimes.aio import AioWorld, Clock
from sim.runtimes.aio_lines import Lines
from sim.runtimes.channel import Keeper, Limits

SECRET = "a-token-for-tests-only-0123456789"
VERSIONS = {"CS-16": "ac-duo", "CS-201": "ac-nova"}


class Notes:
    """A wire and a truth that only count: what these say is tested elsewhere."""

    def __init__(self) -> None:
        self.spoken: dict[str, str | None] = {}

    def note(self, kind: str, fields: dict[str, Any]) -> None: ...

    def frame(self, *row: Any) -> None: ...

    def link_opened(self, at: int, station: str, backend: str, link: int, subprotocol: str | None) -> None:
        self.spoken[station] = subprotocol

    def link_closed(self, *row: Any) -> None: ...


def config(station: str, url: str) -> RigConfig:
    profile = load_profile(VERSIONS[station])
    return RigConfig(
        station=station, site=SITE, profile=profile, connectors=(1,), url=url, seed=3, max_power_w=11_000, salt="s"
    )


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.02)


async def charged(where: Where, notes: Notes) -> list[dict[str, Any]]:
    """Both rigs charge for a moment, each in its version; returns the sessions that the records show."""
    clock = Clock(pace=20.0)
    world = AioWorld(clock, notes, Lines(clock.now, notes, Keeper(Limits())))
    rigs = {name: Rig(config(name, where.ocpp.removesuffix("/{id}")), clock.now()) for name in VERSIONS}

    class Driver:
        def __init__(self) -> None:
            self.texts: list[str] = []

        def handle(self, event: Any, now: Any) -> list[Any]:
            self.texts.append(event.args["text"])
            return []

        def next_deadline(self) -> None:
            return None

    drivers = {name: Driver() for name in rigs}
    for name, rig in rigs.items():
        world.add(f"rig:{name}", rig)
        world.add(f"driver:{name}", drivers[name])
    running = asyncio.ensure_future(world.run(clock.now().__class__(clock.now() + 3_600_000)))
    try:
        await until(lambda: all(rig.station is not None and rig.station.desk.accepted for rig in rigs.values()))
        for name in rigs:
            wish = {"connector": 1, "visit_id": name, "energy_wh": 5_000, "power_w": 11_000, "driver": f"driver:{name}"}
            world.send_command(f"rig:{name}", Command("plug", wish))
            world.send_command(f"rig:{name}", Command("swipe", {"connector": 1, "token": "T1"}))
        await until(lambda: all("charging" in driver.texts for driver in drivers.values()))
        for name in rigs:
            world.send_command(f"rig:{name}", Command("swipe", {"connector": 1, "token": "T1"}))
        await until(lambda: all("finished" in driver.texts for driver in drivers.values()))
        async with httpx.AsyncClient(headers={"Authorization": f"Bearer {SECRET}"}) as client:
            async with asyncio.timeout(10):
                while True:
                    rows: list[dict[str, Any]] = (await client.get(where.api + "/sessions")).json()["rows"]
                    if len(rows) == 2 and all(row["state"] != "open" for row in rows):
                        return rows
                    await asyncio.sleep(0.05)
    finally:
        world.stop()
        await running


def test_rigs_of_both_versions_charge_at_one_served_back_end() -> None:
    notes = Notes()
    names = [*VERSIONS]
    meters = [{**meter, "station": name} for name in names for meter in meters_of(config(name, "ws://x"))]
    sheet = {
        **default_sheet(),
        "stations": [{"station": name, "site": SITE, "power_w": 22_000} for name in names],
        "tokens": [{"token": "T1", "customer": "C1"}],
        "meters": meters,
    }
    found: list[dict[str, Any]] = []

    async def run() -> Any:
        up: asyncio.Future[Where] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        wish = ServeWish(port=0, api_port=0, tokens=(api_token("test", SECRET),), sheet=sheet)
        task = asyncio.ensure_future(serve(wish, lambda event, **said: None, up.set_result, stop))
        try:
            async with asyncio.timeout(30):
                found.extend(await charged(await up, notes))
        finally:
            stop.set()
            served = await task
        return served

    served = asyncio.run(run())
    assert served.failure is None
    assert notes.spoken == {"CS-16": "ocpp1.6", "CS-201": "ocpp2.0.1"}
    by_station = {row["station"]: row for row in found}
    assert {name: type(row["transaction_id"]) for name, row in by_station.items()} == {"CS-16": int, "CS-201": str}
    assert {row["state"] for row in found} <= {"billed", "free"}, found
