"""Tariffs are read exactly, cover the day once, and change price at the right UTC minute."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_csms.pricing.tariffs import (
    Tariff,
    change_times,
    local_minute,
    tariff_from_row,
    tariff_to_row,
    version_at,
)
from sim.clock import DAY, parse_iso
from sim.errors import BadInput

ROW: dict[str, Any] = {
    "tariff_id": "ac",
    "version": 3,
    "currency": "EUR",
    "vat_percent": "19",
    "prices_include_vat": True,
    "energy": [{"from": "06:00", "to": "22:00", "price": "0.49"}, {"from": "22:00", "to": "06:00", "price": "0.39"}],
    "start_fee": "0.50",
    "idle_per_minute": "0.10",
    "idle_grace_s": 1800,
    "group_discounts": {"staff": "10"},
    "minimum_wh": 100,
}


def day(text: str) -> int:
    return parse_iso(f"{text}T00:00:00Z") // DAY


def price_at(tariff: Tariff, minute: int) -> Decimal:
    return next(band.price for band in tariff.bands if band.holds(minute))


def test_prices_are_exact_decimals_by_minute_of_the_day() -> None:
    tariff = tariff_from_row(ROW)
    assert [price_at(tariff, minute) for minute in (0, 359, 360, 1319, 1320)] == [
        Decimal(text) for text in ("0.39", "0.39", "0.49", "0.49", "0.39")
    ]
    assert tariff.group_discounts == {"staff": Decimal(10)}


def test_a_tariff_goes_to_a_row_and_back_without_loss() -> None:
    tariff = tariff_from_row(ROW)
    assert tariff_from_row(tariff_to_row(tariff)) == tariff


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"currency": None}, "currency"),
        ({"energy": []}, "energy"),
        ({"energy": [{"from": "06:00", "to": "22:00", "price": "0.49"}]}, "energy"),
        ({"energy": [*ROW["energy"], {"from": "10:00", "to": "11:00", "price": "1"}]}, "energy"),
        ({"energy": [{"from": "6:00", "to": "06:00", "price": "0.49"}]}, "energy[0].from"),
        ({"energy": [{"from": "25:00", "to": "06:00", "price": "0.49"}]}, "energy[0].from"),
        ({"energy": [{"from": "00:00", "to": "24:00", "price": 0.49}]}, "energy[0].price"),
        ({"energy": [{"from": "00:00", "to": "24:00", "price": "-1"}]}, "energy[0].price"),
        ({"energy": [{"from": "00:00", "to": "24:00", "price": "NaN"}]}, "energy[0].price"),
        ({"start_fee": "free"}, "start_fee"),
        ({"group_discounts": {"staff": "101"}}, "group_discounts.staff"),
        ({"minimum_wh": -1}, "minimum_wh"),
        ({"version": "x"}, "version"),
        ({"prices_include_vat": False}, "prices_include_vat"),
    ],
)
def test_a_wrong_tariff_is_one_sentence_with_its_place(change: dict[str, Any], place: str) -> None:
    with pytest.raises(BadInput) as caught:
        tariff_from_row({**ROW, **change}, "sheet.toml")
    assert caught.value.place == f"ac.{place}"
    assert str(caught.value).startswith("sheet.toml, ac.")


def test_the_version_that_became_valid_last_is_in_force() -> None:
    """T02: the tariff valid at the start counts."""
    old, new = (tariff_from_row({**ROW, "version": n, "valid_from": at}) for n, at in ((1, 0), (2, 1000)))
    assert version_at([new, old], 999) is old
    assert version_at([new, old], 1000) is new
    assert version_at([new], 999) is None


def test_prices_change_at_utc_times_of_the_owners_zone() -> None:
    bands = tariff_from_row(ROW).bands
    assert change_times(bands, "Europe/Berlin", day("2026-06-10")) == ("04:00", "20:00")
    assert change_times(bands, "Europe/Berlin", day("2026-12-10")) == ("05:00", "21:00")
    assert change_times(bands, "America/Los_Angeles", day("2026-06-10")) == ("05:00", "13:00")


def test_a_tariff_without_bands_of_different_price_changes_never() -> None:
    flat = tariff_from_row({**ROW, "energy": [{"from": "00:00", "to": "00:00", "price": "0.40"}]})
    assert change_times(flat.bands, "Europe/Berlin", day("2026-06-10")) == ()


def test_a_price_change_in_the_repeated_hour_happens_three_times() -> None:
    """25 October 2026: Berlin lives 02:00 to 03:00 twice, so a change at 02:30 goes there, back and there again."""
    row = {
        **ROW,
        "energy": [{"from": "00:00", "to": "02:30", "price": "1"}, {"from": "02:30", "to": "00:00", "price": "2"}],
    }
    times = change_times(tariff_from_row(row).bands, "Europe/Berlin", day("2026-10-25"))
    assert times == ("00:30", "01:00", "01:30", "23:00")


def test_a_price_change_in_the_missing_hour_happens_when_the_clock_jumps() -> None:
    """28 March 2027: Berlin has no 02:30; at 01:00 UTC the clock shows 03:00."""
    row = {
        **ROW,
        "energy": [{"from": "00:00", "to": "02:30", "price": "1"}, {"from": "02:30", "to": "00:00", "price": "2"}],
    }
    assert change_times(tariff_from_row(row).bands, "Europe/Berlin", day("2027-03-28")) == ("01:00", "22:00")


@given(st.integers(0, 10**6))
def test_change_times_are_the_minutes_where_the_price_differs_from_the_minute_before(minutes: int) -> None:
    bands = tariff_from_row(ROW).bands
    at = minutes * 60_000 + parse_iso("2026-01-01T00:00:00Z")
    now, before = (price_at(tariff_from_row(ROW), local_minute(t, "Europe/Berlin")) for t in (at, at - 60_000))
    clock = f"{at % DAY // 3_600_000:02d}:{at % 3_600_000 // 60_000:02d}"
    assert (now != before) == (clock in change_times(bands, "Europe/Berlin", at // DAY))
