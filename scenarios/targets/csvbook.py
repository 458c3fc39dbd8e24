"""A book in CSV files with a header line; every column of the evidence comes from the header of its name, or as mapped."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from scenarios.targets.cells import ABSENT, Get, Rows, Shape, Unreadable
from scenarios.targets.model import Book, Column
from scenarios.targets.sources import Sources
from sim.backend import Row


def read_csv(book: Book, table: str, columns: tuple[str, ...], sources: Sources) -> Rows:
    """The rows of one CSV book. Raises Unreadable with file, line and column."""
    shape = Shape(book, table, columns, {name: Column(source=name) for name in columns})
    rows: list[Row] = []
    gaps: dict[str, str] = {}
    for name, text in sources.texts(book):
        reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=book.delimiter, strict=True)
        try:
            headers = next(reader, [])
            if not headers:
                raise Unreadable(f"{name} has no header line")
            for header in headers:
                if headers.count(header) > 1:
                    raise Unreadable(f"{name} has two columns {header!r}")
            raw = [
                (f"{name}, line {reader.line_num}", _look(name, reader.line_num, headers, cells))
                for cells in reader
                if cells
            ]
        except csv.Error as err:
            raise Unreadable(f"{name}, line {reader.line_num}: {err}") from None
        gaps |= shape.columns_of(name, headers)
        rows += shape.read(name, raw).rows
    return Rows([{key: row[key] for key in row if key not in gaps} for row in rows], gaps)


def _look(name: str, line: int, headers: list[str], cells: list[str]) -> Get:
    if len(cells) != len(headers):
        raise Unreadable(f"{name}, line {line} has {len(cells)} cells, and the header has {len(headers)}")
    row: Mapping[str, str] = dict(zip(headers, cells, strict=True))
    return lambda source: row.get(source, ABSENT)
