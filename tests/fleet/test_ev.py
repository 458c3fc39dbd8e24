"""An EV draws constant power until its energy is in, and knows to the millisecond when that is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.ev import Ev
from fleet.meter import WMS_PER_WH


def test_it_never_draws_more_than_the_station_offers_or_than_it_can() -> None:
    ev = Ev(1000, 7000)
    assert (ev.draw(22_000), ev.draw(3_700)) == (7000, 3700)


@given(st.integers(1, 100_000), st.integers(1, 22_000))
def test_it_is_full_at_the_first_millisecond_that_suffices(energy_wh: int, power_w: int) -> None:
    ev = Ev(energy_wh, power_w)
    full = ev.full_at(0, power_w)
    assert power_w * full >= energy_wh * WMS_PER_WH > power_w * (full - 1)


def test_what_went_in_is_counted_in_whole_watt_hours() -> None:
    ev = Ev(10, 1000)
    ev.take(WMS_PER_WH * 3 + 5)
    assert (ev.delivered_wh, ev.hungry, ev.left_wms) == (3, True, WMS_PER_WH * 7 - 5)
    ev.take(ev.left_wms)
    assert (ev.delivered_wh, ev.hungry, ev.draw(1000)) == (10, False, 0)


def test_more_energy_than_wanted_is_our_own_mistake() -> None:
    with pytest.raises(ValueError, match="more energy"):
        Ev(1, 1).take(WMS_PER_WH + 1)
    with pytest.raises(ValueError, match="wants neither"):
        Ev(-1, 1)


def test_an_ev_that_wants_nothing_is_not_hungry() -> None:
    assert not Ev(0, 7000).hungry
