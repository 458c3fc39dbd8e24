"""Rating: what a charging session costs, as a pure function of its CDR, its frozen tariff and a rounding policy.

Every line says what was measured, what was billed of it, at which price and why. Rating never looks anything up,
never asks a clock and never books: display, bill and re-rating of foreign CDRs all use this one function. Policy
`line-half-up`: each line is rounded half up to the minor unit; gross is their sum; VAT is taken out of the gross.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from msgspec import Struct

from reference_csms.pricing.tariffs import LocalMinute, Tariff, local_minute, minor_digits
from sim.backend import Row
from sim.clock import Instant

POLICY = "line-half-up"
BELOW_MINIMUM = "below-minimum"


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
    if cdr.kwh * 1000 < tariff.minimum_wh:
        return _priced(cdr, tariff, (_free_line(cdr, tariff),), BELOW_MINIMUM)
    lines = [*_energy_lines(cdr, tariff, policy), *_start_line(cdr, tariff), *_idle_line(cdr, tariff)]
    return _priced(cdr, tariff, tuple(lines), None)


def half_up(amount: Decimal, divisor: Decimal | int = 1) -> int:
    """`amount / divisor` rounded half up to a whole number, exactly. Both must not be negative."""
    above, below = amount.as_integer_ratio()
    top, bottom = Decimal(divisor).as_integer_ratio()
    numerator, denominator = above * bottom, below * top
    return (2 * numerator + denominator) // (2 * denominator)


def _priced(cdr: Cdr, tariff: Tariff, lines: tuple[Line, ...], free: str | None) -> RatedCdr:
    gross = sum(line.amount for line in lines)
    net = half_up(Decimal(gross) * 100, 100 + tariff.vat_percent)
    return RatedCdr(
        cdr_id=cdr.cdr_id,
        currency=tariff.currency,
        gross=gross,
        net=net,
        vat=gross - net,
        vat_percent=format(tariff.vat_percent, "f"),
        lines=lines,
        policy=POLICY,
        free=free,
    )


def _minor(tariff: Tariff) -> int:
    return int(10 ** minor_digits(tariff.currency))


def _energy_lines(cdr: Cdr, tariff: Tariff, policy: RatingPolicy) -> list[Line]:
    stretches: dict[Decimal, list[Period]] = {}
    for period in cdr.periods:
        if period.energy_kwh:
            price = tariff.energy_price(policy.local_minute(period.start, cdr.zone))
            stretches.setdefault(price, []).append(period)
    return [_energy_line(cdr, tariff, price, periods) for price, periods in stretches.items()]


def _energy_line(cdr: Cdr, tariff: Tariff, price: Decimal, periods: Sequence[Period]) -> Line:
    kwh = sum((period.energy_kwh for period in periods), Decimal(0))
    discount = tariff.discount(cdr.grp)
    reason = "signed energy at the local time of each reading"
    if discount:
        reason += f"; {discount} % off for group {cdr.grp}"
    return Line(
        component="energy",
        quantity=format(kwh, "f"),
        unit="kWh",
        billed_quantity=format(kwh, "f"),
        unit_price=format(price, "f"),
        discount_percent=format(discount, "f"),
        amount=half_up(kwh * price * (100 - discount) * _minor(tariff), 100),
        start=periods[0].start,
        end=periods[-1].end,
        reason=reason,
    )


def _start_line(cdr: Cdr, tariff: Tariff) -> list[Line]:
    if not tariff.start_fee:
        return []
    line = Line(
        component="start",
        quantity="1",
        unit="session",
        billed_quantity="1",
        unit_price=format(tariff.start_fee, "f"),
        discount_percent="0",
        amount=half_up(tariff.start_fee * _minor(tariff)),
        start=cdr.started_at,
        end=cdr.started_at,
        reason="once per session",
    )
    return [line]


def _idle_line(cdr: Cdr, tariff: Tariff) -> list[Line]:
    billed = cdr.idle_seconds - tariff.idle_grace_s
    if not cdr.time_billable or not tariff.idle_per_minute or billed <= 0:
        return []
    idle = [period for period in cdr.periods if period.idle]
    line = Line(
        component="idle",
        quantity=str(cdr.idle_seconds),
        unit="s",
        billed_quantity=str(billed),
        unit_price=format(tariff.idle_per_minute, "f"),
        discount_percent="0",
        amount=half_up(Decimal(billed) * tariff.idle_per_minute * _minor(tariff), 60),
        start=idle[0].start,
        end=idle[-1].end,
        reason=f"connected without drawing power; the first {_minutes(tariff.idle_grace_s)} min are free",
    )
    return [line]


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
