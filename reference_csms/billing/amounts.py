"""Decisions about the amounts and numbers of an invoice, each a pure function that a planted bug may replace.

The rule of VAT here: per invoice and per rate, half a minor unit up. Drivers were promised gross prices, so their VAT is
taken out of the gross sum; subscriptions are priced net, so VAT is added to the net sum (billing.md §4.4, §4.7, L08).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal

from msgspec import Struct

from reference_csms.billing.rows import Dated
from sim.clock import Instant

GROSS = "gross"
NET = "net"
ROUNDING = "per-invoice-per-rate, half up"
"""The name of the rounding rule, stored with each invoice."""

VatRounding = Callable[[int, Decimal, str], int]
NextNumber = Callable[[str, int, int], int]
PayeeFor = Callable[[Sequence[Dated], Instant], str | None]
MayInvoice = Callable[[bool], bool]
ResumeAt = Callable[[int], int]


class VatSum(Struct, frozen=True):
    """What an invoice has at one VAT rate."""

    percent: str
    net: int
    vat: int
    gross: int


def vat_rounding(total: int, percent: Decimal, basis: str) -> int:
    """The VAT of a sum that is gross or net, in minor units."""
    share = percent / (100 + percent) if basis == GROSS else percent / 100
    return int((Decimal(total) * share).quantize(Decimal(1), ROUND_HALF_UP))


def vat_table(amounts: Sequence[tuple[str, int]], basis: str, rule: VatRounding) -> tuple[VatSum, ...]:
    """The VAT sums of lines (percent, amount), in the order of their rates."""
    sums: dict[Decimal, tuple[str, int]] = {}
    for percent, amount in amounts:
        name, total = sums.get(Decimal(percent), (percent, 0))
        sums[Decimal(percent)] = (name, total + amount)
    table = []
    for rate in sorted(sums):
        name, total = sums[rate]
        vat = rule(total, rate, basis)
        net = total - vat if basis == GROSS else total
        table.append(VatSum(name, net, vat, net + vat))
    return tuple(table)


def next_number(circle: str, last: int, epoch: int) -> int:
    """The number after `last` in a circle; `epoch` says how often the store was opened and must not matter (L06)."""
    return last + 1


def in_force(values: Sequence[Dated], at: Instant) -> str | None:
    """What is in force at an instant: the latest that has begun. For accounts and terms by date of document (M09)."""
    begun = [value for value in values if value.since <= at]
    return max(begun, key=lambda value: value.since).value if begun else None


def may_invoice(invoiced_before: bool) -> bool:
    """Whether a bill may go onto an invoice: once only (B03)."""
    return not invoiced_before


def resume_at(done: int) -> int:
    """Where a run goes on, after so many of its invoices are committed."""
    return done
