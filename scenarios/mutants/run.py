"""Runs a scenario against a back-end with a planted bug and says whether the check named for it noticed.

Caught means: the named check FAILs with a finding. A crash, an UNKNOWN, or only another check is an escape.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from scenarios.load import sessions_path
from scenarios.model import Scenario
from scenarios.mutants.mutant import Mutant
from scenarios.mutants.registry import mutant
from scenarios.runner import judge
from sim.evidence.verdict import CheckResult, Verdict


class MutantRun(Struct, frozen=True):
    """What became of a planted bug. `failed` are the checks that found something, `note` the first finding of its own."""

    name: str
    check: str
    caught: bool
    failed: tuple[str, ...]
    note: str


def run_mutant(name: str, seed: int = 1, scenario: Scenario | None = None, *, alone: bool = False) -> MutantRun:
    """Plant the bug of this name and run its day; `alone` asks no other check than the one named for it.

    Raises BadInput for an unknown name.
    """
    planted = mutant(name)
    return run(planted, seed, scenario or planted.day(), [planted.check] if alone else None)


def run_without_baits(name: str, seed: int = 1) -> MutantRun:
    """The same with everything removed that the bug needs to show: it is expected to get through."""
    planted = mutant(name)
    return run(planted, seed, planted.calm_day())


def run(planted: Mutant, seed: int, scenario: Scenario, checks: Sequence[str] | None = None) -> MutantRun:
    """Run one planted bug on a scenario, and ask these checks or all that the scenario names."""
    try:
        _, results = judge(
            scenario,
            seed,
            sessions=sessions_path(scenario),
            target=planted.target(),
            wire="index",
            repeat=False,
            checks=checks,
            move=planted.move,
            desk=planted.desk,
        )
    except Exception as err:  # a bug that ends in a crash has not been found by a check
        return MutantRun(planted.name, planted.check, False, (), f"crashed: {type(err).__name__}: {err}")
    failed = tuple(result.check for result in results if result.verdict is Verdict.FAIL)
    return MutantRun(planted.name, planted.check, planted.check in failed, failed, what_it_said(planted, results))


def what_it_said(planted: Mutant, results: list[CheckResult]) -> str:
    """How many findings the check named for a bug has, and the first of them."""
    for result in results:
        if result.check == planted.check and result.findings:
            first = result.findings[0]
            many = "1 finding" if len(result.findings) == 1 else f"{len(result.findings)} findings, the first"
            return f"{many}: {first.subject_kind} {first.subject}: {first.sentence}"
    return "the check named for it found nothing"
