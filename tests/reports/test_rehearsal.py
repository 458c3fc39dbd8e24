"""The forecast from facts made by hand: percentiles, verdicts with their reasons, the last safe rollback, the page."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.rehearsal import Seed, dumps, forecast
from reports.rehearsal_page import headline, page, per_hundred, tenth
from reports.switching import percentile
from sim.clock import HOUR, MINUTE, parse_iso

START = parse_iso("2024-04-09T08:30:00+02:00")
BUDGETS = {"refused_starts": 3, "interrupted_charges": 2, "connector_minutes_lost": 10}
WINDOW = {"wave": 1, "start": START, "deadline": START + 8 * HOUR, "pace": 15 * MINUTE, "drain_timeout": 15 * MINUTE}


def site(**more: Any) -> dict[str, Any]:
    row = dict.fromkeys(("visits", "refused_starts", "interrupted_charges", "lost_ms", "stuck_stations"), 0)
    return {**row, "stations": 4, "quarantined_wh": 0, "money_held": {}, **more}


def day(seed: int, **more: Any) -> Seed:
    """A quiet day: a pier that moves and a mill that stays. `pier`, `mill` and any other fact may be told."""
    hours = [
        {"hour": 9, "switches": 10, "interrupted": 2, "lost_ms": 90 * MINUTE},
        {"hour": 10, "switches": 20, "interrupted": 1, "lost_ms": 90 * MINUTE},
        {"hour": 11, "switches": 20, "interrupted": 0, "lost_ms": 100 * MINUTE},
    ]
    facts = {
        "sites": {"pier": site(**more.pop("pier", {})), "mill": site(**more.pop("mill", {}))},
        "windows": {"pier": WINDOW}, "zones": {"pier": "Europe/Oslo", "mill": "Europe/Oslo"},
        "hours": {"pier": hours}, "rollbacks_ms": [20 * MINUTE], "combinations": [["none", "Available", "none"]],
    }  # fmt: skip
    findings, unjudged = more.pop("findings", {}), more.pop("not_judged", {})
    return Seed(seed, f"digest-{seed}", {**facts, **more}, findings, unjudged)


def told(*days: Seed, **more: Any) -> dict[str, Any]:
    return forecast("upgrade-day", "The upgrade", BUDGETS, days, asked=more.pop("asked", len(days)), **more)


def says(reasons: list[dict[str, Any]], ok: bool | None) -> list[str]:
    return [reason["says"].replace("\u00a0", " ") for reason in reasons if reason["ok"] is ok]


def test_quiet_days_are_a_go_with_reasons() -> None:
    one = told(day(1), day(2))
    assert one["verdict"] == one["waves"][0]["verdict"] == "go"
    assert says(one["waves"][0]["reasons"], True) == [
        "interrupted charges: p95 0, within the budget of 2",
        "connector-minutes lost: p95 0, within the budget of 10",
        "refused starts: p95 0, within the budget of 3",
        "stuck stations: p95 0, none is allowed",
        "a rollback of all 4 stations of pier that begins by 15:25 ends before 16:30",
    ]
    assert headline(one).startswith("Go: 2")


def test_the_last_safe_rollback_leaves_room_for_every_station() -> None:
    """Four stations, one every 15 min, 20 min for the last: 65 min before the deadline."""
    last = told(day(1), day(2))["waves"][0]["last_rollback"]
    assert last["at"] == START + 8 * HOUR - 3 * 15 * MINUTE - 20 * MINUTE
    assert (last["local"], last["stations"], last["measured"]) == ("2024-04-09 15:25", 4, 2)


def test_a_rollback_that_never_ends_in_time_is_a_no_go() -> None:
    wave = told(day(1, rollbacks_ms=[9 * HOUR]))["waves"][0]
    assert says(wave["reasons"], False) == [
        "a rollback of all 4 stations of pier does not end before the deadline, whenever it begins"
    ]


def test_without_a_rollback_the_last_safe_time_is_unknown_and_no_verdict() -> None:
    one = told(day(1, rollbacks_ms=[]))
    assert one["waves"][0]["last_rollback"] is None and one["verdict"] == "go"
    assert len(says(one["waves"][0]["reasons"], None)) == 1


@pytest.mark.parametrize(
    ("pier", "reason"),
    [
        ({"interrupted_charges": 3}, "interrupted charges: p95 3, above the budget of 2"),
        ({"lost_ms": 10 * MINUTE + 1}, "connector-minutes lost: p95 11, above the budget of 10"),
        ({"refused_starts": 4}, "refused starts: p95 4, above the budget of 3"),
        ({"stuck_stations": 1}, "stuck stations: p95 1, none is allowed"),
    ],
)
def test_a_bad_p95_is_a_no_go(pier: dict[str, int], reason: str) -> None:
    one = told(day(1), day(2, pier=pier))
    assert one["verdict"] == one["waves"][0]["verdict"] == "no-go"
    assert says(one["waves"][0]["reasons"], False) == [reason]


def test_one_bad_day_of_twenty_is_within_the_percentile_and_is_named() -> None:
    bad = day(20, pier={"interrupted_charges": 9}, findings={"DRV-02": (1, "too many")})
    one = told(*(day(seed) for seed in range(1, 20)), bad)
    assert one["verdict"] == "go" and one["sites"]["pier"]["interrupted_charges"] == {"p50": 0, "p95": 0, "most": 9}
    assert [(row["seed"], row["replay"]) for row in one["over_budget"]] == [(20, "chargerig run upgrade-day --seed 20")]
    assert told(day(1), bad)["verdict"] == "no-go"


def test_what_sites_suffer_that_do_not_move_counts_for_the_whole_only() -> None:
    one = told(day(1, mill={"refused_starts": 4}))
    assert (one["verdict"], one["waves"][0]["verdict"]) == ("no-go", "go")


@pytest.mark.parametrize(
    ("more", "failed", "reason"),
    [
        ({"findings": {"INV-01": (2, "1 Wh is lost")}}, {}, "1 seed with a finding: 2"),
        ({"not_judged": {"L05": "no journal"}}, {}, "1 seed not judged in full: 2"),
        ({}, {7: "LookupError"}, "1 seed failed: 7"),
    ],
)
def test_a_seed_that_went_wrong_is_named_and_no_go(more: dict[str, Any], failed: dict[int, str], reason: str) -> None:
    one = told(day(1), day(2, **more), failed=failed)
    assert one["verdict"] == "no-go" and says(one["waves"][0]["reasons"], False) == [reason]
    rows = [*one["findings"], *one["not_judged"], *one["failed"]]
    assert [row["replay"] for row in rows] == [f"chargerig run upgrade-day --seed {rows[0]['seed']}"]
    assert all(str(text) in page(one) for row in rows for text in row.values())


def test_the_best_hour_loses_least_by_the_switch() -> None:
    hours = told(day(1), day(2))["hours"]["pier"]
    assert hours["best"] == 10
    assert [(row["hour"], row["lost_ms_per_switch"], row["interrupted_per_1000"]) for row in hours["rows"]] == [
        (9, 9 * MINUTE, 200), (10, 270_000, 50), (11, 5 * MINUTE, 0),
    ]  # fmt: skip


def test_combinations_are_counted_once_and_their_growth_is_told() -> None:
    more = [["none", "Available", "none"], ["STUCK", "offline", "none"]]
    assert told(day(4, combinations=more), day(2))["combinations"] == {
        "count": 2,
        "growth": [[2, 1], [4, 2]],
        "all": [["STUCK", "offline", "none", 1], ["none", "Available", "none", 2]],
    }


def test_money_held_is_forecast_by_currency() -> None:
    held = told(day(1, pier={"money_held": {"NOK": 500}}), day(2), day(3))["sites"]["pier"]["money_held"]
    assert held == {"NOK": {"p50": 0, "p95": 500, "most": 500}}


def test_the_same_seeds_give_the_same_bytes_in_whatever_order_they_ended() -> None:
    assert dumps(told(day(1), day(2))) == dumps(told(day(2), day(1)))


def test_nothing_to_forecast_from_is_an_error() -> None:
    with pytest.raises(ValueError, match="no seed"):
        told(asked=3)


@given(st.lists(st.integers(0, 1000), min_size=1), st.sampled_from([50, 95]))
def test_a_percentile_occurred_and_is_not_exceeded_by_so_many(values: list[int], percent: int) -> None:
    found = percentile(values, percent)
    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert sum(value < found for value in values) * 100 < percent * len(values)


def test_the_page_stands_alone_and_escapes_what_it_is_told() -> None:
    bad = day(2, pier={"money_held": {"NOK": 12_345}}, findings={"INV-02": (3, "twice <script>")})
    html = page(told(day(1), bad, asked=9))
    text = re.sub(r"\s+", " ", re.sub("<[^>]*>", "", html))
    assert "No-go: 2 rehearsed days of 9, stopped early" in text and "9 were asked for" in text
    assert "chargerig run upgrade-day --seed 2" in text and "(and 2 more)" in text
    assert "<script" not in html and not re.search(r"(src|href)=\"http", html)
    assert "123.45" in text and "10:00 (best)" in text and html.count("<svg") == 4


def test_a_page_of_a_scenario_in_which_nothing_moves() -> None:
    html = page(told(day(1, windows={}, hours={})))
    assert "Nothing moves in this scenario" in html and html.count("<svg") == 2
    assert (tenth(270_000), tenth(0), per_hundred(125)) == ("4.5", "0.0", "12.5")


def test_a_rehearsal_of_some_sites_says_so_first() -> None:
    one = forecast("tiny --sites pier", "Tiny", {}, [day(1)], asked=1, only=("pier",))
    assert headline(one).replace("\u00a0", " ") == "Go: 1 rehearsed day at pier only, and nothing speaks against it."
    assert [row["site"] for row in one["waves"][0]["last_rollbacks"]] == one["waves"][0]["sites"]
