"""The rules of OCPP 2.0.1: a good trace has no finding, and every planted mistake is caught, alone or with those named."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from scenarios.wirecheck.rule import V16
from scenarios.wirecheck.rules import RULES
from sim.evidence.verdict import Verdict
from tests.scenarios.wirecheck.traces import Edit, Row, Trace, broken, judged, keys, noted, record, time

TOKEN = {"idToken": "TAG-A", "type": "ISO14443"}


def event(
    one: Trace,
    seconds: float,
    kind: str,
    why: str,
    number: int,
    id: str = "T1",
    happened: float | None = None,
    **more: Any,
) -> None:
    """A TransactionEvent; `info` of `more` goes into its transactionInfo."""
    info = {"transactionId": id, **more.pop("info", {})}
    moment = time(seconds if happened is None else happened)
    said = {"eventType": kind, "timestamp": moment, "triggerReason": why, "seqNo": number, "transactionInfo": info}
    one.up(
        seconds,
        "TransactionEvent",
        {**said, **more},
        {"idTokenInfo": {"status": "Accepted"}} if "idToken" in more else {},
    )


def reading(seconds: float, wh: float, context: str = "Sample.Periodic") -> dict[str, Any]:
    return {"timestamp": time(seconds), "sampledValue": [{"value": wh, "context": context}]}


def signed(seconds: float, mark: str, wh: int, page: int) -> dict[str, Any]:
    data = base64.b64encode(record(seconds, mark, wh, page).encode()).decode()
    value = {"signedMeterData": data, "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""}
    context = "Transaction.Begin" if mark == "B" else "Transaction.End"
    sample = {"value": wh, "context": context, "signedMeterValue": value}
    return {"timestamp": time(seconds), "sampledValue": [sample]}


def healthy() -> Trace:
    """A 2.0.1 station that is used locally, from afar and offline."""
    one = Trace()
    boot = {"chargingStation": {"model": "AC", "vendorName": "Neutral Works"}, "reason": "PowerUp"}
    one.open(0)
    one.up(1, "BootNotification", boot, {"status": "Accepted", "currentTime": time(1), "interval": 300})
    report = {"timestamp": time(3), "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
    one.up(3, "StatusNotification", report)
    one.up(100, "Authorize", {"idToken": TOKEN}, {"idTokenInfo": {"status": "Accepted"}})
    evse, begin = {"id": 1, "connectorId": 1}, reading(102, 1000, "Transaction.Begin")
    connected = {"chargingState": "EVConnected"}
    event(one, 102, "Started", "Authorized", 0, evse=evse, idToken=TOKEN, info=connected, meterValue=[begin])
    event(one, 103, "Updated", "ChargingStateChanged", 1, info={"chargingState": "Charging"})
    one.up(300, "Heartbeat", {}, {"currentTime": time(300)})
    event(one, 400, "Updated", "MeterValuePeriodic", 2, meterValue=[reading(400, 1500)])
    one.up(550, "Heartbeat", {}, {"currentTime": time(550)})
    ends = [begin, reading(700, 2000, "Transaction.End"), signed(102, "B", 1000, 1), signed(700, "E", 2000, 2)]
    event(one, 700, "Ended", "StopAuthorized", 3, idToken=TOKEN, meterValue=ends)
    start = {"idToken": TOKEN, "remoteStartId": 7, "evseId": 1}
    one.down(800, "RequestStartTransaction", start, {"status": "Accepted"})
    info = {"chargingState": "EVConnected", "remoteStartId": 7}
    event(one, 805, "Started", "RemoteStart", 0, "T2", evse=evse, idToken=TOKEN, info=info)
    one.down(900, "RequestStopTransaction", {"transactionId": "T2"}, {"status": "Accepted"})
    event(one, 901, "Ended", "RemoteStop", 1, "T2")
    one.close(1000)
    one.open(1200)
    event(one, 1201, "Started", "Authorized", 0, "T3", 1050, evse=evse, idToken=TOKEN, info=connected, offline=True)
    event(one, 1202, "Ended", "StopAuthorized", 1, "T3", 1100, offline=True)
    for seconds in (1500, 1800):
        one.up(seconds, "Heartbeat", {}, {"currentTime": time(seconds)})
    return one


def _set(number: int, **fields: Any) -> Edit:
    return lambda one: one.find("TransactionEvent", number).payload.update(fields)


def _info(number: int, **fields: Any) -> Edit:
    return lambda one: one.find("TransactionEvent", number).payload["transactionInfo"].update(fields)


def _without(number: int, name: str) -> Edit:
    return lambda one: one.find("TransactionEvent", number).payload["transactionInfo"].pop(name) and None


def _drop(*numbers: int) -> Edit:
    def edit(one: Trace) -> None:
        for number in sorted(numbers, reverse=True):
            one.drop_call("TransactionEvent", number)

    return edit


def _add(seconds: float, *what: Any, **more: Any) -> Edit:
    def edit(one: Trace) -> None:
        one.link = max(row.link for row in one.rows if row.sent <= seconds)
        event(one, seconds, *what, **more)
        one.sorted()

    return edit


def _again(one: Trace) -> None:
    """The same event once more under the same message id, which 2.0.1 forbids."""
    call, answer = one.find("TransactionEvent", 2), one.answer("TransactionEvent", 2)
    place = one.rows.index(answer) + 1
    one.rows[place:place] = [Row(401, "up", call.frame), Row(401.1, "down", answer.frame)]


def _retry(**fields: Any) -> Edit:
    """The same event once more, with a new id."""
    return _add(401, "Updated", "MeterValuePeriodic", 2, happened=400, meterValue=[reading(400, 1500)], **fields)


def _unanswered_token(one: Trace) -> None:
    one.answer("TransactionEvent", 0).frame[2] = {}


def _code(one: Trace) -> None:
    row = one.answer("RequestStopTransaction")
    row.frame = [4, row.frame[1], "FormationViolation", "", {}]


PLANTED: dict[str, tuple[Edit, tuple[str, ...]]] = {
    "a gap in seqNo": (_drop(2), ("tx.seqno",)),
    "a seqNo twice": (_set(2, seqNo=1), ("tx.retry-is-repeat", "tx.seqno")),
    "a repeat with another time": (
        lambda one: (_retry()(one), one.find("TransactionEvent", 3).payload.update(timestamp=time(402)))[0],
        ("tx.retry-is-repeat", "tx.seqno"),
    ),
    "two starts": (
        _add(402, "Started", "Authorized", 3, info={"chargingState": "Charging"}),
        ("tx.events", "tx.retry-is-repeat", "tx.seqno"),
    ),
    "an event after the end": (_add(702, "Updated", "MeterValuePeriodic", 4), ("tx.events",)),
    "no end": (_drop(3), ("tx.complete", "tx.one-at-a-time")),
    "no start": (_drop(4), ("tx.known",)),
    "a start without a charging state": (_without(0, "chargingState"), ("tx.event-fields",)),
    "a change without a charging state": (_without(1, "chargingState"), ("tx.event-fields",)),
    "a remote start without its id": (_without(4, "remoteStartId"), ("tx.event-fields",)),
    "a token that is not answered": (_unanswered_token, ("tx.token-answered",)),
    "an offline event that is not marked": (_set(6, offline=False), ("tx.offline-flag",)),
    "a begin that is not marked": (
        _set(0, meterValue=[reading(102, 1000)]),
        ("meter.begin-end",),
    ),
    "an end that is not marked": (_set(3, meterValue=[reading(700, 2000)]), ("meter.begin-end",)),
    "a register that goes back": (_set(2, meterValue=[reading(400, 900)]), ("meter.monotonic",)),
    "a marked end that is another": (
        _set(3, meterValue=[reading(700, 900, "Transaction.End")]),
        ("meter.monotonic",),
    ),
    "a signed end that is missing": (
        lambda one: one.find("TransactionEvent", 3).payload["meterValue"].pop() and None,
        ("sig.pair",),
    ),
    "an id used again by a retry": (_again, ("id.unique",)),
    "an error code of 1.6": (_code, ("error.code",)),
    "a field of 1.6": (lambda one: one.find("StatusNotification").payload.update(status="Available"), ("call.schema",)),
    "an old event": (_set(3, timestamp=time(300)), ("queue.order", "time.order")),
    "a SEND": (
        lambda one: one.rows.append(Row(1801, "up", [6, "s", "NotifyPeriodicEventStream", {}], 2)),
        ("frame.form",),
    ),
}


def test_a_good_201_trace_has_no_finding() -> None:
    found = judged(healthy(), keys=keys())
    assert broken(found) == []
    assert found.stations[0].version == "2.0.1" and found.stations[0].works is True
    seen = {one.rule.id for one in found.rules if one.verdict is Verdict.PASS}
    assert {rule.id for rule in RULES if rule.versions not in (V16,)} - seen <= {
        "error.code", "error.malformed-refused", "boot.security-error", "boot.retry-interval", "boot.reconnect",
        "tx.retry-is-repeat",
    }  # fmt: skip


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_caught(name: str) -> None:
    edit, expected = PLANTED[name]
    one = healthy()
    edit(one)
    assert broken(judged(one, keys=keys())) == sorted(expected)


def test_a_word_for_word_repeat_is_no_mistake() -> None:
    one = healthy()
    _retry()(one)
    found = judged(one, keys=keys())
    assert broken(found) == []
    assert next(result for result in found.rules if result.rule.id == "tx.retry-is-repeat").examined == 1


def test_events_that_arrive_in_another_order_leave_no_gap() -> None:
    one = healthy()
    one.find("TransactionEvent", 1).payload["seqNo"] = 2
    one.find("TransactionEvent", 2).payload["seqNo"] = 1
    assert "tx.seqno" not in broken(judged(one))


def test_a_transaction_that_may_have_begun_before_the_trace_is_not_judged() -> None:
    one = healthy()
    one.rows = [row for row in one.rows if row.sent > 110]
    found = judged(one, rules=["tx.known"])
    assert broken(found) == [] and found.rules[0].unknown == 1


def test_a_late_event_is_noted() -> None:
    one = healthy()
    _add(702, "Updated", "MeterValuePeriodic", 4)(one)
    assert "tx.late-reading" in noted(judged(one))


def test_every_rule_of_201_has_a_planted_mistake() -> None:
    caught = {name for _, names in PLANTED.values() for name in names}
    assert {rule.id for rule in RULES if "1.6" not in rule.versions} <= caught
