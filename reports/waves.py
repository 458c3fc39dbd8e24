"""The waves of an upgrade as series: how many stations were in which phase of their move, and what was announced when.

Pure numbers for the pictures; nothing here draws or judges. Empty where a run has no upgrade.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from msgspec import Struct

from reports import words
from reports.run import Row, Run, by
from sim import clock
from sim.clock import DAY, HOUR, MINUTE

WAITING, BACK = words.PHASES[0][0], "back at the old back-end"
PHASES: tuple[str, ...] = (*(phase for phase, _ in words.PHASES), BACK)
"""The phases of a station's move, in the order of the picture."""
_PHASE_OF = {state: phase for phase, states in words.PHASES for state in states} | {"BACK_AT_OLD": BACK}
_MARGIN = 30 * MINUTE


class Wave(Struct, frozen=True):
    """One wave over its working day. `counts` has for each phase one number per instant of `times` (ms)."""

    wave: int
    day: str
    zone: str
    begin: int
    end: int
    stations: int
    times: tuple[int, ...]
    counts: dict[str, tuple[int, ...]]

    @property
    def last(self) -> dict[str, int]:
        """How many stations were in which phase at the end, without those of none."""
        return {phase: counts[-1] for phase, counts in self.counts.items() if counts[-1]}


class Mark(Struct, frozen=True):
    """Something of a wave at an instant. kind: notice | notice-void | called-off | day."""

    wave: int
    kind: str
    at: int


class Calendar(Struct, frozen=True):
    """What was announced: notices, their withdrawal, days called off and held, and the owners' deadline (its end)."""

    begin: int
    end: int
    zone: str
    deadline: int
    waves: tuple[int, ...]
    marks: tuple[Mark, ...]


def waves(run: Run) -> tuple[Wave, ...]:
    """Every wave of the run's upgrade, in their order."""
    plan = run.plan("upgrade") or {}
    rows = by(run.table("truth_migration"), "site")
    told = []
    for wave in plan.get("waves", ()):
        mine = [row for site in wave["sites"] for row in rows.get(site, [])]
        if mine:
            told.append(_wave(wave, mine, run.zone))
    return tuple(told)


def _wave(wave: Row, rows: Sequence[Row], zone: str) -> Wave:
    """The phases of these stations; a station waits from the begin of the picture on."""
    begin = int(wave["begins_at"]) - _MARGIN
    changes = sorted((int(row["at"]), number, row) for number, row in enumerate(rows))
    end = max(int(wave["ends_at"]), changes[-1][0]) + _MARGIN
    phase_of = {str(row["station"]): WAITING for row in rows}
    level = dict.fromkeys(PHASES, 0) | {WAITING: len(phase_of)}
    times, counts = [begin], {phase: [count] for phase, count in level.items()}
    for at, _, row in changes:
        before, after = phase_of[str(row["station"])], _PHASE_OF[row["state"]]
        if before == after:
            continue
        phase_of[str(row["station"])] = after
        level[before] -= 1
        level[after] += 1
        times.append(max(at, begin))
        for phase in PHASES:
            counts[phase].append(level[phase])
    return Wave(
        wave=int(wave["wave"]),
        day=str(wave["announced"][-1]["day"]),
        zone=zone,
        begin=begin,
        end=end,
        stations=len(phase_of),
        times=(*times, end),
        counts={phase: (*numbers, numbers[-1]) for phase, numbers in counts.items() if any(numbers)},
    )


def calendar(run: Run) -> Calendar | None:
    """What was announced and what became of it; None where nothing was."""
    plan = run.plan("upgrade") or {}
    if not plan.get("waves"):
        return None
    marks: list[Mark] = []
    for wave in plan["waves"]:
        *before, last = [local_noon(str(one["day"]), run.zone) for one in wave["announced"]]
        marks += [Mark(int(wave["wave"]), "called-off", at) for at in before]
        marks.append(Mark(int(wave["wave"]), "day", last))
    for row in run.table("truth_upgrade"):
        if row["kind"] in ("notice", "notice-void") and row["wave"] is not None:
            marks.append(Mark(int(row["wave"]), str(row["kind"]), int(row["at"])))
    deadline = local_noon(str(plan["deadline"]), run.zone) + 12 * HOUR
    instants = [deadline, *(mark.at for mark in marks)]
    return Calendar(
        begin=min(instants) - 2 * DAY,
        end=max(instants) + 2 * DAY,
        zone=run.zone,
        deadline=deadline,
        waves=tuple(int(wave["wave"]) for wave in plan["waves"]),
        marks=tuple(sorted(marks, key=lambda mark: (mark.wave, mark.at, mark.kind))),
    )


def local_noon(day: str, zone: str) -> int:
    """Noon of an ISO day in a zone, ms."""
    wanted = date.fromisoformat(day)
    return int(clock.from_datetime(datetime(wanted.year, wanted.month, wanted.day, 12, tzinfo=clock.zone(zone))))


def data_of(row: Row) -> dict[str, Any]:
    """What a row of `truth_upgrade` says besides its columns."""
    return dict(json.loads(row["data"] or "{}"))
