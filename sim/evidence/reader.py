"""Evidence opened for reading: rows as typed views, the plan, and what could not be verified.

Adds nothing but the digests of repeats, or why there are none. A check that asks for a view whose rows do not fit it gets
an error and is UNKNOWN, never a guess.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import msgspec

from sim.evidence.canonical import Scalar
from sim.evidence.gaps import Gaps, Lacking, ReadColumns, lacking, without
from sim.evidence.schema import all_tables
from sim.evidence.verdict import EvidenceLine, Plane
from sim.evidence.views import View

V = TypeVar("V", bound=View)
T = TypeVar("T")

_LONG = 400
WHOLE = ""
_SHOWN = ("books_", "partner_", "quotes_")
_PLANES: dict[str, Plane] = {"truth": "truth", "wire": "wire", "books": "books", "quotes": "quotes", "plan": "plan"}


class Evidence:
    """One run's evidence. Views and derived values are read once and kept."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._connection.row_factory = sqlite3.Row
        self._views: dict[type[View], list[Any]] = {}
        self._kept: dict[str, Any] = {}
        self._gaps: dict[str, dict[str, dict[str, str]]] | None = None
        self._judged = False

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def __enter__(self) -> Evidence:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def rows(self, sql: str, *values: Scalar) -> list[dict[str, Any]]:
        """The rows of any query, as dicts. Raises Lacking for a check that asks for a column which is not shown."""
        gaps = self._all_gaps() if self._judged else {}
        if not gaps:
            return [dict(row) for row in self._connection.execute(sql, values)]
        with ReadColumns(self._connection) as columns:
            found = [dict(row) for row in self._connection.execute(sql, values)]
        for table, column in columns.of(gaps):
            if column == "backend":  # who shows a book may be asked even if nobody does
                continue
            self._refuse_missing(table)
            for backend, why in gaps[table].items():
                if column in why:
                    raise Lacking(lacking(backend, f"{table}.{column}", why[column]))
        return found

    def _refuse_missing(self, table: str) -> None:
        """Raises Lacking for a check that reads a book which is not shown at all: it would look like an empty one."""
        if self._judged and table.startswith(_SHOWN):
            for backend, why in self._all_gaps().get(table, {}).items():
                if WHOLE in why:
                    raise Lacking(lacking(backend, table, why[WHOLE]))

    @contextmanager
    def judged(self) -> Iterator[None]:
        """While a check looks: what is not shown may not be read as empty."""
        self._judged = True
        try:
            yield
        finally:
            self._judged = False

    def read(self, view: type[V]) -> list[V]:
        """All rows of the view's table in the order in which they were written.

        Raises msgspec.ValidationError if a row does not fit the view. Whoever reads a column of it that its back-end
        does not show gets Lacking.
        """
        self._refuse_missing(view.table)
        return self._rows_of(view)

    def read_shown(self, view: type[V]) -> list[V]:
        """As `read`, for whoever judges only what is there: none if the book, or a column of the view, is not shown.

        A check that would find fault with what is not there declares the book among its needs.
        """
        hidden = self.missing(view.table, *(f"{view.table}.{name}" for name in view.__struct_fields__))
        return [] if hidden else self._rows_of(view)

    def _rows_of(self, view: type[V]) -> list[V]:
        found = self._views.get(view)
        if found is None:
            columns = ", ".join(f'"{name}"' for name in view.__struct_fields__)
            cursor = self._connection.cursor()
            cursor.row_factory = None  # bare tuples: the longest table of a run has hundreds of thousands of rows
            rows = cursor.execute(f"SELECT {columns} FROM {view.table} ORDER BY rowid").fetchall()
            gaps = self._all_gaps().get(view.table)
            found = self._views[view] = _fitted(view, rows) if gaps is None else _partial(view, gaps, rows)
        return cast("list[V]", found)

    def _all_gaps(self) -> dict[str, dict[str, dict[str, str]]]:
        """By table and back-end, the columns that are not shown; WHOLE stands for all of them."""
        if self._gaps is None:
            self._gaps = {}
            for row in self._connection.execute("SELECT * FROM unverifiable ORDER BY rowid"):
                table, _, column = str(row["book"]).partition(".")
                self._gaps.setdefault(table, {}).setdefault(str(row["backend"]), {})[column] = str(row["reason"])
        return self._gaps

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
        self._gaps = None

    def backends(self) -> list[str]:
        """Names of all back-ends that showed a book, or should have, sorted."""
        named = self.rows("SELECT DISTINCT backend FROM unverifiable WHERE backend <> ''")
        for table in all_tables():
            if table.startswith("books_"):
                named += self.rows(f"SELECT DISTINCT backend FROM {table}")
        return sorted({row["backend"] for row in named})

    def missing(self, *names: str) -> list[str]:
        """Why these tables or `table.column`s cannot be relied upon: a sentence for each that a back-end does not show."""
        found = []
        for name in names:
            table, _, column = name.partition(".")
            for backend, why in sorted(self._all_gaps().get(table, {}).items()):
                if column in why:
                    found.append(lacking(backend, name, why[column]))
        return found

    def ended_at(self) -> int:
        """The instant of the harvest, or that of the last thing seen on the wire."""
        told = self.meta("ended_at")
        if told is not None:
            return int(told)
        sql = "SELECT MAX(MAX(COALESCE(opened_at, 0), COALESCE(closed_at, 0), COALESCE(last_frame_at, 0))) AS at"
        return int(self.rows(f"{sql} FROM wire_links")[0]["at"] or 0)


def _fitted(view: type[V], rows: list[tuple[Any, ...]]) -> list[V]:
    """The rows as this view, all judged at once; where one does not fit, the error names its column."""
    fitting = list[tuple[tuple(field.type for field in msgspec.structs.fields(view))]]  # type: ignore[misc, valid-type]
    try:
        return [view(*row) for row in msgspec.convert(rows, fitting)]
    except msgspec.ValidationError:
        return [msgspec.convert(dict(zip(view.__struct_fields__, row, strict=True)), view) for row in rows]


def line(view: View) -> EvidenceLine:
    """One row as an evidence line; long texts are cut, columns without a value left out."""
    row = {name: _cut(_shown(view, name)) for name in view.__struct_fields__}
    plane = _PLANES.get(view.table.split("_", 1)[0], "run")
    return EvidenceLine(plane, view.table, {name: value for name, value in row.items() if value is not None})


def _shown(view: View, name: str) -> Scalar:
    """The value of a column, none where it is not shown: only for what is printed beside a finding."""
    try:
        return cast(Scalar, getattr(view, name))
    except Lacking:
        return None


def _partial(view: type[V], gaps: Gaps, rows: list[tuple[Any, ...]]) -> list[Any]:
    """Rows of a table of which not every back-end shows all columns."""
    names = view.__struct_fields__
    views: dict[str, type[View]] = {}
    found = []
    for values in rows:
        row = dict(zip(names, values, strict=True))
        backend = str(row.get("backend") or "")
        gone = {**gaps.get("", {}), **gaps.get(backend, {})}
        if backend not in views:
            views[backend] = without(view, backend, gone)
        found.append(msgspec.convert({name: row[name] for name in names if name not in gone}, views[backend]))
    return found


def note(plane: Plane, table: str, **row: Scalar) -> EvidenceLine:
    """An evidence line made by hand, for values that were derived from rows."""
    return EvidenceLine(plane, table, {name: _cut(value) for name, value in row.items()})


def _cut(value: Scalar) -> Scalar:
    return value[:_LONG] + "..." if isinstance(value, str) and len(value) > _LONG else value
