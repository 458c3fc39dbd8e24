"""What only one database knows: how to reach it, how texts are ordered and kept, how rows are guarded, how it fails.

`SqlStore` asks one of the dialects here and is the same for all of them. Must never show a password: not in a sentence, not
in a log, and no values of a row either (`hide_parameters`).

PostgreSQL 14 or newer, with the encoding UTF8. It knows no NUL in a text, so those are written in two characters. No
transaction stays open between groups, and whoever opens the store waits for the group that is being committed.
"""

from __future__ import annotations

from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.pool import NullPool, StaticPool

from sim.errors import BadInput, StoreFailed

KEY = "_key"
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Compared byte by byte in UTF-8, which is the order of code points and of Python; SQLite does so by itself."""
POSTGRES = "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
_SQLITE = "sqlite:///FILE in an existing folder"
_PATIENCE_S = 10  # to connect, if the URL does not say otherwise (connect_timeout)
_SILENCE_MS = 30_000  # a server that does not even acknowledge for so long is gone
_LOCK_S = 30
_OPENING = 0x6368_6172_6765  # whoever opens a store of ours on this database waits for the other


class Dialect(Protocol):
    """One kind of database behind `SqlStore`."""

    def engine(self, url: str, full: bool) -> sa.Engine:
        """The way to the database. Raises BadInput for a URL that cannot be used."""
        ...

    def connect(self, engine: sa.Engine) -> sa.Connection:
        """A connection. Raises BadInput if there is none to be had."""
        ...

    def begin(self, connection: sa.Connection) -> None:
        """Begin the transaction of a group, if reads did not."""
        ...

    def begin_opening(self, connection: sa.Connection) -> None:
        """Begin the transaction in which tables are made and the epoch is raised."""
        ...

    def guard(self, connection: sa.Connection, name: str) -> None:
        """Have the database refuse changes of the rows of a table, from anybody."""
        ...


def dialect_of(url: str) -> Dialect:
    """The dialect that a URL speaks."""
    return _Postgres() if url.startswith("postgresql") else _Sqlite()


def failed(error: sa.exc.DBAPIError) -> StoreFailed:
    """An error of the database in one sentence, without the statement and its values."""
    return StoreFailed(f"the database failed: {_said(error)}")


def unopened(error: sa.exc.DBAPIError, url: str) -> BadInput:
    """A database that cannot be used, in one sentence."""
    postgres = url.startswith("postgresql")
    return BadInput(
        "options", "store", f"the database cannot be opened: {_said(error)}", POSTGRES if postgres else _SQLITE
    )


def _said(error: sa.exc.DBAPIError) -> str:
    """What the database said, without the hints of SQLAlchemy around it."""
    text = " ".join(str(error.orig).split()) or type(error.orig).__name__
    return text.removesuffix(".")


class _Sqlite:
    """SQLite in a file or in memory."""

    def engine(self, url: str, full: bool) -> sa.Engine:
        engine = sa.create_engine(url, poolclass=StaticPool if url == "sqlite://" else NullPool, hide_parameters=True)

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: Any, record: Any) -> None:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(f"PRAGMA synchronous = {'FULL' if full else 'NORMAL'}")

        return engine

    def connect(self, engine: sa.Engine) -> sa.Connection:
        try:
            return engine.connect()
        except sa.exc.DBAPIError as err:
            raise unopened(err, "sqlite") from None

    def begin(self, connection: sa.Connection) -> None:
        """The first write begins it."""

    def begin_opening(self, connection: sa.Connection) -> None:
        """The first write begins it."""

    def guard(self, connection: sa.Connection, name: str) -> None:
        # INSERT OR REPLACE slips past the triggers for UPDATE and DELETE.
        taken = f'WHEN EXISTS (SELECT 1 FROM "{name}" WHERE {KEY} = NEW.{KEY})'
        for verb, when in (("UPDATE", ""), ("DELETE", ""), ("INSERT", taken)):
            connection.exec_driver_sql(
                f'CREATE TRIGGER IF NOT EXISTS "{name}_no_{verb.lower()}" BEFORE {verb} ON "{name}" {when} '
                f"BEGIN SELECT RAISE(ABORT, 'rows of {name} never change'); END"
            )


class _Postgres:
    """PostgreSQL through psycopg 3. Reads are no transactions (AUTOCOMMIT); a group has its own BEGIN."""

    def engine(self, url: str, full: bool) -> sa.Engine:
        try:
            import psycopg  # noqa: F401
        except ImportError:
            wanted = "the extra: pip install 'chargerig[postgres]'"
            raise BadInput(
                "options", "store", "PostgreSQL needs the package psycopg, which is not installed", wanted
            ) from None
        address = url.partition("://")[2].partition("?")[0]
        if address.count("@") > 1:
            problem = "the URL has more than one @, so that its password cannot be told from its host"
            raise BadInput("options", "store", problem, f"{POSTGRES}, with %40 for an @ in the password")
        try:
            parsed = sa.make_url(url)
        except (sa.exc.ArgumentError, ValueError):  # its text may hold the password
            raise BadInput("options", "store", "the URL of the database cannot be read", POSTGRES) from None
        settings = {"connect_timeout": _PATIENCE_S, "tcp_user_timeout": _SILENCE_MS}
        given = {name: value for name, value in settings.items() if name not in parsed.query}
        engine = sa.create_engine(
            parsed,
            poolclass=NullPool,
            hide_parameters=True,
            isolation_level="AUTOCOMMIT",
            use_native_hstore=False,
            connect_args=given,
        )
        sa.event.listen(engine, "connect", _adapt)
        return engine

    def connect(self, engine: sa.Engine) -> sa.Connection:
        try:
            connection = engine.connect()
            encoding = connection.exec_driver_sql("SHOW server_encoding").scalar()
        except sa.exc.DBAPIError as err:
            raise unopened(err, "postgresql") from None
        if encoding != "UTF8":
            connection.close()
            raise BadInput(
                "options", "store", f"the database keeps texts in {encoding}", "a database with the encoding UTF8"
            )
        return connection

    def begin(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    def begin_opening(self, connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{_LOCK_S}s'")
        connection.exec_driver_sql("SET LOCAL client_min_messages = 'warning'")
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_OPENING})")
        connection.exec_driver_sql(
            "CREATE OR REPLACE FUNCTION store_never_changes() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'rows of %% never change', TG_TABLE_NAME; END $$"
        )

    def guard(self, connection: sa.Connection, name: str) -> None:
        # An INSERT of a key that is there is refused by the primary key, and ON CONFLICT DO UPDATE is an UPDATE.
        for verb, each in (("UPDATE", "ROW"), ("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            connection.exec_driver_sql(
                f'CREATE OR REPLACE TRIGGER "{name}_no_{verb.lower()}" BEFORE {verb} ON "{name}" '
                f"FOR EACH {each} EXECUTE FUNCTION store_never_changes()"
            )


def _adapt(connection: Any, record: Any) -> None:
    """How Python's values travel on one connection of psycopg.

    U+0000 cannot be in a text of PostgreSQL: U+0000 and U+0001 are written as U+0001 and one more character, so that the
    order of texts stays what it was. A bool is a whole number, as in SQLite.
    """
    from psycopg.adapt import Dumper, Loader
    from psycopg.types.string import StrDumper

    class Text(StrDumper):
        def dump(self, obj: str) -> bytes:
            if "\0" in obj or "\1" in obj:
                obj = obj.replace("\1", "\1\2").replace("\0", "\1\1")
            return obj.encode()

    class Read(Loader):
        def load(self, data: Any) -> str:
            text = bytes(data).decode()
            return text.replace("\1\1", "\0").replace("\1\2", "\1") if "\1" in text else text

    class Flag(Dumper):
        oid = connection.adapters.types["int8"].oid

        def dump(self, obj: bool) -> bytes:
            return b"1" if obj else b"0"

    connection.adapters.register_dumper(str, Text)
    connection.adapters.register_dumper(bool, Flag)
    for kind in ("text", "varchar"):
        connection.adapters.register_loader(kind, Read)
