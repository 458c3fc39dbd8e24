"""What `chargerig bench day` says: the figures, on what machine, and what is in them."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version

from msgspec import Struct

from scenarios.bench import world

_PACKAGES = ("simpy", "msgspec", "jsonschema-rs", "cryptography", "ocpp", "jsonschema")
_MB = 1e6


class Pace(Struct, frozen=True):
    """How fast something went: round trips, the CPU and wall seconds they took, and the rate per CPU second."""

    round_trips: int
    cpu_s: float
    wall_s: float
    per_cpu_s: float


class Evidence(Struct, frozen=True):
    """The size of the evidence of the whole day: `kept` is its folder, "" if none was kept.

    `measured_on` says what was written to know it; bytes of a smaller day are scaled by round trips.
    """

    kept: str
    wire_bytes: int
    sqlite_bytes: int
    measured_on: str


class Compared(Struct, frozen=True):
    """The same day with one process at a time and with `jobs`: wall and CPU seconds in all. The digests are equal.

    `cores_1` and `cores_jobs` are CPU over wall seconds: on a busy machine they stay below 1 and `jobs`, and `speed_up`
    says little.
    """

    jobs: int
    wall_1_s: float
    wall_jobs_s: float
    cpu_1_s: float
    cpu_jobs_s: float
    speed_up: float
    cores_1: float
    cores_jobs: float


class BenchResult(Struct, frozen=True, kw_only=True):
    """What `chargerig bench day` says.

    `ours`: round trips of the day, CPU seconds of the groups' days and of the billing, wall seconds of everything, and the
    median of `ours_all`, the rates of the groups that were played alone. `cpu_all_s`: CPU seconds of all processes, with
    their start, imports and building. Memory in MB: the peak of this process, and the largest sum of the peaks of
    processes that ran at the same time. `gross` in minor units.
    """

    stations: int
    hours: int
    group_size: int
    groups: int
    jobs: int
    sessions_per_station: int
    session_minutes: float
    ours: Pace
    ours_all: tuple[float, ...]
    virtual_over_real: float
    cpu_all_s: float
    setup_cpu_s: float
    billing_cpu_s: float
    peak_memory_mb: float
    parent_memory_mb: float
    children_memory_mb: float
    sessions_driven: int
    sessions_billed: int
    energy_kwh: float
    gross: int
    signed_records: int
    round_trips_by_action: dict[str, int]
    digest: str
    ledger_head: str
    evidence: Evidence
    compared: Compared | None
    library_as_installed: Pace
    library_sync: Pace
    ratio_as_installed: float
    ratio_sync: float
    versions: dict[str, str]
    machine: dict[str, str]
    notes: tuple[str, ...]

    def text(self) -> str:
        """The figures as a user reads them, the most wanted first."""
        ours, plain, sync, stored = self.ours, self.library_as_installed, self.library_sync, self.evidence
        lines = [
            f"{self.stations:,} stations, {self.hours} h, in {self.groups} groups of at most {self.group_size}, "
            f"{self.jobs} at once: {ours.round_trips:,} round trips, {self.sessions_billed:,} of "
            f"{self.sessions_driven:,} sessions billed, {self.signed_records:,} signed records",
            f"wall time                      {ours.wall_s:>12,.1f} s",
            f"CPU time of all processes      {self.cpu_all_s:>12,.1f} s ({ours.cpu_s:.1f} s the day and its bills; "
            f"{self.cpu_all_s / ours.wall_s:.2f} cores on average)",
            f"peak memory                    {self.peak_memory_mb:>12,.0f} MB (this process {self.parent_memory_mb:,.0f}, "
            f"the others {self.children_memory_mb:,.0f} at most at the same time)",
            f"round trips per CPU second     {ours.per_cpu_s:>12,.0f}    (one core, median of {len(self.ours_all)} groups "
            f"played alone, {min(self.ours_all):,.0f} to {max(self.ours_all):,.0f})",
            f"virtual time over real time    {self.virtual_over_real:>12,.0f}",
            f"ocpp library, as installed     {plain.per_cpu_s:>12,.0f}    ratio_as_installed {self.ratio_as_installed:.1f}",
            f"ocpp library, no threads       {sync.per_cpu_s:>12,.0f}    ratio_sync {self.ratio_sync:.1f}",
            *self._compared(),
            f"evidence                       {(stored.wire_bytes + stored.sqlite_bytes) / _MB:>12,.0f} MB "
            f"({world.WIRE_FILE} {stored.wire_bytes / _MB:,.0f}, {world.EVIDENCE_FILE} {stored.sqlite_bytes / _MB:,.0f}; "
            f"{stored.measured_on}; {'kept in ' + stored.kept if stored.kept else 'none is kept'})",
            f"digest                         {self.digest}",
            *self.notes,
        ]
        return "\n".join(lines)

    def _compared(self) -> tuple[str, ...]:
        one = self.compared
        if one is None:
            return ()
        return (
            f"{f'--jobs {one.jobs} against --jobs 1':<31}{one.speed_up:>12,.2f}    times faster, same digest "
            f"({one.wall_1_s:.1f} s on {one.cores_1:.2f} cores, {one.wall_jobs_s:.1f} s on {one.cores_jobs:.2f})",
        )


def notes(kinds: int, kept: bool) -> tuple[str, ...]:
    """What is in the figures and what is not; `kinds` round trips are on the library's tape."""
    wire = "whole" if kept else world.WIRE_POLICY
    return (
        f"ours: profile {world.PROFILE}, heartbeat {world.HEARTBEAT_S} s after silence, MeterValues every "
        f"{world.SAMPLE_S} s with 4 values; every frame encoded, judged, decoded; records signed, verified, rated, billed",
        "ours: a group is a world of its own with its own shard of the back-end, in a process of its own; the bills of all "
        "come from one central billing with one number circle and one journal, whose CPU time is shared out in the rate",
        f"ours: wire policy `{wire}` (running digest and a row per call{'' if kept else ', no file'}), truth whole; "
        f"starting processes, building worlds and writing {world.EVIDENCE_FILE} are in wall and CPU time, not in the rate",
        "memory: the most that each process ever held (VmHWM on Linux); the sum over those that ran at the same time is "
        "an upper bound",
        f"library: {kinds} round trips of one station's same day, over and over, through call() and @on in memory, "
        "alternating with our groups, medians; it only carries them, no session, signature, bill or record",
    )


def versions() -> dict[str, str]:
    """Versions of what the figures depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in _PACKAGES}}


def machine(core: int | None) -> dict[str, str]:
    """On what it was measured; `core` is where the rate was."""
    pinned = "not pinned to a core" if core is None else f"pinned to core {core} for the rate"
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
