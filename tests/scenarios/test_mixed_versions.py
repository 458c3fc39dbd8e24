"""The day with stations of OCPP 1.6 and 2.0.1: healthy for every seed, and each planted bug is caught by its check."""

from __future__ import annotations

from functools import lru_cache

import pytest

from scenarios.load import load_scenario, sessions_path
from scenarios.mutants.registry import all_mutants, mutant
from scenarios.mutants.run import run_mutant, run_without_baits
from scenarios.runner import Played, judge
from sim.evidence.verdict import CheckResult, Verdict

DAY = "mixed-versions-day"
NAMES = [one.name for one in all_mutants() if one.scenario == DAY]
QUICK = ("missing-events-not-noticed", "status-of-the-wrong-evse")
"""Those that every test run plays; the others are for `make slow`."""


@lru_cache(maxsize=1)
def play(seed: int) -> tuple[Played, list[CheckResult]]:
    day = load_scenario(DAY)
    return judge(day, seed, sessions=sessions_path(day), wire="index", repeat=False)


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 6))])
def test_the_healthy_system_gives_no_finding(seed: int) -> None:
    wrong = [(one.check, one.verdict, one.reason) for one in play(seed)[1] if one.verdict is not Verdict.PASS]
    assert wrong == []


def test_the_day_holds_what_it_promises() -> None:
    evidence = play(1)[0].evidence
    links = evidence.rows("SELECT version, backend, COUNT(*) AS links FROM wire_links GROUP BY version, backend")
    assert {(row["version"], row["backend"]) for row in links} == {
        (version, backend) for version in ("1.6", "2.0.1") for backend in ("legacy", "new")
    }
    events = evidence.rows("SELECT missing, repeats FROM books_events")
    assert any(row["missing"] != "[]" for row in events) and any(row["repeats"] for row in events)
    kinds = {row["kind"] for row in evidence.rows("SELECT DISTINCT kind FROM truth_faults")}
    assert kinds == {"link.stall", "backend.crash", "meter.tamper", "station.power-loss"}
    billed = "SELECT COUNT(*) AS n FROM books_sessions WHERE state = 'billed' AND typeof(transaction_id) = ?"
    assert all(evidence.rows(billed, kind)[0]["n"] >= 5 for kind in ("text", "integer"))


def test_there_are_at_least_four_planted_bugs_of_2_0_1() -> None:
    assert len(NAMES) >= 4 and {mutant(name).check for name in NAMES} >= {"INV-04", "INV-10", "INV-11", "INV-29"}


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_the_check_named_for_it_catches_the_bug(name: str) -> None:
    run = run_mutant(name)
    assert run.caught, f"{name} got through {run.check}; {run.note}; others that found something: {run.failed}"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in NAMES if mutant(name).baited])
def test_without_its_baits_the_bug_gets_through(name: str) -> None:
    run = run_without_baits(name)
    assert run.failed == ()
    assert "crashed" not in run.note
