"""Nothing that was acknowledged is lost when the server dies in the middle of load, or its database does (issue 4, point 8).

A killed process proves nothing about a loss of power; for that see `--full-sync`.
"""

from __future__ import annotations

import asyncio
import random
import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fleet.profile import load_profile
from reference_csms import assemble
from reference_csms.backend import ReferenceCsms
from reference_csms.storage.open import close_store
from scenarios.cli_run import OWN_FAILURE
from scenarios.sockets.account import account, provision
from scenarios.sockets.child import ChildFailed, ServerChild
from scenarios.sockets.fleet import Fleet, FleetWish, station_names
from scenarios.sockets.serve import NAME
from scenarios.sockets.sheet import SITE
from scenarios.sockets.visits import Traffic
from scenarios.targets.http import Http
from sim.backend import Setup
from sim.evidence.wire import read_wire
from tests.postgres import Cluster

PACE = 20.0
STATIONS = 12
DELIVERY_S = 45
LONGEST_S = 300


async def until(true: Callable[[], bool]) -> None:
    """Wait for it, or for as long as a delivery may take."""
    last = asyncio.get_running_loop().time() + DELIVERY_S
    while not true() and asyncio.get_running_loop().time() < last:
        await asyncio.sleep(0.05)


async def play(
    server: ServerChild, wish: FleetWish, blows: Sequence[Callable[[ServerChild], None]], draw: random.Random
) -> tuple[Fleet, Any]:
    """A fleet that charges while the server is ended again and again, then time to deliver what is left."""
    fleet = Fleet(wish)
    with Http(server.api, server.token) as http:
        await asyncio.to_thread(provision, http, fleet.configs(), wish.tokens, SITE)
    fleet.put_up()
    running = asyncio.ensure_future(fleet.run())
    for blow in blows:
        await asyncio.sleep(0.3 + draw.random())
        await asyncio.to_thread(blow, server)
        await asyncio.to_thread(server.start)
    await until(lambda: len(fleet.driven()) >= STATIONS or running.done())
    fleet.close()
    await until(lambda: fleet.settled() or running.done())
    fleet.world.stop()
    await running
    await fleet.leave()
    with Http(server.api, server.token) as http:
        kept = await asyncio.to_thread(account, http, fleet.driven(), fleet.unsettled(), fleet.began)
    return fleet, kept


def acknowledged(wire: Path) -> dict[str, set[tuple[str, str]]]:
    """Every call of a station that was answered with a result: (station, id) by action."""
    called: dict[tuple[str, str], str] = {}
    answered: dict[str, set[tuple[str, str]]] = {}
    for line in read_wire(wire):
        if line.w not in ("up", "down"):
            continue
        message = msgspec.json.decode(line.f)
        if line.w == "up" and message[0] == 2:
            called[line.s, message[1]] = message[2]
        elif line.w == "down" and message[0] == 3 and (line.s, message[1]) in called:
            answered.setdefault(called[line.s, message[1]], set()).add((line.s, message[1]))
    return answered


def end_and_compare(
    folder: Path, blows: Sequence[Callable[[ServerChild], None]], seed: int, store: str | None = None
) -> None:
    store = store or f"sqlite:///{folder / 'books.sqlite'}"
    server = ServerChild(folder, ["--db", store])
    wire = folder / "wire.jsonl.zst"
    wish = FleetWish(
        url=f"ws://127.0.0.1:{server.port}/ocpp/{{id}}",
        stations=station_names("K-{n}", STATIONS),
        profile=load_profile("ac-duo"),
        tokens=("K1", "K2", "K3"),
        traffic=Traffic(session_s=40, gap_s=10),
        sample_s=5,
        for_s=LONGEST_S,
        ramp_s=1,
        pace=PACE,
        seed=seed,
        salt=f"kill-{seed}",
        wire=wire,
    )
    server.start()
    try:
        fleet, kept = asyncio.run(play(server, wish, blows, random.Random(seed)))
        assert server.stop() == 0
    finally:
        server.kill()
    assert fleet.unsettled() == [], "the test has to give every station time to deliver"
    assert kept.driven >= STATIONS and kept.clean, kept
    assert kept.billed == kept.stored, kept
    setup = Setup(name=NAME, seed=0, provision={}, options={"store": store, "store_kept": True, "keep_all": True})
    backend = assemble(setup)
    told = acknowledged(wire)
    assert {"StartTransaction", "StopTransaction", "StatusNotification", "MeterValues"} <= told.keys()
    stored = received(backend, wish.stations)
    for action in ("StatusNotification", "MeterValues"):
        assert told[action] - stored == set(), f"{action} acknowledged and not kept"
    close_store(setup)


def received(backend: ReferenceCsms, stations: tuple[str, ...]) -> set[tuple[str, str]]:
    """(station, id) of every message kept."""
    assert backend.keeping is not None
    return {(name, msgspec.json.decode(row["frame"])[1]) for name in stations for row in backend.keeping.of(name)}


def test_ten_deaths_in_the_middle_of_load_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    end_and_compare(tmp_path, [ServerChild.kill] * 10, seed=1)


def gave_up(server: ServerChild, sentence: str) -> None:
    """It ended by itself: exit code 3, and one sentence in its log that says why and shows no statement."""
    assert server.ended() == OWN_FAILURE
    told = [line for line in server.log().splitlines() if "the database failed" in line]
    assert any(sentence in line for line in told), server.log()
    assert not any(word in server.log() for word in ("Traceback", "INSERT", "UPDATE", "[SQL"))


def test_a_file_that_cannot_grow_any_more_ends_the_server_and_loses_nothing(tmp_path: Path) -> None:
    def full(server: ServerChild) -> None:
        """No file of this process grows any more: the next write to the database fails in the middle."""
        wal = tmp_path / "books.sqlite-wal"
        now = wal.stat().st_size + 3000  # within a page: a part of the group is written, the rest is not
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (now, now))
        gave_up(server, "disk I/O error")

    end_and_compare(tmp_path, [full, full], seed=7)


@pytest.mark.postgres(own=True)
def test_a_database_server_that_stops_ends_the_server_and_loses_nothing(tmp_path: Path) -> None:
    cluster = Cluster(own=True)

    def away(server: ServerChild) -> None:
        cluster.stop()
        gave_up(server, "server closed the connection unexpectedly")
        with pytest.raises(ChildFailed, match="the database cannot be opened"):
            server.start()
        cluster.start()

    try:
        end_and_compare(tmp_path, [away], seed=8, store=cluster.schema())
    finally:
        cluster.remove()


@pytest.mark.postgres
def test_three_deaths_lose_nothing_on_postgres(tmp_path: Path, postgres_url: str) -> None:
    end_and_compare(tmp_path, [ServerChild.kill] * 3, seed=1, store=postgres_url)


@pytest.mark.slow
@pytest.mark.postgres
@pytest.mark.parametrize("seed", [2, 3])
def test_fifty_deaths_lose_nothing_on_postgres(tmp_path: Path, postgres_url: str, seed: int) -> None:
    end_and_compare(tmp_path, [ServerChild.kill] * 25, seed=seed, store=postgres_url)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [2, 3])
def test_fifty_deaths_lose_nothing(tmp_path: Path, seed: int) -> None:
    end_and_compare(tmp_path, [ServerChild.kill] * 25, seed=seed)
