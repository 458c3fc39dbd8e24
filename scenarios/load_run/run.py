"""A whole load: stations made known, Locust let loose, the books read afterwards, everything judged and written down."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from scenarios.load_run.children import Team, play
from scenarios.load_run.course import Point, points
from scenarios.load_run.plan import LoadPlan, station_names
from scenarios.load_run.result import RESULT_FILE, LoadResult, result_of
from scenarios.load_run.thresholds import Threshold, judge
from scenarios.load_run.wish import wish_of
from scenarios.sockets.account import Account, account, provision
from scenarios.sockets.fleet import config_of
from scenarios.sockets.sheet import SITE
from scenarios.sockets.variables import TOKEN
from scenarios.targets.http import Http
from sim.clock import Instant
from sim.errors import BadInput
from sim.evidence.verdict import overall


class LoadWish(Struct, frozen=True, kw_only=True):
    """What a user wants: the plan, how many users, how fast they come (a second), the processes, when it has failed."""

    plan: LoadPlan
    users: int
    spawn_rate: float
    team: Team = Team()
    thresholds: tuple[Threshold, ...] = ()
    baseline: LoadResult | None = None


def load(wish: LoadWish, folder: Path, tell: Callable[[Point], None]) -> LoadResult:
    """Let it happen and judge it; result.json lies in the folder. Raises BadInput, LoadFailed."""
    plan = wish.plan
    stations = wish_of(plan)
    http = Http(plan.api, os.environ.get(TOKEN)) if plan.api else None
    try:
        if http is not None:
            names = station_names(plan, wish.users)
            provision(http, [config_of(stations, name, {}) for name in names], plan.tokens, SITE)
        figures = play(plan, wish.users, wish.spawn_rate, wish.team, folder, tell)
        if figures.opened == 0:
            problem = f"no station could connect to {plan.url}"
            raise BadInput("--url", None, problem, "the address of a back-end that takes them")
        books: Account | None = None
        if http is not None:
            books = account(http, figures.driven, figures.unsettled, Instant(figures.began))
    finally:
        if http is not None:
            http.close()
    result = result_of(plan, wish.users, points(folder)[-1].at_s, figures, books)
    checks = judge(wish.thresholds, result, wish.baseline)
    result = replace(result, checks=checks, verdict=overall(checks).value)
    (folder / RESULT_FILE).write_bytes(msgspec.json.format(msgspec.json.encode(result)) + b"\n")
    return result
