"""Rating against prices computed by hand, and its laws: more never costs less, and cutting a stretch changes
nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from reference_csms.pricing.rating import Cdr, Period, RatedCdr, RatingPolicy, half_up, rate
from reference_csms.pricing.tariffs import tariff_from_row
from sim.clock import HOUR, MINUTE, SECOND, Instant, parse_iso

TARIFF = tariff_from_row(
    {
        "tariff_id": "ac",
        "version": 1,
        "currency": "EUR",
        "vat_percent": "19",
        "energy": [
            {"from": "06:00", "to": "22:00", "price": "0.49"},
            {"from": "22:00", "to": "06:00", "price": "0.39"},
        ],
        "start_fee": "0.50",
        "idle_per_minute": "0.10",
        "idle_grace_s": 1800,
        "group_discounts": {"staff": "10"},
        "minimum_wh": 100,
    }
)
POLICY = RatingPolicy()


def cdr(begin: str, *stretches: tuple[int, str, bool], grp: str | None = None, billable: bool = True) -> Cdr:
    """A CDR from stretches of (ms, kWh, idle) one after the other."""
    at = parse_iso(begin)
    periods = []
    for lasts, kwh, idle in stretches:
        periods.append(Period(at, Instant(at + lasts), Decimal(kwh), idle))
        at = Instant(at + lasts)
    return Cdr(
        cdr_id="c-1",
        session_id="s-1",
        station="CS-1",
        connector=1,
        site="hall",
        id_tag="TOK",
        grp=grp,
        tariff_id="ac",
        tariff_version=1,
        currency="EUR",
        zone="Europe/Berlin",
        started_at=parse_iso(begin),
        stopped_at=at,
        kwh=sum((p.energy_kwh for p in periods), Decimal(0)),
        time_billable=billable,
        periods=tuple(periods),
    )


def amounts(rated: RatedCdr) -> list[tuple[str, int]]:
    return [(line.component, line.amount) for line in rated.lines]


def test_a_plain_day_session() -> None:
    """10 kWh x 0.49 = 4.90, start 0.50, gross 5.40; net 5.40/1.19 = 4.5378 -> 4.54, VAT 0.86."""
    rated = rate(cdr("2026-06-10T10:00:00Z", (HOUR, "10.000", False)), TARIFF, POLICY)
    assert amounts(rated) == [("energy", 490), ("start", 50)]
    assert (rated.gross, rated.net, rated.vat) == (540, 454, 86)


def test_a_session_over_the_evening_price_change_has_a_line_for_each_price() -> None:
    """21:00-22:00 local 7.400 kWh x 0.49 = 3.626 -> 3.63; 22:00-23:00 local 7.400 x 0.39 = 2.886 -> 2.89."""
    rated = rate(cdr("2026-06-10T19:00:00Z", (HOUR, "7.400", False), (HOUR, "7.400", False)), TARIFF, POLICY)
    assert amounts(rated) == [("energy", 363), ("energy", 289), ("start", 50)]
    assert [line.unit_price for line in rated.lines[:2]] == ["0.49", "0.39"]


def test_local_midnight_changes_nothing_inside_a_band_that_wraps_it() -> None:
    """22:00-06:00 is one band: 3 + 4 kWh at 0.39 form one line of 2.73."""
    rated = rate(cdr("2026-06-10T21:00:00Z", (HOUR, "3.000", False), (2 * HOUR, "4.000", False)), TARIFF, POLICY)
    assert amounts(rated) == [("energy", 273), ("start", 50)]


def test_the_price_of_a_stretch_is_that_of_its_start_in_local_time() -> None:
    """19:59 UTC is 21:59 in Berlin: the day price, though most of the stretch lies in the night."""
    rated = rate(cdr("2026-06-10T19:59:00Z", (HOUR, "1.000", False)), TARIFF, POLICY)
    assert rated.lines[0].unit_price == "0.49"


def test_stretches_of_equal_price_are_rounded_together_not_each() -> None:
    """3 x 0.010 kWh x 0.49 = 0.0147 -> 0.01; rounded each it would be 3 x 0.0049 -> 0.00."""
    tariff = replace(TARIFF, minimum_wh=0)
    rated = rate(cdr("2026-06-10T10:00:00Z", *[(MINUTE, "0.010", False)] * 3), tariff, POLICY)
    assert amounts(rated)[0] == ("energy", 1)


def test_the_night_price_on_the_night_the_clocks_go_back() -> None:
    """25 October 2026: 05:30 local is 04:30 UTC (winter time already), 06:00 local is 05:00 UTC."""
    night = rate(cdr("2026-10-25T04:30:00Z", (30 * MINUTE, "1.000", False)), TARIFF, POLICY)
    morning = rate(cdr("2026-10-25T05:00:00Z", (30 * MINUTE, "1.000", False)), TARIFF, POLICY)
    assert [one.lines[0].unit_price for one in (night, morning)] == ["0.39", "0.49"]


def test_the_night_price_on_the_night_the_clocks_go_forward() -> None:
    """28 March 2027: 05:59 local is 03:59 UTC, 06:00 local is 04:00 UTC."""
    night = rate(cdr("2027-03-28T03:59:00Z", (MINUTE, "1.000", False)), TARIFF, POLICY)
    morning = rate(cdr("2027-03-28T04:00:00Z", (MINUTE, "1.000", False)), TARIFF, POLICY)
    assert [one.lines[0].unit_price for one in (night, morning)] == ["0.39", "0.49"]


def test_idle_minutes_over_the_repeated_hour_are_utc_minutes() -> None:
    """T08: 23:00 UTC to 03:00 UTC are 4 h although local clocks show 01:00 to 04:00; 14400 - 1800 s at 0.10/min =
    21.00.
    """
    rated = rate(cdr("2026-10-24T22:00:00Z", (HOUR, "5.000", False), (4 * HOUR, "0", True)), TARIFF, POLICY)
    idle = next(line for line in rated.lines if line.component == "idle")
    assert (idle.quantity, idle.billed_quantity, idle.amount) == ("14400", "12600", 2100)


def test_a_group_discount_is_on_energy_only() -> None:
    """10 x 0.49 x 0.9 = 4.41; the start fee and idle time stay."""
    stretches = ((HOUR, "10.000", False), (HOUR, "0.000", True))
    rated = rate(cdr("2026-06-10T10:00:00Z", *stretches, grp="staff"), TARIFF, POLICY)
    assert amounts(rated) == [("energy", 441), ("start", 50), ("idle", 300)]
    assert rated.lines[0].discount_percent == "10"
    assert "staff" in rated.lines[0].reason


def test_grace_is_taken_once_from_the_sum_of_all_idle_time() -> None:
    """20 + 20 min idle: 2400 - 1800 = 600 s at 0.10/min = 1.00; taken twice it would be nothing."""
    stretches = ((HOUR, "5.000", False), (20 * MINUTE, "0", True), (HOUR, "5.000", False), (20 * MINUTE, "0", True))
    rated = rate(cdr("2026-06-10T10:00:00Z", *stretches), TARIFF, POLICY)
    assert amounts(rated)[-1] == ("idle", 100)


def test_idle_time_is_cut_to_whole_seconds_before_grace() -> None:
    """1800.999 s are 1800 s: nothing; 1801.000 s are one second: 0.10/60 = 0.0017 -> 0.00, yet a line."""
    for ms, expected in ((1800_999, None), (1801_000, 0), (1803_000, 1)):
        rated = rate(cdr("2026-06-10T10:00:00Z", (HOUR, "5.000", False), (ms, "0", True)), TARIFF, POLICY)
        found = [line.amount for line in rated.lines if line.component == "idle"]
        assert found == ([] if expected is None else [expected])


def test_idle_time_is_free_where_the_clock_may_not_be_used() -> None:
    """T10: no time component from a station whose clock is not approved for it."""
    stretches = ((HOUR, "5.000", False), (5 * HOUR, "0", True))
    rated = rate(cdr("2026-06-10T10:00:00Z", *stretches, billable=False), TARIFF, POLICY)
    assert [line.component for line in rated.lines] == ["energy", "start"]


def test_less_than_the_minimum_is_free_with_a_reason() -> None:
    """B12: free sessions carry their reason; B11: never silently."""
    rated = rate(cdr("2026-06-10T10:00:00Z", (HOUR, "0.099", False)), TARIFF, POLICY)
    assert (rated.free, rated.gross, rated.net, rated.vat) == ("below-minimum", 0, 0, 0)
    assert rated.lines[0].reason.startswith("below-minimum")
    assert rate(cdr("2026-06-10T10:00:00Z", (HOUR, "0.100", False)), TARIFF, POLICY).free is None


def test_zero_fees_make_no_lines() -> None:
    tariff = replace(TARIFF, start_fee=Decimal(0), idle_per_minute=Decimal(0))
    rated = rate(cdr("2026-06-10T10:00:00Z", (HOUR, "1.000", False), (5 * HOUR, "0", True)), tariff, POLICY)
    assert [line.component for line in rated.lines] == ["energy"]


def test_currencies_without_minor_units_are_rounded_to_the_whole() -> None:
    tariff = replace(TARIFF, currency="JPY", vat_percent=Decimal(10), start_fee=Decimal(0))
    rated = rate(cdr("2026-06-10T10:00:00Z", (HOUR, "10.000", False)), tariff, POLICY)
    assert (rated.gross, rated.net, rated.vat) == (5, 5, 0)


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ValueError, match="bankers"):
        rate(cdr("2026-06-10T10:00:00Z", (HOUR, "1.000", False)), TARIFF, RatingPolicy(name="bankers"))


@pytest.mark.parametrize(
    ("value", "divisor", "expected"),
    [("0.5", 1, 1), ("1.5", 1, 2), ("2.4999", 1, 2), ("2.5", 1, 3), ("1", 2, 1), ("1", 3, 0), ("2", 3, 1), ("0", 7, 0)],
)
def test_half_up_is_half_up_and_not_to_even(value: str, divisor: int, expected: int) -> None:
    assert half_up(Decimal(value), divisor) == expected


kwhs = st.integers(0, 80_000).map(lambda wh: Decimal(wh).scaleb(-3))
stretches = st.lists(st.tuples(st.integers(1, 6 * HOUR), kwhs, st.booleans()), min_size=1, max_size=6)
starts = st.integers(0, 400 * 24 * 60).map(lambda m: Instant(parse_iso("2026-01-01T00:00:00Z") + m * MINUTE))
groups = st.sampled_from((None, "staff", "other"))


def _cdr(start: Instant, parts: Sequence[tuple[int, Decimal, bool]], grp: str | None) -> Cdr:
    shaped: list[Any] = [(ms, str(Decimal(0) if idle else kwh), idle) for ms, kwh, idle in parts]
    base = cdr("2026-01-01T00:00:00Z", *shaped, grp=grp)
    shift = start - base.started_at
    periods = tuple(replace(p, start=Instant(p.start + shift), end=Instant(p.end + shift)) for p in base.periods)
    return replace(base, started_at=start, stopped_at=Instant(base.stopped_at + shift), periods=periods)


@given(starts, stretches, groups)
def test_lines_sum_to_gross_and_gross_is_net_plus_vat(start: Instant, parts: Any, grp: str | None) -> None:
    """INV-33: the sum of the rounded lines is the total, and VAT is what is left of it."""
    rated = rate(_cdr(start, parts, grp), TARIFF, POLICY)
    assert rated.gross == sum(line.amount for line in rated.lines) == rated.net + rated.vat
    assert 0 <= rated.vat <= rated.gross
    assert abs(rated.net * 119 - rated.gross * 100) * 2 <= 119


@given(starts, stretches, groups, st.integers(0, 5), st.integers(0, 50_000))
def test_more_energy_never_costs_less(start: Instant, parts: Any, grp: str | None, n: int, wh: int) -> None:
    """T05 for energy."""
    less = _cdr(start, parts, grp)
    n %= len(less.periods)
    more_kwh = Decimal(wh).scaleb(-3)
    grown = replace(less.periods[n], energy_kwh=less.periods[n].energy_kwh + more_kwh)
    more = replace(less, kwh=less.kwh + more_kwh, periods=(*less.periods[:n], grown, *less.periods[n + 1 :]))
    assert rate(more, TARIFF, POLICY).gross >= rate(less, TARIFF, POLICY).gross


@given(starts, stretches, groups, st.integers(0, 10 * HOUR))
def test_more_idle_time_never_costs_less(start: Instant, parts: Any, grp: str | None, ms: int) -> None:
    """T05 for time."""
    less = _cdr(start, parts, grp)
    last = less.periods[-1]
    more = replace(less, periods=(*less.periods, Period(last.end, Instant(last.end + ms), Decimal(0), True)))
    assert rate(more, TARIFF, POLICY).gross >= rate(less, TARIFF, POLICY).gross


@given(starts, stretches, groups, st.integers(0, 5), st.integers(1, 99), st.integers(0, 100))
def test_cutting_a_stretch_without_a_price_change_keeps_the_cost(
    start: Instant, parts: Any, grp: str | None, n: int, cut: int, share: int
) -> None:
    """T06: split anywhere the price is the same, share the energy out in any way."""
    whole = _cdr(start, parts, grp)
    tariff = replace(TARIFF, bands=(replace(TARIFF.bands[0], start=0, end=0),))
    period = whole.periods[n % len(whole.periods)]
    middle = Instant(period.start + (period.end - period.start) * cut // 100)
    first_kwh = (period.energy_kwh * share / 100).quantize(Decimal("0.001"))
    halves = (
        replace(period, end=middle, energy_kwh=first_kwh),
        replace(period, start=middle, energy_kwh=period.energy_kwh - first_kwh),
    )
    k = n % len(whole.periods)
    split = replace(whole, periods=(*whole.periods[:k], *halves, *whole.periods[k + 1 :]))
    assert amounts(rate(split, tariff, POLICY)) == amounts(rate(whole, tariff, POLICY))


@given(starts, stretches)
def test_a_discount_never_costs_more_and_is_never_negative(start: Instant, parts: Any) -> None:
    """T09."""
    full, staff = (rate(_cdr(start, parts, grp), TARIFF, POLICY) for grp in (None, "staff"))
    assert 0 <= staff.gross <= full.gross


def test_rating_reads_the_local_time_by_its_policy() -> None:
    """The part `local_time` is what decides between day and night."""
    utc = RatingPolicy(local_minute=lambda instant, zone: instant // MINUTE % 1440)
    session = cdr("2026-06-10T20:30:00Z", (HOUR, "1.000", False))
    assert rate(session, TARIFF, POLICY).lines[0].unit_price == "0.39"
    assert rate(session, TARIFF, utc).lines[0].unit_price == "0.49"


def test_seconds_are_thousands_of_milliseconds() -> None:
    assert cdr("2026-06-10T10:00:00Z", (90 * SECOND, "0", True)).idle_seconds == 90
