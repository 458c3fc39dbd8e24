"""A living station: rows come page by page from an HTTP API, and the verdict is that of what came."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
import websockets
from typer.testing import CliRunner

from scenarios.cli import app
from scenarios.sockets.serve import Where
from scenarios.targets.http import Http
from scenarios.wirecheck.judge import Judge, Report
from scenarios.wirecheck.lines import Line, Unread
from scenarios.wirecheck.live import follow
from scenarios.wirecheck.rules import RULES
from sim.clock import iso
from sim.errors import BadInput
from sim.runtimes.aio import Clock
from tests.scenarios.sockets.test_serve import SECRET, call, serving, session
from tests.scenarios.sockets.test_serve import url as url_of
from tests.scenarios.wirecheck.traces import broken, healthy

ROWS = [msgspec.to_builtins(line) for line in healthy().lines()]


class Pages:
    """Stands for the API: rows that become known one portion after the other."""

    def __init__(self, *portions: list[Any], told: Any = None) -> None:
        self.portions = list(portions)
        self.known: list[Any] = []
        self.told = told
        self.asked: list[dict[str, str | int]] = []

    def get_json(self, path: str, params: dict[str, str | int]) -> Any:
        self.asked.append(params)
        if self.told is not None:
            return self.told
        known = [row for row in self.known if row["n"] > int(params["after"])]
        return {"rows": known[: int(params["limit"])]}

    def more(self) -> bool:
        """What `pause` does here: another portion becomes known."""
        if not self.portions:
            return False
        self.known += self.portions.pop(0)
        return True


def test_rows_are_followed_page_by_page_until_the_time_is_up() -> None:
    pages = Pages(ROWS[:10], [], ROWS[10:])
    lines = list(follow(pages, "http://here", ("CP-1",), pages.more))
    assert [line.place for line in lines] == [f"row {row['n']}" for row in ROWS]
    assert all(isinstance(line, Line) for line in lines)
    assert (
        pages.asked[0] == {"after": 0, "limit": 1_000, "station": "CP-1"} and pages.asked[-1]["after"] == ROWS[-1]["n"]
    )


@pytest.mark.parametrize("stations", [(), ("CP-*",), ("CP-1", "CP-2")])
def test_only_one_plain_name_is_asked_for_at_the_server(stations: tuple[str, ...]) -> None:
    pages = Pages()
    assert list(follow(pages, "http://here", stations, pages.more)) == []
    assert "station" not in pages.asked[0]


def test_a_row_of_another_form_is_named() -> None:
    pages = Pages([{"n": 1, "t": "soon"}, {"n": 2}])
    found = list(follow(pages, "http://here", (), pages.more))
    assert [line.place for line in found] == ["row 1", "row 2"] and all(isinstance(line, Unread) for line in found)


@pytest.mark.parametrize("told", [{}, [], {"rows": 1}, "x"])
def test_an_answer_without_rows_is_one_sentence(told: Any) -> None:
    with pytest.raises(BadInput, match="answers no rows"):
        list(follow(Pages(told=told), "http://here", (), lambda: False))


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        good = self.headers.get("Authorization") == "Bearer T" and urlsplit(self.path).path == "/wire"
        rows = [row for row in ROWS if row["n"] > int(asked["after"][0])]
        body = json.dumps({"rows": rows[: int(asked["limit"][0])]}).encode()
        self.send_response(200 if good else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_running_server_is_judged_from_the_command_line(url: str) -> None:
    words = ["check", "--live", url, "--station", "CP-1", "--for", "100ms", "--json"]
    done = CliRunner().invoke(app, [*words, "--token", "T"])
    told = json.loads(done.stdout)
    assert (done.exit_code, told["verdict"], told["lines"]) == (0, "PASS", len(ROWS))
    refused = CliRunner().invoke(app, [*words, "--token", "no"])
    assert refused.exit_code == 2 and "401" in json.loads(refused.stdout)["error"]["sentence"]


def test_a_station_at_our_own_server_is_judged_while_it_is_connected() -> None:
    """`chargerig serve`, its records API, and a station that does one thing wrong."""
    found: list[Report] = []

    async def test(where: Where, stop: asyncio.Event) -> None:
        async with websockets.connect(url_of(where, "CS-1"), subprotocols=["ocpp1.6"]) as ws:  # type: ignore[list-item]
            await session(ws, Clock().now())
            await call(
                ws, "x", "StopTransaction", {"transactionId": 4711, "meterStop": 1, "timestamp": iso(Clock().now())}
            )
            found.append(await asyncio.to_thread(judge_live, where.api))

    assert serving(test).failure is None
    report = found[0]
    assert report.lines > 10 and report.skipped == ()
    assert broken(report) == ["tx.known"]
    assert [(one.station, one.version, one.works) for one in report.stations] == [("CS-1", "1.6", False)]


def judge_live(api: str) -> Report:
    judge = Judge(RULES)
    with Http(api, SECRET) as http:
        judge.hear(follow(http, api, ("CS-1",), lambda: False))
    return judge.report()
