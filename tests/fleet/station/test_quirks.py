"""The sourced quirks of the vendor profiles, and that a profile without them behaves."""

from __future__ import annotations

from typing import Any

MINUTE = 60


def test_the_last_stop_is_sent_once_more_after_a_reboot_confirmed_or_not(bench: Any) -> None:
    b = bench("ac-compact").boot().charge().do("unplug", connector=1).run(5)
    b.call("Reset", type="Soft")
    b.run(2 * MINUTE)
    first, second = b.payloads("StopTransaction")
    assert first == second
    b.do("power-loss").do("power-restored").run(2 * MINUTE)
    assert len(b.payloads("StopTransaction")) == 2


def test_an_unconfirmed_stop_is_sent_and_then_once_more(bench: Any, world: Any) -> None:
    b = bench("ac-compact").boot().charge()
    b.table["StopTransaction"] = world.silent
    b.do("unplug", connector=1).run(1).do("power-loss")
    b.table["StopTransaction"] = {}
    b.do("power-restored").run(2 * MINUTE)
    stops = b.payloads("StopTransaction")
    assert len(stops) == 3 and stops[0] == stops[1] == stops[2]


def test_the_repeated_stop_goes_to_the_new_back_end_with_the_old_id(bench: Any) -> None:
    b = bench("ac-compact").boot().charge().do("unplug", connector=1).run(5)
    b.call("ChangeConfiguration", key="BackendUrl", value="ws://new/ocpp")
    b.call("Reset", type="Soft")
    b.run(2 * MINUTE)
    stops = [call for call in b.asked if call.action == "StopTransaction"]
    assert [call.payload["transactionId"] for call in stops] == [1001, 1001]
    assert [b.opened[call.link - 1][1] for call in stops] == ["ws://legacy/ocpp/ST-1", "ws://new/ocpp/ST-1"]


def test_one_status_is_sent_before_the_boot_at_each_power_up_and_its_refusal_is_harmless(
    bench: Any, world: Any
) -> None:
    b = bench("ac-compact")
    good = b.table["StatusNotification"]

    def first_refused(payload: Any) -> Any:
        if len(b.asked) == 1:
            raise world.denied("SecurityError")
        return good

    b.table["StatusNotification"] = first_refused
    b.boot()
    assert b.actions()[:2] == ["StatusNotification", "BootNotification"]
    assert b.payloads("StatusNotification")[0]["connectorId"] == 0
    assert b.cut().run(2 * MINUTE).actions("BootNotification") == ["BootNotification"]
    assert b.statuses(0)[1:] == ["Available"]


def test_the_end_sample_comes_after_the_stop_with_the_ended_id(bench: Any) -> None:
    b = bench("ac-cloud").boot().charge().do("unplug", connector=1).run(5)
    assert b.actions("StopTransaction", "MeterValues") == ["StopTransaction", "MeterValues"]
    late, stop = b.payloads("MeterValues")[0], b.payloads("StopTransaction")[0]
    assert late["transactionId"] == stop["transactionId"] == 1001
    sample = late["meterValue"][0]["sampledValue"][0]
    assert (sample["context"], sample["value"]) == ("Transaction.End", str(stop["meterStop"]))


def test_a_profile_without_quirks_does_none_of_it(bench: Any) -> None:
    b = bench("ac-duo").boot().charge().do("unplug", connector=1).run(5)
    b.call("Reset", type="Soft")
    b.run(2 * MINUTE)
    assert b.actions()[0] == "BootNotification"
    assert b.actions("StopTransaction", "MeterValues") == ["StopTransaction"]
    assert "last-stop" not in b.rig.flash
