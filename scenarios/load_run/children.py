"""Locust as processes of our own: one, or a master with its workers. They end with the load, and nothing else is ended.

Never imported is Locust itself: it would patch this process.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from msgspec import Struct

import fleet
from scenarios.load_run.course import FIGURES_FILE, Point, points
from scenarios.load_run.figures import Figures, unpacked
from scenarios.load_run.plan import LoadPlan, arguments_of
from scenarios.sockets.child import free_port
from sim.errors import BadInput

_ROOT = Path(str(fleet.__file__)).parents[1]
_LOCUSTFILE = Path(str(fleet.__file__)).parent / "locustfile.py"
_FOLDER = "CHARGERIG_LOAD_FOLDER"
_LOOK_S = 0.1
_START_S = 60.0
_END_S = 45.0
"""So long after its time is over a load may take to tell its last figures."""
_STOP_S = 5.0
_SAID = 1500


class LoadFailed(RuntimeError):
    """A generating process died, or told nothing; the text ends with what it said last."""


class Team(Struct, frozen=True):
    """How many processes: `workers` of ours (0: one process without a master), `others` that come from elsewhere."""

    workers: int = 0
    others: int = 0
    listen: tuple[str, int] | None = None

    @property
    def generators(self) -> int:
        """How many share the stations."""
        return max(1, self.workers + self.others)

    @property
    def distributed(self) -> bool:
        """Whether there is a master."""
        return bool(self.workers + self.others)


def need_locust() -> None:
    """Raises BadInput if Locust is not installed."""
    if find_spec("locust") is None:
        raise BadInput("chargerig load", None, "Locust is not installed", "pip install 'chargerig[load]'")


def play(
    plan: LoadPlan, users: int, spawn_rate: float, team: Team, folder: Path, tell: Callable[[Point], None]
) -> Figures:
    """Let the load happen; returns its figures. Logs and Locust's own reports land in the folder. Raises LoadFailed."""
    host, port = team.listen or ("127.0.0.1", free_port())
    whole = ["--headless", "--host", plan.url, "--users", str(users), "--spawn-rate", f"{spawn_rate:g}"]
    whole += ["--run-time", f"{plan.lasts_s:g}s", "--exit-code-on-error", "0", "--only-summary"]
    whole += ["--csv", str(folder / "locust"), "--html", str(folder / "locust.html"), *arguments_of(plan)]
    children: list[_Child] = []
    try:
        if team.distributed:
            whole += ["--master", "--master-bind-host", host, "--master-bind-port", str(port)]
            whole += ["--expect-workers", str(team.generators), "--expect-workers-max-wait", f"{_START_S:g}"]
        children.append(_Child("locust", whole, folder, {_FOLDER: str(folder)}))
        reached = "127.0.0.1" if host == "0.0.0.0" else host
        for number in range(team.workers):
            work = ["--worker", "--master-host", reached, "--master-port", str(port)]
            children.append(_Child(f"locust-worker-{number + 1}", work, folder, {}))
        _watch(children, plan, folder, tell)
    finally:
        for child in children:
            child.end()
    try:
        figures = unpacked((folder / FIGURES_FILE).read_bytes())
    except OSError:
        raise LoadFailed(f"the load told no figures: {children[0].said()}") from None
    if figures.failure:
        raise LoadFailed(f"a Machine of ours failed under load: {figures.failure}")
    return figures


def _watch(children: Sequence[_Child], plan: LoadPlan, folder: Path, tell: Callable[[Point], None]) -> None:
    """Until the first of them, which leads, has ended, and then the others."""
    until = monotonic() + _START_S + plan.lasts_s + _END_S
    told = 0
    while children[0].running:
        seen = points(folder)
        for point in seen[told:]:
            tell(point)
        told = len(seen)
        for child in children[1:]:
            if not child.running and not _is_over(folder):
                sleep(_LOOK_S * 5)  # the master may just be ending
                if children[0].running and not _is_over(folder):
                    raise LoadFailed(f"{child.name} died: {child.said()}")
        if monotonic() > until:
            raise LoadFailed(f"the load did not end by itself: {children[0].said()}")
        sleep(_LOOK_S)
    if children[0].code not in (0, 3) or not _is_over(folder):
        raise LoadFailed(f"Locust ended with exit code {children[0].code}: {children[0].said()}")
    until = monotonic() + _STOP_S
    while any(child.running for child in children) and monotonic() < until:
        sleep(_LOOK_S)


def _is_over(folder: Path) -> bool:
    return (folder / FIGURES_FILE).exists()


class _Child:
    """One process of Locust, away from the terminal: it hears no Ctrl-C but ours, and finds our modules, not the user's."""

    def __init__(self, name: str, arguments: Sequence[str], folder: Path, more: dict[str, str]) -> None:
        self.name = name
        self._log = folder / f"{name}.log"
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("LOCUST_", _FOLDER))}
        path = os.pathsep.join(part for part in (str(_ROOT), environment.get("PYTHONPATH", "")) if part)
        command = [sys.executable, "-P", "-m", "locust", "-f", str(_LOCUSTFILE), *arguments]
        with self._log.open("wb") as log:
            self._process: subprocess.Popen[Any] = subprocess.Popen(
                command,
                cwd=folder,
                env={**environment, **more, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether it lives."""
        return self._process.poll() is None

    @property
    def code(self) -> int | None:
        """Its exit code."""
        return self._process.poll()

    def said(self) -> str:
        """What it said last."""
        return self._log.read_text("utf-8", "replace").strip()[-_SAID:]

    def end(self) -> None:
        """End it if it still lives."""
        if self.running:
            self._process.terminate()
            try:
                self._process.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
