"""Routes that read: books, instruction sheet, connections, the wire, a book as CSV, and prices. Nothing here changes a row.

Rows are those of `sim.evidence.schema.BOOKS`, text for text; only passwords are taken out. Lists have one order that
never changes: a walk from cursor to cursor (`after` = `next` of the answer before) shows every row that was there when
it began once, whatever is added meanwhile.
"""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.responses import Response, StreamingResponse

from reference_csms.web.answers import Problem, answer, wrong
from reference_csms.web.asking import LATEST, PLAIN, Limit, Ms, Text, When, Whole
from reference_csms.web.hiding import hidden_text
from reference_csms.web.port import ConnectionView
from reference_csms.web.routes import Asked, Desk, Handler, Route, walk
from reference_csms.web.tokens import READ
from sim.backend import Row
from sim.clock import parse_iso
from sim.errors import unknown
from sim.evidence.schema import BOOKS

DEFAULT_LIMIT = 100


class Book(Struct, frozen=True):
    """One list: its name in the address, what the back-end calls it, its columns, filters, and column of time.

    `key`: the column by whose value one row is read alone, None where rows have none.
    """

    name: str
    what: str
    columns: tuple[str, ...]
    filters: tuple[str, ...] = ()
    time: str | None = None
    key: str | None = None


def _book(name: str, filters: str = "", time: str | None = None, key: str | None = None) -> Book:
    what = f"books_{name.replace('-', '_')}"
    return Book(name, what, BOOKS[what], tuple(filters.split()), time, key)


LISTS = (
    _book("stations", "site registration connected", key="station"),
    _book("transactions", "station connector id_tag state transaction_id issuer session_id", "started_at"),
    _book("events", "station transaction_id session_id"),
    _book("sessions", "station connector site id_tag customer grp state reason tariff_id", "started_at", "session_id"),
    _book("records", "session_id station meter_id verdict", "received_at"),
    _book("cdrs", "session_id station connector id_tag tariff_id currency credit corrects", "started_at", "cdr_id"),
    _book("rated", "cdr_id currency effective", key="rated_id"),
    _book("bills", "session_id cdr_id seller customer currency", "issued_at", "number"),
    _book("journal", "kind", "at", "seq"),
    _book("quarantine", "session_id station transaction_id reason state", "at", "quarantine_id"),
    _book("corrections", "session_id bill actor", "at", "correction_id"),
    _book("contracts", "seller customer currency", key="contract_id"),
    _book("invoices", "kind seller customer state number", "issued_at"),
    _book("invoice-lines", "number kind bill session_id"),
    _book("billables", "owner customer state invoice", "supplied_at", "number"),
    _book("prepaid", "contract_id seller customer state", key="prepaid_id"),
    _book("runs", "kind scope state", "started_at", "run_id"),
    _book("claims", "kind seller customer document session_id route state", "created_at", "claim_id"),
    _book("payments", "claim_id purpose partner state account", "created_at", "attempt_id"),
    _book("accounts", "account owner source", "at"),
    _book("webhooks", "partner type account effect", "received_at", "event_id"),
    _book("movements", "kind claim_id account state", "at", "movement_id"),
    _book("statement-lines", "iban state claim_id", "read_at", "line_id"),
    _book("access", "token site decision"),
    Book("owners", "owners", ("owner", "name", "country", "currency", "zone", "tariff_id", "address"), key="owner"),
    Book("sites", "sites", ("site", "name", "owner", "tariff_id"), ("owner",), key="site"),
    Book(
        "tariffs",
        "tariffs",
        (
            "tariff_id", "version", "currency", "vat_percent", "prices_include_vat", "energy", "start_fee",
            "idle_per_minute", "idle_grace_s", "group_discounts", "minimum_wh", "valid_from",
        ),
        ("tariff_id", "version", "currency"),
        key="tariff",
    ),
    Book(
        "meters",
        "meters",
        ("meter_id", "station", "connector", "public_key", "time_billing", "valid_from", "valid_to"),
        ("meter_id", "station", "connector"),
    ),
    Book(
        "tokens",
        "tokens",
        ("token", "status", "grp", "customer", "mobile", "sites", "single", "expires_at"),
        ("status", "grp", "customer", "mobile"),
        key="token",
    ),
)  # fmt: skip
"""Every list that can be read."""

_NUMBERS = frozenset({"connected", "connector", "effective", "credit", "version"})
_EITHER = "transaction_id"
"""A number (1.6) or a text (2.0.1); a filter asks for either by how it is written."""
_BY_NAME = {book.name: book for book in LISTS if book.what in BOOKS}


class WireQuery(Struct, forbid_unknown_fields=True):
    """Frames with a number above `after`."""

    station: Text | None = None
    after: Annotated[int, Meta(ge=0, le=2**53)] = 0
    limit: Limit = DEFAULT_LIMIT


class ConnectionQuery(Struct, forbid_unknown_fields=True):
    """Living connections of one station or of all, above a link number."""

    station: Text | None = None
    after: Annotated[int, Meta(ge=0, le=2**53)] = 0
    limit: Limit = DEFAULT_LIMIT


class PriceQuery(Struct, forbid_unknown_fields=True):
    """Where, for which group (empty: for nobody's), and when; without an instant now."""

    site: Text
    group: Annotated[str, Meta(max_length=200, pattern=PLAIN)] = ""
    at: Ms | None = None


class Page(Struct):
    """Rows of a list. `next` is the `after` of the next page, null at the end."""

    rows: list[dict[str, Any]]
    next: str | None


class Connections(Struct):
    """Living connections in the order of their opening."""

    rows: list[ConnectionView]
    next: str | None


class WireRow(Struct):
    """A frame: number, sent, delivered (ms), station, back-end, link, way (up, down, open, close) and text."""

    n: int
    t: int
    d: int | None
    s: str
    b: str
    l: int  # noqa: E741 - as in `sim.evidence.wire.WireLine`
    w: str
    f: str


class Wire(Struct):
    """The newest frames kept, oldest first. `next` is the `after` for what comes later."""

    rows: list[WireRow]
    next: int


def routes() -> list[Route]:
    """All lists, single rows, connections, wire, CSV and prices."""
    common: dict[str, Any] = {"method": "GET", "family": "records", "scope": READ}
    found: list[Route] = []
    for book in LISTS:
        found.append(
            Route(
                path=f"/{book.name}",
                summary=f"Read {book.name.replace('-', ' ')}",
                handler=_listing(book),
                query=_query(book),
                answer=_page_schema(book),
                **common,
            )
        )
        if book.key is not None:
            found.append(
                Route(
                    path=f"/{book.name}/{{{book.key}}}",
                    summary=f"Read one of the {book.name.replace('-', ' ')}",
                    handler=_single(book),
                    answer=_row_schema(book),
                    fails=(404,),
                    **common,
                )
            )
    found += [
        Route(
            path="/connections",
            summary="Read living connections",
            handler=_connections,
            query=ConnectionQuery,
            answer=Connections,
            **common,
        ),
        Route(path="/wire", summary="Read the newest frames", handler=_wire, query=WireQuery, answer=Wire, **common),
        Route(
            path="/prices", summary="Ask what charging costs", handler=_prices, query=PriceQuery, answer=dict, **common
        ),
        Route(
            path="/export/{book}.csv",
            summary=f"A book as CSV: {', '.join(_BY_NAME)}",
            handler=_export,
            answer={"type": "string"},
            media="text/csv",
            fails=(404,),
            **common,
        ),
    ]
    return found


def _query(book: Book) -> type[Struct]:
    fields: list[Any] = [("limit", Limit, DEFAULT_LIMIT), ("after", Text | None, None)]
    for name in book.filters:
        fields.append((name, (Whole if name in _NUMBERS else Text) | None, None))
    if book.time is not None:
        fields.append(("since", When | None, msgspec.field(name="from", default=None)))
        fields.append(("until", When | None, None))
    name = f"{book.name.title().replace('-', '')}Query"
    return msgspec.defstruct(name, fields, forbid_unknown_fields=True, kw_only=True)


def _written(name: str, value: Any) -> Any:
    return str(value) if name == _EITHER and value is not None else value


def _row_schema(book: Book) -> Row:
    return {"type": "object", "properties": {name: {} for name in book.columns}, "required": list(book.columns)}


def _page_schema(book: Book) -> Row:
    rows = {"type": "array", "items": _row_schema(book)}
    cursor = {"type": ["string", "null"], "description": "the `after` of the next page"}
    return {"type": "object", "properties": {"rows": rows, "next": cursor}, "required": ["rows", "next"]}


def _shown(book: Book, row: Row) -> Row:
    """A row without passwords: what a station was told may hold one."""
    return {**row, "data": hidden_text(row["data"])} if book.name == "stations" else row


def _listing(book: Book) -> Handler:
    async def listing(asked: Asked) -> Response:
        query = asked.query
        filters = {name: value for name in book.filters if (value := getattr(query, name)) is not None}
        since, until = _ms(getattr(query, "since", None), "from"), _ms(getattr(query, "until", None), "until")
        wanted = query.limit + 1 if not filters and since is None and until is None else 500
        found: list[tuple[str, Row]] = []
        async for cursor, row in walk(asked.desk, book.what, query.after, wanted, filters):
            if any(_written(name, row[name]) != value for name, value in filters.items()):
                continue
            if book.time is not None and not _within(row[book.time], since, until):
                continue
            found.append((cursor, _shown(book, row)))
            if len(found) > query.limit:
                break
        more = len(found) > query.limit
        rows = [row for _, row in found[: query.limit]]
        return answer({"rows": rows, "next": found[query.limit - 1][0] if more else None})

    return listing


def _ms(moment: str | None, name: str) -> int | None:
    try:
        return None if moment is None else int(moment) if moment.isdecimal() else parse_iso(moment)
    except ValueError:
        allowed = "milliseconds since 1970 UTC, or an RFC 3339 text"
        raise wrong(f"query.{name}", f"{moment!r} names no instant", allowed) from None


def _within(at: int | None, since: int | None, until: int | None) -> bool:
    """Whether an instant lies in a span, end exclusive. What has no instant lies in none."""
    if since is None and until is None:
        return True
    return at is not None and (since or 0) <= at < (LATEST + 1 if until is None else until)


def _single(book: Book) -> Handler:
    async def single(asked: Asked) -> Response:
        assert book.key is not None
        row = asked.desk.row(book.what, asked.path[book.key])
        if row is None:
            raise Problem(404, f"There is no such row among the {book.name.replace('-', ' ')}.", "unknown", book.key)
        return answer(_shown(book, row))

    return single


async def _connections(asked: Asked) -> Response:
    query: ConnectionQuery = asked.query
    rows = [
        view for view in asked.desk.connections() if view.link > query.after and query.station in (None, view.station)
    ]
    more = len(rows) > query.limit
    return answer({"rows": rows[: query.limit], "next": str(rows[query.limit - 1].link) if more else None})


async def _wire(asked: Asked) -> Response:
    query: WireQuery = asked.query
    rows = asked.desk.wire(query.station, query.after, query.limit)
    shown = [{**row, "f": hidden_text(row["f"])} for row in rows]
    return answer({"rows": shown, "next": shown[-1]["n"] if shown else query.after})


async def _prices(asked: Asked) -> Response:
    query: PriceQuery = asked.query
    request: Row = {"kind": "grid", "site": query.site, "grp": query.group}
    return answer(asked.desk.quote(request if query.at is None else {**request, "at": query.at}))


async def _export(asked: Asked) -> Response:
    name = asked.path["book"]
    book = _BY_NAME.get(name)
    if book is None:
        problem, allowed = unknown("book", name[:100], _BY_NAME)
        raise Problem(404, f"book: {problem}; allowed: {allowed}.", "unknown", "book", allowed)
    headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
    return StreamingResponse(_lines(asked.desk, book), 200, headers, "text/csv; charset=utf-8; header=present")


async def _lines(desk: Desk, book: Book) -> AsyncIterator[str]:
    """A book as CSV (RFC 4180), columns as in `sim.evidence.schema.BOOKS`; null is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(book.columns)
    count = 0
    async for _, row in walk(desk, book.what):
        shown = _shown(book, row)
        writer.writerow([shown[name] for name in book.columns])
        count += 1
        if not count % 100:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()
