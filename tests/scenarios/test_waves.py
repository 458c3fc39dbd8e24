"""Waves: several sites on several working days, moved and unmoved ones side by side."""

from __future__ import annotations

import datetime
import tomllib
from typing import Any

import pytest
from msgspec.structs import replace

from scenarios import catalogue, working_days
from scenarios.load import load_scenario, make_scenario, sessions_path
from scenarios.model import LocalTime, Wave
from scenarios.runner import judge
from scenarios.stage import set_stage
from sim.clock import MINUTE, to_datetime, zone
from sim.errors import BadInput
from sim.evidence.verdict import Verdict

WAVE = {
    "sites": ["campus-4"],
    "date": datetime.date(2019, 6, 12),
    "start": "08:30",
    "deadline": "16:30",
    "pace": "20m",
    "drain_timeout": "15m",
    "stuck_after": "30m",
}


def data(*waves: dict[str, Any]) -> dict[str, Any]:
    day = tomllib.loads(catalogue.scenario_file("first-day").read_text("utf-8"))
    del day["move"]
    day["wave"] = [{**WAVE, **wave} for wave in waves]
    return day


def test_a_wave_on_the_day_itself_is_the_same_as_a_move() -> None:
    """The single [move] stays valid, and is one wave."""
    day = load_scenario("first-day")
    counts = {"campus-4": 11, "campus-2": 3}
    assert make_scenario(data({}), "x.toml").waves(counts) == day.waves(counts)


@pytest.mark.parametrize(
    ("change", "place", "word"),
    [
        ({"date": datetime.date(2019, 6, 15)}, "wave[0].date", "a Saturday"),
        ({"date": datetime.date(2019, 6, 10)}, "wave[0].date", "is not in the run"),
        ({"sites": ["campus-9"]}, "wave[0].sites", "there is no site"),
        ({"sites": []}, "wave[0].sites", "nothing moves"),
        ({"sites": ["campus-5"]}, "wave[0].sites", "already"),
        ({"sites": ["campus-4", "campus-4"]}, "wave[0].sites", "moves in wave[0] too"),
        ({"deadline": "08:00"}, "wave[0].deadline", "is not after"),
        ({"pace": "0s"}, "wave[0].pace", "no length"),
        ({"sites": ["campus-2"]}, "sites.campus-4.backend", "no wave names it"),
    ],
)
def test_a_wave_that_cannot_be_is_one_sentence(change: dict[str, Any], place: str, word: str) -> None:
    raw = data(change)
    raw["day"]["horizon"] = "5d"
    with pytest.raises(BadInput) as caught:
        make_scenario(raw, "x.toml")
    assert place in str(caught.value) and word in str(caught.value)


def test_a_public_holiday_is_no_working_day_and_is_named() -> None:
    """Whit Monday 2019 in Norway; the same Monday a week later is fine."""
    raw = data({"date": datetime.date(2019, 6, 10)})
    raw["day"].update(date=datetime.date(2019, 6, 10), horizon="9d")
    with pytest.raises(BadInput, match=r"2019-06-10 is (?!a )\w.* in NO"):
        make_scenario(raw, "x.toml")
    raw["wave"][0]["date"] = datetime.date(2019, 6, 17)
    make_scenario(raw, "x.toml")


def test_a_country_without_a_calendar_is_refused() -> None:
    raw = data({})
    raw["owners"]["fjordlading"]["country"] = "XX"
    with pytest.raises(BadInput, match="holidays of 'XX'"):
        make_scenario(raw, "x.toml")


@pytest.mark.parametrize(
    ("date", "country", "works"),
    [
        ((2024, 4, 1), "NO", False),  # Easter Monday
        ((2024, 4, 9), "NO", True),
        ((2024, 4, 16), "DE", True),
        ((2024, 5, 17), "NO", False),
        ((2024, 5, 17), "DE", True),
        ((2024, 4, 20), "DE", False),
    ],
)
def test_working_days_differ_by_country(date: tuple[int, int, int], country: str, works: bool) -> None:
    assert (working_days.why_not(datetime.date(*date), country) == "") is works


def test_both_a_move_and_waves_are_too_much() -> None:
    raw = data({})
    raw["move"] = tomllib.loads(catalogue.scenario_file("first-day").read_text("utf-8"))["move"]
    with pytest.raises(BadInput, match="either"):
        make_scenario(raw, "x.toml")


def two_waves() -> Any:
    raw = data({}, {"sites": ["campus-3", "laboratory-1F"], "date": datetime.date(2019, 6, 13), "pace": "7m"})
    raw["sites"]["campus-3"]["backend"] = "move"
    raw["day"]["horizon"] = "48h"
    return make_scenario(raw, "x.toml")


def test_each_turn_lies_in_the_working_day_of_its_own_wave_in_the_zone_of_its_site() -> None:
    day = two_waves()
    stage = set_stage(day, 1, sessions_path(day))
    assert [order.site for order in stage.moves] == ["campus-4", "campus-3", "laboratory-1F"]
    dates = {"campus-4": 12, "campus-3": 13, "laboratory-1F": 13}
    for order in stage.moves:
        name = day.owners[day.sites[order.site].owner].zone
        assert order.deadline is not None
        for station in order.stations:
            local = to_datetime(station.begin, zone(name))
            assert local.day == dates[order.site]
            assert 8 * 60 + 30 <= local.hour * 60 + local.minute <= 16 * 60 + 30
            assert station.begin < order.deadline


def test_two_days_of_waves_give_no_finding() -> None:
    """INV-26, INV-21, INV-22: three sites moved on two days, the others not, in one run."""
    day = two_waves().at_sites("campus-2", "campus-3", "campus-4", "campus-5", "laboratory-1F")
    played, results = judge(day, 1, sessions=sessions_path(day), repeat=False, wire="index")
    wrong = [(one.check, one.reason, one.findings[:2]) for one in results if one.verdict is Verdict.FAIL]
    assert wrong == []
    sites = played.evidence.rows("SELECT site, COUNT(*) AS n FROM truth_outcomes WHERE outcome = 'verified' GROUP BY 1")
    assert {row["site"] for row in sites} == {"campus-4", "campus-3", "laboratory-1F"}


def test_a_wave_has_the_same_wishes_as_a_move() -> None:
    day = load_scenario("first-day")
    wave = day.waves({"campus-4": 1})["campus-4"]
    assert isinstance(wave, Wave)
    assert (wave.start, wave.pace) == (LocalTime(510 * MINUTE), 20 * MINUTE)
    assert replace(wave, sites=()).date == day.day.date
