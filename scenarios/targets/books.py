"""The books of a foreign back-end, as its target file says where they are: every table of the evidence, or why not.

A book that is not declared, or in which one row cannot be read, is Unverifiable with the reason, never empty and never
half. Columns that a book does not hold stand beside it as `table.column`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from scenarios.targets.cells import Rows, Unreadable
from scenarios.targets.csvbook import read_csv
from scenarios.targets.file import headers
from scenarios.targets.http import Http
from scenarios.targets.invoicexml import read_invoices
from scenarios.targets.model import Book, Foreign, ForeignTarget
from scenarios.targets.ocpi import read_ocpi
from scenarios.targets.sources import Sources
from scenarios.targets.sqlbook import read_sql
from sim.backend import Books, Unverifiable
from sim.evidence.schema import BOOKS, PARTNERS

_NAMED_BY = {"cdr_id": "books_cdrs", "transaction_id": "books_transactions"}


@contextmanager
def reader(target: ForeignTarget, role: str) -> Iterator[BookReader]:
    """Reads the books of one role of a target, with its API if it has one. Raises BadInput for a secret that is nowhere."""
    foreign, here = target.roles[role], f"{role}." if role else ""
    with ExitStack() as opened:
        http = None
        if foreign.api is not None:
            sent = headers(foreign.api, target.file, here)
            http = opened.enter_context(Http(foreign.api.base_url, headers=sent))
        yield BookReader(foreign, target.file, http, role)


def read_target(target: ForeignTarget, names: Mapping[str, str]) -> tuple[dict[str, Books], Books]:
    """The books of every role under the name that `names` gives it, and the statements that any role declares."""
    books: dict[str, Books] = {}
    statements: Books = {}
    for role in target.roles:
        with reader(target, role) as shown:
            books[names.get(role, role)] = shown.books()
            statements = _both(statements, shown.statements())
    return books, statements


def _both(one: Books, other: Books) -> Books:
    """Partners are the same for both roles: what either shows is shown."""
    found = dict(one)
    for name, shown in other.items():
        before = found.get(name)
        if before is None or isinstance(before, Unverifiable):
            found[name] = shown
        elif not isinstance(shown, Unverifiable):
            found[name] = [*before, *shown]
    return found


def _completed(books: Books) -> Books:
    """Sessions that do not name their record or transaction get it from the book that names their session instead."""
    full = dict(books)
    for column, table in _NAMED_BY.items():
        gap, sessions, others = f"books_sessions.{column}", full["books_sessions"], full[table]
        told = not any(f"{table}.{name}" in full for name in (column, "session_id", "credit"))
        if gap in full and told and not isinstance(sessions, Unverifiable) and not isinstance(others, Unverifiable):
            named = {row["session_id"]: row[column] for row in others if not row.get("credit")}  # a credit takes back
            full["books_sessions"] = [{**row, column: named.get(row["session_id"])} for row in sessions]
            del full[gap]
    return full


class BookReader:
    """Reads the books of one back-end; `http` is its API, None if it has none. `role` is its place in the file."""

    def __init__(self, foreign: Foreign, file: str, http: Http | None, role: str = "") -> None:
        self._foreign = foreign
        self._file = file
        self._role = f"{role}." if role else ""
        self._sources = Sources(Path(file).parent, http)

    def books(self) -> Books:
        """Every table of BOOKS, and the columns that are not shown."""
        return _completed(self._all(BOOKS, self._foreign.books, "books", "books_"))

    def statements(self) -> Books:
        """Every table of PARTNERS: what the partners themselves say, as far as the file names it."""
        return self._all(PARTNERS, self._foreign.statements, "statements", "partner_")

    def _all(self, tables: dict[str, tuple[str, ...]], declared: dict[str, Book], group: str, prefix: str) -> Books:
        found: Books = {}
        for table, columns in tables.items():
            name = table.removeprefix(prefix)
            place = f"{self._role}{group}.{name}"
            if name not in declared:
                found[table] = Unverifiable(f"{self._file} declares no [{place}]")
                continue
            try:
                read = self._read(declared[name], table, columns, place)
            except Unreadable as err:
                found[table] = Unverifiable(str(err))
            else:
                found[table] = read.rows
                found |= {f"{table}.{column}": Unverifiable(why) for column, why in read.gaps.items()}
        return found

    def _read(self, book: Book, table: str, columns: tuple[str, ...], place: str) -> Rows:
        if book.kind == "ocpi":
            return read_ocpi(book, table, columns, self._sources)
        if book.kind == "csv":
            return read_csv(book, table, columns, self._sources)
        if book.kind == "invoice-xml":
            return read_invoices(book, table, columns, self._sources)
        if book.kind == "sql":
            return read_sql(book, self._database(book, place), table, columns, f"{self._file}, {place}")
        return Rows([], {})

    def _database(self, book: Book, place: str) -> str:
        address = os.environ.get(book.database_env) if book.database_env else book.database
        if not address:
            raise Unreadable(f"{self._file}, {place}: the environment variable {book.database_env} is not set")
        return address
