"""An Office over a real back-end that does everything at once: operate, flush, and what the stations of a bench answer."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
import pytest

from reference_csms.web.app import make_app
from reference_csms.web.port import ConnectionView, Counters
from reference_csms.web.tokens import api_token
from sim.backend import Books, Operation, Row, Setup
from sim.clock import Instant
from sim.machine import Outcome, Unknown
from tests.reference_csms.conftest import Bench, provision

SECRETS = {
    "all": "all-scopes-0123456789",
    "reader": "only-reads-0123456789",
    "operator": "only-operates-0123456789",
    "provisioner": "only-provisions-0123456789",
}
SCOPES = {"reader": ("read",), "operator": ("operate",), "provisioner": ("provision",)}


class BenchOffice:
    """Implements `Desk`. Calls to stations are answered from `answers` (by action), or not at all."""

    def __init__(self, bench: Any) -> None:
        self.bench = bench
        self.name = bench.setup.name
        self.started_at = Instant(bench.now)
        self.counters = Counters()
        self.answers: dict[str, Row] = {}
        self.sent: list[tuple[str, bytes]] = []
        self.frames: list[Row] = []
        self.why_not: str | None = None
        self.operations: list[Operation] = []

    def now(self) -> Instant:
        return Instant(self.bench.now)

    def ready(self) -> str | None:
        return self.why_not

    async def operate(self, operation: Operation, timeout_s: float) -> Outcome:
        self.operations.append(operation)
        call_id = f"api-{len(self.operations)}"
        self.bench.csms.operate(operation, call_id, self.now())
        effects = self.bench.flush()
        outcome = self.bench.outcome(effects, call_id)
        while outcome is None and (calls := self.bench.calls(effects)):
            call = calls[0]
            self.sent.append((call.action, call.payload))
            if call.action not in self.answers:
                break
            link = next(
                link for link, one in self.bench.links.items() if one.state.station == operation.args["station"]
            )
            effects = self.bench.answer(link, call, **self.answers[call.action])
            outcome = self.bench.outcome(effects, call_id)
        if outcome is None:
            return Unknown(f"no outcome within {timeout_s:g} s")
        assert isinstance(outcome, Outcome)
        return outcome

    def books(self) -> Books:
        self.bench.flush()
        return self.bench.csms.books(self.now())  # type: ignore[no-any-return]

    def quote(self, request: Row) -> Row:
        return self.bench.csms.quote(request, self.now())  # type: ignore[no-any-return]

    def connections(self) -> Sequence[ConnectionView]:
        return [
            ConnectionView(
                link=link,
                station=one.state.station,
                subprotocol="ocpp1.6",
                peer="127.0.0.1:1",
                opened_at=self.now(),
                last_frame_at=None,
                frames_up=1,
                frames_down=1,
                bytes_up=10,
                bytes_down=10,
            )
            for link, one in self.bench.links.items()
        ]

    def wire(self, station: str | None, after: int, limit: int) -> Sequence[Row]:
        return [row for row in self.frames if row["n"] > after and station in (None, row["s"])][:limit]

    def page(
        self, what: str, after: str | None, limit: int, where: Mapping[str, Any] | None = None
    ) -> Sequence[tuple[str, Row]]:
        return self.bench.csms.page(what, after, limit, self.now(), where)  # type: ignore[no-any-return]

    def row(self, what: str, key: str) -> Row | None:
        return self.bench.csms.row(what, key, self.now())  # type: ignore[no-any-return]

    def tally(self) -> Mapping[str, int]:
        return self.bench.csms.tally()  # type: ignore[no-any-return]


class Client:
    """A blocking client of an application, without a socket. What the application raises comes out here."""

    def __init__(self, app: Any) -> None:
        self._loop = asyncio.new_event_loop()
        transport = httpx.ASGITransport(app)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://csms.test")

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        return self._loop.run_until_complete(self._client.request(method, path, **more))

    def run(self, *asked: Any) -> Any:
        """Several coroutines at once."""

        async def together() -> Any:
            return await asyncio.gather(*asked)

        return self._loop.run_until_complete(together())

    def later(self, method: str, path: str, **more: Any) -> Any:
        """A request for `run`."""
        return self._client.request(method, path, **more)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self._loop.run_until_complete(self._client.aclose())
        self._loop.close()


class Api:
    """A client with a token, and the office behind it."""

    def __init__(self, office: BenchOffice, client: Client) -> None:
        self.office = office
        self.bench = office.bench
        self.client = client

    def ask(self, method: str, path: str, who: str | None = "all", **more: Any) -> Any:
        headers = dict(more.pop("headers", {}))
        if who is not None:
            headers.setdefault("Authorization", f"Bearer {SECRETS[who]}")
        return self.client.request(method, path, headers=headers, **more)

    def get(self, path: str, who: str | None = "all", **query: Any) -> Any:
        return self.ask("GET", path, who, **({"params": query} if query else {}))

    def post(self, path: str, body: Any = None, who: str | None = "all", **more: Any) -> Any:
        return self.ask("POST", path, who, json={} if body is None else body, **more)

    def walk(self, path: str, **query: Any) -> list[Row]:
        """All rows of a list, page by page."""
        rows: list[Row] = []
        while True:
            page = self.get(path, **query).json()
            rows += page["rows"]
            if page["next"] is None:
                return rows
            query["after"] = page["next"]


def make_api(bench: Any, **more: Any) -> Api:
    office = BenchOffice(bench)
    tokens = [
        api_token(name, secret, SCOPES.get(name, ("read", "operate", "provision"))) for name, secret in SECRETS.items()
    ]
    return Api(office, Client(make_app(office, tokens, **more)))


@pytest.fixture
def api(bench: Any) -> Iterator[Api]:
    """A fresh back-end behind the API."""
    made = make_api(bench)
    with made.client:
        yield made


def do_business(bench: Any, **more: Any) -> Api:
    """Bills of two owners, a held session, an open one, a correction; the API over all that."""
    first, third = bench.boot("CS-1"), bench.boot("CS-3")
    bench.charge(first, "TOK-A", idle=2_700_000)
    bench.charge(first, "TOK-S", 5_000)
    bench.charge(third, "TOK-A", 7_000)
    bench.charge(first, "TOK-B", 3_000)
    bench.bill_all()
    bench.operate("correct-session", session_id="legacy-s-000002", actor="ann", reason="group", terms={"grp": None})
    bench.start(first, "TOK-A", connector=2)
    bench.flush()
    return make_api(bench, **more)


@pytest.fixture
def used(bench: Any) -> Iterator[Api]:
    """A back-end after some business."""
    made = do_business(bench)
    with made.client:
        yield made


@pytest.fixture(scope="module")
def settled() -> Iterator[Api]:
    """The same for all cases of a module that change nothing."""
    with (made := do_business(Bench())).client:
        yield made


@pytest.fixture(scope="module")
def walked() -> Iterator[Api]:
    """A back-end that handles money and keeps its books in SQL, after some business, for all cases of a module."""
    options = {"money": {}, "transaction_base": 500, "store": "sqlite://"}
    setup = Setup(name="legacy", seed=7, provision=provision(), options=options)
    with (made := do_business(Bench(setup), body_limit=50_000)).client:
        yield made
    disk = setup.disk["store"]
    disk.connection.close()
    disk.engine.dispose()


@pytest.fixture
def make_an_api() -> Any:
    return make_api
