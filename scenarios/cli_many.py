"""Several runs of one command: scenarios and seeds, some of them at the same time, each in a process of its own.

The runs know nothing of each other, so how many go on at once changes neither a digest nor the order in which they are
told. One that cannot be run becomes a line with its sentence, and the others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from scenarios.cli_doors import Doors
from scenarios.cli_run import Done, Wish, blame, run_one
from scenarios.model import Scenario
from scenarios.processes import spread
from scenarios.stopping import quiet


class Play(Struct, frozen=True):
    """One scenario with one seed."""

    scenario: Scenario
    wish: Wish

    @property
    def name(self) -> str:
        """How it is called while it goes on."""
        return f"{self.scenario.name}, seed {self.wish.seed}"


class NotRun(Struct, frozen=True):
    """A run that came to no verdict, with the exit code that it asks for and the sentence that says why."""

    scenario: str
    seed: int
    code: int
    sentence: str

    def as_data(self) -> dict[str, Any]:
        """As --json tells it."""
        error = {"sentence": self.sentence}
        return {"scenario": self.scenario, "seed": self.seed, "exit_code": self.code, "error": error}

    def line(self) -> tuple[str, int, str, int, str]:
        """Its line in the table of all runs."""
        return self.scenario, self.seed, "not run", 0, self.sentence


def plays_of(scenarios: Sequence[Scenario], seeds: Sequence[int], wish: Wish) -> list[Play]:
    """All runs in the order of the arguments: each scenario with each seed. Of several, --out is the parent folder."""
    alone = len(scenarios) * len(seeds) == 1
    plays = []
    for scenario in scenarios:
        for seed in seeds:
            place = wish.out if wish.out is None or alone else wish.out / f"{scenario.name}-seed{seed}"
            plays.append(Play(scenario, replace(wish, seed=seed, out=place)))
    return plays


class _Task(Struct, frozen=True):
    play: Play
    doors: Doors


def play_all(plays: Sequence[Play], jobs: int, doors: Doors, tell: Callable[[str], None]) -> list[Done | NotRun]:
    """Play them, `jobs` at once, and return what became of each in their order. `tell` hears a line for each."""
    tasks = [_Task(play, doors) for play in plays]
    ended: list[str] = []

    def done(number: int, one: Done | NotRun) -> None:
        ended.append(plays[number].name)
        _, _, verdict, _, where = one.line()
        tell(f"{plays[number].name}: {verdict}, {where} ({len(ended)} of {len(plays)})")

    if jobs > 1:
        return spread(_play, tasks, [play.name for play in plays], jobs, done=done)
    results = []
    for number, task in enumerate(tasks):
        results.append(_play(task))
        done(number, results[-1])
    return results


def _play(task: _Task) -> Done | NotRun:
    """One run, in whatever process this is. Whatever goes wrong with it is told with the others."""
    scenario, wish = task.play.scenario, task.play.wish
    try:
        with quiet():
            return run_one(scenario, wish, task.doors, _unseen)
    except Exception as err:
        return NotRun(scenario.name, wish.seed, *blame(err))


def _unseen(start: int, now: int, end: int, frames: int) -> None:
    """Of several runs only the ends are told."""
