"""What a price can depend on: tariffs, charges and policies as plain structs, whoever they came from.

A superset of OCPI 2.2.1 and 2.3.0 tariffs and of the tariff of OCPP 2.1 (block I). Nothing here calculates; `engine.rate`
does. Amounts and prices are decimals in major units, energies kWh, times seconds, instants ms; never a binary float.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from sim.clock import MINUTE, SECOND, Instant, to_datetime, zone

_QUARTER = 15 * MINUTE
_EPOCH_DAY = date(1970, 1, 1).toordinal()
ENERGY = "energy"
TIME = "time"
IDLE = "idle"
FLAT = "flat"
RESERVATION = "reservation"
RESERVATION_FLAT = "reservation-flat"
DIMENSIONS = (FLAT, ENERGY, TIME, IDLE, RESERVATION_FLAT, RESERVATION)
"""What is priced: per kWh (energy), per hour (time of charging, idle, reservation), or once (the two flat fees)."""

TAX_INCLUDED = "included"
TAX_EXCLUDED = "excluded"
NO_TAX = "none"
"""Whether prices are gross, net, or there is no tax at all (OCPI 2.3.0 `tax_included` YES, NO, N/A)."""


class Tax(Struct, frozen=True):
    """A tax in percent. Taxes of one `stack` are on the same net, those of the next on its result (OCPP 2.1 I12.FR.13)."""

    percent: Decimal
    name: str = "VAT"
    stack: int = 0


class TaxChange(Struct, frozen=True):
    """From this local day on, taxes of this name have this percentage: that of the day of supply counts."""

    since: date
    percent: Decimal
    name: str = "VAT"


class Component(Struct, frozen=True):
    """A price of one dimension. `step` is in Wh or seconds, 0 or 1 for none; `taxes` None if nothing is said of tax."""

    dimension: str
    price: Decimal
    taxes: tuple[Tax, ...] | None = None
    step: int = 0


class Restrictions(Struct, frozen=True, kw_only=True):
    """When and for whom an element holds; what is empty or None restricts nothing, and all others must hold.

    Times of day are minutes of the local day, `end_minute` exclusive; `end_minute` <= `start_minute` wraps midnight.
    Local days: `start_date` inclusive, `end_date` exclusive; `weekdays` 1 (Monday) to 7. `holiday`: True on public
    holidays only, False never on them. Minima are inclusive and maxima exclusive. `duration` counts from the start of
    the session, `charging` and `idle` count the seconds of that kind so far. Power in kW, current in A over all phases.
    """

    locations: tuple[str, ...] = ()
    evses: tuple[str, ...] = ()
    power_classes: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    recognitions: tuple[str, ...] = ()
    start_minute: int | None = None
    end_minute: int | None = None
    start_date: date | None = None
    end_date: date | None = None
    weekdays: tuple[int, ...] = ()
    holiday: bool | None = None
    min_kwh: Decimal | None = None
    max_kwh: Decimal | None = None
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    min_duration: int | None = None
    max_duration: int | None = None
    min_charging: int | None = None
    max_charging: int | None = None
    min_idle: int | None = None
    max_idle: int | None = None
    expired: bool | None = None
    """For reservation components: True if it holds for expired reservations only (RESERVATION_EXPIRES)."""


class Element(Struct, frozen=True):
    """Prices that hold together. Per dimension and moment the first element that has it and holds counts."""

    components: tuple[Component, ...]
    restrictions: Restrictions = Restrictions()


class Limit(Struct, frozen=True):
    """A least or highest price of a whole charge, net and gross, each None if it is not limited."""

    net: Decimal | None = None
    gross: Decimal | None = None


EV_STOPS = "ev-stops"
EVSE_TOO = "evse-too"
CONNECTED = "connected"


class Idle(Struct, frozen=True):
    """Which time is idle and how much of it is free, once per session.

    `starts`: EV_STOPS counts what the EV does not draw by its own choice; EVSE_TOO also what the EVSE withheld;
    CONNECTED all time since the cable was plugged in, charging or not (a fee for blocking after four hours, say).
    """

    grace_s: int = 0
    starts: str = EV_STOPS


class Discount(Struct, frozen=True, kw_only=True):
    """Something off. Per dimension the first discount that fits counts; a price never becomes negative.

    `groups`: for whom (empty: everybody). `from_kwh`: only for those who took that much in the month before this charge
    (a volume discount, so that the price is known before it begins). `percent` off, then `off` per unit, major units.
    """

    name: str
    groups: tuple[str, ...] = ()
    dimensions: tuple[str, ...] = (ENERGY,)
    percent: Decimal = Decimal(0)
    off: Decimal = Decimal(0)
    from_kwh: Decimal | None = None


class BasicFee(Struct, frozen=True):
    """What a contract costs by the month, without any charge; pro rata by the day (`basic.basic_fee`)."""

    per_month: Decimal
    taxes: tuple[Tax, ...] | None = None


class Text(Struct, frozen=True):
    """A text for the customer in a language (`en`)."""

    language: str
    text: str


class Tariff(Struct, frozen=True, kw_only=True, cache_hash=True):
    """One version of a tariff.

    `minimum_wh` and `minimum_s`: a charge below both that are not 0 is free. `valid_to` exclusive.
    """

    tariff_id: str
    currency: str
    elements: tuple[Element, ...]
    version: int = 1
    tax: str = TAX_EXCLUDED
    kind: str = ""
    min_price: Limit | None = None
    max_price: Limit | None = None
    idle: Idle = Idle()
    discounts: tuple[Discount, ...] = ()
    basic_fee: BasicFee | None = None
    tax_changes: tuple[TaxChange, ...] = ()
    minimum_wh: int = 0
    minimum_s: int = 0
    valid_from: Instant | None = None
    valid_to: Instant | None = None
    texts: tuple[Text, ...] = ()
    url: str = ""


class Period(Struct, frozen=True, kw_only=True):
    """A stretch of a charge and what was measured in it.

    The seconds of each kind are given apart from the instants, since records carry them apart; what is in none of them
    cost no time. `tariff_id` names the tariff of this stretch if it is not that of the charge.
    """

    start: Instant
    end: Instant
    kwh: Decimal = Decimal(0)
    charging_s: Decimal = Decimal(0)
    idle_s: Decimal = Decimal(0)
    withheld_s: Decimal = Decimal(0)
    reserved_s: Decimal = Decimal(0)
    min_power: Decimal | None = None
    max_power: Decimal | None = None
    min_current: Decimal | None = None
    max_current: Decimal | None = None
    tariff_id: str = ""


class Charge(Struct, frozen=True, kw_only=True):
    """What was measured at one visit, whatever protocol told it, and what a price may depend on.

    `start` is the start of the session, a reservation included. `holidays` are the public holidays there that the charge
    touches. `kwh`: the whole energy if it is told apart from the periods. `month_kwh`: what the customer took in the month
    before. `time_billable` False: no clock may be billed by.
    """

    start: Instant
    end: Instant
    periods: tuple[Period, ...]
    currency: str
    zone: str = "UTC"
    location: str = ""
    evse: str = ""
    power_class: str = ""
    group: str = ""
    brand: str = ""
    recognition: str = ""
    reservation_expired: bool = False
    holidays: tuple[date, ...] = ()
    kwh: Decimal | None = None
    month_kwh: Decimal = Decimal(0)
    time_billable: bool = True


class Local(NamedTuple):
    """A local moment: day of the Gregorian calendar from 1 (`date.toordinal`), and minute of the day."""

    day: int
    minute: int


def local(instant: int, zone_name: str) -> Local:
    """The local moment in that zone; a repeated autumn hour counts as its clock shows, both times."""
    quarter, rest = divmod(instant, _QUARTER)
    offset = _offset(quarter, zone_name)
    if offset is None:
        offset = _offset_at(instant, zone_name)
    day, minute = divmod((quarter * _QUARTER + rest + offset) // MINUTE, 24 * 60)
    return Local(day + _EPOCH_DAY, minute)


@lru_cache(maxsize=131_072)
def _offset(quarter: int, zone_name: str) -> int | None:
    """The offset of a zone in ms during a quarter of an hour, None for one in which it changes."""
    first = _offset_at(quarter * _QUARTER, zone_name)
    return first if first == _offset_at((quarter + 1) * _QUARTER - 1, zone_name) else None


def _offset_at(instant: int, zone_name: str) -> int:
    offset = to_datetime(instant, zone(zone_name)).utcoffset()
    assert offset is not None
    return (offset.days * 86_400 + offset.seconds) * SECOND


class Policy(Struct, frozen=True, kw_only=True):
    """What a tariff leaves open, by name; stored with each price so that it can be calculated again.

    money: half-up, half-even, up, floor, or exact (no rounding). per: where it is done - line, component (the sum of a
    dimension), or invoice (the total only); `digits` None for the minor unit of the currency.
    steps: up, down (whole steps only) or none; step_scope: session (as OCPI: once, by the last component) or line.
    unsplit: a period over a change of price counts at its start, and is noted if `watch`, or is split in proportion of time.
    grace: which idle time is free, from its start or its end. flat: a fee is due where its element first holds (first)
    or if it holds at the start (at-start). seconds: exact, round or floor, of the sum of a kind of time.
    limits: net and gross each by itself (apart), or the tax carries over from the net (carry).
    tax: with rounded lines or components, the other of net and gross follows from their sum (total) or rate by rate (rate).
    """

    name: str
    money: str = "half-up"
    per: str = "invoice"
    digits: int | None = None
    steps: str = "up"
    step_scope: str = "session"
    unsplit: str = "start"
    watch: bool = True
    grace: str = "start"
    flat: str = "first"
    seconds: str = "exact"
    limits: str = "apart"
    tax: str = "total"
    local: Callable[[int, str], Local] = local


class Line(Struct, frozen=True, kw_only=True):
    """One line of a price: what was measured, what is billed of it, at which price, and what became of it.

    `elements` count from 1, `periods` too. Amounts are rounded if the policy rounds lines; `exact_*` never are.
    `quantity` in kWh, seconds or 1. `step` 0 if none was applied. `discount` names what was taken off.
    """

    dimension: str
    tariff_id: str
    elements: tuple[int, ...]
    periods: tuple[int, ...]
    start: Instant
    end: Instant
    quantity: Decimal
    billed: Decimal
    unit: str
    step: int
    price: Decimal
    discount: str
    discount_percent: Decimal
    off: Decimal
    taxes: tuple[Tax, ...] | None
    exact_net: Decimal
    exact_gross: Decimal
    net: Decimal
    gross: Decimal
    why: tuple[str, ...] = ()


class Rated(Struct, frozen=True, kw_only=True):
    """The price of a charge in major units. gross = net + the taxes; lines add up to `exact_*` and, where a policy rounds
    lines, to net and gross.

    `free` says why nothing is due. `notes` say what a reader must know: unsplit periods, limits, open taxes.
    `taxes_open`: the tariff says nothing of tax, so only the side in which its prices are given is known.
    """

    currency: str
    net: Decimal
    gross: Decimal
    exact_net: Decimal
    exact_gross: Decimal
    lines: tuple[Line, ...]
    policy: str
    tariff_id: str
    tariff_version: int
    free: str = ""
    notes: tuple[str, ...] = ()
    taxes_open: bool = False
    limited: str = ""
