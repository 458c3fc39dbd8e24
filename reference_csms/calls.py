"""Calls of the back-end to a station: one outstanding per connection, a timeout, an outcome for everybody who asked.

A call that was sent and never answered ends as Unknown: it may have happened. One that was never sent ends as Refused.
Payloads are judged by the schema of the link's version, so nothing that breaks it leaves the house.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from reference_csms.stage import Stage
from sim.clock import SECOND, Instant
from sim.machine import Answered, LinkId, Outcome, Refused, Send, Settle, Unknown
from sim.rng import message_id
from sim.wire import ocppj
from sim.wire.calls import CallQueue, Pending
from sim.wire.dialect import V16, Dialect
from sim.wire.schema import known_actions

CALL_TIMEOUT = 30 * SECOND

Done = Callable[[Outcome, Instant], None]
Welcome = Callable[[str, bool], Sequence[tuple[str, Mapping[str, Any]]]]


def no_welcome(station: str, booted: bool) -> Sequence[tuple[str, Mapping[str, Any]]]:
    """The default for the part `welcome`: a station is asked for nothing before its keys."""
    return ()


class Asked(Struct, frozen=True):
    """Who wants to know: the caller of an operation, or somebody in the house."""

    call_id: str | None = None
    done: Done | None = None


_INVITES = {"TriggerMessage": "", "GetBaseReport": "NotifyReport", "GetReport": "NotifyReport"}
"""Calls that ask for a message, and which one; TriggerMessage names it (OCPP 1.6 §4.2, OCPP 2.0.1 B02)."""


class BadPayload(Exception):
    """A payload that is none for this action. `str()` says why."""


def encode_payload(action: str, payload: Mapping[str, Any], dialect: Dialect = V16) -> bytes:
    """The bytes of a request made from plain values. Raises BadPayload, also for an unknown action."""
    kind = dialect.requests.get(action)
    if kind is None and action not in known_actions(dialect.version):
        raise BadPayload(f"{action} is no OCPP {dialect.version} action")
    try:
        raw = msgspec.json.encode(payload) if kind is None else dialect.encode(msgspec.convert(dict(payload), kind))
    except (msgspec.ValidationError, TypeError) as err:
        raise BadPayload(str(err)) from None
    violation = dialect.judge_request(action, raw)
    if violation is not None:
        raise BadPayload(f"{violation.path} {violation.problem}".strip())
    return raw


class Timeouts:
    """When which connection's outstanding call has waited long enough. Stale entries are harmless."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, StationCalls]] = []
        self._count = 0

    def push(self, deadline: int, calls: StationCalls) -> None:
        """Note a deadline."""
        self._count += 1
        heapq.heappush(self._heap, (deadline, self._count, calls))

    def next(self) -> Instant | None:
        """The earliest deadline of a call that still waits."""
        while self._heap and self._heap[0][2].deadline != self._heap[0][0]:
            heapq.heappop(self._heap)
        return Instant(self._heap[0][0]) if self._heap else None

    def expire(self, now: Instant) -> None:
        """Give up all calls whose deadline has come."""
        while self._heap and self._heap[0][0] <= now:
            _, _, calls = heapq.heappop(self._heap)
            calls.expire(now)


class StationCalls:
    """The back-end's calls on one connection."""

    def __init__(
        self, stage: Stage, timeouts: Timeouts, link: LinkId, salt: object, owner: str, dialect: Dialect = V16
    ) -> None:
        self._stage = stage
        self._dialect = dialect
        self._timeouts = timeouts
        self._link = link
        self._salt = salt
        self._owner = f"{owner}/{link}"
        self._queue = CallQueue(CALL_TIMEOUT)
        self._count = 0
        self.invited: set[str] = set()
        """What the station was asked to send, until it comes: a pending one may send that and nothing else."""

    @property
    def deadline(self) -> int | None:
        """When the outstanding call is given up."""
        return self._queue.deadline

    def ask(self, action: str, raw: bytes, asked: Asked, now: Instant) -> None:
        """Put a call in line. `raw` comes from `encode_payload`."""
        if action in _INVITES:
            self.invited.add(_INVITES[action] or str(msgspec.json.decode(raw)["requestedMessage"]))
        self._count += 1
        id = message_id(self._salt, self._owner, self._count)
        self._queue.offer(Pending(id, action, ocppj.encode_call(id, action, raw), tag=asked))
        self._pump(now)

    def answered(self, frame: ocppj.Result | ocppj.Error, now: Instant) -> None:
        """An answer came; one that nobody waits for is ignored (OCPP-J 1.6, INV-13)."""
        call = self._queue.answered(frame.id)
        if call is None:
            return
        if isinstance(frame, ocppj.Error):
            outcome: Outcome = Refused(self._dialect.known_code(frame.code), frame.description)
        elif (violation := self._dialect.judge_response(call.action, frame.payload)) is not None:
            outcome = Refused(violation.code, f"the answer breaks the schema: {violation.path} {violation.problem}")
        else:
            outcome = Answered(msgspec.json.decode(frame.payload))
        self._settle(call, outcome, now)
        self._pump(now)

    def unreadable(self, id: str, why: str, now: Instant) -> None:
        """The answer to this call could not be read: the call has failed, and nobody is answered."""
        call = self._queue.answered(id)
        if call is not None:
            self._settle(call, Refused("FormationViolation", why), now)
            self._pump(now)

    def expire(self, now: Instant) -> None:
        """Give up the outstanding call if its deadline has come."""
        call = self._queue.timed_out(now)
        if call is not None:
            self._settle(call, Unknown("timeout"), now)
            self._pump(now)

    def drop(self, now: Instant) -> None:
        """The connection is gone: the outstanding call may have happened, those in line have not."""
        sent = self._queue.outstanding
        for call in self._queue.drop_all():
            outcome = (
                Unknown("connection lost") if call is sent else Refused("not-connected", "the call was never sent")
            )
            self._settle(call, outcome, now)

    def _pump(self, now: Instant) -> None:
        call = self._queue.next(now)
        if call is not None:
            assert call.deadline is not None
            self._timeouts.push(call.deadline, self)
            self._stage.add(Send(self._link, call.frame))

    def _settle(self, call: Pending, outcome: Outcome, now: Instant) -> None:
        asked: Asked = call.tag
        if asked.done is not None:
            asked.done(outcome, now)
        if asked.call_id is not None:
            self._stage.add(Settle(asked.call_id, outcome))
