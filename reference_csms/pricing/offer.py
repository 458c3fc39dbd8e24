"""The prices that hold at a moment, before anything is charged: what a display, an app or a price grid shows.

Chosen and discounted by the same functions that price a charge, so that what is shown is what would be billed.
"""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct

from reference_csms.pricing.lines import discount_for, unit_price
from reference_csms.pricing.model import DIMENSIONS, Charge, Policy, Tariff, Tax
from reference_csms.pricing.picking import Moment, compiled, enter, pick, place_of
from reference_csms.pricing.rounding import taxes_at


class Offer(Struct, frozen=True):
    """A price that holds: `price` as the tariff gives it (net or gross), `reduced` after the discount of the customer."""

    dimension: str
    price: Decimal
    reduced: Decimal
    discount: str
    taxes: tuple[Tax, ...] | None


def offers_at(tariff: Tariff, charge: Charge, policy: Policy) -> list[Offer]:
    """The price of each dimension at the start of a charge that has used nothing yet; what has none is free."""
    ready = compiled(tariff, place_of(charge))
    moment = Moment()
    enter(moment, policy.local(charge.start, charge.zone), charge.start)
    moment.holiday = any(day.toordinal() == moment.day for day in charge.holidays)
    moment.period = next(iter(charge.periods), None)
    offers = []
    for dimension in DIMENSIONS:
        entry = pick(ready, dimension, moment)
        if entry is None:
            continue
        discount, price = discount_for(tariff, charge, dimension), entry.component.price
        offers.append(
            Offer(
                dimension=dimension,
                price=price,
                reduced=unit_price(price, discount),
                discount=discount.name if discount else "",
                taxes=taxes_at(tariff, entry.component.taxes, moment.day),
            )
        )
    return offers
