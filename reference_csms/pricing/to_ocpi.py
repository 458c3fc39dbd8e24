"""A tariff of this house as OCPI 2.1.1, 2.2.1 or 2.3.0. What the form cannot say is named in `lost`.

An element with a condition that the form cannot say is left out: without it, its price would hold for everybody. Narrow a
tariff to a place and a customer first (`narrow.narrowed`), and most of that is decided.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from msgspec import Struct

from reference_csms.pricing.from_ocpi import DAYS, TAX_WORDS
from reference_csms.pricing.model import (
    ENERGY,
    EV_STOPS,
    FLAT,
    IDLE,
    NO_TAX,
    RESERVATION,
    RESERVATION_FLAT,
    TAX_INCLUDED,
    TIME,
    Component,
    Element,
    Limit,
    Restrictions,
    Tariff,
)
from reference_csms.pricing.rounding import factor_of
from sim.clock import iso
from sim.errors import BadInput

VERSIONS = ("2.1.1", "2.2.1", "2.3.0")
_FOUR = Decimal("0.0001")
_TYPES = {
    ENERGY: "ENERGY",
    TIME: "TIME",
    IDLE: "PARKING_TIME",
    FLAT: "FLAT",
    RESERVATION: "TIME",
    RESERVATION_FLAT: "FLAT",
}
_UNSAID = {
    "locations": "a place",
    "evses": "an EVSE",
    "power_classes": "a class of power",
    "groups": "a group of customers",
    "brands": "a brand of payment",
    "recognitions": "a kind of payment",
    "min_charging": "time of charging",
    "max_charging": "time of charging",
    "min_idle": "time of idling",
    "max_idle": "time of idling",
}
_NUMBERS = (
    "min_kwh",
    "max_kwh",
    "min_current",
    "max_current",
    "min_power",
    "max_power",
    "min_duration",
    "max_duration",
)
_WORDS = {value: word for word, value in TAX_WORDS.items()}


class Exported(Struct, frozen=True):
    """A tariff in another form, and what of it is lost there."""

    row: dict[str, Any]
    lost: tuple[str, ...]


def tariff_to_ocpi(
    tariff: Tariff, version: str, country_code: str = "XX", party_id: str = "CRG", last_updated: int = 0
) -> Exported:
    """The OCPI object of a tariff. Raises BadInput for a version that there is not."""
    if version not in VERSIONS:
        raise BadInput("OCPI", "version", f"{version!r} is unknown", VERSIONS)
    lost = _lost_of(tariff, version)
    elements = [row for n, one in enumerate(tariff.elements, 1) for row in _elements(n, one, tariff, version, lost)]
    if not elements:
        lost.append("everything: no element is left")
    row: dict[str, Any] = {} if version == "2.1.1" else {"country_code": country_code, "party_id": party_id}
    row |= {"id": tariff.tariff_id, "currency": tariff.currency}
    if tariff.kind and version != "2.1.1":
        row["type"] = tariff.kind
    if tariff.texts:
        row["tariff_alt_text"] = [{"language": one.language, "text": one.text} for one in tariff.texts]
    if tariff.url:
        row["tariff_alt_url"] = tariff.url
    if version == "2.3.0":
        row["tax_included"] = _WORDS[tariff.tax]
    if version != "2.1.1":
        for name, limit in (("min_price", tariff.min_price), ("max_price", tariff.max_price)):
            if limit is not None:
                row[name] = _limit(limit, name, version, lost)
        if tariff.valid_from is not None:
            row["start_date_time"] = iso(tariff.valid_from)
        if tariff.valid_to is not None:
            row["end_date_time"] = iso(tariff.valid_to)
    row |= {"elements": elements, "last_updated": iso(last_updated)}
    return Exported(row, tuple(dict.fromkeys(lost)))


def _lost_of(tariff: Tariff, version: str) -> list[str]:
    lost = lost_anywhere(tariff)
    if tariff.idle.grace_s:
        lost.append("idle.grace_s: OCPI has no free idle time")
    if version != "2.3.0" and tariff.tax == TAX_INCLUDED:
        lost.append("tax: prices are net there, gross ones become net with four decimals")
    if version == "2.1.1":
        for name in ("min_price", "max_price", "valid_from", "valid_to", "kind"):
            if getattr(tariff, name):
                lost.append(f"{name}: not in OCPI 2.1.1")
    return lost


def lost_anywhere(tariff: Tariff) -> list[str]:
    """What neither OCPI nor OCPP can say of a tariff."""
    lost = [f"discount {one.name}: there are no discounts" for one in tariff.discounts]
    if tariff.idle.starts != EV_STOPS:
        lost.append(f"idle.starts: only what the EV does not draw is idle there, and not {tariff.idle.starts}")
    if tariff.basic_fee is not None:
        lost.append("basic_fee: there is no fee by the month")
    if tariff.tax_changes:
        lost.append("tax_changes: a tax has one percentage there")
    if tariff.minimum_wh or tariff.minimum_s:
        lost.append("minimum_wh, minimum_s: no charge is free for being small")
    return lost


def _limit(limit: Limit, name: str, version: str, lost: list[str]) -> dict[str, Decimal]:
    net_name, gross_name = ("before_taxes", "after_taxes") if version == "2.3.0" else ("excl_vat", "incl_vat")
    if limit.net is None:
        lost.append(f"{name}: {net_name} is required there, and the tariff limits the gross price only")
    return {key: value for key, value in ((net_name, limit.net), (gross_name, limit.gross)) if value is not None}


def _elements(n: int, element: Element, tariff: Tariff, version: str, lost: list[str]) -> list[dict[str, Any]]:
    """One element, or two where prices of charging and of reserving stand together."""
    only = element.restrictions
    unsaid = [word for name, word in _UNSAID.items() if getattr(only, name) not in (None, ())]
    if only.holiday is not None:
        unsaid.append("public holidays")
    if version == "2.1.1" and (only.min_current is not None or only.max_current is not None):
        unsaid.append("current")
    if unsaid:
        lost.append(f"element {n}: left out, it depends on {' and '.join(dict.fromkeys(unsaid))}")
        return []
    rows = []
    for reserved in (True, False):
        components = [one for one in element.components if one.dimension.startswith("reservation") == reserved]
        if not components:
            continue
        if reserved and version == "2.1.1":
            lost.append(f"element {n}: left out, there is no reservation in OCPI 2.1.1")
            continue
        row: dict[str, Any] = {"price_components": [_component(one, tariff, version, lost) for one in components]}
        restrictions = _restrictions(only)
        if reserved:
            restrictions["reservation"] = "RESERVATION_EXPIRES" if only.expired else "RESERVATION"
        if restrictions:
            row["restrictions"] = restrictions
        rows.append(row)
    return rows


def _component(one: Component, tariff: Tariff, version: str, lost: list[str]) -> dict[str, Any]:
    price, factor = one.price, factor_of(one.taxes)
    if tariff.tax == TAX_INCLUDED and version != "2.3.0":
        price = (price / factor).quantize(_FOUR, ROUND_HALF_UP)
    row: dict[str, Any] = {"type": _TYPES[one.dimension], "price": price}
    if one.taxes is not None and tariff.tax != NO_TAX:
        if version == "2.1.1":
            lost.append("taxes: not in OCPI 2.1.1")
        else:
            if len(one.taxes) > 1:
                lost.append("taxes: several taxes become one percentage")
            row["vat"] = ((factor - 1) * 100).normalize() + 0
    once = one.dimension in (FLAT, RESERVATION_FLAT)
    if not one.step and not once:
        lost.append("steps: what has none is counted in whole Wh and seconds")
    row["step_size"] = one.step or 1
    return row


def _restrictions(only: Restrictions) -> dict[str, Any]:
    row: dict[str, Any] = {}
    for name, minute in (("start_time", only.start_minute), ("end_time", only.end_minute)):
        if minute is not None:
            row[name] = f"{minute % 1440 // 60:02d}:{minute % 60:02d}"
    for name, day in (("start_date", only.start_date), ("end_date", only.end_date)):
        if day is not None:
            row[name] = day.isoformat()
    if only.weekdays:
        row["day_of_week"] = [DAYS[day - 1] for day in only.weekdays]
    row |= {name: value for name in _NUMBERS if (value := getattr(only, name)) is not None}
    return row
