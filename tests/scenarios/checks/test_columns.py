"""The list of columns that checks read is true: a check that reads one which the list does not hold is found here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scenarios.checks.columns import columns_of_checks
from scenarios.checks.registry import Check, all_checks, check
from scenarios.load import load_scenario, sessions_path
from scenarios.runner import play
from sim.evidence.reader import Evidence
from sim.evidence.schema import BOOKS, PARTNERS, QUOTES
from sim.evidence.verdict import Verdict
from sim.evidence.views import BookCdr
from tests.scenarios.checks.columns_read import columns_read


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("columns")
    day = load_scenario("first-day").at_sites("campus-4")
    play(day, 1, sessions=sessions_path(day), folder=folder, wire="index").evidence.close()
    return folder / "evidence.sqlite"


def test_no_check_reads_a_column_that_the_list_does_not_name(file: Path) -> None:
    listed = columns_of_checks()
    unlisted = [
        f"{name}: {table}.{column}"
        for name, tables in columns_read(file, all_checks()).items()
        for table, columns in tables.items()
        for column in sorted(columns)
        if column not in listed.get(name, {}).get(table, ())
    ]
    assert unlisted == []


def test_a_column_that_a_check_reads_secretly_is_seen(file: Path) -> None:
    @check("X-2", sentence="nothing", planes=("books",))
    def secretive(evidence: Evidence, judge: Any) -> None:
        assert all(cdr.kwh for cdr in evidence.read(BookCdr))
        evidence.rows("SELECT gross FROM books_rated")

    assert isinstance(secretive, Check)
    assert columns_read(file, [secretive]) == {"X-2": {"books_cdrs": {"kwh"}, "books_rated": {"gross"}}}


def test_the_list_names_checks_and_columns_that_there_are() -> None:
    tables = {**BOOKS, **PARTNERS, **QUOTES}
    assert columns_of_checks().keys() <= {one.name for one in all_checks()}
    for name, needed in columns_of_checks().items():
        for table, columns in needed.items():
            assert set(columns) <= set(tables[table]), (name, table)


def test_a_column_that_is_not_shown_makes_only_those_unknown_that_read_it(day: Any) -> None:
    day.tables["unverifiable"] = [{"backend": "legacy", "book": "books_journal.hash", "reason": "no such header"}]
    unknown = {one.name for one in all_checks() if day.check(one.name).verdict is Verdict.UNKNOWN}
    readers = {name for name, tables in columns_of_checks().items() if "hash" in tables.get("books_journal", ())}
    assert readers == {"L05"}
    assert unknown - {"INV-39"} == readers
    assert "books_journal.hash (no such header)" in day.check("L05").reason


@pytest.mark.parametrize("gap", ["books_cdrs", "books_cdrs.kwh"])
def test_whoever_reads_what_is_not_shown_is_unknown_even_if_nobody_declared_it(day: Any, gap: str) -> None:
    @check("X-3", sentence="nothing", planes=("books",))
    def careless(evidence: Evidence, judge: Any) -> None:
        for cdr in evidence.read(BookCdr):
            judge.examined(int(cdr.kwh is None))

    @check("X-4", sentence="nothing", planes=("books",))
    def careless_in_sql(evidence: Evidence, judge: Any) -> None:
        judge.examined(len(evidence.rows("SELECT kwh FROM books_cdrs")))

    day.tables["unverifiable"] = [{"backend": "legacy", "book": gap, "reason": "lost"}]
    for one in (careless, careless_in_sql):
        assert isinstance(one, Check)
        with day.evidence() as evidence:
            result = one.run(evidence)
        assert (result.verdict, result.reason) == (Verdict.UNKNOWN, f"legacy: no {gap} (lost)")
