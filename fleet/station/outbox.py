"""The outbox: messages of transactions, in order, kept over offline times and power losses until the back-end has them.

Strictly first in, first out: a message waits until the one before it was confirmed or given up, so a Stop never
overtakes its Start. Start and Stop are in flash from the first moment, samples from the moment the station is offline.
Sources: OCPP 1.6 §3.7 (queueing), §3.7.1 (attempts), errata §3.18 (transaction id -1), OCPP-J errata §3.2 (a CALLERROR
fails).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from msgspec import Struct

from fleet.station.calls import LOST, Calls
from fleet.station.desk import Desk
from fleet.station.timers import NEVER
from sim.wire import ocppj
from sim.wire.calls import TRANSACTION, Pending
from sim.wire.same import same
from sim.wire.templates import MeterValuesTemplate

NO_ID = -1
"""The transaction id of a transaction whose Start was given up (errata §3.18)."""

OPEN_ID = -987_654_321
"""Written into a payload struct for the id of an own transaction: filled in when the message goes out."""

_PLACE = b"\x00"
"""Stands in a body where that id belongs: a byte that no JSON text can hold."""
_WRITTEN = b'"transactionId":%d' % OPEN_ID
_PLACED = b'"transactionId":' + _PLACE


class Sample(Struct, frozen=True, gc=False):
    """MeterValues not written out yet: timestamp and values as bytes, in the order of the template.

    Between two samples only the timestamp and the first value are likely to differ.
    """

    template: MeterValuesTemplate
    connector: int
    timestamp: bytes
    first: bytes
    others: tuple[bytes, ...]

    def payload(self, in_transaction: bool) -> bytes:
        """The payload, with the place for the transaction id if it belongs to one."""
        pattern = self.template.bound(self.connector, OPEN_ID if in_transaction else None)
        frame = pattern % (b"", self.timestamp, self.first, *self.others)
        return frame[len(b'[2,"","MeterValues",') : -1].replace(_WRITTEN, _PLACED, 1)


Pattern = tuple[MeterValuesTemplate | None, tuple[bytes, ...], int | None, bytes, bytes, bytes, bytes]
"""A sample's template, its other values and its transaction, and a frame of them without id, timestamp and first value:
what stands before, between and behind those."""
_NO_PATTERN: Pattern = (None, (), None, b"", b"", b"", b"")


class Message(Struct, gc=False):
    """One message of the queue. `transaction` is the station's own number of it, 0 if the message belongs to none.

    `spare`: a reading between begin and end, which may go when the memory is full.
    """

    number: int
    action: str
    transaction: int
    body: bytes | Sample
    attempts: int = 0
    saved: bool = False
    spare: bool = False


Settled = Callable[[Message, bytes], None]
Victims = Callable[[Sequence[Message]], Sequence[Message]]
"""Which of the spare messages go when the memory is full; at least one if there are any."""


def oldest(spare: Sequence[Message]) -> Sequence[Message]:
    """The default: the oldest one."""
    return spare[:1]


class Outbox:
    """The queue and its one message under way."""

    __slots__ = (
        "_calls",
        "_desk",
        "_next",
        "_not_before",
        "_patterns",
        "_queue",
        "_room",
        "_slot",
        "_under_way",
        "_victims",
        "ids",
        "on_confirmed",
    )

    def __init__(self, desk: Desk, calls: Calls, flash: Mapping[str, Any], victims: Victims = oldest) -> None:
        self._desk = desk
        self._calls = calls
        self._victims = victims
        self._slot = desk.timers.slot(self._retry)
        self._room = desk.profile.memory.outbox_messages
        self._under_way = False
        self._not_before = 0
        self._queue: deque[Message] = deque()
        self._patterns: dict[int, Pattern] = {}
        self.ids: dict[int, int] = {}
        self.on_confirmed: Settled = lambda message, payload: None
        self._restore(flash)
        self._next = self._queue[-1].number + 1 if self._queue else 1

    def _restore(self, flash: Mapping[str, Any]) -> None:
        kept = {int(key[7:]): row for key, row in flash.items() if key.startswith("outbox/")}
        for number in sorted(kept):
            row = kept[number]
            body: bytes = row["payload"].encode()
            message = Message(number, row["action"], row["transaction"], body, row["attempts"], True, row["spare"])
            self._queue.append(message)
        self.ids = {int(key[4:]): id for key, id in sorted(flash.items()) if key.startswith("ids/")}

    def __len__(self) -> int:
        """Messages not confirmed and not given up yet."""
        return len(self._queue)

    # -- putting in ---------------------------------------------------------------------------------------------------

    def push(self, action: str, transaction: int, payload: Any) -> bytes:
        """Queue a payload struct; for the id of an own transaction its `transaction_id` must be OPEN_ID. Returns the
        body.
        """
        body = self._calls.dialect.encode(payload)
        if transaction:
            body = body.replace(_WRITTEN, _PLACED, 1)
        self._put(Message(self._next, action, transaction, body, spare=action == "MeterValues"), save=True)
        return body

    def push_raw(self, action: str, transaction: int, body: bytes, spare: bool = False) -> None:
        """Queue a body as `push` returned it, or one that names its transaction already.

        A spare one reaches the flash as a sample does: only while the station is offline.
        """
        self._put(Message(self._next, action, transaction, body, spare=spare), save=not spare or not self._desk.online)

    def push_sample(self, transaction: int, sample: Sample) -> None:
        """Queue MeterValues. They reach the flash only while the station is offline: that wears it out otherwise."""
        desk, queue = self._desk, self._queue
        online = desk.accepted and desk.link is not None
        number = self._next
        message = Message(number, "MeterValues", transaction, sample, 0, False, True)
        if online and not queue and desk.now >= self._not_before:  # the usual case: nothing waits, out it goes
            self._next = number + 1
            queue.append(message)
            self._under_way = True
            calls = self._calls
            id = next(calls.ids)
            frame = self._sampled(id, sample, self.ids.get(transaction, NO_ID) if transaction else None)
            calls.put(Pending(id, "MeterValues", frame, TRANSACTION, self))
        else:
            self._put(message, save=not online)

    def _put(self, message: Message, save: bool) -> None:
        self._next += 1
        if len(self._queue) >= self._room:
            self._make_room()
        self._queue.append(message)
        if save:
            self._save(message)
        if not self._under_way:
            self.pump()

    def _make_room(self) -> None:
        """Out of memory: of the samples that are not under way some go, never what begins or ends a transaction."""
        waiting = islice(self._queue, int(self._under_way), None)
        for message in self._victims([message for message in waiting if message.spare]):
            self._queue.remove(message)
            self._discard(message, "queue-full")

    def _save(self, message: Message) -> None:
        body = message.body
        payload = body if isinstance(body, bytes) else body.payload(message.transaction != 0)
        message.saved = True
        row = {
            "action": message.action,
            "transaction": message.transaction,
            "payload": payload.decode(),
            "attempts": message.attempts,
            "spare": message.spare,
        }
        self._desk.persist(f"outbox/{message.number}", row)

    def save_all(self) -> None:
        """Everything still here goes to flash: the connection is gone, or the station is about to restart."""
        for message in self._queue:
            if not message.saved:
                self._save(message)

    def rewrite(self, change: Callable[[bytes], bytes]) -> None:
        """Change the bodies of all that is here, and in flash too where they lie there; what was sent stays as it went."""
        for message in self._queue:
            if isinstance(message.body, bytes) and (body := change(message.body)) != message.body:
                message.body = body
                if message.saved:
                    self._save(message)

    @property
    def waiting(self) -> int:
        """How many messages wait, the one under way included."""
        return len(self._queue)

    def unsaved(self) -> Sequence[Message]:
        """What a power loss at this moment would take."""
        return [message for message in self._queue if not message.saved]

    # -- sending ------------------------------------------------------------------------------------------------------

    def pump(self) -> None:
        """Put the first message in line if it may go now."""
        desk = self._desk
        if self._under_way or not self._queue or desk.now < self._not_before:
            return
        if not desk.accepted or desk.link is None:
            return
        message = self._queue[0]
        self._under_way = True
        id = next(self._calls.ids)
        self._calls.put(Pending(id, message.action, self._frame(id, message), TRANSACTION, self))

    def _frame(self, id: str, message: Message) -> bytes:
        transaction = message.transaction
        body = message.body
        known = self.ids.get(transaction, NO_ID) if transaction else None
        if isinstance(body, bytes):
            if known is not None:
                body = body.replace(_PLACE, b"%d" % known, 1)
            return ocppj.encode_call(id, message.action, body)
        return self._sampled(id, body, known)

    def _sampled(self, id: str, sample: Sample, known: int | None) -> bytes:
        """The frame of a sample: made of the same pieces again and again while a transaction runs and power is even."""
        template, others, of, start, stamp, value, rest = self._patterns.get(sample.connector, _NO_PATTERN)
        if template is not sample.template or of != known or (others is not sample.others and others != sample.others):
            template, others = sample.template, sample.others
            pieces = (template.bound(sample.connector, known) % (_PLACE, _PLACE, _PLACE, *others)).split(_PLACE)
            start, stamp, value, rest = map(same, pieces)
            self._patterns[sample.connector] = (template, others, known, start, stamp, value, rest)
        return b"".join((start, id.encode(), stamp, sample.timestamp, value, sample.first, rest))

    def answered(self, call: Pending, payload: bytes) -> None:
        """Confirmed: the message is done, and the next one may go."""
        message = self._queue.popleft()
        self._under_way = False
        if message.saved:
            self._desk.persist(f"outbox/{message.number}", None)
        if message.action != "MeterValues":
            self.on_confirmed(message, payload)
        if self._queue:
            self.pump()

    def know(self, transaction: int, id: int) -> None:
        """The back-end's id of an own transaction."""
        self.ids[transaction] = id
        self._desk.persist(f"ids/{transaction}", id)

    def resolved(self, message: Message) -> bytes:
        """The payload of a message that is written out, its transaction id filled in."""
        assert isinstance(message.body, bytes)
        return message.body.replace(_PLACE, b"%d" % self.ids.get(message.transaction, NO_ID), 1)

    def failed(self, call: Pending, why: str) -> None:
        """A lost connection is no attempt; anything else counts, and the next try waits interval x tries so far."""
        self._under_way = False
        if why == LOST:
            return
        desk, message = self._desk, self._queue[0]
        message.attempts += 1
        if message.attempts >= desk.keys["TransactionMessageAttempts"]:
            self._queue.popleft()
            self._discard(message, why)
            self.pump()
            return
        self._not_before = desk.now + desk.keys.seconds("TransactionMessageRetryInterval") * message.attempts
        desk.timers.set(self._slot, self._not_before)
        if message.saved:
            self._save(message)

    def _discard(self, message: Message, why: str) -> None:
        if message.saved:
            self._desk.persist(f"outbox/{message.number}", None)
        if message.action == "StartTransaction":
            self.know(message.transaction, NO_ID)
        self._desk.note("discarded", **self.described(message), why=why)

    def described(self, message: Message) -> dict[str, Any]:
        """A message as the truth plane shows it."""
        body = message.body
        payload = body if isinstance(body, bytes) else body.payload(message.transaction != 0)
        return {
            "action": message.action,
            "transaction": message.transaction,
            "transaction_id": self.ids.get(message.transaction),
            "attempts": message.attempts,
            "payload": payload.replace(_PLACE, b"null", 1).decode(),
        }

    def _retry(self) -> None:
        self._desk.timers.set(self._slot, NEVER)
        self.pump()

    def forget_ids(self, open_numbers: Sequence[int]) -> None:
        """Ids of transactions that are neither open nor in the queue are needed no more."""
        needed = {message.transaction for message in self._queue}.union(open_numbers)
        for number in [known for known in self.ids if known not in needed]:
            del self.ids[number]
            self._desk.persist(f"ids/{number}", None)
