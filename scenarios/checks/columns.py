"""Which books, and which of their columns, a check cannot do without: what it declares itself, and columns.toml.

A column that nobody named here is still no way to a PASS: a check that touches one which is not shown is UNKNOWN.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import resources


@cache
def columns_of_checks() -> Mapping[str, Mapping[str, tuple[str, ...]]]:
    """By check and table the columns that it reads."""
    data = tomllib.loads((resources.files("scenarios.checks") / "columns.toml").read_text("utf-8"))
    return {name: {table: tuple(columns) for table, columns in tables.items()} for name, tables in data.items()}


def requirements(check: str, tables: Iterable[str]) -> tuple[str, ...]:
    """Tables and `table.column`s that a check needs; `tables` are those that it declares itself."""
    columns = columns_of_checks().get(check, {})
    named = [f"{table}.{column}" for table, several in columns.items() for column in several]
    return tuple(dict.fromkeys((*tables, *columns, *named)))
