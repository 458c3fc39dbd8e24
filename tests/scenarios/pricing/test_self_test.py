"""Rating and the second opinion agree on random pairs, and a bug planted in rating makes them disagree."""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_FLOOR, Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from reference_csms.pricing import engine, lines, picking, quantities, rounding
from reference_csms.pricing.engine import rate
from reference_csms.pricing.model import Charge, Limit, Tariff
from scenarios.rate_trial import Rate, self_test


def test_random_pairs_agree_and_most_of_them_cost_something() -> None:
    trial = self_test(700, seed=11)
    assert (trial.pairs, trial.agreed, trial.disagreements) == (700, 700, ())
    assert trial.priced > 400


def test_the_pairs_do_not_depend_on_the_number_of_jobs() -> None:
    alone = self_test(120, seed=3)
    shared = self_test(120, seed=3, jobs=2)
    assert (alone.pairs, alone.agreed, alone.priced) == (shared.pairs, shared.agreed, shared.priced)


@pytest.mark.slow
def test_twenty_thousand_random_pairs_agree() -> None:
    trial = self_test(20_000, seed=2026, jobs=2)
    assert trial.agreed == trial.pairs == 20_000


def of_tariff(change: Callable[[Tariff], Tariff]) -> Rate:
    return lambda tariff, charge, policy: rate(change(tariff), charge, policy)


def of_charge(change: Callable[[Charge], Charge]) -> Rate:
    return lambda tariff, charge, policy: rate(tariff, change(charge), policy)


def of_policy(**fields: Any) -> Rate:
    return lambda tariff, charge, policy: rate(tariff, charge, replace(policy, **fields))


def without(name: str, value: Any = None) -> Rate:
    """Rating that does not know one restriction."""

    def change(tariff: Tariff) -> Tariff:
        elements = [replace(one, restrictions=replace(one.restrictions, **{name: value})) for one in tariff.elements]
        return replace(tariff, elements=tuple(elements))

    return of_tariff(change)


def net_only(limit: Limit | None) -> Limit | None:
    return limit if limit is None or limit.net is None else Limit(limit.net)


BUGS: dict[str, Rate] = {
    "the server's zone instead of the location's": of_charge(lambda one: replace(one, zone="UTC")),
    "no weekdays": without("weekdays", ()),
    "no public holidays": of_charge(lambda one: replace(one, holidays=())),
    "no windows of time": without("start_minute"),
    "no end of a window": without("end_minute"),
    "no dates": without("start_date"),
    "no least energy": without("min_kwh"),
    "no highest duration": without("max_duration"),
    "no highest power": without("max_power"),
    "no groups": without("groups", ()),
    "expired reservations like used ones": of_charge(lambda one: replace(one, reservation_expired=False)),
    "no free idle time": of_tariff(lambda one: replace(one, idle=replace(one.idle, grace_s=0))),
    "withheld time is idle time": of_tariff(lambda one: replace(one, idle=replace(one.idle, starts="evse-too"))),
    "no discounts": of_tariff(lambda one: replace(one, discounts=())),
    "no least price": of_tariff(lambda one: replace(one, min_price=None)),
    "gross limits are not seen": of_tariff(lambda one: replace(one, max_price=net_only(one.max_price))),
    "taxes of yesterday": of_tariff(lambda one: replace(one, tax_changes=())),
    "gross prices taken as net": of_tariff(
        lambda one: replace(one, tax="excluded" if one.tax == "included" else one.tax)
    ),
    "time from a clock that may not be billed by": of_charge(lambda one: replace(one, time_billable=True)),
    "a minimum that nobody is let off": of_tariff(lambda one: replace(one, minimum_wh=0)),
    "no steps": of_policy(steps="none"),
    "banker's rounding": of_policy(money="half-even"),
    "free idle time at the end": of_policy(grace="end"),
    "changes inside periods not seen": of_policy(unsplit="start"),
    "cents in every currency": of_policy(digits=2),
}


@pytest.mark.parametrize("name", BUGS)
def test_a_planted_bug_of_rating_is_found(name: str) -> None:
    assert caught(BUGS[name]), name


def caught(price: Rate) -> bool:
    """Whether a few pairs are enough to show that this rating is wrong."""
    return any(self_test(120, seed, price).disagreements for seed in range(40, 60))


PLANTED: dict[str, tuple[Any, str, Any]] = {
    "stacked taxes are added": (
        picking,
        "factor_of",
        lambda taxes: 1 + sum((tax.percent for tax in taxes or ()), Decimal(0)) / 100,
    ),
    "steps are not taken": (quantities, "_stepped", lambda total, one, policy: total),
    "money is cut off": (
        lines,
        "rounded",
        lambda amount, money, unit: amount if money == "exact" else amount.quantize(unit, ROUND_FLOOR),
    ),
    "the last element counts": (
        engine,
        "pick",
        lambda ready, dimension, moment: next(
            (
                entry
                for entry in reversed(ready.entries.get(dimension, ()))
                if entry.holds is None or entry.holds(moment)
            ),
            None,
        ),
    ),
    "a change at midnight is missed": (
        engine,
        "changes_in",
        lambda ready, moment, start, used, idle_s, at, zone: [],
    ),
    "windows end a minute late": (
        picking,
        "_calendar",
        lambda only, real=picking._calendar: real(
            replace(only, end_minute=only.end_minute + 1) if only.end_minute is not None else only
        ),
    ),
    "local time is never looked at": (
        engine,
        "enter",
        lambda moment, here, at: None,
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_bug_inside_rating_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, attribute, bug = PLANTED[name]
    picking.compiled.cache_clear()
    monkeypatch.setattr(module, attribute, bug)
    try:
        assert caught(rate), name
    finally:
        picking.compiled.cache_clear()


def test_dust_of_a_division_does_not_cost_a_cent() -> None:
    third = Decimal(1) / 3
    assert rounding.rounded(third + third + third, "floor", Decimal("0.01")) == 1
