"""Several scenarios and seeds in one command: order, exit code, one folder each, and the same with more processes."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from scenarios.cli import app
from scenarios.cli_doors import Doors
from sim.errors import BadInput, TargetFailed
from sim.evidence.store import save_tables
from sim.evidence.verdict import CheckResult, Finding, Verdict


def _judge(scenario: Any, seed: int, **named: Any) -> tuple[Any, list[CheckResult]]:
    """Seed 2 has a finding, seed 3 is bad input, at seed 4 the target fails, at seed 5 we do."""
    trouble = {3: BadInput("sessions.csv", 3, "is no session"), 4: TargetFailed("the target fell"), 5: KeyError("ours")}
    if seed in trouble:
        raise trouble[seed]
    print("a target may print")
    digest = f"{seed:064x}"[::-1]
    save_tables(named["folder"] / "evidence.sqlite", {"meta": [("digest", digest)]}).close()
    findings = (Finding("INV-02", "session", "s1", "it was billed twice"),) if seed == 2 else ()
    verdict = Verdict.FAIL if findings else Verdict.PASS
    result = CheckResult("INV-02", verdict, "nobody is billed twice", 7, findings, "")
    return SimpleNamespace(evidence=SimpleNamespace(close=lambda: None), frames=1234, facts={}), [result]


def _resolve(spec: str) -> str:
    return spec


def _reports(folder: Path) -> None:
    (folder / "report.html").write_text("<p>report")


DOORS = Doors(judge=_judge, resolve=_resolve, reports=_reports)


@pytest.fixture
def chargerig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    return lambda *args: CliRunner().invoke(app, list(args), obj=DOORS)


def _folders(result: Result) -> list[str]:
    return [Path(run["folder"]).name for run in json.loads(result.stdout)["runs"]]


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_runs_are_told_in_the_order_of_the_arguments_and_the_worst_decides(chargerig: Any, jobs: str) -> None:
    result = chargerig("run", "upgrade-day", "first-day", "--seeds", "1,2", "--jobs", jobs, "--json")
    assert result.exit_code == json.loads(result.stdout)["exit_code"] == 1
    runs = json.loads(result.stdout)["runs"]
    assert [(run["seed"], run["verdict"]) for run in runs] == [(1, "PASS"), (2, "FAIL")] * 2
    ends = ["seed1-10000000", "seed2-20000000"]
    assert _folders(result) == [f"{name}-{end}" for name in (runs[0]["scenario"], "first-day") for end in ends]
    assert all(Path(run["folder"], "manifest.json").is_file() for run in runs)


REASONS = {
    3: (2, "sessions.csv, 3: is no session."),
    4: (3, "the target fell"),
    5: (3, "this is our own failure, not the back-end's: KeyError: 'ours'"),
}


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_run_that_fails_is_told_and_the_others_go_on(chargerig: Any, tmp_path: Path, jobs: str) -> None:
    result = chargerig("run", "first-day", "--seeds", "1,3-5", "--jobs", jobs, "--json", "--out", "here")
    told = json.loads(result.stdout)
    assert result.exit_code == told["exit_code"] == 3
    first, *failed = told["runs"]
    for run, (seed, (code, sentence)) in zip(failed, REASONS.items(), strict=True):
        error = {"sentence": sentence}
        assert run == {"scenario": "first-day", "seed": seed, "exit_code": code, "error": error}
    assert first["verdict"] == "PASS"
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["first-day-seed1"]


def test_the_table_of_all_runs_names_verdict_and_folder_or_reason(chargerig: Any) -> None:
    result = chargerig("run", "first-day", "--seeds", "1-4")
    assert result.exit_code == 3
    rows = [line.split() for line in result.stdout.splitlines()]
    words = [row[2] for row in rows if row[:1] == ["first-day"] and row[1] in {"1", "2", "3", "4"}]
    assert words == ["PASS", "FAIL", "not", "not"]
    assert "sessions.csv, 3" in " ".join(result.stdout.split())


def test_one_run_stays_as_it_was(chargerig: Any) -> None:
    """Its failure is that of the command."""
    result = chargerig("run", "first-day", "--seeds", "3", "--jobs", "2", "--json")
    assert result.exit_code == 2 and json.loads(result.stdout)["error"]["file"] == "sessions.csv"


def test_seeds_that_are_none_are_bad_input(chargerig: Any) -> None:
    result = chargerig("run", "first-day", "--seeds", "3-1")
    assert result.exit_code == 2 and "--seeds" in result.stderr
