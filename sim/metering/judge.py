"""The check before billing, whole: from signed values as they came to a verdict with every reason.

Order: unwrap, read, algorithm, key from the registry, curve, signature, replay, serials, readings, pairing and pages,
person, exceptions, clock, raw values, plausibility (reference ocmf §6). It never raises for what is in a value. What an
operator or driver must still do with a verdict is not decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from sim.metering import reasons as words
from sim.metering.deviations import deviations_of
from sim.metering.facts import SessionFacts, fact_reasons
from sim.metering.formats.read import Unsupported, read
from sim.metering.history import History
from sim.metering.reasons import Kind, Reason
from sim.metering.registry import Entry, Missing, Registry
from sim.metering.rules import Chosen, page_of, record_reasons, session_reasons, time_billable
from sim.wire import ocmf
from sim.wire.keys import same_key
from sim.wire.ocmf_parse import Malformed, Reading, Record
from sim.wire.ocmf_wrap import Opened, open_object, open_value

_KEY_TEXTS = {
    "key-mismatch": "the record claims another curve than the key has",
    "bad-key": "the key cannot be read, or its curve is not supported",
}
_NO_KEY = "no key is given or registered that the signature could be checked with"
_CONTEXT_MARKS = {"Transaction.Begin": "B", "Transaction.End": "E"}


class Value(Struct, frozen=True):
    """One signed value as it arrived.

    `text` is what was sent, wrapped or bare, `inside` the object instead of a text in 2.0.1; `context` is what the message
    or container calls it (`Transaction.Begin`), `transaction` whose it is said to be, `sent_key` a key that came along.
    """

    text: str
    inside: dict[str, Any] | None = None
    context: str = ""
    transaction: str = ""
    sent_key: str = ""
    where: str = ""
    wrapped: bool = False


class Checked(Struct, frozen=True):
    """One record, checked by itself. `signature` is valid, invalid or unknown; `entry` whose key it was checked with."""

    value: Value
    text: str
    reasons: tuple[Reason, ...]
    signature: str = words.UNKNOWN
    record: Record | None = None
    entry: Entry | None = None

    @property
    def digest(self) -> str:
        """The identity of the record, empty if there is none."""
        return "" if self.record is None else ocmf.digest(self.record)


class Judgement(Struct, frozen=True):
    """What the signed values of one session are worth.

    `verdict` is one of `reasons.VERDICTS`; `signature` valid only if all are. `energy_kwh` is exact and only there if one
    may bill it; `time_billable` tells whether its clock may be billed by too.
    """

    verdict: str
    signature: str
    reasons: tuple[Reason, ...]
    records: tuple[Checked, ...]
    readings: tuple[Reading, ...] = ()
    energy_kwh: Decimal | None = None
    time_billable: bool = False

    @property
    def billable(self) -> bool:
        """Whether the energy may be billed."""
        return self.verdict == words.BILLABLE

    @property
    def letters(self) -> str:
        """The verdict in the words of the mutation catalogue."""
        return words.letters_of(self.reasons)


class Judge:
    """Judges sessions one after the other, against one registry and with one memory.

    `trusted` is a key that the caller vouches for, whatever meter a record names. Without registry and without that, a key
    that came along serves to check the signature and never to bill. `refused` are algorithms that are not taken, by
    choice or because this build lacks them.
    """

    def __init__(
        self,
        registry: Registry | None = None,
        history: History | None = None,
        trusted: str = "",
        strict: bool = False,
        refused: Sequence[str] = (),
    ) -> None:
        self._registry = registry
        self._history = history
        self._trusted = trusted
        self._strict = strict
        self._refused = frozenset(refused)

    def session(self, values: Sequence[Value], facts: SessionFacts) -> Judgement:
        """Judge the values of one session. Never raises for what is in them."""
        checked = self._once_each([one for value in values for one in self._value(value, facts)])
        records = [one.record for one in checked if one.record is not None]
        found = [reason for one in checked for reason in one.reasons]
        chosen: Chosen | None = None
        if not checked:
            found.append(Reason(Kind.NOBILL, "record-missing", "there is no signed value at all"))
        elif len(records) == len(checked):
            together, chosen = session_reasons(records, self._strict)
            found += together
        proven = [one for one in checked if one.signature == words.VALID]
        told = [one.record for one in proven if one.record is not None]
        found += fact_reasons(told, chosen, facts, [one.value for one in proven])
        entry = next((one.entry for one in checked if one.entry is not None), None)
        good = words.heaviest(found) < Kind.SIG and bool(records)
        if self._history is not None and good:
            found += self._history.gaps(records, entry.key if entry else "")
            if words.heaviest(found) < Kind.REPLAY:
                self._history.keep(records, facts.session or facts.transaction, entry.key if entry else "")
        time = chosen is not None and time_billable(entry.time_billing if entry else "none", chosen.readings)
        if facts.bills_time and chosen is not None and not time:
            text = "it is billed by time, which this meter or its clock does not allow"
            found.append(Reason(Kind.NOBILL, "time-not-billable", text))
        verdict = words.verdict_of(found)
        billable = verdict == words.BILLABLE
        return Judgement(
            verdict=verdict,
            signature=_signature_of(checked),
            reasons=tuple(dict.fromkeys(found)),
            records=tuple(checked),
            readings=chosen.readings if chosen else (),
            energy_kwh=chosen.energy if chosen and billable else None,
            time_billable=billable and time,
        )

    def _value(self, value: Value, facts: SessionFacts) -> list[Checked]:
        try:
            opened = _opened(value)
        except Malformed as err:
            return [Checked(value, value.text, (Reason(Kind.MAL, "unreadable", str(err)),))]
        found = [Reason(Kind.DEV, "transport", text) for text in opened.deviations]
        try:
            records = read(opened.text)
        except Malformed as err:
            return [Checked(value, opened.text, (*found, Reason(Kind.MAL, "malformed", str(err))))]
        except Unsupported as err:
            return [Checked(value, opened.text, (*found, Reason(Kind.ALG, "format", str(err))))]
        sent = opened.sent_key or value.sent_key
        return [self._record(_in_context(record, value), value, sent, list(found), facts) for record in records]

    def _record(self, record: Record, value: Value, sent: str, found: list[Reason], facts: SessionFacts) -> Checked:
        found += deviations_of(record)
        sent = sent or record.sent_key
        entry = self._entry(record, facts)
        key, curve = self._trusted, ""
        if isinstance(entry, Entry):
            key, curve = entry.key, entry.algorithm
        vouched = bool(key)
        if not key:
            key = sent
            if isinstance(entry, Missing):
                found.append(Reason(Kind.KEY, f"key-{entry.code}", entry.text))
            else:
                found.append(Reason(Kind.KEY, "key-not-registered", _NO_KEY if not key else _ONLY_SENT))
        signature = self._seal(record, key, curve, sent if vouched else "", facts, found)
        if signature == words.VALID:
            if self._history is not None:
                again = self._history.replayed(record, facts.session or facts.transaction)
                found += [again] if again is not None else []
            found += record_reasons(record)
        kept = entry if isinstance(entry, Entry) else None
        return Checked(value, record.text, tuple(found), signature, record, kept)

    def _entry(self, record: Record, facts: SessionFacts) -> Entry | Missing | None:
        if self._registry is None:
            return None
        return self._registry.find(record, record.readings[0].at, facts.station, facts.connector)

    def _seal(self, record: Record, key: str, curve: str, sent: str, facts: SessionFacts, found: list[Reason]) -> str:
        """Check the signature with a key, and say what is wrong with it."""
        if not key:
            return words.UNKNOWN
        if record.algorithm in self._refused:
            why, lenient = "unknown-algorithm", ()
        else:
            why, lenient = ocmf.examine(record, key, curve)
        if record.format == "OCMF":
            found += [Reason(Kind.DEV, "encoding", text) for text in lenient]
        if why is None:
            if sent and not same_key(sent, key, curve or record.algorithm):
                found.append(Reason(Kind.DEV, "other-key-sent", "the key that came along is not the registered one"))
            return words.VALID
        if why == "unknown-algorithm":
            found.append(Reason(Kind.ALG, why, f"the algorithm {record.algorithm[:48]!r} is not supported"))
            return words.UNKNOWN
        if why in _KEY_TEXTS:
            found.append(Reason(Kind.KEY, why, _KEY_TEXTS[why]))
            return words.INVALID if why == "key-mismatch" else words.UNKNOWN
        if why == "refused":
            found.append(Reason(Kind.SIG, why, f"the bytes fit, but {record.refused}"))
        elif sent and not same_key(sent, key, curve or record.algorithm) and ocmf.verify(record, sent):
            text = "it verifies with the key that came along, which is not the registered one"
            found.append(Reason(Kind.KEY, "foreign-key", text))
        else:
            text = "the signature does not fit the registered key" if self._registry else "the signature does not fit"
            found.append(Reason(Kind.SIG, why, text + self._whose(record, key, facts)))
        return words.INVALID

    def _whose(self, record: Record, key: str, facts: SessionFacts) -> str:
        """Whose signature it is instead, where that is known: swapped wiring is a common mistake."""
        for other in () if self._registry is None else self._registry.others_at(facts.station):
            if other.key != key and ocmf.examine(record, other.key, other.algorithm)[0] is None:
                return f"; it verifies with the key of meter {other.meter} at {other.station}*{other.connector}"
        return ""

    def _once_each(self, checked: Sequence[Checked]) -> list[Checked]:
        """The same record twice in one session is one record; in the order of their pages."""
        once = {(one.digest or f"{number}", one.value.context): one for number, one in enumerate(checked)}
        kept: dict[str, Checked] = {}
        for (digest, _), one in once.items():
            kept.setdefault(digest, one)
        return sorted(kept.values(), key=lambda one: (page_of(one.record) or 0) if one.record else 0)


_ONLY_SENT = "the key came along with the record, and nobody registered it"


def _opened(value: Value) -> Opened:
    if value.inside is not None:
        return open_object(value.inside)
    return open_value(value.text) if value.wrapped else Opened(value.text)


def _in_context(record: Record, value: Value) -> Record:
    """Formats that do not say begin or end are told by the message or the container."""
    mark = _CONTEXT_MARKS.get(value.context)
    if mark is None or record.format == "OCMF" or any(reading.mark for reading in record.readings):
        return record
    return replace(record, readings=tuple(replace(reading, mark=mark) for reading in record.readings))


def _signature_of(checked: Sequence[Checked]) -> str:
    states = {one.signature for one in checked}
    if states == {words.VALID}:
        return words.VALID
    return words.INVALID if words.INVALID in states else words.UNKNOWN
