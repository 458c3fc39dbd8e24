"""Which store a back-end gets, by its option `store`. Must never let two back-ends or two runs share a database."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from reference_csms.storage.memory import MemoryStore
from reference_csms.storage.port import Store, Table
from sim.backend import Setup
from sim.errors import BadInput

_ALLOWED = (
    "memory, sqlite:// (in memory, but SQL), sqlite:///path with a path in an existing folder, or, for `chargerig serve`, "
    "postgresql+psycopg://USER:PASSWORD@HOST/DATABASE"
)
_POSTGRES = "postgresql+psycopg://"
_FILE = "store file"


def open_store(setup: Setup, tables: Iterable[Table[Any]]) -> Store:
    """The store that `setup.options["store"]` names, on `setup.disk`. Raises BadInput for a value that is none.

    `sqlite:///books.sqlite` becomes `books-NAME-1.sqlite` for the back-end NAME, or the next number that is free: a run
    begins with an empty database, and both back-ends and the second run of INV-39 are told the same path. With the
    option `store_kept` the path is taken as it stands, and what is in it is gone on with: that is for servers. PostgreSQL is
    for servers only, since a run cannot tell whose database it is that it would have to empty.
    """
    wish = setup.options.get("store", "memory")
    if wish == "memory":
        return MemoryStore(setup.disk, tables)
    if isinstance(wish, str) and wish.startswith(_POSTGRES) and setup.options.get("store_kept"):
        from reference_csms.storage.sql import SqlStore

        if setup.options.get("store_full"):
            problem = (
                "how a commit is synced is a setting of the PostgreSQL server (synchronous_commit, on as it comes)"
            )
            raise BadInput("options", "store_full", problem, "SQLite")
        return SqlStore(setup.disk, tables, wish)
    if not isinstance(wish, str) or (wish != "sqlite://" and not wish.removeprefix("sqlite:///").strip("/")):
        raise _wrong(wish)
    if wish != "sqlite://" and not wish.startswith("sqlite:///"):
        raise _wrong(wish)
    from reference_csms.storage.sql import SqlStore  # late: it is heavy, and most runs do without

    if wish == "sqlite://":
        return SqlStore(setup.disk, tables, wish)
    if setup.options.get("store_kept"):
        return SqlStore(setup.disk, tables, wish, full=bool(setup.options.get("store_full")))
    if _FILE not in setup.disk:
        setup.disk[_FILE] = _new_file(Path(wish.removeprefix("sqlite:///")), setup.name, wish)
    return SqlStore(setup.disk, tables, f"sqlite:///{setup.disk[_FILE]}")


def close_store(setup: Setup) -> None:
    """Give the connection to a database back, for a process that goes on without its back-end."""
    disk = setup.disk.get("store")
    if isinstance(disk, Closes):
        disk.close()


@runtime_checkable
class Closes(Protocol):
    """What a store left on a disk that has to be closed."""

    def close(self) -> None:
        """Close it."""
        ...


def _new_file(path: Path, name: str, wish: str) -> str:
    number = 1
    while True:
        file = path.with_name(f"{path.stem}-{name}-{number}{path.suffix}")
        try:
            file.open("x").close()
        except FileExistsError:
            number += 1
        except OSError as err:
            raise _wrong(wish, f": {err}") from err
        else:
            return str(file)


def _wrong(wish: object, why: str = "") -> BadInput:
    name = shown_url(wish) if isinstance(wish, str) else wish
    return BadInput("options", "store", f"{name!r} names no store that can be opened{why}", _ALLOWED)


def shown_url(url: str) -> str:
    """The URL of a database without its password, wherever that stands in it."""
    scheme, separator, rest = url.partition("://")
    path, question, query = rest.partition("?")
    kept = "&".join(part for part in query.split("&") if "pass" not in part.partition("=")[0].lower())
    return f"{scheme}{separator}{path.rpartition('@')[2]}{question if kept else ''}{kept}"
