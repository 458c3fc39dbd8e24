"""Routes in the shape of OCPI 2.2.1 (sender side): CDRs, sessions, tariffs, locations; envelope and paging as there.

Lists are in the order in which their objects were made, so that an offset stays where it is while objects are added.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from msgspec import Meta, Struct
from starlette.responses import Response

from reference_csms.web.answers import answer, encode, wrong
from reference_csms.web.asking import Limit, Rfc3339, Text
from reference_csms.web.routes import Asked, Desk, Handler, Route, walk
from reference_csms.web.tokens import READ
from sim.backend import Row
from sim.clock import Instant, iso, parse_iso

BASE = "/ocpi/2.2.1"
LISTS = {
    "cdrs": "CDRs with their costs, signed values and the number of their bill",
    "sessions": "Sessions, open ones too",
    "tariffs": "Versions of tariffs",
    "locations": "Sites with their EVSEs",
}
SUCCESS, CLIENT_ERROR, BAD_PARAMETERS, SERVER_ERROR = 1000, 2000, 2001, 3000


class OcpiQuery(Struct, forbid_unknown_fields=True):
    """Paging of OCPI 2.2.1 §4.1.4: by offset, and by when an object was updated last (from inclusive, to exclusive).

    `after` stands in the `Link` of an answer: where the offset lies, so that nothing has to be counted off again.
    """

    offset: Annotated[int, Meta(ge=0, le=10**9)] = 0
    limit: Limit = 100
    date_from: Rfc3339 | None = None
    date_to: Rfc3339 | None = None
    after: Text | None = None


class Envelope(Struct):
    """The answer of OCPI: `status_code` 1000 is success."""

    data: Any
    status_code: int
    status_message: str
    timestamp: str


def routes() -> list[Route]:
    """The versions, their endpoints, and the lists."""
    common: dict[str, Any] = {
        "method": "GET",
        "family": "ocpi",
        "scope": READ,
        "answer": Envelope,
        "ocpi": True,
    }
    found = [
        Route(path="/ocpi/versions", summary="OCPI versions served", handler=_versions, **common),
        Route(path=BASE, summary="OCPI endpoints of version 2.2.1", handler=_endpoints, **common),
    ]
    for name, said in LISTS.items():
        found.append(
            Route(path=f"{BASE}/{name}", summary=said, handler=_listing(f"ocpi_{name}"), query=OcpiQuery, **common)
        )
    return found


def enveloped(data: Any, now: Instant, code: int = SUCCESS, message: str = "Success") -> Row:
    """What OCPI wraps round every answer."""
    return {"data": data, "status_code": code, "status_message": message, "timestamp": iso(now)}


def failed(status: int, detail: str, now: Instant, headers: dict[str, str]) -> Response:
    """A problem as OCPI tells it."""
    code = BAD_PARAMETERS if status in (400, 422) else SERVER_ERROR if status >= 500 else CLIENT_ERROR
    content = enveloped(None, now, code, detail)
    del content["data"]
    return answer(content, status, headers)


async def _versions(asked: Asked) -> Response:
    url = asked.url.partition("?")[0].removesuffix("/versions") + "/2.2.1"
    return answer(enveloped([{"version": "2.2.1", "url": url}], asked.desk.now()))


async def _endpoints(asked: Asked) -> Response:
    url = asked.url.partition("?")[0]
    listed = [{"identifier": name, "role": "SENDER", "url": f"{url}/{name}"} for name in LISTS]
    return answer(enveloped({"version": "2.2.1", "endpoints": listed}, asked.desk.now()))


def _listing(what: str) -> Handler:
    async def listing(asked: Asked) -> Response:
        query: OcpiQuery = asked.query
        since, until = _instant("date_from", query.date_from), _instant("date_to", query.date_to)
        if since is None and until is None:
            rows, last = await _plain(asked.desk, what, query)
            total = asked.desk.tally()[what]
        else:
            rows, total = await _dated(asked.desk, what, query, since, until)
            last = None
        headers = {"X-Total-Count": str(total), "X-Limit": str(query.limit)}
        if query.offset + query.limit < total:
            headers["Link"] = f'<{_next(asked.url, query, last)}>; rel="next"'
        return Response(encode(enveloped(rows, asked.desk.now())), 200, headers, "application/json")

    return listing


async def _plain(desk: Desk, what: str, query: OcpiQuery) -> tuple[list[Row], str | None]:
    """The rows of a page, and the cursor of the last one."""
    rows: list[Row] = []
    place, last = (0, None) if query.after is None else (query.offset, query.after)
    async for cursor, row in walk(desk, what, last, query.limit):
        if place >= query.offset:
            rows.append(row)
        place, last = place + 1, cursor
        if place >= query.offset + query.limit:
            break
    return rows, last


async def _dated(
    desk: Desk, what: str, query: OcpiQuery, since: Instant | None, until: Instant | None
) -> tuple[list[Row], int]:
    rows: list[Row] = []
    total = 0
    async for _, row in walk(desk, what):
        updated = parse_iso(row["last_updated"])
        if (since is None or updated >= since) and (until is None or updated < until):
            if query.offset <= total < query.offset + query.limit:
                rows.append(row)
            total += 1
    return rows, total


def _instant(name: str, text: str | None) -> Instant | None:
    try:
        return None if text is None else parse_iso(text)
    except ValueError:
        raise wrong(f"query.{name}", f"{text!r} names no instant", "an RFC 3339 text with a time zone") from None


def _next(url: str, query: OcpiQuery, last: str | None) -> str:
    """The address of the next page: as this one, further on."""
    place, _, asked = url.partition("?")
    kept = [one for one in asked.split("&") if one and one.partition("=")[0] not in ("offset", "limit", "after")]
    kept += [f"offset={query.offset + query.limit}", f"limit={query.limit}"]
    kept += [f"after={quote(last, safe='')}"] if last is not None else []
    return f"{place}?{'&'.join(kept)}"
