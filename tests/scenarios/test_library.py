"""Every packaged scenario can be played, says what it is, and finds nothing with the healthy reference."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from scenarios import catalogue, shelf
from scenarios.cli import app
from scenarios.load import load_scenario, sessions_path
from scenarios.runner import judge
from sim.evidence.verdict import Verdict

CALM = ("site-day", "move-day")
LAID_OVER = [name for name in catalogue.scenarios() if load_scenario(name).source]
"""The scenarios that lay faults over the calm day of their folder."""
QUICK = ("records-tampered", "ghost-card")


def test_every_scenario_names_its_price_and_each_trouble_its_number_and_source() -> None:
    for name in catalogue.scenarios():
        one = load_scenario(name)
        assert one.name == name
        assert bool(one.id) == (name not in CALM), name
        assert bool(one.fault) == (name not in (*CALM, "smoke")), name
    assert len(LAID_OVER) > 25
    numbers = [load_scenario(name).id for name in catalogue.scenarios()]
    told = [number for number in numbers if number]
    assert len(set(told)) == len(told)
    assert not {row["id"] for row in shelf.missing().values()} & set(told)


def test_machines_are_told_checks_faults_and_mutants_of_each_scenario_and_what_is_missing() -> None:
    rows = {row["name"]: row for row in json.loads(CliRunner().invoke(app, ["list", "scenarios", "--json"]).stdout)}
    assert rows["silent-stall"]["id"] == "O-03"
    assert rows["silent-stall"]["faults"] == ["backend.stall"]
    assert rows["first-day"]["mutants"]
    assert "T01" in rows["first-day"]["checks"]
    assert (rows["missing-root"]["id"], rows["missing-root"]["missing"]) == ("M-12", "TLS in virtual time")


def test_machines_are_told_what_each_check_reads_and_which_planted_bugs_prove_it() -> None:
    rows = {row["name"]: row for row in json.loads(CliRunner().invoke(app, ["list", "checks", "--json"]).stdout)}
    assert "signature-not-checked" in rows["INV-29"]["mutants"]
    assert "books_cdrs" in rows["INV-01"]["reads"]


@pytest.mark.parametrize(
    "name", [one if one in QUICK else pytest.param(one, marks=pytest.mark.slow) for one in LAID_OVER]
)
def test_the_healthy_reference_gives_no_finding_and_every_fault_happened(name: str) -> None:
    day = load_scenario(name)
    played, results = judge(day, 1, sessions=sessions_path(day), repeat=False, wire="index")
    wrong = [(one.check, one.verdict, one.reason) for one in results if one.verdict in (Verdict.FAIL, Verdict.UNKNOWN)]
    assert [row for row in wrong if row[0] != "INV-39"] == []
    assert [one.check for one in results if not one.items and one.check != "INV-39"] == []
    happened = {row["kind"] for row in played.evidence.rows("SELECT DISTINCT kind FROM truth_faults")}
    assert {fault.kind for fault in day.fault} <= happened
