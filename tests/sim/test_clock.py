"""Time as whole milliseconds: texts, zones, durations."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim import clock

INSTANTS = st.integers(-62_135_596_800_000, 253_402_300_799_999)  # the years 1 to 9999


@settings(deadline=None)
@given(INSTANTS)
def test_an_instant_survives_its_text(instant: int) -> None:
    assert clock.parse_iso(clock.iso(instant)) == instant


@settings(deadline=None)
@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), st.integers(-840, 840))
def test_the_same_moment_in_another_zone_is_the_same_instant(naive: datetime, offset: int) -> None:
    moment = naive.replace(tzinfo=UTC)
    elsewhere = moment.astimezone(timezone(timedelta(minutes=offset)))
    assert clock.from_datetime(elsewhere) == clock.from_datetime(moment)
    assert clock.parse_iso(elsewhere.isoformat()) == clock.from_datetime(moment)


def test_texts_are_utc_with_three_fraction_digits() -> None:
    assert clock.iso(0) == "1970-01-01T00:00:00.000Z"
    assert clock.iso(1_560_322_800_007) == "2019-06-12T07:00:00.007Z"
    assert clock.iso(-1) == "1969-12-31T23:59:59.999Z"


def test_years_before_1000_keep_their_four_digits() -> None:
    assert clock.iso(clock.parse_iso("0001-01-01T00:00:00Z")) == "0001-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    "text",
    [
        "2019-06-12T07:00:00Z",
        "2019-06-12T07:00:00.0Z",
        "2019-06-12T07:00:00.000000000Z",
        "2019-06-12T09:00:00+02:00",
        "2019-06-12T00:00:00-07:00",
        "2019-06-12t07:00:00.000z",
    ],
)
def test_all_spellings_of_rfc_3339_are_read(text: str) -> None:
    assert clock.parse_iso(text) == 1_560_322_800_000


def test_fractions_are_cut_to_the_millisecond() -> None:
    assert clock.parse_iso("2019-06-12T07:00:00.0079Z") == 1_560_322_800_007
    assert clock.parse_iso("1969-12-31T23:59:59.9999Z") == -1


@pytest.mark.parametrize(
    "text",
    ["", "now", "2019-06-12", "2019-06-12T07:00:00", "2019-02-30T07:00:00Z", "0001-01-01T00:00:00+23:59", "12.6.2019"],
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        clock.parse_iso(text)


def test_a_zone_is_known_by_its_name() -> None:
    local = clock.to_datetime(1_560_322_800_000, clock.zone("Europe/Berlin"))
    assert local.isoformat() == "2019-06-12T09:00:00+02:00"
    assert clock.to_datetime(1_560_322_800_000).tzinfo is UTC


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../etc/passwd"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(ValueError):
        clock.zone(name)


@pytest.mark.parametrize(
    ("text", "milliseconds"),
    [("250ms", 250), ("90s", 90_000), ("5m", 300_000), ("1h30m", 5_400_000), ("2d", 172_800_000), ("0.5h", 1_800_000)],
)
def test_durations_are_read(text: str, milliseconds: int) -> None:
    assert clock.parse_duration(text) == milliseconds


@pytest.mark.parametrize("text", ["", "5", "m", "5 minutes", "-5m", "1.2.3s", "5m.s", "."])
def test_other_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        clock.parse_duration(text)
