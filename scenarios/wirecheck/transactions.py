"""The transactions of one station as the wire tells them, for all rules that ask about them.

Repeats of a StartTransaction are found by what they say, not by their message id. Nothing is judged here, and only the
open and the last closed transactions are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from scenarios.wirecheck.message import RESULT, Message, inside, items, once, text_of, time_of, whole

REGISTER = "Energy.Active.Import.Register"
BEGIN, END = "Transaction.Begin", "Transaction.End"
_MOST = 64
_MOST_AHEAD = 1_000
_MOST_PLACES = 1_000


class Reading(Struct, frozen=True):
    """A register value, signed beside it or not: instant (ms, None if it has none), Wh, and the context ("" if none)."""

    at: int | None
    wh: Decimal
    context: str


class Transaction(Struct, eq=False):
    """A transaction. `place` is the connector (1.6) or EVSE (2.x), None as long as nobody said it.

    `ids` are those that back-ends gave it, by back-end (1.6), `heard` whether the station was told one; `first` and `stop`
    the messages that began and ended it, `last` the last message, `top` the largest reading (Wh), `latest` the last time
    (ms) that a message named. 2.x: `next` is the seqNo expected, `ahead` those that came before their turn.
    """

    first: Message
    place: int | None
    token: str
    begin: int | None
    wh: Decimal | None
    ids: dict[str, Any] = {}
    heard: bool = False
    stop: Message | None = None
    top: Decimal | None = None
    latest: int | None = None
    last: Message | None = None
    next: int = 0
    ahead: dict[int, bool] = {}


class Transactions:
    """The transactions of one station.

    `clear` tells for each connector or EVSE seen whether it is known that nothing from before the trace runs there.
    """

    def __init__(self) -> None:
        self.open: dict[int, Transaction] = {}
        self.clear: dict[int, bool] = {}
        self._by_id: dict[Any, Transaction] = {}
        self._by_key: dict[tuple[Any, ...], Transaction] = {}

    def known(self, id: Any) -> Transaction | None:
        """The transaction of this id, at whatever back-end; None if there is none."""
        return self._by_id.get(id) if isinstance(id, int | str) else None

    def nothing_from_before(self, place: int | None) -> bool:
        """Whether a transaction here (None: anywhere) cannot have begun before the trace did."""
        if place is not None:
            return self.clear.get(place, False)
        return bool(self.clear) and all(self.clear.values())

    def hear(self, one: Message) -> None:
        """A CALL of the station: finds or begins the transaction it is about, and notes it in the message."""
        if one.action == "StartTransaction":
            self._start(one)
        elif one.action in ("StopTransaction", "MeterValues"):
            known = one.transaction = self.known(one.payload.get("transactionId"))
            place = whole(one.payload.get("connectorId"))
            if known is not None and one.action == "StopTransaction":
                one.repeat = known.stop is not None
            elif place:
                self._seen(place)
        elif one.action == "TransactionEvent":
            self._event(one)
        elif one.action == "StatusNotification":
            place = whole(one.payload.get("connectorId" if "status" in one.payload else "evseId"))
            if place and (one.payload.get("status") or one.payload.get("connectorStatus")) in _FREE:
                self.clear[place] = True
            elif place:
                self._seen(place)

    def heard(self, one: Message) -> None:
        """All rules have heard the CALL: now it counts."""
        of: Transaction | None = one.transaction
        if of is None:
            return
        if one.action == "StopTransaction" or one.payload.get("eventType") == "Ended":
            of.stop = of.stop or one
            if of.place is not None and self.open.get(of.place) is of:
                del self.open[of.place]
        elif of.place is not None and of.stop is None and not one.repeat:
            self.open[of.place] = of
        for reading in readings(one):
            of.top = reading.wh if of.top is None else max(of.top, reading.wh)
        times = times_of(one)
        if times and not one.repeat:
            of.latest = max(times) if of.latest is None else max(of.latest, *times)
        of.last = one

    def answered(self, one: Message) -> None:
        """The answer to a StartTransaction: which id, and whether the token is good."""
        call = one.call
        if call is None or call.transaction is None or call.action != "StartTransaction" or one.kind != RESULT:
            return
        id = whole(one.payload.get("transactionId"))
        if id is not None:
            of: Transaction = call.transaction
            of.ids.setdefault(one.backend, id)
            of.heard = of.heard or one.delivered is not None
            before = self._by_id.get(id)
            if before is None or before.stop is not None:
                self._by_id[id] = of
            _prune(self._by_id)

    # -- inside --------------------------------------------------------------------------------------------------------

    def _seen(self, place: int) -> None:
        if len(self.clear) < _MOST_PLACES:
            self.clear.setdefault(place, False)

    def _start(self, one: Message) -> None:
        payload = one.payload
        place = whole(payload.get("connectorId"))
        key = (place, str(payload.get("idTag")), str(payload.get("timestamp")), str(payload.get("meterStart")))
        of = one.transaction = self._by_key.get(key)
        one.repeat = of is not None
        if of is None:
            wh = whole(payload.get("meterStart"))
            of = Transaction(one, place, key[1], time_of(payload.get("timestamp")), None if wh is None else Decimal(wh))
            of.ids = {}
            one.transaction = self._by_key[key] = of
            _prune(self._by_key)
        if place is not None and len(self.clear) < _MOST_PLACES:
            self.clear[place] = True

    def _event(self, one: Message) -> None:
        id = inside(one.payload.get("transactionInfo")).get("transactionId")
        if not isinstance(id, str):
            return
        place = whole(inside(one.payload.get("evse")).get("id"))
        of, number = self._by_id.get(id), whole(one.payload.get("seqNo"))
        if of is None:
            token = text_of(inside(one.payload.get("idToken")).get("idToken"))
            of = Transaction(one, place, token, time_of(one.payload.get("timestamp")), None)
            of.ids, of.ahead, of.next, of.heard = {one.backend: id}, {}, number or 0, True
            self._by_id[id] = of
            _prune(self._by_id)
        one.transaction = of
        of.place = place if of.place is None else of.place
        if place is not None and one.payload.get("eventType") == "Started" and len(self.clear) < _MOST_PLACES:
            self.clear[place] = True
        if number is None:
            return
        one.repeat = of.first is not one and (number < of.next or number in of.ahead)
        if number == of.next:
            of.next += 1
            while of.ahead.pop(of.next, False):
                of.next += 1
        elif number > of.next and len(of.ahead) < _MOST_AHEAD:
            of.ahead[number] = True


_FREE = ("Available", "Reserved", "Preparing")


def _prune(known: dict[Any, Transaction]) -> None:
    """Forget the oldest closed one if there are many; the oldest of all if none is closed."""
    if len(known) > _MOST:
        del known[next((key for key, one in known.items() if one.stop is not None), next(iter(known)))]


# -- what messages say ----------------------------------------------------------------------------------------------------


def is_transaction_message(one: Message) -> bool:
    """Whether a CALL must be queued offline, delivered in order and retried."""
    if one.action == "MeterValues":
        return "transactionId" in one.payload
    return one.action in ("StartTransaction", "StopTransaction", "TransactionEvent")


def meter_values(one: Message) -> list[dict[str, Any]]:
    """The meterValue objects of a message, whatever it calls them."""
    return items(one.payload.get("transactionData" if one.action == "StopTransaction" else "meterValue"))


def readings(one: Message) -> list[Reading]:
    """The plain import registers in a message, in its order; meterStart and meterStop are among them."""
    found: list[Reading] = once(one, "readings", lambda: list(_readings(one)))
    return found


def _readings(one: Message) -> Iterator[Reading]:
    payload = one.payload
    if one.action == "StartTransaction" and (wh := whole(payload.get("meterStart"))) is not None:
        yield Reading(time_of(payload.get("timestamp")), Decimal(wh), "")
    for group in meter_values(one):
        at = time_of(group.get("timestamp"))
        for sample in items(group.get("sampledValue")):
            found = _wh(sample)
            if found is not None:
                yield Reading(at, found, text_of(sample.get("context")))
    if one.action == "StopTransaction" and (wh := whole(payload.get("meterStop"))) is not None:
        yield Reading(time_of(payload.get("timestamp")), Decimal(wh), "")


def times_of(one: Message) -> list[int]:
    """The instants (ms) that a message names, in its order; its own comes first, of a stop last."""
    times: list[int] = once(one, "times", lambda: _times(one))
    return times


def _times(one: Message) -> list[int]:
    own, groups = [one.payload.get("timestamp")], [group.get("timestamp") for group in meter_values(one)]
    told = [*groups, *own] if one.action == "StopTransaction" else [*own, *groups]
    return [time for time in map(time_of, told) if time is not None]


def _wh(sample: dict[str, Any]) -> Decimal | None:
    """The value of a sample in Wh, if it is the whole import register at the outlet and can be read."""
    told = sample.get("measurand", REGISTER), sample.get("location", "Outlet"), sample.get("format", "Raw")
    if told != (REGISTER, "Outlet", "Raw") or "phase" in sample:
        return None
    measure = inside(sample.get("unitOfMeasure"))
    unit = sample.get("unit") or measure.get("unit") or "Wh"
    multiplier = whole(measure.get("multiplier")) or 0
    value = sample.get("value")
    if unit not in ("Wh", "kWh") or isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        number = Decimal(str(value)[:40])
    except InvalidOperation:
        return None
    if not number.is_finite() or abs(number.adjusted()) > 18 or abs(multiplier) > 12:
        return None
    return number.scaleb(multiplier + (3 if unit == "kWh" else 0))
