"""The check before billing: from the signed values of a StopTransaction to readings one may bill, or a reason why not.

Order: unwrap, parse, key from the registry, signature over the exact bytes, digest unseen, serials, each reading,
then the session as a whole (one begin, one end, one register, nothing falling, no page missing, the right person).
The key is the registered one, never one that came along. No substitute values: what is missing stays missing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct
from msgspec.structs import replace

from reference_csms.metering.registry import KeyRegistry
from reference_csms.records import Meter, Session
from sim.wire import ocmf
from sim.wire.ocmf import Malformed, Reading, Record

VerifyRecord = Callable[[Record, str], bool]
Seen = Callable[[str, str], bool]
"""(digest, session id) -> whether another session brought this record before."""

END_MARKS = frozenset("ELRAP")
"""TX codes that end a transaction (OCMF 1.4.1 table 14)."""
_TO_KWH = {"kWh": 0, "Wh": -3}
_REGISTER = re.compile(r"0?1-(?:0?0|b):0?([0-9A-F]+)\.0?8\.[0-9A-Fe]+(?:[.*][0-9A-F]+)?", re.ASCII)
_IMPORT = frozenset(("1", "98", "9E", "B0", "B1", "B2", "B3"))
_PAGE = re.compile(r"T([1-9]\d*)", re.ASCII)
_MAX_DIGITS = 15
_BAD_LEVELS = ("MISMATCH", "INVALID", "OUTDATED", "UNKNOWN")

# verdicts on a record (`books_records.verdict`)
BILLABLE = "billable"
NOT_BILLABLE = "not-billable"
WRONG_SIGNATURE = "wrong-signature"
KEY_UNKNOWN = "key-unknown"
MALFORMED = "malformed"
REPLAY = "replay"

# reasons for a quarantine that are no verdicts on a record
MALFORMED_RECORD = "malformed-record"
RECORD_MISSING = "record-missing"


class Found(Struct, frozen=True):
    """One signed value and what is to be said about it. `text` is the exact record, or the raw value if it is none."""

    text: str
    digest: str
    verdict: str
    reason: str | None = None
    record: Record | None = None
    meter: Meter | None = None


class Judgement(Struct, frozen=True):
    """What a session's records are worth. `reason` is from the quarantine vocabulary, None if it may be billed.

    `readings` are in kWh and in order of their pages, as far as they could be read; they are complete only without a
    reason.
    """

    reason: str | None
    detail: str
    found: tuple[Found, ...]
    readings: tuple[Reading, ...]
    meter: Meter | None

    @property
    def energy_kwh(self) -> Decimal | None:
        """Last reading less first reading, None with fewer than two."""
        return self.readings[-1].value - self.readings[0].value if len(self.readings) > 1 else None


class RecordCheck:
    """Judges the records of a session against the registry."""

    def __init__(self, registry: KeyRegistry, seen: Seen, verify: VerifyRecord = ocmf.verify) -> None:
        self._registry = registry
        self._seen = seen
        self._verify = verify

    def judge(self, values: Sequence[str], session: Session) -> Judgement:
        """Judge the signed values of a stop for the session that it closes. Never raises for what is in them."""
        found = _once_each([self._record(value, session) for value in values])
        readings = _in_order(found)
        meter = next((one.meter for one in found if one.meter is not None), None)
        bad = next((one for one in found if one.verdict != BILLABLE), None)
        if bad is not None:
            reason = MALFORMED_RECORD if bad.verdict == MALFORMED else bad.verdict
            return Judgement(reason, bad.reason or "", _spoilt(found, reason), readings, meter)
        wrong = _as_a_whole(found, readings, session)
        if wrong is not None:
            return Judgement(*wrong, _spoilt(found, wrong[0]), readings, meter)
        return Judgement(None, "", tuple(found), readings, meter)

    def unmatched(self, values: Sequence[str], reason: str) -> Judgement:
        """Records of a stop that closes no session here: kept as evidence, worth nothing."""
        found = _once_each([_read(value) for value in values])
        kept = [one if one.verdict == MALFORMED else replace(one, verdict=NOT_BILLABLE, reason=reason) for one in found]
        return Judgement(reason, "", tuple(kept), _in_order(found), None)

    def _record(self, value: str, session: Session) -> Found:
        found = _read(value)
        record = found.record
        if record is None:
            return found
        meter_id, at = record.meter_id or record.station_id, record.readings[0].at
        meter = self._registry.find(meter_id, session.station, session.connector, at)
        if meter is None:
            why = self._registry.why_not(meter_id, session.station, session.connector)
            return replace(found, verdict=KEY_UNKNOWN, reason=why)
        found = replace(found, meter=meter)
        if not self._verify(record, meter.public_key):
            why = f"the signature does not fit the registered key of meter {meter_id}"
            return replace(found, verdict=WRONG_SIGNATURE, reason=why)
        if self._seen(found.digest, session.session_id):
            return replace(found, verdict=REPLAY, reason="this record came with another session before")
        foreign = _foreign(record, session)
        if foreign is not None:
            return replace(found, verdict=KEY_UNKNOWN, reason=foreign)
        wrong = next((why for why in map(_reading_fault, record.readings) if why), None)
        if wrong is not None:
            return replace(found, verdict=NOT_BILLABLE, reason=wrong)
        return found


def _read(value: str) -> Found:
    """Unwrap and parse."""
    text = value
    try:
        text = ocmf.unwrap(value)
        record = ocmf.parse(text)
    except Malformed as err:
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        return Found(text, digest, MALFORMED, str(err))
    return Found(text, ocmf.digest(record), BILLABLE, None, record)


def _once_each(found: Sequence[Found]) -> list[Found]:
    """The same record twice in one message is one record."""
    return list({one.digest: one for one in found}.values())


def _spoilt(found: Sequence[Found], reason: str) -> tuple[Found, ...]:
    """Good records of a session that must not be billed are not billable either."""
    why = f"the session is held: {reason}"
    return tuple(replace(one, verdict=NOT_BILLABLE, reason=why) if one.verdict == BILLABLE else one for one in found)


def _page(record: Record) -> int | None:
    found = _PAGE.fullmatch(record.pagination)
    return int(found[1]) if found else None


def _in_order(found: Sequence[Found]) -> tuple[Reading, ...]:
    """All readable energy readings in kWh, by page and then as written."""
    records = [one.record for one in found if one.record is not None]
    records.sort(key=lambda record: _page(record) or 0)
    return tuple(_in_kwh(r) for record in records for r in record.readings if r.unit in _TO_KWH)


def _in_kwh(reading: Reading) -> Reading:
    if reading.unit == "kWh":
        return reading
    return replace(reading, value=reading.value.scaleb(_TO_KWH[reading.unit]), unit="kWh")


def _foreign(record: Record, session: Session) -> str | None:
    if record.station_id and record.meter_id and record.station_id != session.station:
        return f"the record names station {record.station_id}"
    point = record.fields.get("CI")
    if record.fields.get("CT") == "EVSEID" and point and point != f"{session.station}*{session.connector}":
        return f"the record names the charging point {point}"
    return None


def _reading_fault(reading: Reading) -> str | None:
    if reading.state != "G":
        return f"a reading has state {reading.state or '(none)'} instead of G"
    if "E" in reading.error_flags:
        return "a reading is marked as faulty in energy (EF)"
    if reading.mark == "X":
        return "a reading reports an exception (TX X)"
    if reading.unit not in _TO_KWH:
        return f"a reading has the unit {reading.unit or '(none)'}"
    register = _REGISTER.fullmatch(reading.register)
    if register is None or register[1] not in _IMPORT:
        return f"register {reading.register or '(none)'} is no import register"
    if len(reading.value.as_tuple().digits) > _MAX_DIGITS or abs(reading.value.adjusted()) > _MAX_DIGITS:
        return "a reading has more digits than any meter"
    return None


def _as_a_whole(found: Sequence[Found], readings: Sequence[Reading], session: Session) -> tuple[str, str] | None:
    """What is wrong with good records taken together: (reason, detail), None if nothing is."""
    marks = [reading.mark for reading in readings]
    begins, ends = marks.count("B"), sum(mark in END_MARKS for mark in marks)
    if not begins or not ends:
        return RECORD_MISSING, f"there is no signed {'begin' if not begins else 'end'}"
    if begins > 1 or ends > 1 or marks[0] != "B" or marks[-1] not in END_MARKS:
        return NOT_BILLABLE, "the readings are not one begin, others, one end"
    pages = sorted(_page(one.record) or 0 for one in found if one.record is not None)
    if not pages[0]:
        return NOT_BILLABLE, "a record has no page number of a transaction (PG)"
    if pages != list(range(pages[0], pages[0] + len(pages))):
        return RECORD_MISSING, f"pages {pages} are not in sequence"
    return _values_fault(readings) or _person_fault(found, session)


def _values_fault(readings: Sequence[Reading]) -> tuple[str, str] | None:
    if len({(reading.register, reading.unit) for reading in readings}) > 1:
        return NOT_BILLABLE, "the readings are of different registers"
    for before, after in pairwise(readings):
        if after.value < before.value:
            return NOT_BILLABLE, "the register falls"
        if after.at < before.at:
            return NOT_BILLABLE, "the time of the readings falls"
    return None


def _person_fault(found: Sequence[Found], session: Session) -> tuple[str, str] | None:
    if len({one.meter.meter_id for one in found if one.meter is not None}) > 1:
        return NOT_BILLABLE, "the records are of different meters"
    for record in (one.record for one in found if one.record is not None):
        if record.id_tag.upper() != session.id_tag.upper():
            return NOT_BILLABLE, "the signed identification is not the idTag of the session"
        if record.fields.get("IL") in _BAD_LEVELS:
            return NOT_BILLABLE, f"the identification level is {record.fields['IL']}"
    return None
