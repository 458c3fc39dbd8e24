"""A fleet against our own server: every session driven is in the books, and one that is not is named (issue 4, 3 and 7)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
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


Spoil = Callable[[list[dict[str, Any]]], list[dict[str, Any]]]


def charge(
    folder: Path, *spoils: Spoil, **wish: Any
) -> tuple[FleetResult, Account, list[dict[str, Any]], list[Account]]:
    """Some stations charge for a while at a server in the same loop; returns figures, account and sessions driven.

    And the account of these sessions as each of `spoils` leaves them.
    """

    async def run() -> tuple[FleetResult, Account, list[dict[str, Any]], list[Account]]:
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
                kept, *others = [
                    await asyncio.to_thread(account, http, told, fleet.unsettled(), fleet.began)
                    for told in (driven, *(spoil(driven) for spoil in spoils))
                ]
            stop.set()
            await task
        return result, kept, driven, others

    return asyncio.run(run())


def test_every_session_of_a_fleet_is_stored_and_billed_and_meters_go_on(tmp_path: Path) -> None:
    result, kept, driven, _ = charge(tmp_path)
    assert result.sessions == len(driven) >= 4 and result.errors == result.lost == result.waiting == 0
    assert (kept.driven, kept.stored, kept.billed) == (len(driven),) * 3 and kept.clean
    assert result.offered == result.sent == result.answered == result.accepted
    ended = {row["station"]: row["register_stop"] for row in driven}
    _, again, later, _ = charge(tmp_path)
    assert again.clean
    for station, register in ended.items():
        assert min(row["register_start"] for row in later if row["station"] == station) >= register


def test_a_session_that_is_missing_doubled_or_wrong_is_named(tmp_path: Path) -> None:
    planted: dict[str, Spoil] = {
        "lost": lambda driven: [*driven, {**driven[0], "connector": 2}],
        "extra": lambda driven: driven[1:],
        "wrong": lambda driven: [{**driven[0], "register_stop": driven[0]["register_stop"] + 1}, *driven[1:]],
    }
    _, healthy, driven, accounts = charge(tmp_path, *planted.values())
    assert healthy.clean
    for name, kept in zip(planted, accounts, strict=True):
        told = {"lost": kept.lost, "extra": kept.extra, "wrong": kept.wrong}
        assert len(told.pop(name)) == 1 and not any(told.values()) and not kept.clean
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
