"""The stations of one generating process, on gevent: a fleet to which Locust adds rigs one by one.

It drives and counts. It knows nothing of Locust, judges nothing, and looks into no books.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fleet.visits import Visit
from scenarios.load_run.figures import ActionTimes, Figures, OperationCount
from scenarios.load_run.plan import WITHOUT_END_S, LoadPlan, station_name
from scenarios.load_run.shapes import CUT, OFFLINE, ONLINE, RESET, SAMPLE, SHAPES, Course, Moment, Steady
from scenarios.load_run.wish import wish_of
from scenarios.sockets.fleet import Fleet, config_of
from scenarios.sockets.visits import Traffic
from scenarios.targets.http import Http
from sim.clock import SECOND
from sim.errors import BadInput
from sim.machine import Command
from sim.runtimes.aio import AioWorld
from sim.runtimes.aio_ledger import Told
from sim.runtimes.aio_lines import Lines
from sim.runtimes.greenlet import GreenWorld, green_lines

_REFUSED = "answered 409"
"""How `Http` says that it certainly did not happen."""
_YEARS = 10 * 365 * 24 * 3600 * SECOND
_SESSION_COLUMNS = ("station", "connector", "register_start", "register_stop")


class Generator(Fleet):
    """The share of process `index`. `told` hears of each call; `password` is that of every station."""

    world: GreenWorld

    def __init__(self, plan: LoadPlan, index: int, told: Told, password: str | None, token: str | None) -> None:
        self._told_calls = told
        self._password = password
        self._passwords: dict[str, bytes] = {}
        super().__init__(wish_of(plan))
        self.plan = plan
        self._index = index
        self._next = 0
        drive_s = plan.lasts_s - plan.quiet_s if plan.lasts_s else WITHOUT_END_S
        wish = self.wish
        course = Course(
            drive_s, plan.pace, wish.traffic or Traffic(), wish.connectors, plan.tokens, plan.seed, plan.steps
        )
        self._shape: Steady = SHAPES[plan.shape](course)
        self._end = int(self.began + drive_s * SECOND * plan.pace) if plan.lasts_s else self.began + _YEARS
        self._http = Http(plan.api, token) if plan.api else None
        self._offline = False
        self._operations: dict[str, OperationCount] = {}
        for moment in self._shape.moments():
            self.world.at(int(self.began + moment.at_s * SECOND * plan.pace), self._befall, moment)

    def _runtime(self, tls: Any) -> tuple[Lines, AioWorld]:
        lines = green_lines(self.clock.now, self._wire, self.wish.limits, self._passwords, tls, self._told_calls)
        return lines, GreenWorld(self.clock, self.truth, lines)

    def _visits(self, station: str, begin: int) -> Iterator[Visit]:
        return self._shape.visits(station, begin, self._end, self.began)

    # -- stations --------------------------------------------------------------------------------------------------

    def join(self) -> str:
        """One more station, whose power comes on now; returns its identity."""
        station = station_name(self.plan, self._index, self._next)
        self._next += 1
        self.lines.line(station).refuses = self._offline
        if self._password is not None:
            self._passwords[station] = self._password.encode()
        self.put_up_one(config_of(self.wish, station, {}), self.clock.now())
        return station

    def part(self, station: str) -> None:
        """Its power goes off."""
        if not self.world.over:
            self.world.send_command(f"rig:{station}", Command("switch-off"))

    def finish(self) -> None:
        """Nothing happens any more; what is on the way is not waited for."""
        self.world.stop()

    def hang_up(self) -> None:
        """All say goodbye."""
        self.keeper.close_all(1000, "the load is over")

    # -- what befalls all ------------------------------------------------------------------------------------------

    def _befall(self, moment: Moment) -> None:
        lines = [self.lines.line(station) for station in self.rigs]
        if moment.act in (OFFLINE, ONLINE):
            self._offline = moment.act == OFFLINE
            for line in lines:
                line.refuses = self._offline
        if moment.act in (OFFLINE, CUT):
            for line in lines:
                line.reset()
        elif moment.act == RESET:
            self._operate("Reset", {"type": "Soft"})
        elif moment.act == SAMPLE:
            self._operate("ChangeConfiguration", {"key": "MeterValueSampleInterval", "value": str(moment.value)})

    def _operate(self, action: str, payload: Mapping[str, Any]) -> None:
        for station in self.rigs:
            self.world.aside(self._ask, station, action, payload)

    def _ask(self, station: str, action: str, payload: Mapping[str, Any]) -> None:
        assert self._http is not None, "a shape that asks stations is refused without an API"
        counts = self._operations.setdefault(action, OperationCount())
        counts.asked += 1
        try:
            answer = self._http.post_json(f"/operations/{station}/{action}", payload)
        except BadInput as bad:
            if _REFUSED in bad.problem:
                counts.refused += 1
            else:
                counts.unknown += 1
            return
        counts.answered += 1
        counts.accepted += answer.get("status") == "Accepted"

    # -- figures ---------------------------------------------------------------------------------------------------

    def figures(self, over: bool = False) -> Figures:
        """How it stands; at the end with every session driven and the energy of them all."""
        ledger, lag, failure = self.lines.ledger, self.world.lag, self.world.failure
        driven = self.driven() if over else []
        return Figures(
            stations=len(self.rigs),
            connected=self.lines.alive(),
            dials=self.lines.counts["dials"],
            opened=self.lines.counts["opened"],
            waiting=sum(rig.waiting() for rig in self.rigs.values()),
            sessions=len(self.truth.rows()["truth_sessions"]),
            energy_wh=sum(int(row["register_stop"]) - int(row["register_start"]) for row in driven),
            actions=ledger.actions,
            times={name: ActionTimes(dict(one.buckets), one.worst) for name, one in ledger.by_action.items()},
            lag=list(lag.counts),
            lag_worst=lag.worst_ms,
            lag_recent=lag.recent(),
            operations=self._operations,
            failure="" if failure is None else f"{type(failure).__name__}: {failure}",
            over=over,
            began=self.began,
            driven=[{name: row[name] for name in _SESSION_COLUMNS} for row in driven],
            unsettled=self.unsettled() if over else [],
        )
