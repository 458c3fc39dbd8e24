"""`chargerig bench day`: how much of a day of charging one second of one CPU core holds, and how much of it the `ocpp`
library's own engine would.

Reads the process's CPU clock, which nothing else in the house may do besides the CLI: what it measures never looks at it.
"""

from __future__ import annotations

import gc
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version

from msgspec import Struct

from scenarios.bench import library, world
from scenarios.bench.library import LibraryRun
from scenarios.bench.world import Outcome, Progress
from sim.clock import HOUR, SECOND
from sim.errors import BadInput

LIBRARY_SAMPLE = 2_000
"""Round trips at least through the library, each way: one station's day over and over."""
_PACKAGES = ("simpy", "msgspec", "jsonschema-rs", "cryptography", "ocpp", "jsonschema")
_MOST_HOURS = 24 * 14


class Pace(Struct, frozen=True):
    """How fast something went: round trips in CPU seconds of this process (its threads included) and wall seconds."""

    round_trips: int
    cpu_s: float
    wall_s: float
    per_cpu_s: float


class BenchResult(Struct, frozen=True, kw_only=True):
    """What `chargerig bench day` says. `ours` is the run in the middle of `repeats`, `ours_all` their rates in order."""

    stations: int
    hours: int
    sessions_per_station: int
    session_minutes: float
    ours: Pace
    ours_all: tuple[float, ...]
    virtual_over_real: float
    peak_memory_mb: float
    setup_cpu_s: float
    sessions_driven: int
    sessions_billed: int
    energy_kwh: float
    signed_records: int
    round_trips_by_action: dict[str, int]
    digest: str
    library_as_installed: Pace
    library_sync: Pace
    ratio_as_installed: float
    ratio_sync: float
    versions: dict[str, str]
    machine: dict[str, str]
    notes: tuple[str, ...]

    def text(self) -> str:
        """The figures as a user reads them, the most wanted first."""
        ours, plain, sync = self.ours, self.library_as_installed, self.library_sync
        lines = [
            f"{self.stations} stations, {self.hours} h: {ours.round_trips:,} round trips, "
            f"{self.sessions_billed:,} of {self.sessions_driven:,} sessions billed, {self.signed_records:,} signed records",
            f"round trips per CPU second     {ours.per_cpu_s:>12,.0f}   ({ours.cpu_s:.1f} s on one core, median of "
            f"{len(self.ours_all)})",
            f"virtual time over real time    {self.virtual_over_real:>12,.0f}",
            f"peak memory                    {self.peak_memory_mb:>12,.0f} MB",
            f"ocpp library, as installed     {plain.per_cpu_s:>12,.0f}   ratio_as_installed {self.ratio_as_installed:.1f}",
            f"ocpp library, no threads       {sync.per_cpu_s:>12,.0f}   ratio_sync {self.ratio_sync:.1f}",
            *self.notes,
        ]
        return "\n".join(lines)


class _Measured(Struct, frozen=True):
    """One virtual day and what it took."""

    outcome: Outcome
    digest: str
    pace: Pace
    setup_cpu_s: float


def bench_day(
    stations: int = 1000, hours: int = 24, *, repeats: int = 1, progress: Progress | None = None
) -> BenchResult:
    """`measure` as the command line asks for it."""
    return measure(stations, hours, repeats=repeats, progress=progress)


def measure(
    stations: int = 1000,
    hours: int = 24,
    *,
    repeats: int = 1,
    progress: Progress | None = None,
    library_sample: int = LIBRARY_SAMPLE,
) -> BenchResult:
    """Measure the virtual day and the library, on one core, in one run.

    `progress(start, now, end, frames)` is called now and then in virtual time. Raises BadInput for a number out of range,
    BenchFailed if a session was not billed or anything else went wrong that day.
    """
    for name, value, most in (("stations", stations, 99_999), ("hours", hours, _MOST_HOURS), ("repeats", repeats, 99)):
        if not 1 <= value <= most:
            raise BadInput(None, f"--{name}", f"{value} is out of range", f"1 to {most}")
    with _one_core() as core:
        exchanges = world.tape(hours)  # also loads and compiles what is loaded once
        days = [_measure_day(stations, hours, progress) for _ in range(repeats)]
        if len({day.digest for day in days}) > 1:
            raise world.BenchFailed("the same day gave another digest when it was run again")
        peak = _peak_memory_mb()
        as_installed = library.measure(exchanges, True, library_sample)
        sync = library.measure(exchanges, False, library_sample)
    day = sorted(days, key=lambda one: one.pace.per_cpu_s)[len(days) // 2]
    rate = statistics.median(one.pace.per_cpu_s for one in days)
    count, length = world.sessions_for(hours)
    return BenchResult(
        stations=stations,
        hours=hours,
        sessions_per_station=count,
        session_minutes=round(length / (HOUR / 60), 1),
        ours=day.pace,
        ours_all=tuple(one.pace.per_cpu_s for one in days),
        virtual_over_real=hours * HOUR / SECOND / day.pace.wall_s,
        peak_memory_mb=peak,
        setup_cpu_s=day.setup_cpu_s,
        sessions_driven=day.outcome.sessions_driven,
        sessions_billed=day.outcome.sessions_billed,
        energy_kwh=day.outcome.energy_wh / 1000,
        signed_records=day.outcome.records,
        round_trips_by_action=day.outcome.by_action,
        digest=day.digest,
        library_as_installed=_library_pace(as_installed),
        library_sync=_library_pace(sync),
        ratio_as_installed=rate / as_installed.per_cpu_s,
        ratio_sync=rate / sync.per_cpu_s,
        versions={"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}},
        machine=_machine(core),
        notes=_notes(len(exchanges)),
    )


def _measure_day(stations: int, hours: int, progress: Progress | None) -> _Measured:
    gc.collect()
    before = time.process_time()
    day = world.build(stations, hours)
    wall, cpu = time.perf_counter(), time.process_time()
    digest = day.run(progress)
    spent, took = time.process_time() - cpu, time.perf_counter() - wall
    outcome = world.settle_up(day)
    pace = Pace(outcome.round_trips, spent, took, outcome.round_trips / spent)
    return _Measured(outcome, digest, pace, cpu - before)


def _library_pace(run: LibraryRun) -> Pace:
    return Pace(run.round_trips, run.cpu_s, run.wall_s, run.per_cpu_s)


def _notes(kinds: int) -> tuple[str, ...]:
    return (
        f"ours: profile {world.PROFILE}, heartbeat {world.HEARTBEAT_S} s after silence, MeterValues every "
        f"{world.SAMPLE_S} s with 4 values; every frame encoded, judged, decoded; records signed, verified, rated, posted",
        f"ours: wire policy `{world.WIRE_POLICY}` (running digest and a row per call, no file), truth whole; building the "
        "world and writing evidence.sqlite are not in the rate",
        f"library: {kinds} round trips of one station's same day, over and over, through call() and @on in memory; it only "
        "carries them, no session, signature, bill or record; its schemas are loaded before the clock starts",
    )


@contextmanager
def _one_core() -> Iterator[int | None]:
    """Stay on one core where the system lets us: CPU time is only comparable so. Threads made inside inherit it."""
    if not hasattr(os, "sched_setaffinity"):
        yield None
        return
    allowed = os.sched_getaffinity(0)
    core = max(allowed)
    os.sched_setaffinity(0, {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, allowed)


def _machine(core: int | None) -> dict[str, str]:
    pinned = "not pinned to a core" if core is None else f"pinned to core {core}"
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "process": pinned,
    }


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown"


def _peak_memory_mb() -> float:
    """The most that this process ever held; Linux counts in KiB, macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024
