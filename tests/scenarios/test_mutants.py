"""Planted bugs: each is caught by the check named for it, and gets through when the faults it needs are taken away."""

from __future__ import annotations

import pytest

from scenarios.mutants.registry import all_mutants, mutant
from scenarios.mutants.run import run_mutant, run_without_baits, what_it_said
from sim.errors import BadInput
from sim.evidence.verdict import CheckResult, Finding, Verdict

NAMES = [one.name for one in all_mutants()]
FIRST = (
    "close-station-does-nothing",
    "answer-with-a-key-too-many",
    "heartbeat-clock-ahead",
    "token-groups-swapped-at-new",
    "energy-cut-to-ten-wh",
    "stop-time-offset-twice",
    "meter-values-refused",
    "energy-in-binary-floats",
    "kwh-rounded-on-the-lines",
    "held-session-ends-at-midnight",
    "price-list-renumbered",
    "remote-starts-refused",
    "stations-reset-when-they-come-back",
    "remote-starts-lost",
)
"""Caught by the check named for them alone, or before any other in the order of the scenario."""
BAITED = [one.name for one in all_mutants() if one.baits]


def test_there_are_at_least_ten_and_no_two_of_one_name() -> None:
    assert len(NAMES) >= 10
    assert len(set(NAMES)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_check_named_for_it_catches_the_bug(name: str) -> None:
    run = run_mutant(name)
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
    assert run_mutant(name, seed).caught


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
