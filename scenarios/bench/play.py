"""All groups of the measured day, so many processes at once, then the barrier and the central billing; with a watch on
what it takes.

The digest of what comes out may never depend on how many ran at the same time.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from scenarios.bench import office, world
from scenarios.bench.group import GroupDay, GroupTask, play_group
from scenarios.bench.office import Billed
from scenarios.bench.world import Group
from scenarios.processes import spread

Tell = Callable[[str], None]
"""One line on what has been done."""
Between = Callable[[], None]
"""Something else that is to be done in this process before each group is started."""


class Played(Struct, frozen=True):
    """The day of all groups, in their order, and what it took, the billing included; days without their parcels."""

    days: list[GroupDay]
    billed: Billed
    digest: str
    wall_s: float
    cpu_s: float
    billing_cpu_s: float
    children_mb: float

    @property
    def round_trips(self) -> int:
        """Round trips of the whole day."""
        return sum(day.outcome.round_trips for day in self.days)


class _Watch:
    """Sees which groups run at the same time, tells of each that is done, and stops the clock for what is not theirs."""

    def __init__(self, groups: Sequence[Group], tell: Tell | None, between: Between | None) -> None:
        self._groups = groups
        self._tell = tell
        self._between = between
        self._running: list[int] = []
        self._together: list[tuple[int, ...]] = []
        self._done = 0
        self._began = time.perf_counter()
        self.apart_wall_s = self.apart_cpu_s = 0.0

    def begin(self, number: int) -> None:
        """A group is to be started."""
        if self._between is not None:
            wall, cpu = time.perf_counter(), time.process_time()
            self._between()
            self.apart_wall_s += time.perf_counter() - wall
            self.apart_cpu_s += time.process_time() - cpu
        self._running.append(number)
        self._together.append(tuple(self._running))

    def done(self, number: int, day: GroupDay) -> None:
        """A group has ended."""
        self._running.remove(number)
        self._done += 1
        if self._tell is not None:
            group, trips = day.group, day.outcome.round_trips
            since = time.perf_counter() - self._began
            self._tell(
                f"{group.name} ({group.stations[0]} to {group.stations[-1]}): {trips:,} round trips in {day.cpu_s:.1f} s "
                f"of CPU time, {trips / day.cpu_s:,.0f}/s, {day.peak_mb:.0f} MB; {self._done} of {len(self._groups)} "
                f"done after {since:.0f} s"
            )

    def most_mb(self, days: Sequence[GroupDay]) -> float:
        """The largest sum of the peaks of groups that ran at the same time."""
        return max(sum(days[number].peak_mb for number in together) for together in self._together)


def play_alone(groups: Sequence[Group], tell: Tell | None, between: Between | None = None) -> list[GroupDay]:
    """Some groups one after the other, without any billing."""
    watch = _Watch(groups, tell, between)
    return _spread(groups, 1, watch, None)


def _spread(groups: Sequence[Group], jobs: int, watch: _Watch, folder: Path | None) -> list[GroupDay]:
    tasks = [GroupTask(group, _subfolder(folder, group.name)) for group in groups]
    names = [f"group {group.name} ({group.stations[0]} to {group.stations[-1]})" for group in groups]
    return spread(play_group, tasks, names, jobs, begin=watch.begin, done=watch.done)


def play_day(
    groups: Sequence[Group],
    jobs: int,
    tell: Tell | None,
    folder: Path | None,
    between: Between | None = None,
) -> Played:
    """The whole day: all groups, then the barrier and the central billing. Raises BenchFailed, TaskFailed.

    With `folder` all evidence is written there, by shard.
    """
    watch = _Watch(groups, tell, between)
    wall, cpu = time.perf_counter(), _cpu_of_all()
    days = _spread(groups, jobs, watch, folder)
    parcels = [parcel for day in days for parcel in day.outcome.parcels]
    billing = time.process_time()
    billed = office.bill_all(parcels, groups[0].hours, _subfolder(folder, world.BACKEND))
    billing = time.process_time() - billing
    return Played(
        days=[replace(day, outcome=replace(day.outcome, parcels=[])) for day in days],
        billed=billed,
        digest=office.digest_of([day.outcome.digest for day in days], billed.head),
        wall_s=time.perf_counter() - wall - watch.apart_wall_s,
        cpu_s=_cpu_of_all() - cpu - watch.apart_cpu_s,
        billing_cpu_s=billing,
        children_mb=watch.most_mb(days),
    )


def _cpu_of_all() -> float:
    """CPU seconds of this process and of its children that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + used.ru_utime + used.ru_stime


def _subfolder(folder: Path | None, name: str) -> Path | None:
    if folder is None:
        return None
    (folder / name).mkdir()
    return folder / name
