"""Reading plain rows: numbers as fractions, days as counts, the local clock of a zone. Of the oracle alone."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

Row = Mapping[str, Any]
ZERO = Fraction(0)
TIMED = ("time", "idle", "reservation")


@lru_cache(maxsize=16_384)
def _parsed(text: str) -> Fraction:
    return Fraction(text)


def number(value: Any) -> Fraction:
    """A number of a row; nothing is 0."""
    return _parsed(value) if isinstance(value, str) else Fraction(0 if value is None else value)


@lru_cache(maxsize=16_384)
def day_of(text: str) -> int:
    """A day, counted."""
    return date.fromisoformat(text).toordinal()


@lru_cache(maxsize=1_024)
def days(texts: tuple[str, ...]) -> frozenset[int]:
    """Days, counted."""
    return frozenset(day_of(text) for text in texts)


@lru_cache(maxsize=131_072)
def clock(zone: str, minute: int) -> tuple[int, int]:
    """The local day and minute of a minute since 1970 UTC."""
    moment = datetime.fromtimestamp(minute * 60, ZoneInfo(zone))
    return moment.toordinal(), moment.hour * 60 + moment.minute


def nearest(amount: Fraction) -> int:
    """The nearest whole number, halves up."""
    return (2 * amount.numerator + amount.denominator) // (2 * amount.denominator)
