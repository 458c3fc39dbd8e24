"""What a session of a file would have measured, so that it can be priced: periods cut where a matrix may change its price.

A file tells when a car came and went and what it took, not how fast: it draws `power` kW until its energy is in (or evenly
over the whole stay, if that is too little), then stays plugged in idle. A meter signs a reading at each change of price,
so no period reaches over one. Nothing here knows a price.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from msgspec import Struct

from reference_csms.pricing.model import Charge, Period
from scenarios.matrix.grid import Field
from scenarios.matrix.windows import DAY_MINUTES
from scenarios.working_days import is_holiday
from scenarios.workloads.sessions import Row, SessionFile
from sim.clock import HOUR, MINUTE, SECOND, Instant, from_datetime, to_datetime, zone


class Stay(Struct, frozen=True):
    """A session to be priced: when it was plugged in and out, when its energy was in, and how much, in Wh."""

    name: str
    start: Instant
    full: Instant
    end: Instant
    energy_wh: int

    def taken(self, at: int) -> int:
        """Wh on the register at an instant, counted from the start."""
        if at >= self.full:
            return self.energy_wh
        return self.energy_wh * (at - self.start) // (self.full - self.start)


def stays_of(file: SessionFile, power: Decimal, most: int | None = None) -> tuple[tuple[Stay, ...], int]:
    """Sessions that can be priced, and how many rows cannot: no positive energy, or no time at all."""
    found: list[Stay] = []
    odd = 0
    for row in file.rows:
        if row.energy_wh <= 0 or row.duration_ms < SECOND:
            odd += 1
        elif most is None or len(found) < most:
            found.append(_stay(row, file.zone, power))
    return tuple(found), odd + len(file.unparsable)


def _stay(row: Row, hangs_in: ZoneInfo, power: Decimal) -> Stay:
    start = row.begin(hangs_in)
    needed = int(Decimal(row.energy_wh) * HOUR / (power * 1000))
    full, end = start + max(SECOND, min(row.duration_ms, needed)), start + row.duration_ms
    return Stay(f"line {row.line}", start, Instant(full), Instant(end), row.energy_wh)


class Charges:
    """Makes charges of stays; what is the same for several fields of a matrix is made once."""

    def __init__(self, stays: Sequence[Stay]) -> None:
        self.stays = stays
        self._made: dict[tuple[str, tuple[int, ...], str, str], tuple[Charge, ...]] = {}

    def of(self, field: Field) -> tuple[Charge, ...]:
        """The charges of all stays, as a meter at this place would tell them."""
        edges = edges_of(field)
        key = (field.zone, edges, field.holidays, field.tariff.currency)
        found = self._made.get(key)
        if found is None:
            found = self._made[key] = tuple(charge_of(stay, field) for stay in self.stays)
        return found


def edges_of(field: Field) -> tuple[int, ...]:
    """Minutes of the local day at which a price of the field may change; none if it never does."""
    boxes = [box for line in field.lines for box in line.window.boxes]
    if len(field.lines) == 1:
        return ()
    return tuple(sorted({0, *(minute % DAY_MINUTES for box in boxes for minute in (box.start, box.end))}))


def charge_of(stay: Stay, field: Field) -> Charge:
    """The charge of a stay in a field."""
    hangs_in = zone(field.zone)
    days = list(_days(stay.start, stay.end, hangs_in))
    cuts = sorted({stay.start, *_moments(stay, days, edges_of(field), hangs_in), min(stay.full, stay.end), stay.end})
    periods = tuple(_period(stay, start, end) for start, end in itertools.pairwise(cuts))
    off = tuple(day for day in days if field.holidays and is_holiday(day, field.holidays))
    return Charge(
        start=stay.start, end=stay.end, periods=periods, currency=field.tariff.currency, zone=field.zone, holidays=off
    )


def _period(stay: Stay, start: Instant, end: Instant) -> Period:
    seconds = Decimal(end - start) / SECOND
    charging = start < stay.full
    return Period(
        start=start,
        end=end,
        kwh=Decimal(stay.taken(end) - stay.taken(start)) / 1000,
        charging_s=seconds if charging else Decimal(0),
        idle_s=Decimal(0) if charging else seconds,
    )


def _days(start: Instant, end: Instant, hangs_in: ZoneInfo) -> list[date]:
    first, last = to_datetime(start, hangs_in).date(), to_datetime(end, hangs_in).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _moments(stay: Stay, days: Sequence[date], edges: Sequence[int], hangs_in: ZoneInfo) -> list[Instant]:
    """The instants strictly inside the stay at which a local clock shows one of the minutes, or is put forward or back."""
    found: list[Instant] = []
    for day in days if edges else ():
        for minute in edges:
            wall = datetime(day.year, day.month, day.day, *divmod(minute, 60), tzinfo=hangs_in)
            found += [from_datetime(wall), from_datetime(wall.replace(fold=1))]
        found += _clock_change(day, hangs_in)
    return [at for at in found if stay.start < at < stay.end]


def _clock_change(day: date, hangs_in: ZoneInfo) -> list[Instant]:
    """The instant of that local day at which the offset from UTC changes, to the minute."""
    low: int = from_datetime(datetime(day.year, day.month, day.day, tzinfo=hangs_in))
    high = low + 25 * HOUR
    before = to_datetime(low, hangs_in).utcoffset()
    if before == to_datetime(high, hangs_in).utcoffset():
        return []
    while high - low > MINUTE:
        middle = (low + high) // 2 // MINUTE * MINUTE
        if to_datetime(middle, hangs_in).utcoffset() == before:
            low = middle
        else:
            high = middle
    return [Instant(high)]
