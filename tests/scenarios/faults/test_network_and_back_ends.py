"""Each kind of fault of the network and of back-ends really happens, does what it says, and the reference stands it."""

from __future__ import annotations

from typing import Any

from sim.clock import MINUTE, SECOND
from tests.scenarios.faults.conftest import ALL, MIDDAY

LEGACY = {"backend": "legacy"}


def test_latency_makes_every_frame_of_a_station_later_both_ways(day: Any) -> None:
    one = day({"kind": "link.latency", "at": MIDDAY, "lasts": "5m", "latency": "3s", "jitter": "1s", "where": ALL})
    slow = one.during(one.calls("MeterValues"))
    ways = [row["delivered_at"] - row["sent_at"] for row in slow if row["delivered_at"]]
    ways += [row["answer_delivered_at"] - row["answered_at"] for row in slow if row["answer_delivered_at"]]
    assert len(one.faults) == 3 and slow and min(ways) >= 3 * SECOND and max(ways) < 6 * SECOND
    assert one.complaints == []


def test_bandwidth_lets_a_long_frame_wait_for_its_bits(day: Any) -> None:
    one = day({"kind": "link.bandwidth", "at": MIDDAY, "lasts": "5m", "rate": 600, "where": ALL})
    slow = [row for row in one.during(one.calls("MeterValues")) if row["delivered_at"]]
    assert slow and all(row["delivered_at"] - row["sent_at"] > 8_000 * 200 // 600 for row in slow)
    assert one.complaints == []


def test_a_reset_cuts_connections_that_live(day: Any) -> None:
    one = day({"kind": "link.reset", "at": MIDDAY, "where": ALL})
    assert len(one.faults) == 3
    assert [row["closed_by"] for row in one.links()][:3] == ["network"] * 3 and one.complaints == []


def test_a_refused_connection_is_refused_while_it_lasts_and_a_living_one_goes_on(day: Any) -> None:
    cut = {"kind": "link.reset", "id": "cut", "at": "10:06", "where": {"station": "SMOKE-1", "busy": False}}
    refuse = {"kind": "link.refuse", "at": "10:05", "lasts": "5m", "status": 503}
    one = day(cut, {**refuse, "where": {"station": "SMOKE-2", "busy": False}})
    assert [row["kind"] for row in one.faults] == ["link.reset"]  # nobody dialled from SMOKE-2: it never happened
    both = day(cut, {**refuse, "where": {"station": "SMOKE-1", "busy": False}})
    assert [row["kind"] for row in both.faults] == ["link.refuse", "link.reset"] or len(both.faults) == 1


def test_a_fault_and_its_combination_at_one_station_need_not_exclude_each_other(day: Any) -> None:
    where = {"station": "SMOKE-1", "busy": False}
    one = day({"kind": "link.flap", "at": "10:05", "lasts": "5m", "up": "40s", "down": "20s", "where": where})
    cuts = [row for row in one.links() if row["closed_by"] == "network" and row["station"] == "SMOKE-1"]
    assert len(cuts) >= 3 and len(one.faults) == 1 and one.complaints == []


def test_a_slow_close_is_learnt_of_later(day: Any) -> None:
    reboot = {"kind": "backend.restart", "at": "10:06", "lasts": "2m", "where": LEGACY}
    slow = {"kind": "link.slow-close", "at": "10:05", "lasts": "4m", "latency": "30s", "where": ALL}
    one = day(reboot, slow)
    assert {row["kind"] for row in one.faults} == {"backend.restart", "link.slow-close"}
    restarted = next(row["at"] for row in one.faults if row["kind"] == "backend.restart")
    assert all(row["at"] >= restarted + 30 * SECOND for row in one.events("offline")) and one.complaints == []
    assert day(slow).faults == []  # nobody hangs up on a quiet day


def test_a_half_open_connection_is_noticed_by_the_station_alone(day: Any) -> None:
    one = day({"kind": "link.half-open", "at": MIDDAY, "where": ALL})
    ended = {row["station"]: row["closed_at"] for row in one.links() if row["reason"] == "half-open"}
    noticed = {row["station"]: row["at"] for row in one.events("offline")}
    assert set(ended) == set(noticed) and all(noticed[name] - ended[name] > 20 * SECOND for name in ended)
    assert one.complaints == []


def test_a_wrong_password_is_refused_with_401_until_somebody_sets_it_right(day: Any) -> None:
    one = day({"kind": "people.wrong-password", "at": MIDDAY, "lasts": "5m", "where": ALL})
    back = [row["opened_at"] for row in one.links()][3:]
    assert len(one.faults) == 3 and len(back) == 3 and min(back) > one.faults[0]["until"] and one.complaints == []


def test_a_restarted_back_end_hangs_up_and_comes_back(day: Any) -> None:
    one = day({"kind": "backend.restart", "at": MIDDAY, "lasts": "3m", "where": LEGACY})
    assert {(row["closed_by"], row["reason"]) for row in one.links()[:3]} == {("backend", "going away")}
    assert min(row["opened_at"] for row in one.links()[3:]) >= one.faults[0]["until"] and one.complaints == []


def test_a_stalled_back_end_answers_nobody_and_works_off_what_waited(day: Any) -> None:
    fault = {"kind": "backend.stall", "at": "10:05", "lasts": "25s", "repeat": "10 times every 30s", "where": LEGACY}
    one = day(fault)
    assert 3 <= len(one.faults) <= 10  # where nobody sent anything, it never happened
    held = [(row, one.during_fault(row["delivered_at"])) for row in one.calls()]
    late = [(row, fault) for row, fault in held if fault is not None]
    assert late and all(row["answered_at"] >= fault["until"] for row, fault in late) and one.complaints == []


def test_what_waited_at_a_stalled_back_end_is_booked_though_its_station_hung_up_meanwhile(day: Any, quiet: Any) -> None:
    """A stop reaches the socket, the station gives up and sends it again later: two deliveries, one bill (B-26, B-29)."""
    one = day({"kind": "backend.stall", "when": "after the 1st StopTransaction sent", "for": "3m", "where": LEGACY})
    bills = "SELECT session_id, gross FROM books_bills ORDER BY session_id"
    assert one.rows(bills) == quiet.rows(bills) and one.complaints == []


def test_a_slow_store_holds_every_reply_for_its_commit(day: Any, quiet: Any) -> None:
    one = day({"kind": "backend.slow-store", "at": MIDDAY, "lasts": "10m", "latency": "2s", "where": LEGACY})
    slow = [row["answered_at"] - row["delivered_at"] for row in one.during(one.calls(), "delivered_at")]
    assert slow and max(slow) == 2 * SECOND and min(slow) > 0
    assert all(row["answered_at"] == row["delivered_at"] for row in quiet.calls() if row["answered_at"])
    assert one.complaints == []


def test_error_replies_come_while_sockets_stay_up_and_only_to_the_action_that_was_named(day: Any) -> None:
    where = {**LEGACY, "action": "MeterValues"}
    fault = {"kind": "backend.errors", "at": MIDDAY, "lasts": "5m", "code": "GenericError", "where": where}
    one = day(fault)
    refused = [row for row in one.calls() if row["answer_kind"] == "error"]
    assert refused and {row["action"] for row in refused} == {"MeterValues"} and len(one.links()) == 3
    assert all('"GenericError"' in row["answer"] or "GenericError" in row["answer"] for row in refused)
    assert one.complaints == []


def test_a_share_of_errors_is_a_share(day: Any) -> None:
    where = {**LEGACY, "action": "MeterValues", "share": "50 %"}
    one = day({"kind": "backend.errors", "at": "10:04", "lasts": "15m", "where": where})
    told = one.during(one.calls("MeterValues"), "delivered_at")
    refused = [row for row in told if row["answer_kind"] == "error"]
    assert 0.2 < len(refused) / len(told) < 0.8 and one.complaints == []


def test_a_full_disk_kills_a_back_end_at_each_commit_until_there_is_room(day: Any) -> None:
    one = day({"kind": "backend.full-disk", "at": MIDDAY, "lasts": "2m", "where": LEGACY})
    crashes = sorted({row["closed_at"] for row in one.links() if row["closed_by"] == "crash"})
    assert len(one.faults) == 1 and len(crashes) >= 2 and one.complaints == []
    assert crashes[-1] < one.faults[0]["until"] + MINUTE


def test_a_call_that_is_delivered_twice_is_answered_and_booked_once(day: Any, quiet: Any) -> None:
    where = {**LEGACY, "action": "StopTransaction"}
    one = day({"kind": "backend.duplicate-delivery", "at": "10:04", "lasts": "1h", "copies": 3, "where": where})
    bills = "SELECT * FROM books_bills ORDER BY number"
    assert len(one.faults) == 1 and len(one.rows(bills)) == len(quiet.rows(bills)) == 4 and one.complaints == []
