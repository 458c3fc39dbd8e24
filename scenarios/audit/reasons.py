"""Why a price is not the one that its tariff gives: the same charge is rated again with one thing wrong, until it fits.

Each reason is a calculation that ends at exactly what the record says; what none of them reaches is unexplained and never
explained away. The plainest mistake that fits is told first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from typing import NamedTuple

from msgspec.structs import replace

from reference_csms.pricing.engine import Unrated, rate
from reference_csms.pricing.model import (
    FLAT,
    IDLE,
    TIME,
    Charge,
    Component,
    Element,
    Period,
    Policy,
    Rated,
    Tariff,
    Tax,
)
from reference_csms.pricing.policies import POLICIES
from scenarios.audit.model import Bill
from sim.clock import HOUR, Instant, to_datetime, zone

ROUNDING, STEP, CLOCK, IDLE_TIME, TAX, VERSION, ENERGY, FEE, LIMIT, UNEXPLAINED = (
    "rounding", "step", "clock", "idle", "tax", "tariff-version", "energy", "fee", "limit", "unexplained",
)  # fmt: skip
_ZERO = Decimal(0)
_VATS = tuple(Decimal(one) for one in ("0", "5", "7", "7.7", "8.1", "15", "19", "20", "21", "22", "24", "25"))
_MANY = 200
"""More tariffs than this are not tried for a single record."""


class Why(NamedTuple):
    """A reason and the sentence that says what was done wrong."""

    kind: str
    sentence: str


class Price(NamedTuple):
    """Net and gross in major units; None for a side that is not known."""

    net: Decimal | None
    gross: Decimal | None

    def same(self, rated: Rated) -> bool:
        """Whether a rating comes to this."""
        sides = [(self.net, rated.net), (self.gross, rated.gross)]
        if rated.taxes_open:
            sides = sides[:1] if self.net is not None else sides[1:]
        told = [(said, ours) for said, ours in sides if said is not None]
        return bool(told) and all(said == ours for said, ours in told)


Try = tuple[str, str, Tariff, Charge, Policy]
"""Kind, sentence, and what is rated."""


def reason_of(bill: Bill, tariff: Tariff, policy: Policy, others: Sequence[Tariff]) -> Why:
    """The first single mistake that leads to what the record says."""
    said = Price(bill.net, bill.gross)
    for kind, sentence, with_tariff, charge, by in _tries(bill, tariff, policy, others):
        try:
            rated = rate(with_tariff, charge, by)
        except (Unrated, ArithmeticError):
            continue
        if said.same(rated):
            return Why(kind, sentence)
    return Why(UNEXPLAINED, "no single mistake that is known leads to this price")


def _tries(bill: Bill, tariff: Tariff, policy: Policy, others: Sequence[Tariff]) -> Iterator[Try]:
    charge = bill.charge
    for make in (_roundings, _steps, _idles):
        for kind, sentence, changed, by in make(charge, policy):
            yield kind, sentence, tariff, changed, by
    for sentence, changed in _clocks(charge):
        yield CLOCK, sentence, tariff, changed, policy
    for one in others[:_MANY]:
        if one != tariff and one.currency == tariff.currency:
            yield VERSION, _version(tariff, one), one, charge, policy
    for kind, sentence, changed_tariff in _tariffs(tariff):
        yield kind, sentence, changed_tariff, charge, policy
    for sentence, changed in _energies(charge):
        yield ENERGY, sentence, tariff, changed, policy


_Changed = tuple[str, str, Charge, Policy]


def _roundings(charge: Charge, policy: Policy) -> Iterator[_Changed]:
    for digits in (policy.digits, 4, 3, 2, 1, 0):
        for per in ("invoice", "component", "line"):
            for money in ("half-up", "half-even", "up", "floor", "exact"):
                by = replace(policy, digits=digits, per=per, money=money)
                if by != policy and (money != "exact" or digits is policy.digits):
                    words = {"half-up": "half up", "half-even": "half to even", "exact": "not at all"}.get(money, money)
                    where = {"invoice": "at the total", "component": "by component", "line": "line by line"}[per]
                    much = "" if digits is None or digits == policy.digits else f" to {digits} decimals"
                    yield ROUNDING, f"amounts rounded {words}{much}, {where}", charge, by


def _steps(charge: Charge, policy: Policy) -> Iterator[_Changed]:
    for steps, scope, sentence in (
        ("none", "session", "step sizes are not applied"),
        ("up", "session", "step sizes are rounded up once, at the end"),
        ("up", "line", "step sizes are rounded up in every line instead of once"),
        ("down", "line", "only whole steps are billed"),
        ("down", "session", "only whole steps of the total are billed"),
    ):
        by = replace(policy, steps=steps, step_scope=scope)
        if by != policy:
            yield STEP, sentence, charge, by
    for seconds, sentence in (("floor", "time is cut to whole seconds"), ("round", "time is rounded to whole seconds")):
        if policy.seconds != seconds:
            yield STEP, sentence, charge, replace(policy, seconds=seconds)
    for unit, name in ((60, "minutes"), (900, "quarters of an hour"), (3600, "hours")):
        yield STEP, f"charging time is rounded up to whole {name}", _rounded_time(charge, unit, "charging_s"), policy
        yield STEP, f"idle time is rounded up to whole {name}", _rounded_time(charge, unit, "idle_s"), policy


def _rounded_time(charge: Charge, unit: int, name: str) -> Charge:
    """The last period that has such time gets what rounds the sum up."""
    total = sum((getattr(period, name) for period in charge.periods), _ZERO)
    more = (unit - total % unit) % unit
    last = max((n for n, period in enumerate(charge.periods) if getattr(period, name)), default=None)
    if last is None:
        return charge
    return _with(charge, lambda n, one: replace(one, **{name: getattr(one, name) + more}) if n == last else one)


def _idles(charge: Charge, policy: Policy) -> Iterator[_Changed]:
    idle = any(period.idle_s for period in charge.periods)
    if idle:
        yield IDLE_TIME, "idle time is not billed", _with(charge, lambda n, one: replace(one, idle_s=_ZERO)), policy
        yield (
            IDLE_TIME,
            "idle time is billed as charging time",
            _with(charge, lambda n, one: replace(one, charging_s=one.charging_s + one.idle_s, idle_s=_ZERO)),
            policy,
        )
        other = "end" if policy.grace == "start" else "start"
        yield IDLE_TIME, f"the free idle time is taken from its {other}", charge, replace(policy, grace=other)
    if any(period.charging_s for period in charge.periods):
        yield (
            IDLE_TIME,
            "charging time is billed as idle time",
            _with(charge, lambda n, one: replace(one, idle_s=one.idle_s + one.charging_s, charging_s=_ZERO)),
            policy,
        )
    if any(period.withheld_s for period in charge.periods):
        yield (
            IDLE_TIME,
            "time in which the station withheld power is billed as idle",
            _with(charge, lambda n, one: replace(one, idle_s=one.idle_s + one.withheld_s, withheld_s=_ZERO)),
            policy,
        )


def _with(charge: Charge, change: Callable[[int, Period], Period]) -> Charge:
    return replace(charge, periods=tuple(change(n, one) for n, one in enumerate(charge.periods)))


def _clocks(charge: Charge) -> Iterator[tuple[str, Charge]]:
    """Local times read wrongly: as UTC, shifted by an hour, or with the offset counted twice or backwards."""
    if charge.zone != "UTC":
        yield "prices of the day are looked up by UTC instead of local time", replace(charge, zone="UTC")
    offset = to_datetime(charge.start, zone(charge.zone)).utcoffset() or timedelta(0)
    shifts = {
        "prices of the day are looked up an hour too late (summer time counted wrongly)": HOUR,
        "prices of the day are looked up an hour too early (summer time counted wrongly)": -HOUR,
        "the offset from UTC is added twice": int(offset.total_seconds() * 1000),
    }
    for sentence, by in shifts.items():
        if by:
            yield sentence, _shifted(charge, by)
    yield "the price at the beginning is taken for the whole charge", _in_one(charge)
    first, last = charge.start, charge.end
    if len(charge.periods) > 1:
        yield "the price at the end is taken for the whole charge", _shifted(_in_one(charge), last - first)


def _shifted(charge: Charge, by: int) -> Charge:
    periods = tuple(replace(one, start=Instant(one.start + by), end=Instant(one.end + by)) for one in charge.periods)
    return replace(charge, start=Instant(charge.start + by), end=Instant(charge.end + by), periods=periods)


def _in_one(charge: Charge) -> Charge:
    """All that was used, told as used at the beginning."""

    def sums(name: str) -> Decimal:
        return sum((getattr(one, name) for one in charge.periods), _ZERO)

    one = Period(
        start=charge.start,
        end=Instant(charge.start + 1000),
        kwh=sums("kwh"),
        charging_s=sums("charging_s"),
        idle_s=sums("idle_s"),
        withheld_s=sums("withheld_s"),
        reserved_s=sums("reserved_s"),
    )
    return replace(charge, periods=(one,))


def _version(tariff: Tariff, other: Tariff) -> str:
    if other.tariff_id == tariff.tariff_id:
        since = "" if other.valid_from is None else f" of {to_datetime(other.valid_from):%Y-%m-%d}"
        return f"another version{since} of tariff {tariff.tariff_id} is taken"
    return f"tariff {other.tariff_id} is taken instead of {tariff.tariff_id}"


def _tariffs(tariff: Tariff) -> Iterator[tuple[str, str, Tariff]]:
    """The tariff with something left out or another tax."""
    for dimension, kind, name in (
        (FLAT, FEE, "the fee per charge"),
        (IDLE, IDLE_TIME, "idle time"),
        (TIME, IDLE_TIME, "time"),
    ):
        less = _without(tariff, dimension)
        if less != tariff:
            yield kind, f"{name} is not billed", less
    twice = _components(tariff, lambda one: replace(one, price=one.price * 2) if one.dimension == FLAT else one)
    if twice != tariff:
        yield FEE, "the fee per charge is billed twice", twice
    if tariff.idle.grace_s:
        yield IDLE_TIME, "the free idle time is not given", replace(tariff, idle=replace(tariff.idle, grace_s=0))
    if tariff.discounts:
        yield FEE, "the discount is not given", replace(tariff, discounts=())
    if tariff.min_price is not None:
        yield LIMIT, "the least price is not applied", replace(tariff, min_price=None)
    if tariff.max_price is not None:
        yield LIMIT, "the highest price is not applied", replace(tariff, max_price=None)
    for words, side in (
        ("prices with tax are taken as without", "excluded"),
        ("prices without tax are taken as with", "included"),
    ):
        if tariff.tax != side and any(one.taxes for element in tariff.elements for one in element.components):
            yield TAX, words, replace(tariff, tax=side)
    for percent in _VATS:
        changed = _taxed(tariff, percent)
        if changed != tariff:
            yield TAX, f"VAT of {percent} % is taken", changed


def _without(tariff: Tariff, dimension: str) -> Tariff:
    return _components(tariff, lambda one: None if one.dimension == dimension else one)


def _taxed(tariff: Tariff, percent: Decimal) -> Tariff:
    """With another tax wherever there is one."""
    return _components(tariff, lambda one: replace(one, taxes=(Tax(percent),)) if one.taxes else one)


def _components(tariff: Tariff, change: Callable[[Component], Component | None]) -> Tariff:
    elements = []
    for element in tariff.elements:
        kept = tuple(made for one in element.components if (made := change(one)) is not None)
        elements.append(Element(kept, element.restrictions))
    return replace(tariff, elements=tuple(elements))


def _energies(charge: Charge) -> Iterator[tuple[str, Charge]]:
    for places in (2, 1, 0):
        for mode, word in ((ROUND_DOWN, "cut"), (ROUND_HALF_UP, "rounded")):
            unit = Decimal(1).scaleb(-places)
            changed = _rounded_energy(charge, unit, mode)
            if changed != charge:
                yield f"energy is {word} to {places} decimals of a kWh", changed


def _rounded_energy(charge: Charge, unit: Decimal, mode: str) -> Charge:
    return _with(charge, lambda n, one: replace(one, kwh=one.kwh.quantize(unit, mode)))


def best_policy(bills: Sequence[tuple[Bill, Tariff]]) -> tuple[Policy, int]:
    """The named policy by which most records are right, and how many; the default one if none is better."""
    best: tuple[Policy, int] | None = None
    for policy in POLICIES.values():
        right = sum(1 for bill, tariff in bills if _right(bill, tariff, policy))
        if best is None or right > best[1]:
            best = policy, right
    assert best is not None
    return best


def _right(bill: Bill, tariff: Tariff, policy: Policy) -> bool:
    try:
        return Price(bill.net, bill.gross).same(rate(tariff, bill.charge, policy))
    except Unrated:
        return False


def versions_at(versions: Mapping[str, Sequence[Tariff]], tariff_id: str, at: Instant) -> Tariff | None:
    """The version of a tariff that is valid at an instant: the newest that has begun and not ended."""
    found = None
    for one in versions.get(tariff_id, ()):
        if (one.valid_from is None or one.valid_from <= at) and (one.valid_to is None or at < one.valid_to):
            found = one
    return found
