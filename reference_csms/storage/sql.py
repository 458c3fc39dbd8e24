"""The SQL store: one table per declared Table, with SQLAlchemy Core. SQLite today; its peculiarities stand at the end.

Staged writes stay in memory and go out at `commit`, in one SQL transaction, as one batch per table; so what a dead
process did not commit was never in the database. Only one object may write (`epoch`), therefore what was read or
committed is remembered. Must never write outside `commit`.

Durability: WAL with synchronous NORMAL. A commit survives the death of the process; after a loss of power the last
commits may be missing, never a part of one. With `full` (synchronous FULL) a commit survives a loss of power too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, get_args, get_type_hints

import msgspec
import sqlalchemy as sa
from msgspec import Struct
from sqlalchemy.pool import NullPool, StaticPool

from reference_csms.storage.port import AppendOnly, Fenced, Key, KeyMissing, KeyTaken, NoSuchIndex, R, StoreError, Table

_PLACE = "store"
_KEY, _ROW = "_key", "_row"
_MOST_REMEMBERED = 100_000  # rows or look-ups of one table


class _Disk:
    """What outlives a back-end in virtual time: the way to the database, its last connection, the last epoch."""

    def __init__(self, url: str, full: bool) -> None:
        self.engine = _sqlite_engine(url, full)
        self.connection: sa.Connection | None = None
        self.epoch = 0


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
            sa.Column(_KEY, _type(table.row, table.key), primary_key=True, autoincrement=False),
            *columns,
            sa.Column(_ROW, sa.LargeBinary, nullable=False),
        )
        self.decode = msgspec.msgpack.Decoder(table.row).decode
        key = sql.c[_KEY]
        self.insert = sql.insert()
        changed: dict[str, Any] = {name: sa.bindparam(f"p_{name}") for name in (*table.indexes, _ROW)}
        self.update = sql.update().where(key == sa.bindparam(f"p_{_KEY}")).values(changed)
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

    def values(self, row: Struct, prefix: str = "") -> dict[str, Any]:
        """The row as parameters of a statement."""
        values = {prefix + name: getattr(row, name) for name in self.indexes}
        values[prefix + _KEY] = getattr(row, self.key)
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

    `disk` keeps the connection between two openings in virtual time; `url` is an SQLAlchemy URL of SQLite.
    """

    def __init__(self, disk: dict[str, Any], tables: Iterable[Table[Any]], url: str, full: bool = False) -> None:
        if _PLACE not in disk:
            disk[_PLACE] = _Disk(url, full)
        self._disk: _Disk = disk[_PLACE]
        if self._disk.connection is not None:
            self._disk.connection.close()
        self._connection = connection = self._disk.connection = self._disk.engine.connect()
        self._texts: dict[Any, tuple[str, list[str] | None]] = {}
        metadata = sa.MetaData()
        openings = sa.Table("store_openings", metadata, sa.Column("epoch", sa.BigInteger, nullable=False))
        declared = list(tables)
        self._shelves = {table.name: _Shelf(table, metadata) for table in declared}
        metadata.create_all(connection)
        for table in declared:
            if table.append_only:
                _sqlite_guard(connection, table.name)
        if not connection.execute(openings.update().values(epoch=openings.c.epoch + 1)).rowcount:
            connection.execute(openings.insert().values(epoch=1))
        self.epoch = int(connection.execute(sa.select(openings.c.epoch)).scalar_one())
        self._hold = openings.update().where(openings.c.epoch == self.epoch).values(epoch=self.epoch)
        connection.commit()
        self._disk.epoch = self.epoch
        for shelf in self._shelves.values():
            wanted = sa.select(sa.func.count(), sa.func.max(shelf.sql.c[_KEY]))
            shelf.size, shelf.top = connection.execute(wanted).one()

    def get(self, table: Table[R], key: Key) -> R | None:
        """The row of this key, None if there is none."""
        shelf = self._shelves[table.name]
        row: R | None = shelf.inserted.get(key) or shelf.updated.get(key) or shelf.known.get(key)
        if row is not None:
            return row
        held = shelf.size and not _beyond(key)
        data = self._connection.execute(shelf.get, {"key": key}).scalar() if held else None
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
            if _beyond(value):
                stored = []
            elif value is None:
                stored = self._read(shelf, shelf.null[index])
            else:
                stored = self._read(shelf, shelf.equal[index], value=value)
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
        if shelf.inserted or shelf.updated or index not in shelf.equal or _beyond(value):
            return len(self.find(table, index, value))
        same = shelf.sql.c[index].is_(None) if value is None else shelf.sql.c[index] == value
        return int(self._connection.execute(sa.select(sa.func.count()).where(same)).scalar_one())

    def commit(self) -> None:
        """Make everything since the last commit last, in one SQL transaction. If it fails, everything stays staged."""
        self._fence()
        changed = [shelf for shelf in self._shelves.values() if shelf.inserted or shelf.updated]
        if not changed:
            return
        connection = self._connection
        try:
            if connection.execute(self._hold).rowcount != 1:  # takes the lock for writing too
                raise Fenced("this store was opened again by somebody else")
            for shelf in changed:
                if shelf.inserted:
                    self._many(shelf.insert, [shelf.values(row) for row in shelf.inserted.values()])
                if shelf.updated:
                    self._many(shelf.update, [shelf.values(row, "p_") for row in shelf.updated.values()])
            connection.commit()
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

    def _read(self, shelf: _Shelf, statement: sa.Select[Any], **values: Any) -> list[tuple[Key, Any]]:
        """Committed rows by key, in key order."""
        pairs = []
        for key, data in self._connection.execute(statement, values):
            row = shelf.known.get(key)
            if row is None:
                row = shelf.known[key] = shelf.decode(data)
            pairs.append((key, row))
        return pairs


def _beyond(value: Any) -> bool:
    """Whether this is a whole number that no column can hold, so that no committed row has it."""
    return type(value) is int and not -(1 << 63) <= value < 1 << 63


def _type(row: type[Struct], name: str) -> sa.types.TypeEngine[Any]:
    """The column type of a field or property: whole numbers or text."""
    attribute = getattr(row, name)
    hints = get_type_hints(attribute.fget)["return"] if isinstance(attribute, property) else get_type_hints(row)[name]
    kinds = {getattr(kind, "__supertype__", kind) for kind in get_args(hints) or (hints,)} - {type(None)}
    if kinds and kinds <= {int, bool}:
        return sa.BigInteger()
    if kinds == {str}:
        return sa.Text()  # SQLite compares UTF-8 bytes, which is the order of code points
    raise StoreError(f"{row.__name__}.{name} is neither int nor str")


# -- what only SQLite knows ----------------------------------------------------------------------------------------


def _sqlite_engine(url: str, full: bool) -> sa.Engine:
    engine = sa.create_engine(url, poolclass=StaticPool if url == "sqlite://" else NullPool)

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, record: Any) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")

    return engine


def _sqlite_guard(connection: sa.Connection, name: str) -> None:
    """Triggers that refuse changes from anybody. INSERT OR REPLACE slips past those for UPDATE and DELETE."""
    taken = f'WHEN EXISTS (SELECT 1 FROM "{name}" WHERE {_KEY} = NEW.{_KEY})'
    for verb, when in (("UPDATE", ""), ("DELETE", ""), ("INSERT", taken)):
        connection.exec_driver_sql(
            f'CREATE TRIGGER IF NOT EXISTS "{name}_no_{verb.lower()}" BEFORE {verb} ON "{name}" {when} '
            f"BEGIN SELECT RAISE(ABORT, 'rows of {name} never change'); END"
        )
