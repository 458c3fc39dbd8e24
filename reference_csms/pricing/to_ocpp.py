"""A tariff of this house as the TariffType of OCPP 2.1. What the form cannot say is named in `lost`.

Prices there are net and per minute. Free idle time becomes `minIdleTime`, which is the same if it counts from the start.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from reference_csms.pricing.from_ocpp import DAYS, FIELDS
from reference_csms.pricing.model import (
    FLAT,
    IDLE,
    NO_TAX,
    RESERVATION_FLAT,
    TAX_INCLUDED,
    Component,
    Element,
    Restrictions,
    Tariff,
    Tax,
)
from reference_csms.pricing.rounding import factor_of
from reference_csms.pricing.to_ocpi import Exported, lost_anywhere
from sim.clock import iso

_SIX = Decimal("0.000001")
_USAGE = {
    "minEnergy": ("min_kwh", 1000),
    "maxEnergy": ("max_kwh", 1000),
    "minCurrent": ("min_current", 1),
    "maxCurrent": ("max_current", 1),
    "minPower": ("min_power", 1000),
    "maxPower": ("max_power", 1000),
    "minTime": ("min_duration", 1),
    "maxTime": ("max_duration", 1),
    "minChargingTime": ("min_charging", 1),
    "maxChargingTime": ("max_charging", 1),
    "minIdleTime": ("min_idle", 1),
    "maxIdleTime": ("max_idle", 1),
}
_UNSAID = {"locations": "a place", "evses": "an EVSE", "groups": "a group of customers"}


def tariff_to_ocpp(tariff: Tariff) -> Exported:
    """The TariffType of a tariff."""
    lost = lost_anywhere(tariff)
    if tariff.tax == TAX_INCLUDED:
        lost.append("tax: prices are net there, gross ones become net with six decimals")
    if tariff.valid_to is not None:
        lost.append("valid_to: a tariff has no end there")
    row: dict[str, Any] = {"tariffId": tariff.tariff_id, "currency": tariff.currency}
    if tariff.texts:
        row["description"] = [{"format": "UTF8", "language": one.language, "content": one.text} for one in tariff.texts]
    if tariff.valid_from is not None:
        row["validFrom"] = iso(tariff.valid_from)
    for field, (dimension, price_name) in FIELDS.items():
        prices = [
            (one, element, n)
            for n, element in enumerate(tariff.elements, 1)
            for one in element.components
            if one.dimension == dimension
        ]
        told = _field(tariff, prices, price_name, lost)
        if told:
            row[field] = told
    for name, limit in (("minCost", tariff.min_price), ("maxCost", tariff.max_price)):
        if limit is not None:
            sides = (("exclTax", limit.net), ("inclTax", limit.gross))
            row[name] = {side: value for side, value in sides if value is not None}
    return Exported(row, tuple(dict.fromkeys(lost)))


def _field(
    tariff: Tariff, prices: list[tuple[Component, Element, int]], price_name: str, lost: list[str]
) -> dict[str, Any]:
    rows: list[dict[str, Any]] = []
    taxes: tuple[Tax, ...] | None = None
    for one, element, n in prices:
        conditions = _conditions(one, element.restrictions, tariff, n, lost)
        if conditions is None:
            continue
        if one.step > 1 and one.dimension not in (FLAT, RESERVATION_FLAT):
            lost.append("steps: there are none in OCPP 2.1")
        if rows and one.taxes != taxes:
            lost.append(f"element {n}: its taxes are those of the first price of {one.dimension}")
        elif not rows:
            taxes = one.taxes
        rows.append(
            {price_name: _price(one, tariff, price_name, lost), **({"conditions": conditions} if conditions else {})}
        )
    if not rows:
        return {}
    rates = [_rate(tax) for tax in taxes or ()] if tariff.tax != NO_TAX else []
    return {"prices": rows, **({"taxRates": rates} if rates else {})}


def _price(one: Component, tariff: Tariff, price_name: str, lost: list[str]) -> Decimal:
    price = one.price / factor_of(one.taxes) if tariff.tax == TAX_INCLUDED else one.price
    if price_name == "priceMinute":
        price /= 60
    short = price.quantize(_SIX, ROUND_HALF_UP)
    if tariff.tax != TAX_INCLUDED and short != price:
        lost.append(
            f"a price of {one.dimension}: {one.price} an hour is not whole by the minute, and cut at six decimals"
        )
    return short.normalize() + 0


def _rate(tax: Tax) -> dict[str, Any]:
    return {"type": tax.name, "tax": tax.percent, **({"stack": tax.stack} if tax.stack else {})}


def _conditions(one: Component, only: Restrictions, tariff: Tariff, n: int, lost: list[str]) -> dict[str, Any] | None:
    """The conditions of a price; None if it has one that cannot be said, and so must be left out."""
    unsaid = [word for name, word in _UNSAID.items() if getattr(only, name)]
    if only.holiday is not None:
        unsaid.append("public holidays")
    if only.expired:
        unsaid.append("an expired reservation")
    fixed = one.dimension in (FLAT, RESERVATION_FLAT)
    usage = {name: (value, times) for name, (of, times) in _USAGE.items() if (value := getattr(only, of)) is not None}
    if fixed and usage:
        unsaid.append("what is used before it")
    for name, kinds in (("brand", only.brands), ("kind of payment", only.recognitions)):
        if kinds and (not fixed or len(kinds) > 1):
            unsaid.append(f"a {name}")
    if only.power_classes and only.power_classes not in (("AC",), ("DC",)):
        unsaid.append("a class of power")
    if unsaid:
        lost.append(f"element {n}: its price of {one.dimension} is left out, it depends on {' and '.join(unsaid)}")
        return None
    row: dict[str, Any] = {}
    for name, minute in (("startTimeOfDay", only.start_minute), ("endTimeOfDay", only.end_minute)):
        if minute is not None:
            row[name] = f"{minute % 1440 // 60:02d}:{minute % 60:02d}"
    if only.weekdays:
        row["dayOfWeek"] = [DAYS[day - 1] for day in only.weekdays]
    for name, day in (("validFromDate", only.start_date), ("validToDate", only.end_date)):
        if day is not None:
            row[name] = day.isoformat()
    if only.power_classes:
        row["evseKind"] = only.power_classes[0]
    if only.brands:
        row["paymentBrand"] = only.brands[0]
    if only.recognitions:
        row["paymentRecognition"] = only.recognitions[0]
    row |= {name: value * times for name, (value, times) in usage.items()}
    if one.dimension == IDLE and tariff.idle.grace_s:
        row["minIdleTime"] = max(tariff.idle.grace_s, row.get("minIdleTime", 0))
    return row
