"""Storms: everybody cut at once, the same names again and again, everybody starting together. Nothing is lost (point 10)."""

from __future__ import annotations

import asyncio
import re
import resource
import time
from pathlib import Path
from statistics import median
from typing import Any

import httpx
import msgspec
import pytest
from msgspec.structs import replace

from fleet.profile import load_profile
from scenarios.sockets.account import Account, account, provision
from scenarios.sockets.child import ServerChild
from scenarios.sockets.fleet import Fleet, FleetWish, station_names
from scenarios.sockets.fuzz import Client, gone
from scenarios.sockets.serve import Where
from scenarios.sockets.sheet import SITE
from scenarios.sockets.visits import Traffic
from scenarios.targets.http import Http
from sim.clock import Instant, iso
from sim.runtimes.aio import Clock
from sim.runtimes.websocket import Keeper, Limits
from tests.scenarios.sockets.test_serve import get, serving, url

TIME_OUT_S = 30.0
MANY = 1_000
"""Stations of the large storm and of the held fleet. With 5,000 the fleet's own loop was late here before the server was."""
REPLIES_P99_MS = 5_000
BACK_AFTER_S = 120
LEAST_DRIVEN = 0.4
"""The least sessions that a storm is made for, by station."""
BACK_OFF_S = 3, 15
"""Back-off and jitter together, of the small storm and of the large one."""


class Storm(msgspec.Struct):
    """What was measured of one storm. Seconds from the cut until each station was back; memory in MB."""

    back: list[float]
    p99_ms: float
    lag_ms: float
    kept: Account
    shed: int
    unsettled: list[str]
    dials: int
    fleet_mb: float
    server_mb: float
    server_lag_ms: float

    def told(self) -> str:
        """For whoever reads the log of the slow tests."""
        back = f"back: median {median(self.back):.2f} s, slowest {self.back[-1]:.2f} s; " if self.back else ""
        lags = f"lag of the fleet {self.lag_ms:.0f} ms, of the server {self.server_lag_ms:.0f} ms; "
        memory = f"fleet {self.fleet_mb:.0f} MB, server {self.server_mb:.0f} MB; "
        return f"{back}p99 {self.p99_ms:.0f} ms; {lags}{memory}shed {self.shed}; {self.kept}"


def wish_for(
    server: ServerChild, count: int, ramp_s: float, session_s: float, pace: float, back_off_s: int
) -> FleetWish:
    profile = load_profile("ac-duo")
    wait_s = int(back_off_s * pace / 3)
    reconnect = replace(profile.reconnect, wait_min_s=wait_s, random_s=2 * wait_s)
    return FleetWish(
        url=f"ws://127.0.0.1:{server.port}/ocpp/{{id}}",
        stations=station_names("S-{n:05}", count),
        profile=replace(profile, reconnect=reconnect),
        tokens=("K1", "K2", "K3"),
        traffic=Traffic(session_s=session_s, gap_s=10 * session_s, spread_s=ramp_s * pace),
        sample_s=30,
        for_s=280,
        ramp_s=ramp_s * pace,
        pace=pace,
        salt="storm",
    )


async def storm(server: ServerChild, wish: FleetWish, charge_s: float, settle_s: float, cut: bool = True) -> Storm:
    """Charge, cut all at one moment (or none), wait for all, let them finish, look into the books."""
    fleet, loop = Fleet(wish), asyncio.get_running_loop()
    with Http(server.api, server.token) as http:
        await asyncio.to_thread(provision, http, fleet.configs(), wish.tokens, SITE)
    back: dict[str, float] = {}
    cut_at: list[float] = []
    came = fleet.lines.up

    def up(link: Any, *rest: Any) -> None:
        came(link, *rest)
        if cut_at:
            back.setdefault(link.station, time.perf_counter() - cut_at[0])

    fleet.lines.up = up  # type: ignore[method-assign]
    fleet.put_up()
    running = asyncio.ensure_future(fleet.run())

    async def until(wanted: Any, seconds: float) -> None:
        end = loop.time() + seconds
        while not wanted() and loop.time() < end and not running.done():
            await asyncio.sleep(0.05)

    await until(lambda: fleet.lines.alive() == len(wish.stations), 60 + 2 * wish.ramp_s / wish.pace)
    assert fleet.lines.alive() == len(wish.stations), "the fleet has to be up before it can be cut"
    await asyncio.sleep(charge_s)
    await until(lambda: sessions_of(fleet) >= LEAST_DRIVEN * len(wish.stations), 60)  # a late loop begins them late
    if cut:
        cut_at.append(time.perf_counter())
        for station in wish.stations:
            fleet.world.line(station).reset()
        await until(lambda: len(back) == len(wish.stations), BACK_OFF_S[1] + BACK_AFTER_S)
    fleet.close()
    await until(fleet.settled, settle_s)
    fleet.world.stop()
    result = await running
    await fleet.leave()
    patience_s = 30 + len(wish.stations) / 25  # bills are written 50 a second at most
    with Http(server.api, server.token) as http:
        kept = await asyncio.to_thread(account, http, fleet.driven(), fleet.unsettled(), fleet.began, patience_s)
    shed = int(gauge(server, "chargerig_shed_total"))
    return Storm(
        back=sorted(back.values()),
        p99_ms=result.p99_ms,
        lag_ms=result.lag_worst_ms,
        kept=kept,
        shed=shed,
        unsettled=fleet.unsettled(),
        dials=result.dials,
        fleet_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000,
        server_mb=memory_mb(server),
        server_lag_ms=gauge(server, "chargerig_loop_lag_seconds") * 1_000,
    )


def sessions_of(fleet: Fleet) -> int:
    """How many have ended or are under way."""
    charging = [outlet for rig in fleet.rigs.values() for outlet in rig.board.outlets.values() if outlet.ev is not None]
    return len(fleet.driven()) + len(charging)


def gauge(server: ServerChild, name: str) -> float:
    """One figure of the server's metrics."""
    answer = httpx.get(server.api + "/metrics", headers={"Authorization": f"Bearer {server.token}"}, timeout=30)
    return float(re.findall(rf"^{name} (.*)$", answer.text, re.MULTILINE)[0])


def memory_mb(server: ServerChild) -> float:
    """What the server process holds now; 0 where the system does not tell."""
    assert server._process is not None
    status = Path(f"/proc/{server._process.pid}/status")
    text = status.read_text() if status.exists() else "VmRSS: 0 kB"
    return int(re.findall(r"VmRSS:\s*(\d+) kB", text)[0]) / 1000


def weathered(found: Storm, count: int, back_off_s: int) -> None:
    """The bounds of point 10. How many sessions a late fleet drove is no bound: each of them has to be in the books."""
    assert len(found.back) == count
    assert found.back[-1] <= back_off_s + BACK_AFTER_S
    assert found.back[-1] <= 3 * median(found.back), (median(found.back), found.back[-1])
    assert found.p99_ms <= REPLIES_P99_MS + found.lag_ms, "the lag of the stations themselves is not the server's"
    assert found.unsettled == []
    assert found.kept.clean and found.kept.driven >= LEAST_DRIVEN * count, found.kept
    assert found.kept.billed == found.kept.stored


def test_three_hundred_stations_cut_at_once_come_back_and_lose_nothing(tmp_path: Path) -> None:
    server = ServerChild(tmp_path, ["--db", f"sqlite:///{tmp_path / 'books.sqlite'}"])
    server.start()
    try:
        found = asyncio.run(storm(server, wish_for(server, 300, 1, 40, 10.0, BACK_OFF_S[0]), charge_s=2, settle_s=40))
        assert server.stop() == 0
    finally:
        server.kill()
    print(found.told())
    weathered(found, 300, BACK_OFF_S[0])
    assert found.shed == 0


def test_a_storm_on_a_server_with_too_little_room_is_shed_and_told_and_loses_nothing(tmp_path: Path) -> None:
    """60 stations at a door for 40: the others hear 503 and come again when somebody has left."""

    async def run(server: ServerChild) -> tuple[int, int]:
        keeper = Keeper(Limits())
        waiting = [Client(f"ws://127.0.0.1:{server.port}/ocpp/W-{n}", keeper) for n in range(60)]
        refused = 0
        inside: list[Client] = []
        for client in waiting:
            try:
                await client.up(TIME_OUT_S)
                inside.append(client)
            except ConnectionError as err:
                refused += "503" in str(err)
        for number, client in enumerate(inside):
            answer = await client.ask(f"b{number}", boot(f"b{number}"), TIME_OUT_S)
            assert answer is not None and answer[2]["status"] == "Accepted"
        await gone(keeper)
        return len(inside), refused

    server = ServerChild(tmp_path, ["--db", "memory", "--accept-unknown", "--max-connections", "40"])
    server.start()
    try:
        assert asyncio.run(run(server)) == (40, 20)
        assert gauge(server, "chargerig_shed_total") == 20
        assert server.stop() == 0
    finally:
        server.kill()


@pytest.mark.slow
def test_a_thousand_stations_cut_at_once_come_back(tmp_path: Path) -> None:
    server = ServerChild(tmp_path, ["--db", f"sqlite:///{tmp_path / 'books.sqlite'}"])
    server.start()
    try:
        found = asyncio.run(storm(server, wish_for(server, MANY, 20, 60, 1.0, BACK_OFF_S[1]), charge_s=5, settle_s=120))
        assert server.stop() == 0
    finally:
        server.kill()
    print(found.told())
    weathered(found, MANY, BACK_OFF_S[1])


@pytest.mark.slow
def test_a_thousand_stations_held_and_charging_are_all_billed(tmp_path: Path) -> None:
    """One fleet process, one server process (speed, last point)."""
    server = ServerChild(tmp_path, ["--db", f"sqlite:///{tmp_path / 'books.sqlite'}"])
    server.start()
    try:
        wish = wish_for(server, MANY, 30, 45, 1.0, BACK_OFF_S[1])
        found = asyncio.run(storm(server, wish, charge_s=wish.ramp_s + 5, settle_s=120, cut=False))
        assert server.stop() == 0
    finally:
        server.kill()
    print(found.told())
    assert found.unsettled == [] and found.kept.clean, found.kept
    assert found.kept.driven == found.kept.stored == found.kept.billed >= 0.5 * MANY


# -- by hand ----------------------------------------------------------------------------------------------------------------


def frame(id: str, action: str, payload: dict[str, Any]) -> bytes:
    return msgspec.json.encode([2, id, action, payload])


def boot(id: str) -> bytes:
    return frame(id, "BootNotification", {"chargePointModel": "m", "chargePointVendor": "v"})


def start(id: str, at: Instant) -> bytes:
    return frame(id, "StartTransaction", {"connectorId": 1, "idTag": "T1", "meterStart": 0, "timestamp": iso(at)})


async def stop(client: Client, number: int, at: Instant) -> None:
    payload = {"transactionId": number, "meterStop": 1_000, "timestamp": iso(at + 60_000)}
    answer = await client.ask("e", frame("e", "StopTransaction", payload), TIME_OUT_S)
    assert answer is not None and answer[0] == 3


async def sessions(where: Where) -> list[tuple[str, int]]:
    rows = (await get(where, "/sessions?limit=1000"))["rows"]
    return sorted((row["station"], row["energy_wh"]) for row in rows)


def test_the_same_names_eight_times_in_a_second_get_one_session_each() -> None:
    """Each time cut without a goodbye while the answer to the same StartTransaction is under way."""

    async def one(where: Where, name: str, at: Instant, keeper: Keeper) -> None:
        for round in range(8):
            client = Client(url(where, name), keeper)
            await client.up(TIME_OUT_S)
            client.send(boot(f"b{round}"))
            client.send(start(f"s{round}", at))
            await asyncio.sleep(0.01 * (round % 3))
            assert client.socket is not None
            client.socket.cut("the network")
        client = Client(url(where, name), keeper)
        await client.up(TIME_OUT_S)
        answer = await client.ask("last", start("last", at), TIME_OUT_S)
        assert answer is not None
        await stop(client, answer[2]["transactionId"], at)

    async def test(where: Where, stop: asyncio.Event) -> None:
        keeper, at = Keeper(Limits()), Clock().now()
        names = [f"AGAIN-{n}" for n in range(20)]
        await asyncio.gather(*(one(where, name, at, keeper) for name in names))
        await gone(keeper)
        assert await sessions(where) == sorted((name, 1_000) for name in names)

    served = serving(test, accept_unknown=True)
    assert served.failure is None and served.handshakes == {101: 180}


def test_messages_sent_between_a_boot_and_its_answer_are_not_lost() -> None:
    """Nobody waits for the answer to the first boot of a station that is new here."""

    async def one(where: Where, name: str, at: Instant, keeper: Keeper) -> int:
        client = Client(url(where, name), keeper)
        await client.up(TIME_OUT_S)
        client.send(boot("b"))
        status = {"connectorId": 1, "errorCode": "NoError", "status": "Preparing"}
        client.send(frame("n", "StatusNotification", status))
        answer = await client.ask("s", start("s", at), TIME_OUT_S)
        assert client.answers["b"][0][2]["status"] == "Accepted" and client.answers["n"][0] == [3, "n", {}]
        assert answer is not None and answer[2]["idTagInfo"]["status"] == "Accepted"
        await stop(client, answer[2]["transactionId"], at)
        return int(answer[2]["transactionId"])

    async def test(where: Where, stop: asyncio.Event) -> None:
        keeper, at = Keeper(Limits()), Clock().now()
        names = [f"HASTY-{n}" for n in range(50)]
        numbers = await asyncio.gather(*(one(where, name, at, keeper) for name in names))
        await gone(keeper)
        assert len(set(numbers)) == 50
        assert await sessions(where) == sorted((name, 1_000) for name in names)
        rows = (await get(where, "/stations"))["rows"]
        shown = {
            row["station"]: msgspec.json.decode(row["data"])["statuses"]["1"][0]
            for row in rows
            if row["station"] in names
        }
        assert shown == dict.fromkeys(names, "Preparing")

    assert serving(test, accept_unknown=True).failure is None


@pytest.mark.parametrize(
    "count", [300, pytest.param(1_000, marks=pytest.mark.slow)], ids=["three-hundred", "a-thousand"]
)
def test_simultaneous_starts_lose_nothing(tmp_path: Path, count: int) -> None:
    async def test(where: Where, ended: asyncio.Event) -> None:
        keeper, at = Keeper(Limits()), Clock().now()
        names = [f"TOGETHER-{n}" for n in range(count)]
        clients = [Client(url(where, name), keeper) for name in names]
        for client in clients:
            await client.up(TIME_OUT_S)
            await client.ask("b", boot("b"), TIME_OUT_S)
        answers = await asyncio.gather(*(client.ask("s", start("s", at), TIME_OUT_S) for client in clients))
        numbers = [answer[2]["transactionId"] for answer in answers if answer is not None]
        assert len(set(numbers)) == count
        pairs = zip(clients, numbers, strict=True)
        await asyncio.gather(*(stop(client, number, at) for client, number in pairs))
        await gone(keeper)
        assert await sessions(where) == sorted((name, 1_000) for name in names)

    assert serving(test, accept_unknown=True, store=f"sqlite:///{tmp_path / 'books.sqlite'}").failure is None
