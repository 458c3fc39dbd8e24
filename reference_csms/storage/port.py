"""The store port: frozen rows in and out, declared tables and indexes, one commit or rollback for a group of writes.

Every store must behave like the plain dictionary model in `tests/contract`. A store knows no clock and no business
rule; it never hands out a row that somebody could change in place.
"""

from __future__ import annotations

from typing import Any, Generic, Protocol, TypeVar

from msgspec import Struct

Key = str | int
R = TypeVar("R", bound=Struct)


class StoreError(Exception):
    """We used the store wrongly. Never the fault of a station or of a user."""


class KeyTaken(StoreError):
    """`insert` of a key that is there already."""


class KeyMissing(StoreError):
    """`update` of a key that is not there."""


class AppendOnly(StoreError):
    """`update` in a table whose rows never change."""


class NoSuchIndex(StoreError):
    """`find` by an attribute that the table does not declare."""


class Fenced(StoreError):
    """A write by an object whose store was opened again since: it should be dead."""


class Table(Generic[R]):
    """The declaration of a table: row type (a frozen Struct), key attribute, indexed attributes."""

    __slots__ = ("append_only", "indexes", "key", "name", "row")

    def __init__(
        self, name: str, row: type[R], key: str, indexes: tuple[str, ...] = (), append_only: bool = False
    ) -> None:
        if not row.__struct_config__.frozen:
            raise StoreError(f"the rows of {name} are not frozen")
        self.name = name
        self.row = row
        self.key = key
        self.indexes = indexes
        self.append_only = append_only


class Store(Protocol):
    """Rows by table. Writes are visible at once to later readers of the same group, and last only when committed."""

    epoch: int
    """How often this storage was opened: 1 the first time. A restarted process has another epoch than the dead one."""

    def get(self, table: Table[R], key: Key) -> R | None:
        """The row of this key, None if there is none."""
        ...

    def insert(self, table: Table[R], row: R) -> None:
        """Add a row. Raises KeyTaken if its key exists."""
        ...

    def update(self, table: Table[R], row: R) -> None:
        """Replace the row with this key. Raises KeyMissing, or AppendOnly for an append-only table."""
        ...

    def find(self, table: Table[R], index: str, value: Any) -> list[R]:
        """All rows whose indexed attribute equals `value`, in key order. Raises NoSuchIndex."""
        ...

    def rows(self, table: Table[R]) -> list[R]:
        """All rows in key order."""
        ...

    def after(self, table: Table[R], key: Key | None, limit: int) -> list[R]:
        """At most `limit` rows with keys above this one, in key order; None: from the first. For pages of a long table."""
        ...

    def count(self, table: Table[R]) -> int:
        """How many rows there are."""
        ...

    def count_where(self, table: Table[R], index: str, value: Any) -> int:
        """How many rows `find` would give. Raises NoSuchIndex."""
        ...

    def commit(self) -> None:
        """Make everything since the last commit last."""
        ...

    def rollback(self) -> None:
        """Forget everything since the last commit."""
        ...


def put(store: Store, table: Table[R], row: R) -> None:
    """Insert, or update if the key exists."""
    if store.get(table, getattr(row, table.key)) is None:
        store.insert(table, row)
    else:
        store.update(table, row)
