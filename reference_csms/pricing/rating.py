"""The rating of this back-end: its CDRs and tariffs handed to the one function that prices (`engine.rate`), and lines
for its books made of the answer.

Never looks anything up, never asks a clock and never books. Policy `line-half-up`: each line is rounded half up to the
minor unit; gross is their sum; VAT is taken out of the gross.
"""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache

from msgspec import Struct
from msgspec.structs import replace

from reference_csms.pricing import engine, model
from reference_csms.pricing.engine import BELOW_MINIMUM
from reference_csms.pricing.policies import POLICIES
from reference_csms.pricing.tariffs import EnergyBand, LocalMinute, Tariff, local_minute, minor_digits
from sim.backend import Row
from sim.clock import Instant

POLICY = "line-half-up"


class Period(Struct, frozen=True):
    """A stretch between two consecutive signed readings; `idle` if the EV had stopped drawing."""

    start: Instant
    end: Instant
    energy_kwh: Decimal
    idle: bool


class Cdr(Struct, frozen=True, kw_only=True):
    """A charge detail record, OCPI-shaped: who charged where, and the signed stretches in order.

    `corrects` is the id of the CDR that this one replaces, None for a first one. A `credit` takes that one back: its
    energies are negative (OCPI 2.2.1 CDR `credit`).
    """

    cdr_id: str
    session_id: str
    station: str
    connector: int
    site: str
    id_tag: str
    grp: str | None
    tariff_id: str
    tariff_version: int
    currency: str
    zone: str
    started_at: Instant
    stopped_at: Instant
    kwh: Decimal
    time_billable: bool
    periods: tuple[Period, ...]
    corrects: str | None = None
    credit: bool = False

    @property
    def idle_seconds(self) -> int:
        """Whole seconds of idle time, grace included."""
        return sum(period.end - period.start for period in self.periods if period.idle) // 1000


class RatingPolicy(Struct, frozen=True):
    """What the tariff leaves open: the rounding rule by name, and how an instant becomes a local time of day."""

    name: str = POLICY
    local_minute: LocalMinute = local_minute


class Line(Struct, frozen=True, kw_only=True):
    """One line of a bill. `amount` is gross in minor units; `unit_price` in major units before the discount."""

    component: str
    quantity: str
    unit: str
    billed_quantity: str
    unit_price: str
    discount_percent: str
    amount: int
    start: Instant
    end: Instant
    reason: str

    def as_row(self) -> Row:
        """The line as it stands in the books."""
        return {
            "component": self.component,
            "quantity": self.quantity,
            "unit": self.unit,
            "billed_quantity": self.billed_quantity,
            "unit_price": self.unit_price,
            "discount_percent": self.discount_percent,
            "amount": self.amount,
            "from": int(self.start),
            "to": int(self.end),
            "reason": self.reason,
        }


class RatedCdr(Struct, frozen=True, kw_only=True):
    """The price of a CDR in minor units; gross = net + vat = sum of the lines. `free` says why nothing is due."""

    cdr_id: str
    currency: str
    gross: int
    net: int
    vat: int
    vat_percent: str
    lines: tuple[Line, ...]
    policy: str
    free: str | None = None


def rate(cdr: Cdr, tariff: Tariff, policy: RatingPolicy) -> RatedCdr:
    """Price a CDR. Raises ValueError for a policy it does not know: a guess would change bills by cents."""
    if policy.name != POLICY:
        raise ValueError(f"unknown rating policy {policy.name!r}")
    rated = engine.rate(full_tariff(tariff), charge_of(cdr, tariff.currency), full_policy(policy))
    lines = [_free_line(cdr, tariff)] if rated.free else _lines(cdr, tariff, rated)
    minor = minor_digits(tariff.currency)
    gross, net = int(rated.gross.scaleb(minor)), int(rated.net.scaleb(minor))
    return RatedCdr(
        cdr_id=cdr.cdr_id,
        currency=tariff.currency,
        gross=gross,
        net=net,
        vat=gross - net,
        vat_percent=format(tariff.vat_percent, "f"),
        lines=tuple(lines),
        policy=POLICY,
        free=rated.free or None,
    )


def full_tariff(tariff: Tariff) -> model.Tariff:
    """A tariff of the instruction sheet as one of the whole model."""
    discounts = tuple(tariff.group_discounts.items())
    return _full_tariff(
        tariff.tariff_id,
        tariff.version,
        tariff.currency,
        tariff.vat_percent,
        tariff.bands,
        (tariff.start_fee, tariff.idle_per_minute, tariff.idle_grace_s, tariff.minimum_wh),
        discounts,
    )


@lru_cache(maxsize=4096)
def _full_tariff(
    tariff_id: str,
    version: int,
    currency: str,
    vat: Decimal,
    bands: tuple[EnergyBand, ...],
    terms: tuple[Decimal, Decimal, int, int],
    discounts: tuple[tuple[str, Decimal], ...],
) -> model.Tariff:
    fee, idle, grace_s, minimum_wh = terms
    taxes = (model.Tax(vat),)
    always = [model.Component(model.FLAT, fee, taxes)] if fee else []
    always += [model.Component(model.IDLE, idle * 60, taxes)] if idle else []
    elements = [
        model.Element(
            (model.Component(model.ENERGY, band.price, taxes),),
            model.Restrictions(start_minute=band.start, end_minute=band.end),
        )
        for band in bands
    ]
    return model.Tariff(
        tariff_id=tariff_id,
        version=version,
        currency=currency,
        tax=model.TAX_INCLUDED,
        elements=(*elements, model.Element(tuple(always))) if always else tuple(elements),
        idle=model.Idle(grace_s),
        discounts=tuple(
            model.Discount(name=f"group {group}", groups=(group,), percent=off) for group, off in discounts
        ),
        minimum_wh=minimum_wh,
    )


def charge_of(cdr: Cdr, currency: str) -> model.Charge:
    """What a CDR says was measured, whatever it costs."""
    zero = Decimal(0)
    return model.Charge(
        start=cdr.started_at,
        end=cdr.stopped_at,
        periods=tuple(
            model.Period(
                start=period.start,
                end=period.end,
                kwh=period.energy_kwh,
                idle_s=Decimal(period.end - period.start) / 1000 if period.idle else zero,
            )
            for period in cdr.periods
        ),
        currency=currency,
        zone=cdr.zone,
        location=cdr.site,
        evse=f"{cdr.station}*{cdr.connector}",
        group=cdr.grp or "",
        kwh=cdr.kwh,
        time_billable=cdr.time_billable,
    )


def full_policy(policy: RatingPolicy) -> model.Policy:
    """The policy of this back-end as one of the whole model, with its own local time."""
    if policy.local_minute is local_minute:
        return POLICIES[POLICY]
    minute = policy.local_minute
    return replace(
        POLICIES[POLICY],
        local=lambda at, zone: model.Local(model.local(at, zone).day, minute(at, zone)),
    )


def half_up(amount: Decimal, divisor: Decimal | int = 1) -> int:
    """`amount / divisor` rounded half up to a whole number, exactly. Both must not be negative."""
    above, below = amount.as_integer_ratio()
    top, bottom = Decimal(divisor).as_integer_ratio()
    numerator, denominator = above * bottom, below * top
    return (2 * numerator + denominator) // (2 * denominator)


def _lines(cdr: Cdr, tariff: Tariff, rated: model.Rated) -> list[Line]:
    """The lines of a bill: energy, then the start fee, then idle time. What is not billed has none."""
    lines: dict[str, list[Line]] = {model.ENERGY: [], model.FLAT: [], model.IDLE: []}
    minor = minor_digits(tariff.currency)
    for line in rated.lines:
        if line.billed > 0:
            lines[line.dimension].append(_TELLERS[line.dimension](cdr, tariff, line, int(line.gross.scaleb(minor))))
    return [*lines[model.ENERGY], *lines[model.FLAT], *lines[model.IDLE]]


def _energy_line(cdr: Cdr, tariff: Tariff, line: model.Line, amount: int) -> Line:
    reason = "signed energy at the local time of each reading"
    if line.discount_percent:
        reason += f"; {line.discount_percent} % off for group {cdr.grp}"
    return Line(
        component="energy",
        quantity=format(line.quantity, "f"),
        unit="kWh",
        billed_quantity=format(line.billed, "f"),
        unit_price=format(line.price, "f"),
        discount_percent=format(line.discount_percent, "f"),
        amount=amount,
        start=line.start,
        end=line.end,
        reason=reason,
    )


def _start_line(cdr: Cdr, tariff: Tariff, line: model.Line, amount: int) -> Line:
    return Line(
        component="start",
        quantity="1",
        unit="session",
        billed_quantity="1",
        unit_price=format(tariff.start_fee, "f"),
        discount_percent="0",
        amount=amount,
        start=cdr.started_at,
        end=cdr.started_at,
        reason="once per session",
    )


def _idle_line(cdr: Cdr, tariff: Tariff, line: model.Line, amount: int) -> Line:
    return Line(
        component="idle",
        quantity=str(cdr.idle_seconds),
        unit="s",
        billed_quantity=str(int(line.billed)),
        unit_price=format(tariff.idle_per_minute, "f"),
        discount_percent="0",
        amount=amount,
        start=line.start,
        end=line.end,
        reason=f"connected without drawing power; the first {_minutes(tariff.idle_grace_s)} min are free",
    )


_TELLERS = {model.ENERGY: _energy_line, model.FLAT: _start_line, model.IDLE: _idle_line}


def _minutes(seconds: int) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{minutes}:{rest:02d}" if rest else str(minutes)


def _free_line(cdr: Cdr, tariff: Tariff) -> Line:
    return Line(
        component="free",
        quantity=format(cdr.kwh, "f"),
        unit="kWh",
        billed_quantity="0",
        unit_price="0",
        discount_percent="0",
        amount=0,
        start=cdr.started_at,
        end=cdr.stopped_at,
        reason=f"{BELOW_MINIMUM}: less than {tariff.minimum_wh} Wh",
    )
