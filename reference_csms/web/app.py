"""The web face of a running back-end: the table of routes, served. It judges who asks and what, and never runs anything.

The only way in for operators and tools: what `make_app` serves is what the document at `/openapi.json` says.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import cache

import msgspec
from msgspec import Struct
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as Served

from reference_csms.billing.data import masked
from reference_csms.web import health, ocpi, openapi, operations, provision, records
from reference_csms.web.answers import JSON, Problem, encode, from_bad_input, problem_answer
from reference_csms.web.asking import decoded, query_of, raw_body
from reference_csms.web.metrics import Meters
from reference_csms.web.repeats import HEADER, Repeats
from reference_csms.web.routes import Asked, Desk, Route
from reference_csms.web.tokens import ApiToken, Doorkeeper
from sim.errors import BadInput, StoreFailed, raised, unknown

BODY_LIMIT = 4 * 1024 * 1024
"""Bytes of a request body."""
VERSION = "1"
_DOCUMENT = "/openapi.json"
_log = logging.getLogger("chargerig.web")


class Line(Struct):
    """One line of the log, as JSON: route and not address, so that no query and no token gets in."""

    at: int
    method: str
    route: str
    path: dict[str, str]
    query: list[str]
    status: int
    token: str | None
    code: str | None


def all_routes(desk: Desk) -> list[Route]:
    """Everything that is served, but for the document of it."""
    return [
        *health.routes(Meters(desk)),
        *operations.routes(),
        *provision.routes(),
        *records.routes(),
        *ocpi.routes(),
    ]


def make_app(desk: Desk, tokens: Sequence[ApiToken], body_limit: int = BODY_LIMIT) -> Starlette:
    """The application for one running back-end. Without tokens only health and the document are open."""
    table = all_routes(desk)
    face = _Face(desk, Doorkeeper(tokens), body_limit)

    @cache
    def written() -> bytes:
        return encode(openapi.document(table, VERSION))

    async def document(request: Request) -> Response:
        return Response(written(), 200, media_type=JSON)

    served = [Served(_served_path(route.path), face.serving(route), methods=[route.method]) for route in table]
    missing = _Missing(desk, [route.path for route in table])
    app = Starlette(
        routes=[*served, Served(_DOCUMENT, document, methods=["GET"])],
        exception_handlers={HTTPException: missing.answer, Exception: _our_mistake},
    )
    app.router.redirect_slashes = False
    return app


def _served_path(path: str) -> str:
    """Keys may hold slashes (identities of stations are free texts); a name within a file name may not."""
    return path if path.endswith(".csv") else path.replace("}", ":path}")


class _Face:
    """Serves routes: who asks, what is asked, the answer, one line in the log."""

    def __init__(self, desk: Desk, doorkeeper: Doorkeeper, body_limit: int) -> None:
        self._desk = desk
        self._doorkeeper = doorkeeper
        self._body_limit = body_limit
        self._repeats = Repeats()

    def serving(self, route: Route) -> Callable[[Request], Awaitable[Response]]:
        """The endpoint of a route."""

        async def endpoint(request: Request) -> Response:
            who: ApiToken | None = None
            code = None
            try:
                who = self._allowed(route, request)
                response = await self._answer(route, request, who)
            except (Problem, BadInput, StoreFailed) as err:
                problem = _problem(err)
                code = problem.code
                response = self._failed(route, problem)
            self._write(route, request, response.status_code, who, code)
            return response

        return endpoint

    def _allowed(self, route: Route, request: Request) -> ApiToken | None:
        if route.scope is None:
            return None
        who = self._doorkeeper.who(request.headers.get("authorization"), route.ocpi)
        if who is None:
            scheme = {"WWW-Authenticate": "Bearer"}
            allowed = "Bearer and a token" + (", or Token and its base64" if route.ocpi else "")
            raise Problem(
                401, f"Authorization: no valid token; allowed: {allowed}.", None, "Authorization", None, scheme
            )
        if route.scope not in who.scopes:
            scopes = ", ".join(who.scopes)
            sentence = f"Authorization: the token lacks the scope {route.scope}; it has: {scopes or 'none'}."
            raise Problem(403, sentence, "scope", "Authorization")
        why_not = self._desk.ready()
        if why_not is not None and route.family != "health":
            raise Problem(503, why_not, "unavailable")
        return who

    async def _answer(self, route: Route, request: Request, who: ApiToken | None) -> Response:
        path = {name: str(value) for name, value in request.path_params.items()}
        for name, value in path.items():
            if not _printable(value):
                raise Problem(404, f"{name} holds a control character; allowed: printable text.", "unknown", name)
        query = query_of(request, route.query)
        if route.body is None:
            return await route.handler(Asked(self._desk, path, query, None, str(request.url)))
        raw = await raw_body(request, self._body_limit)
        asked = Asked(self._desk, path, query, decoded(raw or b"{}", route.body), str(request.url))
        whole = b"\0".join([route.method.encode(), str(request.url).encode(), raw])
        name = who.name if who is not None else ""
        return await self._repeats.once(name, request.headers.get(HEADER), whole, lambda: route.handler(asked))

    def _failed(self, route: Route, problem: Problem) -> Response:
        if route.ocpi:
            return ocpi.failed(problem.status, problem.detail, self._desk.now(), problem.headers)
        return problem_answer(problem)

    def _write(self, route: Route, request: Request, status: int, who: ApiToken | None, code: str | None) -> None:
        line = Line(
            at=self._desk.now(),
            method=request.method,
            route=route.path,
            path={
                name: masked(str(value)) if name == "token" else str(value)
                for name, value in request.path_params.items()
            },
            query=[name for name in request.query_params if name in route.query.__struct_encode_fields__],
            status=status,
            token=who.name if who is not None else None,
            code=code,
        )
        _log.info(msgspec.json.encode(line).decode())


def _problem(error: Problem | BadInput | StoreFailed) -> Problem:
    if isinstance(error, BadInput):
        return from_bad_input(error)
    return Problem(503, raised(error), "unavailable") if isinstance(error, StoreFailed) else error


class _Missing:
    """Answers for what is not served at all."""

    def __init__(self, desk: Desk, paths: Sequence[str]) -> None:
        self._desk = desk
        self._paths = list(dict.fromkeys([*paths, _DOCUMENT]))

    async def answer(self, request: Request, err: Exception) -> Response:
        """404 with the nearest route, 405 with what is allowed."""
        assert isinstance(err, HTTPException)
        path = request.url.path[:200]
        headers = dict(err.headers or {})
        if err.status_code == 405:
            allowed = headers.get("Allow", "")
            problem = Problem(
                405, f"{request.method} is not allowed here; allowed: {allowed}.", None, "method", allowed
            )
            problem.headers = headers
        elif err.status_code == 404:
            found, allowed = unknown("route", path, self._paths, see=_DOCUMENT)
            problem = Problem(404, f"{found}; allowed: {allowed}.", "unknown", "path", allowed, headers)
        else:
            problem = Problem(err.status_code, str(err.detail), headers=headers)
        if path.startswith("/ocpi/"):
            return ocpi.failed(problem.status, problem.detail, self._desk.now(), problem.headers)
        return problem_answer(problem)


async def _our_mistake(request: Request, err: Exception) -> Response:
    """What is told of a mistake of ours: nothing. It is raised again behind this answer, for the log of the server."""
    return problem_answer(Problem(500, "This back-end made a mistake; its log says which.", "internal"))


def _printable(text: str) -> bool:
    return all(char >= " " and char != "\x7f" for char in text)
