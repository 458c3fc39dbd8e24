"""`chargerig record` and `chargerig replay` as a user meets them: one process, real sockets, exit codes, files."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from typer.testing import CliRunner, Result

from scenarios.cli import app
from sim.evidence.wire import read_wire
from tests.sim.runtimes.peers import BackEnd, proxied, station, until

ROOT = Path(__file__).parents[2]


def call(*words: str) -> Result:
    return CliRunner().invoke(app, [*words])


@contextmanager
def serving(back: BackEnd) -> Iterator[BackEnd]:
    """A back-end in a thread of its own, because the command owns this one's loop."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    begun = threading.Event()

    async def run() -> None:
        async with back.running():
            begun.set()
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(run(),))
    thread.start()
    begun.wait(2)
    try:
        yield back
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def recorded(trace: Path, *names: str, key: bytes | None = None) -> Path:
    async def run() -> None:
        async with BackEnd(first_id=7).running() as back, proxied(trace, back.port, key=key) as proxy:
            for name in names:
                async with station(proxy.port, name, "secret-of-" + name) as one:
                    await one.session("TOKEN")

    asyncio.run(run())
    return trace


def test_replay_of_the_same_is_exit_code_0_and_says_so(tmp_path: Path) -> None:
    trace = recorded(tmp_path / "t.jsonl.zst", "CA-1", "CA-2")
    with serving(BackEnd(first_id=50)) as back:
        told = call("replay", str(trace), "--target", f"ws://127.0.0.1:{back.port}/ocpp")
    assert told.exit_code == 0, told.output
    assert "all 10 answers are the same" in told.output
    assert {request.headers["Authorization"] for request in back.requests} == {
        "Basic Q0EtMTpzZWNyZXQtb2YtQ0EtMQ==",
        "Basic Q0EtMjpzZWNyZXQtb2YtQ0EtMg==",
    }


def test_differences_are_exit_code_1_in_text_json_and_junit(tmp_path: Path) -> None:
    trace = recorded(tmp_path / "t.jsonl.zst", "CA-1", *(f"CB-{n}" for n in range(25)))

    def answer(back: BackEnd, name: str, action: str, payload: dict[str, Any]) -> Any:
        return {"idTagInfo": {"status": "Blocked"}} if action == "Authorize" else ...

    junit = tmp_path / "replay.xml"
    with serving(BackEnd(answer)) as back:
        url = f"ws://127.0.0.1:{back.port}"
        text = call("replay", str(trace), "--target", url, "--junit", str(junit))
        data = call("replay", str(trace), "--target", url, "--json", "--station", "CA-1")
        ignored = call("replay", str(trace), "--target", url, "--ignore", "Authorize:$.idTagInfo.status")
    assert [one.exit_code for one in (text, data, ignored)] == [1, 1, 0]
    assert 'Authorize $.idTagInfo.status: "Accepted" -> "Blocked" (26 times, first at CA-1, line 6)' in text.output
    document = json.loads(data.stdout)
    assert document["exit_code"] == 1
    assert [one["path"] for one in document["differences"]] == ["$.idTagInfo.status"]
    assert document["actions"]["Authorize"]["different"] == 1
    suite = ElementTree.parse(junit).getroot()
    assert (suite.get("tests"), suite.get("failures")) == ("5", "1")
    (failure,) = suite.iter("failure")
    assert (failure.text or "").count("Blocked") == 26


def test_nothing_compared_is_exit_code_4(tmp_path: Path) -> None:
    trace = recorded(tmp_path / "t.jsonl.zst", "CA-1")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = call("replay", str(trace), "--target", f"ws://127.0.0.1:{port}")
    assert told.exit_code == 4
    assert "nothing was compared" in told.output


def test_a_trace_with_pseudonyms_needs_passwords_of_its_own(tmp_path: Path) -> None:
    trace = recorded(tmp_path / "t.jsonl.zst", "CA-1", key=b"k" * 32)
    passwords = tmp_path / "p.csv"
    passwords.write_text("CA-1,new\n")
    for more, expected in (((), []), (("--passwords", str(passwords)), ["Basic Q0EtMTpuZXc="])):
        with serving(BackEnd()) as back:
            told = call("replay", str(trace), "--target", f"ws://127.0.0.1:{back.port}", *more)
        assert told.exit_code == 0
        assert "pseudonyms" in told.output
        assert back.requests[0].headers.get_all("Authorization") == expected


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("record", "--listen", "x", "--upstream", "ws://h"), "--listen"),
        (("record", "--listen", "99999", "--upstream", "ws://h"), "--listen"),
        (("record", "--listen", "0", "--upstream", "http://h"), "--upstream"),
        (("record", "--listen", "0", "--upstream", "ws://a:b@h"), "without query and password"),
        (("record", "--listen", "0", "--upstream", "ws://h", "--for", "soon"), "--for"),
        (("record", "--listen", "0", "--upstream", "ws://h", "--key-file", "k"), "--pseudonymise"),
        (("record", "--listen", "0", "--upstream", "ws://h", "--pseudonymise", "--key-file", "short"), "at least 16"),
        (("record", "--listen", "0", "--upstream", "ws://h", "--rules", "bad.toml"), "rule[0].lasts"),
        (("record", "--listen", "0", "--upstream", "ws://h", "--out", "short"), "is there already"),
        (("record", "--listen", "0", "--upstream", "ws://h", "--out", "no/where"), "cannot be written"),
        (("record", "--listen", "0", "--upstream", "ws://h", "--ca", "short"), "a wss:// address"),
        (("replay", "short", "--target", "wss://h", "--ca", "short"), "short"),
        (("replay", "nowhere", "--target", "ws://h"), "nowhere"),
        (("replay", "short", "--target", "ws://h"), "no readable wire file"),
        (("replay", "short", "--target", "ws://h", "--pace", "0"), "fast, real"),
        (("replay", "short", "--target", "h"), "--target"),
        (("replay", "short", "--target", "ws://h", "--passwords", "short"), "station,password"),
    ],
)
def test_mistakes_are_one_sentence_and_leave_nothing(
    words: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "short").write_text("one")
    (tmp_path / "bad.toml").write_text('[[rule]]\nwhat = "stall"\n')
    told = call(*words)
    assert told.exit_code == 2, told.output
    assert said in " ".join(told.stderr.split())
    assert len(told.stderr.strip().splitlines()) == 1
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bad.toml", "short"]


def test_a_recording_passes_the_wire_check_with_every_line_read(tmp_path: Path) -> None:
    trace = recorded(tmp_path / "t.jsonl.zst", "CA-1", "CA-2")
    told = call("check", str(trace), "--json")
    document = json.loads(told.stdout)
    assert document["not_read"] == []
    assert document["lines"] == 2 * 12
    failed = {one["rule"] for one in document["rules"] if one["verdict"] == "FAIL"}
    assert failed <= {"time.current"}, "the back-end of these tests lives on one day"


@contextmanager
def recording(trace: Path, port: int, *more: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    words = ["record", "--listen", "0", "--upstream", f"ws://127.0.0.1:{port}", "--out", str(trace), *more]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-m", "scenarios.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stderr is not None
        found = re.search(r"ws://127\.0\.0\.1:(\d+) before", process.stderr.readline())
        assert found is not None
        try:
            yield process, int(found[1])
        finally:
            process.kill()


def _killed(process: subprocess.Popen[str], trace: Path) -> None:
    process.kill()
    process.wait(3)
    assert [line.w for line in read_wire(trace)] == ["head", "asked", "open", "up", "down"]


def _terminated(process: subprocess.Popen[str], trace: Path) -> None:
    process.send_signal(signal.SIGTERM)
    out, _ = process.communicate(timeout=5)
    assert process.returncode == 0
    document = json.loads(out)
    assert (document["connections"], document["frames_up"], document["trace"]) == (1, 1, str(trace))
    assert [line.w for line in read_wire(trace)] == ["head", "asked", "open", "up", "down", "close", "foot"]


@pytest.mark.parametrize("ending", [_killed, _terminated])
def test_a_recording_ends_by_a_signal_with_a_whole_trace_and_killed_with_all_but_the_last_second(
    tmp_path: Path, ending: Callable[[subprocess.Popen[str], Path], None]
) -> None:
    trace = tmp_path / "t.jsonl.zst"

    async def run() -> None:
        async with BackEnd().running() as back:
            with recording(trace, back.port, "--json") as (process, port):
                async with station(port, "CA-1", "secret") as one:
                    await one.ask("Heartbeat", {})
                    if ending is _killed:
                        await until(lambda: len([*read_wire(trace)]) == 5)
                    await asyncio.to_thread(ending, process, trace)

    asyncio.run(run())
    assert stat.S_IMODE(trace.stat().st_mode) == 0o600
