"""What a back-end may ask, and what it gets for what it may not (OCPP 1.6 §5; OCPP-J 1.6 §4)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.station.v16_commands import HANDLERS
from sim.machine import LinkId, Received
from sim.wire import ocppj, schema

MINUTE = 60
ACCEPTED, REJECTED = {"status": "Accepted"}, {"status": "Rejected"}


# -- configuration ------------------------------------------------------------------------------------------------------


def test_all_keys_are_shown_when_none_is_named(bench: Any) -> None:
    rows = bench("ac-duo", connectors=(1, 2)).boot().call("GetConfiguration")["configurationKey"]
    keys = {row["key"]: row for row in rows}
    assert keys["NumberOfConnectors"] == {"key": "NumberOfConnectors", "readonly": True, "value": "2"}
    assert keys["MeterValueSampleInterval"]["readonly"] is False
    assert {"MeterPublicKey1", "MeterPublicKey2", "NetworkConnectionProfile1", "TariffChangeTimes"} <= set(keys)
    required = (
        "AuthorizeRemoteTxRequests ClockAlignedDataInterval ConnectionTimeOut ConnectorPhaseRotation "
        "GetConfigurationMaxKeys HeartbeatInterval LocalAuthorizeOffline LocalPreAuthorize MeterValuesAlignedData "
        "MeterValuesSampledData MeterValueSampleInterval NumberOfConnectors ResetRetries "
        "StopTransactionOnEVSideDisconnect StopTransactionOnInvalidId StopTxnAlignedData StopTxnSampledData "
        "SupportedFeatureProfiles TransactionMessageAttempts TransactionMessageRetryInterval "
        "UnlockConnectorOnEVSideDisconnect LocalAuthListEnabled LocalAuthListMaxLength SendLocalListMaxLength"
    )
    assert set(required.split()) <= set(keys)


def test_unknown_keys_are_listed_and_names_compare_without_case(bench: Any) -> None:
    answer = bench("ac-duo").boot().call("GetConfiguration", key=["heartbeatINTERVAL", "Sparkles"])
    assert answer["unknownKey"] == ["Sparkles"] and answer["configurationKey"][0]["key"] == "HeartbeatInterval"
    assert bench("ac-duo").boot().call("GetConfiguration", key=["Sparkles"]) == {"unknownKey": ["Sparkles"]}


def test_more_keys_than_allowed_at_once_are_refused(bench: Any) -> None:
    names = [f"Key{n}" for n in range(51)]
    assert bench("ac-duo").boot().call("GetConfiguration", key=names) == "OccurenceConstraintViolation"


@pytest.mark.parametrize(
    ("key", "value", "status"),
    [
        ("ConnectionTimeOut", "45", "Accepted"),
        ("connectiontimeout", "45", "Accepted"),
        ("ConnectionTimeOut", "-1", "Rejected"),
        ("ConnectionTimeOut", "soon", "Rejected"),
        ("ConnectionTimeOut", "", "Rejected"),
        ("LocalPreAuthorize", "TRUE", "Accepted"),
        ("LocalPreAuthorize", "1", "Rejected"),
        ("NumberOfConnectors", "5", "Rejected"),
        ("MeterValuesSampledData", "Voltage, Current.Import", "Accepted"),
        ("MeterValuesSampledData", "Voltage,SoC", "Rejected"),
        ("MeterValuesSampledData", "Voltage,Voltage", "Rejected"),
        ("ConnectorPhaseRotation", "0.RST,1.RST", "Accepted"),
        ("ConnectorPhaseRotation", "0.ABC", "Rejected"),
        ("TariffChangeTimes", "", "Accepted"),
        ("TariffChangeTimes", "24:00", "Rejected"),
        ("WebSocketPingInterval", "-5", "Rejected"),
        ("NetworkConnectionProfile2", "http://new/", "Rejected"),
        ("NetworkConnectionProfile2", "wss://new/ocpp", "Accepted"),
        ("Sparkles", "1", "NotSupported"),
    ],
)
def test_a_key_is_changed_only_to_what_it_may_hold(bench: Any, key: str, value: str, status: str) -> None:
    b = bench("ac-duo").boot()
    before = b.call("GetConfiguration")
    assert b.call("ChangeConfiguration", key=key, value=value) == {"status": status}
    after = b.call("GetConfiguration", key=[key])
    if status == "Accepted":
        assert after["configurationKey"][0]["value"] == value
    else:
        assert b.call("GetConfiguration") == before


def test_changed_keys_survive_a_reset_and_a_power_loss(bench: Any) -> None:
    b = bench("ac-duo").boot()
    b.call("ChangeConfiguration", key="ConnectionTimeOut", value="45")
    b.call("Reset", type="Hard")
    b.run(2 * MINUTE).do("power-loss").do("power-restored").run(2 * MINUTE)
    assert b.call("GetConfiguration", key=["ConnectionTimeOut"])["configurationKey"][0]["value"] == "45"


# -- remote start and stop ------------------------------------------------------------------------------------------------


def test_a_remote_start_with_the_cable_in_charges_after_the_answer(bench: Any) -> None:
    b = bench("ac-duo").boot().plug().run(5)
    assert b.call("RemoteStartTransaction", connectorId=1, idTag="APP") == ACCEPTED
    b.run(5)
    assert b.payloads("StartTransaction")[0]["idTag"] == "APP" and b.actions("Authorize") == []
    assert b.texts() == ["authorized", "charging"]
    b.do("unplug", connector=1).run(5)
    assert b.records()[0][1].fields["IT"] == "CENTRAL"


def test_a_remote_start_waits_for_the_cable_and_gives_up_after_the_connection_timeout(bench: Any) -> None:
    b = bench("ac-duo", keys={"ConnectionTimeOut": "60"}).boot()
    assert b.call("RemoteStartTransaction", connectorId=1, idTag="APP") == ACCEPTED
    assert b.run(90).statuses()[1:] == ["Preparing", "Available"]
    b.call("RemoteStartTransaction", connectorId=1, idTag="APP")
    b.run(30).plug().run(5)
    assert b.statuses()[-2:] == ["Preparing", "Charging"]


def test_a_remote_start_is_authorised_first_if_the_key_says_so(bench: Any) -> None:
    b = bench("ac-compact", keys={"AuthorizeRemoteTxRequests": "true"}).boot().plug()
    b.table["Authorize"] = {"idTagInfo": {"status": "Blocked"}}
    assert b.call("RemoteStartTransaction", connectorId=1, idTag="APP") == ACCEPTED
    b.run(5)
    assert b.payloads("Authorize") == [{"idTag": "APP"}] and b.texts() == ["refused"]


def test_without_a_connector_the_one_with_the_cable_is_chosen(bench: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot().plug(2)
    assert b.call("RemoteStartTransaction", idTag="APP") == ACCEPTED
    assert b.run(5).payloads("StartTransaction")[0]["connectorId"] == 2


def test_a_remote_start_is_rejected_where_nobody_could_charge(bench: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot().charge(1)
    b.call("ChangeAvailability", connectorId=2, type="Inoperative")
    for connector in (0, 1, 2, 9):
        assert b.call("RemoteStartTransaction", connectorId=connector, idTag="APP") == REJECTED
    assert b.call("RemoteStartTransaction", idTag="APP") == REJECTED


def test_a_second_remote_start_while_one_is_pending_is_rejected(bench: Any) -> None:
    b = bench("ac-duo").boot()
    b.call("RemoteStartTransaction", connectorId=1, idTag="APP")
    assert b.call("RemoteStartTransaction", connectorId=1, idTag="OTHER") == REJECTED


def test_charging_may_start_anew_on_the_same_cable(bench: Any) -> None:
    b = bench("ac-duo").boot().charge().do("swipe", connector=1, token="TAG").run(5)
    assert b.statuses()[-1] == "Finishing"
    assert b.call("RemoteStartTransaction", connectorId=1, idTag="APP") == ACCEPTED
    assert b.run(5).statuses()[-2:] == ["Preparing", "Charging"]


def test_a_remote_stop_ends_the_transaction_of_that_id_only(bench: Any) -> None:
    b = bench("ac-duo").boot().charge()
    assert b.call("RemoteStopTransaction", transactionId=77) == REJECTED
    assert b.call("RemoteStopTransaction", transactionId=1001) == ACCEPTED
    assert b.run(5).payloads("StopTransaction")[0]["reason"] == "Remote"
    assert b.call("RemoteStopTransaction", transactionId=1001) == REJECTED


# -- reset, unlock, trigger -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "reason"), [("Soft", "SoftReset"), ("Hard", "HardReset")])
def test_a_reset_ends_transactions_first_and_boots_again(bench: Any, kind: str, reason: str) -> None:
    b = bench("ac-duo").boot().charge()
    assert b.call("Reset", type=kind) == ACCEPTED
    b.run(2 * MINUTE)
    assert [p["reason"] for p in b.payloads("StopTransaction")] == [reason]
    assert len(b.actions("BootNotification")) == 2 and b.statuses()[-2:] == ["Finishing", "Preparing"]
    assert b.closed[-1][1] == "restart"


def test_a_stop_not_answered_before_the_reset_is_sent_after_the_boot(bench: Any, world: Any) -> None:
    b = bench("ac-duo").boot().charge()
    b.table["StopTransaction"] = world.silent
    b.call("Reset", type="Soft")
    b.run(30)
    b.table["StopTransaction"] = {}
    b.run(2 * MINUTE)
    first, second = b.payloads("StopTransaction")
    assert first == second and first["reason"] == "SoftReset"
    assert b.actions("BootNotification", "StopTransaction")[-2:] == ["BootNotification", "StopTransaction"]


def test_a_soft_reset_waits_for_answers_and_no_longer_than_its_patience(bench: Any, world: Any) -> None:
    quick = bench("ac-duo").boot()
    quick.call("Reset", type="Soft")
    assert quick.closed and quick.now - quick.closed[0][0] < 200
    slow = bench("ac-duo").boot().charge()
    slow.table["StopTransaction"] = world.silent
    slow.call("Reset", type="Soft")
    slow.run(60)
    assert slow.closed[0][0] - slow.asked[-1].at < 21_000


def test_nothing_new_begins_while_a_reset_is_under_way(bench: Any, world: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot().charge(1)
    b.table["StopTransaction"] = world.silent
    b.call("Reset", type="Soft")
    b.plug(2).do("swipe", connector=2, token="B").run(1)
    assert b.texts()[-1] == "unavailable"
    assert b.call("RemoteStartTransaction", connectorId=2, idTag="APP") == REJECTED
    assert b.call("Reset", type="Soft") == REJECTED


def test_unlocking_ends_a_running_transaction(bench: Any) -> None:
    b = bench("ac-duo").boot().charge()
    assert b.call("UnlockConnector", connectorId=1) == {"status": "Unlocked"}
    assert b.run(5).payloads("StopTransaction")[0]["reason"] == "UnlockCommand"
    assert b.call("UnlockConnector", connectorId=1) == {"status": "Unlocked"}
    assert b.call("UnlockConnector", connectorId=7) == {"status": "NotSupported"}


def test_a_fixed_cable_cannot_be_unlocked(bench: Any) -> None:
    assert bench("ac-cloud").boot().call("UnlockConnector", connectorId=1) == {"status": "NotSupported"}


def test_triggers_are_answered_first_and_then_obeyed(bench: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot()
    assert b.call("TriggerMessage", requestedMessage="Heartbeat") == ACCEPTED
    assert b.call("TriggerMessage", requestedMessage="StatusNotification") == ACCEPTED
    b.run(2)
    assert b.actions()[4:] == ["Heartbeat"] + ["StatusNotification"] * 3
    assert b.call("TriggerMessage", requestedMessage="StatusNotification", connectorId=2) == ACCEPTED
    assert b.call("TriggerMessage", requestedMessage="StatusNotification", connectorId=5) == REJECTED
    for message in ("FirmwareStatusNotification", "DiagnosticsStatusNotification"):
        assert b.call("TriggerMessage", requestedMessage=message) == {"status": "NotImplemented"}


# -- what is not supported, and what is no message at all -------------------------------------------------------------------


def test_vendor_data_is_from_an_unknown_vendor(bench: Any) -> None:
    assert bench("ac-duo").boot().call("DataTransfer", vendorId="org.example") == {"status": "UnknownVendorId"}


@pytest.mark.parametrize(
    ("action", "payload", "code"),
    [
        ("GetDiagnostics", {"location": "ftp://x/"}, "NotSupported"),
        ("BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}, "NotSupported"),
        ("Dance", {}, "NotImplemented"),
        ("heartbeat", {}, "NotImplemented"),
        ("Reset", {}, "OccurenceConstraintViolation"),
        ("Reset", {"type": "Warm"}, "PropertyConstraintViolation"),
        ("Reset", {"type": 5}, "TypeConstraintViolation"),
        ("Reset", {"type": "Soft", "why": "x"}, "FormationViolation"),
        ("UnlockConnector", {"connectorId": "1"}, "TypeConstraintViolation"),
    ],
)
def test_what_cannot_be_done_gets_the_right_error_code(bench: Any, action: str, payload: Any, code: str) -> None:
    b = bench("ac-duo").boot()
    assert b.call(action, **payload) == code
    assert b.run(2 * MINUTE).closed == []


def test_every_action_of_the_specification_is_answered(bench: Any) -> None:
    """INV-05 for the other direction: no CALL stays without an answer."""
    b = bench("ac-duo").boot()
    for action in schema.actions("1.6"):
        answer = b.call(action)
        assert answer is not None, action
        if action not in HANDLERS:
            assert answer in ("NotSupported", "OccurenceConstraintViolation")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=8,
)
FRAMES = st.one_of(
    st.binary(max_size=80),
    JSON.map(lambda value: json.dumps(value).encode()),
    st.tuples(st.integers(0, 8), st.text(max_size=40), st.sampled_from(sorted(HANDLERS)), JSON).map(
        lambda parts: json.dumps(parts).encode()
    ),
    st.tuples(st.integers(3, 4), st.text(max_size=5), JSON, JSON, JSON).map(lambda parts: json.dumps(parts).encode()),
    st.just(b"[" * 100_000),
    st.just(b'[2,"x","Reset",' + b"[" * 50_000),
)


@settings(deadline=None, max_examples=80)
@given(st.lists(FRAMES, max_size=5), st.sampled_from(["Authorize", "StartTransaction", "StopTransaction"]))
def test_whatever_bytes_arrive_nothing_raises_and_the_station_goes_on(
    bench: Any, frames: list[bytes], answered_with_garbage: str
) -> None:
    """INV-38"""
    b = bench("ac-duo").boot()
    for frame in frames:
        b.receive_later(frame)
    b.charge()
    call = b.asked[-1]
    for frame in frames:
        b.give(Received(LinkId(1), frame.replace(b'"x"', b'"' + call.id.encode() + b'"')))
    b.run(10 * MINUTE)
    assert b.rig.station.desk.online
    assert b.call("GetLocalListVersion") == {"listVersion": b.rig.station.tokens.version}


@pytest.mark.parametrize(
    ("frame", "answer"),
    [
        (b"nonsense", None),
        (b"[]", None),
        (b'{"a":1}', None),
        (b'[2,"m1","Reset"]', "FormationViolation"),
        (b'[2,"m1","Reset",[]]', "FormationViolation"),
        (b'[2,"%b","Reset",{}]' % (b"x" * 37), "FormationViolation"),
        (b'[6,"m1","Reset",{}]', None),
        (b'[3,"never-asked",{}]', None),
        (b'[4,"never-asked","GenericError","",{}]', None),
    ],
)
def test_malformed_frames_are_answered_or_ignored_as_1_6_says(bench: Any, frame: bytes, answer: str | None) -> None:
    """INV-13, INV-38"""
    b = bench("ac-duo").boot()
    b.receive_later(frame)
    b.run(1)
    assert b.answers.get("?", [None])[-1] == answer
    assert bool(b.events("ignored-frame")) == (answer is None)


def test_an_unreadable_answer_fails_its_call_and_is_not_answered(bench: Any, world: Any) -> None:
    b = bench("ac-duo").boot()
    b.table["Authorize"] = world.silent
    b.plug().run(5).do("swipe", connector=1, token="T").run(1)
    b.receive_later(b'[3,"%b"]' % b.asked[-1].id.encode())
    b.run(1)
    assert b.texts() == ["no-answer"] and "?" not in b.answers


def test_an_oddly_spaced_answer_is_as_good_as_a_plain_one(bench: Any, world: Any) -> None:
    b = bench("ac-duo").boot()
    b.table["StatusNotification"] = world.silent
    b.plug().run(1)
    b.receive_later(b' [ 3 , "%b" , { } ] ' % b.asked[-1].id.encode())
    b.run(60)
    assert b.closed == [] and b.statuses() == ["Available", "Preparing"]
    assert isinstance(ocppj.parse(b'[3,"a",{}]'), ocppj.Result)
