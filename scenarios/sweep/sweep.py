"""Many seeds of a scenario: played by some processes or a cluster, until the first finding or to the end.

The first finding is that of the lowest seed, whichever ended first, so what is told never depends on how many went on at
once. Nothing here may read a clock.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing

from msgspec import Struct

from scenarios.processes import stream
from scenarios.stopping import Stopped
from scenarios.sweep.task import Outcome, Task, play
from sim.errors import BadInput

_MOST_IN_A_TASK = 8
"""Seeds that one process plays: enough that its start does not count, few enough that a stop is near."""

Tell = Callable[[int, int, int], None]
"""Seeds done, seeds in all, seeds with a finding."""
Stream = Callable[[Sequence[Task]], Iterator[tuple[int, tuple[Outcome, ...]]]]
"""Plays tasks somewhere: their numbers with what they gave, as they end."""


class Swept(Struct, frozen=True):
    """What became of the seeds, in their order. `stopped`: at the first finding, so that later seeds are left out.

    `signal` is the exit code of a stop by hand or by a signal, after which only what was done by then is told; else 0.
    """

    outcomes: tuple[Outcome, ...]
    asked: int
    stopped: bool = False
    signal: int = 0


def sweep(
    task: Task, jobs: int = 1, *, everything: bool = False, tell: Tell | None = None, where: Stream | None = None
) -> Swept:
    """Play all seeds of the task, `jobs` at once here or by `where`; with `everything` also beyond the first finding.

    After Ctrl-C or SIGTERM: what was done so far. Raises BadInput if the first seed cannot be played for what the user gave
    us, TaskFailed if a process died.
    """
    done: dict[int, tuple[Outcome, ...]] = {}
    ended = 0
    try:
        _gather(task, jobs, done, everything, tell, where)
    except KeyboardInterrupt as stop:
        if not done:
            raise
        ended = stop.code if isinstance(stop, Stopped) else 128 + signal.SIGINT
    told = [one for number in sorted(done) for one in done[number]]
    first = None if everything else next((place for place, one in enumerate(told) if one.found or one.failed), None)
    kept = told if first is None else told[: first + 1]
    return Swept(tuple(kept), len(task.seeds), first is not None, ended)


def _gather(
    task: Task,
    jobs: int,
    done: dict[int, tuple[Outcome, ...]],
    everything: bool,
    tell: Tell | None,
    where: Stream | None,
) -> None:
    """Play the parts of the task into `done`, until it is decided what the first finding is."""
    parts = _parts(task, jobs)
    with closing((where or _here(jobs))(parts)) as results:  # type: ignore[type-var]
        for number, outcomes in results:
            done[number] = outcomes
            _complain(outcomes[0], done.get(0))
            if tell is not None:
                ended = [one for outcomes in done.values() for one in outcomes]
                tell(len(ended), len(task.seeds), sum(bool(one.found) for one in ended))
            if not everything and _decided(done):
                break


def _parts(task: Task, jobs: int) -> list[Task]:
    size = max(1, min(_MOST_IN_A_TASK, len(task.seeds) // (2 * jobs)))
    seeds = task.seeds
    return [
        Task(task.scenario, seeds[begin : begin + size], task.sessions, task.target, task.swarm)
        for begin in range(0, len(seeds), size)
    ]


def _here(jobs: int) -> Stream:
    """In this process if one is enough, else in some that are ours."""

    def alone(parts: Sequence[Task]) -> Iterator[tuple[int, tuple[Outcome, ...]]]:
        for number, part in enumerate(parts):
            yield number, play(part)

    def beside(parts: Sequence[Task]) -> Iterator[tuple[int, tuple[Outcome, ...]]]:
        return stream(play, parts, [f"seeds {part.seeds[0]} to {part.seeds[-1]}" for part in parts], jobs)

    return alone if jobs == 1 else beside


def _decided(done: dict[int, tuple[Outcome, ...]]) -> bool:
    """Whether a seed found something and every one before it has been played."""
    for number in range(len(done)):
        if number not in done:
            return False
        if any(one.found or one.failed for one in done[number]):
            return True
    return False


def _complain(one: Outcome, first: tuple[Outcome, ...] | None) -> None:
    """What the very first seed cannot use, no other could: the user hears it at once."""
    if first is not None and first[0].bad_input is not None and one is first[0]:
        raise BadInput(*first[0].bad_input)
