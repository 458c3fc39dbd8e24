"""The rows B-01 to B-30 of outage behaviour, in whole days: what stations do, and what a good back-end makes of it.

Each test is named by its row. What a station alone does (waits, attempts, queue, flash) has tests of its own in
tests/fleet/station; here both ends and the bill are looked at.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from sim.clock import MINUTE, SECOND
from tests.scenarios.faults.conftest import ALL, MIDDAY

LEGACY = {"backend": "legacy"}
EVERYWHERE = {"station": "*", "share": 1.0, "busy": False}
"""As ALL, at stations that may have another fault as well."""
BILLS = "SELECT session_id, gross FROM books_bills ORDER BY session_id"


def quirk(name: str) -> dict[str, Any]:
    return {"kind": "station.quirk", "id": name, "quirk": name, "where": EVERYWHERE}


def errors(lasts: str, *actions: str) -> list[dict[str, Any]]:
    """The back-end refuses these messages while sockets stay up."""
    made = [{**LEGACY, "action": action} for action in actions]
    return [
        {"kind": "backend.errors", "id": where["action"], "at": "10:11", "for": lasts, "where": where} for where in made
    ]


def shown(day: Any) -> set[str]:
    return {row["fault_id"] for row in day.faults}


def order(day: Any, station: str, *actions: str) -> list[str]:
    rows = [row for row in day.calls() if row["station"] == station and row["answer_kind"] == "result"]
    return [row["action"] for row in rows if row["action"] in actions]


def held(day: Any) -> Sequence[dict[str, Any]]:
    return day.rows("SELECT station, reason FROM books_quarantine ORDER BY station")  # type: ignore[no-any-return]


def test_b01_what_was_queued_offline_comes_in_order_and_is_billed(day: Any) -> None:
    off = {"kind": "link.refuse", "id": "off", "at": "10:00", "lasts": "40m", "where": EVERYWHERE}
    one = day(off, {"kind": "link.reset", "id": "cut", "at": "10:04", "where": EVERYWHERE})
    told = order(one, "SMOKE-1", "StartTransaction", "MeterValues", "StopTransaction")
    told = told[told.index("StartTransaction") : told.index("StopTransaction")]
    assert told.count("MeterValues") > 5 and told.count("StartTransaction") == 1
    (stop,) = [row for row in one.calls("StopTransaction") if row["station"] == "SMOKE-1"]
    assert stop["delivered_at"] - one.faults[0]["at"] > 30 * MINUTE and shown(one) == {"off", "cut"}
    assert len(one.rows(BILLS)) >= 2 and one.complaints == []


@pytest.mark.parametrize(("attempts", "interval", "gone_after"), [(3, 60, 180), (10, 300, 13_500)])
def test_b02_sockets_that_stay_up_and_err_lose_a_message_after_its_patience(
    bench: Any, world: Any, attempts: int, interval: int, gone_after: int
) -> None:
    """3 attempts, 60 s: gone 180 s after its first failure; 10 and 300 s: after 13,500 s (OCPP 1.6 §3.7.1)."""

    def err(payload: Any) -> Any:
        raise world.denied("InternalError")

    keys = {"TransactionMessageAttempts": str(attempts), "TransactionMessageRetryInterval": str(interval)}
    b = bench(keys={**keys, "MeterValueSampleInterval": "0"}).boot().charge()
    b.table["StopTransaction"] = err
    b.do("unplug", connector=1).run(gone_after - 1)
    assert b.events("discarded") == []
    first = next(call.at for call in b.asked if call.action == "StopTransaction")
    (gone,) = b.run(10).events("discarded")
    assert gone_after <= (gone["at"] - first) / 1000 < gone_after + 3 and gone["data"]["action"] == "StopTransaction"


def test_b02_an_outage_shorter_than_the_patience_loses_nothing(day: Any, quiet: Any) -> None:
    one = day(*errors("2m", "StopTransaction", "StartTransaction"))
    assert shown(one) and one.events("discarded") == [] and len(one.rows(BILLS)) == len(quiet.rows(BILLS))
    assert one.complaints == []


def test_b03_events_of_2_0_1_have_their_own_patience(bench: Any, world: Any) -> None:
    """5 attempts of 10 s: gone after 10 + 20 + 30 + 40 s (OCPP 2.0.1 E13.FR.01-04)."""

    def err(payload: Any) -> Any:
        raise world.denied("InternalError")

    keys = {
        "OCPPCommCtrlr.MessageAttempts[TransactionEvent]": "5",
        "OCPPCommCtrlr.MessageAttemptInterval[TransactionEvent]": "10",
    }
    b = bench("ac-nova", keys=keys).boot()
    b.table["TransactionEvent"] = err
    b.charge().run(120)
    first = next(call.at for call in b.asked if call.action == "TransactionEvent")
    assert 100 <= (b.events("discarded")[0]["at"] - first) / 1000 < 103


def test_b04_b05_events_told_late_say_offline_and_are_numbered_without_a_hole(bench: Any) -> None:
    b = bench("ac-nova").boot().charge()
    b.refusing = True
    b.cut().run(700).do("unplug", connector=1).run(5)
    b.refusing = False
    b.run(900)
    events = b.payloads("TransactionEvent")
    assert [event["seqNo"] for event in events] == list(range(len(events))) and events[-1]["eventType"] == "Ended"
    assert [event["offline"] for event in events][-1] is True and events[0]["offline"] is False


@pytest.mark.parametrize("name", ["stop-with-id-zero", "negative-transaction-id", "power-loss-with-id-zero"])
def test_b07_a_stop_without_its_id_is_found_by_what_fits(day: Any, quiet: Any, name: str) -> None:
    dark = {"kind": "station.power-loss", "id": "dark", "at": MIDDAY, "lasts": "1m", "where": EVERYWHERE}
    one = day(quirk(name), dark)
    assert name in shown(one) and one.complaints == [] and len(one.rows(BILLS)) >= len(quiet.rows(BILLS))


def test_b09_a_token_that_is_refused_after_all_is_billed_to_nobody(bench: Any) -> None:
    for keys, reason in (
        ({"StopTransactionOnInvalidId": "true"}, "DeAuthorized"),
        ({"StopTransactionOnInvalidId": "false"}, ""),
    ):
        b = bench(keys=keys).boot()
        b.table["StartTransaction"] = {"idTagInfo": {"status": "Blocked"}, "transactionId": 5}
        b.charge().run(120)
        assert [p["reason"] for p in b.payloads("StopTransaction")] == [reason] * bool(reason)
        assert b.rig.board.outlets[1].contactor is False


def test_b10_a_power_loss_ends_what_ran_with_its_reason_and_bills_it(day: Any) -> None:
    one = day({"kind": "station.power-loss", "at": MIDDAY, "lasts": "2m", "where": ALL})
    reasons = [json.loads(row["payload"])["reason"] for row in one.calls("StopTransaction")]
    assert reasons.count("PowerLoss") == 3 and one.complaints == []


@pytest.mark.parametrize("name", ["clock-at-1970-after-boot", "clock-at-2014-after-boot", "local-time-at-boot"])
def test_b11_a_clock_that_was_never_set_bills_nobody_wrongly(day: Any, name: str) -> None:
    one = day(
        quirk(name), {"kind": "station.power-loss", "id": "dark", "at": MIDDAY, "lasts": "1m", "where": EVERYWHERE}
    )
    assert name in shown(one) and one.complaints == []


def test_b12_nothing_leaves_a_station_before_it_is_accepted(day: Any) -> None:
    one = day({"kind": "station.reboot", "at": MIDDAY, "where": ALL})
    boots = [row for row in one.calls() if row["sent_at"] > one.faults[0]["at"] + 5 * SECOND]
    first = {row["station"]: row["action"] for row in reversed(boots) if row["action"] != "Heartbeat"}
    assert set(first.values()) == {"BootNotification"} and one.complaints == []


def test_b13_a_boot_on_each_reconnect_ends_no_transaction(day: Any, quiet: Any) -> None:
    one = day(quirk("boots-on-reconnect"), {"kind": "link.reset", "id": "cut", "at": MIDDAY, "where": EVERYWHERE})
    assert shown(one) == {"boots-on-reconnect", "cut"} and one.rows(BILLS) == quiet.rows(BILLS)
    assert one.complaints == []


def test_b14_a_half_open_connection_costs_no_session(day: Any, quiet: Any) -> None:
    one = day({"kind": "link.half-open", "at": MIDDAY, "where": ALL})
    assert len(one.faults) == 3 and one.rows(BILLS) == quiet.rows(BILLS) and one.complaints == []


def test_b15_the_newest_connection_of_an_identity_wins_and_the_late_close_of_the_old_one_changes_nothing(
    day: Any,
) -> None:
    """The station gives a connection up, the back-end learns of that only after it is back."""
    slow = {"kind": "link.slow-close", "id": "slow", "at": "10:05", "lasts": "6m", "latency": "2m", "where": EVERYWHERE}
    one = day(slow, quirk("idle-close"), quirk("hangs-on-calls"), fleet={"sample_s": 3600, "aligned_s": 0})
    links = [row for row in one.links() if row["station"] == "SMOKE-1"]
    assert len(links) > 1 and one.complaints == []


def test_b16_a_refused_station_waits_longer_each_time(bench: Any) -> None:
    b = bench().boot()
    b.refusing = True
    b.cut().run(1200)
    gaps = [(after - before) / 1000 for (before, _), (after, _) in zip(b.opened[1:], b.opened[2:], strict=False)]
    plan = b.config.profile.reconnect
    most = (plan.wait_min_s << plan.repeats) + plan.random_s + 1
    assert gaps[0] < gaps[3] and max(gaps) <= most


def test_b17_a_station_that_hangs_at_every_call_delays_no_other(day: Any, quiet: Any) -> None:
    one = day({**quirk("hangs-on-calls"), "where": {"station": "SMOKE-1", "busy": False}})
    others = [row for row in one.calls("StopTransaction") if row["station"] != "SMOKE-1"]
    same = [row for row in quiet.calls("StopTransaction") if row["station"] != "SMOKE-1"]
    assert [row["payload"] for row in others] == [row["payload"] for row in same] and one.complaints == []


@pytest.mark.parametrize("name", ["reply-without-call", "same-id-after-reconnect"])
def test_b18_an_answer_without_a_call_and_an_id_used_twice_are_harmless(day: Any, quiet: Any, name: str) -> None:
    stall = {
        "kind": "backend.stall",
        "id": "stall",
        "when": "after the 1st StopTransaction sent",
        "for": "90s",
        "where": LEGACY,
    }
    one = day(quirk(name), stall, {"kind": "link.reset", "id": "cut", "at": MIDDAY, "where": EVERYWHERE})
    assert name in shown(one) and one.rows(BILLS) == quiet.rows(BILLS) and one.complaints == []


@pytest.mark.parametrize("name", ["control-characters-in-idtag", "dash-in-idtag"])
def test_b20_a_token_that_comes_back_longer_closes_its_session_all_the_same(day: Any, quiet: Any, name: str) -> None:
    one = day(quirk(name))
    assert shown(one) == {name} and one.rows(BILLS) == quiet.rows(BILLS) and one.complaints == []


@pytest.mark.parametrize("name", ["register-per-session", "samples-per-session"])
def test_b21_a_counter_per_session_is_billed_by_what_was_signed(day: Any, quiet: Any, name: str) -> None:
    one = day(quirk(name))
    assert shown(one) == {name} and one.rows(BILLS) == quiet.rows(BILLS) and one.complaints == []


@pytest.mark.parametrize("name", ["frozen-register", "stop-below-start"])
def test_b22_a_register_that_cannot_be_is_held_and_never_below_zero(day: Any, name: str) -> None:
    one = day(quirk(name))
    energies = [row["energy_wh"] for row in one.rows("SELECT energy_wh FROM books_sessions")]
    assert min(energies) > 0 and one.complaints == []
    assert {row["reason"] for row in held(one)} <= {"implausible"}


@pytest.mark.parametrize("name", ["empty-samples", "odd-unit", "odd-context", "omits-power"])
def test_b23_odd_samples_cost_no_session(day: Any, quiet: Any, name: str) -> None:
    one = day(quirk(name), fleet={"sample_s": 30})
    assert shown(one) == {name} and len(one.rows(BILLS)) == len(quiet.rows(BILLS)) and one.complaints == []


@pytest.mark.parametrize(
    "name", ["end-values-after-stop", "sticky-transaction-id", "stale-samples", "trickle-after-stop"]
)
def test_b24_late_samples_reopen_nothing(day: Any, quiet: Any, name: str) -> None:
    one = day(quirk(name), fleet={"sample_s": 30})
    open_ones = one.rows("SELECT * FROM books_transactions WHERE state = 'open'")
    assert shown(one) == {name} and open_ones == [] and len(one.rows(BILLS)) == len(quiet.rows(BILLS))


def test_b25_a_status_neither_opens_nor_closes_a_bill(day: Any, quiet: Any) -> None:
    one = day(quirk("available-while-plugged"))
    assert len(one.faults) == 3 and one.rows(BILLS) == quiet.rows(BILLS) and one.complaints == []


def test_b26_a_start_delivered_twice_is_one_transaction_with_one_answer(day: Any, quiet: Any) -> None:
    where = {**LEGACY, "action": "StartTransaction"}
    one = day({"kind": "backend.duplicate-delivery", "at": "09:55", "lasts": "1h", "where": where})
    count = "SELECT count(*) AS n FROM books_transactions"
    assert len(one.faults) == 1 and one.rows(count) == quiet.rows(count) and one.complaints == []


def test_b27_a_second_stop_with_other_values_is_held_and_the_first_one_stands(day: Any, quiet: Any) -> None:
    one = day({"kind": "station.second-stop", "at": "10:20", "lasts": "20m", "where": {"busy": False}})
    assert len(one.faults) == 1 and [row["reason"] for row in held(one)] == ["second-stop"]
    assert one.rows(BILLS) == quiet.rows(BILLS) and one.complaints == []


def test_b28_a_start_that_is_answered_late_is_one_session(day: Any, quiet: Any) -> None:
    one = day({"kind": "backend.stall", "when": "after the 1st StartTransaction sent", "for": "2m", "where": LEGACY})
    assert len(one.faults) == 1 and len(one.rows(BILLS)) == len(quiet.rows(BILLS)) and one.complaints == []


def test_b29_a_stall_with_sockets_up_is_seen_by_lag_and_not_by_connections(day: Any) -> None:
    one = day({"kind": "backend.stall", "at": "10:05", "lasts": "25s", "repeat": "10 times every 30s", "where": LEGACY})
    lag = [row["answered_at"] - row["delivered_at"] for row in one.calls() if row["answered_at"]]
    assert max(lag) > 5 * SECOND and len(one.links()) == 3


def test_b30_while_the_back_end_is_away_running_sessions_go_on_and_are_billed(day: Any, quiet: Any) -> None:
    one = day({"kind": "backend.restart", "at": "10:06", "lasts": "30m", "where": LEGACY})
    assert len(one.faults) == 1 and one.complaints == []
    charged = [row["session_id"] for row in one.rows("SELECT session_id FROM truth_sessions")]
    assert {"SMOKE-1/1", "SMOKE-2/1", "SMOKE-3/1"} <= set(charged) and len(one.rows(BILLS)) >= 3
