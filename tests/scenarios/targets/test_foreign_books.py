"""A finished day judged by exported books alone: the same verdicts, and honest lists of what cannot be answered."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from scenarios.checks.registry import all_checks, run_checks
from scenarios.cli import app
from scenarios.load import load_scenario, sessions_path
from scenarios.runner import play
from scenarios.targets.answerable import answerable, is_money, of_money
from scenarios.targets.books import read_target
from scenarios.targets.file import load_target
from scenarios.targets.rebook import rebooked, unshown
from sim.evidence.reader import Evidence
from sim.evidence.store import open_evidence
from sim.evidence.verdict import Verdict
from tests.scenarios.targets.exported import EVERY_BOOK, export

NAMES = [one.name for one in all_checks()]


def told(*args: str) -> tuple[int, dict[str, Any]]:
    """Exit code and JSON of `chargerig target`."""
    result = CliRunner().invoke(app, ["target", *args, "--json"])
    return result.exit_code, json.loads(result.stdout)


def unknown_of(data: dict[str, Any]) -> dict[str, list[str]]:
    return {one["check"]: one["missing"] for one in data["checks"] if one["missing"]}


def the_same_from_outside(evidence: Evidence, folder: Path, statements: bool = False) -> tuple[int, int]:
    """Every check that can be answered says from the exported books what it says of the run; how many of money can."""
    target = load_target(export(evidence, folder, EVERY_BOOK, statements=statements))
    books, said = read_target(target, {})
    found = answerable(unshown(books, said), NAMES)
    with rebooked(evidence, books, said) as foreign:
        judged = {one.check: one for one in run_checks(foreign, NAMES)}
    of_the_run = {one.check: one for one in run_checks(evidence, NAMES)}
    for one in found:
        got, own = judged[one.check], of_the_run[one.check]
        assert (got.verdict is Verdict.UNKNOWN) == bool(one.missing), one
        if not one.missing:
            assert (got.verdict, got.items, got.findings) == (own.verdict, own.items, own.findings), one.check
    return of_money(found)


def test_a_full_export_answers_at_least_six_in_ten_checks_of_money_and_each_as_the_run_itself(
    evidence: Evidence, tmp_path: Path
) -> None:
    answered, all_money = the_same_from_outside(evidence, tmp_path)
    assert all_money >= 59
    assert answered >= 0.6 * all_money


@pytest.mark.slow
@pytest.mark.parametrize("statements", [False, True])
def test_an_upgrade_is_judged_from_outside_as_from_within(tmp_path: Path, statements: bool) -> None:
    """With the statements of the partners only prices are missing."""
    day = load_scenario("upgrade-day").at_sites("campus-4")
    played = play(day, 1, sessions=sessions_path(day), wire="index")
    answered, all_money = the_same_from_outside(played.evidence, tmp_path, statements)
    assert answered >= (0.9 if statements else 0.6) * all_money


def test_target_check_of_a_full_export_names_what_only_partners_and_prices_could_tell(
    evidence: Evidence, tmp_path: Path
) -> None:
    code, data = told("check", str(export(evidence, tmp_path, EVERY_BOOK)), "--scenario", "first-day")
    assert code == 4
    assert {*unknown_of(data)} == {"INV-22", "INV-39", "DRV-01", "DRV-03"}
    assert "quotes_grid" in unknown_of(data)["INV-22"][0]
    assert "levers.app-start" in unknown_of(data)["DRV-01"][0]
    assert data["rows"]["legacy"]["books_cdrs"] + data["rows"]["new"]["books_cdrs"] == 117


def test_target_check_of_cdrs_alone_answers_no_check_that_needs_more(evidence: Evidence, tmp_path: Path) -> None:
    code, data = told("check", str(export(evidence, tmp_path, [])), "--scenario", "first-day")
    assert code == 4
    assert data["money_answerable"] == 0
    missing = unknown_of(data)
    assert "legacy: no books_sessions" in missing["INV-01"][0]
    assert not any(reason.startswith("legacy: no books_cdrs (") for reasons in missing.values() for reason in reasons)
    assert any("books_cdrs.time_billable" not in reason for reason in missing["T10"])
    assert {"INV-13", "INV-17", "INV-26", "DRV-02"}.isdisjoint(missing)


def test_target_check_of_an_ocpp_port_alone_answers_what_the_wire_shows(tmp_path: Path) -> None:
    file = tmp_path / "port.toml"
    file.write_text('[ocpp]\nurl = "ws://127.0.0.1:9/{station}"\n')
    code, data = told("check", str(file))
    assert code == 4
    can = {one["check"] for one in data["checks"] if one["answerable"]}
    assert can == {"INV-05", "INV-13", "INV-17", "INV-26", "INV-27", "INV-28", "DRV-02"}
    assert not any(is_money(name) for name in can)


def test_a_header_that_is_gone_makes_its_readers_unknown_and_is_named(evidence: Evidence, tmp_path: Path) -> None:
    file = export(evidence, tmp_path, EVERY_BOOK)
    journal = tmp_path / "new" / "journal.csv"
    with journal.open(newline="") as text:
        rows = [row[:-1] for row in csv.reader(text)]
    with journal.open("w", newline="") as text:
        csv.writer(text).writerows(rows)
    _, data = told("check", str(file), "--scenario", "first-day")
    missing = unknown_of(data)
    assert {*missing} == {"INV-22", "INV-39", "DRV-01", "DRV-03", "L05"}
    assert missing["L05"] == [f"new: no books_journal.hash ({journal} has no column 'hash')"]


def test_a_row_that_cannot_be_read_makes_its_book_unknown_with_file_line_and_column(
    evidence: Evidence, tmp_path: Path
) -> None:
    file = export(evidence, tmp_path, EVERY_BOOK)
    bills = tmp_path / "legacy" / "bills.csv"
    lines = bills.read_text().splitlines()
    gross = lines[0].split(",").index("gross")
    cells = lines[2].split(",", gross + 1)
    cells[gross] = "3.79 kr"
    bills.write_text("\n".join([*lines[:2], ",".join(cells), *lines[3:]]) + "\n")
    books, _ = read_target(load_target(file), {})
    assert str(books["legacy"]["books_bills"].reason) == f"{bills}, line 3, gross (for gross): '3.79 kr' is no number"  # type: ignore[union-attr]


def test_judging_a_run_by_other_books_finds_what_they_say_wrongly(finished: Path, tmp_path: Path) -> None:
    with open_evidence(finished / "evidence.sqlite") as evidence:
        file = export(evidence, tmp_path, EVERY_BOOK)
    page = tmp_path / "new" / "cdrs-0.json"
    data = json.loads(page.read_text())
    wrong = data["data"][0]
    wrong["total_energy"] = wrong["total_energy"] + 1
    page.write_text(json.dumps(data))
    code, told_of = told("judge", str(finished), str(file))
    failed = {one["check"]: one["findings"][0]["subject"] for one in told_of["checks"] if one["verdict"] == "FAIL"}
    assert code == 1
    assert failed["INV-31"] == wrong["session_id"]


@pytest.mark.parametrize("book", ["sessions", "bills", "journal"])
def test_a_book_that_is_empty_is_not_a_book_that_is_missing(evidence: Evidence, tmp_path: Path, book: str) -> None:
    books, _ = read_target(load_target(export(evidence, tmp_path, [one for one in EVERY_BOOK if one != book])), {})
    assert "declares no" in books["legacy"][f"books_{book}"].reason  # type: ignore[union-attr]
