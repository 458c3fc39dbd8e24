"""Which days are working days where an owner is: weekends and public holidays are none. The door to `holidays`.

Source: the calendars of the package `holidays`, by ISO 3166 country code. It never guesses for a country it does not know.
"""

from __future__ import annotations

import datetime
from functools import cache


@cache
def _calendar(country: str, year: int) -> dict[datetime.date, str]:
    import holidays  # only for an upgrade

    return dict(holidays.country_holidays(country, years=year))


def known(country: str) -> bool:
    """Whether there is a calendar for this country."""
    import holidays

    return country in holidays.list_supported_countries()


def why_not(date: datetime.date, country: str) -> str:
    """Why nobody works on this day in this country; empty for a working day. Raises KeyError for an unknown country."""
    if not known(country):
        raise KeyError(country)
    if date.weekday() >= 5:
        return f"a {date:%A}"
    return _calendar(country, date.year).get(date, "")
