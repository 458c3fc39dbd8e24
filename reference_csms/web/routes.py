"""The table of routes: what serves and what documents are made from the same rows. No handler lives here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Mapping
from types import coroutine
from typing import Any, Protocol

from msgspec import Struct
from starlette.responses import Response

from reference_csms.web.answers import wrong
from reference_csms.web.asking import NoQuery
from reference_csms.web.port import Office
from sim.backend import Row
from sim.errors import BadInput
from sim.showing import Showing

CHUNK = 500
"""Rows read in one turn of the loop. Between two chunks stations are served."""


class Desk(Office, Showing, Protocol):
    """What the API speaks for: a running back-end that also shows its rows by pages."""


class Asked(Struct):
    """One request, read and allowed."""

    desk: Desk
    path: Mapping[str, str]
    query: Any
    body: Any
    url: str


Handler = Callable[[Asked], Awaitable[Response]]


class Route(Struct, frozen=True, kw_only=True):
    """One route. `scope` None: open to everybody. `body`: the type of the JSON body, None for no body.

    `answer` and `body_schema` are JSON schemas (a type for which one is made, or a `$ref` to a payload); `media` is the
    type of the answer. `fails` are the statuses besides those that every route can give.
    """

    method: str
    path: str
    family: str
    summary: str
    handler: Handler
    scope: str | None
    query: type[Struct] = NoQuery
    body: Any = None
    body_schema: Any = None
    answer: Any = None
    media: str = "application/json"
    fails: tuple[int, ...] = ()
    ocpi: bool = False


class Imported(Struct):
    """How many rows were taken; all of them or none."""

    imported: int


@coroutine
def turn() -> Generator[None, None, None]:
    """Let the loop do what else it has to do."""
    yield


async def walk(
    desk: Desk, what: str, after: str | None = None, wanted: int = CHUNK, where: Mapping[str, Any] | None = None
) -> AsyncIterator[tuple[str, Row]]:
    """All rows of a list above a cursor, with their cursors, a chunk at a time.

    `wanted` is how many may be enough, `where` as in `Showing.page`.
    """
    chunk = min(wanted, CHUNK)
    while True:
        try:
            rows = desk.page(what, after, chunk, where)
        except BadInput as err:
            raise wrong("query.after", err.problem, err.allowed) from None
        for cursor, row in rows:
            yield cursor, row
        if len(rows) < chunk:
            return
        after = rows[-1][0]
        await turn()
