"""Planted breaches of the move, of the drivers' budgets and of the run's own repeatability."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from scenarios.migration.states import LEGAL, SAID
from sim.evidence.verdict import CheckResult, Verdict

At = Callable[[str], int]


def subjects(result: CheckResult) -> list[str]:
    """Who is named, for a result that must be FAIL."""
    assert result.verdict is Verdict.FAIL, result
    return [finding.subject for finding in result.findings]


@pytest.mark.parametrize("left_out", ["PREFLIGHT_OK", "PROVISIONED", "VERIFIED"])
def test_inv_26_finds_a_step_that_was_left_out(day: Any, left_out: str) -> None:
    day.tables["truth_migration"].remove(day.row("truth_migration", state=left_out))
    result = day.check("INV-26")
    assert subjects(result) == ["S1"]
    assert result.findings[0].sentence.endswith("which is no legal step")


@pytest.mark.parametrize("last", ["PROVISIONED", "STUCK"])
def test_inv_26_finds_a_move_that_never_ended(day: Any, last: str) -> None:
    while day.tables["truth_migration"][-1]["state"] != "PROVISIONED":
        day.tables["truth_migration"].pop()
    if last == "STUCK":
        day.add("truth_migration", at=1, station="S1", site="alpha", state="STUCK")
    result = day.check("INV-26")
    assert subjects(result) == ["S1"]
    assert result.findings[0].sentence == f"in the end it is {SAID[last]}, which is no end of a move"


def test_inv_26_finds_a_station_of_the_move_that_nobody_touched(day: Any) -> None:
    day.plan["move"]["stations"].append("S3")
    result = day.check("INV-26")
    assert subjects(result) == ["S3"]
    assert "never begun" in result.findings[0].sentence


def test_inv_26_finds_two_masters(day: Any, at: At) -> None:
    day.row("wire_links", link=1).update(closed_at=at("10:33"), last_frame_at=at("10:33"))
    result = day.check("INV-26")
    assert subjects(result) == ["S1"]
    assert "at once for 120 s" in result.findings[0].sentence


def test_inv_26_does_not_take_a_dead_connection_for_a_living_one(day: Any, at: At) -> None:
    day.row("wire_links", link=1).update(closed_at=at("10:34"), closed_by="network", last_frame_at=at("10:30"))
    assert day.check("INV-26").verdict is Verdict.PASS


def test_inv_26_finds_a_connection_at_the_old_back_end_after_its_closing(day: Any, at: At) -> None:
    later = {"opened_at": at("15:00"), "closed_at": at("15:00:30"), "last_frame_at": at("15:00:30")}
    day.add("wire_links", link=9, station="S1", backend="legacy", closed_by="station", **later)
    result = day.check("INV-26")
    assert set(subjects(result)) == {"S1"}
    assert any("after its closing" in finding.sentence for finding in result.findings)


def test_inv_26_accepts_a_rollback_that_ends_at_the_old_back_end(day: Any, at: At) -> None:
    while day.tables["truth_migration"][-1]["state"] != "SEEN_AT_NEW":
        day.tables["truth_migration"].pop()
    for number, state in enumerate(("ROLLBACK", "BACK_AT_OLD")):
        day.add("truth_migration", at=at("10:40") + number, station="S1", site="alpha", state=state)
    assert set(subjects(day.check("INV-26"))) == {"S1"}  # still connected to the new one
    day.row("wire_links", link=2).update(closed_at=at("10:40"), last_frame_at=at("10:40"))
    day.add("wire_links", link=9, station="S1", backend="legacy", opened_at=at("10:41"), last_frame_at=at("23:00"))
    assert day.check("INV-26").verdict is Verdict.PASS


def left_over(day: Any, at: int, kind: str = "left-over", **data: Any) -> None:
    """Something was put into S1, or is gone from it; `giver` is the address of a back-end."""
    row = {"what": "profile", "id": 9, "giver": "ws://legacy/ocpp", **data}
    day.add("truth_events", at=at, station="S1", connector=1, kind=kind, data=json.dumps(row))


@pytest.fixture
def moved(day: Any) -> Any:
    day.plan["move"].update(old_url="ws://legacy/ocpp", new_url="ws://new/ocpp")
    return day


@pytest.mark.parametrize("what", ["profile", "reservation", "list", "inoperative"])
def test_inv_28_finds_what_the_old_back_end_left(moved: Any, at: At, what: str) -> None:
    left_over(moved, at("08:00"), what=what)
    result = moved.check("INV-28")
    assert set(subjects(result)) == {"S1"}
    assert f"a {what} (9) of the old back-end" in result.findings[0].sentence


@pytest.mark.parametrize("id", [9, None])
def test_inv_28_accepts_what_is_gone_in_time(moved: Any, at: At, id: int | None) -> None:
    """Cleared by its id, or forgotten at a reboot with everything of its kind."""
    left_over(moved, at("08:00"))
    left_over(moved, at("10:20"), "left-over-gone", id=id)
    assert moved.check("INV-28").verdict is Verdict.PASS


def test_inv_28_wants_it_gone_before_the_station_is_provisioned(moved: Any, at: At) -> None:
    left_over(moved, at("08:00"))
    left_over(moved, at("20:00"), "left-over-gone")
    assert moved.check("INV-28").verdict is Verdict.FAIL


def test_inv_28_lets_the_new_back_end_put_its_own_things_there(moved: Any, at: At) -> None:
    left_over(moved, at("10:20"), giver="ws://new/ocpp")
    assert moved.check("INV-28").verdict is Verdict.PASS


def test_inv_28_says_nothing_where_nothing_moved(moved: Any) -> None:
    moved.tables["truth_migration"].clear()
    assert moved.check("INV-28").verdict is Verdict.NOT_APPLICABLE


def test_inv_26_finds_a_connection_at_the_new_back_end_after_a_rollback(day: Any, at: At) -> None:
    while day.tables["truth_migration"][-1]["state"] != "SEEN_AT_NEW":
        day.tables["truth_migration"].pop()
    for number, state in enumerate(("ROLLBACK", "BACK_AT_OLD")):
        day.add("truth_migration", at=at("10:40") + number, station="S1", site="alpha", state=state)
    day.row("wire_links", link=2).update(closed_at=at("10:40"), last_frame_at=at("10:40"))
    day.add("wire_links", link=8, station="S1", backend="new", opened_at=at("11:00"), closed_at=at("11:01"))
    day.add("wire_links", link=9, station="S1", backend="legacy", opened_at=at("11:10"), last_frame_at=at("23:00"))
    assert "after its rollback" in " ".join(f.sentence for f in day.check("INV-26").findings)


def test_drv_01_counts_refusals_of_those_who_may_charge_only(day: Any) -> None:
    honest = day.row("truth_visits", visit_id="v-1001")
    honest["refusals"] = 1
    assert day.check("DRV-01").verdict is Verdict.PASS
    day.row("truth_visits", visit_id="v-1002").update(outcome="refused")
    result = day.check("DRV-01")
    assert subjects(result) == ["v-1001", "v-1002"]
    assert "in all 2, budget 1" in result.findings[0].sentence


def test_drv_02_names_the_charges_that_broke_off(day: Any) -> None:
    day.row("truth_visits", visit_id="v-1002")["interrupted"] = 1
    assert subjects(day.check("DRV-02")) == ["v-1002"]


def test_drv_03_adds_up_lost_time_and_rounds_it_up(day: Any) -> None:
    day.row("truth_visits", visit_id="v-1001")["lost_ms"] = 200_000
    day.row("truth_visits", visit_id="v-1002")["lost_ms"] = 100_000
    assert day.check("DRV-03").verdict is Verdict.PASS
    day.row("truth_visits", visit_id="v-1002")["lost_ms"] = 100_001
    result = day.check("DRV-03")
    assert subjects(result) == ["v-1001", "v-1002"]
    assert "in all 6, budget 5" in result.findings[0].sentence


@pytest.mark.parametrize("name", ["DRV-01", "DRV-02", "DRV-03"])
def test_without_a_budget_nothing_is_judged(day: Any, name: str) -> None:
    """DRV-01, DRV-02, DRV-03."""
    del day.plan["budgets"]
    assert day.check(name).verdict is Verdict.UNKNOWN


def test_inv_39_finds_a_process_with_another_digest(day: Any) -> None:
    day.row("repeats", hash_seed="3")["digest"] = "d2"
    result = day.check("INV-39")
    assert subjects(result) == ["3"]


def test_inv_39_wants_two_hash_seeds(day: Any) -> None:
    day.tables["repeats"] = [{"hash_seed": "1", "digest": "d1"}]
    assert day.check("INV-39").verdict is Verdict.UNKNOWN
    day.tables["repeats"] = []
    assert day.check("INV-39").verdict is Verdict.NOT_APPLICABLE


def test_inv_26_does_not_pass_where_nobody_knocked_at_the_old_back_end(day: Any) -> None:
    """A close-station that does nothing shows only if somebody tries the door."""
    day.tables["truth_events"].clear()
    result = day.check("INV-26")
    assert result.verdict is Verdict.UNKNOWN
    assert "S1 is refused at its old back-end" in result.reason


def test_every_state_of_a_move_has_its_words() -> None:
    assert set(SAID) == {state for state in LEGAL if state}
