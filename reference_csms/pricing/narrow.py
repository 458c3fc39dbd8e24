"""A tariff for one place and customer: what depends on them alone is decided, so that it can be said in other forms."""

from __future__ import annotations

from msgspec.structs import replace

from reference_csms.pricing.lines import discount_for, unit_price
from reference_csms.pricing.model import Charge, Element, Tariff
from reference_csms.pricing.picking import fits, place_of


def narrowed(tariff: Tariff, charge: Charge) -> Tariff:
    """The tariff as it is for the place, group and means of payment of this charge: it costs such charges the same.

    Elements for others are gone, discounts are in the prices. Those that depend on the month are as they are now.
    """
    place = place_of(charge)
    elements = []
    for element in tariff.elements:
        if not fits(element.restrictions, place):
            continue
        components = tuple(
            replace(one, price=unit_price(one.price, discount_for(tariff, charge, one.dimension)))
            for one in element.components
        )
        only = replace(
            element.restrictions,
            locations=(),
            evses=(),
            power_classes=(),
            groups=(),
            brands=(),
            recognitions=(),
        )
        elements.append(Element(components, only))
    return replace(tariff, elements=tuple(elements), discounts=())
