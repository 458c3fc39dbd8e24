"""Operations by HTTP: the template is filled in exactly, and the outcome says no more than what was heard."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest

from scenarios.targets.external import ExternalBackEnd
from scenarios.targets.file import make_target
from scenarios.targets.http import Answer
from scenarios.targets.levers import filled, outcome_of
from scenarios.targets.model import Lever
from sim.backend import Operation, Unverifiable
from sim.errors import BadInput
from sim.machine import Answered, Outcome, Refused, Unknown

START = {"mobile": "+4712345678", "station": "CA 1/2", "connector": 2}


class _Csms(BaseHTTPRequestHandler):
    """Notes what it is asked; one path hangs up without an answer, one refuses the second row."""

    seen: ClassVar[list[tuple[str, str, str | None, Any]]] = []

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "null")
        self.seen.append((self.command, self.path, self.headers.get("X-Tenant"), body))
        if self.path == "/hang-up":
            self.close_connection = True
            return
        refused = self.path == "/tokens" and body["uid"] == "BAD"
        text = json.dumps({"data": {"result": "OK"}}).encode()
        self.send_response(422 if refused else 202)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def url() -> Iterator[str]:
    _Csms.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Csms)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def back_end(url: str, **tables: Any) -> ExternalBackEnd:
    api = {"base_url": url, "headers": {"X-Tenant": "rig"}}
    return ExternalBackEnd("legacy", make_target({"api": api, **tables}, "target.toml"), {"+4712345678": "AB12"})


def operated(url: str, kind: str, args: dict[str, Any], **tables: Any) -> Outcome:
    async def ask() -> Outcome:
        async with back_end(url, **tables) as one:
            return await one.operate(Operation(kind, args), 5.0)

    return asyncio.run(ask())


def test_a_start_of_the_app_is_sent_as_the_template_says(url: str) -> None:
    lever = {
        "path": "/chargers/{station}/start",
        "body": {"evse": "{connector}", "card": "{token}", "note": ["from {mobile}", 1]},
        "outcome": "data.result",
        "answered": ["OK"],
    }
    outcome = operated(url, "app-start", START, levers={"app-start": lever})
    assert outcome == Answered({"data": {"result": "OK"}})
    body = {"evse": 2, "card": "AB12", "note": ["from +4712345678", 1]}
    assert _Csms.seen == [("POST", "/chargers/CA%201%2F2/start", "rig", body)]


def test_a_lever_that_is_not_declared_refuses_and_asks_nobody(url: str) -> None:
    outcome = operated(url, "app-stop", START, levers={"app-start": {"path": "/x"}})
    assert outcome == Refused("no-lever", "the target file declares no lever app-stop")
    assert _Csms.seen == []


def test_a_lever_that_needs_what_the_operation_has_not_asks_nobody(url: str) -> None:
    args = {**START, "mobile": "+4799999999"}
    outcome = operated(url, "app-start", args, levers={"app-start": {"path": "/x", "body": {"card": "{token}"}}})
    assert outcome == Refused("no-lever", "the lever needs token, which this operation has not")
    assert _Csms.seen == []


def test_a_server_that_hangs_up_may_have_done_it(url: str) -> None:
    outcome = operated(url, "app-start", START, levers={"app-start": {"path": "/hang-up"}})
    assert isinstance(outcome, Unknown)
    assert len(_Csms.seen) == 1


def test_a_server_that_is_not_there_has_not_done_it() -> None:
    outcome = operated("http://127.0.0.1:1", "app-start", START, levers={"app-start": {"path": "/x"}})
    assert isinstance(outcome, Refused)
    assert outcome.code == "unreachable"


@pytest.mark.parametrize(
    ("status", "text", "expected"),
    [
        (200, '{"r": "OK"}', Answered({"r": "OK"})),
        (200, '{"r": "NO"}', Refused("rejected", "NO")),
        (200, '{"r": "WHO"}', Unknown),
        (200, "{}", Unknown),
        (200, "fine", Unknown),
        (404, "nobody", Refused("http-404", "HTTP 404: nobody")),
        (500, "oops", Unknown),
        (504, "late", Unknown),
        (302, "", Refused("http-302", "HTTP 302: ")),
    ],
)
def test_an_answer_means_what_the_file_says_and_no_more(status: int, text: str, expected: Any) -> None:
    lever = Lever(path="/", outcome="r", answered=("OK",), refused=("NO",))
    outcome = outcome_of(lever, Answer(status, text))
    assert isinstance(outcome, expected) if isinstance(expected, type) else outcome == expected


@pytest.mark.parametrize(("status", "expected"), [(204, Answered({})), (200, Answered({"text": "fine"}))])
def test_without_a_rule_an_expected_status_is_an_answer(status: int, expected: Outcome) -> None:
    assert outcome_of(Lever(path="/"), Answer(status, "" if status == 204 else "fine")) == expected


def test_a_brace_of_the_body_itself_stays() -> None:
    assert filled({"a": "{{x}} {n}", "b": "{n}", "c": None}, {"n": 3}) == {"a": "{x} 3", "b": 3, "c": None}


def test_rows_are_provisioned_one_by_one_and_one_that_is_not_taken_ends_it(url: str) -> None:
    async def tell(tokens: list[str]) -> dict[str, int]:
        lever = {"path": "/tokens", "body": {"uid": "{token}"}}
        async with back_end(url, provision={"tokens": lever}) as one:
            return await one.provision({"tokens": [{"token": token} for token in tokens], "sites": [{"site": "a"}]})

    assert asyncio.run(tell(["A", "B"])) == {"tokens": 2}
    assert [body for *_, body in _Csms.seen] == [{"uid": "A"}, {"uid": "B"}]
    with pytest.raises(BadInput, match=r"provision.tokens: row 2 was not taken .*http-422"):
        asyncio.run(tell(["A", "BAD", "C"]))


def test_books_that_nobody_declared_are_unverifiable_and_prices_are_never_asked(tmp_path: Path) -> None:
    one = ExternalBackEnd("legacy", make_target({"ocpp": {"url": "ws://127.0.0.1:9"}}, str(tmp_path / "t.toml")))
    assert all(isinstance(shown, Unverifiable) for shown in one.books().values())
    assert isinstance(one.quote({"kind": "grid"}), Unverifiable)
    assert one.url("CA-1") == "ws://127.0.0.1:9/CA-1"
