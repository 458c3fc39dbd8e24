"""What one and the same charge costs by when it begins: the numbers of a heat map, each from the one rating function."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from reference_csms.pricing.engine import rate
from reference_csms.pricing.policies import policy_named
from scenarios.matrix.charges import Stay, charge_of
from scenarios.matrix.grid import Field, Matrix
from scenarios.matrix.windows import DAYS, days_text
from scenarios.working_days import is_holiday
from sim.clock import HOUR, Instant, from_datetime, zone

KWH, KW = Decimal(20), Decimal(10)
MOST_ROWS = 60
"""More rows than this in a picture cannot be read."""
TITLE = f"What {KWH} kWh in two hours cost, with tax, by when they begin"


def heat_of(matrix: Matrix, day: date) -> tuple[list[dict[str, Any]], int]:
    """The panels by currency (currency, rows, days, prices), and how many rows were left out.

    `day` is where to begin to look for days of each kind. Days of the week with the same prices everywhere are shown once.
    Of too many rows those that cost most and least stay.
    """
    panels, left_out = [], 0
    for currency in dict.fromkeys(field.tariff.currency for field in matrix.fields):
        fields = [field for field in matrix.fields if field.tariff.currency == currency]
        apart = any(line.window.knows_holidays for field in fields for line in field.lines)
        kinds = len(DAYS) + apart
        rows = {f"{field.location} · {field.group}": _week(field, day, kinds, matrix.table.policy) for field in fields}
        shown = _chosen(rows)
        left_out += len(rows) - len(shown)
        panels.append(_panel(currency, shown))
    return panels, left_out


def _panel(currency: str, rows: dict[str, list[tuple[float, ...]]]) -> dict[str, Any]:
    """Days with the same prices in every row become one."""
    alike: dict[tuple[tuple[float, ...], ...], list[int]] = {}
    for kind in range(len(next(iter(rows.values())))):
        alike.setdefault(tuple(week[kind] for week in rows.values()), []).append(kind + 1)
    names = tuple(days_text(kinds) or "any day" for kinds in alike.values())
    prices = tuple(tuple(week[kinds[0] - 1] for kinds in alike.values()) for week in rows.values())
    return {"currency": currency, "rows": tuple(rows), "days": names, "prices": prices}


def _chosen(rows: dict[str, list[tuple[float, ...]]]) -> dict[str, list[tuple[float, ...]]]:
    if len(rows) <= MOST_ROWS:
        return rows
    by_price = sorted(rows, key=lambda name: sum(map(sum, rows[name])))
    kept = {*by_price[: MOST_ROWS // 2], *by_price[-(MOST_ROWS // 2) :]}
    return {name: week for name, week in rows.items() if name in kept}


def _week(field: Field, day: date, kinds: int, policy: str) -> list[tuple[float, ...]]:
    """24 prices for each of `kinds` days: the weekdays and, if there is one kind more, a public holiday."""
    return [_day(field, _dated(field, day, kind), policy) for kind in range(1, kinds + 1)]


def _dated(field: Field, day: date, kind: int) -> date:
    """The first day of that kind from `day` on; holidays are no weekdays where there are any."""
    for n in range(400):
        one = day + timedelta(days=n)
        off = bool(field.holidays) and is_holiday(one, field.holidays)
        if (kind > len(DAYS) and (off or not field.holidays)) or (not off and one.isoweekday() == kind):
            return one
    raise AssertionError(f"no day of kind {kind} within 400 days of {day} for {field.name}")


def _day(field: Field, day: date, policy: str) -> tuple[float, ...]:
    prices = []
    for hour in range(24):
        start = from_datetime(datetime(day.year, day.month, day.day, hour, tzinfo=zone(field.zone)))
        end = Instant(start + int(KWH / KW * HOUR))
        stay = Stay("", start, end, end, int(KWH * 1000))
        prices.append(float(rate(field.tariff, charge_of(stay, field), policy_named(policy)).gross))
    return tuple(prices)
