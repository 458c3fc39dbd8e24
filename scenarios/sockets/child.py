"""`chargerig serve` as a process of its own: started, waited for, killed at will. Ends only what it started itself."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from scenarios.sockets.variables import TOKEN
from sim.runtimes.entropy import secret_text

_START_S = 60.0
_STOP_S = 20.0
_LOOK_S = 0.02


class ChildFailed(RuntimeError):
    """The process ended, or did not come up in time; the text ends with what it said last."""


class ServerChild:
    """One server on loopback with a log file of its own. `ocpp` and `api` are its URLs while it runs.

    Ports stay the same from one start to the next, so that stations find it again.
    """

    def __init__(self, folder: Path, arguments: Sequence[str] = (), token: str | None = None) -> None:
        self.folder = folder
        self.token = token or secret_text()
        self.port, self.api_port = free_port(), free_port()
        self._arguments = list(arguments)
        self._process: subprocess.Popen[bytes] | None = None
        self.ocpp = self.api = ""
        self.starts = 0

    def start(self) -> None:
        """Start it and wait until stations can come. Raises ChildFailed."""
        self.starts += 1
        said, log = self.folder / f"serve-{self.starts}.json", self.folder / f"serve-{self.starts}.log"
        ports = ["--host", "127.0.0.1", "--port", str(self.port), "--api-port", str(self.api_port)]
        command = [sys.executable, "-m", "scenarios.cli", "serve", "--json", *ports, *self._arguments]
        environment = {**os.environ, TOKEN: self.token}
        with said.open("wb") as out, log.open("wb") as err:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=environment, cwd=self.folder
            )
        until = time.monotonic() + _START_S
        while True:
            text = said.read_bytes()
            if text.endswith(b"}\n"):
                where = msgspec.json.decode(text)
                if "error" in where:
                    self.ended()
                    raise ChildFailed(f"the server did not come up: {where['error']['sentence']}")
                self.ocpp, self.api = where["ocpp"], where["api"]
                return
            if self._process.poll() is not None or time.monotonic() > until:
                self.kill()
                raise ChildFailed(f"the server did not come up: {log.read_text('utf-8', 'replace')[-500:]}")
            time.sleep(_LOOK_S)

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process. Raises RuntimeError before it was started."""
        if self._process is None:
            raise RuntimeError("the server was not started")
        return self._process.pid

    def ended(self, within_s: float = _STOP_S) -> int:
        """Wait until it has ended by itself; returns its exit code. Raises ChildFailed if it goes on."""
        assert self._process is not None
        try:
            return self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise ChildFailed(f"the server still runs after {within_s:g} s") from None

    def kill(self) -> None:
        """End it at once, as a crash does: no signal handler runs, nothing is flushed."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> int:
        """End it as a user does; returns its exit code."""
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        try:
            return self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ChildFailed("the server did not stop when it was told to") from None

    def log(self) -> str:
        """What it said last."""
        return (self.folder / f"serve-{self.starts}.log").read_text("utf-8", "replace")


def free_port() -> int:
    """A port of loopback that was free a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def run_fleet(url: str, arguments: Sequence[str], token: str | None, within_s: float) -> dict[str, Any]:
    """`chargerig fleet` in a process of its own, against a back-end: what it counted. Raises ChildFailed.

    A fleet that found something wrong (exit code 1) tells of it like any other.
    """
    command = [sys.executable, "-m", "scenarios.cli", "fleet", "--json", "--url", url, *arguments]
    environment = {**os.environ, **({TOKEN: token} if token else {})}
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=environment, timeout=within_s)
    except subprocess.TimeoutExpired:
        raise ChildFailed(f"the fleet still lives after {within_s:g} s") from None
    try:
        told: dict[str, Any] = msgspec.json.decode(done.stdout)
    except msgspec.DecodeError:
        raise ChildFailed(
            f"the fleet ended with {done.returncode}: {done.stderr.decode('utf-8', 'replace')[-500:]}"
        ) from None
    if "error" in told:
        raise ChildFailed(f"the fleet could not live: {told['error']['sentence']}")
    return {**told, "exit_code": done.returncode}
