"""The SQL store: one table per declared Table, with SQLAlchemy Core; what only one database knows is in `sql_dialects`.

Staged writes stay in memory and go out at `commit`, in one SQL transaction, as one batch per table; so what a dead
process did not commit was never in the database. Only one object may write (`epoch`), therefore what was read or
committed is remembered. Must never write outside `commit`.

Durability on SQLite: WAL with synchronous NORMAL. A commit survives the death of the process; after a loss of power the last
commits may be missing, never a part of one. With `full` (synchronous FULL) a commit survives a loss of power too. PostgreSQL
does by itself what its settings say, and as it comes a commit survives both.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args, get_type_hints

import msgspec
import sqlalchemy as sa
from msgspec import Struct

from reference_csms.storage.port import AppendOnly, Fenced, Key, KeyMissing, KeyTaken, NoSuchIndex, R, StoreError, Table
from reference_csms.storage.sql_dialects import KEY, TEXT, dialect_of, failed, unopened

_PLACE = "store"
_ROW = "_row"
_LEAST, _MOST = -(1 << 63), (1 << 63) - 1
_MOST_REMEMBERED = 100_000  # rows or look-ups of one table


class _Disk:
    """What outlives a back-end in virtual time: the way to the database, its last connection, the last epoch."""

    def __init__(self, url: str, full: bool) -> None:
        self.dialect = dialect_of(url)
        self.engine = self.dialect.engine(url, full)
        self.connection: sa.Connection | None = None
        self.epoch = 0

    def close(self) -> None:
        """Give the connection back."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        self.engine.dispose()


class _Shelf:
    """One table: its statements, what is staged, and what is known of the committed rows."""

    def __init__(self, table: Table[Any], metadata: sa.MetaData) -> None:
        self.name = table.name
        self.key = table.key
        self.indexes = table.indexes
        columns = [sa.Column(name, _type(table.row, name), index=True) for name in table.indexes]
        self.sql = sql = sa.Table(
            table.name,
            metadata,
            sa.Column(KEY, _type(table.row, table.key), primary_key=True, autoincrement=False),
            *columns,
            sa.Column(_ROW, sa.LargeBinary, nullable=False),
        )
        self.whole = {column.name for column in sql.c if isinstance(column.type, sa.BigInteger)}
        self.decode = msgspec.msgpack.Decoder(table.row).decode
        key = sql.c[KEY]
        self.insert = sql.insert()
        changed: dict[str, Any] = {name: sa.bindparam(f"p_{name}") for name in (*table.indexes, _ROW)}
        self.update = sql.update().where(key == sa.bindparam(f"p_{KEY}")).values(changed)
        self.get = sa.select(sql.c[_ROW]).where(key == sa.bindparam("key"))
        self.all = sa.select(key, sql.c[_ROW]).order_by(key)
        self.above = self.all.where(key > sa.bindparam("key")).limit(sa.bindparam("limit"))
        self.first = self.all.limit(sa.bindparam("limit"))
        self.equal = {name: self.all.where(sql.c[name] == sa.bindparam("value")) for name in table.indexes}
        self.null = {name: self.all.where(sql.c[name].is_(None)) for name in table.indexes}
        self.size = 0
        self.top: Key | None = None  # nothing beyond it is in the database, so that a growing key needs no look
        self.inserted: dict[Key, Any] = {}
        self.updated: dict[Key, Any] = {}
        self.known: dict[Key, Any] = {}
        self.found: dict[tuple[str, Any], list[Key]] = {}

    def holds(self, column: str, value: Any) -> bool:
        """Whether the column could hold this value at all; a database may complain of one that it could not."""
        if column in self.whole:
            return isinstance(value, int) and _LEAST <= value <= _MOST
        return isinstance(value, str)

    def values(self, row: Struct, prefix: str = "") -> dict[str, Any]:
        """The row as parameters of a statement."""
        values = {prefix + name: getattr(row, name) for name in self.indexes}
        values[prefix + KEY] = getattr(row, self.key)
        values[prefix + _ROW] = msgspec.msgpack.encode(row)
        return values

    def settle(self) -> None:
        """What was staged is committed now."""
        if self.inserted or self.updated:
            self.size += len(self.inserted)
            for key, row in (*self.inserted.items(), *self.updated.items()):
                old = self.known.get(key)
                for name in self.indexes:
                    self.found.pop((name, getattr(row, name)), None)
                    if old is not None:
                        self.found.pop((name, getattr(old, name)), None)
                self.known[key] = row
            self.drop()
        if len(self.known) > _MOST_REMEMBERED or len(self.found) > _MOST_REMEMBERED:
            self.known.clear()
            self.found.clear()

    def drop(self) -> None:
        """Forget what is staged."""
        self.inserted.clear()
        self.updated.clear()


class SqlStore:
    """A `Store` on a database. Opening it fences whoever had it open before.

    `disk` keeps the connection between two openings in virtual time; `url` is an SQLAlchemy URL of a database that we know.
    """

    def __init__(self, disk: dict[str, Any], tables: Iterable[Table[Any]], url: str, full: bool = False) -> None:
        if _PLACE not in disk:
            disk[_PLACE] = _Disk(url, full)
        self._disk: _Disk = disk[_PLACE]
        if self._disk.connection is not None:
            self._disk.connection.close()
        dialect = self._dialect = self._disk.dialect
        self._connection = connection = self._disk.connection = dialect.connect(self._disk.engine)
        self._texts: dict[Any, tuple[str, list[str] | None]] = {}
        metadata = sa.MetaData()
        openings = sa.Table("store_openings", metadata, sa.Column("epoch", sa.BigInteger, nullable=False))
        declared = list(tables)
        self._shelves = {table.name: _Shelf(table, metadata) for table in declared}
        try:
            dialect.begin_opening(connection)
            openings.create(connection, checkfirst=True)
            # Before any other table is touched: who has the store open commits first or is fenced; no circle of waiting.
            if not connection.execute(openings.update().values(epoch=openings.c.epoch + 1)).rowcount:
                connection.execute(openings.insert().values(epoch=1))
            self.epoch = int(connection.execute(sa.select(openings.c.epoch)).scalar_one())
            metadata.create_all(connection)
            for table in declared:
                if table.append_only:
                    dialect.guard(connection, table.name)
            connection.commit()
            for shelf in self._shelves.values():
                wanted = sa.select(sa.func.count(), sa.func.max(shelf.sql.c[KEY]))
                shelf.size, shelf.top = connection.execute(wanted).one()
        except sa.exc.DBAPIError as err:
            connection.close()
            raise unopened(err, url) from None
        self._hold = openings.update().where(openings.c.epoch == self.epoch).values(epoch=self.epoch)
        self._disk.epoch = self.epoch

    def get(self, table: Table[R], key: Key) -> R | None:
        """The row of this key, None if there is none."""
        shelf = self._shelves[table.name]
        row: R | None = shelf.inserted.get(key) or shelf.updated.get(key) or shelf.known.get(key)
        if row is not None:
            return row
        held = shelf.size and shelf.holds(KEY, key)
        data = self._asked(shelf.get, {"key": key}).scalar() if held else None
        if data is None:
            return None
        row = shelf.decode(data)
        if getattr(row, table.key) != key:  # the database may take '1' for 1
            return None
        shelf.known[key] = row
        return row

    def insert(self, table: Table[R], row: R) -> None:
        """Add a row. Raises KeyTaken if its key exists."""
        self._check(table, row)
        key: Key = getattr(row, table.key)
        shelf = self._shelves[table.name]
        if shelf.top is None or key > shelf.top:  # type: ignore[operator]
            shelf.top = key
        elif self.get(table, key) is not None:
            raise KeyTaken(f"{table.name} has a row {key!r} already")
        shelf.inserted[key] = row

    def update(self, table: Table[R], row: R) -> None:
        """Replace the row with this key. Raises KeyMissing, or AppendOnly for an append-only table."""
        self._check(table, row)
        if table.append_only:
            raise AppendOnly(f"rows of {table.name} never change")
        key: Key = getattr(row, table.key)
        if self.get(table, key) is None:
            raise KeyMissing(f"{table.name} has no row {key!r}")
        shelf = self._shelves[table.name]
        (shelf.inserted if key in shelf.inserted else shelf.updated)[key] = row

    def find(self, table: Table[R], index: str, value: Any) -> list[R]:
        """All rows whose indexed attribute equals `value`, in key order. Raises NoSuchIndex."""
        shelf = self._shelves[table.name]
        if index not in shelf.equal:
            raise NoSuchIndex(f"{table.name} has no index {index!r}")
        keys = shelf.found.get((index, value))
        if keys is None:
            if value is None:
                stored = self._read(shelf, shelf.null[index])
            elif shelf.holds(index, value):
                stored = self._read(shelf, shelf.equal[index], value=value)
            else:
                stored = []
            keys = shelf.found[index, value] = [key for key, row in stored if getattr(row, index) == value]
        rows = {key: self.get(table, key) for key in keys if key not in shelf.updated}
        for staged in (shelf.inserted, shelf.updated):
            rows.update((key, row) for key, row in staged.items() if getattr(row, index) == value)
        return [row for key in sorted(rows) if (row := rows[key]) is not None]

    def rows(self, table: Table[R]) -> list[R]:
        """All rows in key order."""
        shelf = self._shelves[table.name]
        rows = {**dict(self._read(shelf, shelf.all)), **shelf.inserted, **shelf.updated}
        return [rows[key] for key in sorted(rows)]

    def after(self, table: Table[R], key: Key | None, limit: int) -> list[R]:
        """At most `limit` rows with keys above this one, in key order; None: from the first."""
        shelf = self._shelves[table.name]
        if key is None:
            stored = self._read(shelf, shelf.first, limit=limit)
        else:
            stored = self._read(shelf, shelf.above, key=key, limit=limit)
        rows: dict[Any, Any] = {one: shelf.updated.get(one, row) for one, row in stored}
        rows.update((one, row) for one, row in shelf.inserted.items() if key is None or one > key)  # type: ignore[operator]
        return [rows[one] for one in sorted(rows)[:limit]]

    def count(self, table: Table[R]) -> int:
        """How many rows there are."""
        shelf = self._shelves[table.name]
        return shelf.size + len(shelf.inserted)

    def count_where(self, table: Table[R], index: str, value: Any) -> int:
        """How many rows `find` would give. Raises NoSuchIndex."""
        shelf = self._shelves[table.name]
        if shelf.inserted or shelf.updated or index not in shelf.equal:
            return len(self.find(table, index, value))
        if value is not None and not shelf.holds(index, value):
            return 0
        same = shelf.sql.c[index].is_(None) if value is None else shelf.sql.c[index] == value
        return int(self._asked(sa.select(sa.func.count()).where(same), {}).scalar_one())

    def commit(self) -> None:
        """Make everything since the last commit last, in one SQL transaction. If it fails, everything stays staged.

        Raises Fenced, and StoreFailed if the database is gone or full. A connection that breaks during the very last word
        leaves open whether the group was committed; never whether a part of it was.
        """
        self._fence()
        changed = [shelf for shelf in self._shelves.values() if shelf.inserted or shelf.updated]
        if not changed:
            return
        connection = self._connection
        try:
            self._dialect.begin(connection)
            if connection.execute(self._hold).rowcount != 1:  # takes the lock for writing too
                raise Fenced("this store was opened again by somebody else")
            for shelf in changed:
                if shelf.inserted:
                    self._many(shelf.insert, [shelf.values(row) for row in shelf.inserted.values()])
                if shelf.updated:
                    self._many(shelf.update, [shelf.values(row, "p_") for row in shelf.updated.values()])
            connection.commit()
        except sa.exc.OperationalError as err:
            if not connection.invalidated:
                connection.rollback()
            raise failed(err) from None
        except BaseException:
            connection.rollback()
            raise
        for shelf in changed:
            shelf.settle()

    def _many(self, statement: sa.Insert | sa.Update, rows: list[dict[str, Any]]) -> None:
        """One statement for many rows: its text is made once, since all values are plain numbers, texts and bytes."""
        text = self._texts.get(statement)
        if text is None:
            compiled = statement.compile(dialect=self._connection.dialect, column_keys=list(rows[0]))
            text = self._texts[statement] = (str(compiled), compiled.positiontup)
        sql, order = text
        if order is None:
            self._connection.exec_driver_sql(sql, rows)
        else:
            self._connection.exec_driver_sql(sql, [tuple([row[name] for name in order]) for row in rows])

    def rollback(self) -> None:
        """Forget everything since the last commit."""
        self._fence()
        for shelf in self._shelves.values():
            shelf.drop()

    # -- inside ------------------------------------------------------------------------------------------------

    def _fence(self) -> None:
        if self._disk.epoch != self.epoch:
            raise Fenced("this store was opened again by somebody else")

    def _check(self, table: Table[Any], row: Struct) -> None:
        self._fence()
        if type(row) is not table.row:
            raise StoreError(f"{type(row).__name__} is no row of {table.name}")

    def _asked(self, statement: sa.Select[Any], values: dict[str, Any]) -> Any:
        """What the database answers, a result of SQLAlchemy. Raises StoreFailed."""
        try:
            return self._connection.execute(statement, values)
        except sa.exc.OperationalError as err:
            raise failed(err) from None

    def _read(self, shelf: _Shelf, statement: sa.Select[Any], **values: Any) -> list[tuple[Key, Any]]:
        """Committed rows by key, in key order."""
        pairs = []
        for key, data in self._asked(statement, values):
            row = shelf.known.get(key)
            if row is None:
                row = shelf.known[key] = shelf.decode(data)
            pairs.append((key, row))
        return pairs


def _type(row: type[Struct], name: str) -> sa.types.TypeEngine[Any]:
    """The column type of a field or property: whole numbers or text."""
    attribute = getattr(row, name)
    hints = get_type_hints(attribute.fget)["return"] if isinstance(attribute, property) else get_type_hints(row)[name]
    kinds = {getattr(kind, "__supertype__", kind) for kind in get_args(hints) or (hints,)} - {type(None)}
    if kinds and kinds <= {int, bool}:
        return sa.BigInteger()
    if kinds == {str}:
        return TEXT
    raise StoreError(f"{row.__name__}.{name} is neither int nor str")
