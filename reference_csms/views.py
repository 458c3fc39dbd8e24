"""What a back-end shows of itself: for each name a table and the row that stands for one of its rows. Read-only.

The books of a harvest, the pages of the records API and the OCPI objects are all made here, so that they cannot differ.
Nothing here sums, rounds or leaves anything out on the way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, get_type_hints
from urllib.parse import quote, unquote

from msgspec import Struct

from reference_csms.storage.port import Key, Store, Table
from sim.backend import Row
from sim.errors import BadInput

_LARGEST = 2**63 - 1


def _all(row: Any) -> bool:
    return True


class View(Struct, frozen=True):
    """One table as others see it: `show` makes a plain row, `keep` says which rows are shown at all."""

    table: Table[Any]
    show: Callable[[Any], Row]
    keep: Callable[[Any], bool] = _all

    def rows(self, store: Store) -> list[Row]:
        """All rows in key order."""
        return [self.show(row) for row in store.rows(self.table) if self.keep(row)]

    def page(
        self, store: Store, after: str | None, limit: int, where: Mapping[str, Any] | None = None
    ) -> list[tuple[str, Row]]:
        """At most `limit` rows with their cursors, above a cursor, in key order. Raises BadInput for no cursor.

        A value of `where` for which there is an index leaves out rows that lack it; others are not looked at.
        """
        key: Any = None if after is None else self._key(after)
        name, index = self.table.key, next((one for one in where or () if one in self.table.indexes), None)
        if index is not None:
            chosen = store.find(self.table, index, (where or {})[index])
            rest = [row for row in chosen if (key is None or getattr(row, name) > key) and self.keep(row)]
            return [(str(getattr(row, name)), self.show(row)) for row in rest[:limit]]
        found: list[tuple[str, Row]] = []
        while len(found) < limit:
            rows = store.after(self.table, key, limit - len(found))
            found += [(str(getattr(row, name)), self.show(row)) for row in rows if self.keep(row)]
            if not rows:
                break
            key = getattr(rows[-1], name)
        return found

    def row(self, store: Store, name: str) -> Row | None:
        """The row of a key, None if there is none."""
        try:
            row = store.get(self.table, self._key(name))
        except BadInput:
            return None
        return None if row is None or not self.keep(row) else self.show(row)

    def _key(self, text: str) -> Key:
        attribute = getattr(self.table.row, self.table.key)
        if isinstance(attribute, property) or get_type_hints(self.table.row)[self.table.key] is not int:
            return text
        if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= _LARGEST):
            raise BadInput("query", "after", f"{text!r} is no cursor of this list", "the `next` of an answer")
        return int(text)


class Pairs:
    """Rows of every left key with every right key: what `View` is for one table."""

    def __init__(self, left: Table[Any], right: Table[Any], show: Callable[[Any, Any], Row]) -> None:
        self._left = left
        self._right = right
        self._show = show

    def rows(self, store: Store) -> list[Row]:
        """All rows, in the order of the left key and then of the right one."""
        return [row for _, row in self._from(store, store.rows(self._left), "")]

    def page(
        self, store: Store, after: str | None, limit: int, where: Mapping[str, Any] | None = None
    ) -> list[tuple[str, Row]]:
        """As `View.page`; there is no index of pairs."""
        name, slash, other = (after or "").partition("/")
        if after is not None and not slash:
            raise BadInput("query", "after", f"{after!r} is no cursor of this list", "the `next` of an answer")
        first = store.get(self._left, unquote(name)) if slash else None
        found: list[tuple[str, Row]] = []
        for cursor, row in self._from(store, [first] if first is not None else [], unquote(other)):
            found.append((cursor, row))
        key: Key | None = unquote(name) if slash else None
        while len(found) < limit:
            more = store.after(self._left, key, limit)
            if not more:
                break
            found += self._from(store, more, "")
            key = getattr(more[-1], self._left.key)
        return found[:limit]

    def row(self, store: Store, name: str) -> Row | None:
        """A pair has no name of its own."""
        return None

    def _from(self, store: Store, left: list[Any], above: str) -> Iterator[tuple[str, Row]]:
        right = store.rows(self._right)
        for one in left:
            key = quote(str(getattr(one, self._left.key)), safe="")
            for other in right:
                name = str(getattr(other, self._right.key))
                if not above or name > above:
                    yield f"{key}/{quote(name, safe='')}", self._show(one, other)
