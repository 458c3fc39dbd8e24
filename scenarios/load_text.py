"""Texts of a scenario that mean times and amounts, read strictly. Each raises ValueError with what is allowed."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from scenarios.model_types import DecimalText, LocalTime
from sim.clock import HOUR, MINUTE


def parse_local_time(text: str) -> LocalTime:
    """The ms after midnight of `HH:MM` or `HH:MM:SS`. Raises ValueError for anything else."""
    parts = text.split(":")
    if len(parts) not in (2, 3) or any(len(part) != 2 or not part.isdecimal() for part in parts):
        raise ValueError(f"{text!r} is no time of the day; allowed: HH:MM from 00:00 to 23:59")
    hour, minute, second = (int(part) for part in (*parts, "00")[:3])
    if hour > 23 or minute > 59 or second > 59:
        raise ValueError(f"{text!r} is no time of the day; allowed: HH:MM from 00:00 to 23:59")
    return LocalTime(hour * HOUR + minute * MINUTE + second * 1000)


def parse_decimal(text: str) -> DecimalText:
    """The text of a decimal that is not negative. Raises ValueError for anything else."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or value < 0:
        raise ValueError(f'{text!r} is no amount; allowed: a decimal in quotes such as "0.49", not negative')
    return DecimalText(text)
