"""Rules of registers and of signed records: what was metered is consistent, and signed by whom it should be."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from scenarios.wirecheck.message import Message, inside, items, text_of, whole
from scenarios.wirecheck.rule import Rule
from scenarios.wirecheck.transactions import BEGIN, END, Transaction, meter_values, readings
from sim.wire import ocmf
from sim.wire.ocmf import Malformed, Record

START, STOP, VALUES, EVENT = "StartTransaction", "StopTransaction", "MeterValues", "TransactionEvent"
_ONE = Decimal(1)
"""Wh that rounding may cost: meterStart and meterStop are whole."""
_MOST_PLACES = 1_000
_ENDS = "ELRAP"
_MOST_OPEN = 256


def _place(one: Message) -> int | None:
    """The connector or EVSE whose meter is read; None if nobody said it."""
    if one.action == VALUES:
        found = whole(one.payload.get("connectorId"))
        return whole(one.payload.get("evseId")) if found is None else found
    return None if one.transaction is None else one.transaction.place


class Monotonic(Rule):
    """Registers only rise."""

    id = "meter.monotonic"
    requires = ("INV-08", "1.6 §7 (Energy.Active.Import.Register)", "2.0.1 J02")
    sentence = "The import register of a connector or EVSE never goes back, within transactions and between them."
    actions = (START, STOP, VALUES, EVENT)

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._last: dict[int, tuple[int, Decimal, Message]] = {}

    def call(self, one: Message) -> None:
        """Its readings against the last one, in the order of their times."""
        place = _place(one)
        if place is None or one.repeat or (place not in self._last and len(self._last) >= _MOST_PLACES):
            return
        for at, wh in sorted((reading.at, reading.wh) for reading in readings(one) if reading.at is not None):
            last = self._last.get(place)
            if last is not None and at < last[0]:
                continue
            self.saw()
            if last is not None and wh < last[1] - _ONE:
                self.breach(f"the register at {place} goes back from {last[1]} to {wh} Wh", last[2], one)
            self._last[place] = (at, wh if last is None or at > last[0] else max(wh, last[1]), one)


class Within(Rule):
    """Readings lie between begin and end."""

    id = "meter.within"
    requires = ("INV-08", "1.6 §4.7, §4.10", "2.0.1 E02, E06")
    sentence = "Every reading of a transaction is at least its first and at most its last one (meterStart, meterStop)."
    actions = (STOP, VALUES, EVENT)

    def call(self, one: Message) -> None:
        """Its readings against begin and end."""
        of = one.transaction
        found = [reading.wh for reading in readings(one)]
        if of is None or not found or (one.action == STOP and one.repeat):
            return
        self.saw()
        lowest = of.wh
        if lowest is not None and min(found) < lowest - _ONE:
            self.breach(f"a reading of {min(found)} Wh is below the {lowest} Wh at the begin", of.first, one)
        elif one.action == STOP and max(max(found), of.top or lowest or found[-1]) > found[-1] + _ONE:
            top = max(max(found), of.top or lowest or found[-1])
            self.breach(f"meterStop is {found[-1]} Wh, below a reading of {top} Wh before it", of.last or of.first, one)


class BeginEnd(Rule):
    """Contexts."""

    id = "meter.begin-end"
    requires = ("1.6 §7.33", "2.0.1 E02, E06")
    sentence = "Readings marked Transaction.Begin and Transaction.End are those of the begin and of the end."
    actions = (STOP, EVENT)

    def call(self, one: Message) -> None:
        """Its marked readings."""
        of = one.transaction
        if of is None or one.repeat:
            return
        found = readings(one)
        marked = {reading.context: reading.wh for reading in reversed(found) if reading.context in (BEGIN, END)}
        if one.action == STOP:
            self._stop(one, of, marked)
            return
        kind = one.payload.get("eventType")
        if kind == "Started" and found:
            self.saw()
            if BEGIN not in marked:
                self.breach("the readings of a Started event are not marked Transaction.Begin", one)
        elif kind == "Ended" and found:
            self.saw()
            if END not in marked:
                self.breach("no reading of an Ended event is marked Transaction.End", one)

    def _stop(self, one: Message, of: Transaction, marked: dict[str, Decimal]) -> None:
        stop = whole(one.payload.get("meterStop"))
        for name, told in ((BEGIN, of.wh), (END, None if stop is None else Decimal(stop))):
            if name in marked and told is not None:
                self.saw()
                if abs(marked[name] - told) > _ONE:
                    self.breach(
                        f"the reading marked {name} is {marked[name]} Wh, the transaction says {told}", of.first, one
                    )


# -- signed records -----------------------------------------------------------------------------------------------------


def records(one: Message) -> Iterator[Record | str]:
    """The signed records in a message; a text says what is wrong with one that cannot be read."""
    for group in meter_values(one):
        for sample in items(group.get("sampledValue")):
            text: Any = None
            if sample.get("format") == "SignedData":
                text = sample.get("value")
            elif "signedMeterValue" in sample:
                text = _old_form(inside(sample["signedMeterValue"]))
            if text is None:
                continue
            try:
                yield ocmf.parse(ocmf.unwrap(text_of(text)))
            except Malformed as bad:
                yield str(bad)


def _old_form(signed: dict[str, Any]) -> str | None:
    """A SignedMeterValueType of 2.x as 1.6 writes it; None if it says that it is no OCMF."""
    if text_of(signed.get("encodingMethod")).upper() not in ("", "OCMF"):
        return None
    return json.dumps({"signedMeterData": text_of(signed.get("signedMeterData"))})


class Signed(Rule):
    """Signatures."""

    id = "sig.verify"
    requires = ("INV-29",)
    sentence = "Every signed reading verifies over its exact bytes with the key of its meter (--keys FILE)."
    actions = (STOP, VALUES, EVENT)

    def call(self, one: Message) -> None:
        """Its signed records."""
        for record in records(one):
            if isinstance(record, str):
                self.saw()
                self.breach(f"a signed reading cannot be read: {record}", one)
                continue
            key = self.station.keys.get(record.meter_id) or self.station.keys.get(self.station.name)
            if key is None:
                self.unsure("no key was given for a meter (--keys FILE)")
                continue
            self.saw()
            why = ocmf.explain(record, key)
            if why is not None:
                self.breach(f"a signed reading of meter {record.meter_id[:40]} does not verify: {why}", one)


class Pair(Rule):
    """Begin and end of signed records."""

    id = "sig.pair"
    requires = ("INV-30", "INV-31")
    sentence = (
        "Signed begin and end of a transaction come from one meter, in the order of their pages, as the registers say."
    )
    actions = (STOP, VALUES, EVENT)

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._kept: dict[str, list[Record]] = {}

    def call(self, one: Message) -> None:
        """Keep its records, and judge them with the end."""
        of = one.transaction
        if of is None or one.repeat or of.stop is not None:
            return
        found = [record for record in records(one) if isinstance(record, Record)]
        kept = self._kept.setdefault(of.first.place, [])
        known = [record.payload for record in kept]
        kept += [record for record in found if record.payload not in known]
        if one.action == STOP or one.payload.get("eventType") == "Ended":
            if kept:
                self.saw()
                wrong = self._wrong(of, one, kept)
                if wrong:
                    self.breach(wrong, of.first, one)
            del self._kept[of.first.place]
        elif len(self._kept) > _MOST_OPEN:
            del self._kept[next(iter(self._kept))]

    def _wrong(self, of: Transaction, one: Message, kept: list[Record]) -> str:
        if any(record.meter_id != kept[0].meter_id for record in kept):
            return "the signed readings of a transaction come from several meters"
        pages = [_page(record) for record in kept]
        if any(after != before + 1 for before, after in itertools.pairwise(pages)):
            return (
                f"the pages of the signed readings do not count up: {', '.join(record.pagination for record in kept)}"
            )
        marks = [(reading.mark, reading) for record in kept for reading in record.readings]
        begins = [reading for mark, reading in marks if mark == "B"]
        ends = [reading for mark, reading in marks if mark and mark in _ENDS]
        if not begins or not ends:
            return f"there is no signed {'begin' if not begins else 'end'} of a transaction"
        begin, end = _wh(begins[0]), _wh(ends[-1])
        if end < begin:
            return "the signed end is below the signed begin"
        stop = whole(one.payload.get("meterStop"))
        if of.wh is not None and one.action == STOP and abs(begin - of.wh) > _ONE:
            return f"the signed begin is {begin} Wh, meterStart {of.wh}"
        if stop is not None and abs(end - stop) > _ONE:
            return f"the signed end is {end} Wh, meterStop {stop}"
        return ""


def _page(record: Record) -> int:
    digits = record.pagination[1:]
    return int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 18 else -1


def _wh(reading: ocmf.Reading) -> Decimal:
    return reading.value * 1000 if reading.unit == "kWh" else reading.value


RULES: tuple[type[Rule], ...] = (Monotonic, Within, BeginEnd, Signed, Pair)
