"""Rules of TransactionEvent in OCPP 2.x."""

from __future__ import annotations

from scenarios.wirecheck.message import RESULT, Message, inside, text_of, time_of, whole
from scenarios.wirecheck.rule import V2, Rule
from scenarios.wirecheck.transactions import Transaction
from sim.clock import SECOND

EVENT = "TransactionEvent"
_TOLERANCE = 5 * SECOND
_MOST = 256


class SeqNo(Rule):
    """Gaps."""

    id = "tx.seqno"
    requires = ("INV-10", "2.0.1 E §1.3.2.1", "2.0.1 E04.FR.07-08")
    sentence = (
        "The seqNo of a transaction's events goes up by 1 each time, without a gap, and a number says one thing only."
    )
    versions = V2
    actions = (EVENT,)

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._seen: dict[str, tuple[Transaction, dict[int, str]]] = {}

    def call(self, one: Message) -> None:
        """The next number."""
        of, number = one.transaction, whole(one.payload.get("seqNo"))
        if of is None or number is None:
            return
        self.saw()
        _, said = self._seen.setdefault(of.first.place, (of, {}))
        time = text_of(one.payload.get("timestamp"))
        if said.setdefault(number, time) != time:
            self.breach(f"two events of a transaction have the seqNo {number}", of.first, one)
        if len(said) > _MOST:
            del said[next(iter(said))]
        if len(self._seen) > _MOST:
            self._gap(self._seen.pop(next(iter(self._seen)))[0])

    def end(self, at: int, left: list[Message]) -> None:
        """Only now nothing more can come late."""
        for of, _ in self._seen.values():
            self._gap(of)

    def _gap(self, of: Transaction) -> None:
        if of.ahead:
            first = min(of.ahead)
            missing = f"{of.next}" if first == of.next + 1 else f"{of.next} to {first - 1}"
            self.breach(f"events with the seqNo {missing} are missing", of.first, of.last or of.first)


class Events(Rule):
    """Begin, middle, end."""

    id = "tx.events"
    requires = ("2.0.1 E01, E02, E06",)
    sentence = "A transaction has one Started event, then Updated ones, then one Ended event, and nothing after it."
    versions = V2
    actions = (EVENT,)

    def call(self, one: Message) -> None:
        """Its type, against those before."""
        of = one.transaction
        if of is None or one.repeat:
            return
        self.saw()
        kind, number = one.payload.get("eventType"), whole(one.payload.get("seqNo"))
        if kind == "Started" and of.first is not one:
            self.breach("a transaction is Started a second time", of.first, one)
        elif of.stop is not None and (whole(of.stop.payload.get("seqNo")) or 0) < (number or 0):
            self.breach(f"an event of type {text_of(kind)[:20]} follows the Ended one", of.stop, one)


class Shape(Rule):
    """What events must carry."""

    id = "tx.event-fields"
    requires = ("2.0.1 E01, E02", "2.0.1 F01")
    sentence = (
        "Started events and those about a charging state carry a chargingState, remote starts their remoteStartId."
    )
    versions = V2
    actions = (EVENT,)

    def call(self, one: Message) -> None:
        """Are its fields there?"""
        info, why = inside(one.payload.get("transactionInfo")), one.payload.get("triggerReason")
        self.saw()
        if "chargingState" not in info and (one.payload.get("eventType") == "Started" or why == "ChargingStateChanged"):
            self.breach("the event carries no chargingState", one)
        elif why == "RemoteStart" and "remoteStartId" not in info:
            self.breach("an event with triggerReason RemoteStart carries no remoteStartId", one)


class TokenAnswered(Rule):
    """What back-ends must answer."""

    id = "tx.token-answered"
    requires = ("2.0.1 E05, C02",)
    sentence = "The answer to an event with an idToken carries its idTokenInfo."
    versions = V2
    side = "back-end"
    actions = (EVENT,)

    def answer(self, one: Message) -> None:
        """Is it there?"""
        call = one.call
        if call is None or one.kind != RESULT or "idToken" not in call.payload:
            return
        self.saw()
        if "idTokenInfo" not in one.payload:
            self.breach("the answer says nothing about the idToken", call, one)


class Offline(Rule):
    """Marked as what it is."""

    id = "tx.offline-flag"
    requires = ("2.0.1 E11.FR.07", "2.0.1 E12.FR.02")
    sentence = "Events that happened before the connection began carry offline: true."
    versions = V2
    actions = (EVENT,)

    def call(self, one: Message) -> None:
        """Did it happen before?"""
        opened, at = self.station.wire_of(one).opened, time_of(one.payload.get("timestamp"))
        if opened is not None and at is not None and at < opened - _TOLERANCE:
            self.saw()
            if one.payload.get("offline") is not True:
                self.breach(f"an event {(opened - at) // SECOND:,} s before the connection is not marked offline", one)


RULES: tuple[type[Rule], ...] = (SeqNo, Events, Shape, TokenAnswered, Offline)
