"""Rules of transactions that hold for 1.6 and 2.x alike: known, one at a time, complete, repeated as they were, in order."""

from __future__ import annotations

from scenarios.wirecheck.message import RESULT, Message, text_of, whole
from scenarios.wirecheck.rule import V16, Rule
from scenarios.wirecheck.station import ACCEPTED
from scenarios.wirecheck.transactions import Transaction, is_transaction_message, times_of
from sim.clock import SECOND

START, STOP, VALUES, EVENT = "StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent"
STATUS = "StatusNotification"
_TOLERANCE = 2 * SECOND
_MOST_ID = 1 << 31


class Known(Rule):
    """Where a transaction comes from."""

    id = "tx.known"
    requires = ("INV-03", "1.6 §4.8, §4.10", "1.6 errata §3.18", "2.0.1 E01")
    sentence = "Whatever names a transaction (a reading, a stop, an event) names one that was started before."
    actions = (START, STOP, VALUES, EVENT)

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._failed = 0

    def call(self, one: Message) -> None:
        """Is its transaction known?"""
        if one.action == START:
            return
        if one.action == EVENT:
            self._event(one)
            return
        id = one.payload.get("transactionId")
        if id is None:
            return
        if one.transaction is not None:
            self.saw()
            return
        place = whole(one.payload.get("connectorId"))
        at = next(reversed(times_of(one)), one.sent)
        if type(id) is int and id <= 0 and self._failed:
            self.saw()
        elif at < (self.station.begun or 0) or not self.station.transactions.nothing_from_before(place):
            self.unsure("a transaction may have begun before the trace did")
        else:
            self.saw()
            self.breach(f"{one.action} names transaction {str(id)[:20]}, which was never started", one)

    def _event(self, one: Message) -> None:
        of = one.transaction
        if of is None or of.first is not one or one.payload.get("eventType") == "Started":
            self.saw()
        elif one.sent - (
            self.station.begun or 0
        ) > self.limits.timeout and self.station.transactions.nothing_from_before(of.place):
            self.saw()
            self.breach(f"the first event of a transaction is {text_of(one.payload.get('eventType'))[:20]}", one)
        else:
            self.unsure("a transaction may have begun before the trace did")

    def closed(self, link: str, at: int, left: list[Message]) -> None:
        """A start that got no id: later messages may name -1."""
        self._failed += sum(call.action == START for call in left)

    def answer(self, one: Message) -> None:
        """A start that was refused, or whose answer was lost, got no id either."""
        if one.call is not None and one.call.action == START and (one.kind != RESULT or one.delivered is None):
            self._failed += 1


class OneAtATime(Rule):
    """Places."""

    id = "tx.one-at-a-time"
    requires = ("INV-02", "1.6 §4.8", "2.0.1 E01")
    sentence = "No transaction begins at a connector or EVSE where another one still runs."
    actions = (START, EVENT)

    def call(self, one: Message) -> None:
        """Is another one open here?"""
        of = one.transaction
        began = (
            of is not None and of.first is one and (one.action == START or one.payload.get("eventType") == "Started")
        )
        if of is None or not began or of.place is None:
            return
        self.saw()
        other = self.station.transactions.open.get(of.place)
        if other is not None and other is not of and other.heard:
            self.breach(f"a transaction begins at {of.place} while another one runs there", other.first, one)


class Complete(Rule):
    """Ends."""

    id = "tx.complete"
    requires = ("INV-03", "1.6 §4.10", "2.0.1 E06, E07")
    sentence = "A transaction that was started is stopped before its connector is free for good or begins another one."
    actions = (START, STOP, EVENT, STATUS)

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._free: dict[int, Message] = {}
        self._sure: dict[int, bool] = {}

    def call(self, one: Message) -> None:
        """A start, a stop, or a connector that is free."""
        if one.action == STATUS:
            place = whole(one.payload.get("connectorId" if "status" in one.payload else "evseId"))
            status = one.payload.get("status") or one.payload.get("connectorStatus")
            if place and status == "Available" and place in self.station.transactions.open:
                self._free.setdefault(place, one)
            elif place:
                self._forget(place)
            return
        of = one.transaction
        if of is None or one.repeat or of.place is None:
            return
        if one.action == STOP or one.payload.get("eventType") == "Ended":
            self.saw()
            self._forget(of.place)
            return
        other = self.station.transactions.open.get(of.place)
        if other is not None and other is not of and of.first is one and other.heard:
            self.saw()
            self._forget(of.place)
            self.breach(f"the transaction before this one at {of.place} was never stopped", other.first, one)

    def closed(self, link: str, at: int, left: list[Message]) -> None:
        """Had the stop of a free connector time to be told on this connection?"""
        for place, free in self._free.items():
            if f"{free.backend}/{free.link}" == link and at - free.sent > 4 * self.limits.timeout:
                self._sure[place] = True

    def end(self, at: int, left: list[Message]) -> None:
        """What is still open."""
        for key in list(self.station.wires):
            self.closed("/".join(key), self.station.last, left)
        for place, of in self.station.transactions.open.items():
            if place in self._sure and of.heard:
                self.saw()
                text = f"connector {place} is Available again, and its transaction was never stopped"
                self.breach(text, of.first, self._free[place])
            else:
                self.unsure("transactions were open when the trace ended")

    def _forget(self, place: int) -> None:
        self._free.pop(place, None)
        self._sure.pop(place, None)


class RetryIsRepeat(Rule):
    """Repeats."""

    id = "tx.retry-is-repeat"
    requires = ("INV-04", "INV-06", "1.6 §3.7.1", "2.0.1 E13.FR.01-04")
    sentence = (
        "A transaction message that is sent again says the same as before: no second stop or start with other values."
    )
    actions = (START, STOP, EVENT)

    def call(self, one: Message) -> None:
        """Is it a repeat, and does it say the same?"""
        of = one.transaction
        if of is None:
            return
        if one.action == STOP and one.repeat and of.stop is not None:
            self._same(of.stop, one, ("meterStop", "timestamp", "reason"))
        elif one.action == START:
            self._start(one, of)
        elif one.repeat and of.last is not None and of.last.payload.get("seqNo") == one.payload.get("seqNo"):
            self._same(of.last, one, ("eventType", "timestamp", "triggerReason"))

    def _start(self, one: Message, of: Transaction) -> None:
        if one.repeat:
            self.saw()
            return
        other = self.station.transactions.open.get(of.place or 0)
        if other is None or other is of or other.token != of.token:
            return
        if other.wh == of.wh or other.begin == of.begin:
            self.saw()
            self.breach("a StartTransaction comes again with another time or register", other.first, one)

    def _same(self, before: Message, one: Message, names: tuple[str, ...]) -> None:
        self.saw()
        other = [name for name in names if before.payload.get(name) != one.payload.get(name)]
        if other:
            self.breach(f"a {one.action} comes again with another {' and '.join(other)}", before, one)


class SameAnswer(Rule):
    """Ids."""

    id = "tx.ids"
    requires = ("INV-04", "INV-07", "1.6 §4.8")
    sentence = (
        "A back-end numbers transactions from 1 to 2^31-1, no two alike, and a repeated start gets the same number."
    )
    versions = V16
    side = "back-end"
    actions = (START,)

    def answer(self, one: Message) -> None:
        """The number."""
        call, id = one.call, whole(one.payload.get("transactionId"))
        if call is None or call.transaction is None or one.kind != RESULT or id is None:
            return
        self.saw()
        of = call.transaction
        if not 0 < id < _MOST_ID:
            self.breach(f"{id} is no good transactionId", call, one)
        elif of.ids.get(one.backend) != id:
            self.breach(f"a repeated StartTransaction gets {id} after {of.ids.get(one.backend)}", call, one)
        else:
            other = self.station.given.setdefault((one.backend, id), (self.station.name, of.first.place))
            if other != (self.station.name, of.first.place):
                self.breach(f"transactionId {id} was given before, to {other[0]} at {other[1]}", call, one)
            if len(self.station.given) > _MOST_GIVEN:
                del self.station.given[next(iter(self.station.given))]


_MOST_GIVEN = 50_000


class LateReading(Rule):
    """Stragglers."""

    id = "tx.late-reading"
    requires = ("INV-06", "1.6 §3.7", "2.0.1 E06")
    sentence = "No reading and no event of a transaction follows its end."
    only_notes = True
    actions = (VALUES, EVENT)

    def call(self, one: Message) -> None:
        """Is its transaction over?"""
        of = one.transaction
        if of is None or one.repeat:
            return
        self.saw()
        if of.stop is not None:
            self.breach(f"{one.action} of a transaction that was stopped before", of.stop, one)


class QueueOrder(Rule):
    """Order."""

    id = "queue.order"
    requires = ("INV-19", "1.6 §3.7", "2.0.1 E04, E13")
    sentence = "Transaction messages, also those queued offline, arrive in the order in which things happened."
    actions = (START, STOP, VALUES, EVENT)

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._last: dict[int, Message] = {}

    def call(self, one: Message) -> None:
        """Is it older than the one before at this place?"""
        of = one.transaction
        if of is None or not is_transaction_message(one) or one.repeat or of.place is None:
            return
        times = times_of(one)
        if not times:
            return
        last = self._last.get(of.place)
        self._last[of.place] = one
        if last is None or last.text == one.text:
            return
        self.saw()
        at, before = _moment(one), _moment(last)
        if before - at > _TOLERANCE and of.stop is None:
            text = (
                f"{one.action} tells of something {(before - at) // SECOND:,} s older than the {last.action} before it"
            )
            self.breach(text, last, one)


def _moment(one: Message) -> int:
    """When that happened of which a transaction message tells; it names at least one time."""
    times = times_of(one)
    return times[0] if one.action == EVENT else times[-1] if one.action == STOP else max(times)


class Skew(Rule):
    """The clock of a station."""

    id = "time.skew"
    requires = ("INV-09", "1.6 §4.2", "2.0.1 G02")
    sentence = (
        "A station that was told the time names none in the future, and none long past for what it tells at once."
    )
    actions = (START, STOP, VALUES, EVENT, STATUS)

    def call(self, one: Message) -> None:
        """Its times against its receipt."""
        if not one.up or one.repeat or self.station.booted(one.backend).status != ACCEPTED:
            return
        times = times_of(one)
        if not times:
            return
        self.saw()
        off = max(times) - one.arrived
        if off > self.limits.skew:
            self.breach(f"{one.action} names a time {off // SECOND:,} s in the future", one)
        elif one.action in (STATUS, START) and -off > self.limits.skew:
            wire = self.station.wire_of(one)
            if max(times) > wire.first and not wire.waiting[True]:
                self.breach(f"{one.action} is told {-off // SECOND:,} s after it happened, on a living connection", one)


class TimeOrder(Rule):
    """Time inside a transaction."""

    id = "time.order"
    requires = ("INV-09", "1.6 §4.7, §4.10", "2.0.1 E06")
    sentence = "Inside a transaction times do not go backwards: start, readings in their order, stop."
    actions = (STOP, VALUES, EVENT)

    def call(self, one: Message) -> None:
        """Its times, one after the other."""
        of = one.transaction
        if of is None or one.repeat or of.stop is not None:
            return
        times = times_of(one)
        if one.action == EVENT:
            times = times[:1]
        if not times:
            return
        self.saw()
        lowest = of.begin
        for time in times:
            if lowest is not None and lowest - time > _TOLERANCE:
                self.breach(
                    f"{one.action} names a time {(lowest - time) // SECOND:,} s before one that came before", one
                )
                return
            if one.action != STOP:  # a stop tells plain and signed readings one after the other
                lowest = time if lowest is None else max(time, lowest)
        last = max(*times, of.latest or times[-1])
        ends = one.action == STOP or one.payload.get("eventType") == "Ended"
        if ends and last - times[-1] > _TOLERANCE:
            self.breach(f"the stop is {(last - times[-1]) // SECOND:,} s before the last reading", one)


RULES: tuple[type[Rule], ...] = (
    Known,
    OneAtATime,
    Complete,
    RetryIsRepeat,
    SameAnswer,
    LateReading,
    QueueOrder,
    Skew,
    TimeOrder,
)
