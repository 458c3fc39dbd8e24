"""Rules of OCPP-J itself: frames, schemas, ids, one CALL at a time, an answer for each and none for nothing."""

from __future__ import annotations

import hashlib
from collections import OrderedDict

from scenarios.wirecheck.actions import caller
from scenarios.wirecheck.message import CALL, ERROR, RESULT, RESULT_ERROR, SEND, Message, once
from scenarios.wirecheck.rule import V16, Rule
from sim.clock import SECOND
from sim.wire.ocppj import ERROR_CODES
from sim.wire.schema import Violation, judge, known_actions

_MOST_IDS = 1_000
_CODES_2 = (
    *(code for code in ERROR_CODES if code not in ("FormationViolation", "OccurenceConstraintViolation")),
    "FormatViolation", "OccurrenceConstraintViolation", "RpcFrameworkError", "MessageTypeNotSupported",
)  # fmt: skip
_ONLY_21 = (RESULT_ERROR, SEND)


class FrameForm(Rule):
    """Frames."""

    id = "frame.form"
    requires = ("INV-38", "1.6J §4.2", "2.0.1 Part 4 §4.2")
    sentence = "Every frame is an OCPP-J array with the right elements and an id of at most 36 characters."
    side = "both"

    def frame(self, one: Message) -> None:
        """Judge its form."""
        self.saw()
        if one.wrong:
            self.breach(f"a frame of the {one.sender} is none: {one.wrong}", one)
        elif one.kind in _ONLY_21 and self.station.version != "2.1":
            self.breach(f"message type {one.kind} is known to OCPP 2.1 only", one)


class CallSchema(Rule):
    """Requests."""

    id = "call.schema"
    requires = ("1.6 §4-5", "1.6J errata §3.2", "2.0.1 Part 3")
    sentence = "The payload of every CALL fits its schema, and the action is one that this side may call."
    side = "both"

    def call(self, one: Message) -> None:
        """Judge action and payload."""
        if one.wrong:
            return
        self.saw()
        version = self.station.version
        way = caller(one.action, known_actions(version))
        if way and way != ("up" if one.up else "down"):
            self.breach(f"{one.action} is not for the {one.sender} to call", one)
            return
        found = _violation(one, version) if one.kind == CALL else None
        if found is not None:
            where = f"{found.path} " if found.path else ""
            self.breach(f"{one.action}: {where}{found.problem}", one)


class AnswerSchema(Rule):
    """Answers."""

    id = "answer.schema"
    requires = ("1.6 §4-5", "2.0.1 Part 3")
    sentence = "The payload of every CALLRESULT fits the schema of what it answers."
    side = "both"

    def answer(self, one: Message) -> None:
        """Judge the payload."""
        call = one.call
        if one.kind != RESULT or one.wrong or call is None or call.action not in known_actions(self.station.version):
            return
        self.saw()
        found = judge(self.station.version, call.action, "response", one.raw)
        if found is not None:
            where = f"{found.path} " if found.path else ""
            self.breach(f"the answer to {call.action}: {where}{found.problem}", call, one)


class ErrorCode(Rule):
    """Codes."""

    id = "error.code"
    requires = ("1.6J §4.2.3", "2.0.1 Part 4 §4.3")
    sentence = "Every CALLERROR carries a code of its OCPP version, in that version's spelling."
    side = "both"

    def frame(self, one: Message) -> None:
        """Judge its code."""
        if one.kind != ERROR or not one.code:
            return
        self.saw()
        version = self.station.version
        if one.code not in (ERROR_CODES if version in V16 else _CODES_2):
            self.breach(f"{one.code[:60]!r} is no error code of OCPP {version}", one)


class MalformedRefused(Rule):
    """What a strict receiver does."""

    id = "error.malformed-refused"
    requires = ("1.6J §4.2.3", "2.0.1 Part 4 §4.3")
    sentence = "A CALL with an unknown action or a payload that breaks its schema is not answered by a CALLRESULT."
    side = "both"
    only_notes = True

    def answer(self, one: Message) -> None:
        """Judge an answer to what deserved none."""
        call = one.call
        if call is None or call.wrong:
            return
        found = _violation(call, self.station.version)
        if found is None:
            return
        self.saw()
        if one.kind == RESULT:
            self.breach(
                f"{call.action[:60]} broke its schema ({found.problem}) and was answered as if it had not", call, one
            )


class UniqueIds(Rule):
    """Message ids."""

    id = "id.unique"
    requires = ("INV-13", "1.6J §4.1.4", "1.6J errata §3.1", "2.0.1 Part 4 §4.1.4")
    sentence = (
        f"No id of a CALL is used again by its side (the last {_MOST_IDS:,}); in 1.6 and 2.1 a retry may keep it."
    )
    side = "both"

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._seen: dict[bool, OrderedDict[str, bytes]] = {True: OrderedDict(), False: OrderedDict()}

    def call(self, one: Message) -> None:
        """Compare with the ids before it."""
        self.saw()
        seen = self._seen[one.up]
        what = hashlib.blake2b(one.action.encode() + one.raw, digest_size=8).digest() if one.action in _RETRIED else b""
        before = seen.get(one.id)
        if before is not None and (not what or before != what or self.station.version == "2.0.1"):
            self.breach(f"the {one.sender} uses the id {one.id[:40]!r} a second time", one)
        if before is None:
            seen[one.id] = what
            if len(seen) > _MOST_IDS:
                seen.popitem(last=False)


_RETRIED = ("StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent", "BootNotification")


class OneOutstanding(Rule):
    """One question at a time."""

    id = "call.one-outstanding"
    requires = ("INV-12", "1.6J §4.1.1", "2.0.1 Part 4 §4.1.1")
    sentence = "A side sends no further CALL on a connection before the last one was answered or has timed out."
    side = "both"

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._last: dict[tuple[str, str, bool], tuple[Message, Message]] = {}

    def call(self, one: Message) -> None:
        """Is there another one under way?"""
        if one.kind != CALL:
            return
        self.saw()
        other = next(reversed(self.station.wire_of(one).waiting[one.up].values()), None)
        if other is not None and one.sent - other.sent < self.limits.timeout:
            self.breach(f"the {one.sender} sends {one.action} while its {other.action} is not answered", other, one)
            return
        last = self._last.get((one.backend, one.link, one.up))
        if last is not None and last[0].sent <= one.sent < last[1].arrived:
            text = f"the {one.sender} sent {one.action} before the answer to its {last[0].action} had arrived"
            self.breach(text, last[0], one)

    def answer(self, one: Message) -> None:
        """Remember it, for calls that were on their way meanwhile."""
        if one.call is not None:
            self._last[(one.backend, one.link, one.call.up)] = (one.call, one)

    def closed(self, link: str, at: int, left: list[Message]) -> None:
        """Forget."""
        self._last = {key: value for key, value in self._last.items() if f"{key[0]}/{key[1]}" != link}


class Answered(Rule):
    """Somebody is there."""

    id = "call.answered"
    requires = ("INV-05", "1.6J §4.1", "2.0.1 Part 2 §3.2")
    sentence = "Every CALL that reached the other side is answered within the time-out (30 s unless told otherwise)."
    side = "both"

    def overdue(self, call: Message, one: Message) -> None:
        """Too late, whatever comes now."""
        self.saw()
        self._late(call, one, f"{call.action} is not answered for {_seconds(one.sent - call.arrived)}")

    def answer(self, one: Message) -> None:
        """In time?"""
        call = one.call
        if call is None or one.late:
            return
        self.saw()
        if one.sent - call.arrived > self.limits.timeout:
            self._late(call, one, f"{call.action} is answered after {_seconds(one.sent - call.arrived)} only")

    def closed(self, link: str, at: int, left: list[Message]) -> None:
        """What is left may have been answered, had the connection lived."""
        self.end(at, left)

    def end(self, at: int, left: list[Message]) -> None:
        """Nobody knows what would have come."""
        for _ in left:
            self.unsure("calls were open when their connection or the trace ended")

    def _late(self, call: Message, one: Message, text: str) -> None:
        self.breach(text, call, one, side="back-end" if call.up else "station")


class AnswerToNothing(Rule):
    """Answers that nobody waits for."""

    id = "answer.to-nothing"
    requires = ("INV-13", "1.6J §4.1.4")
    sentence = "Every answer belongs to a CALL of the other side on the same connection, and each is answered once."
    side = "both"

    def answer(self, one: Message) -> None:
        """It does."""
        self.saw()

    def stray(self, one: Message, why: str) -> None:
        """It does not, or nobody can say."""
        if why:
            self.unsure(why)
            return
        self.saw()
        before = self.station.wire_of(one).answered[not one.up].get(one.id)
        if before is not None:
            self.breach(f"the {one.sender} answers {before.action} a second time", before, one)
        else:
            self.breach(f"the {one.sender} answers {one.id[:40]!r}, which was not asked on this connection", one)


def _violation(call: Message, version: str) -> Violation | None:
    """What is wrong with a CALL by its schema."""
    found: Violation | None = once(call, "violation", lambda: judge(version, call.action, "request", call.raw))
    return found


def _seconds(ms: int) -> str:
    return f"{ms // SECOND:,} s"


RULES: tuple[type[Rule], ...] = (
    FrameForm,
    CallSchema,
    AnswerSchema,
    ErrorCode,
    MalformedRefused,
    UniqueIds,
    OneOutstanding,
    Answered,
    AnswerToNothing,
)
