"""The truth plane: what physically happened, as the rigs, drivers and faults note it down.

Keeps rows and a running digest. It never judges and never completes a row: a column that nobody noted stays empty.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from sim.evidence.canonical import Scalar, canonical_row, scalar
from sim.evidence.schema import TRUTH

_PREFIX = "truth_"
_COLUMNS = {table.removeprefix(_PREFIX): columns for table, columns in TRUTH.items()}
_NAMES = {kind: frozenset(columns) for kind, columns in _COLUMNS.items()}


class TruthRecorder:
    """Takes notes of the kinds that have a table in `TRUTH`."""

    def __init__(self) -> None:
        self._rows: dict[str, list[tuple[Scalar, ...]]] = {kind: [] for kind in _COLUMNS}
        self._digest = hashlib.sha256()
        self.ignored: dict[str, int] = {}

    def note(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Keep one row. Kinds without a table are counted in `ignored`.

        Raises ValueError for a column that the table does not have, TypeError for a float.
        """
        columns = _COLUMNS.get(kind)
        if columns is None:
            self.ignored[kind] = self.ignored.get(kind, 0) + 1
            return
        if not fields.keys() <= _NAMES[kind]:
            unknown = ", ".join(sorted(fields.keys() - set(columns)))
            raise ValueError(f"truth_{kind} has no column {unknown} (it has {', '.join(columns)})")
        row = tuple([scalar(fields.get(column)) for column in columns])
        self._rows[kind].append(row)
        self._digest.update(f"{kind}{canonical_row(row)}\n".encode())

    @property
    def digest(self) -> str:
        """SHA-256 over all rows so far, in the order of the notes."""
        return self._digest.hexdigest()

    def rows(self) -> dict[str, list[tuple[Scalar, ...]]]:
        """All rows by table name, columns in the order of the schema."""
        return {_PREFIX + kind: rows for kind, rows in self._rows.items()}
