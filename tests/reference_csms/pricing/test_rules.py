"""Rules of the pricing model that no worked example shows: fees, discounts, taxes by date, idle time, limits, notes."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from reference_csms.pricing import model
from reference_csms.pricing.basic import basic_fee
from reference_csms.pricing.engine import BELOW_MINIMUM, Unrated, rate
from reference_csms.pricing.explain import as_json, taxes_of, why
from reference_csms.pricing.model import (
    BasicFee,
    Charge,
    Component,
    Discount,
    Element,
    Idle,
    Limit,
    Period,
    Restrictions,
    Tariff,
    Tax,
    TaxChange,
)
from reference_csms.pricing.policies import POLICIES
from sim.clock import HOUR, MINUTE, Instant, parse_iso

OCPI = POLICIES["ocpi"]
VAT = (Tax(Decimal(19)),)


def tariff(*components: tuple[str, str], **more: Any) -> Tariff:
    priced = tuple(Component(dimension, Decimal(price), VAT) for dimension, price in components)
    return Tariff(**{"tariff_id": "t", "currency": "EUR", "elements": (Element(priced),), **more})


def charge(begin: str, *periods: tuple[int, dict[str, Any]], **more: Any) -> Charge:
    """Periods of (minutes, what was measured) one after the other."""
    at = parse_iso(begin)
    start, made = at, []
    for minutes, amounts in periods:
        end = Instant(at + minutes * MINUTE)
        measured: dict[str, Any] = {name: Decimal(str(value)) for name, value in amounts.items()}
        made.append(Period(start=at, end=end, **measured))
        at = end
    return Charge(**{"start": start, "end": at, "periods": tuple(made), "currency": "EUR", **more})


def test_a_basic_fee_is_due_by_the_month_and_by_the_day() -> None:
    one = replace(tariff((model.ENERGY, "0.4")), basic_fee=BasicFee(Decimal("6.20"), VAT))
    lines = basic_fee(one, date(2026, 11, 16), date(2027, 2, 1), OCPI)
    assert [(line.days, line.of_days, line.net) for line in lines] == [
        (15, 30, Decimal("3.10")),
        (31, 31, Decimal("6.20")),
        (31, 31, Decimal("6.20")),
    ]
    assert basic_fee(tariff((model.ENERGY, "0.4")), date(2026, 1, 1), date(2026, 2, 1), OCPI) == []


def test_a_discount_is_for_its_group_its_dimension_and_its_volume_and_stands_on_the_line() -> None:
    discounts = (
        Discount(name="employees", groups=("staff",), percent=Decimal(25)),
        Discount(name="volume", percent=Decimal(10), from_kwh=Decimal(200)),
    )
    one = tariff((model.ENERGY, "0.40"), (model.FLAT, "1"), discounts=discounts)
    visit = charge("2026-06-15T08:00:00Z", (60, {"kwh": 10}))
    prices = {
        "staff": rate(one, replace(visit, group="staff"), OCPI),
        "everybody": rate(one, visit, OCPI),
        "many": rate(one, replace(visit, month_kwh=Decimal(200)), OCPI),
    }
    assert {who: rated.net for who, rated in prices.items()} == {
        "staff": Decimal("4.00"),
        "everybody": Decimal("5.00"),
        "many": Decimal("4.60"),
    }
    line = next(line for line in prices["staff"].lines if line.dimension == model.ENERGY)
    assert "25 % off as employees" in why(line, prices["staff"], OCPI)
    assert next(line for line in prices["staff"].lines if line.dimension == model.FLAT).discount == ""


def test_a_discount_never_makes_a_price_negative() -> None:
    one = tariff((model.ENERGY, "0.40"), discounts=(Discount(name="gift", off=Decimal(1)),))
    assert rate(one, charge("2026-06-15T08:00:00Z", (60, {"kwh": 10})), OCPI).gross == 0


def test_the_tax_is_that_of_the_day_of_supply_in_the_local_year() -> None:
    one = tariff((model.ENERGY, "1"), tax_changes=(TaxChange(date(2027, 1, 1), Decimal(21)),))
    before = charge("2026-12-31T21:00:00Z", (90, {"kwh": 10}), zone="Europe/Berlin")
    after = charge("2026-12-31T22:00:00Z", (90, {"kwh": 10}), zone="Europe/Berlin")
    assert (rate(one, before, OCPI).gross, rate(one, after, OCPI).gross) == (Decimal("11.90"), Decimal("12.10"))


@pytest.mark.parametrize(
    ("starts", "seconds"), [(model.EV_STOPS, 1200), (model.EVSE_TOO, 3000), (model.CONNECTED, 6600)]
)
def test_idle_time_is_what_the_rule_says_and_the_first_of_it_is_free(starts: str, seconds: int) -> None:
    one = tariff((model.IDLE, "6"), idle=Idle(600, starts))
    visit = charge(
        "2026-06-15T08:00:00Z",
        (60, {"charging_s": 3600, "kwh": 5}),
        (30, {"withheld_s": 1800}),
        (30, {"idle_s": 1800}),
    )
    rated = rate(one, visit, OCPI)
    assert as_json(rated, OCPI)["billed"]["idle_s"] == seconds
    assert "the free idle time is taken off, once per charge" in why(rated.lines[0], rated, OCPI)


def test_free_idle_time_at_the_end_costs_something_else_over_a_change_of_price() -> None:
    night = Restrictions(start_minute=22 * 60, end_minute=6 * 60)
    one = Tariff(
        tariff_id="t",
        currency="EUR",
        elements=(
            Element((Component(model.IDLE, Decimal(1), VAT),), night),
            Element((Component(model.IDLE, Decimal(6), VAT),)),
        ),
        idle=Idle(1800),
    )
    visit = charge("2026-06-15T21:00:00Z", (60, {"idle_s": 3600}), (60, {"idle_s": 3600}))
    prices = [rate(one, visit, POLICIES[name]).net for name in ("per-component", "per-component-grace-end")]
    assert prices == [Decimal("4.00"), Decimal("6.50")]


def test_limits_hold_net_and_gross_and_the_tax_follows_where_one_side_is_open() -> None:
    visit = charge("2026-06-15T08:00:00Z", (60, {"kwh": 100}))
    apart = rate(tariff((model.ENERGY, "1"), max_price=Limit(Decimal(10), Decimal(11))), visit, OCPI)
    assert (apart.net, apart.gross, apart.limited) == (Decimal(10), Decimal(11), "max")
    carried = rate(tariff((model.ENERGY, "1"), max_price=Limit(Decimal(10))), visit, OCPI)
    assert (carried.net, carried.gross) == (Decimal(10), Decimal("11.90"))
    for rated in (apart, carried):
        assert sum(row["amount"] for row in taxes_of(rated)) == rated.gross - rated.net
    nothing = charge("2026-06-15T08:00:00Z", (60, {"kwh": 0}))
    least = rate(tariff((model.ENERGY, "1"), min_price=Limit(Decimal("0.50"))), nothing, OCPI)
    assert (least.net, least.gross, least.limited) == (Decimal("0.50"), Decimal("0.60"), "min")


def test_a_tiny_charge_is_free_by_a_stated_rule_even_under_a_least_price() -> None:
    one = tariff((model.ENERGY, "1"), min_price=Limit(Decimal(5)), minimum_wh=100, minimum_s=120)
    tiny = charge("2026-06-15T08:00:00Z", (1, {"kwh": "0.05"}))
    longer = charge("2026-06-15T08:00:00Z", (3, {"kwh": "0.05"}))
    assert (rate(one, tiny, OCPI).free, rate(one, tiny, OCPI).gross) == (BELOW_MINIMUM, Decimal(0))
    assert (rate(one, longer, OCPI).free, rate(one, longer, OCPI).net) == ("", Decimal(5))


def test_a_period_over_a_change_is_priced_as_it_began_and_noted_or_split() -> None:
    early = Restrictions(end_minute=17 * 60)
    one = Tariff(
        tariff_id="t",
        currency="EUR",
        elements=(
            Element((Component(model.ENERGY, Decimal("0.20"), VAT),), early),
            Element((Component(model.ENERGY, Decimal("0.40"), VAT),)),
        ),
    )
    visit = charge("2026-06-15T16:50:00Z", (40, {"kwh": 10}))
    begun, split = (rate(one, visit, POLICIES[name]) for name in ("ocpi", "ocpi-split"))
    assert (begun.net, split.net, split.notes) == (Decimal(2), Decimal("3.50"), ())
    assert begun.notes == ("period 1 outlasts its price of energy: all of it is priced as it began",)
    exact = charge("2026-06-15T16:50:00Z", (10, {"kwh": 5}), (30, {"kwh": 5}))
    assert rate(one, exact, OCPI).notes == ()


def test_no_time_is_billed_by_a_clock_that_may_not_be_billed_by() -> None:
    one = tariff((model.ENERGY, "1"), (model.TIME, "6"), (model.IDLE, "6"))
    visit = charge("2026-06-15T08:00:00Z", (60, {"kwh": 1, "charging_s": 3600}), time_billable=False)
    rated = rate(one, visit, OCPI)
    assert rated.net == Decimal(1)
    assert rated.notes == ("no time is billed: the clock may not be billed by",)


def test_taxes_stack_and_add_up() -> None:
    taxes = (Tax(Decimal(5), "Federal"), Tax(Decimal(3), "City"), Tax(Decimal(10), "State", 1))
    one = Tariff(tariff_id="t", currency="EUR", elements=(Element((Component(model.ENERGY, Decimal(1), taxes),)),))
    rated = rate(one, charge("2026-06-15T08:00:00Z", (60, {"kwh": 100})), OCPI)
    assert rated.gross == Decimal("118.80")
    amounts = {row["name"]: row["amount"] for row in taxes_of(rated)}
    assert amounts == {"Federal": Decimal(5), "City": Decimal(3), "State": Decimal("10.80")}


def test_a_holiday_and_a_place_have_prices_of_their_own() -> None:
    one = Tariff(
        tariff_id="t",
        currency="EUR",
        elements=(
            Element((Component(model.ENERGY, Decimal("0.1"), VAT),), Restrictions(holiday=True)),
            Element((Component(model.ENERGY, Decimal("0.6"), VAT),), Restrictions(power_classes=("DC",))),
            Element((Component(model.ENERGY, Decimal("0.4"), VAT),), Restrictions(locations=("yard",))),
        ),
    )
    visit = charge("2026-12-25T08:00:00Z", (60, {"kwh": 10}), location="yard", power_class="AC")
    christmas = replace(visit, holidays=(date(2026, 12, 25),))
    prices = [rate(one, which, OCPI).net for which in (visit, christmas, replace(visit, power_class="DC"))]
    assert prices == [4, 1, 6]


def test_a_price_that_cannot_be_known_is_never_nothing() -> None:
    visit = charge("2026-06-15T08:00:00Z", (60, {"kwh": 10}))
    lost = replace(visit, periods=(replace(visit.periods[0], tariff_id="gone"),))
    with pytest.raises(Unrated, match="priced by tariff gone"):
        rate(tariff((model.ENERGY, "1")), lost, OCPI)
    with pytest.raises(Unrated, match="in NOK"):
        rate(tariff((model.ENERGY, "1"), currency="NOK"), visit, OCPI)


def test_minutes_of_a_night_in_which_clocks_change_are_those_of_utc() -> None:
    """T08: 01:30 to 03:30 in Berlin lasts three hours in October and one in March."""
    one = tariff((model.TIME, "1"))
    for begin, hours in (("2026-10-24T23:30:00Z", 3), ("2027-03-28T00:30:00Z", 1)):
        visit = charge(begin, (hours * 60, {"charging_s": hours * 3600}), zone="Europe/Berlin")
        assert visit.end - visit.start == hours * HOUR
        assert rate(one, visit, POLICIES["ocpi-split"]).net == hours
