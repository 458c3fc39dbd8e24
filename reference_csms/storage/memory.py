"""The memory store: rows in dictionaries on a `disk`, written in place, with an undo log beside them.

Works like a rollback journal: what was not committed stands in the log, and whoever opens the disk next undoes it
first. So a process can die at any instant and its successor finds exactly what was committed. Must never keep a row
outside the disk, since only the disk survives.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from reference_csms.storage.port import AppendOnly, Fenced, Key, KeyMissing, KeyTaken, NoSuchIndex, R, StoreError, Table

_PLACE = "store"


class _Cells:
    """What lies on the disk: rows by table and key, keys by index and value, the undo log, the count of openings."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[Key, Any]] = {}
        self.indexes: dict[str, dict[str, dict[Any, dict[Key, None]]]] = {}
        self.undo: list[tuple[Table[Any], Key, Any]] = []
        self.epoch = 0


class MemoryStore:
    """A `Store` on a dictionary. Opening it rolls back what a dead process left uncommitted."""

    def __init__(self, disk: dict[str, Any], tables: Iterable[Table[Any]]) -> None:
        cells: _Cells = disk.setdefault(_PLACE, _Cells())
        self._cells = cells
        self._rows = cells.rows
        self._indexes = cells.indexes
        self._undo = cells.undo
        for table in tables:
            self._rows.setdefault(table.name, {})
            self._indexes.setdefault(table.name, {name: {} for name in table.indexes})
        cells.epoch += 1
        self.epoch = cells.epoch
        self.rollback()

    def get(self, table: Table[R], key: Key) -> R | None:
        """The row of this key, None if there is none."""
        row: R | None = self._rows[table.name].get(key)
        return row

    def insert(self, table: Table[R], row: R) -> None:
        """Add a row. Raises KeyTaken if its key exists."""
        key: Key = getattr(row, table.key)
        rows = self._rows[table.name]
        self._check(table, row)
        if key in rows:
            raise KeyTaken(f"{table.name} has a row {key!r} already")
        self._undo.append((table, key, None))
        rows[key] = row
        self._index(table, row, key)

    def update(self, table: Table[R], row: R) -> None:
        """Replace the row with this key. Raises KeyMissing, or AppendOnly for an append-only table."""
        key: Key = getattr(row, table.key)
        rows = self._rows[table.name]
        self._check(table, row)
        if table.append_only:
            raise AppendOnly(f"rows of {table.name} never change")
        old = rows.get(key)
        if old is None:
            raise KeyMissing(f"{table.name} has no row {key!r}")
        self._undo.append((table, key, old))
        rows[key] = row
        self._reindex(table, old, row, key)

    def find(self, table: Table[R], index: str, value: Any) -> list[R]:
        """All rows whose indexed attribute equals `value`, in key order. Raises NoSuchIndex."""
        keys = self._with(table, index).get(value)
        if not keys:
            return []
        rows = self._rows[table.name]
        return [rows[key] for key in (sorted(keys) if len(keys) > 1 else keys)]

    def rows(self, table: Table[R]) -> list[R]:
        """All rows in key order."""
        rows = self._rows[table.name]
        return [rows[key] for key in sorted(rows)]

    def after(self, table: Table[R], key: Key | None, limit: int) -> list[R]:
        """At most `limit` rows with keys above this one, in key order; None: from the first."""
        rows: dict[Any, R] = self._rows[table.name]
        return [rows[one] for one in heapq.nsmallest(limit, (one for one in rows if key is None or one > key))]

    def count(self, table: Table[R]) -> int:
        """How many rows there are."""
        return len(self._rows[table.name])

    def count_where(self, table: Table[R], index: str, value: Any) -> int:
        """How many rows `find` would give. Raises NoSuchIndex."""
        return len(self._with(table, index).get(value, ()))

    def commit(self) -> None:
        """Make everything since the last commit last."""
        self._fence()
        self._undo.clear()

    def rollback(self) -> None:
        """Forget everything since the last commit."""
        self._fence()
        while self._undo:
            table, key, old = self._undo.pop()
            rows = self._rows[table.name]
            new = rows[key]
            if old is None:
                del rows[key]
                self._unindex(table, new, key)
            else:
                rows[key] = old
                self._reindex(table, new, old, key)

    # -- inside ------------------------------------------------------------------------------------------------

    def _with(self, table: Table[Any], index: str) -> dict[Any, dict[Key, None]]:
        values = self._indexes[table.name].get(index)
        if values is None:
            raise NoSuchIndex(f"{table.name} has no index {index!r}")
        return values

    def _fence(self) -> None:
        if self._cells.epoch != self.epoch:
            raise Fenced("this store was opened again by somebody else")

    def _check(self, table: Table[Any], row: Struct) -> None:
        self._fence()
        if type(row) is not table.row:
            raise StoreError(f"{type(row).__name__} is no row of {table.name}")

    def _index(self, table: Table[Any], row: Struct, key: Key) -> None:
        for name, values in self._indexes[table.name].items():
            values.setdefault(getattr(row, name), {})[key] = None

    def _unindex(self, table: Table[Any], row: Struct, key: Key) -> None:
        for name, values in self._indexes[table.name].items():
            self._leave(values, getattr(row, name), key)

    def _reindex(self, table: Table[Any], old: Struct, new: Struct, key: Key) -> None:
        for name, values in self._indexes[table.name].items():
            before, after = getattr(old, name), getattr(new, name)
            if before != after:
                self._leave(values, before, key)
                values.setdefault(after, {})[key] = None

    @staticmethod
    def _leave(values: dict[Any, dict[Key, None]], value: Any, key: Key) -> None:
        keys = values[value]
        del keys[key]
        if not keys:
            del values[value]
