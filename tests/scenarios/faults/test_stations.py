"""Each kind of fault of stations and tools really happens, does what it says, and the healthy reference stands it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim.clock import HOUR, MINUTE, SECOND, parse_iso
from tests.scenarios.faults.conftest import ALL, MIDDAY

ONE = {"station": "SMOKE-1", "busy": False}


def _stops(one: Any, station: str = "SMOKE-1") -> list[dict[str, Any]]:
    rows = [row for row in one.calls("StopTransaction") if row["station"] == station]
    return [json.loads(row["payload"]) for row in rows]


def test_a_street_loses_power_at_once_and_comes_back_one_by_one(day: Any) -> None:
    street = {"site": "depot", "share": 1.0, "busy": False}
    fault = {"kind": "station.power-loss", "at": MIDDAY, "for": "2m", "release": "staggered over 4m", "where": street}
    one = day(fault)
    dark = {row["at"] for row in one.events("power-loss")}
    back = [row["at"] for row in one.events("power-restored")]
    assert len(dark) == 1 and [at - back[0] for at in back] == [0, 2 * MINUTE, 4 * MINUTE]
    assert one.complaints == []


def test_a_swizzled_release_strikes_and_lets_go_one_by_one_in_another_order(day: Any) -> None:
    fault = {"kind": "station.power-loss", "at": MIDDAY, "lasts": "2m", "release": "swizzled over 3m", "where": ALL}
    orders = set()
    for seed in (1, 2, 3):
        one = day(fault, seed=seed)
        struck = [row["station"] for row in one.events("power-loss")]
        released = [row["station"] for row in one.events("power-restored")]
        assert sorted(struck) == sorted(released) == ["SMOKE-1", "SMOKE-2", "SMOKE-3"] and one.complaints == []
        orders.add((tuple(struck), tuple(released)))
    assert any(struck != released for struck, released in orders)


def test_a_station_reboots_by_itself_and_ends_what_runs_first(day: Any) -> None:
    one = day({"kind": "station.reboot", "at": MIDDAY, "where": ONE})
    assert _stops(one)[0]["reason"] == "Reboot" and one.complaints == []
    assert len([row for row in one.calls("BootNotification") if row["station"] == "SMOKE-1"]) == 2


@pytest.mark.parametrize(("step", "ms"), [("-2h", -2 * HOUR), ("+90s", 90 * SECOND)])
def test_a_clock_jumps_and_messages_carry_the_wrong_time_until_the_next_heartbeat(day: Any, step: str, ms: int) -> None:
    one = day({"kind": "station.clock-step", "at": MIDDAY, "step": step, "where": ONE}, fleet={"heartbeat_s": 3600})
    stop = next(row for row in one.during_all("StopTransaction") if row["station"] == "SMOKE-1")
    told = parse_iso(json.loads(stop["payload"])["timestamp"])
    assert abs(told - stop["sent_at"] - ms) < 2 * SECOND and one.complaints == []


def test_a_clock_drifts_by_its_ppm(day: Any) -> None:
    one = day({"kind": "station.clock-drift", "at": MIDDAY, "lasts": "10m", "ppm": 20_000, "where": ONE})
    steps = [row["data"]["ms"] for row in one.events("clock-stepped")]
    assert steps == [1200] * 10 and one.complaints == []


def test_a_counter_that_begins_at_0_again_changes_what_is_sent_and_not_what_is_signed(day: Any, quiet: Any) -> None:
    one = day({"kind": "station.register-reset", "at": MIDDAY, "where": ONE})
    stop, honest = _stops(one)[0], _stops(quiet)[0]
    assert stop["meterStop"] < 2000 < honest["meterStop"] and one.complaints == []
    assert one.rows("SELECT register_stop FROM truth_meters") == quiet.rows("SELECT register_stop FROM truth_meters")
    held = one.rows("SELECT energy_wh FROM books_sessions WHERE state = 'quarantined'")
    assert held == [{"energy_wh": 1200}]  # never below zero


def test_an_empty_memory_means_that_nobody_ever_hears_of_the_end(day: Any) -> None:
    one = day({"kind": "station.flash-loss", "at": MIDDAY, "lasts": "2m", "where": ONE})
    (session,) = one.rows("SELECT * FROM truth_sessions WHERE harm LIKE '%untold%'")
    assert session["station"] == "SMOKE-1" and session["reason"] == "PowerLoss"
    told = [stop["transactionId"] for stop in _stops(one)]
    started = [row for row in one.calls("StartTransaction") if row["station"] == "SMOKE-1"]
    assert json.loads(started[0]["answer"])["transactionId"] not in told and len(started) >= 2
    (case,) = one.rows("SELECT reason, station FROM books_quarantine")
    assert case == {"reason": "no-stop", "station": "SMOKE-1"} and one.complaints == []


def test_wiped_settings_send_a_station_nowhere_until_somebody_sees_it(day: Any) -> None:
    one = day({"kind": "tool.bulk-wipe", "at": MIDDAY, "lasts": "5m", "where": ALL})
    back = [row["opened_at"] for row in one.links()][3:]
    assert len(one.events("settings-wiped")) == 3 and min(back) > one.faults[0]["until"] and one.complaints == []


def test_a_quirk_is_given_by_its_name_and_counts_as_fired_once_it_shows(day: Any) -> None:
    fault = {"kind": "station.quirk", "quirk": "resend-stop-after-boot", "where": ONE}
    one = day(fault, {"kind": "station.reboot", "at": "10:25", "where": ONE})
    assert {row["kind"] for row in one.faults} == {"station.quirk", "station.reboot"} and one.complaints == []
    stops = _stops(one)
    assert stops[-1] == stops[-2]
    assert day(fault).faults == []  # without a reboot it never shows


def test_a_fault_that_waits_for_a_message_strikes_right_after_it(day: Any) -> None:
    for state, column in (("sent", "delivered_at"), ("committed", "delivered_at"), ("answered", "answer_delivered_at")):
        fault = {"kind": "link.reset", "when": f"after the 3rd StopTransaction {state}", "where": {"sender": True}}
        one = day(fault)
        third = sorted(row[column] for row in one.calls("StopTransaction") if row[column])[2]
        (row,) = one.faults
        cut = [link for link in one.links() if link["closed_by"] == "network"]
        assert row["at"] == third and [link["station"] for link in cut] == [row["target"]] and one.complaints == []


def test_a_share_of_the_day_and_an_offset_are_counted_from_local_midnight(day: Any) -> None:
    start = day({"kind": "link.reset", "when": "+10h5m", "where": ALL}).faults
    share = day({"kind": "link.reset", "when": "42 %", "where": {**ALL, "share": "100 %"}})
    midnight = share.played.stage.start
    assert {row["at"] - midnight for row in start} == {10 * HOUR + 5 * MINUTE}
    assert {row["at"] - midnight for row in share.faults} == {round(0.42 * 24 * HOUR)}


def test_a_fault_comes_again_as_often_as_it_says(day: Any) -> None:
    one = day({"kind": "link.reset", "at": "10:05", "repeat": "3 times every 2m", "where": ONE})
    first = one.faults[0]["at"]
    assert [row["at"] - first for row in one.faults] == [0, 2 * MINUTE, 4 * MINUTE] and one.complaints == []
