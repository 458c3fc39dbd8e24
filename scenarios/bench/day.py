"""`chargerig bench day`: how much of a day of charging one second of one CPU core holds, how much of it the `ocpp`
library's own engine would, and how long the whole day takes on some cores.

The bench reads wall and CPU clocks, which nothing else in the house may do besides the CLI: what it measures never looks
at them.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec.structs import replace

from scenarios.bench import library, result, world
from scenarios.bench.group import GroupDay, peak_memory_mb
from scenarios.bench.library import LibraryRun
from scenarios.bench.play import Played, Tell, play_alone, play_day
from scenarios.bench.result import BenchResult, Compared, Evidence, Pace
from scenarios.bench.world import BenchFailed, Exchange, Group
from sim.clock import HOUR, SECOND
from sim.errors import BadInput
from sim.evidence.store import save_tables

GROUP = 250
"""Stations in a group: small enough to be done in seconds and to fit into little memory, large enough that starting a
process for it does not count."""
REPEATS = 3
LIBRARY_SAMPLE = 2_000
"""Round trips at least through the library each time, each way: one station's day over and over."""
EVIDENCE_SAMPLE = 20
"""Stations whose evidence is written to know how large that of the day would be."""
_MOST_HOURS = 24 * 14


def bench_day(
    stations: int = 1000,
    hours: int = 24,
    *,
    jobs: int = 1,
    group: int = GROUP,
    repeats: int = REPEATS,
    compare: bool = False,
    keep: Path | None = None,
    progress: Tell | None = None,
    library_sample: int = LIBRARY_SAMPLE,
) -> BenchResult:
    """Measure the virtual day, in groups of `group` stations and `jobs` of them at once, and the library with it.

    The rate comes from groups that are played alone on one core, `repeats` of them at least with the library before each.
    `compare` plays the day with one job first. `keep` is a folder for the evidence. `progress` is told one line for each
    finished group. Raises BadInput for what is out of range, BenchFailed if a session was not billed or anything else
    went wrong that day, TaskFailed if a group's process did not come to its end.
    """
    ranges = {"stations": (stations, 99_999), "hours": (hours, _MOST_HOURS), "repeats": (repeats, 99)}
    for name, (value, most) in {**ranges, "jobs": (jobs, 99), "group": (group, 99_999)}.items():
        if not 1 <= value <= most:
            raise BadInput(None, f"--{name}", f"{value} is out of range", f"1 to {most}")
    if compare and jobs == 1:
        raise BadInput(None, "--compare-jobs", "has nothing to compare with --jobs 1", "--jobs of 2 or more")
    groups, one = world.cut(stations, hours, group), None
    with _evidence_folder(keep) as folder:
        with _one_core() as core:
            yardstick = _Yardstick(world.tape(hours), library_sample, repeats)
            again = [groups[n % len(groups)] for n in range(repeats)]  # the rate comes from so many groups at least
            rates: list[GroupDay] = []
            if jobs == 1 or compare:
                one = play_day(groups, 1, progress, None if compare else folder, yardstick.measure)
                rates, again = one.days, again[len(groups) :]
            rates = [*rates, *play_alone(again, progress, yardstick.measure)]
        played = one if one is not None and not compare else play_day(groups, jobs, progress, folder)
        stored = _evidence(played, folder, keep, groups[0])
    if one is not None and one.digest != played.digest:
        raise BenchFailed(f"--jobs {jobs} gave another digest than --jobs 1: {played.digest}, not {one.digest}")
    _same_again(rates, played.days)
    count, length = world.sessions_for(hours)
    ours = _our_pace(played, rates)
    plain, sync = yardstick.paces()
    by_action: dict[str, int] = {}
    for action, number in (pair for day in played.days for pair in day.outcome.by_action.items()):
        by_action[action] = by_action.get(action, 0) + number
    parent = peak_memory_mb()
    return BenchResult(
        stations=stations,
        hours=hours,
        group_size=group,
        groups=len(groups),
        jobs=jobs,
        sessions_per_station=count,
        session_minutes=round(length / (HOUR / 60), 1),
        ours=ours,
        ours_all=tuple(_rate(day, played) for day in rates),
        virtual_over_real=hours * HOUR / SECOND / played.wall_s,
        cpu_all_s=played.cpu_s,
        setup_cpu_s=sum(day.process_cpu_s - day.cpu_s for day in played.days),
        billing_cpu_s=played.billing_cpu_s,
        peak_memory_mb=parent + played.children_mb,
        parent_memory_mb=parent,
        children_memory_mb=played.children_mb,
        sessions_driven=sum(day.outcome.sessions_driven for day in played.days),
        sessions_billed=played.billed.bills,
        energy_kwh=sum(day.outcome.energy_wh for day in played.days) / 1000,
        gross=played.billed.gross,
        signed_records=sum(day.outcome.records for day in played.days),
        round_trips_by_action=dict(sorted(by_action.items())),
        digest=played.digest,
        ledger_head=played.billed.head,
        evidence=stored,
        compared=None if one is None or not compare else _compared(jobs, one, played),
        library_as_installed=plain,
        library_sync=sync,
        ratio_as_installed=ours.per_cpu_s / plain.per_cpu_s,
        ratio_sync=ours.per_cpu_s / sync.per_cpu_s,
        versions=result.versions(),
        machine=result.machine(core),
        notes=result.notes(yardstick.kinds, keep is not None),
    )


class _Yardstick:
    """The library, measured a little at a time between our groups, so that what disturbs the machine disturbs both."""

    def __init__(self, exchanges: Sequence[Exchange], sample: int, times: int) -> None:
        self.kinds = len(exchanges)
        self._exchanges = exchanges
        self._sample = sample
        self._times = times
        self._runs: dict[bool, list[LibraryRun]] = {True: [], False: []}

    def measure(self) -> None:
        """Once with the library's threads and once without, until there is enough."""
        for threads, runs in self._runs.items():
            if len(runs) < self._times:
                runs.append(library.measure(self._exchanges, threads, self._sample))

    def paces(self) -> tuple[Pace, Pace]:
        """As installed, and without threads: all round trips and seconds, and the median rate."""
        plain, sync = (self._pace(runs) for runs in self._runs.values())
        return plain, sync

    @staticmethod
    def _pace(runs: list[LibraryRun]) -> Pace:
        rate = statistics.median(run.per_cpu_s for run in runs)
        return Pace(sum(r.round_trips for r in runs), sum(r.cpu_s for r in runs), sum(r.wall_s for r in runs), rate)


def _rate(day: GroupDay, played: Played) -> float:
    """Round trips per CPU second of a group, with its share of the central billing."""
    trips = day.outcome.round_trips
    return trips / (day.cpu_s + played.billing_cpu_s * trips / played.round_trips)


def _our_pace(played: Played, rates: Sequence[GroupDay]) -> Pace:
    cpu = sum(day.cpu_s for day in played.days) + played.billing_cpu_s
    rate = statistics.median(_rate(day, played) for day in rates)
    return Pace(played.round_trips, cpu, played.wall_s, rate)


def _same_again(rates: Sequence[GroupDay], days: Sequence[GroupDay]) -> None:
    digests = {day.group.number: day.outcome.digest for day in days}
    for day in rates:
        if day.outcome.digest != digests[day.group.number]:
            raise BenchFailed(f"{day.group.name} gave another digest when it was played again")


def _compared(jobs: int, one: Played, many: Played) -> Compared:
    cores = [played.cpu_s / played.wall_s for played in (one, many)]
    return Compared(jobs, one.wall_s, many.wall_s, one.cpu_s, many.cpu_s, one.wall_s / many.wall_s, *cores)


# -- evidence ---------------------------------------------------------------------------------------------------------------


def _evidence(played: Played, folder: Path | None, keep: Path | None, first: Group) -> Evidence:
    """How large the evidence is, or would have been: then that of a few stations is written, measured and removed."""
    if folder is not None and keep is not None:
        _publish(folder, keep)
        wire, books = _bytes_of(played)
        return Evidence(str(keep), wire, books, "all of it was written")
    few = replace(first, count=min(first.count, EVIDENCE_SAMPLE))
    with tempfile.TemporaryDirectory(prefix="chargerig-bench-") as place:
        save_tables(Path(place) / "empty", {}).close()
        empty = (Path(place) / "empty").stat().st_size
        sample = play_day([few], 1, None, Path(place))
    wire, books = _bytes_of(sample)
    scale = played.round_trips / sample.round_trips
    books = round((books - 2 * empty) * scale) + (len(played.days) + 1) * empty  # a file for each shard and the office
    return Evidence("", round(wire * scale), books, f"scaled by round trips from what {few.count} stations wrote")


def _bytes_of(played: Played) -> tuple[int, int]:
    outcomes = [day.outcome for day in played.days]
    books = sum(outcome.evidence_bytes for outcome in outcomes) + played.billed.evidence_bytes
    return sum(outcome.wire_bytes for outcome in outcomes), books


@contextmanager
def _evidence_folder(keep: Path | None) -> Iterator[Path | None]:
    """A folder beside `keep` while the day goes on; it appears under its name only when it is whole."""
    if keep is None:
        yield None
        return
    if os.path.lexists(keep):
        raise BadInput(keep, None, "is there already", "a folder that does not exist")
    folder = keep.absolute().with_name(f"{keep.absolute().name}.{os.getpid()}.partial")
    try:
        folder.mkdir(parents=True)
    except OSError as err:
        raise BadInput(keep, None, f"cannot be written ({err.strerror})", "a folder that this user may make") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(folder: Path, keep: Path) -> None:
    try:
        os.rename(folder, keep)
    except OSError as err:
        raise BadInput(keep, None, f"cannot be written ({err.strerror})", "a folder that does not exist") from None


# -- cores ------------------------------------------------------------------------------------------------------------------


@contextmanager
def _one_core() -> Iterator[int | None]:
    """Stay on one core where the system lets us: CPU time is only comparable so. Threads and processes inherit it."""
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
