"""Dialling: back-off with jitter, one outstanding call, and the three ways to another back-end."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.machine import Close, LinkId, Open, Opened, Received, Send, Tick
from sim.wire import ocppj

MINUTE = 60


def waits(b: Any) -> list[float]:
    times = [at for at, _ in b.opened]
    return [(after - before) / 1000 for before, after in pairwise(times)]


def test_the_identity_is_percent_encoded_behind_the_endpoint(bench: Any) -> None:
    b = bench("ac-duo", url="ws://legacy/ocpp/")
    b.config = msgspec.structs.replace(b.config, station="RDAM|123")
    rig = type(b.rig)(b.config, b.now)
    (opened,) = [effect for effect in rig.handle(Tick(), b.now) if isinstance(effect, Open)]
    assert opened == Open("ws://legacy/ocpp/RDAM%7C123", ("ocpp1.6",))


def test_the_wait_between_dials_doubles_so_many_times_and_then_stays(bench: Any) -> None:
    b = bench("ac-duo")
    b.refusing = True
    found = waits(b.run(20 * MINUTE))
    for wait, least in zip(found, (20, 40, 80, 80, 80), strict=False):
        assert least <= wait < least + 21


def test_the_jitter_is_the_stations_own_and_repeats_with_the_seed(bench: Any) -> None:
    def dials(seed: int) -> list[float]:
        b = bench("ac-duo", seed=seed)
        b.refusing = True
        return waits(b.run(10 * MINUTE))

    assert dials(1) == dials(1) != dials(2)


def test_a_success_lets_the_back_off_start_afresh(bench: Any) -> None:
    b = bench("ac-duo")
    b.refusing = True
    b.run(10 * MINUTE)
    b.refusing = False
    b.run(2 * MINUTE)
    before = len(b.opened)
    b.cut().run(2 * MINUTE)
    assert len(b.opened) == before + 1
    assert 10 <= (b.opened[-1][0] - (b.now - 2 * MINUTE * 1000)) / 1000 <= 30


def test_a_handshake_without_the_subprotocol_counts_as_a_failure(bench: Any) -> None:
    b = bench("ac-duo")
    rig = type(b.rig)(b.config, b.now)
    rig.handle(Tick(), b.now)
    assert Close(LinkId(1), "no common subprotocol") in rig.handle(Opened(LinkId(1), None), b.now + 10)
    assert rig.next_deadline() >= b.now + 20_000


def test_a_call_unanswered_for_30_s_drops_the_connection_and_dials_again(bench: Any, world: Any) -> None:
    b = bench("ac-duo").boot()
    b.table["Heartbeat"] = world.silent
    b.run(6 * MINUTE)
    (beat,) = (call for call in b.asked if call.action == "Heartbeat")
    assert b.closed == [(beat.at + 30_000, "no answer")]
    assert b.events("call-timeout")[0]["data"]["action"] == "Heartbeat"
    assert len(b.opened) >= 2


def test_a_patient_profile_carries_on_after_a_timeout(bench: Any, world: Any) -> None:
    calls = msgspec.structs.replace(world.profile("ac-duo").calls, on_timeout="carry-on")
    b = bench("ac-duo", calls=calls).boot()
    b.table["Heartbeat"] = world.silent
    b.run(20 * MINUTE)
    assert b.closed == [] and len(b.opened) == 1 and len(b.actions("Heartbeat")) >= 3


@settings(deadline=None, max_examples=15)
@given(st.lists(st.sampled_from(["plug", "swipe", "unplug", "cut", "trigger"]), max_size=12), st.integers(0, 99))
def test_never_more_than_one_call_is_outstanding(bench: Any, doings: list[str], seed: int) -> None:
    """INV-12: one unanswered CALL per direction and connection, whatever happens at once."""
    b = bench("ac-duo", connectors=(1, 2), seed=seed, keys={"MeterValueSampleInterval": "7"})
    unanswered: dict[int, str] = {}
    handle = b.rig.handle

    def watched(event: Any, now: Any) -> Any:
        if isinstance(event, Received):
            frame = ocppj.parse(event.frame)
            if isinstance(frame, ocppj.Result) and unanswered.get(event.link) == frame.id:
                del unanswered[event.link]
        effects = handle(event, now)
        for effect in effects:
            if isinstance(effect, Send) and isinstance(call := ocppj.parse(effect.frame), ocppj.Call):
                assert effect.link not in unanswered
                unanswered[effect.link] = call.id
        return effects

    b.rig.handle = watched
    b.boot()
    for number, doing in enumerate(doings):
        at = number % 2 + 1
        if doing == "plug":
            b.do("plug", connector=at, visit_id="v", energy_wh=9000, power_w=7000, driver="driver:d")
        elif doing in ("swipe", "unplug"):
            b.do(doing, connector=at, token=f"T{at}")
        elif doing == "cut":
            b.cut()
        elif b.link is not None:
            b.call("TriggerMessage", requestedMessage="MeterValues")
        b.run(number)
    b.run(60)


def test_a_vendor_key_needs_a_reset_and_then_points_elsewhere(bench: Any) -> None:
    b = bench("ac-compact").boot()
    url = "ws://new/ocpp"
    assert b.call("ChangeConfiguration", key="BackendUrl", value=url) == {"status": "RebootRequired"}
    assert b.call("GetConfiguration", key=["backendurl"])["configurationKey"][0]["value"] == url
    b.run(10 * MINUTE)
    assert [address for _, address in b.opened] == ["ws://legacy/ocpp/ST-1"]
    b.call("Reset", type="Soft")
    b.run(2 * MINUTE)
    assert b.opened[-1][1] == "ws://new/ocpp/ST-1" and len(b.actions("BootNotification")) == 2


def test_network_profiles_are_used_in_the_order_of_the_priority_after_a_reset(bench: Any) -> None:
    b = bench("ac-duo").boot()
    assert b.call("ChangeConfiguration", key="NetworkConnectionProfile2", value="ws://new/x") == {"status": "Accepted"}
    assert b.call("ChangeConfiguration", key="NetworkConfigurationPriority", value="3")["status"] == "Rejected"
    assert b.call("ChangeConfiguration", key="NetworkConfigurationPriority", value="2,1")["status"] == "RebootRequired"
    b.call("Reset", type="Soft")
    assert b.run(2 * MINUTE).opened[-1][1] == "ws://new/x/ST-1"


def test_when_a_network_profile_does_not_work_the_next_one_is_tried(bench: Any, world: Any) -> None:
    migration = msgspec.structs.replace(world.profile("ac-duo").migration, attempts=3)
    b = bench("ac-duo", migration=migration).boot()
    b.call("ChangeConfiguration", key="NetworkConnectionProfile2", value="ws://new/x")
    b.call("ChangeConfiguration", key="NetworkConfigurationPriority", value="2,1")
    b.call("Reset", type="Soft")
    b.refusing = True
    b.run(30 * MINUTE)
    assert [url.split("/")[2] for _, url in b.opened[1:8]] == ["new"] * 3 + ["legacy"] * 3 + ["new"]


def test_when_no_network_profile_works_the_last_good_one_comes_back(bench: Any, world: Any) -> None:
    migration = msgspec.structs.replace(world.profile("ac-duo").migration, attempts=2)
    b = bench("ac-duo", migration=migration).boot()
    b.call("ChangeConfiguration", key="NetworkConnectionProfile2", value="ws://new/x")
    b.call("ChangeConfiguration", key="NetworkConfigurationPriority", value="2")
    b.call("Reset", type="Soft")
    b.refusing = True
    b.run(20 * MINUTE)
    assert [url.split("/")[2] for _, url in b.opened[1:6]] == ["new", "new", "legacy", "legacy", "new"]


def test_a_vendor_cloud_repoints_at_once_in_mid_charge_without_a_reboot(bench: Any) -> None:
    b = bench("ac-cloud").boot().charge(energy_wh=20_000).run(10 * MINUTE)
    b.do("set-url", url="ws://new/ocpp", reboot=False).run(5)
    assert b.closed[-1][1] == "repointed" and b.opened[-1][1] == "ws://new/ocpp/ST-1"
    assert b.actions("StopTransaction") == [] and len(b.actions("BootNotification")) == 2
    assert b.statuses()[-1] == "Charging" and b.events("reset") == []
    b.do("unplug", connector=1).run(5)
    assert b.payloads("StopTransaction")[0]["transactionId"] == 1001


def test_a_repointed_station_stays_there_after_a_power_loss(bench: Any) -> None:
    b = bench("ac-cloud").boot().do("set-url", url="ws://new/ocpp", reboot=False).run(5)
    b.do("power-loss").do("power-restored").run(60)
    assert b.opened[-1][1] == "ws://new/ocpp/ST-1"


def test_repointing_while_a_dial_is_under_way_leaves_the_old_address(bench: Any) -> None:
    b = bench("ac-cloud").run(0.01).do("set-url", url="ws://new/ocpp", reboot=False).run(5)
    assert [url.split("/")[2] for _, url in b.opened] == ["legacy", "new"]
    assert {call.link for call in b.asked} == {2}


def test_a_technician_sets_the_address_and_restarts_the_station(bench: Any) -> None:
    b = bench("ac-compact").boot().charge().run(60).do("set-url", url="ws://new/ocpp", reboot=True).run(2 * MINUTE)
    assert b.payloads("StopTransaction")[0]["reason"] == "Reboot"
    assert b.opened[-1][1] == "ws://new/ocpp/ST-1"


def test_message_ids_are_never_used_twice_not_even_after_a_power_loss(bench: Any) -> None:
    b = bench("ac-duo").boot()
    for _ in range(3):
        b.do("power-loss").do("power-restored").run(90)
    ids = [call.id for call in b.asked]
    assert len(set(ids)) == len(ids) and all(len(one) == 36 for one in ids)
