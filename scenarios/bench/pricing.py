"""`chargerig bench pricing`: how many CDRs one core rates in a minute, with a tariff of six elements.

Measures CPU time of this process. CDRs are of two to five periods, cut where prices change as OCPI asks, over a month.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from decimal import Decimal

from msgspec import Struct

from reference_csms.pricing import model
from reference_csms.pricing.engine import rate
from reference_csms.pricing.model import Charge, Component, Element, Idle, Period, Restrictions, Tariff, Tax
from reference_csms.pricing.policies import policy_named
from sim.clock import DAY, MINUTE, Instant, parse_iso

_VAT = (Tax(Decimal(19)),)
_FIRST = parse_iso("2026-10-01T00:00:00Z")
_ZONE = "Europe/Berlin"
_MILLION = 1_000_000
_AT_ONCE = 5_000


class Pace(Struct, frozen=True):
    """CPU seconds for so many CDRs; `million_s` is what a million would take, by the median of the blocks."""

    cdrs: int
    periods: int
    policy: str
    cpu_s: float
    per_s: float
    million_s: float
    total: str

    def text(self) -> str:
        """For people."""
        measured = (
            f"{self.cdrs:,} CDRs with {self.periods:,} periods in {self.cpu_s:.1f} s of CPU, policy {self.policy}"
        )
        reckoned = "" if self.cdrs == _MILLION else " (reckoned)"
        return f"{measured}\n{self.per_s:,.0f} a second on one core; 1,000,000 take {self.million_s:.0f} s{reckoned}"


def tariff() -> Tariff:
    """Six elements: start fee, night, week-end and day prices, blocking by day, charging time after two hours."""
    elements = (
        Element((Component(model.FLAT, Decimal("0.5"), _VAT),)),
        Element(
            (Component(model.ENERGY, Decimal("0.39"), _VAT, 1),), Restrictions(start_minute=22 * 60, end_minute=6 * 60)
        ),
        Element((Component(model.ENERGY, Decimal("0.45"), _VAT, 1),), Restrictions(weekdays=(6, 7))),
        Element((Component(model.ENERGY, Decimal("0.49"), _VAT, 1),)),
        Element((Component(model.IDLE, Decimal(6), _VAT, 60),), Restrictions(start_minute=8 * 60, end_minute=20 * 60)),
        Element((Component(model.TIME, Decimal("1.2"), _VAT, 60),), Restrictions(min_duration=7200)),
    )
    return Tariff(tariff_id="six", currency="EUR", elements=elements, tax=model.TAX_INCLUDED, idle=Idle(grace_s=600))


def charges(count: int, seed: int = 1) -> list[Charge]:
    """So many charges of a month."""
    chance = random.Random(seed)
    edges = [hour * 60 for hour in (0, 6, 8, 20, 22)]
    found = []
    for _ in range(count):
        start = Instant(_FIRST + chance.randrange(30 * DAY // MINUTE) * MINUTE + chance.randrange(MINUTE))
        charging, idle = chance.randint(10, 200) * MINUTE, chance.choice((0, 0, 15, 40, 90)) * MINUTE
        cuts = {start + charging, *([start + 7_200_000] if charging + idle > 7_200_000 else [])}
        at = start - start % MINUTE + MINUTE
        while at < start + charging + idle:
            here = model.local(at, _ZONE)
            if here.minute in edges:
                cuts.add(at)
            at += MINUTE
        periods, begin = [], start
        for until in [*sorted(cuts), start + charging + idle]:
            if until > begin:
                resting = begin >= start + charging
                spent = Decimal(until - begin) / 1000
                kwh = Decimal(0) if resting else (spent * chance.randint(1, 11) / 3600).quantize(Decimal("0.001"))
                zero = Decimal(0)
                period = Period(
                    start=begin,
                    end=Instant(until),
                    kwh=kwh,
                    charging_s=zero if resting else spent,
                    idle_s=spent if resting else zero,
                )
                periods.append(period)
                begin = Instant(until)
        found.append(Charge(start=start, end=begin, periods=tuple(periods), currency="EUR", zone=_ZONE))
    return found


def bench_pricing(count: int, policy_name: str, tell: Callable[[str], None] | None = None) -> Pace:
    """Rates `count` CDRs, drawn block by block; drawing is not measured. Raises BadInput for an unknown policy."""
    policy, priced_by = policy_named(policy_name), tariff()
    total, periods, spent, paces = Decimal(0), 0, 0.0, []
    for block in range(0, count, _AT_ONCE):
        drawn = charges(min(_AT_ONCE, count - block), block + 1)
        periods += sum(len(one.periods) for one in drawn)
        began = time.process_time()
        for one in drawn:
            total += rate(priced_by, one, policy).gross
        took = time.process_time() - began
        spent += took
        paces.append(took / len(drawn))
        if tell is not None:
            tell(f"{block + len(drawn):,} rated, {len(drawn) / took:,.0f} a second")
    pace = sorted(paces)[len(paces) // 2]
    return Pace(
        count, periods, policy_name, spent, 1 / pace, spent if count == _MILLION else pace * _MILLION, str(total)
    )
