"""Smoke days with faults: four sessions at three stations of one back-end, over in a third of a second."""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec import Struct

from scenarios.load import load_scenario, make_scenario, sessions_path
from scenarios.model import plain
from scenarios.runner import Played, judge
from sim.evidence.verdict import CheckResult, Verdict
from tests.fleet.conftest import SILENT, Bench, Denied

MIDDAY = "10:06"
"""All three stations charge then, local time."""
ALL = {"share": 1.0, "busy": False}


class Day(Struct):
    """A day that was played, and what the checks say."""

    played: Played
    results: list[CheckResult]

    def rows(self, query: str) -> list[dict[str, Any]]:
        return [dict(row) for row in self.played.evidence.rows(query)]

    @property
    def faults(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM truth_faults ORDER BY at, target")

    def calls(self, action: str = "%", way: str = "up") -> list[dict[str, Any]]:
        query = f"SELECT * FROM wire_calls WHERE action LIKE '{action}' AND way = '{way}' ORDER BY sent_at"
        return self.rows(query)

    def during(self, rows: list[dict[str, Any]], column: str = "sent_at") -> list[dict[str, Any]]:
        """Those that began while the first fault lasted."""
        first = self.faults[0]
        return [row for row in rows if row[column] is not None and first["at"] <= row[column] < first["until"]]

    def during_fault(self, at: int | None) -> dict[str, Any] | None:
        """The fault that lasted at this instant."""
        return next((one for one in self.faults if at is not None and one["at"] <= at < one["until"]), None)

    def during_all(self, action: str) -> list[dict[str, Any]]:
        """The calls that were sent after the first fault."""
        return [row for row in self.calls(action) if row["sent_at"] > self.faults[0]["at"]]

    def links(self) -> list[dict[str, Any]]:
        return self.rows("SELECT * FROM wire_links WHERE station NOT LIKE 'tap-%' ORDER BY link")

    def events(self, kind: str) -> list[dict[str, Any]]:
        rows = self.rows(f"SELECT * FROM truth_events WHERE kind = '{kind}' ORDER BY at")
        return [{**row, "data": json.loads(row["data"])} for row in rows]

    @property
    def complaints(self) -> list[str]:
        bad = [one for one in self.results if one.verdict in (Verdict.FAIL, Verdict.UNKNOWN)]
        return [f"{one.check}: {one.reason} {[found.sentence for found in one.findings[:2]]}" for one in bad]


def play(*faults: dict[str, Any], name: str = "smoke", seed: int = 1, **tables: Any) -> Day:
    """This scenario with these faults. Drivers may suffer as much as it takes."""
    data = plain(load_scenario(name))
    data["fault"] = list(faults)
    data["budgets"] = {"refused_starts": 99, "interrupted_charges": 99, "connector_minutes_lost": 9999}
    for table, value in tables.items():
        data[table] = {**data[table], **value} if isinstance(value, dict) else value
    scenario = make_scenario(data, "faults.toml")
    played, results = judge(scenario, seed, sessions=sessions_path(scenario), repeat=False)
    return Day(played, results)


@pytest.fixture(scope="session")
def day() -> Any:
    return play


@pytest.fixture(scope="session")
def quiet() -> Day:
    """The same day without any fault."""
    return play()


@pytest.fixture(scope="session")
def bench() -> type[Bench]:
    return Bench


@pytest.fixture(scope="session")
def world() -> Any:
    """What the fake back-end of a bench may answer besides: silence, a refusal."""

    class Names:
        silent = SILENT
        denied = Denied

    return Names
