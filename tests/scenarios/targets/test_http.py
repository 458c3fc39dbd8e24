"""The door to httpx: what a user is told when a server is missing, refuses, or talks no JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from scenarios.targets.http import Http
from sim.errors import BadInput


class _Server(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.headers.get("Authorization") != "Bearer right":
            self._answer(401, b"{}")
        else:
            self._answer(200, b"hello" if self.path == "/text" else json.dumps({"path": self.path}).encode())

    def do_POST(self) -> None:
        self._answer(200, self.rfile.read(int(self.headers["Content-Length"])))

    def _answer(self, code: int, body: bytes) -> None:
        self.send_response(code)
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


def test_json_goes_out_and_comes_back(url: str) -> None:
    with Http(url, "right") as http:
        assert http.get_json("/wire", {"after": 3}) == {"path": "/wire?after=3"}
        assert http.post_json("/operations", {"a": [1]}) == {"a": [1]}


def test_a_refusal_is_one_sentence_without_the_token(url: str) -> None:
    with Http(url, "wrong") as http, pytest.raises(BadInput, match="401: the token is missing or wrong") as bad:
        http.get_json("/wire")
    assert "Bearer" not in str(bad.value) and str(bad.value).startswith(f"{url}/wire")


def test_an_answer_without_json_is_told(url: str) -> None:
    with Http(url, "right") as http, pytest.raises(BadInput, match="no JSON"):
        http.get_json("/text")


def test_a_server_that_is_not_there_is_told(url: str) -> None:
    with Http("http://127.0.0.1:9", "right", timeout_s=2) as http, pytest.raises(BadInput, match="cannot be reached"):
        http.get_json("/wire")


@pytest.mark.parametrize("base", ["ws://127.0.0.1/", "nonsense", ""])
def test_a_url_of_another_kind_is_refused(base: str) -> None:
    with pytest.raises(BadInput, match="no URL of an HTTP server"):
        Http(base, None)
