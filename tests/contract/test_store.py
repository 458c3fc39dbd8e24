"""Every store behaves like plain dictionaries that are copied at each commit."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from msgspec import Struct

from reference_csms import records
from reference_csms.storage.memory import MemoryStore
from reference_csms.storage.open import close_store
from reference_csms.storage.port import (
    AppendOnly,
    Fenced,
    KeyMissing,
    KeyTaken,
    NoSuchIndex,
    Store,
    StoreError,
    Table,
    put,
)
from reference_csms.storage.sql import SqlStore
from sim.backend import Setup
from tests.postgres import Cluster


class Thing(Struct, frozen=True):
    name: str
    colour: str | None
    size: int


class Numbered(Struct, frozen=True):
    number: int
    text: str


THINGS = Table("things", Thing, "name", ("colour", "size"))
EVENTS = Table("events", Thing, "name", ("colour",), append_only=True)
NUMBERED = Table("numbered", Numbered, "number", ("text",))
TABLES = (THINGS, EVENTS)

Opener = Callable[[dict[str, Any]], Store]
OPENERS: dict[str, Opener] = {
    "memory": lambda disk: MemoryStore(disk, (*TABLES, NUMBERED)),
    "sqlite": lambda disk: SqlStore(disk, (*TABLES, NUMBERED), "sqlite://"),
}


def close(disk: dict[str, Any]) -> None:
    """Give the connection of an SQL store back."""
    close_store(Setup(name="test", seed=0, provision={}, disk=disk))


@pytest.fixture(params=[*OPENERS, pytest.param("postgres", marks=pytest.mark.postgres)])
def open_one(request: pytest.FixtureRequest) -> Iterator[Opener]:
    if request.param in OPENERS:
        yield OPENERS[request.param]
        return
    url, disks = request.getfixturevalue("postgres_url"), list[dict[str, Any]]()

    def on_postgres(disk: dict[str, Any]) -> Store:
        disks.append(disk)
        return SqlStore(disk, (*TABLES, NUMBERED), url)

    yield on_postgres
    for disk in disks:
        close(disk)


names = st.sampled_from("abcde")
colours = st.sampled_from(("red", "green", None))
sizes = st.integers(0, 2)
tables = st.sampled_from(TABLES)

Model = dict[str, dict[str, Thing]]


class StoreMachine(RuleBasedStateMachine):
    """Any order of writes, commits, rollbacks and deaths."""

    opener: Opener = staticmethod(OPENERS["memory"])

    @initialize()
    def begin(self) -> None:
        self.disk: dict[str, Any] = {}
        self.store = self.opener(self.disk)
        self.committed: Model = {table.name: {} for table in TABLES}
        self.model: Model = {table.name: {} for table in TABLES}
        self.openings = 1

    @rule(table=tables, name=names, colour=colours, size=sizes)
    def insert(self, table: Table[Thing], name: str, colour: str | None, size: int) -> None:
        row = Thing(name, colour, size)
        if name in self.model[table.name]:
            with pytest.raises(KeyTaken):
                self.store.insert(table, row)
        else:
            self.store.insert(table, row)
            self.model[table.name][name] = row

    @rule(table=tables, name=names, colour=colours, size=sizes)
    def update(self, table: Table[Thing], name: str, colour: str | None, size: int) -> None:
        row = Thing(name, colour, size)
        wrong = AppendOnly if table.append_only else None if name in self.model[table.name] else KeyMissing
        if wrong is not None:
            with pytest.raises(wrong):
                self.store.update(table, row)
        else:
            self.store.update(table, row)
            self.model[table.name][name] = row

    @rule()
    def commit(self) -> None:
        self.store.commit()
        self.committed = {name: dict(rows) for name, rows in self.model.items()}

    @rule()
    def rollback(self) -> None:
        self.store.rollback()
        self.model = {name: dict(rows) for name, rows in self.committed.items()}

    @rule()
    def die(self) -> None:
        """The process is gone without a word; the next one finds what was committed."""
        dead, self.store = self.store, self.opener(self.disk)
        self.openings += 1
        self.model = {name: dict(rows) for name, rows in self.committed.items()}
        with pytest.raises(Fenced):
            dead.insert(THINGS, Thing("z", None, 0))

    @invariant()
    def same_as_model(self) -> None:
        assert self.store.epoch == self.openings
        for table in TABLES:
            rows = self.model[table.name]
            assert self.store.rows(table) == [rows[key] for key in sorted(rows)]
            assert self.store.count(table) == len(rows)
            for start in (None, "", "b", "d", "z"):
                above = [rows[key] for key in sorted(rows) if start is None or key > start]
                assert self.store.after(table, start, 2) == above[:2]
                assert self.store.after(table, start, 9) == above
            for key in "abcde":
                assert self.store.get(table, key) == rows.get(key)
            for index in table.indexes:
                for value in ("red", "green", None, 0, 1, 2):
                    expected = [rows[key] for key in sorted(rows) if getattr(rows[key], index) == value]
                    assert self.store.find(table, index, value) == expected
                    assert self.store.count_where(table, index, value) == len(expected)


class SqlMachine(StoreMachine):
    """The same on SQLite."""

    opener = staticmethod(OPENERS["sqlite"])

    def teardown(self) -> None:
        close(self.disk)


@pytest.mark.postgres
def test_postgres_behaves_like_dictionaries(postgres: Cluster) -> None:
    def opener(disk: dict[str, Any]) -> Store:
        if "url" not in disk:
            disk["url"] = postgres.schema()
        return SqlStore(disk, (*TABLES, NUMBERED), disk["url"])

    class PostgresMachine(SqlMachine):
        pass

    PostgresMachine.opener = staticmethod(opener)
    run_state_machine_as_test(PostgresMachine, settings=settings(max_examples=8, stateful_step_count=15, deadline=None))


for machine in (StoreMachine, SqlMachine):
    machine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
test_memory_behaves_like_dictionaries = StoreMachine.TestCase
test_sqlite_behaves_like_dictionaries = SqlMachine.TestCase


def test_undeclared_index_is_our_own_mistake(open_one: Opener) -> None:
    store = open_one({})
    with pytest.raises(NoSuchIndex):
        store.find(EVENTS, "size", 1)
    with pytest.raises(NoSuchIndex):
        store.count_where(EVENTS, "size", 1)


def test_row_of_another_table_is_refused(open_one: Opener) -> None:
    class Other(Struct, frozen=True):
        name: str

    store = open_one({})
    with pytest.raises(StoreError):
        store.insert(THINGS, Other("a"))  # type: ignore[misc]


def test_rows_that_could_be_changed_in_place_cannot_be_declared() -> None:
    class Loose(Struct):
        name: str

    with pytest.raises(StoreError):
        Table("loose", Loose, "name")


def test_put_inserts_and_then_updates(open_one: Opener) -> None:
    store = open_one({})
    put(store, THINGS, Thing("a", "red", 1))
    put(store, THINGS, Thing("a", "green", 1))
    assert store.rows(THINGS) == [Thing("a", "green", 1)]
    assert store.find(THINGS, "colour", "red") == []


def test_rows_come_in_the_order_of_numbers_and_of_code_points(open_one: Opener) -> None:
    store = open_one({})
    texts = ["\U0001f50c", "\uffee", "b", "B", "a\0", "a", "ä", "é"]
    for number, text in zip((10, 9, -1, 100, 2, 0, 3, 2**62), texts, strict=True):
        store.insert(NUMBERED, Numbered(number, "same"))
        store.insert(THINGS, Thing(text, None, number % 3))
    for _ in range(2):
        assert [row.number for row in store.rows(NUMBERED)] == [-1, 0, 2, 3, 9, 10, 100, 2**62]
        assert store.find(NUMBERED, "text", "same") == store.rows(NUMBERED)
        assert [row.name for row in store.rows(THINGS)] == sorted(texts)
        assert store.find(THINGS, "size", "1") == []
        paged: list[str] = []
        while page := store.after(THINGS, paged[-1] if paged else None, 3):
            paged += [row.name for row in page]
        assert paged == sorted(texts)
        store.commit()


def test_a_number_that_no_database_holds_is_simply_not_there(open_one: Opener) -> None:
    disk: dict[str, Any] = {}
    store = open_one(disk)
    store.insert(NUMBERED, Numbered(1, "one"))
    store.insert(THINGS, Thing("a", "red", 1))
    store.commit()
    assert store.get(NUMBERED, 1 << 64) is None and store.get(NUMBERED, -(1 << 64)) is None
    assert store.find(THINGS, "size", 1 << 64) == []
    assert store.count_where(THINGS, "size", 1 << 64) == 0
    close(disk)


def test_a_key_or_value_of_another_kind_is_simply_not_there(open_one: Opener) -> None:
    disk: dict[str, Any] = {}
    store = open_one(disk)
    store.insert(NUMBERED, Numbered(1, "1"))
    store.insert(THINGS, Thing("1", "red", 1))
    store.commit()
    assert store.get(NUMBERED, "1") is None and store.get(NUMBERED, "one") is None and store.get(THINGS, 1) is None
    assert store.find(THINGS, "size", "small") == store.find(NUMBERED, "text", 1) == []
    assert store.count_where(THINGS, "size", "small") == 0
    close(disk)


def sqlite_file(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'books.sqlite'}"


def test_nobody_changes_an_append_only_row_in_the_database(tmp_path: Path) -> None:
    disk: dict[str, Any] = {}
    store = SqlStore(disk, TABLES, sqlite_file(tmp_path))
    store.insert(EVENTS, Thing("a", "red", 1))
    store.commit()
    outside = sqlite3.connect(tmp_path / "books.sqlite")
    for statement in (
        "INSERT OR REPLACE INTO events VALUES ('a', 'green', x'00')",
        "UPDATE events SET colour = 'green'",
        "DELETE FROM events",
    ):
        with pytest.raises(sqlite3.IntegrityError, match="rows of events never change"):
            outside.execute(statement)
        outside.rollback()
    outside.close()
    assert SqlStore(disk, TABLES, sqlite_file(tmp_path)).rows(EVENTS) == [Thing("a", "red", 1)]
    close(disk)


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that two processes can open."""
    return sqlite_file(tmp_path) if request.param == "sqlite" else str(request.getfixturevalue("postgres_url"))


def test_another_process_that_opens_the_database_fences_the_commit_of_the_first(url: str) -> None:
    disks: list[dict[str, Any]] = [{}, {}]
    first = SqlStore(disks[0], TABLES, url)
    first.insert(THINGS, Thing("a", "red", 1))
    second = SqlStore(disks[1], TABLES, url)
    assert (first.epoch, second.epoch) == (1, 2)
    with pytest.raises(Fenced):
        first.commit()
    assert second.rows(THINGS) == []
    for disk in disks:
        close(disk)


@pytest.mark.parametrize("table", records.ALL_TABLES, ids=lambda table: table.name)
def test_every_record_comes_back_from_the_database_as_it_was(table: Table[Any]) -> None:
    texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
    st.register_type_strategy(str, texts)
    st.register_type_strategy(int, st.integers(-(2**63), 2**63 - 1))
    st.register_type_strategy(Decimal, st.decimals(allow_nan=False, allow_infinity=False))

    @settings(max_examples=15)
    @given(st.data())
    def comes_back(data: st.DataObject) -> None:
        hints = get_type_hints(table.row)
        fields = {name: LOOSE[hint] if hint in LOOSE else st.from_type(hint) for name, hint in hints.items()}
        row = data.draw(st.builds(table.row, **fields))
        disk: dict[str, Any] = {}
        store = SqlStore(disk, (table,), "sqlite://")
        store.insert(table, row)
        store.commit()
        store = SqlStore(disk, (table,), "sqlite://")
        (back,) = store.rows(table)
        assert back == row and repr(back) == repr(row)
        for index in table.indexes:
            assert store.find(table, index, getattr(row, index)) == [row]
        close(disk)

    comes_back()


RAW = st.dictionaries(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=5), st.integers(-9, 9) | st.booleans()
)
LOOSE = {dict[str, Any]: RAW, tuple[dict[str, Any], ...]: st.lists(RAW, max_size=3).map(tuple)}
"""Fields whose content is plain JSON."""
