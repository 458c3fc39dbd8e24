"""From quantities to money: discounts, taxes, rounding by policy, least and highest prices, and the result."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec.structs import replace

from reference_csms.pricing.model import (
    ENERGY,
    FLAT,
    NO_TAX,
    RESERVATION_FLAT,
    TAX_INCLUDED,
    Charge,
    Discount,
    Limit,
    Line,
    Policy,
    Rated,
    Tariff,
    Tax,
)
from reference_csms.pricing.picking import Entry
from reference_csms.pricing.rounding import both_sides, factor_of, rounded, snap, taxes_at, unit_of
from sim.clock import Instant

ZERO = Decimal(0)
_HOUR = 3600
_HUNDRED = Decimal(100)
_ONCE = (FLAT, RESERVATION_FLAT)


class Taken:
    """What was taken at one price: measured, and billed of it. `last` orders lines by what came last."""

    __slots__ = (
        "billed",
        "component",
        "dimension",
        "discount",
        "elements",
        "end",
        "factor",
        "last",
        "periods",
        "quantity",
        "start",
        "step",
        "stepped",
        "tariff",
        "unit_size",
        "why_not",
    )

    def __init__(self, dimension: str, tariff: Tariff, entry: Entry, discount: Discount | None, start: Instant) -> None:
        self.dimension = dimension
        self.tariff = tariff
        self.component = entry.component
        self.factor = entry.factor
        self.discount = discount
        self.start = start
        self.end = start
        self.quantity = ZERO
        self.billed = ZERO
        self.elements: list[int] = []
        self.periods: list[int] = []
        self.step = 0
        self.stepped = False
        self.last = 0
        self.unit_size = 1000 if dimension == ENERGY else 0 if dimension in _ONCE else 1
        self.why_not: dict[str, None] = {}

    def add(self, quantity: Decimal, element: int, step: int, number: int, end: Instant) -> None:
        """More at this price, from a period."""
        self.billed = self.quantity = self.quantity + quantity
        if element not in self.elements:
            self.elements.append(element)
        if number not in self.periods:
            self.periods.append(number)
        self.step = step
        self.end = end
        if end > self.last:
            self.last = end


def discount_for(tariff: Tariff, charge: Charge, dimension: str) -> Discount | None:
    """The first discount that fits this customer and dimension."""
    for one in tariff.discounts:
        if dimension not in one.dimensions or (one.groups and charge.group not in one.groups):
            continue
        if one.from_kwh is None or charge.month_kwh >= one.from_kwh:
            return one
    return None


def unit_price(price: Decimal, discount: Discount | None) -> Decimal:
    """A price after a discount, never below 0."""
    if discount is None:
        return price
    return max(price * (100 - discount.percent) / _HUNDRED - discount.off, ZERO)


def lines_of(taken: Sequence[Taken], charge: Charge, policy: Policy) -> list[Line]:
    """The lines, each with its exact amounts and, where the policy rounds lines, the rounded ones."""
    lines = []
    day = 0
    for one in taken:
        tariff, component = one.tariff, one.component
        taxes, factor = (component.taxes if tariff.tax != NO_TAX else ()), one.factor
        if tariff.tax_changes:
            day = day or policy.local(charge.end, charge.zone).day
            taxes = taxes_at(tariff, component.taxes, day)
            factor = factor_of(taxes)
        price, discount = component.price, one.discount
        amount = one.billed * (price if discount is None else unit_price(price, discount))
        if one.unit_size == 1:
            amount /= _HOUR
        net, gross = both_sides(tariff, amount, factor)
        lines.append(
            Line(
                dimension=one.dimension,
                tariff_id=tariff.tariff_id,
                elements=tuple(one.elements),
                periods=tuple(one.periods),
                start=one.start,
                end=one.end,
                quantity=one.quantity,
                billed=one.billed,
                unit="kWh" if one.unit_size == 1000 else "s" if one.unit_size else "once",
                step=one.step if one.stepped else 0,
                price=price,
                discount=discount.name if discount else "",
                discount_percent=discount.percent if discount else ZERO,
                off=discount.off if discount else ZERO,
                taxes=taxes,
                exact_net=net,
                exact_gross=gross,
                net=net,
                gross=gross,
                why=tuple(one.why_not),
            )
        )
    return lines


def by_policy(
    tariff: Tariff, charge: Charge, policy: Policy, lines: Sequence[Line], free: str, notes: tuple[str, ...]
) -> Rated:
    """The sums of the lines, rounded as the policy says, within the limits of the tariff."""
    unit = unit_of(tariff.currency, policy.digits)
    gross_first = tariff.tax == TAX_INCLUDED
    exact_net = sum((line.exact_net for line in lines), ZERO)
    exact_gross = sum((line.exact_gross for line in lines), ZERO)
    if policy.per == "line":
        lines = [_rounded_line(line, gross_first, policy, unit) for line in lines]
        net, gross = _sums(_groups(lines, by_dimension=False), gross_first, policy, unit)
    elif policy.per == "component":
        net, gross = _sums(_groups(lines, by_dimension=True), gross_first, policy, unit)
    else:
        net, gross = rounded(exact_net, policy.money, unit), rounded(exact_gross, policy.money, unit)
    limited = ""
    if not free and (tariff.min_price or tariff.max_price):
        ratio = _ratio(tariff, exact_net, exact_gross)
        for name, limit in (("min", tariff.min_price), ("max", tariff.max_price)):
            clamped = _clamped(limit, name, net, gross, ratio, policy)
            if clamped is not None:
                net, gross = (rounded(one, policy.money, unit) for one in clamped)
                limited = name
    taxes_open = tariff.tax != "none" and any(line.taxes is None for line in lines)
    return Rated(
        currency=tariff.currency,
        net=net,
        gross=gross,
        exact_net=snap(exact_net),
        exact_gross=snap(exact_gross),
        lines=tuple(lines),
        policy=policy.name,
        tariff_id=tariff.tariff_id,
        tariff_version=tariff.version,
        free=free,
        notes=notes,
        taxes_open=taxes_open,
        limited=limited,
    )


def _rounded_line(line: Line, gross_first: bool, policy: Policy, unit: Decimal) -> Line:

    net, gross = (rounded(one, policy.money, unit) for one in (line.exact_net, line.exact_gross))
    return replace(line, net=net, gross=gross)


def _groups(lines: Sequence[Line], by_dimension: bool) -> list[tuple[tuple[Tax, ...] | None, Decimal, Decimal]]:
    """Net and gross that are rounded each: of every line, or of every dimension and tax."""
    if not by_dimension:
        return [(line.taxes, line.exact_net, line.exact_gross) for line in lines]
    sums: dict[tuple[str, tuple[Tax, ...] | None], tuple[Decimal, Decimal]] = {}
    for line in lines:
        net, gross = sums.get((line.dimension, line.taxes), (ZERO, ZERO))
        sums[line.dimension, line.taxes] = (net + line.exact_net, gross + line.exact_gross)
    return [(taxes, net, gross) for (_, taxes), (net, gross) in sums.items()]


def _sums(
    groups: Sequence[tuple[tuple[Tax, ...] | None, Decimal, Decimal]], gross_first: bool, policy: Policy, unit: Decimal
) -> tuple[Decimal, Decimal]:
    """The side in which prices are given is rounded group by group; the other follows from the rounded sums."""
    by_factor: dict[Decimal, Decimal] = {}
    for taxes, net, gross in groups:
        factor = factor_of(taxes)
        by_factor[factor] = by_factor.get(factor, ZERO) + rounded(gross if gross_first else net, policy.money, unit)
    given = sum(by_factor.values(), ZERO)
    follows = [amount / factor if gross_first else amount * factor for factor, amount in by_factor.items()]
    if policy.tax == "rate":
        follows = [rounded(amount, policy.money, unit) for amount in follows]
    other = rounded(sum(follows, ZERO), policy.money, unit)
    return (other, given) if gross_first else (given, other)


def _ratio(tariff: Tariff, net: Decimal, gross: Decimal) -> Decimal:
    """Gross for each net: of this charge, or of the first price of the tariff if the charge cost nothing."""
    if net:
        return gross / net
    first = next((one for element in tariff.elements for one in element.components), None)
    return factor_of(first.taxes) if first else Decimal(1)


def _clamped(
    limit: Limit | None, name: str, net: Decimal, gross: Decimal, ratio: Decimal, policy: Policy
) -> tuple[Decimal, Decimal] | None:
    """Net and gross within a limit, None if it does not bite. A side that is not limited follows the other by its tax."""
    if limit is None:
        return None
    beyond = (lambda amount, bound: amount < bound) if name == "min" else (lambda amount, bound: amount > bound)
    if limit.gross is None or (policy.limits == "carry" and limit.net is not None):
        if limit.net is None or not beyond(net, limit.net):
            return None
        return limit.net, limit.net * ratio
    if limit.net is None:
        return (limit.gross / ratio, limit.gross) if beyond(gross, limit.gross) else None
    sides = beyond(net, limit.net), beyond(gross, limit.gross)
    if not any(sides):
        return None
    return (limit.net if sides[0] else net), (limit.gross if sides[1] else gross)
