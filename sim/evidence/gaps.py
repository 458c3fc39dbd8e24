"""Columns that a back-end keeps or shows nothing of, though it shows the rest of the book.

In `unverifiable` they stand as `table.column`. A check that touches one gets `Lacking` and is UNKNOWN with the column
named; a value must never be made up for one, NULL included.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping
from typing import Any, cast

import msgspec

from sim.evidence.views import View

Gaps = Mapping[str, Mapping[str, str]]
"""By back-end ("" for all of them) the columns of one table that it does not show, each with its reason."""


class Lacking(Exception):
    """What was asked for rests on a column that a back-end does not show. `str()` names both, and why."""


def lacking(backend: str, name: str, reason: str) -> str:
    """The sentence for a table or column that is not shown."""
    return f"{backend or 'the run'}: no {name} ({reason})"


def without(view: type[View], backend: str, columns: Mapping[str, str]) -> type[View]:
    """The view for rows of a back-end that shows all but these columns: whoever reads one of them gets Lacking."""
    gone = [name for name in view.__struct_fields__ if name in columns]
    if not gone:
        return view
    fields = [(name, Any, None) for name in gone]
    made = msgspec.defstruct(view.__name__, fields, bases=(view,), frozen=True, kw_only=True, gc=False)
    for name in gone:  # a property hides the field: what is not there cannot be read by mistake
        setattr(made, name, _refusing(lacking(backend, f"{view.table}.{name}", columns[name])))
    return cast("type[View]", made)


def _refusing(sentence: str) -> property:
    def read(row: View) -> Any:
        raise Lacking(sentence)

    return property(read)


class ReadColumns:
    """Which columns a query reads, asked of SQLite itself while the query is prepared."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.read: dict[tuple[str, str], None] = {}

    def __enter__(self) -> ReadColumns:
        self._connection.set_authorizer(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.set_authorizer(None)

    def of(self, tables: Collection[str]) -> list[tuple[str, str]]:
        """Table and column of all that was read of these tables, in the order of reading."""
        return [one for one in self.read if one[0] in tables]

    def _note(self, action: int, table: str | None, column: str | None, *_: str | None) -> int:
        if action == sqlite3.SQLITE_READ and table and column:
            self.read[table, column] = None
        return sqlite3.SQLITE_OK
