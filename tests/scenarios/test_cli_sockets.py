"""`serve`, `fleet`, `record`, `replay` and `certs` in the hands of somebody who mistypes: one sentence that helps."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import sys
from asyncio.subprocess import PIPE
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import typer
from click.testing import Result
from typer.testing import CliRunner

from scenarios.cli import app
from tests.scenarios.sockets.test_serve import SECRET, serving

FREE = ("--port", "0", "--api-port", "0", "--db", "memory")


@pytest.fixture
def chargerig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Calls the command line in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CHARGERIG_API_TOKEN", SECRET)
    monkeypatch.setenv("COLUMNS", "80")
    return lambda *args: CliRunner().invoke(app, list(args))


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        yield one.getsockname()[1]


def told(result: Result) -> str:
    """The one sentence of a user's mistake."""
    assert result.exit_code == 2, result.output
    assert result.stderr.count("\n") == 1, result.stderr
    return result.stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("serve", "--port", "99999"), "--port: '99999' is not usable here; allowed: a whole number from 0 to 65535."),
        (("fleet", "--url", "ws://h/{id}", "--pace", "0"), "allowed: a number from 0.1 to 1000."),
        (("serve", "--db", "mysql://x"), "--db: 'mysql://x' names no store"),
        (
            ("serve", "--db", "sqlite:///nowhere/x.sqlite"),
            "unable to open database file; allowed: sqlite:///FILE in an",
        ),
        (
            ("serve", *FREE, "--host", "203.0.113.9"),
            "--host: '203.0.113.9' is no address to listen at; allowed: an addr",
        ),
        (("serve", "--workers", "2", "--fast"), "allowed: either --fast or --workers"),
        (("fleet", "--url", "ws://h/{id}", "--token", "T" * 21), "allowed: 1 to 20 printable characters"),
        (("fleet", "--url", "http://127.0.0.1:1/{id}"), "--url: 'http://127.0.0.1:1/{id}' is no address of a back-end"),
        (("fleet", "--url", "ws://h/{id}/ocpp"), "the identity last"),
        (
            ("fleet", "--url", "nonsense{id}"),
            "is no address of a back-end; allowed: ws:// or wss://HOST:PORT/PATH/{id}",
        ),
        (("record", "--listen", "0", "--upstream", "ws://h/{id}"), "the identity is put behind it"),
        (("certs", "file"), "file: cannot be made (File exists); allowed: a new or an empty folder."),
        (
            ("certs", "new", "--station", ""),
            "--station: '' cannot be the name of a certificate; allowed: an identity of",
        ),
        (("certs", "new", "--station", "x" * 65), "1 to 64 characters without /"),
    ],
)
def test_a_wrong_word_is_one_sentence_that_says_what_is_right(
    chargerig: Any, tmp_path: Path, args: tuple[str, ...], says: str
) -> None:
    (tmp_path / "file").touch()
    assert says in told(chargerig(*args))
    assert [one.name for one in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("option", ["--port", "--api-port"])
def test_a_port_that_is_taken_is_named_once(chargerig: Any, taken: int, option: str) -> None:
    said = told(chargerig("serve", *FREE, option, str(taken)))
    assert (
        said == f"chargerig: {option}: 127.0.0.1:{taken} cannot be had: Address already in use; allowed: a free port.\n"
    )


def test_a_token_that_is_too_short_is_told_by_the_name_of_its_variable(
    chargerig: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHARGERIG_API_TOKEN", "short")
    said = told(chargerig("serve", *FREE))
    assert said.startswith("chargerig: CHARGERIG_API_TOKEN: ") and "16 or more" in said and "short;" not in said


FLEET = ("fleet", "--stations", "2", "--ramp", "0s", "--for", "1s")


def test_a_fleet_says_why_nobody_could_connect(chargerig: Any) -> None:
    """Nothing listens; strangers are not let in; a password is wanted."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        nowhere = f"ws://127.0.0.1:{one.getsockname()[1]}/{{id}}"
        assert "nothing listens there" in told(chargerig(*FLEET, "--url", nowhere))
        said_to_machines = json.loads(chargerig(*FLEET, "--url", nowhere, "--json").stdout)
        assert said_to_machines["exit_code"] == 2 and "nothing listens" in said_to_machines["error"]["sentence"]
    said: list[str] = []

    async def test(where: Any, stop: asyncio.Event) -> None:
        result = await asyncio.to_thread(chargerig, *FLEET, "--url", where.ocpp)
        assert result.exit_code == 2
        said.append(result.stderr)

    serving(test, least=1)
    serving(test, least=0)
    assert "HTTP 401, wrong or no password" in said[0]
    assert "HTTP 404, the back-end does not know the stations" in said[1]


def test_a_fleet_that_drove_no_session_does_not_pass_its_books(chargerig: Any) -> None:
    """Nothing was examined: exit code 4, unless nobody was to charge."""
    codes: list[tuple[int, str]] = []

    async def test(where: Any, stop: asyncio.Event) -> None:
        for more in ((), ("--idle",)):
            result = await asyncio.to_thread(chargerig, *FLEET, "--url", where.ocpp, "--api", where.api, *more)
            codes.append((result.exit_code, result.stderr))

    serving(test)
    assert [code for code, _ in codes] == [4, 0]
    assert "the books prove nothing" in codes[0][1]


def test_ctrl_c_on_a_fleet_prints_its_figures_and_keeps_them(tmp_path: Path) -> None:
    """A station that sends its status before it is accepted is refused, and that is no error of the back-end."""
    out = tmp_path / "new" / "figures"

    async def test(where: Any, stop: asyncio.Event) -> None:
        command = (sys.executable, "-m", "scenarios.cli", "fleet", "--url", where.ocpp, "--stations", "1")
        more = ("--ramp", "0s", "--for", "2m", "--profile", "ac-compact", "--out", str(out), "--json")
        fleet = await asyncio.create_subprocess_exec(*command, *more, stdout=PIPE, stderr=PIPE)
        async with asyncio.timeout(30), httpx.AsyncClient(headers={"Authorization": f"Bearer {SECRET}"}) as api:
            while not any(one["frames_up"] > 3 for one in (await api.get(where.api + "/connections")).json()["rows"]):
                await asyncio.sleep(0.05)
            fleet.send_signal(signal.SIGINT)
            printed, complained = await fleet.communicate()
        assert fleet.returncode == 128 + signal.SIGINT, complained
        figures = json.loads(printed)
        assert figures == json.loads((out / "fleet.json").read_bytes())
        assert figures["stopped"] == "SIGINT" and figures["seconds"] < 60 and b"ended by SIGINT" in complained
        assert figures["actions"]["StatusNotification"]["refused"] == 1 and figures["errors"] == 0
        assert figures["sent"] > 3

    serving(test, accept_unknown=True)


@pytest.mark.parametrize("command", ["serve", "fleet", "check", "record", "replay", "certs"])
def test_at_80_columns_the_help_folds_no_example_and_cuts_no_word(chargerig: Any, command: str) -> None:
    """What is copied from a terminal has to run: no example may be folded."""
    written = [line.strip() for line in str(_commands()[command].help).splitlines()]
    examples = [line for line in written if line.startswith("chargerig ")]
    shown = [line.strip() for line in chargerig(command, "--help").stdout.splitlines()]
    assert [line for line in shown if "…" in line] == []
    assert examples and [line for line in examples if line not in shown] == []


def _commands() -> dict[str, Any]:
    return dict(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
