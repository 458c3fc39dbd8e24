"""Every store behaves like plain dictionaries that are copied at each commit."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from msgspec import Struct

from reference_csms.storage.memory import MemoryStore
from reference_csms.storage.port import AppendOnly, Fenced, KeyMissing, KeyTaken, NoSuchIndex, StoreError, Table, put


class Thing(Struct, frozen=True):
    name: str
    colour: str | None
    size: int


THINGS = Table("things", Thing, "name", ("colour", "size"))
EVENTS = Table("events", Thing, "name", ("colour",), append_only=True)
TABLES = (THINGS, EVENTS)

names = st.sampled_from("abcde")
colours = st.sampled_from(("red", "green", None))
sizes = st.integers(0, 2)
tables = st.sampled_from(TABLES)

Model = dict[str, dict[str, Thing]]


class StoreMachine(RuleBasedStateMachine):
    """Any order of writes, commits, rollbacks and deaths."""

    @initialize()
    def begin(self) -> None:
        self.disk: dict[str, Any] = {}
        self.store = MemoryStore(self.disk, TABLES)
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
        dead, self.store = self.store, MemoryStore(self.disk, TABLES)
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
            for key in "abcde":
                assert self.store.get(table, key) == rows.get(key)
            for index in table.indexes:
                for value in ("red", "green", None, 0, 1, 2):
                    expected = [rows[key] for key in sorted(rows) if getattr(rows[key], index) == value]
                    assert self.store.find(table, index, value) == expected


StoreMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
test_store_behaves_like_dictionaries = StoreMachine.TestCase


def test_undeclared_index_is_our_own_mistake() -> None:
    store = MemoryStore({}, TABLES)
    with pytest.raises(NoSuchIndex):
        store.find(EVENTS, "size", 1)


def test_row_of_another_table_is_refused() -> None:
    class Other(Struct, frozen=True):
        name: str

    store = MemoryStore({}, TABLES)
    with pytest.raises(StoreError):
        store.insert(THINGS, Other("a"))  # type: ignore[misc]


def test_rows_that_could_be_changed_in_place_cannot_be_declared() -> None:
    class Loose(Struct):
        name: str

    with pytest.raises(StoreError):
        Table("loose", Loose, "name")


def test_put_inserts_and_then_updates() -> None:
    store = MemoryStore({}, TABLES)
    put(store, THINGS, Thing("a", "red", 1))
    put(store, THINGS, Thing("a", "green", 1))
    assert store.rows(THINGS) == [Thing("a", "green", 1)]
    assert store.find(THINGS, "colour", "red") == []
