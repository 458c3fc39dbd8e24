"""A fleet of virtual stations against any back-end: put up, ramped, driven, counted.

The same Machines as in virtual time. It says what was offered, sent, answered and accepted, and how late it was itself;
whether anything was lost is judged by whoever knows the books.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from fleet.ev_driver import EvDriver
from fleet.profile import StationProfile
from fleet.rig import Rig, RigConfig
from fleet.visits import Visit
from scenarios.bench.group import peak_memory_mb
from scenarios.sockets.visits import Traffic, visits_of
from sim.backend import Row
from sim.clock import SECOND, Instant
from sim.errors import BadInput
from sim.evidence.schema import TRUTH
from sim.evidence.truth import TruthRecorder
from sim.evidence.wire import WireRecorder
from sim.runtimes.aio import AioWorld, Clock
from sim.runtimes.aio_ledger import ActionCount
from sim.runtimes.aio_lines import Lines
from sim.runtimes.channel import Keeper, Limits

_STATE = "meters.json"
_TOLD_EVERY_S = 1.0
_LOOK_S = 0.05
_LEAD = 2 * SECOND
_LINGER = 120 * SECOND
_LONGEST_TOKEN = {"1.6": 20, "2.0.1": 36}
"""Characters of an idTag (OCPP 1.6 §7.28, CiString20Type) and of an idToken (OCPP 2.0.1 Part 2, identifierString[36])."""
_ADDRESS = re.compile(r"wss?://[^\s/?#@{}]+(/[^\s?#{}]+)*/\{id\}")
_ADDRESSES = "ws:// or wss://HOST:PORT/PATH/{id}, the identity last, without query and password"


class FleetWish(Struct, frozen=True, kw_only=True):
    """What a user wants: `url` with `{id}`, stations, profile, traffic, how long (`for_s`) and how fast (`pace`).

    `sample_s`: seconds between readings, else those of the profile. `quiet_s`: so long before the end nobody comes any
    more and whoever charges leaves. `ramp_s`: the stations' power comes on spread over so many seconds of the world.
    `passwords` by station, `tls` an SSL context for all or a function of the station. `salt` makes message ids of this run
    its own.
    """

    url: str
    stations: tuple[str, ...]
    profile: StationProfile
    connectors: tuple[int, ...] = (1,)
    tokens: tuple[str, ...] = ()
    traffic: Traffic | None = Traffic()
    sample_s: int | None = None
    for_s: float = 60.0
    quiet_s: float = 0.0
    ramp_s: float = 10.0
    pace: float = 1.0
    seed: int = 1
    salt: str = ""
    passwords: dict[str, bytes] = {}
    tls: Any = None
    state: Path | None = None
    wire: Path | None = None
    limits: Limits = Limits()


class Told(Struct, frozen=True):
    """How a fleet stands, for a live display. Lag is the worst of the last second, real ms."""

    at_s: float
    connected: int
    sent: int
    answered: int
    lag_ms: float
    p99_ms: float


class FleetResult(Struct, frozen=True):
    """What came of it. Times in real ms; `offered` counts what stations wanted to send, `waiting` what still waits.

    `failures`: why dials came to nothing, and how often. `booted_s`: after so many seconds every station was accepted,
    None if some were not. `cpu_s` and `peak_mb` are those of this process. `stopped`: the signal that ended it early.
    """

    stations: int
    seconds: float
    dials: int
    opened: int
    offered: int
    sent: int
    answered: int
    accepted: int
    refused: int
    errors: int
    lost: int
    waiting: int
    lag_worst_ms: float
    lag_p99_ms: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    worst_ms: float
    sessions: int
    energy_wh: int
    booted_s: float | None
    cpu_s: float
    peak_mb: float
    stopped: str | None
    actions: dict[str, ActionCount]
    failures: dict[str, int]


class Fleet:
    """One fleet on the running loop."""

    def __init__(self, wish: FleetWish, clock: Clock | None = None) -> None:
        if "{id}" not in wish.url:
            raise BadInput("--url", None, f"{wish.url!r} has no place for the identity", "ws://HOST:PORT/PATH/{id}")
        if not _ADDRESS.fullmatch(wish.url):
            raise BadInput("--url", None, f"{wish.url!r} is no address of a back-end", _ADDRESSES)
        check_tokens(wish.tokens, wish.profile)
        self.wish = wish
        self.clock = clock or Clock(pace=wish.pace)
        self.truth = TruthRecorder()
        policy: Any = "whole" if wish.wire is not None else "off"
        self._wire = WireRecorder(wish.wire, salt=wish.salt, policy=policy)
        tls = (lambda station: wish.tls) if wish.tls is not None and not callable(wish.tls) else wish.tls
        self.lines, self.world = self._runtime(tls)
        self.keeper = self.lines.keeper
        self.rigs: dict[str, Rig] = {}
        self._began = self.clock.now()
        self._closed = False
        self._stopped: str | None = None
        self._booted_s: float | None = None
        self._meters = read_state(wish.state)

    def _runtime(self, tls: Any) -> tuple[Lines, AioWorld]:
        """What its Machines live on."""
        lines = Lines(self.clock.now, self._wire, Keeper(self.wish.limits), self.wish.passwords, tls)
        return lines, AioWorld(self.clock, self.truth, lines)

    def configs(self) -> list[RigConfig]:
        """How its stations are made: what a back-end has to be told of them can be read from it."""
        return [config_of(self.wish, station, self._meters.get(station, {})) for station in self.wish.stations]

    def put_up(self) -> None:
        """Put the stations up; their power comes on within the ramp, and EVs come while it lasts."""
        self.clock.begin()  # whatever was prepared takes no time of the world, which may run faster than that on the wall
        self._began = self.clock.now()
        for number, config in enumerate(self.configs()):
            share = number / max(1, len(self.wish.stations))
            self.put_up_one(config, Instant(self._began + int(self.wish.ramp_s * SECOND * share)))

    def put_up_one(self, config: RigConfig, at: Instant) -> None:
        """One station; its power comes on then, and EVs come from then on."""
        rig = self.rigs[config.station] = Rig(config, at)
        self.world.add(f"rig:{config.station}", rig)
        self._next_visit(self._visits(config.station, at + _LEAD))

    def _visits(self, station: str, begin: int) -> Iterator[Visit]:
        """Who comes to a station, in order of arrival."""
        wish = self.wish
        if wish.traffic is None:
            return iter(())
        end = int(self._began + (wish.for_s - wish.quiet_s) * SECOND * wish.pace)
        visits = visits_of(station, wish.connectors, wish.tokens, wish.traffic, begin, end, wish.seed)
        return iter(sorted(visits, key=lambda visit: visit.arrive))

    def _next_visit(self, visits: Iterator[Visit]) -> None:
        """The next driver comes into being shortly before arriving; drivers that are gone are forgotten."""
        visit: Visit | None = next(visits, None)
        if visit is not None and not self._closed:
            self.world.at(visit.arrive - SECOND, self._come, visit, visits)

    def close(self) -> None:
        """From now on nobody comes any more; whoever charges leaves when they meant to."""
        self._closed = True

    def stop(self, why: str) -> None:
        """It ends now, before its time; its figures stay."""
        self._stopped = why
        self.world.stop()

    def settled(self) -> bool:
        """Whether nobody charges and every station has delivered what it had."""
        busy = any(outlet.ev is not None for rig in self.rigs.values() for outlet in rig.board.outlets.values())
        return not busy and not self.unsettled()

    def _come(self, visit: Visit, visits: Iterator[Visit]) -> None:
        if self._closed:
            return
        self.world.add(visit.machine, EvDriver(visit, self.wish.seed))
        self.world.at(visit.leave + _LINGER, self.world.remove, visit.machine)
        self._next_visit(visits)

    @property
    def began(self) -> Instant:
        """No session of ours begins earlier, whatever the pace: stations take over the clock of their back-end, which is not
        accelerated.
        """
        return self.clock.start

    def driven(self) -> list[Row]:
        """The sessions that have ended: rows of `truth_sessions`."""
        return [dict(zip(TRUTH["truth_sessions"], row, strict=True)) for row in self.truth.rows()["truth_sessions"]]

    def unsettled(self) -> list[str]:
        """The stations that still have messages to deliver."""
        return [station for station, rig in self.rigs.items() if rig.waiting()]

    async def run(self, tell: Callable[[Told], None] | None = None) -> FleetResult:
        """Let it live as long as was wished. Raises what a Machine raised."""
        end = Instant(int(self._began + self.wish.for_s * SECOND * self.wish.pace))
        beside = [asyncio.ensure_future(self._watch_boots())]
        if tell is not None:
            beside.append(asyncio.ensure_future(self._tell(tell)))
        try:
            await self.world.run(end)
        finally:
            for task in beside:
                task.cancel()
        return self.result()

    async def leave(self) -> None:
        """All stations hang up; meters are written down if they are to go on another time."""
        self.keeper.close_all(1000, "the fleet goes home")
        until = asyncio.get_running_loop().time() + 3
        while len(self.keeper) and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(0.02)
        self.keeper.cut_all("the fleet is gone")
        self._wire.close()
        if self.wish.state is not None:
            write_state(self.wish.state, self.rigs, self.clock.now())

    async def _watch_boots(self) -> None:
        """Note when the last station was accepted."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        boots = self.lines.ledger.of("BootNotification")
        while boots.accepted < len(self.rigs):
            await asyncio.sleep(_LOOK_S)
        self._booted_s = loop.time() - began

    async def _tell(self, tell: Callable[[Told], None]) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            await asyncio.sleep(_TOLD_EVERY_S)
            total = self.lines.ledger.total()
            p99 = self.lines.ledger.latencies.quantile(0.99)
            lag = self.world.lag.recent()
            tell(Told(loop.time() - began, self.lines.alive(), total.sent, total.answered + total.errors, lag, p99))

    def result(self) -> FleetResult:
        """The figures as they stand now."""
        ledger, lag = self.lines.ledger, self.world.lag
        total, times = ledger.total(), ledger.latencies
        waiting = sum(rig.waiting() for rig in self.rigs.values())
        driven = self.driven()
        return FleetResult(
            stations=len(self.rigs),
            seconds=(self.clock.now() - self._began) / SECOND / self.clock.pace,
            dials=self.lines.counts["dials"],
            opened=self.lines.counts["opened"],
            offered=total.sent + waiting,
            sent=total.sent,
            answered=total.answered,
            accepted=total.accepted,
            refused=total.refused,
            errors=total.errors,
            lost=total.lost,
            waiting=waiting,
            lag_worst_ms=lag.worst_ms,
            lag_p99_ms=lag.quantile(0.99),
            p50_ms=times.quantile(0.5),
            p95_ms=times.quantile(0.95),
            p99_ms=times.quantile(0.99),
            worst_ms=times.worst,
            sessions=len(driven),
            booted_s=self._booted_s,
            cpu_s=time.process_time(),
            peak_mb=peak_memory_mb(),
            stopped=self._stopped,
            energy_wh=sum(int(row["register_stop"]) - int(row["register_start"]) for row in driven),
            actions=dict(sorted(ledger.actions.items())),
            failures=dict(sorted(self.lines.failures.items())),
        )


def check_tokens(tokens: Sequence[str], profile: StationProfile) -> None:
    """Raises BadInput for one that stations of this profile cannot send: every tap of it would fail."""
    most = _LONGEST_TOKEN[profile.version]
    for token in tokens:
        if not 1 <= len(token) <= most or not token.isprintable():
            problem = f"{token!r} of {len(token)} characters is no token of OCPP {profile.version}"
            raise BadInput("--token", None, problem, f"1 to {most} printable characters")


def config_of(wish: FleetWish, station: str, meters: Mapping[int, tuple[int, int]]) -> RigConfig:
    """How a station of a fleet is made; `meters`: registers and pages to go on from, by connector."""
    profile = wish.profile
    if wish.sample_s is not None:
        profile = profile.with_setting("MeterValueSampleInterval", str(wish.sample_s))
    return RigConfig(
        station=station,
        site="fleet",
        profile=profile,
        connectors=wish.connectors,
        url=wish.url.replace("/{id}", "").replace("{id}", ""),
        seed=wish.seed,
        max_power_w=wish.traffic.power_w if wish.traffic is not None else 11_000,
        salt=f"{wish.salt}/{wish.seed}",
        meters=dict(meters),
    )


def read_state(folder: Path | None) -> dict[str, dict[int, tuple[int, int]]]:
    """Registers in Wh and pages by station and connector, as an earlier run left them. Raises BadInput."""
    if folder is None or not (folder / _STATE).exists():
        return {}
    try:
        return msgspec.json.decode((folder / _STATE).read_bytes(), type=dict[str, dict[int, tuple[int, int]]])
    except msgspec.MsgspecError as err:
        allowed = "the file that an earlier run wrote"
        raise BadInput(str(folder / _STATE), None, f"it holds no meters: {err}", allowed) from None


def write_state(folder: Path, rigs: dict[str, Rig], now: Instant) -> None:
    """Keep the meters of these rigs for a later run, beside those of others; whole or not at all."""
    state: Row = dict(read_state(folder))
    for station, rig in rigs.items():
        state[station] = {
            number: (outlet.meter.register(now), outlet.meter.pagination)
            for number, outlet in rig.board.outlets.items()
        }
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{_STATE}.partial"
    partial.write_bytes(msgspec.json.encode(state))
    partial.replace(folder / _STATE)


def station_names(pattern: str, count: int) -> tuple[str, ...]:
    """`CS-{n}` or `CS-{n:05}` for 1 to `count`. Raises BadInput for a pattern that gives the same name twice."""
    try:
        names = tuple(pattern.format(n=number) for number in range(1, count + 1))
    except (KeyError, IndexError, ValueError) as err:
        raise BadInput(
            "--id", None, f"{pattern!r} is no pattern: {err}", "a text with {n}, such as CS-{n:05}"
        ) from None
    if len(set(names)) != count:
        raise BadInput("--id", None, f"{pattern!r} gives the same name twice", "a text with {n}, such as CS-{n:05}")
    return names
