"""One group's day in a process of its own, from the first import to the figures; runs nowhere else.

What it gives depends on the group alone, never on who else runs; only the seconds and bytes it measures of itself do.
"""

from __future__ import annotations

import gc
import resource
import sys
import time
from pathlib import Path

from msgspec import Struct

from scenarios.bench import world
from scenarios.bench.world import Group, Outcome


class GroupTask(Struct, frozen=True):
    """What to play, and the folder for its evidence, if it is to be kept."""

    group: Group
    folder: Path | None = None


class GroupDay(Struct, frozen=True):
    """A group's day and what it took: CPU and wall seconds of the day itself, CPU seconds of the whole process.

    `peak_mb` is the most memory that the process ever held.
    """

    group: Group
    outcome: Outcome
    cpu_s: float
    wall_s: float
    process_cpu_s: float
    peak_mb: float


def play_group(task: GroupTask) -> GroupDay:
    """Put the group's world up, let the day happen, settle up. Raises BenchFailed for a day that is not healthy."""
    world.tape(1)  # also loads and compiles what is loaded once
    day = world.build(task.group, task.folder)
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    day.run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    outcome = world.settle_up(day, task.folder)
    return GroupDay(task.group, outcome, cpu, wall, time.process_time(), peak_memory_mb())


def peak_memory_mb() -> float:
    """The most that this process ever held.

    Linux tells it as VmHWM; its getrusage would count what the parent held when it started this process. Elsewhere
    getrusage counts in bytes (macOS) or KiB.
    """
    told = _vm_peak("self")
    if told is not None:
        return told
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20) if sys.platform == "darwin" else peak / 1024


def peak_memory_of(pid: int) -> float:
    """The most that another process ever held, MB. Raises RuntimeError where the system does not tell it."""
    told = _vm_peak(str(pid))
    if told is None:
        raise RuntimeError("this system does not tell the memory of another process")
    return told


def _vm_peak(process: str) -> float | None:
    try:
        with open(f"/proc/{process}/status", encoding="ascii", errors="replace") as file:
            told = next((line.split()[1] for line in file if line.startswith("VmHWM:")), None)
    except OSError:
        return None
    return None if told is None else int(told) / 1024
