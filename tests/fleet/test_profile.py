"""Vendor profiles: strict, neutral, and one sentence for every mistake in them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fleet.profile import StationProfile, load_profile, profile_names, read_profile
from fleet.quirks import QUIRKS
from fleet.station.keys import STANDARD
from fleet.station.keys import TWO as SETTINGS_TWO
from sim.errors import BadInput

GOOD = """
name = "mine"
title = "a station"
sources = []
[boot]
vendor = "V"
model = "M"
firmware = "1"
[clock]
letter = "S"
time_billing = "absolute"
[migration]
route = "vendor_cloud"
[meter]
records = "single"
"""


def test_six_neutral_profiles_walk_six_routes_and_forget_different_things() -> None:
    profiles = [profile for name in profile_names() if (profile := load_profile(name)).version == "1.6"]
    assert [profile.name for profile in profiles] == [
        "ac-cloud", "ac-compact", "ac-duo", "ac-image", "ac-swift", "ac-yard",
    ]  # fmt: skip
    routes = {(profile.migration.route, profile.migration.applies) for profile in profiles}
    assert len(routes) == 6
    assert len({profile.memory.volatile for profile in profiles}) >= 4
    assert all(profile.sources for profile in profiles)
    assert {profile.clock.letter for profile in profiles} == {"S", "R", "I"}
    assert all(profile.boot.vendor == "Neutral Works" for profile in profiles)


def test_time_may_be_billed_only_where_the_clock_letter_allows_it() -> None:
    allowed = {"S": ("none", "duration", "absolute"), "R": ("none", "duration"), "I": ("none",)}
    for name in profile_names():
        clock = load_profile(name).clock
        assert clock.time_billing in allowed[clock.letter]


@pytest.mark.parametrize("name", profile_names())
def test_every_quirk_of_a_profile_is_known_and_names_its_source(name: str) -> None:
    for choice in load_profile(name).quirks:
        assert choice.name in QUIRKS
        assert choice.sources and set(choice.sources) <= set(QUIRKS[choice.name].sources)


def test_every_known_quirk_has_a_source_and_a_sentence() -> None:
    assert all(quirk.sources and quirk.what for quirk in QUIRKS.values())


def test_a_profile_is_frozen() -> None:
    with pytest.raises(AttributeError):
        load_profile("ac-duo").name = "other"  # type: ignore[misc]


def test_a_profile_of_ones_own_is_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(GOOD)
    assert load_profile(str(file)).name == "mine"
    with pytest.raises(BadInput, match="no such file"):
        load_profile(str(tmp_path / "other.toml"))


def test_an_unknown_profile_is_one_sentence_with_what_is_allowed() -> None:
    with pytest.raises(BadInput) as caught:
        load_profile("ac-nothing")
    assert (
        str(caught.value) == "profile: no profile is called 'ac-nothing'; allowed: " + ", ".join(profile_names()) + "."
    )


@pytest.mark.parametrize(
    ("text", "place", "problem", "allowed"),
    [
        (GOOD + "[oops", "", "is no TOML", "a profile in TOML"),
        ("colour = 1\n" + GOOD, "colour", "no such key", "title"),
        (GOOD + "wide = 3\n", "meter.wide", "no such key", "records"),
        (GOOD.replace('"S"', '"X"'), "clock.letter", "Invalid enum value 'X'", "S, R, I"),
        (GOOD.replace('"M"', "5"), "boot.model", "Expected `str`", ""),
        (GOOD.replace('firmware = "1"', ""), "boot", "missing required field `firmware`", ""),
        (GOOD + '[[quirks]]\nname = "sings"\nsources = ["a/b#1"]\n', "quirks[1].name", "'sings'", "eager-status"),
        (GOOD + '[[quirks]]\nname = "eager-status"\n', "quirks[0]", "missing required field `sources`", ""),
        (
            GOOD + '[configuration]\nSparkles = "1"\n',
            "configuration.Sparkles",
            "no configuration key",
            "HeartbeatInterval",
        ),
        (
            GOOD + '[configuration]\nConnectionTimeOut = "-1"\n',
            "configuration.ConnectionTimeOut",
            "'-1' is no whole",
            "'180'",
        ),
        (GOOD.replace("vendor_cloud", "vendor_key"), "migration.url_key", "needs one", "the name of a key"),
        (GOOD + "[reconnect]\nwait_min_s = 0\n", "reconnect.wait_min_s", "0 is too small", "1 or more"),
    ],
)
def test_a_mistake_in_a_profile_names_file_key_and_what_is_allowed(
    text: str, place: str, problem: str, allowed: str
) -> None:
    with pytest.raises(BadInput) as caught:
        read_profile(text, "mine.toml")
    assert caught.value.file == "mine.toml"
    assert caught.value.place == place
    assert problem in caught.value.problem
    assert allowed in caught.value.allowed
    assert "\n" not in str(caught.value)


def test_every_default_of_the_key_table_is_a_value_it_accepts() -> None:
    for key in STANDARD.values():
        key.parse(key.default)


def test_a_profile_round_trips_as_plain_data() -> None:
    profile = load_profile("ac-compact")
    assert msgspec.convert(msgspec.to_builtins(profile), StationProfile) == profile


TWO = GOOD.replace('name = "mine"', 'name = "mine"\nversion = "2.0.1"').replace('"single"', '"separate"')


def test_a_profile_of_2_0_1_names_variables_and_a_station_reads_settings() -> None:
    profile = read_profile(TWO + '[configuration]\n"SampledDataCtrlr.TxUpdatedInterval" = "20"\n', "mine.toml")
    assert (profile.version, profile.settings) == ("2.0.1", {"MeterValueSampleInterval": "20"})
    assert load_profile("ac-nova").version == "2.0.1" and load_profile("ac-duo").version == "1.6"


@pytest.mark.parametrize(
    ("text", "place", "problem", "allowed"),
    [
        (TWO.replace("2.0.1", "2.1"), "version", "Invalid enum", "1.6, 2.0.1"),
        (TWO.replace('"separate"', '"single"'), "meter.records", "2,500 characters", "separate"),
        (TWO.replace("vendor_cloud", "firmware"), "migration.route", "no route firmware", "network_profile"),
        (
            TWO + '[configuration]\nHeartbeatInterval = "1"\n',
            "configuration.HeartbeatInterval",
            "no variable",
            "TxCtrlr",
        ),
        (
            TWO + '[configuration]\n"TxCtrlr.EVConnectionTimeOut" = "soon"\n',
            "configuration.TxCtrlr.EVConnectionTimeOut",
            "'soon' is no whole number",
            "'180'",
        ),
        (
            TWO + '[[quirks]]\nname = "eager-status"\nsources = ["a/b#1"]\n',
            "quirks[1].name",
            "is one of 1.6, not 2.0.1",
            "no such quirk",
        ),
    ],
)
def test_a_mistake_in_a_profile_of_2_0_1_is_named_as_well(text: str, place: str, problem: str, allowed: str) -> None:
    with pytest.raises(BadInput) as caught:
        read_profile(text, "mine.toml")
    assert caught.value.place == place
    assert problem in caught.value.problem
    assert allowed in caught.value.allowed


def test_every_default_of_the_settings_of_2_0_1_is_a_value_they_accept() -> None:
    for key in SETTINGS_TWO.values():
        key.parse(key.default)
