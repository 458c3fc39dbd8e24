"""Planted bugs: each is caught by the check named for it, and gets through when the faults it needs are taken away."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.checks.registry import all_checks
from scenarios.load import sessions_path
from scenarios.mutants.registry import all_mutants, mutant
from scenarios.mutants.run import run_mutant, run_without_baits, what_it_said
from scenarios.runner import judge
from sim.errors import BadInput
from sim.evidence.verdict import CheckResult, Finding, Verdict

EVERY = [one.name for one in all_mutants()]
NAMES = [one.name for one in all_mutants() if one.scenario == "first-day"]
UPGRADE = [one.name for one in all_mutants() if one.scenario == "upgrade-day"]
HEALTHY = [*{(one.scenario, one.sites, one.change is None): one.name for one in all_mutants()}.values()]
"""Of those that are played on the same day, one for them all."""
QUICK = ("kyc-gate-missing", "notice-with-old-account", "contract-begins-late")
"""Of the upgrade, those that every test run plays; the others are for `make slow`."""
FIRST = (
    "close-station-does-nothing",
    "answer-with-a-key-too-many",
    "heartbeat-clock-ahead",
    "token-groups-swapped-at-new",
    "energy-cut-to-ten-wh",
    "stop-time-offset-twice",
    "energy-in-binary-floats",
    "kwh-rounded-on-the-lines",
    "held-session-ends-at-midnight",
    "price-list-renumbered",
    "remote-starts-refused",
    "stations-reset-when-they-come-back",
    "remote-starts-lost",
)
"""Caught by the check named for them alone, or before any other in the order of the scenario."""
BAITED = [one.name for one in all_mutants() if one.baited and one.scenario == "first-day"]
UPGRADE_BAITED = [one.name for one in all_mutants() if one.baited and one.scenario == "upgrade-day"]


def test_there_are_at_least_ten_in_a_day_and_25_in_an_upgrade_and_no_two_of_one_name() -> None:
    assert len(NAMES) >= 10
    assert len(UPGRADE) >= 25
    assert len(set(EVERY)) == len(EVERY)


def played(name: str) -> tuple[int, ...]:
    """The seeds at which a bug is played below: those of an upgrade at the first, the others at two."""
    return (1,) if name in UPGRADE else (1, 2)


def quick(name: str) -> Any:
    return name if name in QUICK else pytest.param(name, marks=pytest.mark.slow)


@pytest.mark.parametrize("name", [quick(name) for name in UPGRADE])
def test_a_bug_in_an_upgrade_is_caught_by_the_check_named_for_it(name: str) -> None:
    run = run_mutant(name, alone=True)
    assert run.caught, f"{name} got through {run.check}; {run.note}"


@pytest.mark.slow
@pytest.mark.parametrize("name", UPGRADE_BAITED)
def test_without_its_baits_a_bug_in_an_upgrade_gets_through(name: str) -> None:
    run = run_without_baits(name)
    assert run.failed == ()
    assert "crashed" not in run.note


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seed"), [(name, seed) for name in HEALTHY for seed in (1, 2) if seed in played(name)]
)
def test_the_day_of_a_planted_bug_has_no_finding_when_nothing_is_planted(name: str, seed: int) -> None:
    """All checks but INV-39, which needs a second run; one that fails here would catch every bug.

    On an upgrade really all that there are; the first day has no money, so there those that it names.
    """
    day = mutant(name).day()
    every = [one.name for one in all_checks()] if day.upgrade is not None else day.checks.all_of
    names = [one for one in every if one != "INV-39"]
    _, results = judge(day, seed, sessions=sessions_path(day), wire="index", repeat=False, checks=names)
    assert [one.check for one in results if one.verdict not in (Verdict.PASS, Verdict.NOT_APPLICABLE)] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_check_named_for_it_catches_the_bug(name: str) -> None:
    run = run_mutant(name, alone=name not in FIRST)
    assert run.caught, f"{name} got through {run.check}; {run.note}; others that found something: {run.failed}"
    if name in FIRST:
        assert run.failed[0] == run.check, run.failed


@pytest.mark.parametrize("name", BAITED)
def test_without_its_baits_the_bug_gets_through(name: str) -> None:
    run = run_without_baits(name)
    assert run.failed == ()
    assert "crashed" not in run.note


@pytest.mark.slow
@pytest.mark.parametrize("seed", (2,))
@pytest.mark.parametrize("name", [name for name in NAMES if name not in BAITED])
def test_the_bug_is_caught_whatever_the_seed(name: str, seed: int) -> None:
    assert run_mutant(name, seed, alone=True).caught


def test_one_finding_is_one_and_several_are_counted() -> None:
    planted = all_mutants()[0]

    def said(count: int) -> str:
        findings = tuple(Finding(planted.check, "session", f"s{n}", "wrong") for n in range(count))
        return what_it_said(planted, [CheckResult(planted.check, Verdict.FAIL, "holds", 7, findings)])

    assert said(1) == "1 finding: session s0: wrong"
    assert said(2) == "2 findings, the first: session s0: wrong"
    assert said(0) == "the check named for it found nothing"


def test_an_unknown_mutant_is_bad_input_and_says_which_there_are() -> None:
    with pytest.raises(BadInput, match="signature-not-checked"):
        mutant("no-such-bug")
