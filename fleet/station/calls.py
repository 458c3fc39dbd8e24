"""A station's own CALLs: one outstanding at a time, each with somebody who asked, and what came of it.

Every call ends exactly once: answered, refused, unreadable, timed out, or lost with the connection. It never repeats a
call; whoever asked decides. Sources: OCPP-J 1.6 §4.1.1 (one outstanding), §4.1.4 (message ids never used twice).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import chain, count
from typing import Protocol

import msgspec

from fleet.station.desk import Desk
from fleet.station.timers import NEVER
from sim.clock import SECOND
from sim.machine import Send
from sim.rng import derive
from sim.wire import ocppj
from sim.wire.calls import NORMAL, CallQueue, Pending
from sim.wire.dialect import Dialect

LOST = "lost"
TIMEOUT = "timeout"
UNREADABLE = "unreadable"
"""Why a call failed, beside the code of a CALLERROR."""

EMPTY_ANSWERS = ("MeterValues", "StatusNotification")
"""Actions whose answer has no fields."""

_ID = slice(2, 40)
"""Where comma, quotation mark and id stand in a frame: ids from `message_ids` have 36 characters."""

_TOLD = b'",{"currentTime":"'
_TIME = re.compile(rb'20\d\d-(0[1-9]|1[0-2])-([01]\d|2[0-8])T([01]\d|2[0-3])(:[0-5]\d){2}\.\d{3}Z"\}\]').fullmatch
"""The end of a Heartbeat answer with a time of this century in UTC; the last days of a month go the slow way."""
_TO_TIME = len('[3,"') + 36 + len(_TOLD)


_THREE_DIGITS = tuple(f"{number:03x}" for number in range(0x1000))


class Asker(Protocol):
    """Whoever made a call."""

    def answered(self, call: Pending, payload: bytes) -> None:
        """The answer came and fits the schema."""
        ...

    def failed(self, call: Pending, why: str) -> None:
        """No answer: LOST, TIMEOUT, UNREADABLE or the code of a CALLERROR."""
        ...


class Careless:
    """Asks, and does not mind the answer."""

    def answered(self, call: Pending, payload: bytes) -> None:
        """Nothing depends on it."""

    def failed(self, call: Pending, why: str) -> None:
        """Nothing depends on it."""


def message_ids(salt: object, station: str, boots: int) -> Iterator[str]:
    """Message ids of one station between two boots: UUID-shaped, a hashed front and a counter behind."""
    h = derive(salt, "message-id", station, boots).hex()
    front = f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-"
    blocks = (map(f"{front}{block:09x}".__add__, _THREE_DIGITS) for block in count())
    ids = chain.from_iterable(blocks)
    next(ids)  # the counter begins with 1
    return ids


class Calls:
    """The line of own calls on the present connection."""

    __slots__ = (
        "_desk",
        "_queue",
        "dialect",
        "ids",
        "on_forgotten",
        "on_stuck",
    )

    def __init__(self, desk: Desk, ids: Iterator[str], dialect: Dialect) -> None:
        self._desk = desk
        self.dialect = dialect
        """What is spoken on the connection."""
        self._queue = CallQueue(desk.profile.calls.timeout_s * SECOND)
        desk.timers.on_no_answer = self._time_is_up
        self.ids = ids
        """Message ids, each used once."""
        self.on_stuck: Callable[[], None] = lambda: None
        self.on_forgotten: Callable[[], None] = lambda: None

    @property
    def idle(self) -> bool:
        """Whether nothing is outstanding and nothing waits."""
        return self._queue.outstanding is None and not self._queue.waiting

    def ask(self, action: str, payload: msgspec.Struct, asker: Asker, priority: int = NORMAL) -> None:
        """Put a call in line; it goes out as soon as it may. Without a connection it fails at once."""
        id = next(self.ids)
        self.put(Pending(id, action, ocppj.encode_call(id, action, self.dialect.encode(payload)), priority, asker))

    def put(self, call: Pending) -> None:
        """As `ask`, with the frame ready; the id must come from `ids`."""
        desk, queue = self._desk, self._queue
        link = desk.link
        if link is None:
            call.tag.failed(call, LOST)
        elif queue.outstanding is None and not queue.waiting:  # nearly always: `offer` and `next` in one
            now = desk.now
            queue.outstanding = call
            call.deadline = desk.timers.answer = now + queue.timeout_ms
            desk.last_call_at = now
            desk.out.append(Send(link, call.frame))
        else:
            queue.offer(call)
            self._next()

    def _next(self) -> None:
        """Put the next call of the line on the link, if one may go."""
        link = self._desk.link
        call = self._queue.next(self._desk.now) if link is not None else None
        if call is not None and link is not None:
            desk = self._desk
            desk.timers.answer = call.deadline or NEVER
            desk.last_call_at = desk.now
            desk.out.append(Send(link, call.frame))

    def quick(self, frame: bytes) -> bool:
        """Take an answer in the plainest writing, which is what nearly all are; False if this frame is not one.

        Saves parsing and judging what can be told by looking: the bytes are a valid empty result for this very call, or
        that of its Heartbeat.
        """
        queue = self._queue
        call = queue.outstanding
        if call is None:
            return False
        if call.action in EMPTY_ANSWERS:
            if frame != b"[3" + call.frame[_ID] + b'",{}]':
                return False
            payload = b"{}"
        elif call.action == "Heartbeat":
            if frame[:_TO_TIME] != b"[3" + call.frame[_ID] + _TOLD or not _TIME(frame, _TO_TIME):
                return False
            payload = frame[42:-1]
        else:
            return False
        queue.outstanding = None
        self._desk.timers.answer = NEVER
        call.tag.answered(call, payload)
        if queue.waiting:
            self._next()
        return True

    # -- what came of it ----------------------------------------------------------------------------------------------

    def asked_at(self, call: Pending) -> int:
        """When an outstanding or ended call was put on the link."""
        return (call.deadline or 0) - self._queue.timeout_ms

    def result(self, frame: ocppj.Result) -> None:
        """A CALLRESULT came in; one that nobody waits for is noted and ignored."""
        call = self._end(frame.id)
        if call is None:
            return
        if self.dialect.readable_response(call.action, frame.payload):
            call.tag.answered(call, frame.payload)
        else:
            call.tag.failed(call, UNREADABLE)
        self._next()

    def error(self, frame: ocppj.Error) -> None:
        """A CALLERROR came in."""
        call = self._end(frame.id)
        if call is None:
            return
        code = self.dialect.known_code(frame.code)
        call.tag.failed(call, code)
        if code == "SecurityError" and self._desk.accepted and call.action != "BootNotification":
            self.on_forgotten()
        self._next()

    def unreadable(self, id: str) -> None:
        """The answer to this call was no frame: the call has failed, and nobody is answered (OCPP-J 1.6 §4.2)."""
        call = self._end(id)
        if call is not None:
            call.tag.failed(call, UNREADABLE)
            self._next()

    def drop(self) -> None:
        """The connection is gone: everything asked is lost, in the order it was asked."""
        self._desk.timers.answer = NEVER
        for call in self._queue.drop_all():
            call.tag.failed(call, LOST)

    def _end(self, id: str) -> Pending | None:
        call = self._queue.answered(id)
        if call is None:
            self._desk.note("ignored-frame", why="an answer that nobody waits for", id=id)
            return None
        self._desk.timers.answer = NEVER
        return call

    def _time_is_up(self) -> None:
        call = self._queue.timed_out(self._desk.now)
        if call is None:
            return
        self._desk.note("call-timeout", action=call.action, id=call.id)
        if self._desk.profile.calls.on_timeout == "reconnect":
            self.on_stuck()  # first, so that nobody puts the next message on a link that is given up
        call.tag.failed(call, TIMEOUT)
        self._next()
