"""`chargerig load` against our own server on real sockets: rigs as Locust users, in one process and in several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner

import fleet
from scenarios.cli import app
from scenarios.load_run.plan import OPTIONS
from scenarios.sockets.child import ServerChild, free_port
from scenarios.sockets.variables import TOKEN

QUICK = [
    "--spawn-rate",
    "20",
    "--pace",
    "10",
    "--session",
    "30s",
    "--gap",
    "10s",
    "--sample",
    "5s",
    "--profile",
    "ac-cloud",
]
"""Stations that live ten times as fast, and dial again soon."""
SHORT = ["--run-time", "9s", "--quiet", "4s", "--users", "4", *QUICK]
PATIENCE_S = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerChild]:
    child = ServerChild(tmp_path_factory.mktemp("serve"))
    child.start()
    yield child
    assert child.stop() == 0


@pytest.fixture(autouse=True)
def token(server: ServerChild, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TOKEN, server.token)


def load(server: ServerChild, out: Path, *options: str, api: str | None = None) -> tuple[int, dict[str, Any]]:
    """Run it; its exit code and what it printed as JSON."""
    said = ["load", "--url", server.ocpp, "--api", api or server.api, "--out", str(out), "--json", *options]
    ended = CliRunner().invoke(app, said)
    assert ended.exit_code in (0, 1, 4), ended.output
    return ended.exit_code, json.loads(ended.stdout)


def verdicts(result: dict[str, Any]) -> dict[str, str]:
    return {check["check"]: check["verdict"] for check in result["checks"]}


@contextmanager
def forgetful(api: str) -> Iterator[str]:
    """The same API, in whose books the last session is missing."""

    class Handler(BaseHTTPRequestHandler):
        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or None
            asked = urllib.request.Request(api + self.path, body, dict(self.headers), method=self.command)
            with urllib.request.urlopen(asked, timeout=PATIENCE_S) as answer:
                data = json.loads(answer.read())
            if self.path.startswith("/sessions"):
                data["rows"] = data["rows"][:-1]
            text = json.dumps(data).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = _pass_on

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing of it is of interest."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as fake:
        thread = threading.Thread(target=fake.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{fake.server_port}"
        finally:
            fake.shutdown()
            thread.join()


def test_users_of_locust_run_whole_sessions_that_are_stored_and_billed(server: ServerChild, tmp_path: Path) -> None:
    out = tmp_path / "run"
    limits = ("errors>0", "lost>0", "unanswered>0", "p95>30s", "billed<100%", "p50>0ms")
    code, result = load(server, out, *SHORT, *(text for limit in limits for text in ("--fail-if", limit)))
    books, calls = result["books"], result["all"]
    assert books["driven"] == books["stored"] == books["billed"] == result["sessions"] >= 4
    assert result["offered"] == calls["sent"] == calls["answered"] == calls["accepted"] > 20
    assert result["actions"]["StopTransaction"]["sent"] == books["driven"]
    assert result["actions"]["StartTransaction"]["times"]["p95"] > 0 and result["complete"]
    assert verdicts(result) == {"books": "PASS", **dict.fromkeys(limits[:-1], "PASS"), "p50>0ms": "FAIL"}
    assert (code, result["verdict"]) == (1, "FAIL"), "the one threshold that nobody can meet decides"
    suite = ElementTree.parse(out / "junit.xml").getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("7", "1")
    assert "StopTransaction" in (out / "actions.csv").read_text() and "at_s" in (out / "course.csv").read_text()
    assert (out / "load.svg").read_text().startswith("<svg")
    locust = (out / "locust_stats.csv").read_text()
    assert f"OCPP,StopTransaction,{books['driven']},0" in locust, "Locust counts the same calls"


def test_two_workers_share_an_outage_and_a_session_that_the_books_lose_is_found(
    server: ServerChild, tmp_path: Path
) -> None:
    with forgetful(server.api) as api:
        options = ("--workers", "2", "--shape", "avalanche", "--fail-if", "lost>0", "--fail-if", "errors>0")
        options = (*options, "--run-time", "16s", "--quiet", "10s")
        code, result = load(server, tmp_path / "run", *SHORT, *options, api=api)
    assert result["processes"] == 2 and result["complete"] and result["dials"] > result["opened"] > 4
    assert verdicts(result) == {"books": "FAIL", "lost>0": "FAIL", "errors>0": "PASS"}, result["checks"]
    books = result["books"]
    assert code == 1 and len(books["lost"]) == 1 == books["driven"] - books["stored"]
    assert books["extra"] == books["wrong"] == []


def test_plain_locust_runs_the_same_rigs_and_knows_their_options(server: ServerChild, tmp_path: Path) -> None:
    locustfile = Path(str(fleet.__file__)).parent / "locustfile.py"
    root = locustfile.parents[1]
    environment = {**os.environ, "PYTHONPATH": str(root), "CHARGERIG_LOAD_PACE": "10"}
    command = [sys.executable, "-m", "locust", "-f", str(locustfile), "--headless", "--users", "1", "--run-time", "2s"]
    dead = f"ws://127.0.0.1:{free_port()}/ocpp/{{id}}"

    def run(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *more], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=PATIENCE_S
        )

    ended = run("--host", dead, "--quiet", "1s")
    assert ended.returncode == 0 and "offered 0, sent 0" in ended.stderr
    wrong = run("--host", dead, "--shape", "nonsense")
    assert wrong.returncode == 2 and "--shape" in wrong.stderr and "Traceback" not in wrong.stderr
    assert {option.name for option in OPTIONS} >= {"--shape", "--session", "--sample"}


@pytest.mark.slow
@pytest.mark.parametrize("shape", ["spike", "sweep", "reset", "storm"])
def test_no_shape_of_load_loses_a_session(server: ServerChild, tmp_path: Path, shape: str) -> None:
    options = ("--run-time", "14s", "--quiet", "6s", "--users", "8", *QUICK, "--shape", shape, "--steps", "30,5")
    code, result = load(server, tmp_path / "run", *options)
    assert (code, result["verdict"]) == (0, "PASS"), result["checks"]
    operations = {name: one["accepted"] for name, one in result["operations"].items()}
    assert operations == {"sweep": {"ChangeConfiguration": 8}, "reset": {"Reset": 8}}.get(shape, {})
    assert result["opened"] == (16 if shape in ("reset", "storm") else 8)


def test_the_smoke_load_passes_within_a_minute_and_ends_by_itself(server: ServerChild, tmp_path: Path) -> None:
    began = time.monotonic()
    code, result = load(server, tmp_path / "run", "--smoke")
    assert (code, result["verdict"]) == (0, "PASS"), result["checks"]
    assert result["books"]["driven"] >= 5 and time.monotonic() - began < 60


def test_a_back_end_that_takes_nobody_is_a_mistake_of_the_user(server: ServerChild, tmp_path: Path) -> None:
    options = ["--users", "2", "--run-time", "2s", "--quiet", "1s", "--out", str(tmp_path / "run")]
    ended = CliRunner().invoke(app, ["load", "--url", server.ocpp, *options])
    assert ended.exit_code == 2 and "no station could connect" in ended.output
    assert not (tmp_path / "run").exists(), "nothing half-written is left"
