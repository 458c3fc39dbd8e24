"""The basic fee of a tariff: what a contract costs by the month, whether anybody charges or not; by whole days.

Charges are priced by `engine.rate`; a basic fee belongs to a span of days and never to a charge.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from decimal import Decimal

from msgspec import Struct

from reference_csms.pricing.model import Policy, Tariff
from reference_csms.pricing.rounding import both_sides, factor_of, rounded, taxes_at, unit_of


class BasicFeeLine(Struct, frozen=True):
    """The fee of a month, or of the days of it that count. `until` exclusive; amounts in major units."""

    since: date
    until: date
    days: int
    of_days: int
    net: Decimal
    gross: Decimal


def basic_fee(tariff: Tariff, since: date, until: date, policy: Policy) -> list[BasicFeeLine]:
    """One line for each month that the days from `since` to before `until` touch, pro rata by the day; none without a fee.

    The tax of a month is that of its last day that counts.
    """
    fee, lines = tariff.basic_fee, []
    unit = unit_of(tariff.currency, policy.digits)
    begin = since
    while fee is not None and begin < until:
        of_days = monthrange(begin.year, begin.month)[1]
        end = min(until, date.fromordinal(begin.replace(day=1).toordinal() + of_days))
        days = (end - begin).days
        taxes = taxes_at(tariff, fee.taxes, end.toordinal() - 1)
        net, gross = both_sides(tariff, fee.per_month * days / of_days, factor_of(taxes))
        net, gross = (rounded(one, policy.money, unit) for one in (net, gross))
        lines.append(BasicFeeLine(begin, end, days, of_days, net, gross))
        begin = end
    return lines
