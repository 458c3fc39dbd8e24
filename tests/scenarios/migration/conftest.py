"""A day on which the move meets everything at once: the first day's sessions, six profiles, and faults of the move.

Only the site that moves and one that is at the new back-end all day are there: the move touches no other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from scenarios.load import load_scenario, sessions_path
from scenarios.load_text import parse_local_time
from scenarios.migration import MoveParts
from scenarios.model import Checks, Duration, Fault, Scenario, Where, Window
from scenarios.runner import Played, judge
from sim.clock import MINUTE
from sim.evidence.verdict import CheckResult

PROFILES = {"ac-cloud": 0.3, "ac-compact": 0.2, "ac-duo": 0.2, "ac-image": 0.1, "ac-swift": 0.1, "ac-yard": 0.1}
SITES = ("campus-4", "campus-5")
MOVING = Where(moving=True, busy=False)


def fault(kind: str, lasts: int = 0, on: str = "", at: tuple[str, str] | None = None) -> Fault:
    """One fault of the move at one station; `lasts` in minutes."""
    window = None if at is None else Window(from_=parse_local_time(at[0]), to=parse_local_time(at[1]))
    where = Where() if kind == "tool.crash" else MOVING
    return Fault(kind=kind, where=where, on=on, lasts=Duration(lasts * MINUTE) if lasts else None, at=window)


def day_with(*faults: Fault, **changes: Any) -> Scenario:
    """The first day with these faults instead of its own, a probation of 20 minutes, and INV-28."""
    day = load_scenario("first-day").at_sites(*SITES)
    assert day.move is not None
    move = replace(day.move, **{"probation": Duration(20 * MINUTE), **changes})
    wanted = (*(name for name in day.checks.all_of if not name.startswith("DRV")), "INV-28")
    fleet = replace(day.fleet, profiles=PROFILES)
    return replace(day, move=move, fleet=fleet, fault=faults, checks=Checks(all_of=wanted))


class Run:
    """One day that was played, and what can be asked of it."""

    def __init__(self, played: Played, results: tuple[CheckResult, ...]) -> None:
        self.evidence = played.evidence
        self.results = {result.check: result for result in results}

    @property
    def wrong(self) -> list[tuple[str, str, str, list[str]]]:
        """Every check that is not PASS, with its first findings."""
        return [
            (one.check, str(one.verdict), one.reason, [f"{f.subject}: {f.sentence}" for f in one.findings[:3]])
            for one in self.results.values()
            if str(one.verdict).lower() not in ("pass", "not_applicable")
        ]

    def failed(self) -> set[str]:
        return {row[0] for row in self.wrong}

    def hit(self, kind: str) -> list[str]:
        """The stations that a fault really hit."""
        return [str(row["target"]) for row in self.evidence.rows("SELECT * FROM truth_faults WHERE kind = ?", kind)]

    def walk(self, station: str) -> list[str]:
        rows = self.evidence.rows("SELECT state FROM truth_migration WHERE station = ? ORDER BY rowid", station)
        return [str(row["state"]) for row in rows]

    def outcomes(self) -> dict[str, dict[str, Any]]:
        return {str(row["station"]): dict(row) for row in self.evidence.rows("SELECT * FROM truth_outcomes")}


@pytest.fixture(scope="session")
def play() -> Callable[..., Run]:
    """play(*faults, seed=1, parts={...}, **changes of [move])."""

    def run(*faults: Fault, seed: int = 1, parts: dict[str, Any] | None = None, **changes: Any) -> Run:
        day = day_with(*faults, **changes)
        checks = [check for check in day.checks.all_of if check != "INV-39"]
        move = None if parts is None else MoveParts(**parts)
        played, results = judge(
            day, seed, sessions=sessions_path(day), repeat=False, wire="index", checks=checks, move=move
        )
        return Run(played, tuple(results))

    return run


@pytest.fixture(scope="session")
def strike() -> Callable[..., Fault]:
    return fault
