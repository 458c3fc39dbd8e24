"""Tariffs, CDRs and sessions of OCPI 2.1.1, 2.2.1 and 2.3.0 as tariffs and charges of this house.

Sources: OCPI mod_tariffs and mod_cdrs of each version. What cannot be taken over is named in `lost`.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from msgspec import Struct

from reference_csms.pricing.model import (
    ENERGY,
    FLAT,
    IDLE,
    NO_TAX,
    RESERVATION,
    RESERVATION_FLAT,
    TAX_EXCLUDED,
    TAX_INCLUDED,
    TIME,
    Charge,
    Component,
    Element,
    Limit,
    Period,
    Restrictions,
    Tariff,
    Tax,
    Text,
)
from reference_csms.pricing.reading import Reader
from sim.clock import Instant, zone
from sim.errors import BadInput

ZERO = Decimal(0)
_DIMENSIONS = {"ENERGY": ENERGY, "TIME": TIME, "PARKING_TIME": IDLE, "FLAT": FLAT}
_RESERVED = {TIME: RESERVATION, FLAT: RESERVATION_FLAT}
DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_DAY = {name: number for number, name in enumerate(DAYS, 1)}
TAX_WORDS = {"YES": TAX_INCLUDED, "NO": TAX_EXCLUDED, "N/A": NO_TAX}
_EXPIRED = {"RESERVATION": None, "RESERVATION_EXPIRES": True}
_IGNORED = ("CURRENT", "ENERGY_EXPORT", "ENERGY_IMPORT", "STATE_OF_CHARGE", "FLAT")
_ZONES = (
    "AUT:Europe/Vienna BEL:Europe/Brussels BGR:Europe/Sofia CHE:Europe/Zurich CZE:Europe/Prague DEU:Europe/Berlin "
    "DNK:Europe/Copenhagen EST:Europe/Tallinn FIN:Europe/Helsinki FRA:Europe/Paris GBR:Europe/London "
    "GRC:Europe/Athens HRV:Europe/Zagreb HUN:Europe/Budapest IRL:Europe/Dublin ISL:Atlantic/Reykjavik "
    "ITA:Europe/Rome JPN:Asia/Tokyo KWT:Asia/Kuwait LTU:Europe/Vilnius LUX:Europe/Luxembourg LVA:Europe/Riga "
    "NLD:Europe/Amsterdam NOR:Europe/Oslo POL:Europe/Warsaw ROU:Europe/Bucharest SVK:Europe/Bratislava "
    "SVN:Europe/Ljubljana SWE:Europe/Stockholm TUR:Europe/Istanbul "
)
ZONES = dict(one.split(":") for one in _ZONES.split())
"""The zone of a country (ISO 3166 alpha-3) that has one, or where nearly everybody lives in one."""


class ImportedTariff(Struct, frozen=True):
    """A tariff, the OCPI version its form is of, and what of it was lost."""

    tariff: Tariff
    version: str
    lost: tuple[str, ...] = ()


class ImportedCharge(Struct, frozen=True):
    """A charge, what its record says it cost (net, gross; None if it says nothing), and what was guessed or lost."""

    charge: Charge
    charge_id: str
    said_net: Decimal | None
    said_gross: Decimal | None
    tariffs: tuple[Any, ...]
    notes: tuple[str, ...] = ()


def tariff_from_ocpi(row: Any, file: str, place: str = "") -> ImportedTariff:
    """The tariff of an OCPI object. Raises BadInput naming the place."""
    here = Reader(row, file, place)
    lost: list[str] = []
    limits = [one for name in ("min_price", "max_price") if (one := here.inner(name)) is not None]
    newer = here.has("tax_included") or any(one.has("before_taxes") or one.has("after_taxes") for one in limits)
    elements = [_element(one, lost) for one in here.many("elements")]
    if not elements:
        raise here.wrong("elements", "is missing or empty", "a list of at least one tariff element")
    for name in ("energy_mix",):
        if here.has(name):
            lost.append(f"{name}: no price depends on it")
    tariff = Tariff(
        tariff_id=here.text("id"),
        currency=_currency(here),
        elements=tuple(elements),
        tax=here.one_of("tax_included", TAX_WORDS) if here.has("tax_included") else TAX_EXCLUDED,
        kind=here.text("type", ""),
        min_price=_limit(here.inner("min_price")),
        max_price=_limit(here.inner("max_price")),
        valid_from=here.instant("start_date_time"),
        valid_to=here.instant("end_date_time"),
        texts=tuple(Text(one.text("language", ""), one.text("text", "")) for one in here.many("tariff_alt_text")),
        url=here.text("tariff_alt_url", ""),
    )
    return ImportedTariff(tariff, "2.3.0" if newer else "2.2.1", tuple(lost))


def _currency(here: Reader) -> str:
    currency = here.text("currency").upper()
    if len(currency) != 3 or not currency.isascii() or not currency.isalpha():
        raise here.wrong("currency", f"{currency!r} is no currency", "three letters of ISO 4217, such as EUR")
    return currency


def _element(here: Reader, lost: list[str]) -> Element:
    only = here.inner("restrictions")
    reserved = only is not None and only.has("reservation")
    components = []
    for one in here.many("price_components"):
        dimension = one.one_of("type", _DIMENSIONS)
        if reserved and dimension not in _RESERVED:
            lost.append(f"{one.place}: {one.row['type']} has no meaning for a reservation")
            continue
        vat = one.maybe("vat")
        component = Component(
            dimension=_RESERVED[dimension] if reserved else dimension,
            price=one.number("price"),
            taxes=None if vat is None else (Tax(vat),),
            step=one.whole("step_size") or 0,
        )
        components.append(component)
    if not components and not reserved:
        raise here.wrong("price_components", "is missing or empty", "a list of at least one price component")
    return Element(tuple(components), _restrictions(only) if only else Restrictions())


def _restrictions(here: Reader) -> Restrictions:
    days = here.row.get("day_of_week") or []
    if not isinstance(days, list):
        raise here.wrong("day_of_week", "is no list", ", ".join(DAYS))
    return Restrictions(
        start_minute=here.minute("start_time"),
        end_minute=here.minute("end_time"),
        start_date=here.day("start_date"),
        end_date=here.day("end_date"),
        weekdays=tuple(here.one_of("day_of_week", _DAY, day) for day in days),
        min_kwh=here.maybe("min_kwh"),
        max_kwh=here.maybe("max_kwh"),
        min_current=here.maybe("min_current"),
        max_current=here.maybe("max_current"),
        min_power=here.maybe("min_power"),
        max_power=here.maybe("max_power"),
        min_duration=here.whole("min_duration"),
        max_duration=here.whole("max_duration"),
        expired=here.one_of("reservation", _EXPIRED) if here.has("reservation") else None,
    )


def _limit(here: Reader | None) -> Limit | None:
    if here is None:
        return None
    net = here.maybe("before_taxes") if here.has("before_taxes") else here.maybe("excl_vat")
    gross = here.maybe("after_taxes") if here.has("after_taxes") else here.maybe("incl_vat")
    if net is None and gross is None:
        raise BadInput(
            here.file, here.place, "holds no amount", "excl_vat and incl_vat, or before_taxes and after_taxes"
        )
    return Limit(net, gross)


def charge_from_ocpi(row: Any, file: str, zone_name: str = "", currency: str = "", place: str = "") -> ImportedCharge:
    """The charge of an OCPI CDR or session. `zone_name`: of the location, where the record does not tell.

    Raises BadInput naming the place.
    """
    here = Reader(row, file, place)
    if here.row.get("credit") is True:
        raise here.wrong("credit", "is true", "a CDR of a charge: a credit takes one back and is not priced")
    start = here.instant("start_date_time")
    if start is None:
        raise here.wrong("start_date_time", "is missing", "a time")
    end = here.instant("end_date_time") or here.instant("stop_date_time")
    notes: list[str] = []
    rows = here.many("charging_periods")
    if not rows:
        raise here.wrong("charging_periods", "is missing or empty", "a list of at least one charging period")
    periods = _periods(rows, end, notes)
    end = end if end is not None else periods[-1].end
    if end < start:
        raise here.wrong("end_date_time", "lies before start_date_time", "a later time")
    booked = here.inner("reservation")
    only_reserved = all(p.reserved_s and not (p.kwh or p.charging_s or p.idle_s) for p in periods)
    expired = bool(booked.row.get("expired")) if booked is not None else only_reserved
    spot = here.inner("cdr_location") or here.inner("location") or Reader({}, file, place)
    charge = Charge(
        start=start,
        end=end,
        periods=tuple(periods),
        currency=_currency(here) if here.has("currency") else currency,
        zone=_zone(here, spot, zone_name, notes),
        location=spot.text("id", here.text("location_id", "")),
        evse=spot.text("evse_uid", here.text("evse_uid", "")),
        power_class=spot.text("connector_power_type", "")[:2],
        reservation_expired=expired,
    )
    net, gross = _said(here)
    tariffs = row.get("tariffs") or []
    return ImportedCharge(charge, here.text("id", ""), net, gross, tuple(tariffs), tuple(notes))


def _said(here: Reader) -> tuple[Decimal | None, Decimal | None]:
    """What the record says it cost: an object, or in 2.1.1 a number without VAT."""
    cost = here.row.get("total_cost")
    if cost is None:
        return None, None
    if not isinstance(cost, dict):
        return here.maybe("total_cost", None), None
    inner = here.inner("total_cost")
    assert inner is not None
    net = inner.maybe("before_taxes", None) if inner.has("before_taxes") else inner.maybe("excl_vat", None)
    if inner.has("taxes") and net is not None:
        return net, net + sum((one.number("amount") for one in inner.many("taxes")), ZERO)
    return net, inner.maybe("after_taxes", None) if inner.has("after_taxes") else inner.maybe("incl_vat", None)


def _zone(here: Reader, spot: Reader, zone_name: str, notes: list[str]) -> str:
    name = zone_name or here.text("time_zone", spot.text("time_zone", ""))
    if not name:
        country = spot.text("country", "")
        name = ZONES.get(country, "UTC")
        notes.append(f"time zone {name} " + (f"by the country {country}" if country in ZONES else "since none is told"))
    try:
        zone(name)
    except ValueError as err:
        raise here.wrong("time_zone", str(err), "an IANA time zone") from None
    return name


def _periods(rows: list[Reader], end: Instant | None, notes: list[str]) -> list[Period]:
    starts: list[Instant] = []
    for row in rows:
        at = row.instant("start_date_time")
        if at is None:
            raise row.wrong("start_date_time", "is missing", "a time")
        starts.append(at)
    periods = []
    for n, (row, at) in enumerate(zip(rows, starts, strict=True)):
        volumes = _volumes(row, notes)
        spent = sum((volumes.get(name, ZERO) for name in ("TIME", "PARKING_TIME", "RESERVATION_TIME")), ZERO)
        told = starts[n + 1] if n + 1 < len(starts) else end
        until = told if told is not None else Instant(at + int(spent * 3_600_000))
        power, current = volumes.get("POWER"), volumes.get("CURRENT")
        length = until - at
        kwh = volumes.get("ENERGY", ZERO)
        if power is None and length > 0 and "MAX_POWER" not in volumes and "MIN_POWER" not in volumes:
            power = kwh * 3_600_000 / length
        periods.append(
            Period(
                start=at,
                end=Instant(max(at, until)),
                kwh=kwh,
                charging_s=_seconds(volumes.get("TIME", ZERO)),
                idle_s=_seconds(volumes.get("PARKING_TIME", ZERO)),
                reserved_s=_seconds(volumes.get("RESERVATION_TIME", ZERO)),
                min_power=volumes.get("MIN_POWER", volumes.get("MAX_POWER", power)),
                max_power=volumes.get("MAX_POWER", volumes.get("MIN_POWER", power)),
                min_current=volumes.get("MIN_CURRENT", volumes.get("MAX_CURRENT", current)),
                max_current=volumes.get("MAX_CURRENT", volumes.get("MIN_CURRENT", current)),
                tariff_id=row.text("tariff_id", ""),
            )
        )
    return periods


_VOLUMES = ("ENERGY", "TIME", "PARKING_TIME", "RESERVATION_TIME")
_FLOWS = ("MIN_POWER", "MAX_POWER", "MIN_CURRENT", "MAX_CURRENT", "POWER", "CURRENT")


def _volumes(row: Reader, notes: list[str]) -> dict[str, Decimal]:
    volumes: dict[str, Decimal] = {}
    for one in row.many("dimensions"):
        name = one.text("type")
        if name in _FLOWS:
            volumes[name] = one.number("volume")
        elif name in _VOLUMES:
            volumes[name] = volumes.get(name, ZERO) + one.number("volume")
        elif name not in _IGNORED:
            note = f"{one.place}: {name} is no dimension that is priced"
            if note not in notes:
                notes.append(note)
    return volumes


def _seconds(hours: Decimal) -> Decimal:
    """Seconds of hours; what is a hundredth of a second off a whole one is that one, since hours repeat as decimals."""
    seconds = hours * 3600
    whole = seconds.quantize(Decimal(1), ROUND_HALF_UP)
    return whole if abs(seconds - whole) < Decimal("0.01") else seconds
