"""A station of OCPP 2.0.1: boot, events of transactions with their numbers, queue, signed values, resets."""

from __future__ import annotations

import base64
import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.station.v201_commands import HANDLERS
from sim.clock import parse_iso
from sim.wire import ocmf


@pytest.fixture
def rig(bench: Any) -> Any:
    return bench("ac-nova", connectors=(1, 2)).boot()


def events(rig: Any) -> list[Any]:
    return rig.payloads("TransactionEvent")


def told(rig: Any) -> list[tuple[str, str, str]]:
    return [(one["eventType"], one["triggerReason"], one["transactionInfo"]["chargingState"]) for one in events(rig)]


def records(event: Any) -> list[tuple[str, ocmf.Record]]:
    found = []
    for value in event.get("meterValue", ()):
        for sample in value["sampledValue"]:
            if "signedMeterValue" in sample:
                data = sample["signedMeterValue"]["signedMeterData"]
                assert len(data) <= 2500
                found.append((sample["context"], ocmf.parse(base64.b64decode(data).decode())))
    return found


def test_boot_says_its_reason_and_reports_each_evse(rig: Any) -> None:
    boot = rig.payloads("BootNotification")[0]
    assert boot["reason"] == "PowerUp" and boot["chargingStation"]["serialNumber"] == "ST-1"
    places = [(one["evseId"], one["connectorId"], one["connectorStatus"]) for one in rig.payloads("StatusNotification")]
    assert places == [(1, 1, "Available"), (2, 1, "Available")]


def test_a_station_that_has_to_wait_says_nothing_but_its_boot(bench: Any, world: Any) -> None:
    rig = bench("ac-nova")
    wait = {"status": "Pending", "currentTime": "2019-06-12T06:00:00Z", "interval": 40}
    rig.table["BootNotification"] = [
        wait,
        {**wait, "status": "Rejected"},
        {**wait, "status": "Accepted", "interval": 300},
    ]
    rig.run(39)
    assert rig.actions() == ["BootNotification"]
    rig.run(2)
    assert rig.actions() == ["BootNotification"] * 2
    assert rig.call("Reset", type="Immediate") == "SecurityError"
    rig.run(40)
    assert rig.actions()[:4] == ["BootNotification"] * 3 + ["StatusNotification"]


def test_a_charge_is_told_in_events_numbered_from_0(rig: Any) -> None:
    rig.charge(1, energy_wh=2_000).run(1300)
    rig.do("swipe", connector=1, token="TAG").run(5).do("unplug", connector=1).run(5)
    assert told(rig)[:2] == [("Started", "Authorized", "EVConnected"), ("Updated", "ChargingStateChanged", "Charging")]
    assert ("Updated", "MeterValuePeriodic", "Charging") in told(rig)
    assert ("Updated", "ChargingStateChanged", "SuspendedEV") in told(rig)
    assert told(rig)[-1] == ("Ended", "StopAuthorized", "EVConnected")
    assert [one["seqNo"] for one in events(rig)] == list(range(len(events(rig))))
    names = {one["transactionInfo"]["transactionId"] for one in events(rig)}
    assert len(names) == 1 and len(names.pop()) == 36
    first, last = events(rig)[0], events(rig)[-1]
    assert first["evse"] == {"id": 1, "connectorId": 1}
    assert first["idToken"] == {"idToken": "TAG", "type": "ISO14443"}
    assert "evse" not in last and last["idToken"]["idToken"] == "TAG" and "stoppedReason" not in last["transactionInfo"]
    assert not any(one["offline"] for one in events(rig))
    words = [one["connectorStatus"] for one in rig.payloads("StatusNotification") if one["evseId"] == 1]
    assert words == ["Available", "Occupied", "Available"]


def test_begin_and_end_are_signed_and_the_end_has_them_all(rig: Any) -> None:
    rig.charge(2, energy_wh=3_000).run(1200).do("swipe", connector=2, token="TAG").run(5)
    started, ended = events(rig)[0], events(rig)[-1]
    assert [(context, [r.mark for r in record.readings]) for context, record in records(started)] == [
        ("Transaction.Begin", ["B"])
    ]
    contexts = [context for context, _ in records(ended)]
    assert contexts[0] == "Transaction.Begin" and contexts[-1] == "Transaction.End" and "Other" in contexts
    key = rig.rig.board.public_key(2)
    assert all(ocmf.verify(record, key) for _, record in records(ended))
    delivered = records(ended)[-1][1].readings[0].value - records(ended)[0][1].readings[0].value
    assert delivered == 3


def test_tokens_first_and_remote_starts_have_their_own_trigger(rig: Any) -> None:
    rig.do("swipe", connector=1, token="TAG").run(5)
    rig.plug(1).run(5)
    answer = rig.call(
        "RequestStartTransaction", evseId=2, remoteStartId=77, idToken={"idToken": "APP", "type": "Central"}
    )
    assert answer == {"status": "Accepted"}
    rig.plug(2).run(5)
    first, second = (one for one in events(rig) if one["eventType"] == "Started")
    assert first["triggerReason"] == "CablePluggedIn"
    assert second["triggerReason"] == "RemoteStart" and second["transactionInfo"]["remoteStartId"] == 77
    assert second["idToken"] == {"idToken": "APP", "type": "Central"}
    assert rig.actions("Authorize") == ["Authorize"]
    number = second["transactionInfo"]["transactionId"]
    assert rig.call("RequestStopTransaction", transactionId="nobody's")["status"] == "Rejected"
    assert rig.call("RequestStopTransaction", transactionId=number)["status"] == "Accepted"
    rig.run(2)
    assert events(rig)[-1]["transactionInfo"]["stoppedReason"] == "Remote"
    assert events(rig)[-1]["triggerReason"] == "RemoteStop"


def test_what_had_to_wait_for_a_connection_says_so(rig: Any) -> None:
    rig.charge(1).run(10)
    rig.refusing = True
    rig.cut().run(700)
    rig.refusing = False
    rig.run(200)
    late = [one for one in events(rig) if one["offline"]]
    assert [one["triggerReason"] for one in late] == ["MeterValuePeriodic"] * 2
    assert [one["seqNo"] for one in events(rig)] == list(range(len(events(rig))))


def test_the_queue_outlives_a_power_loss_and_goes_on_counting(rig: Any) -> None:
    rig.charge(1).run(10)
    rig.stalled = True
    rig.do("power-loss").run(60)
    rig.stalled = False
    rig.do("power-restored").run(60)
    assert told(rig)[-1] == ("Ended", "AbnormalCondition", "EVConnected")
    assert events(rig)[-1]["transactionInfo"]["stoppedReason"] == "PowerLoss"
    assert events(rig)[-1]["offline"] is True
    numbers = [one["seqNo"] for one in events(rig)]
    assert numbers == sorted(set(numbers)) and numbers[0] == 0
    assert rig.payloads("BootNotification")[-1]["reason"] == "PowerUp"


def test_an_event_is_repeated_after_growing_waits_and_given_up_in_the_end(rig: Any, world: Any) -> None:
    rig.table["TransactionEvent"] = _denied(world)
    rig.charge(1)
    rig.run(1000)
    first = [call.at for call in rig.asked if call.action == "TransactionEvent" and call.payload["seqNo"] == 0]
    waits = [later - earlier for earlier, later in itertools.pairwise(first)]
    assert [round(wait / 1000) for wait in waits] == [30, 60, 90, 120]
    assert len({call.id for call in rig.asked}) == len(rig.asked)
    assert rig.events("discarded")[0]["data"]["action"] == "TransactionEvent"


def _denied(world: Any) -> Any:
    def answer(payload: Any) -> Any:
        raise world.denied("InternalError")

    return answer


def test_a_full_memory_drops_every_second_update_and_no_begin_or_end(bench: Any, world: Any) -> None:
    rig = bench("ac-nova", keys={"SampledDataCtrlr.TxUpdatedInterval": "10"}).boot()
    rig.charge(1, energy_wh=50_000).run(5)
    rig.refusing = True
    rig.cut().run(1000)
    rig.do("swipe", connector=1, token="TAG").run(2)
    rig.refusing = False
    rig.run(300)
    numbers = [one["seqNo"] for one in events(rig)]
    gaps = set(range(numbers[-1] + 1)) - set(numbers)
    assert gaps and 0 in numbers and events(rig)[-1]["eventType"] == "Ended"
    assert len(rig.events("discarded")) == len(gaps)
    assert {one["data"]["why"] for one in rig.events("discarded")} == {"queue-full"}


def test_a_token_that_is_refused_after_all_ends_the_transaction(rig: Any) -> None:
    rig.table["TransactionEvent"] = lambda p: {"idTokenInfo": {"status": "Blocked"}} if "idToken" in p else {}
    rig.charge(1)
    assert told(rig)[-1][:2] == ("Ended", "Deauthorized")
    assert events(rig)[-1]["transactionInfo"]["stoppedReason"] == "DeAuthorized"


def test_reset_on_idle_waits_and_immediate_ends_what_runs(rig: Any) -> None:
    rig.charge(1).run(5)
    assert rig.call("Reset", type="OnIdle") == {"status": "Scheduled"}
    rig.run(60)
    assert rig.rig.station is not None
    rig.do("swipe", connector=1, token="TAG").run(100)
    assert rig.payloads("BootNotification")[-1]["reason"] == "ScheduledReset"
    rig.do("unplug", connector=1).run(5)
    rig.charge(1).run(5)
    assert rig.call("Reset", type="Immediate", evseId=1) == {"status": "Rejected"}
    assert rig.call("Reset", type="Immediate") == {"status": "Accepted"}
    rig.run(100)
    last = [one for one in events(rig) if one["eventType"] == "Ended"][-1]
    assert (last["triggerReason"], last["transactionInfo"]["stoppedReason"]) == ("ResetCommand", "ImmediateReset")
    assert rig.payloads("BootNotification")[-1]["reason"] == "RemoteReset"


def test_availability_of_one_evse_leaves_the_other(rig: Any) -> None:
    answer = rig.call("ChangeAvailability", operationalStatus="Inoperative", evse={"id": 2})
    assert answer == {"status": "Accepted"}
    rig.run(2)
    last = rig.payloads("StatusNotification")[-1]
    assert (last["evseId"], last["connectorStatus"]) == (2, "Unavailable")
    assert rig.call("ChangeAvailability", operationalStatus="Inoperative", evse={"id": 9}) == {"status": "Rejected"}
    rig.do("swipe", connector=2, token="TAG").run(2)
    assert rig.texts() == [] and not events(rig)


def _variable(component: str, variable: str, **more: Any) -> dict[str, Any]:
    return {"component": {"name": component}, "variable": {"name": variable}, **more}


def test_variables_are_read_and_written_where_the_standard_has_them(rig: Any) -> None:
    wanted = [
        _variable("ocppcommctrlr", "HEARTBEATINTERVAL"),
        _variable("OCPPCommCtrlr", "Nonsense"),
        _variable("Nonsense", "Nonsense"),
        {"component": {"name": "FiscalMetering", "evse": {"id": 2}}, "variable": {"name": "PublicKey"}},
        _variable("OCPPCommCtrlr", "HeartbeatInterval", attributeType="Target"),
    ]
    rows = rig.call("GetVariables", getVariableData=wanted)["getVariableResult"]
    assert [row["attributeStatus"] for row in rows] == [
        "Accepted",
        "UnknownVariable",
        "UnknownComponent",
        "Accepted",
        "NotSupportedAttributeType",
    ]
    assert rows[0]["attributeValue"] == "300"
    assert rig.rig.board.public_key(2) in base64.b64decode(rows[3]["attributeValue"]).decode()
    changes = [
        _variable("SampledDataCtrlr", "TxUpdatedInterval", attributeValue="20"),
        _variable("SampledDataCtrlr", "TxUpdatedInterval", attributeValue="often"),
        _variable("TxCtrlr", "TxStartPoint", attributeValue="Authorized"),
        _variable("OCPPCommCtrlr", "NetworkConfigurationPriority", attributeValue="2,1"),
    ]
    rows = rig.call("SetVariables", setVariableData=changes)["setVariableResult"]
    assert [row["attributeStatus"] for row in rows] == ["Accepted", "Rejected", "Rejected", "RebootRequired"]
    rig.charge(1).run(50)
    assert [one[1] for one in told(rig)].count("MeterValuePeriodic") == 2


def test_a_base_report_comes_in_numbered_parts(rig: Any) -> None:
    assert rig.call("GetBaseReport", requestId=3, reportBase="SummaryInventory") == {"status": "NotSupported"}
    assert rig.call("GetBaseReport", requestId=4, reportBase="FullInventory") == {"status": "Accepted"}
    rig.run(5)
    parts = rig.payloads("NotifyReport")
    assert [part["seqNo"] for part in parts] == list(range(len(parts))) and len(parts) > 1
    assert [part["tbc"] for part in parts] == [True] * (len(parts) - 1) + [False]
    names = [(row["component"]["name"], row["variable"]["name"]) for part in parts for row in part["reportData"]]
    assert ("TxCtrlr", "TxStopPoint") in names and ("FiscalMetering", "PublicKey") in names


PROFILE = {
    "ocppVersion": "OCPP20",
    "ocppTransport": "JSON",
    "ocppCsmsUrl": "ws://new/ocpp",
    "messageTimeout": 30,
    "securityProfile": 1,
    "ocppInterface": "Wired0",
}


def test_a_network_profile_counts_after_its_priority_and_a_reset(rig: Any) -> None:
    for wrong in ({"ocppVersion": "OCPP16"}, {"securityProfile": 2}, {"ocppCsmsUrl": "http://new"}):
        data = {**PROFILE, **wrong}
        assert rig.call("SetNetworkProfile", configurationSlot=2, connectionData=data) == {"status": "Rejected"}
    assert rig.call("SetNetworkProfile", configurationSlot=5, connectionData=PROFILE) == {"status": "Rejected"}
    assert rig.call("SetNetworkProfile", configurationSlot=2, connectionData=PROFILE) == {"status": "Accepted"}
    change = _variable("OCPPCommCtrlr", "NetworkConfigurationPriority", attributeValue="2,1")
    rig.call("SetVariables", setVariableData=[change])
    rig.call("Reset", type="Immediate")
    rig.run(60)
    assert rig.opened[-1][1] == "ws://new/ocpp/ST-1"
    rig.refusing = True
    rig.cut().run(1200)
    tried = [url for _, url in rig.opened[2:]]
    assert tried[:6] == ["ws://new/ocpp/ST-1"] * 5 + ["ws://legacy/ocpp/ST-1"]


def test_triggered_messages_come_after_the_answer(rig: Any) -> None:
    ask: Any = rig.call
    assert ask("TriggerMessage", requestedMessage="BootNotification") == {"status": "Rejected"}
    assert ask("TriggerMessage", requestedMessage="LogStatusNotification") == {"status": "NotImplemented"}
    assert ask("TriggerMessage", requestedMessage="StatusNotification") == {"status": "Rejected"}
    assert ask("TriggerMessage", requestedMessage="TransactionEvent") == {"status": "Rejected"}
    place = {"id": 2, "connectorId": 1}
    assert ask("TriggerMessage", requestedMessage="StatusNotification", evse=place) == {"status": "Accepted"}
    assert ask("TriggerMessage", requestedMessage="MeterValues", evse={"id": 1}) == {"status": "Accepted"}
    rig.charge(1)
    assert ask("TriggerMessage", requestedMessage="TransactionEvent", evse={"id": 1}) == {"status": "Accepted"}
    rig.run(2)
    assert rig.payloads("StatusNotification")[2]["evseId"] == 2
    assert rig.payloads("MeterValues")[0]["meterValue"][0]["sampledValue"][0]["context"] == "Trigger"
    assert told(rig)[-1][1] == "Trigger"


def test_aligned_readings_are_meter_values_outside_and_events_inside(bench: Any) -> None:
    rig = bench("ac-nova", keys={"AlignedDataCtrlr.Interval": "60"}).boot()
    rig.run(120)
    assert len(rig.payloads("MeterValues")) == 2
    rig.charge(1).run(120)
    assert [one[1] for one in told(rig)].count("MeterValueClock") == 2
    clock = next(one for one in events(rig) if one["triggerReason"] == "MeterValueClock")
    assert parse_iso(clock["timestamp"]) % 60_000 == 0
    assert len(rig.payloads("MeterValues")) == 2


def test_frames_that_are_none_are_answered_in_the_words_of_201(rig: Any) -> None:
    rig.receive_later(b"nonsense")
    rig.receive_later(b'[7,"x","y",{}]')
    rig.run(1)
    assert rig.answers["?"] == ["RpcFrameworkError", "MessageTypeNotSupported"]
    assert rig.call("UnlockConnector", evseId=1, connectorId=1) == "NotSupported"
    assert rig.call("Reset", type="Hard") == "PropertyConstraintViolation"
    assert rig.call("Reset") == "OccurrenceConstraintViolation"


def test_a_server_that_does_not_choose_201_is_left(bench: Any) -> None:
    rig = bench("ac-nova")
    rig.dialect = type(rig.dialect)(**{**_fields(rig.dialect), "subprotocol": "ocpp1.6"})
    rig.run(30)
    assert rig.closed[0][1] == "no common subprotocol" and rig.actions() == []


LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=12)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner))
ACTIONS = st.sampled_from((*HANDLERS, "Fly", "UnlockConnector"))
ASKED = st.tuples(ACTIONS, VALUES)


def _fields(struct: Any) -> dict[str, Any]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


@given(asked=st.lists(ASKED | st.binary(max_size=40), max_size=6))
@settings(max_examples=60)
def test_whatever_a_back_end_sends_a_station_goes_on(bench: Any, asked: list[Any]) -> None:
    rig = bench("ac-nova", connectors=(1, 2)).boot()
    rig.charge(1)
    for one in asked:
        if isinstance(one, bytes):
            rig.receive_later(b"!" + one)
        else:
            rig._pending["x"] = one[0]
            rig.receive_later(json.dumps([2, "x", *one]).encode())
        rig.run(1)
    rig.run(60)
    if rig.rig.station is not None:
        rig.do("swipe", connector=1, token="TAG").run(5)
    assert [one["seqNo"] for one in events(rig)] == list(range(len(events(rig))))
