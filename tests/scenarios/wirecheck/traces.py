"""Hand-written traces of one station that does everything right, and how to change them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from scenarios.wirecheck.judge import Judge, Report
from scenarios.wirecheck.lines import own_row
from scenarios.wirecheck.rule import Limits
from scenarios.wirecheck.rules import chosen
from sim.clock import SECOND, Instant, iso, parse_iso
from sim.evidence.verdict import Verdict
from sim.evidence.wire import WireLine
from sim.wire import ocmf

BEGIN = parse_iso("2026-05-01T08:00:00Z")
STATION = "CP-1"
KEY = ocmf.private_key(b"a meter of these tests")
METER = "M-1"


def at(seconds: float) -> int:
    """So many seconds after the trace began."""
    return BEGIN + int(seconds * SECOND)


def time(seconds: float) -> str:
    return iso(at(seconds))


class Row:
    """One line that can be changed: when it was sent (s), which way, and the frame (or why a connection ended)."""

    def __init__(self, sent: float, way: str, frame: Any, link: int = 1) -> None:
        self.sent, self.way, self.frame, self.link = sent, way, frame, link
        self.lost = False

    @property
    def payload(self) -> dict[str, Any]:
        found: dict[str, Any] = self.frame[3] if self.frame[0] == 2 else self.frame[2]
        return found

    def line(self, number: int) -> WireLine:
        text = self.frame if isinstance(self.frame, str) else json.dumps(self.frame, separators=(",", ":"))
        arrived = None if self.lost else at(self.sent + 0.01)
        return WireLine(number, at(self.sent), arrived, STATION, "csms", self.link, self.way, text)


class Trace:
    """Rows that are written one after the other. `call` writes a CALL and its answer."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.link = 1
        self._ids = 0

    def open(self, seconds: float) -> None:
        self.link += bool(self.rows)
        self.rows.append(Row(seconds, "open", "", self.link))

    def close(self, seconds: float) -> None:
        self.rows.append(Row(seconds, "close", "station: no answer", self.link))

    def call(self, seconds: float, way: str, action: str, payload: dict[str, Any], answer: Any = None) -> None:
        self._ids += 1
        other = "down" if way == "up" else "up"
        id = f"{way}-{self._ids}"
        self.rows.append(Row(seconds, way, [2, id, action, payload], self.link))
        reply = [4, id, answer, "", {}] if isinstance(answer, str) else [3, id, answer or {}]
        self.rows.append(Row(seconds + 0.1, other, reply, self.link))

    def up(self, seconds: float, action: str, payload: dict[str, Any], answer: Any = None) -> None:
        self.call(seconds, "up", action, payload, answer)

    def down(self, seconds: float, action: str, payload: dict[str, Any], answer: Any = None) -> None:
        self.call(seconds, "down", action, payload, answer)

    # -- to change it ------------------------------------------------------------------------------------------------

    def find(self, action: str, number: int = 0) -> Row:
        """The CALL of this action, counted from 0."""
        return [row for row in self.rows if row.frame[:1] == [2] and row.frame[2] == action][number]

    def answer(self, action: str, number: int = 0) -> Row:
        """The answer to that CALL."""
        id = self.find(action, number).frame[1]
        return next(row for row in self.rows if row.frame[:1] in ([3], [4]) and row.frame[1] == id)

    def drop(self, *rows: Row) -> None:
        self.rows = [row for row in self.rows if row not in rows]

    def drop_call(self, action: str, number: int = 0) -> None:
        self.drop(self.find(action, number), self.answer(action, number))

    def sorted(self) -> None:
        """Put the rows in the order of their times."""
        self.rows.sort(key=lambda row: row.sent)

    def lines(self) -> list[WireLine]:
        return [row.line(number) for number, row in enumerate(self.rows, start=1)]


def judged(
    trace: Trace | Sequence[WireLine],
    rules: Sequence[str] = (),
    keys: dict[str, str] | None = None,
    version: str | None = None,
    limits: Limits | None = None,
) -> Report:
    """What the rules say of a trace."""
    judge = Judge(chosen(rules), keys=keys, version=version, limits=limits)
    lines = trace.lines() if isinstance(trace, Trace) else trace
    judge.hear(own_row(line, f"line {line.n}") for line in lines)
    return judge.report()


def broken(report: Report) -> list[str]:
    """Ids of the rules with a finding."""
    return sorted(one.rule.id for one in report.rules if one.verdict is Verdict.FAIL)


def noted(report: Report) -> list[str]:
    """Ids of the rules with a note."""
    return sorted(one.rule.id for one in report.rules if one.notes)


def keys() -> dict[str, str]:
    return {METER: ocmf.public_key_hex(KEY)}


def as_jsonl(lines: Sequence[WireLine]) -> bytes:
    return b"".join(msgspec.json.encode(line) + b"\n" for line in lines)


# -- OCPP 1.6 ---------------------------------------------------------------------------------------------------------


def record(seconds: float, mark: str, wh: int, page: int, meter: str = METER) -> str:
    """A signed reading."""
    reading = ocmf.Reading(Instant(at(seconds)), "S", mark, ocmf.kwh(wh))
    return ocmf.build(
        meter_id=meter,
        station_id=STATION,
        connector=1,
        pagination=page,
        id_tag="TAG-A",
        id_type="ISO14443",
        readings=[reading],
        key=KEY,
    )


def signed(seconds: float, mark: str, wh: int, page: int) -> dict[str, Any]:
    """A meterValue with a signed reading in it, as 1.6 writes it."""
    value = ocmf.wrap(record(seconds, mark, wh, page))
    context = "Transaction.Begin" if mark == "B" else "Transaction.End"
    return {"timestamp": time(seconds), "sampledValue": [{"value": value, "format": "SignedData", "context": context}]}


def plain(seconds: float, wh: int, context: str = "Sample.Periodic") -> dict[str, Any]:
    """A meterValue with the import register."""
    return {"timestamp": time(seconds), "sampledValue": [{"value": str(wh), "context": context, "unit": "Wh"}]}


def healthy() -> Trace:
    """A station that is held Pending, accepted, used locally, from afar and offline, and does nothing wrong."""
    one = Trace()
    boot = {"chargePointVendor": "Neutral Works", "chargePointModel": "AC"}
    one.open(0)
    one.up(1, "BootNotification", boot, {"status": "Pending", "currentTime": time(1), "interval": 60})
    one.down(5, "TriggerMessage", {"requestedMessage": "StatusNotification", "connectorId": 1}, {"status": "Accepted"})
    status(one, 6, 1, "Available")
    one.up(70, "BootNotification", boot, {"status": "Accepted", "currentTime": time(70), "interval": 300})
    for connector in (0, 1, 2):
        status(one, 72 + connector, connector, "Available")
    one.up(100, "Authorize", {"idTag": "TAG-A"}, {"idTagInfo": {"status": "Accepted"}})
    status(one, 101, 1, "Preparing")
    start(one, 102, 1, "TAG-A", 1000, 11)
    status(one, 103, 1, "Charging")
    for seconds, wh in ((400, 1500), (700, 2200)):
        values(one, seconds, 1, 11, wh)
    data = [plain(102, 1000, "Transaction.Begin"), plain(900, 3000, "Transaction.End")]
    data += [signed(102, "B", 1000, 1), signed(900, "E", 3000, 2)]
    stop(one, 900, 11, 3000, transactionData=data, reason="Local")
    status(one, 901, 1, "Finishing")
    status(one, 910, 1, "Available")
    one.down(1100, "RemoteStartTransaction", {"connectorId": 2, "idTag": "TAG-B"}, {"status": "Accepted"})
    status(one, 1105, 2, "Preparing")
    start(one, 1106, 2, "TAG-B", 500, 12)
    status(one, 1107, 2, "Charging")
    values(one, 1400, 2, 12, 800)
    one.down(1500, "RemoteStopTransaction", {"transactionId": 12}, {"status": "Accepted"})
    stop(one, 1502, 12, 900, reason="Remote")
    status(one, 1503, 2, "Finishing")
    status(one, 1510, 2, "Available")
    one.up(1600, "Authorize", {"idTag": "TAG-C"}, {"idTagInfo": {"status": "Invalid"}})
    for seconds in (1900, 2200):
        one.up(seconds, "Heartbeat", {}, {"currentTime": time(seconds)})
    one.down(2300, "GetLocalListVersion", {}, "NotSupported")
    one.close(2400)
    one.open(2580)
    start(one, 2590, 1, "TAG-A", 3000, 13, happened=2410)
    one.rows[-1].lost = True
    one.close(2595)
    one.open(2600)
    start(one, 2601, 1, "TAG-A", 3000, 13, happened=2410)
    values(one, 2602, 1, 13, 3200, happened=2450)
    stop(one, 2603, 13, 3300, happened=2500)
    for seconds in (2900, 3200, 3500):
        one.up(seconds, "Heartbeat", {}, {"currentTime": time(seconds)})
    return one


def status(one: Trace, seconds: float, connector: int, what: str) -> None:
    said = {"connectorId": connector, "errorCode": "NoError", "status": what, "timestamp": time(seconds)}
    one.up(seconds, "StatusNotification", said)


def start(
    one: Trace, seconds: float, connector: int, tag: str, wh: int, id: int, happened: float | None = None
) -> None:
    moment = time(seconds if happened is None else happened)
    said = {"connectorId": connector, "idTag": tag, "meterStart": wh, "timestamp": moment}
    one.up(seconds, "StartTransaction", said, {"transactionId": id, "idTagInfo": {"status": "Accepted"}})


def values(one: Trace, seconds: float, connector: int, id: int, wh: int, happened: float | None = None) -> None:
    taken = plain(seconds if happened is None else happened, wh)
    one.up(seconds, "MeterValues", {"connectorId": connector, "transactionId": id, "meterValue": [taken]})


def stop(one: Trace, seconds: float, id: int, wh: int, happened: float | None = None, **more: Any) -> None:
    moment = time(seconds if happened is None else happened)
    one.up(seconds, "StopTransaction", {"transactionId": id, "meterStop": wh, "timestamp": moment, **more})


Edit = Callable[[Trace], None]
