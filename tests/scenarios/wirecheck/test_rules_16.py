"""Every rule of OCPP 1.6 catches a planted mistake, alone or with others that are named; a good trace has no finding."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.wirecheck.rule import V2
from scenarios.wirecheck.rules import RULES
from sim.evidence.verdict import Verdict
from sim.wire import ocmf
from tests.scenarios.wirecheck.traces import (
    BEGIN,
    Edit,
    Row,
    Trace,
    broken,
    healthy,
    judged,
    keys,
    noted,
    plain,
    signed,
    start,
    status,
    stop,
    time,
    values,
)


def _payload(action: str, number: int = 0, **fields: Any) -> Edit:
    """Set fields of a CALL."""
    return lambda one: one.find(action, number).payload.update(fields)


def _answer(action: str, number: int = 0, **fields: Any) -> Edit:
    """Set fields of an answer."""
    return lambda one: one.answer(action, number).payload.update(fields)


def _error(action: str, number: int, code: str) -> Edit:
    """Let a CALL be answered by a CALLERROR."""

    def edit(one: Trace) -> None:
        row = one.answer(action, number)
        row.frame = [4, row.frame[1], code, "", {}]

    return edit


def _frame(action: str, number: int, *elements: Any) -> Edit:
    def edit(one: Trace) -> None:
        row = one.find(action, number)
        row.frame = list(elements) if elements else "[2,"

    return edit


def _move(seconds: float, action: str, number: int = 0, answer: bool = False) -> Edit:
    """Send a CALL or answer at another time."""

    def edit(one: Trace) -> None:
        (one.answer if answer else one.find)(action, number).sent = seconds
        one.sorted()

    return edit


def _add(seconds: float, way: str, action: str, payload: dict[str, Any], answer: Any = None) -> Edit:
    """One more CALL with its answer, on the connection of that time."""

    def edit(one: Trace) -> None:
        one.link = max(row.link for row in one.rows if row.sent <= seconds)
        one.call(seconds, way, action, payload, answer)
        one.sorted()

    return edit


def _both(*edits: Edit) -> Edit:
    def edit(one: Trace) -> None:
        for each in edits:
            each(one)

    return edit


def _drop(action: str, number: int = 0) -> Edit:
    return lambda one: one.drop_call(action, number)


def _drop_answer(action: str, number: int = 0) -> Edit:
    return lambda one: one.drop(one.answer(action, number))


def _beat(seconds: float) -> Edit:
    return _add(seconds, "up", "Heartbeat", {}, {"currentTime": time(seconds)})


def _same_id(one: Trace) -> None:
    id = one.find("Authorize").frame[1]
    later, answer = one.find("Heartbeat"), one.answer("Heartbeat")
    later.frame[1] = answer.frame[1] = id


def _answered_twice(one: Trace) -> None:
    row = one.answer("Authorize")
    one.rows.insert(one.rows.index(row) + 1, Row(row.sent + 1, "down", row.frame, row.link))


def _overlap(one: Trace) -> None:
    """A Heartbeat while an Authorize waits for its answer."""
    one.answer("Authorize").sent = 100.5
    _add(100.2, "up", "Heartbeat", {}, {"currentTime": time(100.2)})(one)


def _crossing(one: Trace) -> None:
    """A call that was sent while the answer to the one before was still under way."""
    one.find("StatusNotification", 4).sent = 100.105


def _swap_signed(one: Trace) -> None:
    data = one.find("StopTransaction").payload["transactionData"]
    data[-1] = signed(900, "E", 3000, 5)


def _tampered(one: Trace) -> None:
    sample = one.find("StopTransaction").payload["transactionData"][-1]["sampledValue"][0]
    sample["value"] = ocmf.wrap(ocmf.tamper(ocmf.unwrap(sample["value"])))


def _second_stop(one: Trace) -> None:
    one.link = 1
    stop(one, 950, 11, 3005, reason="Other")
    one.sorted()


def _retry(**fields: Any) -> Edit:
    """The StartTransaction whose answer was lost comes again and says something else."""
    return lambda one: one.find("StartTransaction", 3).payload.update(fields)


def _boot_again(one: Trace) -> None:
    boot = one.find("BootNotification").payload
    one.link = 3
    one.up(2600.5, "BootNotification", boot, {"status": "Accepted", "currentTime": time(2600), "interval": 300})
    for connector in (0, 1, 2):
        status(one, 2604 + connector, connector, "Available")
    one.sorted()


def _unordered(one: Trace) -> None:
    """The reading of the offline transaction arrives before its start."""
    values(one, 800, 1, 11, 2400, happened=500)
    one.rows[-1].link = one.rows[-2].link = 1
    one.sorted()


def _unfinished(one: Trace) -> None:
    one.drop_call("StopTransaction", 0)


def _early_start(one: Trace) -> None:
    one.link = 1
    start(one, 500, 1, "TAG-D", 1700, 99)
    one.sorted()


def _late_end(one: Trace) -> None:
    one.link = 1
    values(one, 905, 1, 11, 3000)
    one.sorted()


PLANTED: dict[str, tuple[Edit, tuple[str, ...]]] = {
    "a frame that is no JSON": (_frame("Heartbeat", 1), ("answer.to-nothing", "frame.form")),
    "a call with three elements": (
        lambda one: one.find("Heartbeat", 1).frame.pop(),
        ("frame.form",),
    ),
    "an id of 40 characters": (
        lambda one: (
            [row.frame.__setitem__(1, "x" * 40) for row in (one.answer("Heartbeat"), one.find("Heartbeat"))] and None
        ),
        ("frame.form",),
    ),
    "an action of 2.x": (lambda one: one.find("Heartbeat").frame.__setitem__(2, "NotifyReport"), ("call.schema",)),
    "a command sent by the station": (_add(1000, "up", "Reset", {"type": "Soft"}, "NotSupported"), ("call.schema",)),
    "an unknown field": (_payload("Heartbeat", extra=1), ("call.schema",)),
    "a wrong type": (_payload("StatusNotification", 3, connectorId="1"), ("call.schema",)),
    "an answer without its field": (_answer("Authorize", idTagInfo={}), ("answer.schema",)),
    "a code in the spelling of 2.x": (_error("GetLocalListVersion", 0, "FormatViolation"), ("error.code",)),
    "an id used twice": (_same_id, ("id.unique",)),
    "two calls at a time": (_overlap, ("call.one-outstanding",)),
    "a call sent before the answer arrived": (_crossing, ("call.one-outstanding",)),
    "an answer that came late": (_move(1680, "Authorize", 1, answer=True), ("call.answered",)),
    "no answer at all": (_drop_answer("Authorize", 1), ("call.answered",)),
    "a station that does not answer": (_drop_answer("GetLocalListVersion"), ()),
    "a station that does not answer a remote stop": (
        _drop_answer("RemoteStopTransaction"),
        ("call.answered",),
    ),
    "an answer to nothing": (lambda one: one.drop(one.find("Authorize", 1)), ("answer.to-nothing",)),
    "a second answer": (_answered_twice, ("answer.to-nothing",)),
    "a message before acceptance": (
        _add(30, "up", "Heartbeat", {}, "SecurityError"),
        ("boot.first",),
    ),
    "an unaccepted station is served": (
        _add(30, "up", "Heartbeat", {}, {"currentTime": time(30)}),
        ("boot.first", "boot.security-error"),
    ),
    "a remote start of a pending station": (
        _add(30, "down", "RemoteStartTransaction", {"idTag": "A"}, {"status": "Rejected"}),
        ("boot.no-commands",),
    ),
    "a boot too early": (
        _both(_move(30.1, "BootNotification", 1, answer=True), _move(30, "BootNotification", 1)),
        ("boot.retry-interval",),
    ),
    "no status after the boot": (
        lambda one: [one.drop_call("StatusNotification", 1) for _ in range(3)] and None,
        ("boot.status-report",),
    ),
    "a wrong currentTime": (_answer("Heartbeat", currentTime=time(-4000)), ("time.current",)),
    "an interval of nothing": (_answer("BootNotification", 1, interval=0), ("time.current",)),
    "a silent station": (_both(_drop("Heartbeat", 2), _drop("Heartbeat", 2)), ("heartbeat.interval",)),
    "an impossible transition": (_payload("StatusNotification", 4, status="Finishing"), ("status.transition",)),
    "connector 0 charging": (_payload("StatusNotification", 1, status="Charging"), ("status.connector-zero",)),
    "a remote start without a start": (
        _both(_drop("StartTransaction", 1), _drop("MeterValues", 2), _drop("StopTransaction", 1), _beat(1300)),
        ("remote.start", "remote.stop"),
    ),
    "a remote stop without a stop": (_drop("StopTransaction", 1), ("remote.stop", "tx.complete")),
    "a start with a refused token": (
        _answer("Authorize", idTagInfo={"status": "Blocked"}),
        ("auth.refused",),
    ),
    "a stop of nothing": (_drop("StartTransaction"), ("tx.known",)),
    "a stop of -1": (_payload("StopTransaction", 1, transactionId=-1), ("remote.stop", "tx.complete", "tx.known")),
    "a second transaction at a connector": (_early_start, ("tx.complete", "tx.one-at-a-time")),
    "a transaction without a stop": (_unfinished, ("tx.complete", "tx.one-at-a-time")),
    "a retry with another time": (
        _retry(timestamp=time(2420)),
        ("tx.ids", "tx.retry-is-repeat"),
    ),
    "a second stop with other values": (_second_stop, ("tx.retry-is-repeat",)),
    "another id for a repeated start": (
        _answer("StartTransaction", 3, transactionId=14),
        ("tx.ids",),
    ),
    "an id given twice": (
        _both(
            _answer("StartTransaction", 1, transactionId=11),
            _payload("MeterValues", 2, transactionId=11),
            _payload("RemoteStopTransaction", transactionId=11),
            _payload("StopTransaction", 1, transactionId=11),
        ),
        ("tx.ids",),
    ),
    "an id of 0": (
        _both(
            _answer("StartTransaction", 0, transactionId=0),
            *(_payload("MeterValues", number, transactionId=0) for number in (0, 1)),
            _payload("StopTransaction", 0, transactionId=0),
        ),
        ("tx.ids",),
    ),
    "an old reading": (_unordered, ("queue.order",)),
    "a clock in the future": (_payload("StatusNotification", 4, timestamp=time(4000)), ("time.skew",)),
    "a status that is told much later": (_payload("StatusNotification", 11, timestamp=time(200)), ("time.skew",)),
    "a reading before its transaction": (
        lambda one: one.find("MeterValues").payload.update(meterValue=[plain(90, 1500)]),
        ("queue.order", "time.order"),
    ),
    "a stop before the last reading": (
        _both(
            _payload("StopTransaction", 1, timestamp=time(1300)),
        ),
        ("queue.order", "time.order"),
    ),
    "a register that goes back": (
        lambda one: one.find("MeterValues", 1).payload.update(meterValue=[plain(700, 1400)]),
        ("meter.monotonic",),
    ),
    "a register that goes back between transactions": (
        _both(_payload("StartTransaction", 2, meterStart=2900), _payload("StartTransaction", 3, meterStart=2900)),
        ("meter.monotonic",),
    ),
    "a reading below meterStart": (
        lambda one: one.find("MeterValues").payload.update(meterValue=[plain(400, 900)]),
        ("meter.monotonic", "meter.within"),
    ),
    "a meterStop below the last reading": (
        _payload("StopTransaction", 1, meterStop=700),
        ("meter.monotonic", "meter.within"),
    ),
    "a begin that is another": (
        lambda one: (
            one.find("StopTransaction").payload["transactionData"].__setitem__(0, plain(102, 1200, "Transaction.Begin"))
        ),
        ("meter.begin-end",),
    ),
    "a page that is missing": (_swap_signed, ("sig.pair",)),
    "no signed begin": (
        lambda one: one.find("StopTransaction").payload["transactionData"].pop(2) and None,
        ("sig.pair",),
    ),
    "a forged record": (_tampered, ("sig.verify",)),
}
NOTED: dict[str, tuple[Edit, str]] = {
    "a boot after a mere reconnect": (_boot_again, "boot.reconnect"),
    "a reading after the stop": (_late_end, "tx.late-reading"),
    "a start that nobody was asked about": (lambda one: None, "auth.before-start"),
    "a broken call is served": (_payload("Heartbeat", extra=1), "error.malformed-refused"),
}


def test_a_station_that_does_everything_right_has_no_finding() -> None:
    found = judged(healthy(), keys=keys())
    assert broken(found) == []
    assert found.verdict is Verdict.PASS and found.stations[0].works is True
    assert found.begin == BEGIN and found.stations[0].version == "1.6"


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_mistake_is_caught(name: str) -> None:
    edit, expected = PLANTED[name]
    one = healthy()
    edit(one)
    assert broken(judged(one, keys=keys())) == sorted(expected)


@pytest.mark.parametrize("name", NOTED)
def test_a_planted_oddity_is_noted_and_breaks_nothing(name: str) -> None:
    edit, expected = NOTED[name]
    one = healthy()
    edit(one)
    found = judged(one, rules=[expected], keys=keys())
    assert noted(found) == [expected] and broken(found) == []


def test_a_frame_that_was_lost_with_its_connection_is_no_answer_to_nothing() -> None:
    """Whoever records learns of the loss after the end."""
    one = healthy()
    close = next(row for row in one.rows if row.way == "close" and row.link == 2)
    late = one.answer("StartTransaction", 2)
    assert late.lost
    one.drop(late)
    one.rows.insert(one.rows.index(close) + 1, late)
    found = judged(one, keys=keys())
    assert broken(found) == []
    assert next(result for result in found.rules if result.rule.id == "call.answered").unknown == 1


def test_every_rule_of_16_has_a_planted_mistake() -> None:
    caught = {name for _, names in PLANTED.values() for name in names} | {name for _, name in NOTED.values()}
    assert {rule.id for rule in RULES if rule.versions != V2} <= caught
