"""A rig as a whole: what people see, what truly happened, and what survives a power loss."""

from __future__ import annotations

from typing import Any

import pytest

from fleet.rig import Rig, RigConfig, meters_of
from sim.clock import HOUR, iso
from sim.machine import Answered, Close, Closed, Command, LinkId, Open, Opened, Send, Tick
from sim.wire import ocmf

MINUTE = 60


def marks(session: dict[str, Any]) -> str:
    return "".join(mark for _, _, mark in session["points"])


def test_the_truth_of_a_session_comes_from_the_register_at_true_times(bench: Any) -> None:
    b = bench("ac-duo").boot().charge(energy_wh=5500, power_w=11_000).run(HOUR // 1000)
    b.do("swipe", connector=1, token="TAG").run(5).do("unplug", connector=1).run(5)
    (session,) = b.sessions()
    began, full, ended = session["points"]
    assert marks(session) == "BSE"
    assert full[0] - began[0] == HOUR // 2 and full[1] - began[1] == 5500
    assert (session["register_start"], session["register_stop"]) == (began[1], ended[1])
    assert session["started_at"] == began[0] and session["stopped_at"] == ended[0]
    assert (session["token"], session["reason"], session["harm"]) == ("TAG", "Local", "")
    assert session["visit_id"] and session["meter_id"] == "M-ST-1-1" and session["site"] == "S"


def test_the_signed_readings_agree_with_the_truth_but_are_not_its_source(bench: Any) -> None:
    """INV-31: begin, end and every mark between carry the register of that moment."""
    b = bench("ac-duo").boot().charge(energy_wh=5500).run(HOUR // 1000)
    b.do("tamper-next-record", connector=1).do("swipe", connector=1, token="TAG").run(5)
    (session,) = b.sessions()
    signed = [(reading.at, int(reading.value * 1000), reading.mark) for _, r in b.records() for reading in r.readings]
    assert signed[:2] == [tuple(point) for point in session["points"][:2]]
    assert signed[2][1] != session["points"][2][1]
    assert session["harm"] == "tampered"
    key = meters_of(b.config)[0]["public_key"]
    assert [ocmf.verify(record, key) for _, record in b.records()] == [True, True, False]


@pytest.mark.parametrize(
    ("how", "why"),
    [("state-not-good", None), ("other-signer", "wrong-signature"), ("unknown-algorithm", "unknown-algorithm")],
)
def test_a_record_can_be_tampered_with_in_any_way_that_has_a_name(bench: Any, how: str, why: str | None) -> None:
    b = bench("ac-duo").boot().charge(energy_wh=5500).run(HOUR // 1000)
    b.do("tamper-next-record", connector=1, how=how).do("swipe", connector=1, token="TAG").run(5)
    record = b.records()[-1][1]
    assert ocmf.explain(record, meters_of(b.config)[0]["public_key"]) == why
    assert record.readings[-1].state == ("E" if how == "state-not-good" else "G")
    assert b.sessions()[0]["harm"] == "tampered"


def test_withheld_power_is_marked_in_the_truth_and_ends_a_signed_idle_time(bench: Any) -> None:
    """INV-35: no idle time while the station withholds power."""
    b = bench("ac-duo").boot().charge(energy_wh=1100).run(10 * MINUTE)
    b.do("withhold", connector=1, on=True).run(10 * MINUTE).do("withhold", connector=1, on=False).run(10 * MINUTE)
    b.do("swipe", connector=1, token="TAG").run(5)
    assert marks(b.sessions()[0]) == "BSCWwSE"
    assert [reading.mark for _, record in b.records() for reading in record.readings] == ["B", "S", "C", "S", "E"]
    assert b.statuses()[-4:] == ["SuspendedEV", "SuspendedEVSE", "SuspendedEV", "Finishing"]


def test_power_withheld_in_mid_charge_pauses_it_without_a_signed_mark(bench: Any) -> None:
    b = bench("ac-duo").boot().charge(energy_wh=11_000).run(10 * MINUTE)
    b.do("withhold", connector=1, on=True).run(30 * MINUTE).do("withhold", connector=1, on=False).run(2 * 60 * MINUTE)
    b.do("swipe", connector=1, token="TAG").run(5)
    (session,) = b.sessions()
    assert marks(session) == "BWwSE"
    assert session["points"][3][0] - session["points"][0][0] == HOUR + 30 * 60_000
    assert [reading.mark for _, record in b.records() for reading in record.readings] == ["B", "S", "E"]


def test_people_see_words_on_the_display_with_what_they_got(bench: Any) -> None:
    b = bench("ac-duo").boot().charge(energy_wh=1100).run(HOUR // 1000)
    b.do("withhold", connector=1, on=True).run(5).do("swipe", connector=1, token="TAG").run(5)
    assert b.texts() == ["authorized", "charging", "suspended", "suspended", "finished"]
    assert [words.get("by") for words in b.told if words["text"] == "suspended"] == ["ev", "evse"]
    assert b.told[-1] == {"connector": 1, "text": "finished", "wh": 1100}


def test_a_second_ev_at_an_occupied_connector_is_turned_away(bench: Any) -> None:
    b = bench("ac-duo").boot().plug()
    b.do("plug", connector=1, visit_id="late", energy_wh=1, power_w=1, driver="driver:late")
    assert b.told[-1] == {"connector": 1, "text": "unavailable", "occupied": True}
    assert len(b.events("plug")) == 1


def test_two_connectors_charge_side_by_side_with_meters_of_their_own(bench: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot()
    b.charge(1, 1000, token="A").charge(2, 2000, token="B").run(HOUR // 1000)
    b.do("unplug", connector=1).do("unplug", connector=2).run(10)
    gained = {row["connector"]: row["register_stop"] - row["register_start"] for row in b.sessions()}
    assert gained == {1: 1000, 2: 2000}
    assert len({row["meter_id"] for row in b.sessions()}) == 2


def test_final_notes_show_running_sessions_open_and_every_meter(bench: Any) -> None:
    """INV-01: the advance of a meter is the sum of its sessions."""
    b = bench("ac-duo", connectors=(1, 2)).boot().charge(energy_wh=4000).run(HOUR // 1000)
    b.do("unplug", connector=1).run(60).charge(energy_wh=40_000).run(HOUR // 1000)
    notes = b.rig.final_notes(b.now)
    (running,) = [note.fields for note in notes if note.kind == "sessions"]
    assert running["stopped_at"] is None and running["register_stop"] is None and running["reason"] is None
    meters = {note.fields["connector"]: note.fields for note in notes if note.kind == "meters"}
    assert meters[2]["register_start"] == meters[2]["register_stop"]
    first = b.sessions()[0]
    so_far = b.rig.board.register(1, b.now) - running["register_start"]
    gained = meters[1]["register_stop"] - meters[1]["register_start"]
    assert gained == (first["register_stop"] - first["register_start"]) + so_far


def test_a_power_loss_ends_the_session_at_the_next_power_up_with_the_last_register(bench: Any) -> None:
    b = bench("ac-duo").boot().charge(energy_wh=11_000).run(30 * MINUTE)
    before = b.rig.board.register(1, b.now)
    b.do("power-loss").run(10 * MINUTE)
    assert b.rig.board.register(1, b.now) == before and b.sessions() == []
    b.do("power-restored").run(2 * MINUTE)
    (stop,) = b.payloads("StopTransaction")
    assert stop["reason"] == "PowerLoss" and stop["meterStop"] == before
    assert stop["transactionId"] == 1001
    assert [reading.mark for _, record in b.records() for reading in record.readings] == ["B", "E"]
    assert marks(b.sessions()[0]) == "BWE"
    assert b.texts()[-1] == "finished" and b.statuses()[-1] == "Finishing"


def test_an_idle_time_ends_signed_when_the_power_fails(bench: Any) -> None:
    """INV-35: nobody is billed for idling through an outage."""
    b = bench("ac-duo").boot().charge(energy_wh=1100).run(30 * MINUTE)
    lost = b.now
    b.do("power-loss").run(60 * MINUTE).do("power-restored").run(2 * MINUTE)
    readings = [(reading.mark, reading.at) for _, record in b.records() for reading in record.readings]
    assert [mark for mark, _ in readings] == ["B", "S", "C", "E"]
    assert readings[2][1] == lost
    assert marks(b.sessions()[0]) == "BSCWE"


def test_a_station_that_is_switched_off_is_dark_and_says_so_in_the_truth(bench: Any) -> None:
    b = bench("ac-duo").boot()
    b.do("switch-off").run(60 * MINUTE)
    assert len(b.events("switch-off")) == 1
    assert b.rig.station is None and b.rig.next_deadline() is None


def test_an_ev_unplugged_during_an_outage_is_gone_when_the_power_is_back(bench: Any) -> None:
    b = bench("ac-duo").boot().charge().run(5 * MINUTE).do("power-loss").run(60).do("unplug", connector=1).run(60)
    b.do("power-restored").run(2 * MINUTE)
    assert b.payloads("StopTransaction")[0]["reason"] == "PowerLoss"
    assert b.statuses()[-1] == "Available"


def test_power_loss_hangs_up_without_a_close_frame_and_answers_nobody(bench: Any) -> None:
    b = bench("ac-duo").boot().do("power-loss")
    assert b.closed[-1][1] == "power"
    b.plug().do("swipe", connector=1, token="TAG").run(60)
    assert b.texts() == ["unavailable"]
    assert b.do("power-loss").do("power-restored").run(90).statuses()[-1] == "Preparing"


def test_a_dial_answered_after_a_power_loss_belongs_to_nobody(bench: Any) -> None:
    b = bench("ac-duo")
    rig = Rig(b.config, b.now)
    assert isinstance(rig.handle(Tick(), b.now)[-1], Open)
    rig.handle(Command("power-loss"), b.now)
    rig.handle(Command("power-restored"), b.now)
    assert rig.handle(Opened(LinkId(1)), b.now + 5) == [Close(LinkId(1), "power")]
    later = rig.next_deadline()
    assert isinstance(rig.handle(Tick(), later)[-1], Open)
    assert any(isinstance(effect, Send) for effect in rig.handle(Opened(LinkId(2)), later + 5))
    assert rig.handle(Closed(LinkId(1)), later + 6) == []


def test_commands_with_a_call_id_are_settled(bench: Any) -> None:
    b = bench("ac-cloud").boot().do("set-url", url="ws://new/ocpp", reboot=False, call_id="move-1")
    assert [(s.call_id, s.outcome) for s in b.settled] == [("move-1", Answered({}))]


def test_an_unknown_command_is_our_own_mistake(bench: Any) -> None:
    with pytest.raises(ValueError, match="knows no command"):
        bench("ac-duo").boot().do("dance")


def test_a_command_for_a_dark_station_waits_until_it_is_back(bench: Any) -> None:
    b = bench("ac-cloud").boot().do("power-loss").do("set-url", url="ws://new/ocpp", reboot=False).run(60)
    b.do("power-restored").run(120)
    assert b.opened[-1][1] == "ws://new/ocpp/ST-1"


def test_meters_are_provisioned_with_key_connector_and_what_the_clock_is_good_for(bench: Any) -> None:
    rows = meters_of(bench("ac-duo", connectors=(1, 2)).config)
    assert [(row["meter_id"], row["connector"]) for row in rows] == [("M-ST-1-1", 1), ("M-ST-1-2", 2)]
    assert {row["time_billing"] for row in rows} == {"absolute"}
    assert len({row["public_key"] for row in rows}) == 2


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(bench: Any) -> None:
    """INV-39"""

    def frames(seed: int) -> list[Any]:
        b = (
            bench("ac-duo", seed=seed)
            .boot()
            .charge()
            .run(HOUR // 1000)
            .cut()
            .run(120)
            .do("unplug", connector=1)
            .run(60)
        )
        return [(call.at, call.id, call.action, str(call.payload)) for call in b.asked]

    assert frames(1) == frames(1)
    assert frames(1) != frames(2)


def test_time_does_not_run_before_the_power_comes_on(bench: Any) -> None:
    config: RigConfig = bench("ac-duo").config
    rig = Rig(config, 12345)  # type: ignore[arg-type]
    assert rig.next_deadline() == 12345
    assert iso(rig.next_deadline() or 0) == "1970-01-01T00:00:12.345Z"


def test_power_withheld_before_the_start_is_a_suspended_start(bench: Any) -> None:
    b = bench("ac-duo").boot().do("withhold", connector=1, on=True).charge(energy_wh=1100).run(10 * MINUTE)
    assert b.statuses()[-1] == "SuspendedEVSE"
    b.do("withhold", connector=1, on=False).run(10 * MINUTE).do("unplug", connector=1).run(5)
    assert marks(b.sessions()[0]) == "BWwSE"
    assert [reading.mark for _, record in b.records() for reading in record.readings] == ["B", "S", "E"]


def test_a_new_address_for_a_station_with_network_profiles_goes_into_the_slot_in_use(bench: Any) -> None:
    b = bench("ac-duo").boot().do("set-url", url="ws://new/ocpp", reboot=False).run(60)
    assert b.opened[-1][1] == "ws://new/ocpp/ST-1"
    assert (
        b.call("GetConfiguration", key=["NetworkConnectionProfile1"])["configurationKey"][0]["value"] == "ws://new/ocpp"
    )
    b.do("power-loss").do("power-restored").run(2 * MINUTE)
    assert b.opened[-1][1] == "ws://new/ocpp/ST-1"
