"""Which days are working days where an owner is: weekends and public holidays are none. The door to `holidays`.

Source: the calendars of the package `holidays`, by ISO 3166 country code. It never guesses for a country it does not know.
"""

from __future__ import annotations

import datetime
from functools import cache


@cache
def _calendar(region: str, year: int) -> dict[datetime.date, str]:
    import holidays  # only where somebody asks

    country, _, part = region.partition("-")
    return dict(holidays.country_holidays(country, subdiv=part or None, years=year))


@cache
def known(region: str) -> bool:
    """Whether there is a calendar for this country (`NO`), or this part of one (`DE-BY`, ISO 3166-2)."""
    import holidays

    country, dash, part = region.partition("-")
    parts = holidays.list_supported_countries().get(country)
    return parts is not None and (part in parts if dash else True)


def is_holiday(date: datetime.date, region: str) -> bool:
    """Whether this day is a public holiday there. Raises KeyError for an unknown region."""
    if not known(region):
        raise KeyError(region)
    return date in _calendar(region, date.year)


def why_not(date: datetime.date, country: str) -> str:
    """Why nobody works on this day in this country; empty for a working day. Raises KeyError for an unknown country."""
    if not known(country):
        raise KeyError(country)
    if date.weekday() >= 5:
        return f"a {date:%A}"
    return _calendar(country, date.year).get(date, "")
