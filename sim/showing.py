"""How a running back-end shows its rows piece by piece, so that reading a long book does not hold up its stations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sim.backend import Row


class Showing(Protocol):
    """Rows by the name of their list: the tables of `sim.evidence.schema.BOOKS`, rows of the instruction sheet
    (`owners`, `sites`, `tariffs`, `tokens`, `meters`), and OCPI objects (`ocpi_cdrs`, `ocpi_sessions`, `ocpi_tariffs`,
    `ocpi_locations`; their money and energies are Decimal). What was staged before is committed first.
    """

    def page(
        self, what: str, after: str | None, limit: int, where: Mapping[str, Any] | None = None
    ) -> Sequence[tuple[str, Row]]:
        """At most `limit` rows above a cursor, each with its own, in an order that never changes; fewer at the end.

        A walk from cursor to cursor shows every row that was there when it began once, whatever is added meanwhile.
        `where` names values of columns that are wanted: rows that lack them may be left out where that saves a search.
        Raises BadInput for a cursor that is none, KeyError for a list that there is not.
        """
        ...

    def row(self, what: str, key: str) -> Row | None:
        """One row by its key, None if there is none. Raises KeyError for a list that there is not."""
        ...

    def tally(self) -> Mapping[str, int]:
        """How many there are: stations, sessions, open_transactions, bills, quarantine, journal, and `ocpi_*`."""
        ...
