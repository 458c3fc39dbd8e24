"""The same day on every store: same digest, same books."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from reference_csms.storage.open import open_store
from reference_csms.storage.sql import SqlStore
from scenarios import catalogue
from scenarios.load import load_scenario, with_sessions
from scenarios.model import Scenario
from scenarios.runner import play
from scenarios.targets import resolve
from sim.backend import Setup
from sim.errors import BadInput


def target_file(folder: Path, store: str) -> str:
    file = folder / "target.toml"
    file.write_text(f'factory = "reference"\n[options]\nstore = "{store}"\n')
    return str(file)


def same_books(day: Scenario, tmp_path: Path, store: str) -> None:
    sessions = Path(day.sessions.file)
    if not sessions.exists():
        sessions = catalogue.session_file(day.sessions.file)
    memory = play(day, 1, sessions=sessions).evidence
    sql = play(day, 1, sessions=sessions, target=resolve(target_file(tmp_path, store))).evidence
    books = [
        row["name"]
        for row in memory.rows(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'books%' ORDER BY name"
        )
    ]
    assert "books_bills" in books and memory.rows("SELECT * FROM books_bills")
    for book in books:
        assert sql.rows(f"SELECT * FROM {book}") == memory.rows(f"SELECT * FROM {book}"), book
    assert sql.digest and sql.digest == memory.digest


def test_a_small_day_gives_the_same_books_on_sqlite(tmp_path: Path) -> None:
    head, *lines = catalogue.session_file("acn-2019-june.csv").read_text("utf-8").splitlines()
    file = tmp_path / "few.csv"
    file.write_text("\n".join([head, *[line for line in lines if line.startswith("2019-06-12")][:3]]) + "\n")
    day = with_sessions(load_scenario("first-day"), str(file), "America/Los_Angeles")
    day = replace(day, fault=(), move=None, fleet=replace(day.fleet, heartbeat_s=3600, sample_s=1800))
    same_books(day, tmp_path, f"sqlite:///{tmp_path / 'books.sqlite'}")
    assert sorted(path.name for path in tmp_path.glob("*.sqlite")) == ["books-legacy-1.sqlite", "books-new-1.sqlite"]


@pytest.mark.slow
def test_the_first_day_with_its_crashes_gives_the_same_books_on_sqlite(tmp_path: Path) -> None:
    same_books(load_scenario("first-day"), tmp_path, f"sqlite:///{tmp_path / 'books.sqlite'}")


@pytest.mark.slow
def test_an_upgrade_with_its_money_gives_the_same_books_on_sqlite(tmp_path: Path) -> None:
    day = load_scenario("upgrade-day").at_sites("campus-4", "campus-5")
    same_books(day, tmp_path, f"sqlite:///{tmp_path / 'books.sqlite'}")


@pytest.mark.parametrize(
    "wish", ["", "sqlite", "sqlite:///", "sqlite:x", "postgresql://x", 7, "sqlite:////no/such/folder/x"]
)
def test_an_unknown_store_is_bad_input(wish: Any) -> None:
    with pytest.raises(BadInput, match=r"options, store: .* allowed: memory, sqlite"):
        open_store(Setup(name="new", seed=1, provision={}, options={"store": wish}), ())


def test_each_run_gets_a_file_of_its_own_and_a_restart_the_same_one(tmp_path: Path) -> None:
    options = {"store": f"sqlite:///{tmp_path / 'b.db'}"}
    runs = [Setup(name="new", seed=1, provision={}, options=options) for _ in range(2)]
    stores = [open_store(setup, ()) for setup in (*runs, runs[0])]
    assert all(isinstance(store, SqlStore) for store in stores)
    assert [store.epoch for store in stores] == [1, 1, 2]
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["b-new-1.db", "b-new-2.db"]
