"""How amounts are rounded and what taxes make of them. Exact until the named place, and there by the named rule only.

Amounts are decimals with 28 digits. What is divided (hours, taxes) is cut to 13 places before it is rounded, so that
0.00999... that stands for a whole cent becomes one; no two prices of this world lie that close together.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Decimal
from functools import lru_cache

from reference_csms.pricing.model import NO_TAX, TAX_INCLUDED, Tariff, Tax
from reference_csms.pricing.tariffs import minor_digits

MODES = {"half-up": ROUND_HALF_UP, "half-even": ROUND_HALF_EVEN, "up": ROUND_UP, "floor": ROUND_FLOOR}
ONE = Decimal(1)
_FINE = Decimal("1e-13")


def snap(amount: Decimal) -> Decimal:
    """An amount without the dust that a division left."""
    return amount.quantize(_FINE, ROUND_HALF_EVEN)


@lru_cache(maxsize=256)
def unit_of(currency: str, digits: int | None) -> Decimal:
    """The least amount that is left after rounding: 0.01 for EUR."""
    return ONE.scaleb(-(minor_digits(currency) if digits is None else digits))


def rounded(amount: Decimal, money: str, unit: Decimal) -> Decimal:
    """The amount by a rule of `MODES`; as it is for `exact`."""
    mode = MODES.get(money)
    if mode is None:
        return amount
    return amount.quantize(_FINE, ROUND_HALF_EVEN).quantize(unit, mode)


@lru_cache(maxsize=4096)
def factor_of(taxes: tuple[Tax, ...] | None) -> Decimal:
    """By what a net amount is multiplied to become gross: taxes of one stack are added, stacks are multiplied."""
    if not taxes:
        return ONE
    stacks: dict[int, Decimal] = {}
    for tax in taxes:
        stacks[tax.stack] = stacks.get(tax.stack, Decimal(0)) + tax.percent
    factor = ONE
    for stack in sorted(stacks):
        factor *= 1 + stacks[stack] / 100
    return factor


def taxes_at(tariff: Tariff, taxes: tuple[Tax, ...] | None, day: int) -> tuple[Tax, ...] | None:
    """The taxes of a component on a local day of supply (`date.toordinal`): a change by date counts over what it says."""
    if not taxes or tariff.tax == NO_TAX:
        return () if tariff.tax == NO_TAX else taxes
    if not tariff.tax_changes:
        return taxes
    return tuple(_at(tariff, tax, day) for tax in taxes)


def _at(tariff: Tariff, tax: Tax, day: int) -> Tax:
    known = [one for one in tariff.tax_changes if one.name == tax.name and one.since.toordinal() <= day]
    if not known:
        return tax
    return Tax(max(known, key=lambda one: one.since).percent, tax.name, tax.stack)


def both_sides(tariff: Tariff, amount: Decimal, factor: Decimal) -> tuple[Decimal, Decimal]:
    """Net and gross of an amount as the tariff gives it."""
    if tariff.tax == TAX_INCLUDED:
        return (amount if factor == 1 else amount / factor), amount
    return amount, (amount if factor == 1 else amount * factor)


def tax_parts(net: Decimal, taxes: Sequence[Tax]) -> list[tuple[Tax, Decimal]]:
    """What each tax makes of a net amount, exactly."""
    parts, base = [], net
    for stack in sorted({tax.stack for tax in taxes}):
        here = [(tax, base * tax.percent / 100) for tax in taxes if tax.stack == stack]
        parts += here
        base += sum((amount for _, amount in here), Decimal(0))
    return parts
