"""The connection: who may dial, what is answered to which frame, one call at a time, newest connection wins."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim.backend import Setup
from sim.clock import SECOND, iso, parse_iso
from sim.machine import Answered, Close, Refused, Settle, Unknown
from sim.wire import ocppj

BOOT = {"chargePointVendor": "v", "chargePointModel": "m"}


def error_of(effects: list[Any]) -> ocppj.Error:
    frames = [ocppj.parse(effect.frame) for effect in effects]
    assert len(frames) == 1 and isinstance(frames[0], ocppj.Error)
    return frames[0]


def test_an_unknown_identity_gets_404(bench: Any) -> None:
    """INV-15."""
    with pytest.raises(LookupError, match="404"):
        bench.connect("CS-9")


def test_a_closed_identity_gets_404_and_loses_its_connection(bench: Any) -> None:
    link = bench.boot()
    bench.operate("close-station", station="CS-1")
    assert any(isinstance(effect, Close) and effect.link == link for effect in bench.out)
    with pytest.raises(LookupError, match="404"):
        bench.connect("CS-1")
    assert bench.book("stations")[0]["registration"] == "closed"


def test_without_a_common_subprotocol_the_link_is_closed_at_once(bench: Any) -> None:
    bench.connect(subprotocols=("ocpp2.1", "ocpp1.5"))
    assert [type(effect) for effect in bench.out] == [Close]
    assert bench.book("stations")[0]["connected"] == 0


def test_the_newest_connection_wins_and_the_late_close_of_the_old_is_harmless(bench: Any) -> None:
    """INV-14: at most one live socket per identity; commands go to it."""
    old = bench.boot()
    new = bench.connect()
    assert [effect.link for effect in bench.out if isinstance(effect, Close)] == [old]
    bench.close(old)
    assert bench.book("stations")[0]["connected"] == 1
    bench.operate("call", station="CS-1", action="ClearCache", payload={})
    assert [effect.link for effect in bench.out] == [new]


def test_a_connection_that_was_replaced_is_not_listened_to(bench: Any) -> None:
    old = bench.boot()
    bench.connect()
    bench.stage(old, "Heartbeat")
    assert bench.flush() == []


@pytest.mark.parametrize(
    ("action", "payload"),
    [
        ("Heartbeat", {}),
        ("Authorize", {"idTag": "TOK-A"}),
        ("StartTransaction", {"connectorId": 1, "idTag": "TOK-A", "meterStart": 0, "timestamp": iso(0)}),
        ("StopTransaction", {"transactionId": 1, "meterStop": 0, "timestamp": iso(0)}),
        ("StatusNotification", {"connectorId": 0, "errorCode": "NoError", "status": "Available"}),
    ],
)
def test_before_accepted_everything_but_a_boot_is_a_security_error(bench: Any, action: str, payload: Any) -> None:
    """INV-16: before Accepted no transaction is booked, other CALLs are answered SecurityError."""
    link = bench.connect()
    assert bench.call(link, action, **payload) == "SecurityError"
    assert bench.book("transactions") == bench.book("quarantine") == []


def test_a_station_that_talks_without_ever_having_booted_is_asked_to_boot_once(bench: Any) -> None:
    link = bench.connect()
    bench.stage(link, "Heartbeat")
    assert [call.action for call in bench.calls(bench.flush())] == ["TriggerMessage"]
    bench.stage(link, "Heartbeat")
    assert bench.calls(bench.flush()) == []


def test_an_accepted_station_need_not_boot_again_after_a_reconnect(bench: Any) -> None:
    bench.boot()
    link = bench.connect()
    assert bench.call(link, "Heartbeat") == {"currentTime": iso(bench.now)}


def test_boot_is_answered_by_the_operators_policy(bench: Any) -> None:
    """INV-17: currentTime in UTC with Z, interval above 0."""
    link = bench.connect()
    expected = {"status": "Accepted", "currentTime": iso(bench.now), "interval": 300}
    assert bench.call(link, "BootNotification", **BOOT) == expected
    bench.operate("hold-station", station="CS-1")
    assert bench.call(link, "BootNotification", **BOOT) == {**expected, "status": "Pending", "interval": 60}
    assert bench.call(link, "Heartbeat") == "SecurityError"


def test_a_pending_station_may_send_what_it_was_asked_for_once_and_nothing_else(bench: Any) -> None:
    """OCPP 1.6 §4.2: while Pending only what TriggerMessage asked for."""
    bench.operate("hold-station", station="CS-1")
    link = bench.boot()
    status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
    assert bench.call(link, "StatusNotification", **status) == "SecurityError"
    wish = {"requestedMessage": "StatusNotification"}
    bench.operate("call", station="CS-1", action="TriggerMessage", payload=wish)
    (call,) = bench.calls(bench.out)
    bench.answer(link, call, status="Accepted")
    assert bench.call(link, "Heartbeat") == "SecurityError"
    assert bench.call(link, "StatusNotification", **status) == {}
    assert bench.call(link, "StatusNotification", **status) == "SecurityError"


def test_a_rejected_station_stays_outside(make_bench: Any, sheet: Any) -> None:
    sheet["stations"][0]["registration"] = "rejected"
    bench = make_bench(Setup(name="legacy", seed=1, provision=sheet))
    link = bench.connect()
    assert bench.call(link, "BootNotification", **BOOT)["status"] == "Rejected"
    assert bench.operate("call", station="CS-1", action="ClearCache") == Refused("not-accepted", "CS-1")


def test_accepting_a_held_station_makes_it_boot_again(bench: Any) -> None:
    bench.operate("hold-station", station="CS-1")
    link = bench.boot()
    assert bench.book("stations")[0]["registration"] == "pending"
    assert bench.operate("accept-station", station="CS-1") is None
    (call,) = bench.calls(bench.out)
    assert (call.action, json.loads(call.payload)) == ("TriggerMessage", {"requestedMessage": "BootNotification"})
    assert bench.outcome(bench.answer(link, call, status="Accepted")) == Answered({"status": "Accepted"})
    assert bench.call(link, "BootNotification", **BOOT)["status"] == "Accepted"
    assert bench.book("stations")[0]["registration"] == "accepted"


# -- frames -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b'[2,"a","Heartbeat",{"x":1}]', "FormationViolation"),
        (b'[2,"a","Fly",{}]', "NotImplemented"),
        (b'[2,"a","Reset",{"type":"Soft"}]', "NotSupported"),
        (b'[2,"a","Authorize",{}]', "OccurenceConstraintViolation"),
        (b'[2,"a","Authorize",{"idTag":7}]', "TypeConstraintViolation"),
        (b'[2,"a","Authorize",{"idTag":"123456789012345678901"}]', None),
        (b'[2,"a","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Odd"}]', None),
        (b'[2,"a","Heartbeat"]', "FormationViolation"),
        (b'[2,"a","StopTransaction",{"transactionId":1,"meterStop":1,"timestamp":"yesterday"}]', None),
    ],
)
def test_wrong_calls_get_the_callerror_of_1_6_and_nothing_else(bench: Any, frame: bytes, code: str | None) -> None:
    error = error_of(bench.raw(bench.boot(), frame))
    assert error.id == "a"
    assert error.code == code if code else error.code in ocppj.ERROR_CODES
    assert bench.book("quarantine") == []


@pytest.mark.parametrize("frame", [b"", b"hello", b"{}", b"[9]", b"[3]", b'[2,7,"Heartbeat",{}]', b"\xff\xfe"])
def test_what_is_no_message_is_ignored_and_harms_nobody(bench: Any, frame: bytes) -> None:
    """INV-38: a malformed frame affects only its own connection."""
    link = bench.boot()
    assert bench.raw(link, frame) == []
    assert bench.call(link, "Heartbeat") == {"currentTime": iso(bench.now)}


def test_answers_to_calls_that_nobody_made_are_ignored(bench: Any) -> None:
    """INV-13."""
    link = bench.boot()
    assert bench.raw(link, b'[3,"nobody",{}]') == []
    assert bench.raw(link, b'[4,"nobody","InternalError","",{}]') == []


# -- calls of the back-end --------------------------------------------------------------------------------------------


def clear_cache(bench: Any) -> Any:
    return bench.operate("call", station="CS-1", action="ClearCache", payload={})


def test_one_call_is_outstanding_and_the_next_waits_for_its_answer(bench: Any) -> None:
    """INV-12."""
    link = bench.boot()
    clear_cache(bench)
    (first,) = bench.calls(bench.out)
    clear_cache(bench)
    assert bench.calls(bench.out) == []
    effects = bench.answer(link, first, status="Accepted")
    assert bench.outcome(effects) == Answered({"status": "Accepted"})
    (second,) = bench.calls(effects)
    assert second.id != first.id


def test_a_call_without_an_answer_is_unknown_after_30_seconds_and_the_next_one_goes_out(bench: Any) -> None:
    link = bench.boot()
    clear_cache(bench)
    (first,) = bench.calls(bench.out)
    clear_cache(bench)
    assert bench.wait(29 * SECOND) == []
    effects = bench.wait(2 * SECOND)
    assert isinstance(bench.outcome(effects), Unknown)
    assert len(bench.calls(effects)) == 1
    assert bench.answer(link, first, status="Accepted") == []


def test_when_the_link_dies_the_sent_call_is_unknown_and_those_in_line_did_not_happen(bench: Any) -> None:
    link = bench.boot()
    clear_cache(bench)
    clear_cache(bench)
    outcomes = [effect.outcome for effect in bench.close(link) if isinstance(effect, Settle)]
    assert [type(outcome) for outcome in outcomes] == [Unknown, Refused]
    assert bench.csms.next_deadline() is None or bench.wait(60 * SECOND) == []


def test_a_callerror_refuses_a_call_with_its_code(bench: Any) -> None:
    link = bench.boot()
    clear_cache(bench)
    (call,) = bench.calls(bench.out)
    effects = bench.raw(link, ocppj.encode_error(call.id, "NotSupported", "no cache"))
    assert bench.outcome(effects) == Refused("NotSupported", "no cache")


@pytest.mark.parametrize("answer", [b'{"status":"Perhaps"}', b"{}", b'"text"'])
def test_an_answer_that_breaks_the_schema_fails_the_call_and_is_never_answered(bench: Any, answer: bytes) -> None:
    link = bench.boot()
    clear_cache(bench)
    (call,) = bench.calls(bench.out)
    effects = bench.raw(link, b'[3,"%b",%b]' % (call.id.encode(), answer))
    assert [type(effect) for effect in effects] == [Settle]
    assert isinstance(bench.outcome(effects), Refused)


def test_calls_that_break_the_schema_never_leave_the_house(bench: Any) -> None:
    bench.boot()
    for action, payload in (("Reset", {}), ("Reset", {"type": "Warm"}), ("Fly", {})):
        outcome = bench.operate("call", station="CS-1", action=action, payload=payload)
        assert isinstance(outcome, Refused) and outcome.code == "bad-input"


def test_message_ids_are_never_used_again_even_after_a_restart(bench: Any) -> None:
    ids = []
    for _ in range(3):
        link = bench.boot()
        clear_cache(bench)
        ids += [call.id for call in bench.calls(bench.out)]
        bench.close(link)
        bench.restart()
    assert len(set(ids)) == 3 and all(len(id) <= 36 for id in ids)


# -- configuration ----------------------------------------------------------------------------------------------------


def test_after_accepted_the_station_is_told_the_change_times_and_its_keys(bench: Any) -> None:
    link = bench.connect("CS-2")
    bench.stage(link, "BootNotification", **BOOT)
    told = [json.loads(call.payload) for call in bench.settle_calls(link, bench.flush())]
    assert told == [
        {"key": "TariffChangeTimes", "value": "04:00,20:00"},
        {"key": "MeterValueSampleInterval", "value": "60"},
    ]
    assert bench.operate("export", what="station", station="CS-2").payload["configuration"] == {
        "MeterValueSampleInterval": "60",
        "TariffChangeTimes": "04:00,20:00",
    }


def test_what_a_lost_connection_left_untold_is_told_after_the_reconnect(bench: Any) -> None:
    link = bench.connect("CS-2")
    bench.stage(link, "BootNotification", **BOOT)
    (first,) = bench.calls(bench.flush())
    bench.answer(link, first, status="Accepted")
    bench.close(link)
    link = bench.connect("CS-2")
    told = [json.loads(call.payload)["key"] for call in bench.settle_calls(link, bench.out)]
    assert told == ["MeterValueSampleInterval"]


def test_a_key_that_was_never_answered_is_told_again(bench: Any) -> None:
    link = bench.connect()
    bench.stage(link, "BootNotification", **BOOT)
    (first,) = bench.calls(bench.flush())
    (again,) = bench.calls(bench.wait(31 * SECOND))
    assert (again.payload, again.id != first.id) == (first.payload, True)
    bench.answer(link, again, status="Accepted")
    assert bench.calls(bench.wait(3600 * SECOND)) == []


def test_a_station_that_never_answers_is_not_told_for_ever(bench: Any) -> None:
    bench.stage(bench.connect(), "BootNotification", **BOOT)
    bench.flush()
    assert len(bench.calls(bench.wait(6 * 3600 * SECOND))) < 20


def test_a_key_that_wants_a_reboot_is_not_written_again_after_it(bench: Any) -> None:
    """MF-22: no provisioning loop."""
    link = bench.connect("CS-2")
    for expected in (["TariffChangeTimes", "MeterValueSampleInterval"], ["TariffChangeTimes"]):
        bench.stage(link, "BootNotification", **BOOT)
        effects, told = bench.flush(), []
        while calls := bench.calls(effects):
            told += [json.loads(call.payload)["key"] for call in calls]
            wants = "RebootRequired" if told[-1] == "MeterValueSampleInterval" else "Accepted"
            effects = bench.answer(link, calls[0], status=wants)
        assert told == expected


def test_a_day_with_other_change_times_is_told_at_its_begin(make_bench: Any) -> None:
    """On 25 October 2026 the clocks of Berlin go back: 06:00 local is 05:00 UTC from then on."""
    bench = make_bench()
    bench.now = parse_iso("2026-10-24T12:00:00Z")
    link = bench.boot()
    (call,) = bench.calls(bench.wait(12 * 3600 * SECOND))
    assert json.loads(call.payload) == {"key": "TariffChangeTimes", "value": "05:00,21:00"}
    bench.answer(link, call, status="Accepted")
    assert bench.calls(bench.wait(24 * 3600 * SECOND)) == []


# -- the rest of 1.6 --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("DataTransfer", {"vendorId": "org.example"}, {"status": "UnknownVendorId"}),
        ("DiagnosticsStatusNotification", {"status": "Idle"}, {}),
        ("FirmwareStatusNotification", {"status": "Installed"}, {}),
        ("LogStatusNotification", {"status": "Idle"}, {}),
        ("SecurityEventNotification", {"type": "TamperDetectionActivated", "timestamp": iso(0)}, {}),
        ("SignedFirmwareStatusNotification", {"status": "Idle"}, {}),
        ("SignCertificate", {"csr": "x"}, {"status": "Rejected"}),
        ("StatusNotification", {"connectorId": 1, "errorCode": "NoError", "status": "Available"}, {}),
    ],
)
def test_every_notification_of_1_6_is_answered(bench: Any, action: str, payload: Any, answer: Any) -> None:
    assert bench.call(bench.boot(), action, **payload) == answer


@pytest.mark.parametrize(
    ("sample", "wh"),
    [
        ({"value": "12345"}, 12345),
        ({"value": "12.345", "unit": "kWh"}, 12345),
        ({"value": "12345.9", "measurand": "Energy.Active.Import.Register"}, 12345),
        ({"value": "7400", "measurand": "Power.Active.Import"}, None),
        ({"value": "many"}, None),
        ({"value": "NaN"}, None),
        ({"value": "1e999"}, None),
        ({"value": "x", "format": "SignedData"}, None),
    ],
)
def test_meter_values_are_answered_whatever_they_hold_and_keep_the_last_register(
    bench: Any, sample: Any, wh: int | None
) -> None:
    """INV-05."""
    link = bench.boot()
    value = [{"timestamp": iso(bench.now), "sampledValue": [sample]}]
    assert bench.call(link, "MeterValues", connectorId=1, transactionId=4711, meterValue=value) == {}
    registers = bench.operate("export", what="station", station="CS-1").payload["registers"]
    assert registers == ({} if wh is None else {"1": wh})


def test_older_news_never_change_the_live_state(bench: Any) -> None:
    """INV-11."""
    link = bench.boot()
    for status, at in (("Charging", bench.now), ("Available", bench.now - 1000)):
        bench.call(link, "StatusNotification", connectorId=1, errorCode="NoError", status=status, timestamp=iso(at))
    assert bench.operate("export", what="station", station="CS-1").payload["statuses"] == {"1": "Charging"}
