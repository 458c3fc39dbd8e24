"""The wire of our own first day: no finding in a day without its wire baits, and exactly those baits in the whole day."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from scenarios.load import load_scenario, sessions_path
from scenarios.model import Scenario
from scenarios.runner import play
from scenarios.wirecheck.judge import Judge, Report
from scenarios.wirecheck.lines import raw_lines
from scenarios.wirecheck.logs import read
from scenarios.wirecheck.rules import RULES
from sim.evidence.verdict import Verdict
from tests.scenarios.wirecheck.traces import broken

BAITS = ("station.stray-stop", "station.second-stop")
"""Faults of the day that are wrong on the wire: a stop of somebody else's transaction, second stops with other numbers."""
FORGED = "meter.tamper"
SITES = ("campus-3", "campus-4", "campus-5")
"""The site that moves and one of each back-end: every bait of the day falls here, and every rule has as much to judge."""


def wire_of(day: Scenario, seed: int) -> tuple[Report, dict[str, str]]:
    """What its wire file proves, with the keys of all meters."""
    with TemporaryDirectory() as folder:
        played = play(day, seed, sessions=sessions_path(day), folder=Path(folder))
        keys = {
            str(row["meter_id"]): str(row["public_key"]) for row in played.evidence.rows("SELECT * FROM truth_meters")
        }
        played.evidence.close()
        judge = Judge(RULES, keys=keys)
        judge.hear(read(raw_lines(Path(folder) / "wire.jsonl.zst")))
    return judge.report(), keys


@lru_cache(maxsize=2)
def whole_day(seed: int) -> Report:
    return wire_of(load_scenario("first-day").at_sites(*SITES), seed)[0]


def found(report: Report) -> dict[str, int]:
    return {one.rule.id: one.found for one in report.rules if one.found}


@pytest.mark.parametrize("seed", [1])
def test_a_day_without_its_wire_baits_has_no_finding(seed: int) -> None:
    day = load_scenario("first-day").at_sites(*SITES).without_faults(*BAITS, FORGED)
    report, keys = wire_of(day, seed)
    assert keys and broken(report) == []
    assert report.verdict is Verdict.PASS and report.skipped == ()
    assert all(station.works is not False for station in report.stations)


@pytest.mark.parametrize("seed", [1])
def test_the_whole_day_has_exactly_the_findings_that_were_planted(seed: int) -> None:
    assert found(whole_day(seed)) == {"tx.known": 1, "tx.retry-is-repeat": 2, "sig.verify": 1}


@pytest.mark.parametrize("seed", [1])
def test_most_rules_of_16_had_something_to_judge(seed: int) -> None:
    """A day on which nothing is examined proves nothing."""
    silent = {one.rule.id for one in whole_day(seed).rules if one.verdict is Verdict.NOT_APPLICABLE}
    assert {name for name in silent if not name.startswith("tx.")} == {
        "boot.reconnect",
        "boot.retry-interval",
        "boot.security-error",
        "error.malformed-refused",
        "meter.begin-end",
    }
