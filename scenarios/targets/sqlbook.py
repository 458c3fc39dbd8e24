"""A book as the answer to one SQL query. SQLAlchemy is imported only when a target file asks for it.

Only reads: the query runs in a connection that is rolled back. The address of the database is in no message, because it
may hold a password.
"""

from __future__ import annotations

from scenarios.targets.cells import ABSENT, Get, Rows, Shape, Unreadable
from scenarios.targets.model import Book, Column


def read_sql(book: Book, database: str, table: str, columns: tuple[str, ...], place: str) -> Rows:
    """The rows of one query; `place` names it in complaints. Raises Unreadable with row and column."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import SQLAlchemyError

    shape = Shape(book, table, columns, {name: Column(source=name) for name in columns})
    try:
        engine = create_engine(database)
    except (SQLAlchemyError, ImportError) as err:
        raise Unreadable(f"{place}: the database cannot be used ({type(err).__name__})") from None
    try:
        with engine.connect() as connection:
            answer = connection.execute(text(book.sql))
            headers = list(answer.keys())
            found = [dict(zip(headers, row, strict=True)) for row in answer]
            connection.rollback()
    except SQLAlchemyError as err:
        told = str(getattr(err, "orig", None) or type(err).__name__).splitlines()[0]
        raise Unreadable(f"{place}: the query failed ({told})") from None
    finally:
        engine.dispose()
    read = shape.read(place, [(f"{place}, row {number}", _look(row)) for number, row in enumerate(found, 1)])
    gaps = read.gaps | shape.columns_of(place, headers)
    return Rows(read.rows, gaps)


def _look(row: dict[str, object]) -> Get:
    def get(source: str) -> object:
        value = row.get(source, ABSENT)
        return (
            value if not isinstance(value, float) else repr(value)
        )  # REAL of SQLite; the shortest decimal it stands for

    return get
