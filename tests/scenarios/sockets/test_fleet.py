"""A fleet against our own server: every session driven is in the books, and one that is not is named (issue 4, 3 and 7)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from fleet.profile import load_profile
from reference_csms.web.tokens import api_token
from scenarios.sockets.account import Account, account, provision
from scenarios.sockets.fleet import Fleet, FleetResult, FleetWish, station_names
from scenarios.sockets.serve import ServeWish, Where, serve
from scenarios.sockets.sheet import SITE
from scenarios.sockets.visits import Traffic, visits_of
from scenarios.targets.http import Http
from sim.errors import BadInput

SECRET = "a-token-for-tests-only-0123456789"


def charge(folder: Path, spoil: Any = None, **wish: Any) -> tuple[FleetResult, Account, list[dict[str, Any]]]:
    """Some stations charge for a while at a server in the same loop; returns figures, account and sessions driven."""

    async def run() -> tuple[FleetResult, Account, list[dict[str, Any]]]:
        up: asyncio.Future[Where] = asyncio.get_running_loop().create_future()
        stop = asyncio.Event()
        asked = ServeWish(port=0, api_port=0, tokens=(api_token("test", SECRET),))
        task = asyncio.ensure_future(serve(asked, lambda event, **said: None, up.set_result, stop))
        async with asyncio.timeout(60):
            where = await up
            given = {
                "url": where.ocpp,
                "stations": station_names("F-{n}", 4),
                "profile": load_profile("ac-duo"),
                "tokens": ("T1", "T2"),
                "traffic": Traffic(session_s=40, gap_s=5, spread_s=5),
                "for_s": 9.0,
                "quiet_s": 2.0,
                "ramp_s": 1.0,
                "pace": 20.0,
                "salt": "test",
                "state": folder,
                **wish,
            }
            fleet = Fleet(FleetWish(**given))
            with Http(where.api, SECRET) as http:
                await asyncio.to_thread(provision, http, fleet.configs(), given["tokens"], SITE)
                fleet.put_up()
                result = await fleet.run()
                await fleet.leave()
                driven = fleet.driven()
                kept = await asyncio.to_thread(
                    account, http, spoil(driven) if spoil else driven, fleet.unsettled(), fleet.began
                )
            stop.set()
            await task
        return result, kept, driven

    return asyncio.run(run())


def test_every_session_of_a_fleet_is_stored_and_billed_and_meters_go_on(tmp_path: Path) -> None:
    result, kept, driven = charge(tmp_path)
    assert result.sessions == len(driven) >= 4 and result.errors == result.lost == result.waiting == 0
    assert (kept.driven, kept.stored, kept.billed) == (len(driven),) * 3 and kept.clean
    assert result.offered == result.sent == result.answered == result.accepted
    ended = {row["station"]: row["register_stop"] for row in driven}
    _, again, later = charge(tmp_path)
    assert again.clean
    for station, register in ended.items():
        assert min(row["register_start"] for row in later if row["station"] == station) >= register


@pytest.mark.parametrize("planted", ["lost", "extra", "wrong"])
def test_a_session_that_is_missing_doubled_or_wrong_is_named(tmp_path: Path, planted: str) -> None:
    def spoil(driven: list[dict[str, Any]]) -> list[dict[str, Any]]:
        first, *rest = driven
        if planted == "lost":
            return [*driven, {**first, "connector": 2}]
        if planted == "extra":
            return rest
        return [{**first, "register_stop": first["register_stop"] + 1}, *rest]

    _, kept, driven = charge(tmp_path, spoil)
    told = {"lost": kept.lost, "extra": kept.extra, "wrong": kept.wrong}
    assert len(told.pop(planted)) == 1 and not any(told.values()) and not kept.clean
    assert driven[0]["station"] in (kept.lost or kept.extra or kept.wrong)[0]


def test_the_same_seed_brings_the_same_visits() -> None:
    def plan(seed: int) -> list[Any]:
        return list(visits_of("CS-1", (1, 2), ("T",), Traffic(), 0, 3_600_000, seed))

    assert plan(1) == plan(1) != plan(2)
    assert all(visit.arrive < visit.leave <= 3_600_000 for visit in plan(1))


@pytest.mark.parametrize("pattern", ["CS", "CS-{m}", "CS-{n"])
def test_a_pattern_that_names_nobody_apart_is_one_sentence(pattern: str) -> None:
    with pytest.raises(BadInput, match="--id"):
        station_names(pattern, 2)


def test_a_url_without_a_place_for_the_identity_is_one_sentence() -> None:
    async def run() -> None:
        Fleet(FleetWish(url="ws://127.0.0.1:1/ocpp", stations=("A",), profile=load_profile("ac-duo")))

    with pytest.raises(BadInput, match="--url"):
        asyncio.run(run())
