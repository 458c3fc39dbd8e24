"""The tariff of OCPP 2.1 (block I, TariffType) as a tariff of this house.

Prices there are without tax, time per minute, thresholds in Wh, W, A and seconds. Each of its six fields has its own list of
prices; here they become elements of one component each, in their order. `lost` names what cannot be taken over.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from reference_csms.pricing.from_ocpi import ImportedTariff
from reference_csms.pricing.model import (
    ENERGY,
    FLAT,
    IDLE,
    RESERVATION,
    RESERVATION_FLAT,
    TIME,
    Component,
    Element,
    Limit,
    Restrictions,
    Tariff,
    Tax,
    Text,
)
from reference_csms.pricing.reading import Reader
from reference_csms.pricing.rounding import factor_of

FIELDS = {
    "fixedFee": (FLAT, "priceFixed"),
    "energy": (ENERGY, "priceKwh"),
    "chargingTime": (TIME, "priceMinute"),
    "idleTime": (IDLE, "priceMinute"),
    "reservationFixed": (RESERVATION_FLAT, "priceFixed"),
    "reservationTime": (RESERVATION, "priceMinute"),
}
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_DAY = {name: number for number, name in enumerate(DAYS, 1)}
_KILO = Decimal(1000)
_KINDS = {"AC": "AC", "DC": "DC"}


def is_ocpp(row: Any) -> bool:
    """Whether an object is a tariff of OCPP, or a SetDefaultTariff with one."""
    return isinstance(row, Mapping) and ("tariffId" in row or isinstance(row.get("tariff"), Mapping))


def tariff_from_ocpp(row: Any, file: str, place: str = "") -> ImportedTariff:
    """The tariff of a TariffType, or of a message that holds one as `tariff`. Raises BadInput naming the place."""
    here = Reader(row, file, place)
    here = here.inner("tariff") or here
    lost: list[str] = []
    elements: list[Element] = []
    for name, (dimension, price_name) in FIELDS.items():
        field = here.inner(name)
        if field is None:
            continue
        taxes = _taxes(field)
        prices = field.many("prices")
        if not prices:
            raise field.wrong("prices", "is missing or empty", "a list of at least one price")
        for one in prices:
            price = one.number(price_name) * (60 if price_name == "priceMinute" else 1)
            only = one.inner("conditions")
            elements.append(Element((Component(dimension, price, taxes),), _conditions(only, lost)))
    if not elements:
        raise here.wrong("energy", "is missing, and so is every other price", ", ".join(FIELDS))
    currency = here.text("currency").upper()
    tariff = Tariff(
        tariff_id=here.text("tariffId"),
        currency=currency,
        elements=tuple(elements),
        min_price=_limit(here.inner("minCost")),
        max_price=_limit(here.inner("maxCost")),
        valid_from=here.instant("validFrom"),
        texts=tuple(Text(one.text("language", ""), one.text("content", "")) for one in here.many("description")),
    )
    return ImportedTariff(tariff, "2.1", tuple(lost))


def _taxes(field: Reader) -> tuple[Tax, ...] | None:
    rates = field.many("taxRates")
    if not rates:
        return None
    return tuple(Tax(one.number("tax"), one.text("type", "VAT"), one.whole("stack") or 0) for one in rates)


def _limit(here: Reader | None) -> Limit | None:
    """A least or highest cost; the side that is not given follows by its own tax rates."""
    if here is None:
        return None
    net, gross = here.maybe("exclTax"), here.maybe("inclTax")
    if net is None and gross is None:
        raise here.wrong("exclTax", "is missing, and so is inclTax", "at least one of them")
    taxes = _taxes(here)
    if taxes and gross is None and net is not None:
        gross = net * factor_of(taxes)
    return Limit(net, gross)


def _conditions(here: Reader | None, lost: list[str]) -> Restrictions:
    if here is None:
        return Restrictions()
    days = here.row.get("dayOfWeek") or []
    if not isinstance(days, list):
        raise here.wrong("dayOfWeek", "is no list", ", ".join(DAYS))
    numbers = {}
    for name in ("Energy", "Current", "Power", "Time", "ChargingTime", "IdleTime"):
        for bound in (f"min{name}", f"max{name}"):
            numbers[bound] = here.maybe(bound, None)
            if numbers[bound] is not None and numbers[bound] < 0:  # type: ignore[operator]
                lost.append(f"{here.at(bound)}: prices of discharging are not taken over")
    known = {name: value for name, value in numbers.items() if value is not None and value >= 0}
    if len(known) < sum(value is not None for value in numbers.values()):
        return Restrictions(min_kwh=Decimal(10**9))
    return Restrictions(
        start_minute=here.minute("startTimeOfDay"),
        end_minute=here.minute("endTimeOfDay"),
        start_date=here.day("validFromDate"),
        end_date=here.day("validToDate"),
        weekdays=tuple(here.one_of("dayOfWeek", _DAY, day) for day in days),
        power_classes=(here.one_of("evseKind", _KINDS),) if here.has("evseKind") else (),
        brands=(here.text("paymentBrand"),) if here.has("paymentBrand") else (),
        recognitions=(here.text("paymentRecognition"),) if here.has("paymentRecognition") else (),
        min_kwh=_kilo(known.get("minEnergy")),
        max_kwh=_kilo(known.get("maxEnergy")),
        min_current=known.get("minCurrent"),
        max_current=known.get("maxCurrent"),
        min_power=_kilo(known.get("minPower")),
        max_power=_kilo(known.get("maxPower")),
        min_duration=_whole(known.get("minTime")),
        max_duration=_whole(known.get("maxTime")),
        min_charging=_whole(known.get("minChargingTime")),
        max_charging=_whole(known.get("maxChargingTime")),
        min_idle=_whole(known.get("minIdleTime")),
        max_idle=_whole(known.get("maxIdleTime")),
    )


def _kilo(value: Decimal | None) -> Decimal | None:
    return None if value is None else value / _KILO


def _whole(value: Decimal | None) -> int | None:
    return None if value is None else int(value)
