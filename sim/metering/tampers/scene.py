"""The stage of the tamper catalogue: one station with two connectors, one honest session, and what was before it.

Everything is made from a seed and signed for real, so that the same tampering gives the same bytes. Nothing is judged here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from sim.clock import HOUR, MINUTE, Instant, parse_iso
from sim.metering.facts import SessionFacts
from sim.metering.history import History
from sim.metering.judge import Judge, Judgement, Value
from sim.metering.registry import Entry, Registry
from sim.wire import ocmf
from sim.wire.keys import DEFAULT_ALGORITHM, PrivateKey, private_key, public_key_hex
from sim.wire.ocmf import Reading

STATION, METER, OTHER_METER, TOKEN = "CS-0001", "M-CS-0001-1", "M-CS-0001-2", "04A1B2C3D4E5F6"
TRANSACTION = "4711"
BEGUN = parse_iso("2026-03-02T08:00:00Z")
PAGE = 12
"""The page of the begin record; the session before ended on the page before it."""
_START_KWH = Decimal("1234.500")
_ENERGY = Decimal("9.250")
_BEFORE = 3 * HOUR

Edit = Callable[[str], str]


class Case(Struct, frozen=True, kw_only=True):
    """A session as it reaches a back-end, with all that the back-end knows: registry, facts, sessions before it."""

    values: tuple[Value, ...]
    facts: SessionFacts
    registry: Registry
    before: tuple[tuple[tuple[Value, ...], SessionFacts], ...] = ()
    strict: bool = False
    refused: tuple[str, ...] = ()

    def judged(self) -> Judgement:
        """The verdict of a judge that has seen the sessions before."""
        judge = Judge(self.registry, History(), strict=self.strict, refused=self.refused)
        for values, facts in self.before:
            judge.session(values, facts)
        return judge.session(self.values, self.facts)


class Scene:
    """Makes records of the meters of one station, and the case of the honest session."""

    def __init__(self, seed: int = 1, curve: str = DEFAULT_ALGORITHM) -> None:
        self._seed = seed
        self.curve = curve

    def key(self, meter: str = METER) -> PrivateKey:
        """The private key of a meter, or of somebody else."""
        return private_key(hashlib.sha256(f"{self._seed}/{meter}".encode()).digest(), self.curve)

    def public(self, meter: str = METER) -> str:
        """The public key of a meter."""
        return public_key_hex(self.key(meter))

    def reading(self, mark: str, after: int = 0, energy: Decimal = Decimal(0), **changes: Any) -> Reading:
        """A reading `after` ms from the begin, at `energy` kWh more than there."""
        plain = Reading(Instant(BEGUN + after), "S", mark, _START_KWH + energy)
        return replace(plain, **changes)

    def begin(self, **changes: Any) -> Reading:
        """The reading of the begin."""
        return self.reading("B", **changes)

    def middle(self, **changes: Any) -> Reading:
        """A reading in between."""
        return self.reading("C", 30 * MINUTE, _ENERGY / 2, **changes)

    def end(self, **changes: Any) -> Reading:
        """The reading of the end."""
        return replace(self.reading("E", HOUR, _ENERGY), **changes)

    def record(self, readings: Sequence[Reading], page: int, **changes: Any) -> str:
        """A record of these readings, signed with the key of the meter at connector 1."""
        given: dict[str, Any] = {"meter_id": METER, "station_id": STATION, "connector": 1, "id_tag": TOKEN}
        given |= {"id_type": "ISO14443", "key": self.key(), "meter_vendor": "Any", "meter_model": "One"}
        return ocmf.build(readings=readings, pagination=page, **(given | changes))

    def resealed(self, text: str, edit: Edit, **seal: Any) -> str:
        """A record whose payload was edited before the meter signed it."""
        return ocmf.seal(edit(payload_of(text)), seal.pop("key", self.key()), **seal)

    def begin_record(self, **changes: Any) -> str:
        """The honest begin."""
        return self.record([self.begin()], PAGE, **changes)

    def end_record(self, page: int = PAGE + 1, **changes: Any) -> str:
        """The honest end."""
        return self.record([self.end()], page, **changes)

    def whole_record(self, page: int = PAGE, **changes: Any) -> str:
        """Begin and end in one record."""
        return self.record([self.begin(), self.end()], page, **changes)

    def registry(self, *more: Entry, without: str = "", **changes: Any) -> Registry:
        """Both meters with their keys, and what is added; `changes` are for the entry of the first."""
        entries = [
            Entry(meter=name, station=STATION, connector=number, key=self.public(name), time_billing="absolute")
            for number, name in ((1, METER), (2, OTHER_METER))
            if name != without
        ]
        if changes:
            entries[0] = replace(entries[0], **changes)
        return Registry([*entries, *more])

    def facts(self, **changes: Any) -> SessionFacts:
        """What the back-end knows of the session."""
        plain = SessionFacts(
            session="now",
            transaction=TRANSACTION,
            station=STATION,
            connector=1,
            id_tag=TOKEN,
            started=BEGUN,
            stopped=Instant(BEGUN + HOUR),
            meter_start=1_234_500,
            meter_stop=1_243_750,
            power_w=11_000,
        )
        return replace(plain, **changes)

    def before(self) -> tuple[tuple[Value, ...], SessionFacts]:
        """The session before: it ended where this one begins."""
        rows = [
            self.reading("B", -_BEFORE, -_ENERGY),
            self.reading("E", HOUR - _BEFORE),
        ]
        records = [self.record([row], PAGE - 2 + number, id_tag="04FFEE") for number, row in enumerate(rows)]
        facts = self.facts(
            session="before",
            transaction="4710",
            id_tag="04FFEE",
            started=Instant(BEGUN - _BEFORE),
            stopped=Instant(BEGUN - _BEFORE + HOUR),
            meter_start=None,
            meter_stop=None,
        )
        return tuple(Value(text, transaction="4710") for text in records), facts

    def case(self, *texts: str, **changes: Any) -> Case:
        """The case of these records; without any, the honest ones."""
        told = texts or (self.begin_record(), self.end_record())
        plain = Case(
            values=tuple(Value(text, transaction=TRANSACTION) for text in told),
            facts=self.facts(),
            registry=self.registry(),
            before=(self.before(),),
        )
        return replace(plain, **changes)


def payload_of(text: str) -> str:
    """The signed text of a record."""
    return ocmf.parse(text).payload


def seal_of(text: str) -> str:
    """What stands behind the pipe after the payload: the section of the signature."""
    return text[len("OCMF|") + len(payload_of(text)) + 1 :]
