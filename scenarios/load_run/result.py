"""What came of a load, as it stands in result.json, with each plane counted apart: offered to billed. It judges nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from scenarios.load_run.figures import Figures, OperationCount
from scenarios.load_run.plan import LoadPlan
from scenarios.sockets.account import Account
from sim.errors import BadInput
from sim.evidence.verdict import CheckResult

FORMAT = "chargerig-load/1"
RESULT_FILE = "result.json"


class Times(Struct, frozen=True):
    """Answer times in real ms; quantiles are right to 5 %."""

    p50: float
    p95: float
    p99: float
    worst: float


class ActionResult(Struct, frozen=True):
    """Calls of one action. `refused` are results that say no, `errors` CALLERRORs, `unanswered` had no answer."""

    sent: int
    answered: int
    accepted: int
    refused: int
    errors: int
    unanswered: int
    times: Times


class LoadResult(Struct, frozen=True, kw_only=True):
    """One load. `offered` is what stations wanted to send; `books` is None where nobody could be asked.

    `complete`: every generating process told its last figures. Lag is the generators' own, real ms.
    """

    format: str = FORMAT
    plan: LoadPlan
    users: int
    seconds: float
    processes: int
    complete: bool
    dials: int
    opened: int
    offered: int
    waiting: int
    all: ActionResult
    actions: dict[str, ActionResult]
    lag_p99_ms: float
    lag_worst_ms: float
    sessions: int
    energy_wh: int
    unsettled: int
    operations: dict[str, OperationCount] = {}
    books: Account | None = None
    verdict: str = ""
    checks: tuple[CheckResult, ...] = ()


def result_of(plan: LoadPlan, users: int, seconds: float, figures: Figures, books: Account | None) -> LoadResult:
    """The figures and the books put together."""
    lag = figures.lags()
    actions = {name: _action(figures, name) for name in sorted(figures.actions)}
    whole = _action(figures, None)
    return LoadResult(
        plan=plan,
        users=users,
        seconds=round(seconds, 2),
        processes=figures.processes,
        complete=figures.over,
        dials=figures.dials,
        opened=figures.opened,
        offered=whole.sent + figures.waiting,
        waiting=figures.waiting,
        all=whole,
        actions=actions,
        lag_p99_ms=lag.quantile(0.99),
        lag_worst_ms=round(lag.worst_ms, 1),
        sessions=figures.sessions,
        energy_wh=figures.energy_wh,
        unsettled=len(figures.unsettled),
        operations=figures.operations,
        books=books,
    )


def _action(figures: Figures, name: str | None) -> ActionResult:
    counts = figures.total() if name is None else figures.actions[name]
    times = figures.latencies(name)
    p50, p95, p99 = (round(times.quantile(share), 2) for share in (0.5, 0.95, 0.99))
    return ActionResult(
        sent=counts.sent,
        answered=counts.answered,
        accepted=counts.accepted,
        refused=counts.refused,
        errors=counts.errors,
        unanswered=counts.lost,
        times=Times(p50, p95, p99, round(times.worst, 2)),
    )


def read_result(folder: Path) -> LoadResult:
    """The result of an earlier load. Raises BadInput if the folder holds none."""
    try:
        raw = (folder / RESULT_FILE).read_bytes()
    except OSError as err:
        problem = f"{RESULT_FILE} cannot be read: {err.strerror}"
        raise BadInput(str(folder), None, problem, "the folder of a load that `chargerig load` wrote") from None
    try:
        return msgspec.json.decode(raw, type=LoadResult)
    except msgspec.MsgspecError as err:
        raise BadInput(str(folder), RESULT_FILE, f"it is not the result of a load: {err}") from None


def like(mine: LoadPlan, theirs: LoadPlan) -> Mapping[str, tuple[object, object]]:
    """In what two loads differ that decides how fast they can be: field, mine and theirs."""
    fields = ("shape", "profile", "connectors", "session_s", "gap_s", "sample_s", "steps", "pace", "lasts_s")
    return {
        name: (getattr(mine, name), getattr(theirs, name))
        for name in fields
        if getattr(mine, name) != getattr(theirs, name)
    }
