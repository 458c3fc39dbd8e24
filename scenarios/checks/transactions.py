"""Transactions on the wire: repeats, answers, ids and the time before a station is accepted (INV-04, 05, 07, 16)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeVar

from scenarios.checks.events import EVENT
from scenarios.checks.excuses import LATE, REFUSING, excused
from scenarios.checks.joins import HANDED_OVER, NEAR
from scenarios.checks.registry import Judge, check
from scenarios.checks.stops import WireStart, WireStop, answer, error_code, starts, stops, verdict
from sim.clock import SECOND
from sim.evidence.canonical import canonical
from sim.evidence.reader import Evidence, line
from sim.evidence.views import BookBill, BookTransaction, Held, WireCall, WireLink

ANSWER_WITHIN = 30 * SECOND
"""How long a back-end may take for an answer over a living connection, in ms."""
LARGEST_ID = 2**31
LONGEST_ID = 36
"""Characters in an id that a station gives (OCPP 2.0.1 E01)."""
_REMOTE = ("RemoteStartTransaction", "RemoteStopTransaction", "RequestStartTransaction", "RequestStopTransaction")

K = TypeVar("K")
S = TypeVar("S", WireStart, WireStop)


@check(
    "INV-04",
    sentence="n deliveries of one start or stop make one row, one transaction id, and equal answers",
    planes=("wire", "books"),
    needs=("wire_calls", "books_transactions", "books_quarantine", "books_bills"),
)
def idempotent(evidence: Evidence, judge: Judge) -> None:
    """By business key, whatever the message ids, over both back-ends."""
    rows = [row for row in evidence.read(BookTransaction) if row.state != HANDED_OVER]
    by_place: dict[tuple[str, int | None, str], list[BookTransaction]] = {}
    by_id: dict[tuple[str, int | str], list[BookTransaction]] = {}
    for row in rows:
        by_place.setdefault((row.station, row.connector, (row.id_tag or "").upper()), []).append(row)
        by_id.setdefault((row.station, row.transaction_id), []).append(row)
    repeats = 0
    start_groups, stop_groups = _grouped(starts(evidence)), _grouped(stops(evidence))
    for start_key, start_group in start_groups.items():
        repeats += len(start_group) - 1
        judge.examined()
        same = [row for row in by_place.get(start_key[:3], ()) if abs((row.started_at or 0) - start_key[3]) < SECOND]
        _one_start(judge, start_group, [row for row in same if row.meter_start == start_key[4]])
    for stop_key, stop_group in stop_groups.items():
        repeats += len(stop_group) - 1
        judge.examined()
        _one_stop(evidence, judge, stop_group, by_id.get(stop_key[:2], []))
    judge.say(f"{repeats} of {judge.items + repeats} deliveries were repeats")


def _grouped(messages: Iterable[S]) -> dict[Any, list[S]]:
    groups: dict[Any, list[S]] = {}
    for message in messages:
        groups.setdefault(message.key, []).append(message)
    return groups


def _one_start(judge: Judge, group: Sequence[WireStart], rows: Sequence[BookTransaction]) -> None:
    calls = [start.call for start in group]
    answers = [answer(call) for call in calls if call.answer_kind == "result"]
    subject = f"{group[0].call.station}*{group[0].connector} {group[0].id_tag}"
    problem = _unequal(answers)
    if len(rows) > 1:
        problem = f"one StartTransaction became {len(rows)} transactions"
    elif not rows and any((verdict(one) or ("", ""))[0] == "Accepted" for one in answers):
        problem = "a StartTransaction was accepted on the wire and is in no book"
    elif rows and any(start.transaction_id not in (None, rows[0].transaction_id) for start in group):
        problem = "the transaction id on the wire is not the one in the books"
    if problem:
        judge.fail("transaction", subject, problem, *map(line, calls), *map(line, rows))


def _one_stop(evidence: Evidence, judge: Judge, group: Sequence[WireStop], rows: Sequence[BookTransaction]) -> None:
    calls = [stop.call for stop in group]
    first = group[0]
    bills = evidence.keep("bills by session", _bills_by_session)
    answers = [answer(call) for call in calls if call.answer_kind == "result"]
    problem = _unequal(answers)
    own = [bill for row in rows for bill in bills.get((row.backend, row.session_id or ""), ())]
    held = _held_twice(evidence, first)
    if len(rows) > 1:
        problem = f"one stop closed {len(rows)} transactions"
    elif len(own) > 1:
        problem = f"one stop was billed {len(own)} times"
    elif held:
        problem = f"one stop is in the quarantine {len(held)} times"
    elif answers and rows and rows[0].state == "open" and not _is_held(evidence, first):
        problem = "a StopTransaction was answered, and the books still call the transaction open"
    if problem:
        subject = f"{first.call.station} {first.transaction_id}"
        judge.fail("transaction", subject, problem, *map(line, calls), *map(line, rows), *map(line, (*own, *held)))


def _held_cases(evidence: Evidence) -> dict[tuple[str, int | str], list[Held]]:
    cases: dict[tuple[str, int | str], list[Held]] = {}
    for held in evidence.read(Held):
        cases.setdefault((held.station or "", held.transaction_id or 0), []).append(held)
    return cases


def _is_held(evidence: Evidence, stop: WireStop) -> bool:
    return stop.key[:2] in evidence.keep("held cases", _held_cases)


def _held_twice(evidence: Evidence, stop: WireStop) -> list[Held]:
    """Quarantine rows of this stop beyond one per stop of other values, for stops that belong to no session."""

    def count(source: Evidence) -> dict[tuple[str, int | str], int]:
        return _tally(key[:2] for key in {each.key: each for each in stops(source)})

    different = evidence.keep("different stops", count)[stop.key[:2]]
    cases = evidence.keep("held cases", _held_cases).get(stop.key[:2], [])
    for reason, allowed in (
        ("second-stop", different - 1),
        ("unknown-transaction", different),
        ("stray-stop", different),
    ):
        found = [held for held in cases if held.reason == reason]
        if len(found) > allowed:
            return found
    return []


def _unequal(answers: Sequence[Any]) -> str:
    different = {canonical(one) for one in answers}
    return f"equal messages got {len(different)} different answers" if len(different) > 1 else ""


def _bills_by_session(evidence: Evidence) -> dict[tuple[str, str], list[BookBill]]:
    bills: dict[tuple[str, str], list[BookBill]] = {}
    for bill in evidence.read(BookBill):
        bills.setdefault((bill.backend, bill.session_id), []).append(bill)
    return bills


def _tally(keys: Iterable[K]) -> dict[K, int]:
    counts: dict[K, int] = {}
    for key in keys:
        counts[key] = counts.get(key, 0) + 1
    return counts


@check(
    "INV-05",
    sentence="well-formed calls are never refused once accepted; transaction messages get a result within 30 s",
    planes=("wire",),
    needs=("wire_calls", "wire_links"),
)
def always_answered(evidence: Evidence, judge: Judge) -> None:
    """What begins, ends or measures a transaction; a connection that died makes it a maybe.

    All other calls of stations: an error is a finding once the station is accepted.
    """
    closed = {link.link: link.closed_at for link in evidence.read(WireLink)}
    end = evidence.ended_at()
    accepted = acceptance(evidence)
    made_to = excused(evidence, *REFUSING, *LATE)
    maybe = 0
    for call in evidence.read(WireCall):
        if call.way != "up" or call.delivered_at is None or call.well_formed == 0:
            continue
        binding, arrived = _of_a_transaction(call), call.delivered_at
        if (not binding and call.answer_kind != "error") or made_to(call.backend, arrived):
            continue
        judge.examined()
        died = closed.get(call.link)
        problem = ""
        if call.answer_kind == "result":
            took = (call.answered_at or 0) - arrived
            problem = f"answered only after {took} ms" if took > ANSWER_WITHIN else ""
        elif call.answer_kind == "error":
            code = error_code(call)
            rightly = code == "SecurityError" and accepted.get(call.station, call.backend, arrived) is not True
            problem = "" if rightly or _unheard_of(call, code) else f"refused with {code}"
        elif (end if died is None else died) < arrived + ANSWER_WITHIN:
            maybe += 1
        else:
            problem = "never answered, over a connection that stayed up"
        if problem and (binding or accepted.get(call.station, call.backend, arrived) is True):
            judge.fail("station", call.station, f"{call.action} was {problem}", line(call))
    lost = "1 message" if maybe == 1 else f"{maybe} messages"
    judge.say(
        f"{lost} lost the connection before an answer was due, so nobody can say if one was to come" if maybe else ""
    )


def _of_a_transaction(call: WireCall) -> bool:
    if call.action == "MeterValues":
        return '"transactionId"' in (call.payload or "")
    return call.action in ("StartTransaction", "StopTransaction", EVENT)


def _unheard_of(call: WireCall, code: str | None) -> bool:
    """Whether a back-end says that it does not know an action that no schema has judged either."""
    return call.well_formed is None and code in ("NotImplemented", "NotSupported")


@check(
    "INV-07",
    sentence="transaction ids of back-ends are positive and below 2^31, and no id ever means two transactions",
    planes=("wire", "books"),
    needs=("wire_calls", "books_transactions"),
)
def unique_ids(evidence: Evidence, judge: Judge) -> None:
    """Ids on the wire and in both books, also after a restart and after the move; a text is its station's own (2.0.1)."""
    meant: dict[tuple[str, int | str], list[WireCall | BookTransaction]] = {}
    known: dict[tuple[str, int | str], list[tuple[str, int | None, str, int]]] = {}

    def means(
        number: int | str, station: str, connector: int | None, tag: str, at: int, row: WireCall | BookTransaction
    ) -> None:
        """Note the row, unless it tells of a transaction that is noted already."""
        id = (station if isinstance(number, str) else "", number)
        for have in known.setdefault(id, []):
            if have[:3] == (station, connector, tag) and abs(have[3] - at) <= NEAR:
                return
        known[id].append((station, connector, tag, at))
        meant.setdefault(id, []).append(row)

    for start in starts(evidence):
        if start.transaction_id is not None:
            key = start.key
            means(start.transaction_id, key[0], key[1], key[2], key[3], start.call)
    for row in evidence.read(BookTransaction):
        means(row.transaction_id, row.station, row.connector, (row.id_tag or "").upper(), row.started_at or 0, row)
    for (_, number), rows in meant.items():
        judge.examined()
        if isinstance(number, int) and not 0 < number < LARGEST_ID:
            judge.fail("transaction", number, f"{number} is no positive 31-bit id", *map(line, rows))
        if isinstance(number, str) and not 0 < len(number) <= LONGEST_ID:
            judge.fail("transaction", number, f"an id of {len(number)} characters", *map(line, rows))
        if len(rows) > 1:
            judge.fail("transaction", number, f"the id {number} means {len(rows)} transactions", *map(line, rows))


class Acceptance:
    """When each station was accepted at each back-end, by the boot answers on the wire."""

    def __init__(self, changes: Mapping[tuple[str, str], Sequence[tuple[int, bool]]]) -> None:
        self._changes = changes

    def get(self, station: str, backend: str, at: int) -> bool | None:
        """Whether it was accepted at this instant; None at the very instant of a change, when both are right."""
        state = False
        for when, accepted in self._changes.get((station, backend), ()):
            if when > at:
                break
            if when == at:
                return None
            state = accepted
        return state

    def since(self, station: str, backend: str, at: int) -> int:
        """When the state at this instant began."""
        return max((when for when, _ in self._changes.get((station, backend), ()) if when <= at), default=0)

    @property
    def waits(self) -> int:
        """How often a station was told to wait."""
        return sum(not accepted for changes in self._changes.values() for _, accepted in changes)


def acceptance(evidence: Evidence) -> Acceptance:
    """The acceptance of all stations, made once."""

    def read(source: Evidence) -> Acceptance:
        changes: dict[tuple[str, str], list[tuple[int, bool]]] = {}
        for call in source.read(WireCall):
            told = answer(call) if call.action == "BootNotification" and call.way == "up" else None
            if told is not None and call.answered_at is not None:
                change = (call.answered_at, told.get("status") == "Accepted")
                changes.setdefault((call.station, call.backend), []).append(change)
        return Acceptance({place: sorted(found) for place, found in changes.items()})

    return evidence.keep("acceptance", read)


@check(
    "INV-16",
    sentence="before a station is accepted nothing is booked, no remote start is sent, and calls get SecurityError",
    planes=("wire", "books"),
    needs=("wire_calls", "books_transactions"),
)
def nothing_before_accepted(evidence: Evidence, judge: Judge) -> None:
    """Per station and back-end, from the boot answers; what a TriggerMessage asked for may be answered."""
    accepted = acceptance(evidence)
    triggered: dict[tuple[str, str, str], list[int]] = {}
    for call in evidence.read(WireCall):
        place = (call.station, call.backend)
        if call.way == "down" and call.action == "TriggerMessage":
            asked = _requested(call)
            triggered.setdefault((*place, asked), []).append(call.sent_at)
        elif call.way == "down" and call.action in _REMOTE:
            judge.examined()
            if accepted.get(*place, call.sent_at) is False:
                judge.fail("station", call.station, f"{call.action} was sent before it was accepted", line(call))
        elif call.way == "up" and call.action != "BootNotification" and call.delivered_at is not None:
            if accepted.get(*place, call.delivered_at) is not False or call.well_formed == 0:
                continue
            judge.examined()
            since = accepted.since(*place, call.delivered_at)
            asked_for = any(at >= since for at in triggered.get((*place, call.action), ()))
            if call.answer_kind == "result" and not asked_for:
                sentence = f"{call.action} was answered with a result before the station was accepted"
                judge.fail("station", call.station, sentence, line(call))
            elif call.answer_kind == "error" and error_code(call) != "SecurityError":
                sentence = f"{call.action} before acceptance got {error_code(call)} instead of SecurityError"
                judge.fail("station", call.station, sentence, line(call))
    for row in evidence.read(BookTransaction):
        received = row.received_start_at
        by_station = row.issuer == row.station and isinstance(
            row.transaction_id, str
        )  # 2.0.1; a name may be a back-end's
        if received is None or row.state == HANDED_OVER or not (by_station or row.issuer in (None, row.backend)):
            continue
        judge.examined()
        if accepted.get(row.station, row.backend, received) is False:
            judge.fail("station", row.station, "a transaction was booked before the station was accepted", line(row))
    judge.say(f"stations were told to wait {accepted.waits} times")


def _requested(call: WireCall) -> str:
    return str(json.loads(call.payload or "{}").get("requestedMessage"))
