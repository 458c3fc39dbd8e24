"""The status table: no forbidden change is ever notified (OCPP 1.6 §4.9)."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.station.status import ALLOWED, STATUSES

MINUTE = 60


def test_the_matrix_allows_what_the_specification_lists_and_nothing_else() -> None:
    codes = {
        "Available": "2345789",
        "Preparing": "134569",
        "Charging": "145689",
        "SuspendedEV": "135689",
        "SuspendedEVSE": "134689",
        "Finishing": "1289",
        "Reserved": "1289",
        "Unavailable": "123459",
        "Faulted": "12345678",
    }
    listed = {(before, STATUSES[int(digit) - 1]) for before, digits in codes.items() for digit in digits}
    assert listed == ALLOWED


def test_a_session_by_card_walks_through_five_notifications(bench: Any) -> None:
    b = bench("ac-duo").boot().charge(energy_wh=1100).run(10 * MINUTE)
    b.do("swipe", connector=1, token="TAG").run(5).do("unplug", connector=1).run(5)
    assert b.statuses()[1:] == ["Preparing", "Charging", "SuspendedEV", "Finishing", "Available"]


def test_unplugging_ends_the_transaction_before_finishing_is_notified(bench: Any) -> None:
    b = bench("ac-duo").boot().charge().do("unplug", connector=1).run(5)
    assert b.actions()[-3:] == ["StopTransaction", "StatusNotification", "StatusNotification"]
    assert b.statuses()[-2:] == ["Finishing", "Available"]
    assert b.payloads("StopTransaction")[0]["reason"] == "EVDisconnected"


def test_a_cable_without_a_token_ends_in_finishing_after_the_connection_timeout(bench: Any) -> None:
    b = bench("ac-duo", keys={"ConnectionTimeOut": "90"}).boot().plug().run(100)
    assert b.statuses()[1:] == ["Preparing", "Finishing"] and b.texts() == ["no-answer"]
    b.do("swipe", connector=1, token="TAG").run(5)
    assert b.statuses()[-2:] == ["Preparing", "Charging"]


def test_a_token_without_a_cable_is_dropped_after_the_connection_timeout(bench: Any) -> None:
    b = bench("ac-duo", keys={"ConnectionTimeOut": "90"}).boot()
    b.do("swipe", connector=1, token="TAG").run(100)
    assert b.statuses()[1:] == ["Preparing", "Available"] and b.actions("StartTransaction") == []


def test_a_second_swipe_without_a_cable_abandons_the_use(bench: Any) -> None:
    b = bench("ac-duo").boot().do("swipe", connector=1, token="TAG").run(5).do("swipe", connector=1, token="TAG").run(5)
    assert b.statuses()[1:] == ["Preparing", "Available"]


def test_a_token_first_and_then_the_cable_starts(bench: Any) -> None:
    b = bench("ac-duo").boot().do("swipe", connector=1, token="TAG").run(5).plug().run(5)
    assert b.statuses()[1:] == ["Preparing", "Charging"]


def test_while_offline_nothing_is_notified_and_after_the_reconnect_only_what_changed(bench: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot()
    b.refusing = True
    b.cut().plug().run(30).do("unplug", connector=1).run(30).plug().run(30)
    seen = len(b.asked)
    b.refusing = False
    b.run(2 * MINUTE)
    late = [(p.payload["connectorId"], p.payload["status"]) for p in b.asked[seen:] if p.action == "StatusNotification"]
    assert late == [(1, "Preparing")]


def test_a_notification_lost_with_the_connection_is_repeated(bench: Any, world: Any) -> None:
    b = bench("ac-duo").boot()
    b.table["StatusNotification"] = world.silent
    b.plug().run(1)
    b.table["StatusNotification"] = {}
    b.cut().run(MINUTE)
    assert b.statuses() == ["Available", "Preparing", "Preparing"]


def test_a_status_shorter_than_the_minimum_duration_is_not_notified(bench: Any) -> None:
    b = bench("ac-duo", keys={"MinimumStatusDuration": "10"}).boot()
    b.plug().run(4).do("unplug", connector=1).run(30)
    assert b.statuses() == ["Available"]
    b.plug().run(30)
    assert b.statuses() == ["Available", "Preparing"]


def test_an_unplugged_ev_may_leave_its_transaction_running(bench: Any) -> None:
    b = bench("ac-duo", keys={"StopTransactionOnEVSideDisconnect": "false"}).boot().charge().do("unplug", connector=1)
    b.run(5)
    last = b.payloads("StatusNotification")[-1]
    assert (last["status"], last["info"]) == ("SuspendedEV", "EV side disconnected")
    assert b.actions("StopTransaction") == []
    b.do("swipe", connector=1, token="TAG").run(5)
    assert b.payloads("StopTransaction")[0]["reason"] == "Local" and b.statuses()[-1] == "Available"


# -- availability -------------------------------------------------------------------------------------------------------


def test_a_free_connector_becomes_unavailable_at_once_and_available_again(bench: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot()
    assert b.call("ChangeAvailability", connectorId=1, type="Inoperative") == {"status": "Accepted"}
    assert b.call("ChangeAvailability", connectorId=1, type="Inoperative") == {"status": "Accepted"}
    b.run(5)
    assert b.statuses(1) == ["Available", "Unavailable"] and b.statuses(2) == ["Available"]
    b.plug().do("swipe", connector=1, token="TAG").run(5)
    assert b.texts() == ["unavailable", "unavailable"] and b.actions("Authorize") == []
    b.call("ChangeAvailability", connectorId=1, type="Operative")
    assert b.run(5).statuses(1)[-1] == "Preparing"


def test_a_change_of_availability_waits_for_the_end_of_the_transaction(bench: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot().charge()
    assert b.call("ChangeAvailability", connectorId=0, type="Inoperative") == {"status": "Scheduled"}
    b.run(5)
    assert (b.statuses(0)[-1], b.statuses(1)[-1], b.statuses(2)[-1]) == ("Available", "Charging", "Unavailable")
    b.do("swipe", connector=1, token="TAG").run(5)
    assert (b.statuses(0)[-1], b.statuses(1)[-2:]) == ("Unavailable", ["Charging", "Unavailable"])


def test_a_use_that_has_begun_may_go_on_although_unavailable_is_scheduled(bench: Any) -> None:
    b = bench("ac-duo").boot().plug().run(5)
    assert b.call("ChangeAvailability", connectorId=1, type="Inoperative") == {"status": "Scheduled"}
    b.do("swipe", connector=1, token="TAG").run(5)
    assert b.statuses()[-1] == "Charging"
    b.do("unplug", connector=1).run(5)
    assert b.statuses()[-1] == "Unavailable"


def test_unavailable_survives_reboot_and_power_loss(bench: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot()
    b.call("ChangeAvailability", connectorId=0, type="Inoperative")
    b.call("ChangeAvailability", connectorId=2, type="Operative")
    b.call("Reset", type="Soft")
    b.run(2 * MINUTE).do("power-loss").do("power-restored").run(2 * MINUTE)
    assert [b.statuses(n)[-1] for n in (0, 1, 2)] == ["Unavailable", "Unavailable", "Available"]


def test_a_scheduled_change_survives_a_power_loss(bench: Any) -> None:
    b = bench("ac-duo").boot().charge()
    b.call("ChangeAvailability", connectorId=1, type="Inoperative")
    b.do("power-loss").do("power-restored").run(2 * MINUTE)
    assert b.statuses()[-1] == "Unavailable"


def test_an_unknown_connector_is_rejected(bench: Any) -> None:
    assert bench("ac-duo").boot().call("ChangeAvailability", connectorId=3, type="Operative") == {"status": "Rejected"}


# -- anything at all ------------------------------------------------------------------------------------------------------

DOINGS = st.sampled_from(
    [
        ("plug",),
        ("unplug",),
        ("swipe", "TAG"),
        ("swipe", "OTHER"),
        ("withhold", True),
        ("withhold", False),
        ("call", "ChangeAvailability", {"connectorId": 1, "type": "Inoperative"}),
        ("call", "ChangeAvailability", {"connectorId": 1, "type": "Operative"}),
        ("call", "ChangeAvailability", {"connectorId": 0, "type": "Inoperative"}),
        ("call", "ChangeAvailability", {"connectorId": 0, "type": "Operative"}),
        ("call", "RemoteStartTransaction", {"idTag": "APP", "connectorId": 1}),
        ("call", "RemoteStopTransaction", {"transactionId": 1001}),
        ("call", "UnlockConnector", {"connectorId": 1}),
        ("call", "Reset", {"type": "Soft"}),
        ("call", "Reset", {"type": "Hard"}),
        ("call", "ChangeConfiguration", {"key": "StopTransactionOnInvalidId", "value": "false"}),
        ("call", "ChangeConfiguration", {"key": "StopTransactionOnEVSideDisconnect", "value": "false"}),
        ("call", "ChangeConfiguration", {"key": "TariffChangeTimes", "value": "06:01,06:30"}),
        ("refuse start",),
        ("cut",),
        ("power",),
    ]
)


@pytest.mark.parametrize("online", [True, False])
@settings(deadline=None, max_examples=50)
@given(steps=st.lists(st.tuples(DOINGS, st.sampled_from([0, 0, 1, 30, 200])), max_size=30))
def test_no_forbidden_change_of_status_whatever_people_back_end_and_network_do(
    bench: Any, steps: list[Any], online: bool
) -> None:
    b = bench("ac-duo", max_power_w=3700).boot()
    for (what, *args), pause in steps:
        if what == "plug":
            b.plug(energy_wh=200, power_w=3700)
        elif what == "withhold":
            b.do("withhold", connector=1, on=args[0])
        elif what == "swipe":
            b.do("swipe", connector=1, token=args[0])
        elif what == "unplug":
            b.do("unplug", connector=1)
        elif what == "call" and b.link is not None:
            b.call(args[0], **args[1])
        elif what == "refuse start":
            b.table["StartTransaction"] = {"idTagInfo": {"status": "Blocked"}, "transactionId": 1001}
        elif what == "cut" and not online:
            b.cut()
        elif what == "power" and not online:
            b.do("power-loss").run(1).do("power-restored")
        b.run(pause)
    b.run(400)
    if online:
        boots = [call.at for call in b.asked if call.action == "BootNotification"]
        for connector in (0, 1):
            reports = [
                (sum(at <= call.at for at in boots), call.payload["status"])
                for call in b.asked
                if call.action == "StatusNotification" and call.payload["connectorId"] == connector
            ]
            for (life, before), (same_life, after) in pairwise(reports):
                assert life != same_life or before == after or (before, after) in ALLOWED
    for session in b.sessions():
        told = "".join(mark for _, _, mark in session["points"])
        assert told[0] == "B" and told[-1] == "E" and told.count("B") == told.count("E") == 1
