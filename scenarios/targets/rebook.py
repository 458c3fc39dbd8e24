"""What happened and crossed the wire, judged by other books: the evidence of a run with those that a target file names.

Nothing of the first books is kept. What the target does not show is UNKNOWN, prices that nobody was asked for included.
"""

from __future__ import annotations

from collections.abc import Mapping

from sim.backend import Books, Unverifiable
from sim.evidence.reader import Evidence
from sim.evidence.schema import HEARD, PARTNERS, QUOTES, TRUTH, WIRE
from sim.evidence.store import Cells, HarvestedBooks, save_tables

NO_QUOTES = "the target file declares no [quote], so nobody is asked for prices"
NO_REPEAT = "what happens on real sockets cannot be repeated to the byte"
_KEPT = (*TRUTH, *WIRE, *HEARD, "plan")
Unshown = list[tuple[str, str, str]]


def unshown(books: Mapping[str, Books], statements: Books, quotes: bool = False) -> Unshown:
    """Back-end, book and reason of all that is not shown, as it stands in the evidence. `quotes`: prices are asked for."""
    found = HarvestedBooks(books).unverifiable
    found += [("", name, shown.reason) for name, shown in statements.items() if isinstance(shown, Unverifiable)]
    found += [] if quotes else [("", table, NO_QUOTES) for table in QUOTES]
    return [*found, ("", "repeats", NO_REPEAT)]


def rebooked(run: Evidence, books: Mapping[str, Books], statements: Books) -> Evidence:
    """The evidence of `run` in memory, with these books by back-end and these statements of partners instead of its own."""
    tables: dict[str, list[Cells]] = {}
    for table in _KEPT:
        tables[table] = [tuple(row.values()) for row in run.rows(f"SELECT * FROM {table} ORDER BY rowid")]
    tables |= HarvestedBooks(books).tables
    for table, columns in PARTNERS.items():
        rows = statements[table]
        if not isinstance(rows, Unverifiable):
            tables[table] = [tuple(row.get(column) for column in columns) for row in rows]
    tables["meta"] = [("ended_at", str(run.ended_at()))]
    lost = [tuple(row.values()) for row in run.rows("SELECT * FROM unverifiable WHERE backend = ''")]
    tables["unverifiable"] = [*(row for row in lost if row[1] in _KEPT), *unshown(books, statements)]
    return save_tables(None, tables)
