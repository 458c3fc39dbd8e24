"""Calendar arithmetic of invoices: periods, their parts, and what part of a month's price they cost.

Pure functions over local days of a named zone; `until` is always exclusive. Nothing here books or knows a contract.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise

from msgspec import Struct

from sim.clock import Instant, from_datetime, to_datetime, zone

MONTH = "month"
QUARTER = "quarter"
PERIODS = (MONTH, QUARTER)
_MONTHS = {MONTH: 1, QUARTER: 3}

SplitPeriod = Callable[[date, date, Sequence[date]], list["Span"]]
ProRata = Callable[[int, "Span"], int]


class Span(Struct, frozen=True):
    """Local days from `start` up to, not including, `until`."""

    start: date
    until: date

    @property
    def days(self) -> int:
        """How many days."""
        return (self.until - self.start).days


def local_day(instant: int, zone_name: str) -> date:
    """The local day of an instant."""
    return to_datetime(instant, zone(zone_name)).date()


def midnight(day: date, zone_name: str, hour: int = 0) -> Instant:
    """The instant at which a local day begins, or its full hour `hour`."""
    return from_datetime(datetime(day.year, day.month, day.day, hour, tzinfo=zone(zone_name)))


def first_of_month(day: date, months_on: int = 0) -> date:
    """The first day of the month of `day`, or of one some months later."""
    month = day.year * 12 + day.month - 1 + months_on
    return date(month // 12, month % 12 + 1, 1)


def period_end(day: date, period: str) -> date:
    """The first day after the calendar month or quarter in which `day` lies."""
    months = _MONTHS[period]
    return first_of_month(day, months - (day.month - 1) % months)


def split_period(start: date, until: date, cuts: Sequence[date]) -> list[Span]:
    """A period in parts that neither cross a month nor a cut (change of VAT, end of a contract): pitfall 13, M08."""
    edges = {start, until, *(cut for cut in cuts if start < cut < until)}
    month = first_of_month(start, 1)
    while month < until:
        edges.add(month)
        month = first_of_month(month, 1)
    days = sorted(edges)
    return [Span(begin, end) for begin, end in pairwise(days)]


def pro_rata(monthly: int, span: Span) -> int:
    """The price of a part of one month, by days of that month, half a minor unit up (L09)."""
    first = first_of_month(span.start)
    whole = (first_of_month(span.start, 1) - first).days
    return int((Decimal(monthly) * span.days / whole).quantize(Decimal(1), ROUND_HALF_UP))
