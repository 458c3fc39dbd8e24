"""Writes a run's evidence into one SQLite file, and opens it again.

Truth, wire and books go in as plain rows; what a back-end does not show goes into `unverifiable` and never becomes an
empty book. Nothing here judges, and nothing here reads a living object after the rows are in.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sim.backend import Books, Row, Unverifiable
from sim.errors import BadInput
from sim.evidence.canonical import Scalar, canonical, scalar
from sim.evidence.reader import Evidence
from sim.evidence.schema import BOOKS, HEARD, PARTNERS, QUOTES, WIRE, all_tables
from sim.evidence.truth import TruthRecorder
from sim.evidence.wire import WireRecorder

SCHEMA = "1"

Cells = tuple[Scalar, ...]
Tables = Mapping[str, Sequence[Cells]]

_INDICES = {
    "truth_sessions": ("station", "connector"),
    "wire_calls": ("action", "station"),
    "books_sessions": ("session_id",),
    "books_transactions": ("transaction_id",),
    "books_records": ("session_id",),
    "books_cdrs": ("cdr_id",),
    "books_rated": ("cdr_id",),
    "books_bills": ("session_id",),
    "books_journal": ("backend", "seq"),
}


class HarvestedBooks:
    """The books of all back-ends as rows that fit the schema, and what could not be shown or read."""

    def __init__(self, books: Mapping[str, Books]) -> None:
        self.tables: dict[str, list[Cells]] = {book: [] for book in BOOKS}
        self.unverifiable: list[tuple[str, str, str]] = []
        for backend in sorted(books):
            for book, columns in BOOKS.items():
                shown = books[backend].get(book, Unverifiable("the back-end showed no such book"))
                self._take(backend, book, columns, shown)
                for column in columns:
                    gap = books[backend].get(f"{book}.{column}")
                    if isinstance(gap, Unverifiable) and not isinstance(shown, Unverifiable):
                        self.unverifiable.append((backend, f"{book}.{column}", gap.reason))

    def _take(self, backend: str, book: str, columns: tuple[str, ...], shown: Sequence[Row] | Unverifiable) -> None:
        cells = shown if isinstance(shown, Unverifiable) else _cells(columns, shown)
        if isinstance(cells, Unverifiable):
            self.unverifiable.append((backend, book, cells.reason))
        else:
            self.tables[book] += [(backend, *row) for row in cells]

    @property
    def digest(self) -> str:
        """SHA-256 over the canonical rows, independent of the order in which a back-end shows them."""
        whole = hashlib.sha256()
        for book, rows in self.tables.items():
            for line in sorted(map(canonical, rows)):
                whole.update(f"{book}{line}\n".encode())
        whole.update(canonical(self.unverifiable).encode())
        return whole.hexdigest()


def run_digest(
    truth: TruthRecorder,
    wire: WireRecorder,
    books: Mapping[str, Books],
    partners: Mapping[str, Sequence[Row]] | None = None,
) -> str:
    """The digest of a run: wire, truth, books and the statements of its partners. Reports, quotes and timings stay out."""
    return _join_digests(wire.digest, truth.digest, HarvestedBooks(books).digest, *_digest_of(_statements(partners)))


def write_evidence(
    path: Path | str | None,
    *,
    truth: TruthRecorder,
    wire: WireRecorder,
    books: Mapping[str, Books],
    partners: Mapping[str, Sequence[Row]] | None = None,
    quotes: Mapping[str, Sequence[Row] | Unverifiable] | None = None,
    plan: Mapping[str, Any] | None = None,
    repeats: Iterable[tuple[str, str]] = (),
    ended_at: int | None = None,
    hash_seed: str | None = None,
) -> Evidence:
    """Finish the wire file, put all three planes into a new file (in memory without a path), and open it.

    `books` by back-end; `partners` the merged statements of all partners by table; `quotes` holds rows of `quotes_grid`
    and `quotes_rerated`; `plan` one JSON-able value per key; `repeats` pairs of (PYTHONHASHSEED, digest) of other
    processes; `ended_at` is the instant of the harvest. The digest of the run is in the evidence. Raises BadInput if the
    file is there already.
    """
    harvested = HarvestedBooks(books)
    statements = _statements(partners)
    digest = _join_digests(wire.close(), truth.digest, harvested.digest, *_digest_of(statements))
    tables: dict[str, Sequence[Cells]] = {**truth.rows(), **harvested.tables, **statements}
    missing = list(harvested.unverifiable)
    if wire.policy == "off":
        missing += [("", table, "the wire was not recorded") for table in (*WIRE, *HEARD)]
    else:
        tables.update(wire.rows())
        for table, columns in HEARD.items():
            tables[table] = [tuple(scalar(row[column]) for column in columns) for row in wire.oddities]
    for table, columns in QUOTES.items():
        shown = (quotes or {}).get(table, Unverifiable("no back-end was asked"))
        cells = shown if isinstance(shown, Unverifiable) else _cells(columns, shown)
        if isinstance(cells, Unverifiable):
            missing.append(("", table, cells.reason))
        else:
            tables[table] = cells
    meta = {"schema": SCHEMA, "digest": digest, "hash_seed": hash_seed, "ended_at": ended_at}
    tables["meta"] = [(key, str(value)) for key, value in meta.items() if value is not None]
    tables["plan"] = [(key, canonical(value)) for key, value in sorted((plan or {}).items())]
    tables["repeats"] = [*repeats]
    tables["unverifiable"] = missing
    return save_tables(path, tables)


def save_tables(path: Path | str | None, tables: Tables) -> Evidence:
    """Put rows into a new evidence file, in memory without a path; tables that are not named stay empty.

    Raises BadInput if the file is there already, ValueError for a table that evidence does not have.
    """
    schema = all_tables()
    if not tables.keys() <= schema.keys():
        raise ValueError(f"evidence has no table {', '.join(sorted(tables.keys() - schema.keys()))}")
    if path is not None and Path(path).exists():
        raise BadInput(path, None, "is there already", "a new file")
    connection = sqlite3.connect(":memory:" if path is None else path)
    connection.execute("PRAGMA synchronous = OFF")
    with connection:
        for table, columns in schema.items():
            names = ", ".join(f'"{column}"' for column in columns)
            marks = ", ".join("?" * len(columns))
            connection.execute(f"CREATE TABLE {table} ({names})")
            connection.executemany(f"INSERT INTO {table} VALUES ({marks})", tables.get(table, ()))
        for table, columns in _INDICES.items():
            connection.execute(f"CREATE INDEX {table}_by_{columns[-1]} ON {table} ({', '.join(columns)})")
    return Evidence(connection)


def open_evidence(path: Path | str) -> Evidence:
    """Open an evidence file (":memory:" for empty evidence). Raises BadInput if there is none, or if it is none."""
    if str(path) == ":memory:":
        return save_tables(None, {})
    if not Path(path).is_file():
        raise BadInput(path, None, "is not there", "an evidence.sqlite of a run folder")
    connection = sqlite3.connect(path)
    try:
        there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    except sqlite3.DatabaseError as err:
        connection.close()
        raise BadInput(path, None, f"is no SQLite file ({err})", "an evidence.sqlite of a run folder") from err
    lacking = sorted(all_tables().keys() - there)
    if lacking:
        connection.close()
        raise BadInput(path, None, f"has no table {lacking[0]}", "an evidence.sqlite of a run folder")
    return Evidence(connection)


def _cells(columns: tuple[str, ...], rows: Sequence[Row]) -> list[Cells] | Unverifiable:
    """Rows in the order of the columns; a book that does not fit the schema is unverifiable, whoever wrote it."""
    cells: list[Cells] = []
    known = frozenset(columns)
    for row in rows:
        if not row.keys() <= known:
            return Unverifiable(f"a row has the unknown column {sorted(map(str, row.keys() - known))[0]}")
        try:
            cells.append(tuple(scalar(row.get(column)) for column in columns))
        except TypeError as err:
            return Unverifiable(str(err))
    return cells


def _statements(partners: Mapping[str, Sequence[Row]] | None) -> dict[str, list[Cells]]:
    """What the partners showed. They are ours, so a row that does not fit the schema is our own mistake and raises."""
    tables: dict[str, list[Cells]] = {}
    for table, rows in (partners or {}).items():
        if table not in PARTNERS:
            raise ValueError(f"partners have no table {table}")
        cells = _cells(PARTNERS[table], rows)
        if isinstance(cells, Unverifiable):
            raise ValueError(f"{table}: {cells.reason}")
        tables[table] = cells
    return tables


def _digest_of(statements: Mapping[str, Sequence[Cells]]) -> list[str]:
    """One more part of the digest, for a run that has partners."""
    if not statements:
        return []
    whole = hashlib.sha256()
    for table in sorted(statements):
        for row in statements[table]:
            whole.update(f"{table}{canonical(row)}\n".encode())
    return [whole.hexdigest()]


def _join_digests(*digests: str) -> str:
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


__all__ = [
    "Evidence",
    "HarvestedBooks",
    "open_evidence",
    "run_digest",
    "save_tables",
    "write_evidence",
]
