"""Evidence opened for reading: rows as typed views, the plan, and what could not be verified.

Adds nothing but the digests of repeats, or why there are none. A check that asks for a view whose rows do not fit it gets
an error and is UNKNOWN, never a guess.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable
from typing import Any, TypeVar, cast

import msgspec

from sim.evidence.canonical import Scalar
from sim.evidence.schema import all_tables
from sim.evidence.verdict import EvidenceLine, Plane
from sim.evidence.views import View

V = TypeVar("V", bound=View)
T = TypeVar("T")

_LONG = 400
_PLANES: dict[str, Plane] = {"truth": "truth", "wire": "wire", "books": "books", "quotes": "quotes", "plan": "plan"}


class Evidence:
    """One run's evidence. Views and derived values are read once and kept."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._connection.row_factory = sqlite3.Row
        self._views: dict[type[View], list[Any]] = {}
        self._kept: dict[str, Any] = {}

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Evidence:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self, sql: str, *values: Scalar) -> list[dict[str, Any]]:
        """The rows of any query, as dicts."""
        return [dict(row) for row in self._connection.execute(sql, values)]

    def read(self, view: type[V]) -> list[V]:
        """All rows of the view's table in the order in which they were written.

        Raises msgspec.ValidationError if a row does not fit the view.
        """
        found = self._views.get(view)
        if found is None:
            columns = ", ".join(f'"{name}"' for name in view.__struct_fields__)
            cursor = self._connection.cursor()
            cursor.row_factory = None  # bare tuples: the longest table of a run has hundreds of thousands of rows
            rows = cursor.execute(f"SELECT {columns} FROM {view.table} ORDER BY rowid").fetchall()
            found = self._views[view] = _rows_of(view, rows)
        return cast("list[V]", found)

    def keep(self, name: str, make: Callable[[Evidence], T]) -> T:
        """A value derived from this evidence, made once under this name."""
        if name not in self._kept:
            self._kept[name] = make(self)
        return cast(T, self._kept[name])

    def plan(self, key: str, default: Any = None) -> Any:
        """What the scenario promised under this key, `default` if it says nothing."""
        found = self.rows("SELECT json FROM plan WHERE key = ?", key)
        return json.loads(found[0]["json"]) if found else default

    def meta(self, key: str) -> str | None:
        """A fact about the run itself: digest, hash_seed, schema, ended_at."""
        found = self.rows("SELECT value FROM meta WHERE key = ?", key)
        return found[0]["value"] if found else None

    @property
    def digest(self) -> str:
        """The digest of the run: wire, truth, books and partners. Empty for evidence that was made by hand."""
        return self.meta("digest") or ""

    def add_repeats(self, repeats: Iterable[tuple[str, str]]) -> None:
        """Note the digests that processes with other hash seeds got: pairs of (PYTHONHASHSEED, digest)."""
        with self._connection:
            self._connection.executemany("INSERT INTO repeats VALUES (?, ?)", repeats)

    def add_missing(self, table: str, reason: str) -> None:
        """Note that a table of the run itself could not be filled: checks that need it are UNKNOWN with this reason."""
        with self._connection:
            self._connection.execute("INSERT INTO unverifiable VALUES ('', ?, ?)", (table, reason))

    def backends(self) -> list[str]:
        """Names of all back-ends that showed a book, or should have, sorted."""
        named = self.rows("SELECT DISTINCT backend FROM unverifiable WHERE backend <> ''")
        for table in all_tables():
            if table.startswith("books_"):
                named += self.rows(f"SELECT DISTINCT backend FROM {table}")
        return sorted({row["backend"] for row in named})

    def missing(self, table: str) -> list[str]:
        """Why this table cannot be relied upon: one sentence per back-end that does not show it."""
        found = self.rows("SELECT backend, reason FROM unverifiable WHERE book = ? ORDER BY backend", table)
        return [f"{row['backend'] or 'the run'}: no {table} ({row['reason']})" for row in found]

    def ended_at(self) -> int:
        """The instant of the harvest, or that of the last thing seen on the wire."""
        told = self.meta("ended_at")
        if told is not None:
            return int(told)
        sql = "SELECT MAX(MAX(COALESCE(opened_at, 0), COALESCE(closed_at, 0), COALESCE(last_frame_at, 0))) AS at"
        return int(self.rows(f"{sql} FROM wire_links")[0]["at"] or 0)


def _rows_of(view: type[V], rows: list[tuple[Any, ...]]) -> list[V]:
    """The rows as this view, all judged at once; where one does not fit, the error names its column."""
    fitting = list[tuple[tuple(field.type for field in msgspec.structs.fields(view))]]  # type: ignore[misc, valid-type]
    try:
        return [view(*row) for row in msgspec.convert(rows, fitting)]
    except msgspec.ValidationError:
        return [msgspec.convert(dict(zip(view.__struct_fields__, row, strict=True)), view) for row in rows]


def line(view: View) -> EvidenceLine:
    """One row as an evidence line; long texts are cut, columns without a value left out."""
    row = {name: _cut(getattr(view, name)) for name in view.__struct_fields__}
    plane = _PLANES.get(view.table.split("_", 1)[0], "run")
    return EvidenceLine(plane, view.table, {name: value for name, value in row.items() if value is not None})


def note(plane: Plane, table: str, **row: Scalar) -> EvidenceLine:
    """An evidence line made by hand, for values that were derived from rows."""
    return EvidenceLine(plane, table, {name: _cut(value) for name, value in row.items()})


def _cut(value: Scalar) -> Scalar:
    return value[:_LONG] + "..." if isinstance(value, str) and len(value) > _LONG else value
