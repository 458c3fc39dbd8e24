"""Registration, heartbeat and clock (OCPP 1.6 §4.2, §4.6; INV-16, INV-17)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from sim.clock import iso

MINUTE, HOUR = 60, 3600


def boot_answer(b: Any, status: str, interval: int) -> Any:
    return lambda payload: {"status": status, "currentTime": iso(b.now), "interval": interval}


def test_after_accepted_comes_the_status_of_connector_0_and_of_every_connector_once(bench: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot()
    assert b.actions() == ["BootNotification"] + ["StatusNotification"] * 3
    assert [p["connectorId"] for p in b.payloads("StatusNotification")] == [0, 1, 2]
    assert b.payloads("BootNotification")[0]["chargePointSerialNumber"] == "ST-1"


def test_no_boot_notification_after_a_plain_reconnect(bench: Any) -> None:
    b = bench("ac-duo").boot().cut().run(2 * MINUTE)
    assert b.actions("BootNotification") == ["BootNotification"]
    assert len(b.opened) == 2 and b.actions()[-1] == "StatusNotification"


def test_pending_stays_silent_and_asks_again_after_the_interval(bench: Any) -> None:
    b = bench("ac-duo")
    b.table["BootNotification"] = boot_answer(b, "Pending", 90)
    b.run(10 * MINUTE)
    boots = [call.at for call in b.asked]
    assert set(b.actions()) == {"BootNotification"}
    assert all(90_000 <= after - before < 91_000 for before, after in pairwise(boots))


def test_pending_with_interval_0_asks_again_at_the_stations_own_pace(bench: Any) -> None:
    b = bench("ac-duo")
    b.table["BootNotification"] = boot_answer(b, "Pending", 0)
    assert len(b.run(5 * MINUTE).asked) == 5


def test_pending_answers_configuration_but_rejects_remote_start_and_stop(bench: Any) -> None:
    b = bench("ac-duo")
    b.table["BootNotification"] = boot_answer(b, "Pending", 600)
    b.run(5)
    assert b.call("ChangeConfiguration", key="ConnectionTimeOut", value="90") == {"status": "Accepted"}
    assert b.call("RemoteStartTransaction", idTag="T", connectorId=1) == {"status": "Rejected"}
    assert b.call("RemoteStopTransaction", transactionId=1) == {"status": "Rejected"}
    assert set(b.actions()) == {"BootNotification"}


def test_pending_sends_what_a_trigger_asks_for_and_boots_again_when_triggered(bench: Any) -> None:
    b = bench("ac-duo")
    b.table["BootNotification"] = boot_answer(b, "Pending", 6000)
    b.run(5)
    assert b.call("TriggerMessage", requestedMessage="StatusNotification", connectorId=1) == {"status": "Accepted"}
    assert b.run(1).actions()[-1] == "StatusNotification"
    b.table["BootNotification"] = boot_answer(b, "Accepted", 300)
    assert b.call("TriggerMessage", requestedMessage="BootNotification") == {"status": "Accepted"}
    b.run(5)
    assert b.actions("BootNotification", "StatusNotification")[2:] == ["BootNotification"] + ["StatusNotification"] * 2
    assert b.call("TriggerMessage", requestedMessage="BootNotification") == {"status": "Rejected"}


def test_rejected_is_silence_in_both_directions_for_the_interval(bench: Any) -> None:
    b = bench("ac-duo")
    b.table["BootNotification"] = boot_answer(b, "Rejected", 300)
    b.run(5)
    assert b.call("GetConfiguration") is None
    assert b.call("Nonsense") is None
    b.plug().do("swipe", connector=1, token="T").run(4 * MINUTE)
    assert b.texts() == ["unavailable", "no-answer"]
    assert b.actions() == ["BootNotification"]
    assert b.run(2 * MINUTE).actions() == ["BootNotification"] * 2


def test_a_refused_boot_is_repeated_with_a_growing_wait(bench: Any, world: Any) -> None:
    def refuse(payload: Any) -> Any:
        raise world.denied("InternalError")

    b = bench("ac-duo")
    b.table["BootNotification"] = refuse
    boots = [call.at for call in b.run(30 * MINUTE).asked]
    waits = [round((after - before) / 1000) for before, after in pairwise(boots)]
    assert waits == [60, 120, 240, 480]


def test_an_unanswered_boot_is_repeated_on_a_new_connection_with_a_growing_wait(bench: Any, world: Any) -> None:
    b = bench("ac-duo")
    b.table["BootNotification"] = world.silent
    b.run(20 * MINUTE)
    dials = [at for at, _ in b.opened]
    waits = [(after - before) // 1000 for before, after in pairwise(dials)]
    assert set(b.actions()) == {"BootNotification"}
    assert waits[0] < waits[1] < waits[2] and all(wait < 30 + 80 + 20 + 1 for wait in waits)


def test_an_answer_that_breaks_the_schema_is_no_answer_to_a_boot(bench: Any) -> None:
    b = bench("ac-duo")
    good = b.table["BootNotification"]
    b.table["BootNotification"] = {"status": "Accepted"}
    assert b.boot().actions() == ["BootNotification"]
    b.table["BootNotification"] = good
    assert b.run(2 * MINUTE).actions("BootNotification") == ["BootNotification"] * 2
    assert b.statuses() == ["Available"]


def test_a_back_end_that_forgot_the_station_gets_a_boot_notification(bench: Any, world: Any) -> None:
    b = bench("ac-duo").boot()

    def forgotten(payload: Any) -> Any:
        raise world.denied("SecurityError")

    b.table["Heartbeat"] = forgotten
    b.run(6 * MINUTE)
    assert b.actions("Heartbeat", "BootNotification") == ["BootNotification", "Heartbeat", "BootNotification"]


def test_heartbeats_go_out_only_after_silence(bench: Any) -> None:
    b = bench("ac-duo", keys={"MeterValueSampleInterval": "60"}).boot().run(HOUR)
    assert len(b.actions("Heartbeat")) == 12
    b.charge(energy_wh=100_000).run(HOUR)
    assert len(b.actions("Heartbeat")) == 12 and len(b.actions("MeterValues")) == 60


def test_a_busy_station_still_sends_one_heartbeat_a_day_for_the_clock(bench: Any) -> None:
    b = bench("ac-duo", keys={"MeterValueSampleInterval": "200"}).boot().charge(energy_wh=10**7).run(50 * HOUR)
    assert len(b.actions("Heartbeat")) == 2


def test_the_interval_of_the_boot_answer_becomes_the_key_and_survives(bench: Any) -> None:
    b = bench("ac-duo")
    b.table["BootNotification"] = boot_answer(b, "Accepted", 77)
    b.boot()
    rows = b.call("GetConfiguration", key=["HeartbeatInterval"])["configurationKey"]
    assert rows == [{"key": "HeartbeatInterval", "readonly": False, "value": "77"}]
    assert b.rig.flash["config/HeartbeatInterval"] == "77"
    assert b.run(3 * 77 + 1).actions("Heartbeat") == ["Heartbeat"] * 3


def test_changing_the_heartbeat_interval_acts_at_once_and_0_switches_it_off(bench: Any) -> None:
    b = bench("ac-duo").boot()
    b.call("ChangeConfiguration", key="HeartbeatInterval", value="20")
    assert len(b.run(61).actions("Heartbeat")) == 3
    b.call("ChangeConfiguration", key="HeartbeatInterval", value="0")
    assert len(b.run(HOUR).actions("Heartbeat")) == 3


@pytest.mark.parametrize(("off_by", "offset"), [(900, 0), (-900, 0), (5_000, 5_000), (-86_400_000, -86_400_000)])
def test_the_clock_is_set_only_if_it_deviates_by_more_than_a_second(bench: Any, off_by: int, offset: int) -> None:
    b = bench("ac-duo")
    b.table["BootNotification"] = lambda p: {"status": "Accepted", "currentTime": iso(b.now + off_by), "interval": 300}
    b.boot()
    assert abs(b.rig.station.desk.clock.offset - offset) <= 1
    assert len(b.events("clock-set")) == (1 if offset else 0)


def test_a_clock_that_was_set_once_is_right_after_a_power_loss(bench: Any) -> None:
    b = bench("ac-compact").boot()
    assert b.events("clock-set")[0]["data"] == {"before_ms": -1_478_000, "after_ms": 0}
    b.do("power-loss").run(60).do("power-restored").run(2 * MINUTE)
    assert len(b.events("clock-set")) == 1 and b.rig.station.desk.clock.offset == 0


def test_an_answer_that_took_long_moves_the_clock_no_more_than_its_doubt_allows(bench: Any) -> None:
    b = bench("ac-duo").boot()
    b.rig.station.desk.clock.sync(iso(b.now - 20_000), b.now - 20_000, b.now)
    assert b.rig.station.desk.clock.offset == 0


@pytest.mark.parametrize("told", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_time_that_nobody_can_mean_is_ignored(bench: Any, told: str) -> None:
    b = bench("ac-duo")
    b.table["Heartbeat"] = {"currentTime": told}
    b.boot().run(HOUR)
    assert b.rig.station.desk.clock.offset == 0 and len(b.actions("Heartbeat")) > 5


def test_times_with_offsets_and_without_fractions_are_understood(bench: Any) -> None:
    b = bench("ac-compact")
    b.table["BootNotification"] = lambda p: {
        "status": "Accepted",
        "currentTime": iso(b.now + 7_200_000)[:-5] + "+02:00",
        "interval": 300,
    }
    b.boot()
    assert abs(b.rig.station.desk.clock.offset) <= 1000
