"""`chargerig bench checks`: what judging costs on top of the virtual day, how long a smoke run takes, and how long a
thousand seeds of an outage day would.

CPU seconds are compared, since they tell the same on a busy machine; what is worked out from fewer seeds says so.
"""

from __future__ import annotations

import resource
import statistics
import time
from collections.abc import Callable
from contextlib import closing

from msgspec import Struct

from scenarios.bench.result import machine, versions
from scenarios.checks import run_checks
from scenarios.load import load_scenario, sessions_path
from scenarios.model import Scenario
from scenarios.runner import play
from scenarios.sweep.sweep import sweep
from scenarios.sweep.task import Task, asked

DAY, SMOKE = "first-day", "smoke"
OUTAGE_SITES = ("campus-4", "campus-5")
"""21 stations, 16 visits, two back-ends, a move, and the faults that each seed draws."""
WANTED_SHARE, WANTED_SMOKE_S, WANTED_MINUTES = 0.30, 2.0, 40.0
_SEEDS, _CORES = 1_000, 2

Tell = Callable[[str], None]


class Cost(Struct, frozen=True):
    """CPU seconds of a day and of its checks, medians; `share` is the second of the first."""

    scenario: str
    stations: int
    checks: int
    day_cpu_s: float
    checks_cpu_s: float
    share: float


class ChecksBench(Struct, frozen=True, kw_only=True):
    """What `chargerig bench checks` says. Wall seconds of a smoke run; of the outage days, per seed and for 1,000 seeds.

    `minutes_cpu`: of 1,000 seeds on two free cores, from the CPU seconds; `minutes_wall`: as long as they would take here
    and now, from the wall clock. Both from `seeds` of them.
    """

    cost: Cost
    smoke_wall_s: float
    smoke_cpu_s: float
    seeds: int
    jobs: int
    outage_stations: int
    seed_cpu_s: float
    minutes_cpu: float
    minutes_wall: float
    findings: int
    digest_of_seeds: tuple[str, ...]
    versions: dict[str, str]
    machine: dict[str, str]

    def text(self) -> str:
        """For a terminal."""
        cost = self.cost
        wanted = f"wanted: at most {100 * WANTED_SHARE:.0f} %"
        lines = [
            f"checks of {cost.scenario} ({cost.stations} stations, {cost.checks} checks): {cost.checks_cpu_s:.2f} CPU s "
            f"on top of {cost.day_cpu_s:.2f} CPU s of the day, {100 * cost.share:.0f} % ({wanted})",
            f"smoke, played and judged: {self.smoke_wall_s:.2f} s, {self.smoke_cpu_s:.2f} CPU s (wanted: at most "
            f"{WANTED_SMOKE_S:.0f} s)",
            f"outage day ({self.outage_stations} stations): {self.seed_cpu_s:.2f} CPU s a seed, so {_SEEDS:,} seeds on "
            f"{_CORES} free cores in {self.minutes_cpu:.1f} min (wanted: at most {WANTED_MINUTES:.0f} min)",
            f"as busy as this machine is now, with {self.jobs} at once: {self.minutes_wall:.1f} min for {_SEEDS:,} seeds",
            f"worked out from {self.seeds} seeds, {self.findings} of them with a finding",
        ]
        return "\n".join(lines)


def bench_checks(*, seeds: int = 12, jobs: int = 2, repeats: int = 3, tell: Tell | None = None) -> ChecksBench:
    """Measure. Raises TaskFailed if a process of the sweep died, and whatever a run of the reference raises."""
    say = tell or (lambda _: None)
    smoke = load_scenario(SMOKE)
    _judged(smoke)  # what is imported and cached once is no cost of a run
    runs = [_judged(smoke) for _ in range(repeats)]
    say(f"smoke: {statistics.median(run.wall_s for run in runs):.2f} s")
    cost = _cost(load_scenario(DAY), repeats)
    say(f"{DAY}: checks cost {100 * cost.share:.0f} %")
    outage = load_scenario(DAY).at_sites(*OUTAGE_SITES)
    task = Task(outage, tuple(range(seeds)), sessions_path(outage), swarm=True)
    cpu, begun = _children_cpu(), time.perf_counter()
    swept = sweep(
        task, max(2, jobs), everything=True, tell=lambda done, of, found: say(f"outage day: {done} of {of} seeds")
    )
    wall = time.perf_counter() - begun
    spent = (_children_cpu() - cpu) / seeds
    failed = [one.failed for one in swept.outcomes if one.failed]
    if failed:
        raise RuntimeError(f"an outage day failed: {failed[0]}")
    return ChecksBench(
        cost=cost,
        smoke_wall_s=statistics.median(run.wall_s for run in runs),
        smoke_cpu_s=statistics.median(run.day_s + run.checks_s for run in runs),
        seeds=seeds,
        jobs=max(2, jobs),
        outage_stations=21,
        seed_cpu_s=spent,
        minutes_cpu=spent * _SEEDS / _CORES / 60,
        minutes_wall=wall / seeds * _SEEDS / 60,
        findings=sum(bool(one.found) for one in swept.outcomes),
        digest_of_seeds=tuple(one.digest for one in swept.outcomes),
        versions=versions(),
        machine=machine(None),
    )


class _Run(Struct, frozen=True):
    """CPU seconds of a day and of its checks, and wall seconds of both."""

    stations: int
    day_s: float
    checks_s: float
    wall_s: float


def _judged(scenario: Scenario) -> _Run:
    begun, cpu = time.perf_counter(), time.process_time()
    played = play(scenario, 1, sessions=sessions_path(scenario))
    day = time.process_time() - cpu
    with closing(played.evidence):
        run_checks(played.evidence, asked(scenario))
    both = time.process_time() - cpu
    return _Run(len(played.stage.stations), day, both - day, time.perf_counter() - begun)


def _cost(scenario: Scenario, repeats: int) -> Cost:
    runs = [_judged(scenario) for _ in range(repeats)]
    day, checks = (statistics.median(getattr(run, name) for run in runs) for name in ("day_s", "checks_s"))
    return Cost(scenario.name, runs[0].stations, len(asked(scenario)), day, checks, checks / day)


def _children_cpu() -> float:
    """CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
