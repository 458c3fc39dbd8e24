"""Faults of the move and of partners in the words of [[fault]]: a stale name, an aborted rollback, a partner's line."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from scenarios.load import load_scenario, make_scenario, sessions_path
from scenarios.model import Scenario, plain
from scenarios.runner import judge
from scenarios.upgrade.partners import _rules_of
from sim.clock import HOUR, MINUTE
from sim.evidence.verdict import Verdict


def moving(*faults: dict[str, Any]) -> Scenario:
    """One site of the first day, which moves, with half an hour of probation."""
    data = plain(load_scenario("first-day"))
    data["fault"] = list(faults)
    data["move"] = {**data["move"], "probation": "30m"}
    data["budgets"] = {"refused_starts": 99, "interrupted_charges": 99, "connector_minutes_lost": 9999}
    return make_scenario(data, "moving.toml").at_sites("campus-4")


def test_a_stale_name_leads_to_the_old_back_end_and_an_aborted_rollback_is_finished_by_the_next_tool() -> None:
    stale = {"kind": "link.stale-name", "id": "stale", "for": "10m"}
    aborted = {"kind": "move.rollback-aborted", "id": "aborted", "for": "5m"}
    scenario = moving(stale, aborted)
    played, results = judge(scenario, 1, sessions=sessions_path(scenario), repeat=False)
    rows = {row["fault_id"]: row for row in played.evidence.rows("SELECT * FROM truth_faults")}
    assert rows["stale"]["kind"] == "link.stale-name" and rows["aborted"]["kind"] == "tool.crash"
    links = played.evidence.rows("SELECT * FROM wire_links WHERE backend = 'legacy'")
    led = [
        row for row in links if row["station"] == rows["stale"]["target"] and row["opened_at"] >= rows["stale"]["at"]
    ]
    assert led  # it dialled new and was at legacy
    states = played.evidence.rows("SELECT station, state, at FROM truth_migration ORDER BY at")
    died = rows["aborted"]["at"]
    (ordered,) = [row["station"] for row in states if row["state"] == "ROLLBACK" and row["at"] == died]
    (back,) = [row["at"] for row in states if row["state"] == "BACK_AT_OLD" and row["station"] == ordered]
    assert back >= rows["aborted"]["until"]
    bad = [(one.check, one.reason, [found.sentence for found in one.findings[:2]]) for one in results]
    assert [row for row, one in zip(bad, results, strict=True) if one.verdict in (Verdict.FAIL, Verdict.UNKNOWN)] == []


def test_a_fault_of_a_partner_is_a_rule_of_its_line_once_for_each_repeat() -> None:
    where = {"partner": "stripe", "action": "payment_intents.*", "share": "25 %"}
    data = plain(load_scenario("upgrade-day"))
    table = {"kind": "partner.slow", "at": "10:00", "for": "1h", "latency": "20s", "times": 3, "where": where}
    data["fault"] = [{**table, "repeat": "2 times every 2h"}]
    scenario = make_scenario(data, "partners.toml")
    first, second = _rules_of(scenario, 1, "slow", scenario.fault[0])
    assert (first.kind, first.api, first.extra, first.share, first.times) == (
        "slow",
        "payment_intents.*",
        20_000,
        25,
        3,
    )
    assert second == replace(first, since=first.since + 2 * HOUR, until=(first.until or 0) + 2 * HOUR)
    assert (first.until or 0) - first.since == 60 * MINUTE
