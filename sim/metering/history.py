"""What was seen of a meter before: which records, up to which page, with which key, clock and register.

One judge of many sessions keeps one of these. It says what does not go on from the session before: a record twice, pages
left out, a counter that began anew, another key or clock, a register that moved while nobody charged. Source: reference
ocmf §6 (anomalies).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from sim.metering.obis import register
from sim.metering.reasons import Kind, Reason
from sim.metering.rules import END_MARKS, SHIFT_TO_KWH, in_kwh, page_of
from sim.wire.ocmf import digest
from sim.wire.ocmf_parse import Record

_MOST_METERS = 100_000


class _Last(Struct):
    page: int
    key: str
    status: str
    register: str
    value: Decimal
    ended: bool
    gateway: str


class History:
    """The memory. Sessions are told in the order in which they happened."""

    def __init__(self) -> None:
        self._seen: dict[str, str] = {}
        self._last: dict[str, _Last] = {}

    def replayed(self, record: Record, session: str) -> Reason | None:
        """A reason if this record was part of another session: by the signed bytes, whatever its signature looks like."""
        before = self._seen.get(digest(record))
        if before is None or before == session:
            return None
        return Reason(Kind.REPLAY, "replay", "this record came with another session before")

    def gaps(self, records: Sequence[Record], key: str) -> list[Reason]:
        """What does not go on from the last session of this meter. `records` in order of their pages, all of one meter."""
        first = records[0]
        last = self._last.get(first.meter_id or first.station_id)
        if last is None:
            return []
        found: list[Reason] = []
        page = page_of(first)
        if not last.ended:
            found.append(Reason(Kind.INFO, "missing-end", "the session before has no signed end"))
        if page is not None and page <= last.page:
            text = f"the page counter began anew: {page} after {last.page} (another meter of the same number?)"
            found.append(Reason(Kind.SESS, "page-restart", text))
        elif page is not None and page > last.page + 1:
            count = page - last.page - 1
            found.append(Reason(Kind.INFO, "page-gap-before", f"{count} pages before this session are missing"))
        if key and last.key and key != last.key:
            found.append(Reason(Kind.INFO, "key-change", "the key of the meter is another one than before"))
        if last.gateway and first.station_id and first.station_id != last.gateway:
            found.append(Reason(Kind.INFO, "gateway-change", "the gateway (GS) is another one than before"))
        begin = first.readings[0]
        if last.status in "UI" and begin.status in "S":
            found.append(Reason(Kind.INFO, "clock-jump", "the clock was unsynchronised before and is synchronised now"))
        known = register(begin.register)
        if known is not None and not known.of_transaction and known.name == last.register:
            moved = in_kwh(begin).value - last.value if begin.unit in SHIFT_TO_KWH else Decimal(0)
            if moved:
                text = f"the register moved by {moved:f} kWh between two sessions: energy that nobody charged for"
                found.append(Reason(Kind.INFO, "register-jump", text))
        return found

    def keep(self, records: Sequence[Record], session: str, key: str) -> None:
        """Remember a session. What could not be verified must not be told here."""
        for record in records:
            self._seen.setdefault(digest(record), session)
        if not records or len(self._last) >= _MOST_METERS:
            return
        newest = records[-1]
        reading = next((one for one in reversed(newest.readings) if one.unit in SHIFT_TO_KWH), None)
        known = register(reading.register) if reading is not None else None
        self._last[newest.meter_id or newest.station_id] = _Last(
            page=page_of(newest) or 0,
            key=key,
            status=newest.readings[-1].status,
            register=known.name if known else "",
            value=in_kwh(reading).value if reading is not None else Decimal(0),
            ended=any(one.mark in END_MARKS for record in records for one in record.readings),
            gateway=newest.station_id,
        )
