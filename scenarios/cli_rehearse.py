"""`chargerig rehearse`: the same day over many seeds, each in a process of its own, a few at a time.

Starts them, hears their answers, and writes the forecast. The clock on the wall is read for the progress only; nothing of
it may get into what is written.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from reports import rehearsal
from reports.rehearsal import Seed
from reports.rehearsal_page import page
from scenarios.cli_run import FINDING, OK, OWN_FAILURE
from scenarios.cli_seed import Day, told
from scenarios.load import sessions_path
from scenarios.model import Scenario
from scenarios.outfolder import free_place, write_results
from scenarios.processes import TaskFailed, spread
from scenarios.runfolder import DEFAULT_BASE
from scenarios.stopping import Stopped
from sim.errors import BadInput, TargetFailed

JSON_FILE, PAGE_FILE = "rehearsal.json", "rehearsal.html"
_MOST_SEEDS = 10_000

Tell = Callable[[int, int, int], None]
"""Seeds done, seeds in all, seeds under way."""


def _died(number: int, err: TaskFailed) -> dict[str, Any]:
    return {"failed": str(err)}


class Rehearsed(Struct):
    """What came of it: seeds that came to their end, those that failed, and the exit code of a stop, 0 without one."""

    seeds: list[Seed]
    failed: dict[int, str]
    stopped: int = 0


def seeds_of(text: str) -> list[int]:
    """The seeds of `0-99`, `7` or `1,4,10-12`, in order and each once. Raises BadInput for anything else."""
    seeds: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise BadInput(
                "command line", "--seeds", f"{text!r} are no seeds", "numbers and ranges such as 0-99 or 1,4,10-12"
            )
        begin, end = int(first), int(last) if dash else int(first)
        if begin > end or end - begin >= _MOST_SEEDS:
            raise BadInput(
                "command line", "--seeds", f"{part.strip()} is no range", f"at most {_MOST_SEEDS} seeds, upwards"
            )
        seeds |= set(range(begin, end + 1))
    return sorted(seeds)


def jobs_of(jobs: int | None, seeds: int) -> int:
    """How many at once: as wanted, by default one for each core that this process may use, never more than seeds."""
    return min(jobs or _cores(), seeds)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def rehearse(scenario: Scenario, seeds: Sequence[int], jobs: int, target: str, tell: Tell) -> Rehearsed:
    """Play every seed, at most `jobs` at once. After Ctrl-C or SIGTERM: what was done so far, and no process is left.

    Raises BadInput for what the session file or the scenario lacks, if the first seed to answer finds it.
    """
    sessions = sessions_path(scenario)
    tasks = [Day(scenario, seed, sessions, target) for seed in seeds]
    done = Rehearsed([], {})
    running = [0]

    def moved(by: int) -> None:
        running[0] += by
        tell(len(done.seeds) + len(done.failed), len(seeds), running[0])

    def ended(number: int, answer: Mapping[str, Any]) -> None:
        _take(done, seeds[number], answer)
        moved(-1)

    try:
        names = [f"seed {seed}" for seed in seeds]
        spread(told, tasks, names, jobs, begin=lambda _: moved(1), done=ended, died=_died)
    except KeyboardInterrupt as stop:
        done.stopped = stop.code if isinstance(stop, Stopped) else 128 + signal.SIGINT
    return done


def _take(done: Rehearsed, seed: int, answer: Mapping[str, Any]) -> None:
    if "bad_input" in answer:
        bad = BadInput(**answer["bad_input"])
        if not done.seeds:
            raise bad
        done.failed[seed] = str(bad)  # what other days could use is no reason to throw those away
    if "failed" in answer:
        done.failed[seed] = str(answer["failed"])
    if seed in done.failed:
        return
    findings = {check: (count, first) for check, (count, first) in answer["findings"].items()}
    done.seeds.append(Seed(seed, answer["digest"], answer["facts"], findings, answer["not_judged"]))


def finish(
    name: str, scenario: Scenario, done: Rehearsed, asked: int, place: Path, only: Sequence[str] = ()
) -> tuple[dict[str, Any], int]:
    """Write the forecast of what was done; it and the exit code. `name` is what the user called the scenario, `only` the
    sites that they let take part.

    Exit code: 130 or 143 after a stop, 3 if a day itself failed, else 0 for go and 1 for no-go or a finding. Raises Stopped
    or TargetFailed where there is nothing to forecast from.
    """
    if not done.seeds:
        if done.stopped:
            raise Stopped(done.stopped - 128)
        raise TargetFailed(f"no seed came to its end; the first one: {next(iter(done.failed.values()))}")
    budgets = {key: getattr(scenario.budgets, key) for key in scenario.budgets.__struct_fields__}
    what = f"{name} --sites {','.join(only)}" if only else name
    told = rehearsal.forecast(what, scenario.title, budgets, done.seeds, asked=asked, failed=done.failed, only=only)
    write_results(place, {JSON_FILE: rehearsal.dumps(told), PAGE_FILE: page(told)})
    went = OWN_FAILURE if done.failed else OK if told["verdict"] == rehearsal.GO else FINDING
    return told, done.stopped or went


def place_of(out: Path | None, scenario: Scenario, seeds: Sequence[int]) -> Path:
    """The folder of the forecast. Raises BadInput if something foreign lies there."""
    place = out or DEFAULT_BASE / f"{scenario.name}-rehearsal-{seeds[0]}-{seeds[-1]}"
    return free_place(place, JSON_FILE, "rehearsal")
