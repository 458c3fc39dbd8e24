"""Locust's side of a load: one rig with its drivers for each user, each call told to Locust's statistics.

Locust patches the process when it is imported, so nothing of ours may import this module: `fleet/locustfile.py` does, which
Locust runs in a process of its own. Workers send their figures along with Locust's own reports; at the end the master
asks each of them for the last ones, and waits for them.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
from locust import User, events, task
from locust.runners import LocalRunner, MasterRunner, WorkerRunner

from scenarios.load_run.course import FIGURES_FILE, Course
from scenarios.load_run.figures import Figures, merged, packed, unpacked
from scenarios.load_run.generator import Generator
from scenarios.load_run.plan import OPTIONS, LoadPlan, destination, plan_of
from scenarios.sockets.variables import PASSWORD, TOKEN
from sim.errors import BadInput
from sim.runtimes.greenlet import every, look_at_the_clock, park, wait_until

FOLDER = "CHARGERIG_LOAD_FOLDER"
"""Names the folder for figures and their course; without it they go to the log."""
_FINISH, _LAST = "rigs-finish", "rigs-last"
_REPORT = "rigs"
_LAST_WORDS_S = 30.0
_OWN_FAILURE = 3


class NotAnswered(Exception):
    """A call had no answer before its connection ended."""


class CallError(Exception):
    """A call was answered by a CALLERROR."""


class RigUser(User):
    """One station with its drivers: its power comes on with the user and goes off with it."""

    station = ""

    @task
    def live(self) -> None:
        """Everything else happens by itself."""
        self.station = self.environment.rigs.generator.join()
        park()

    def on_stop(self) -> None:
        """The user is taken away."""
        if self.station:
            self.environment.rigs.generator.part(self.station)


class Rigs:
    """What one Locust process has of a load; hangs at `environment.rigs`."""

    def __init__(self, environment: Any) -> None:
        self.environment = environment
        self.runner = environment.runner
        self.generator: Generator | None = None
        self.reports: dict[str, Figures] = {}
        self.course: Course | None = None
        self._news = not isinstance(self.runner, MasterRunner)
        """Whether anything is new since the look before: a master hears of its workers every few seconds only."""
        self.plan = self._plan()
        if isinstance(self.runner, WorkerRunner):
            self.runner.register_message(_FINISH, self._last_words)
        elif isinstance(self.runner, MasterRunner):
            self.runner.register_message(_LAST, self._heard_last)

    def _plan(self) -> LoadPlan | None:
        """The plan, which a worker hears with the first users only. A wrong one ends the process with one sentence."""
        options = self.environment.parsed_options
        if isinstance(self.runner, WorkerRunner) and not self.environment.host:
            return None
        if options.run_time and not getattr(options, "rig_lasts_s", None):
            options.rig_lasts_s = f"{options.run_time}s"
        try:
            return plan_of(self.environment.host, vars(options))
        except BadInput as bad:
            sys.stderr.write(f"{bad}\n")
            sys.exit(2)

    # -- the course of a load ---------------------------------------------------------------------------------------

    def start(self) -> None:
        """The load begins."""
        plan = self.plan = self._plan()
        assert plan is not None, "Locust starts nothing without a host"
        if not isinstance(self.runner, MasterRunner):
            index = self.runner.worker_index if isinstance(self.runner, WorkerRunner) else 0
            if index >= plan.generators:
                logging.error("--generators says %d, and this is number %d", plan.generators, index + 1)
                sys.exit(2)
            self.generator = Generator(plan, index, self._called, os.environ.get(PASSWORD), os.environ.get(TOKEN))
        if not isinstance(self.runner, WorkerRunner):
            folder = os.environ.get(FOLDER)
            self.reports.clear()
            self.course = Course(None if folder is None else Path(folder))
        every(1.0, self._look)

    def stop(self) -> None:
        """The load is over: every process tells its last figures."""
        if isinstance(self.runner, MasterRunner):
            workers = [client.id for client in self.runner.clients.all]
            self.runner.send_message(_FINISH)
            complete = wait_until(lambda: all(self._is_over(worker) for worker in workers), _LAST_WORDS_S)
            if not complete:
                logging.error("not every worker told its last figures")
            self._write(merged(self.reports.values()), complete)
        elif self.generator is not None:
            self.generator.finish()
            if isinstance(self.runner, LocalRunner):
                self._write(self.generator.figures(over=True), True)
            self.generator.hang_up()

    def _is_over(self, worker: str) -> bool:
        return worker in self.reports and self.reports[worker].over

    def _called(self, action: str, ms: float, size: int, fate: str) -> None:
        """One call for Locust's statistics. What was answered with a no is a kind of its own."""
        error: Exception | None = None
        if fate in ("error", "lost"):
            error = CallError(action) if fate == "error" else NotAnswered(action)
        kind = "OCPP refused" if fate == "refused" else "OCPP"
        self.environment.events.request.fire(
            request_type=kind, name=action, response_time=ms, response_length=size, exception=error, context={}
        )

    def _look(self) -> None:
        """Once a second: how it stands, and whether a mistake of ours has ended it."""
        if isinstance(self.runner, MasterRunner):
            now = merged(self.reports.values())
        elif self.generator is not None:
            now = self.generator.figures()
        else:
            return
        if self.course is not None and not self.course.closed and self._news:
            self._news = not isinstance(self.runner, MasterRunner)
            self.course.add(now)
        if now.failure and not isinstance(self.runner, WorkerRunner):
            self.environment.process_exit_code = _OWN_FAILURE
            self.runner.quit()

    # -- figures on their way ----------------------------------------------------------------------------------------

    def report(self, data: dict[str, Any]) -> None:
        """A worker's figures go along with Locust's own."""
        if self.generator is not None and not self.generator.world.over:
            data[_REPORT] = packed(self.generator.figures())

    def reported(self, client_id: str, data: dict[str, Any]) -> None:
        """A worker's figures have come."""
        text = data.get(_REPORT)
        if text is not None and not self._is_over(client_id):
            self.reports[client_id] = unpacked(text)
            self._news = True

    def _last_words(self, environment: Any, msg: Any, **_: Any) -> None:
        if self.generator is not None:
            self.generator.finish()
            self.runner.send_message(_LAST, packed(self.generator.figures(over=True)))
            self.generator.hang_up()

    def _heard_last(self, environment: Any, msg: Any, **_: Any) -> None:
        self.reports[msg.node_id] = unpacked(msg.data)

    def _write(self, figures: Figures, complete: bool) -> None:
        if self.course is None or self.course.closed:
            return
        self.course.add(figures)
        self.course.close()
        figures.over = figures.over and complete
        if self.course.folder is not None:
            (self.course.folder / FIGURES_FILE).write_bytes(msgspec.json.encode(figures))
        total = figures.total()
        logging.info(
            "offered %d, sent %d, answered %d, accepted %d, refused %d, errors %d, without an answer %d; sessions %d; "
            "own lag %.0f ms (p99)",
            total.sent + figures.waiting, total.sent, total.answered, total.accepted, total.refused, total.errors,
            total.lost, figures.sessions, figures.lags().quantile(0.99),
        )  # fmt: skip


@events.init_command_line_parser.add_listener
def _options(parser: Any, **_: Any) -> None:
    group = parser.add_argument_group("Virtual charging stations")
    for option in OPTIONS:
        variable = f"CHARGERIG_LOAD_{option.name.strip('-').replace('-', '_').upper()}"
        group.add_argument(option.name, dest=destination(option), default=None, env_var=variable, help=option.help)


@events.init.add_listener
def _init(environment: Any, **_: Any) -> None:
    environment.rigs = Rigs(environment)
    look_at_the_clock()  # Locust's own --run-time begins after this


@events.test_start.add_listener
def _start(environment: Any, **_: Any) -> None:
    environment.rigs.start()


@events.test_stopping.add_listener
def _stop(environment: Any, **_: Any) -> None:
    environment.rigs.stop()


@events.init.add_listener
def _exchange(environment: Any, **_: Any) -> None:
    """Reports know no environment, so the listeners are bound to it here."""
    environment.events.report_to_master.add_listener(lambda client_id, data: environment.rigs.report(data))
    environment.events.worker_report.add_listener(lambda client_id, data: environment.rigs.reported(client_id, data))
