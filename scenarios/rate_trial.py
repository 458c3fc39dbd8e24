"""Random tariffs and charges, priced by rating and by the oracle: `chargerig rate --self-test N`.

The same seed draws the same pairs. They are strange on purpose: every restriction, policy, tax and limit, zones with odd
offsets, nights in which clocks change, currencies without cents.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import msgspec
from msgspec import Struct

from reference_csms.pricing import model
from reference_csms.pricing.engine import rate
from reference_csms.pricing.explain import policy_row
from reference_csms.pricing.model import (
    Charge,
    Component,
    Discount,
    Element,
    Idle,
    Limit,
    Period,
    Policy,
    Rated,
    Restrictions,
    Tariff,
    Tax,
    TaxChange,
)
from reference_csms.pricing.policies import POLICIES
from scenarios.processes import spread
from scenarios.tariff_oracle import verdict
from sim.clock import DAY, HOUR, MINUTE, Instant, parse_iso

CHARGES_OF_A_TARIFF = 5
BLOCK = 5_000
_KEPT = 20
_ZONES = (
    "Europe/Berlin",
    "Europe/Oslo",
    "UTC",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
)
_DAYS = tuple(parse_iso(text) for text in ("2026-10-24T00:00:00Z", "2027-03-27T00:00:00Z", "2026-12-23T00:00:00Z"))
_CURRENCIES = ("EUR", "EUR", "NOK", "JPY", "KWD")
_STEPS = (0, 0, 1, 60, 300, 500, 900)
_PERCENTS = ("19", "7", "20", "25", "5.2", "0")
_GROUPS = ("", "staff", "resident")

Rate = Callable[[Tariff, Charge, Policy], Rated]


class Disagreement(Struct, frozen=True):
    """A pair that rating and oracle price differently, whole."""

    pair: int
    policy: str
    rating: str
    oracle: str
    tariff: Any
    charge: Any


class Trial(Struct, frozen=True):
    """How many pairs were tried, how many agreed, and the first that did not."""

    seed: int
    pairs: int
    agreed: int
    priced: int
    disagreements: tuple[Disagreement, ...]


def self_test(
    pairs: int, seed: int, price: Rate = rate, jobs: int = 1, progress: Callable[[int], None] | None = None
) -> Trial:
    """Try so many pairs, in blocks that are drawn each by itself: the same ones for any number of jobs.

    `price` is the rating under test; several jobs try the real one only.
    """
    sizes = [min(BLOCK, pairs - begin) for begin in range(0, pairs, BLOCK)]
    tasks = [(seed * 1_000_003 + n, size) for n, size in enumerate(sizes)]
    done = 0

    def told(size: int) -> None:
        nonlocal done
        done += size
        if progress is not None:
            progress(done)

    if jobs > 1:
        names = [f"block {n}" for n in range(len(tasks))]
        trials = spread(_real_block, tasks, names, jobs, done=lambda _, trial: told(trial.pairs))
    else:
        trials = []
        for block_seed, size in tasks:
            trials.append(_block(block_seed, size, price))
            told(size)
    found = [one for trial in trials for one in trial.disagreements]
    sums = (sum(trial.pairs for trial in trials), sum(trial.agreed for trial in trials))
    return Trial(seed, *sums, sum(trial.priced for trial in trials), tuple(found[:_KEPT]))


def _real_block(task: tuple[int, int]) -> Trial:
    return _block(*task, rate)


def _block(seed: int, pairs: int, price: Rate) -> Trial:
    chance = random.Random(seed)
    names = sorted(POLICIES)
    agreed = priced = 0
    found: list[Disagreement] = []
    tariff: Tariff | None = None
    tariff_row: Any = {}
    for n in range(pairs):
        if tariff is None or n % CHARGES_OF_A_TARIFF == 0:
            tariff = a_tariff(chance, n)
            tariff_row = msgspec.to_builtins(tariff)
        charge = a_charge(chance, tariff)
        policy = POLICIES[names[n % len(names)]]
        ours = price(tariff, charge, policy)
        charge_row = msgspec.to_builtins(charge)
        theirs = verdict(tariff_row, charge_row, policy_row(policy))
        same = _same(ours, theirs.net, theirs.gross)
        agreed += same
        priced += ours.gross > 0
        if not same and len(found) < _KEPT:
            said = f"net {float(theirs.net)}, gross {float(theirs.gross)}"
            told = f"net {ours.net}, gross {ours.gross}"
            found.append(Disagreement(n, policy.name, told, said, tariff_row, charge_row))
    return Trial(seed, pairs, agreed, priced, tuple(found))


def _same(ours: Rated, net: Fraction, gross: Fraction) -> bool:
    """To the last digit; what a policy does not round, to thirteen places."""
    return all(
        abs(Fraction(mine) - theirs) < Fraction(1, 10**12) for mine, theirs in ((ours.net, net), (ours.gross, gross))
    )


def a_tariff(chance: random.Random, n: int) -> Tariff:
    """A tariff of one to six elements."""
    taxes = tuple(_taxes(chance) for _ in range(2))
    elements = [_element(chance, taxes) for _ in range(chance.randint(1, 6))]
    tax = chance.choice((model.TAX_INCLUDED, model.TAX_EXCLUDED, model.TAX_EXCLUDED, model.NO_TAX))
    changes = (TaxChange(_day(chance), Decimal(chance.choice(_PERCENTS))),) if chance.random() < 0.1 else ()
    return Tariff(
        tariff_id=f"t{n}",
        currency=chance.choice(_CURRENCIES),
        elements=tuple(elements),
        tax=tax,
        min_price=_limit(chance, 300) if chance.random() < 0.15 else None,
        max_price=_limit(chance, 3000) if chance.random() < 0.15 else None,
        idle=Idle(
            chance.choice((0, 0, 300, 900, 1800)), chance.choice((model.EV_STOPS, model.EVSE_TOO, model.CONNECTED))
        ),
        discounts=tuple(_discount(chance) for _ in range(chance.choice((0, 0, 1, 2)))),
        tax_changes=changes,
        minimum_wh=chance.choice((0, 0, 0, 100, 500)),
        minimum_s=chance.choice((0, 0, 0, 120)),
    )


def _taxes(chance: random.Random) -> tuple[Tax, ...] | None:
    kind = chance.random()
    if kind < 0.1:
        return None
    vat = Tax(Decimal(chance.choice(_PERCENTS)))
    if kind < 0.85:
        return (vat,)
    return (vat, Tax(Decimal("2.5"), "City", chance.choice((0, 1))))


def _element(chance: random.Random, taxes: tuple[tuple[Tax, ...] | None, ...]) -> Element:
    reserved = chance.random() < 0.15
    kinds = (
        (model.RESERVATION, model.RESERVATION_FLAT) if reserved else (model.ENERGY, model.TIME, model.IDLE, model.FLAT)
    )
    wanted = [kind for kind in kinds if chance.random() < 0.5] or [kinds[0]]
    components = tuple(
        Component(
            kind,
            Decimal(chance.randint(0, 4000)) / chance.choice((100, 1000)),
            chance.choice(taxes),
            chance.choice(_STEPS),
        )
        for kind in wanted
    )
    return Element(components, _restrictions(chance, reserved))


def _price(chance: random.Random) -> Decimal:
    return Decimal(chance.randint(0, 4000)) / chance.choice((100, 1000))


def _restrictions(chance: random.Random, reserved: bool) -> Restrictions:
    rules: dict[str, Any] = {"expired": chance.choice((None, True)) if reserved else None}
    for _ in range(chance.choice((0, 0, 1, 1, 2, 3))):
        kind = chance.randrange(12)
        if kind in (0, 1, 2):
            rules["start_minute"], rules["end_minute"] = (
                chance.choice(range(0, 1440, 15)),
                chance.choice(range(0, 1441, 15)),
            )
            if chance.random() < 0.2:
                rules[chance.choice(("start_minute", "end_minute"))] = None
        elif kind == 3:
            rules["weekdays"] = tuple(sorted(chance.sample(range(1, 8), chance.randint(1, 6))))
        elif kind == 4:
            rules["start_date"] = _day(chance)
            rules["end_date"] = rules["start_date"] + timedelta(days=chance.randint(1, 3))
        elif kind == 5:
            rules["holiday"] = chance.choice((True, False))
        elif kind == 6:
            _bounds(chance, rules, "kwh", lambda: Decimal(chance.randint(1, 40)))
        elif kind == 7:
            _bounds(chance, rules, "duration", lambda: chance.choice(range(600, 10_800, 300)))
        elif kind == 8:
            _bounds(chance, rules, chance.choice(("charging", "idle")), lambda: chance.choice(range(300, 7200, 100)))
        elif kind == 9:
            _bounds(chance, rules, "power", lambda: Decimal(chance.choice((4, 11, 22, 50))))
        elif kind == 10:
            _bounds(chance, rules, "current", lambda: Decimal(chance.choice((10, 16, 32))))
        else:
            rules["groups"] = (chance.choice(_GROUPS[1:]),)
            rules["power_classes"] = chance.choice(((), ("AC",), ("DC",)))
    return Restrictions(**rules)


def _bounds(chance: random.Random, rules: dict[str, Any], name: str, draw: Callable[[], Any]) -> None:
    for bound in chance.choice((("min",), ("max",), ("min", "max"))):
        rules[f"{bound}_{name}"] = draw()


def _limit(chance: random.Random, most: int) -> Limit:
    net = Decimal(chance.randint(1, most)) / 100
    kind = chance.randrange(3)
    return Limit(None if kind == 1 else net, None if kind == 0 else net * Decimal("1.15"))


def _discount(chance: random.Random) -> Discount:
    return Discount(
        name="less",
        groups=chance.choice(((), ("staff",), ("staff", "resident"))),
        dimensions=tuple(chance.sample(model.DIMENSIONS, chance.randint(1, 3))),
        percent=Decimal(chance.choice((0, 10, 15, 100))),
        off=Decimal(chance.choice((0, 0, 5))) / 100,
        from_kwh=chance.choice((None, None, Decimal(100))),
    )


def _day(chance: random.Random) -> date:
    return date(1970, 1, 1) + timedelta(days=chance.choice(_DAYS) // DAY + chance.randint(0, 3))


def a_charge(chance: random.Random, tariff: Tariff) -> Charge:
    """A charge of one to five periods, mostly cut where readings were, which is not where prices change."""
    start = Instant(chance.choice(_DAYS) + chance.randrange(3 * DAY // MINUTE) * MINUTE + chance.choice((0, 0, 12_345)))
    at, periods = start, []
    reserving = chance.random() < 0.15
    if reserving:
        end = Instant(at + chance.randint(1, 90) * MINUTE)
        periods.append(Period(start=at, end=end, reserved_s=_seconds(end - at)))
        at = end
    expired = reserving and chance.random() < 0.4
    for _ in range(0 if expired else chance.randint(1, 4)):
        end = Instant(at + chance.randint(1, 70) * MINUTE + chance.choice((0, 0, 0, 777)))
        periods.append(_period(chance, at, end))
        at = end
    month = chance.choice((0, 0, 99, 100, 250))
    return Charge(
        start=start,
        end=at,
        periods=tuple(periods),
        currency=tariff.currency,
        zone=chance.choice(_ZONES),
        power_class=chance.choice(("AC", "DC")),
        group=chance.choice(_GROUPS),
        reservation_expired=expired,
        holidays=(date(2026, 12, 25), date(2026, 12, 26)) if chance.random() < 0.5 else (),
        month_kwh=Decimal(month),
        time_billable=chance.random() < 0.95,
    )


def _period(chance: random.Random, at: Instant, end: Instant) -> Period:
    spent, flow = _seconds(end - at), chance.random() < 0.7
    kind = chance.choice(("charging", "charging", "idle", "withheld"))
    kwh = Decimal(chance.randint(0, 20_000)) / 1000 if kind == "charging" else Decimal(0)
    power = kwh * HOUR / (end - at)
    amps = Decimal(chance.choice((6, 10, 16, 20, 32)))
    return Period(
        start=at,
        end=end,
        kwh=kwh,
        charging_s=spent if kind == "charging" else Decimal(0),
        idle_s=spent if kind == "idle" else Decimal(0),
        withheld_s=spent if kind == "withheld" else Decimal(0),
        min_power=power.quantize(Decimal("0.1")) if flow else None,
        max_power=power.quantize(Decimal("0.1")) + 1 if flow else None,
        min_current=amps if flow else None,
        max_current=amps + chance.choice((0, 4)) if flow else None,
    )


def _seconds(ms: int) -> Decimal:
    return Decimal(ms) / 1000
