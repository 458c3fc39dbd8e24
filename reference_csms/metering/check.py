"""The check before billing: from the signed values of a StopTransaction to readings one may bill, or a reason why not.

Order: unwrap, parse, key from the registry, signature over the exact bytes, digest unseen, serials, each reading,
then the session as a whole (one begin, one end, one register, nothing falling, no page missing, the right person).
The key is the registered one, never one that came along. No substitute values: what is missing stays missing. The rules
for readings and sessions are those of `sim.metering.rules`; here is what a back-end knows besides.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from reference_csms.metering.registry import KeyRegistry
from reference_csms.records import Meter, Session
from sim.metering.formats.read import Unsupported, read
from sim.metering.reasons import BILLABLE, KEY_UNKNOWN, MALFORMED, NOT_BILLABLE, UNSUPPORTED, WRONG_SIGNATURE, Kind
from sim.metering.rules import BAD_LEVELS, SHIFT_TO_KWH, in_kwh, page_of, record_reasons, session_reasons
from sim.wire import ocmf
from sim.wire.ocmf import Malformed, Reading, Record

VerifyRecord = Callable[[Record, str], bool]
Seen = Callable[[str, str], bool]
"""(digest, session id) -> whether another session brought this record before."""

# verdicts on a record (`books_records.verdict`) besides those of `sim.metering.reasons`
REPLAY = "replay"

# reasons for a quarantine that are no verdicts on a record
MALFORMED_RECORD = "malformed-record"
RECORD_MISSING = "record-missing"
_MISSING = ("record-missing", "page-gap")
_NOT_OURS = {
    "unknown-algorithm": (UNSUPPORTED, "the algorithm of the record is not supported"),
    "key-mismatch": (KEY_UNKNOWN, "the record claims another curve than the registered key has"),
    "bad-key": (KEY_UNKNOWN, "the registered key cannot be read, or its curve is not supported"),
}


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
        found = _once_each([self._record(one, session) for value in values for one in _read(value)])
        readings = _in_order(found)
        meter = next((one.meter for one in found if one.meter is not None), None)
        bad = next((one for one in found if one.verdict != BILLABLE), None)
        if bad is not None:
            reason = MALFORMED_RECORD if bad.verdict == MALFORMED else bad.verdict
            return Judgement(reason, bad.reason or "", _spoilt(found, reason), readings, meter)
        wrong, chosen = _as_a_whole(found, session)
        if wrong is not None:
            return Judgement(*wrong, _spoilt(found, wrong[0]), readings, meter)
        return Judgement(None, "", tuple(found), chosen, meter)

    def unmatched(self, values: Sequence[str], reason: str) -> Judgement:
        """Records of a stop that closes no session here: kept as evidence, worth nothing."""
        found = _once_each([one for value in values for one in _read(value)])
        kept = [one if one.verdict == MALFORMED else replace(one, verdict=NOT_BILLABLE, reason=reason) for one in found]
        return Judgement(reason, "", tuple(kept), _in_order(found), None)

    def _record(self, found: Found, session: Session) -> Found:
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
            fit = f"the signature does not fit the registered key of meter {meter_id}"
            verdict, why = _NOT_OURS.get(ocmf.explain(record, meter.public_key) or "", (WRONG_SIGNATURE, fit))
            return replace(found, verdict=verdict, reason=why)
        if self._seen(found.digest, session.session_id):
            return replace(found, verdict=REPLAY, reason="this record came with another session before")
        foreign = _foreign(record, session)
        if foreign is not None:
            return replace(found, verdict=KEY_UNKNOWN, reason=foreign)
        wrong = next((one for one in record_reasons(record) if one.kind >= Kind.HOLD), None)
        if wrong is not None:
            return replace(found, verdict=NOT_BILLABLE, reason=wrong.text)
        return found


def _read(value: str) -> list[Found]:
    """Unwrap and parse; the files of some makes hold two records."""
    text = value
    try:
        text = ocmf.unwrap(value)
        records = read(text)
    except (Malformed, Unsupported) as err:
        digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        return [Found(text, digest, MALFORMED if isinstance(err, Malformed) else UNSUPPORTED, str(err))]
    return [Found(text, ocmf.digest(record), BILLABLE, None, record) for record in records]


def _once_each(found: Sequence[Found]) -> list[Found]:
    """The same record twice in one message is one record."""
    return list({one.digest: one for one in found}.values())


def _spoilt(found: Sequence[Found], reason: str) -> tuple[Found, ...]:
    """Good records of a session that must not be billed are not billable either."""
    why = f"the session is held: {reason}"
    return tuple(replace(one, verdict=NOT_BILLABLE, reason=why) if one.verdict == BILLABLE else one for one in found)


def _in_order(found: Sequence[Found]) -> tuple[Reading, ...]:
    """All readable energy readings in kWh, by page and then as written."""
    records = [one.record for one in found if one.record is not None]
    records.sort(key=lambda record: page_of(record) or 0)
    return tuple(in_kwh(r) for record in records for r in record.readings if r.unit in SHIFT_TO_KWH)


def _foreign(record: Record, session: Session) -> str | None:
    if record.station_id and record.meter_id and record.station_id != session.station:
        return f"the record names station {record.station_id}"
    point = record.fields.get("CI")
    if record.fields.get("CT") == "EVSEID" and point and point != f"{session.station}*{session.connector}":
        return f"the record names the charging point {point}"
    return None


def _as_a_whole(found: Sequence[Found], session: Session) -> tuple[tuple[str, str] | None, tuple[Reading, ...]]:
    """What is wrong with good records taken together as (reason, detail), None if nothing is; and what to bill by."""
    records = sorted((one.record for one in found if one.record is not None), key=lambda record: page_of(record) or 0)
    if not records:
        return (RECORD_MISSING, "there is no signed begin"), ()
    reasons, chosen = session_reasons(records)
    worst = next((one for one in reasons if one.code in _MISSING), None)
    worst = worst or next((one for one in reasons if one.kind >= Kind.HOLD), None)
    if worst is not None:
        return (RECORD_MISSING if worst.code in _MISSING else NOT_BILLABLE, worst.text), ()
    if chosen is None:
        return (RECORD_MISSING, "there is no signed begin and end of one register"), ()
    return _person_fault(found, session), chosen.readings


def _person_fault(found: Sequence[Found], session: Session) -> tuple[str, str] | None:
    if len({one.meter.meter_id for one in found if one.meter is not None}) > 1:
        return NOT_BILLABLE, "the records are of different meters"
    for record in (one.record for one in found if one.record is not None):
        if record.id_tag.upper() != session.id_tag.upper():
            return NOT_BILLABLE, "the signed identification is not the idTag of the session"
        if record.fields.get("IL") in BAD_LEVELS:
            return NOT_BILLABLE, f"the identification level is {record.fields['IL']}"
    return None
