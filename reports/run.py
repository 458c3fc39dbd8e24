"""A finished run as its folder tells it: manifest, verdicts, and the tables of evidence.sqlite.

Reads only, and only what is there: a table or plan key that a run did not write is empty, and the report says so.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from sim.evidence.reader import Evidence
from sim.evidence.schema import all_tables
from sim.evidence.store import open_evidence
from sim.evidence.verdict import CheckResult, Verdict

Row = dict[str, Any]
BACKENDS = ("legacy", "new")
DOCUMENTS = "documents"
"""The folder of the PDFs in a run folder."""


class Run:
    """One run folder, to be used as a context manager. Tables are read on first use and kept."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text("utf-8"))
        verdicts = json.loads((folder / "verdicts.json").read_text("utf-8"))
        self.verdict = Verdict(verdicts["verdict"])
        self.forgiven: tuple[str, ...] = tuple(verdicts.get("allow_unknown", ()))
        self.results: tuple[CheckResult, ...] = tuple(
            msgspec.convert(check, CheckResult, strict=False) for check in verdicts["checks"]
        )
        self._evidence = open_evidence(folder / "evidence.sqlite")
        self._tables: dict[str, list[Row]] = {}
        self._groups: dict[tuple[str, str], dict[Any, list[Row]]] = {}

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *error: object) -> None:
        self._evidence.close()

    @cached_property
    def scenario(self) -> dict[str, Any]:
        """The scenario as its author wrote it, every key filled in."""
        return dict(self.manifest.get("scenario") or {})

    @property
    def zone(self) -> str:
        """The time zone that the report speaks in."""
        return str(self.scenario.get("day", {}).get("zone", "UTC"))

    @property
    def only_sites(self) -> list[str]:
        """The sites that the user let take part instead of all of the scenario's; empty for a whole run."""
        words = [word.partition("=")[0] for word in str(self.manifest.get("command", "")).split()]
        return list(self.scenario.get("sessions", {}).get("sites") or ()) if "--sites" in words else []

    @property
    def claims(self) -> list[Row]:
        """Claims with the names of their checks."""
        return list(self.scenario.get("claims", []))

    def table(self, name: str) -> list[Row]:
        """All rows of a table of the evidence, in the order of writing. Raises KeyError for one that never is."""
        if name not in self._tables:
            columns = ", ".join(f'"{column}"' for column in all_tables()[name])
            self._tables[name] = self._evidence.rows(f'SELECT {columns} FROM "{name}" ORDER BY rowid')
        return self._tables[name]

    def where(self, name: str, **wanted: int | str | None) -> list[Row]:
        """The rows of a table whose columns have these values, in the order of writing; for tables too long to walk."""
        if name in self._tables:
            fitting = [self._grouped(name, key).get(value, []) for key, value in wanted.items()]
            few = min(fitting, key=len, default=self._tables[name])
            return [row for row in few if all(row[key] == value for key, value in wanted.items())]
        columns = ", ".join(f'"{column}"' for column in all_tables()[name])
        fits = " AND ".join(f'"{key}" IS ?' for key in wanted) or "1"
        return self.evidence.rows(f'SELECT {columns} FROM "{name}" WHERE {fits} ORDER BY rowid', *wanted.values())

    def _grouped(self, name: str, column: str) -> dict[Any, list[Row]]:
        """The rows of a table that is kept, by a column; worked out once."""
        if (name, column) not in self._groups:
            self._groups[name, column] = by(self._tables[name], column)
        return self._groups[name, column]

    @cached_property
    def documents(self) -> list[str]:
        """The names of the PDFs that lie in the folder, below it."""
        return sorted(f"{DOCUMENTS}/{one.name}" for one in (self.folder / DOCUMENTS).glob("*.pdf"))

    @property
    def evidence(self) -> Evidence:
        """The evidence itself, for what is worked out from all of it."""
        return self._evidence

    def count(self, name: str, where: str = "1") -> int:
        """How many rows a table has that fit a condition of ours (never of a user's)."""
        return int(self._evidence.rows(f'SELECT COUNT(*) AS n FROM "{name}" WHERE {where}')[0]["n"])

    def plan(self, key: str) -> Any:
        """What the scenario promised under this key, None if the run wrote nothing."""
        return self._evidence.plan(key)


def points(session: Mapping[str, Any]) -> list[tuple[int, int, str]]:
    """The signed points of a true session: instant, register in Wh, mark."""
    return [(int(at), int(wh), str(mark)) for at, wh, mark in json.loads(session["points"] or "[]")]


def by(rows: Sequence[Row], column: str) -> dict[Any, list[Row]]:
    """Rows grouped by a column, in the order of first appearance."""
    groups: dict[Any, list[Row]] = {}
    for row in rows:
        groups.setdefault(row[column], []).append(row)
    return groups


def bill_file(bill: Mapping[str, Any]) -> str:
    """Where the page of a bill lies in the run folder, whatever characters its number has."""
    return f"bills/{_plain(bill['backend'], bill['number'])}.html"


def document_file(kind: str, backend: str, number: str) -> str:
    """Where the PDF of a document lies in the run folder, whatever characters its number has."""
    return f"{DOCUMENTS}/{_plain(*(part for part in (kind, backend, number) if part))}.pdf"


def _plain(*parts: object) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", "-".join(map(str, parts)))
