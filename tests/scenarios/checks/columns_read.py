"""Which columns of books, statements and quotes each check reads of a run: asked by watching it, not by reading its code.

    python -m tests.scenarios.checks.columns_read RUN/evidence.sqlite ... > scenarios/checks/columns.toml

A whole first day and a whole upgrade together show what there is to see.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec

from scenarios.checks.registry import Check, all_checks
from sim.evidence.canonical import Scalar
from sim.evidence.gaps import ReadColumns
from sim.evidence.reader import Evidence
from sim.evidence.views import View

PLANES = ("books_", "partner_", "quotes_")


class Watched(Evidence):
    """Evidence that notes each column which somebody looks at."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self.seen: dict[tuple[str, str], None] = {}
        self.needed: dict[tuple[str, str], None] = {}
        self._watching: dict[type[View], list[Any]] = {}
        self._rests_on: dict[str, tuple[dict[tuple[str, str], None], dict[tuple[str, str], None]]] = {}

    def keep(self, name: str, make: Callable[[Evidence], Any]) -> Any:
        if name not in self._rests_on:
            outer = self.seen, self.needed
            self.seen, self.needed = {}, {}
            super().keep(name, make)
            self._rests_on[name] = self.seen, self.needed
            self.seen, self.needed = outer
        self.seen.update(self._rests_on[name][0])
        self.needed.update(self._rests_on[name][1])
        return super().keep(name, make)

    def rows(self, sql: str, *values: Scalar) -> list[dict[str, Any]]:
        with ReadColumns(self._connection) as columns:
            found = super().rows(sql, *values)
        self.seen.update(columns.read)
        return found

    def read(self, view: type[Any]) -> list[Any]:
        if view not in self._watching:
            watched = self._watched(view)
            names = ", ".join(f'"{name}"' for name in view.__struct_fields__)
            rows = self._connection.execute(f"SELECT {names} FROM {view.table} ORDER BY rowid")
            self._watching[view] = [msgspec.convert(dict(row), watched) for row in rows]
        return self._watching[view]

    def read_shown(self, view: type[Any]) -> list[Any]:
        """What is read only where it is shown counts for checks that declare the book: for these it must be whole."""
        self.needed.update({(view.table, name): None for name in view.__struct_fields__})
        return super().read_shown(view)

    def _watched(self, view: type[View]) -> type[View]:
        made = msgspec.defstruct(view.__name__, [], bases=(view,), frozen=True, gc=False)
        for name in view.__struct_fields__:
            setattr(made, name, self._noting(view, name))
        return made

    def _noting(self, view: type[View], name: str) -> property:
        value = getattr(view, name)

        def read(row: View) -> Any:
            self.seen[view.table, name] = None
            return value.__get__(row)

        return property(read)


def columns_read(path: Path, checks: Iterable[Check]) -> dict[str, dict[str, set[str]]]:
    """By check and table the columns that it reads of the evidence in this file, `backend` and `partner` left out."""
    found: dict[str, dict[str, set[str]]] = {}
    with Watched(sqlite3.connect(path)) as evidence:
        for one in checks:
            evidence.seen, evidence.needed = {}, {}
            result = one.run(evidence)
            assert "crashed" not in result.reason, result.reason
            tables = found.setdefault(one.name, {})
            whole = [name for name in evidence.needed if name[0] in one.needs]
            for table, column in (*evidence.seen, *whole):
                if table.startswith(PLANES) and column not in ("backend", "partner"):
                    tables.setdefault(table, set()).add(column)
    return found


HEAD = """\
# What each check reads of books, statements and quotes: by check and table the columns without which it is UNKNOWN.
# Found by watching the checks look at whole runs; tests/scenarios/checks/test_columns.py holds this list true.
"""


def listed(files: Iterable[Path]) -> str:
    """The text of columns.toml after these runs."""
    found: dict[str, dict[str, set[str]]] = {one.name: {} for one in all_checks()}
    for file in files:
        for name, tables in columns_read(file, all_checks()).items():
            for table, columns in tables.items():
                found[name].setdefault(table, set()).update(columns)
    parts = [
        "\n".join([f"[{name}]", *(f"{table} = {json.dumps(sorted(tables[table]))}" for table in sorted(tables))])
        for name, tables in found.items()
        if tables
    ]
    return "\n\n".join([HEAD.rstrip(), *parts]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(listed(map(Path, sys.argv[1:])))
