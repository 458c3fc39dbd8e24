"""Scenarios from TOML: the packaged ones load; a mistake is one sentence with file, key path and what is allowed."""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from scenarios import catalogue
from scenarios.load import load_scenario, make_scenario, sessions_path, with_sessions
from scenarios.model import LARGEST, Duration, hhmm, plain
from sim.clock import HOUR, iso
from sim.errors import BadInput

BANDS = [{"from": "00:00", "to": "12:00", "price": "1"}, {"from": "12:00", "to": "00:00", "price": "2"}]
FIRST_DAY = tomllib.loads(catalogue.scenario_file("first-day").read_text("utf-8"))


def refused(change: Callable[[dict[str, Any]], object]) -> BadInput:
    """The complaint about first-day after this change."""
    data = copy.deepcopy(FIRST_DAY)
    change(data)
    with pytest.raises(BadInput) as caught:
        make_scenario(data, "my-day.toml")
    assert caught.value.file == "my-day.toml"
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("name", list(catalogue.scenarios()))
def test_packaged_scenarios_load_under_their_own_name(name: str) -> None:
    scenario = load_scenario(name)
    assert scenario.name == name
    assert sessions_path(scenario).is_file()


def test_a_scenario_survives_being_written_and_read_again() -> None:
    """`plain` writes what a user would have written: the manifest holds a scenario that can be run again."""
    scenario = load_scenario("first-day")
    data = plain(scenario)
    assert make_scenario(data, "again.toml") == scenario


def test_the_first_day_is_a_wednesday_from_local_midnight() -> None:
    day = load_scenario("first-day").day
    assert f"{day.date:%A}" == "Wednesday"
    assert iso(day.start) == "2019-06-11T22:00:00.000Z"
    assert day.end - day.start == day.horizon + day.settle


def test_every_kind_of_fault_has_its_keys_and_its_deed() -> None:
    assert list(catalogue.FAULT_KEYS) == list(catalogue.faults())


def test_a_tampering_is_one_that_has_a_name() -> None:
    data = copy.deepcopy(FIRST_DAY)
    data["fault"] = [{"kind": "meter.tamper", "at": "09:30", "how": "signature-sloppy", "where": {"share": 0.02}}]
    assert make_scenario(data, "x.toml").fault[0].how == "signature-sloppy"
    data["fault"][0]["how"] = "signature-slopy"
    with pytest.raises(BadInput, match="signature-sloppy"):
        make_scenario(data, "x.toml")
    data["fault"] = [{"kind": "link.reset", "at": "09:30", "how": "signature-sloppy"}]
    with pytest.raises(BadInput, match="no such key"):
        make_scenario(data, "x.toml")


def test_claims_name_all_checks_of_the_first_day() -> None:
    scenario = load_scenario("first-day")
    assert {name for claim in scenario.claims for name in claim.checks} == set(scenario.checks.all_of)


def test_a_claim_may_be_only_its_sentence_and_a_moment_one_time() -> None:
    data = copy.deepcopy(FIRST_DAY)
    data["claims"] = ["nothing is lost"]
    data["fault"] = [{"kind": "link.stall", "at": "09:30", "lasts": "90s"}]
    scenario = make_scenario(data, "short.toml")
    assert scenario.claims[0].says == "nothing is lost"
    window = scenario.fault[0].at
    assert window is not None and hhmm(window.from_) == hhmm(window.to) == "09:30"
    assert scenario.fault[0].lasts == Duration(90_000)


def test_unknown_sites_go_round_the_default_owners() -> None:
    scenario = load_scenario("first-day")
    sites = scenario.sites_for(["west", "campus-4", "east", "north"])
    assert list(sites) == ["west", "campus-4", "east", "north"]
    assert [sites[name].owner for name in ("east", "north", "west")] == list(scenario.default_owners)
    assert [sites[name].backend for name in ("east", "north", "west")] == list(scenario.default_backends)
    assert scenario.tariff_of(sites["east"]).tariff_id == scenario.owners[scenario.default_owners[0]].tariff


def test_the_format_of_a_duration_is_told_once() -> None:
    for text in ("soon", "", "5 minutes"):
        bad = refused(lambda d, text=text: d["day"].update(settle=text))
        assert str(bad).count("90s") == 1 and bad.allowed.startswith("a duration")


def test_the_largest_legacy_site_moves_where_the_named_one_is_missing() -> None:
    scenario = load_scenario("first-day")
    assert scenario.moving_site({"campus-4": 2, "east": 9}) == "campus-4"
    assert scenario.moving_site({"a": 4, "b": 9, "c": 30}) == "b"  # c goes to the new back-end by default


def test_baits_can_be_taken_out_of_a_day() -> None:
    scenario = load_scenario("first-day").without_faults("meter.tamper")
    assert "meter.tamper" not in {fault.kind for fault in scenario.fault}
    assert scenario.fault


MISTAKES: list[tuple[Callable[[dict[str, Any]], object], str, str]] = [
    (lambda d: d.update(colour="red"), "colour", "the keys app, budgets, checks"),
    (lambda d: d["fleet"].update(hartbeat_s=3), "fleet.hartbeat_s", "did you mean heartbeat_s"),
    (lambda d: d["day"].pop("date"), "day.date", "2019-06-12"),
    (lambda d: d["day"].update(date="12 June"), "day.date", "a date without quotes"),
    (lambda d: d["day"].update(date=date(1969, 12, 31)), "day.date", "1970-01-01 to 2100-12-31"),
    (lambda d: d["day"].update(date=date(2101, 1, 1)), "day.date", "1970-01-01 to 2100-12-31"),
    (lambda d: d["day"].update(date=date.min), "day.date", "1970-01-01 to 2100-12-31"),
    (lambda d: d["day"].update(date=date.max), "day.date", "1970-01-01 to 2100-12-31"),
    (lambda d: d["day"].update(settle="101d"), "day.settle", "100d"),
    (lambda d: d["day"].update(days=31), "day.days", "1 to 30"),
    (lambda d: d["day"].update(days=2), "day.horizon", "more than 48h"),
    (lambda d: d["fleet"].update(rest_after="-1h"), "fleet.rest_after", "90s"),
    (lambda d: d["day"].update(horizon="24 hours"), "day.horizon", "1h30m"),
    (lambda d: d["day"].update(horizon="20h"), "day.horizon", "more than 24h"),
    (lambda d: d["day"].update(zone="Europe/Olso"), "day.zone", "IANA"),
    (lambda d: d["sessions"].update(file="nowhere.csv"), "sessions.file", "acn-2019-june.csv"),
    (lambda d: d["sessions"].update(columns={"begin": "x"}), "sessions.columns.begin", "start"),
    (lambda d: d["fleet"].update(profiles={"ac-unknown": 1.0}), "fleet.profiles.ac-unknown", "ac-duo"),
    (lambda d: d["fleet"].update(profiles={"ac-duo": 0.5}), "fleet.profiles", "exactly 1"),
    (lambda d: d["fleet"].update(profiles={"ac-nova": 1.0}), "fleet.profiles.ac-nova", "a profile of 1.6"),
    (lambda d: d["sites"]["campus-4"].update(profile="ac-nova"), "sites.campus-4.profile", "a profile of 1.6"),
    (lambda d: d["fleet"].update(heartbeat_s=0), "fleet.heartbeat_s", "1 or more"),
    (lambda d: d["fleet"].update(sample_s=2.5), "fleet.sample_s", "a whole number"),
    (lambda d: d["groups"].update(staff=1.25), "groups.staff", "from 0 to 1"),
    (lambda d: d["app"].update(share="half"), "app.share", "a number"),
    (lambda d: d["owners"]["stadtwerk"].update(currency="NOK"), "owners.stadtwerk.currency", "EUR"),
    (lambda d: d["app"].update(share=0.24), "app.share", "at least a quarter"),
    (lambda d: d["app"].update(share=1.5), "app.share", "from 0.25 to 1"),
    (lambda d: d["owners"]["stadtwerk"].update(currency="JPY"), "owners.stadtwerk.currency", "two decimals: AUD"),
    (lambda d: d["owners"]["stadtwerk"].update(currency="eur"), "owners.stadtwerk.currency", "EUR"),
    (lambda d: d["owners"]["stadtwerk"].update(currency=""), "owners.stadtwerk.currency", "EUR"),
    (lambda d: d["tariff"][0].update(currency="KWD"), "tariff[0].currency", "two decimals"),
    (lambda d: d["owners"]["stadtwerk"].update(vat_percent=19), "owners.stadtwerk.vat_percent", "in quotes"),
    (lambda d: d["owners"]["stadtwerk"].update(vat_percent="7"), "owners.stadtwerk.vat_percent", "19"),
    (lambda d: d["owners"]["stadtwerk"].update(tariff="none"), "owners.stadtwerk.tariff", "linden-public"),
    (lambda d: d["sites"]["campus-3"].update(owner="nobody"), "sites.campus-3.owner", "fjordlading"),
    (lambda d: d["sites"]["campus-3"].update(backend="old"), "sites.campus-3.backend", "'legacy'"),
    (lambda d: d["sites"]["campus-3"].update(backend="move"), "sites.campus-3.backend", "move.site"),
    (lambda d: d["tariff"][0].update(start_fee="-1"), "tariff[0].start_fee", "not negative"),
    (lambda d: d["tariff"][0]["energy"].pop(), "tariff[0].energy", "exactly once"),
    (lambda d: d["tariff"][0]["energy"][0].update(to="23:00"), "tariff[0].energy", "22:00 has 2 prices"),
    (lambda d: d["tariff"][0]["energy"][0].update(to="24:00"), "tariff[0].energy[0].to", "23:59"),
    (lambda d: d["tariff"][0].update(group_discounts={"vip": "5"}), "tariff[0].group_discounts", "staff"),
    (lambda d: d["tariff"][3].update(tariff_id="fjord-public"), "tariff[3].version", "a higher one"),
    (lambda d: d["tariff"][1].update(version=3), "tariff[1].version", "a higher one"),
    (lambda d: d["tariff"][1].pop("valid_from"), "tariff[1].valid_from", "a later instant"),
    (lambda d: d["tariff"][1].update(valid_from="noon"), "tariff[1].valid_from", "12:00:00+02:00"),
    (
        lambda d: d["tariff"][1].update(valid_from=datetime(2019, 6, 12, 12)),
        "tariff[1].valid_from",
        "with time and offset",
    ),
    (
        lambda d: d["tariff"][0].update(valid_from=d["tariff"][1]["valid_from"]),
        "tariff[0].valid_from",
        "before the day",
    ),
    (lambda d: d["tariff"][1].update(vat_percent="24"), "tariff[1].vat_percent", "25"),
    (
        lambda d: d["tariff"][1].update(energy=BANDS),
        "tariff[1].energy",
        "the bands of version 3 (06:00-22:00, 22:00-06:00)",
    ),
    (lambda d: d["fault"][2].update(on="StopTransactions"), "fault[2].on", "StopTransaction"),
    (lambda d: d["fault"][2].update(on="RemoteStartTransaction"), "fault[2].on", "Heartbeat"),
    (lambda d: d["move"].update(deadline="08:00"), "move.deadline", "after move.start"),
    (lambda d: d["move"].update(site="campus-9"), "move.site", "campus-4"),
    (lambda d: d["move"].update(pace="0s"), "move.pace", "10m"),
    (lambda d: d["move"].update(pace="99999999999d"), "move.pace", "up to 31d"),
    (lambda d: d["move"].update(stuck_after="32d"), "move.stuck_after", "up to 31d"),
    (lambda d: d.pop("move"), "move", "[move]"),
    (lambda d: d["network"].update(latency_ms=[80, 20]), "network.latency_ms", "[low, high]"),
    (lambda d: d["network"].update(latency_ms=[-1, 20]), "network.latency_ms", "0 <= low"),
    (lambda d: d["network"].update(latency_ms=[0, 60_001]), "network.latency_ms", "high <= 60000"),
    (lambda d: d["network"].update(latency_ms=[80]), "network.latency_ms", "a list of 2 items"),
    (lambda d: d["fault"][0].update(kind="link.stal"), "fault[0].kind", "did you mean link.stall"),
    (lambda d: d["fault"][0].pop("lasts"), "fault[0].lasts", "at, lasts"),
    (lambda d: d["fault"][0].update(moment="before-commit"), "fault[0].moment", "at, lasts"),
    (lambda d: d["fault"][2].update(lasts="40h"), "fault[2].lasts", "at most 21h"),
    (lambda d: d["fault"][0].update(lasts="99999999999d"), "fault[0].lasts", "at most 19h"),
    (lambda d: d["fault"][0].update(at="25:00"), "fault[0].at.from", "23:59"),
    (lambda d: d["fault"][0].update(at={"from": "10:00", "to": "09:00"}), "fault[0].at", "from before to"),
    (lambda d: d["fault"][0]["where"].update(count=1, share=0.5), "fault[0].where", "one of the two"),
    (lambda d: d["fault"][0]["where"].update(count=0), "fault[0].where.count", "1 or more"),
    (lambda d: d["fault"][2].update(where={}), "fault[2].where.backend", "legacy"),
    (lambda d: d["fault"][1].update(id="stall"), "fault", "one fault for each id"),
    (lambda d: d["budgets"].update(refused_starts=-1), "budgets.refused_starts", "0 or more"),
    (lambda d: d["checks"].update(all_of=["INV-1"]), "checks.all_of[0]", "INV-01"),
    (lambda d: d["checks"].update(all_of=[]), "checks.all_of", "chargerig list checks"),
    (lambda d: d.update(claims=[]), "claims", "at least one"),
    (lambda d: d.update(claims="all is well"), "claims", "a list of sentences"),
    (lambda d: d["claims"][0].update(checks=["T99"]), "claims[0].checks", "INV-01"),
    (lambda d: d.update(name="First Day"), "name", "lower-case"),
    (lambda d: d.update(sites=[1]), "sites", "a table"),
    (lambda d: d.update(default_owners=["nobody"]), "default_owners[0]", "stadtwerk"),
]


@pytest.mark.parametrize(("change", "place", "says"), MISTAKES, ids=[place for _, place, _ in MISTAKES])
def test_a_mistake_is_one_sentence_with_its_place_and_what_is_allowed(
    change: Callable[[dict[str, Any]], object], place: str, says: str
) -> None:
    bad = refused(change)
    assert bad.place == place
    assert says in str(bad)
    assert bad.allowed


@pytest.mark.parametrize("when", [date(1970, 1, 1), date(2100, 12, 31)])
@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Etc/GMT+12", "Europe/Oslo"])
def test_a_day_at_the_edge_of_the_calendar_can_be_reckoned_with(when: date, zone: str) -> None:
    data = copy.deepcopy(FIRST_DAY)
    data["day"].update(date=when, zone=zone, horizon="31d", settle="31d")
    day = make_scenario(data, "x.toml").day
    assert day.end - day.start == 62 * 24 * HOUR


def test_a_fault_may_last_until_the_horizon_and_no_longer() -> None:
    """Whoever is hit: for an owner in the west the same wall clock is hours later."""
    data = copy.deepcopy(FIRST_DAY)
    data["fault"] = [{"kind": "link.stall", "at": "12:00", "lasts": "24h"}]
    assert make_scenario(data, "x.toml").fault[0].lasts == 24 * HOUR
    data["owners"]["solbakken"]["zone"] = "America/New_York"
    with pytest.raises(BadInput, match=r"fault\[0\]\.lasts: 1d from 12:00 on reaches beyond the horizon.*at most 18h"):
        make_scenario(data, "x.toml")


def test_a_day_that_says_nothing_of_the_app_has_the_least_share() -> None:
    data = copy.deepcopy(FIRST_DAY)
    del data["app"]
    assert make_scenario(data, "x.toml").app.share == 0.25


def test_malformed_toml_names_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "broken.toml"
    file.write_text('name = "x"\ntitle = \n')
    with pytest.raises(BadInput, match=r"broken\.toml, line 2, column 9: not TOML"):
        load_scenario(str(file))


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.toml: there is no such file"):
        load_scenario(str(tmp_path / "gone.toml"))
    (tmp_path / "latin.toml").write_bytes(b'name = "\xe9"')
    with pytest.raises(BadInput, match="not UTF-8"):
        load_scenario(str(tmp_path / "latin.toml"))
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(BadInput, match="cannot be read"):
        load_scenario(str(tmp_path / "folder.toml"))


def test_an_unknown_scenario_is_answered_with_the_near_one() -> None:
    with pytest.raises(BadInput, match=r"did you mean first-day\?.*allowed: .*first-day"):
        load_scenario("frist-day")


def test_another_session_file_needs_its_zone(tmp_path: Path) -> None:
    scenario = load_scenario("first-day")
    file = tmp_path / "mine.csv"
    file.write_text("start_local\n")
    with pytest.raises(BadInput, match="--zone"):
        with_sessions(scenario, str(file), None)
    with pytest.raises(BadInput, match=r"no time zone.*Europe/London"):
        with_sessions(scenario, str(file), "Mars/Olympus")
    with pytest.raises(BadInput, match="there is no file"):
        with_sessions(scenario, str(tmp_path / "none.csv"), "Europe/London")
    other = with_sessions(scenario, str(file), "Europe/London")
    assert sessions_path(other) == file
    assert other.sessions.zone == "Europe/London" and other.sites == scenario.sites


def test_a_session_file_that_vanished_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("start_local\n")
    scenario = with_sessions(load_scenario("first-day"), str(file), "Europe/London")
    file.unlink()
    with pytest.raises(BadInput, match="there is no session file"):
        sessions_path(scenario)


def test_a_day_without_default_owners_refuses_unknown_sites() -> None:
    data = copy.deepcopy(FIRST_DAY)
    data["default_owners"] = []
    with pytest.raises(KeyError, match="elsewhere"):
        make_scenario(data, "x.toml").sites_for(["elsewhere"])


def test_a_day_may_move_the_largest_site_or_none() -> None:
    data = copy.deepcopy(FIRST_DAY)
    data["sites"]["campus-4"]["backend"] = "legacy"
    data["move"]["site"] = LARGEST
    assert (
        make_scenario(data, "x.toml").moving_site({"campus-3": 25, "campus-4": 11, "laboratory-3F": 99}) == "campus-3"
    )
    data["move"].update(site="campus-4", otherwise="")
    assert make_scenario(data, "x.toml").moving_site({"campus-3": 25}) is None
    del data["move"]
    data["fault"] = []
    assert make_scenario(data, "x.toml").moving_site({"campus-3": 25}) is None


def test_tariff_rows_are_plain_text_for_back_ends() -> None:
    row = load_scenario("first-day").tariff[0].row()
    assert row["energy"][1] == {"from": "22:00", "to": "06:00", "price": "3.79"}
    assert all(type(row[name]) is str for name in ("vat_percent", "start_fee", "idle_per_minute"))
    assert row["idle_grace_s"] * 1000 == 2 * HOUR


def test_a_fault_of_the_move_names_a_state_and_one_of_a_back_end_an_action() -> None:
    data = copy.deepcopy(FIRST_DAY)
    data["fault"] = [{"kind": "tool.crash", "at": "10:00", "lasts": "3m", "on": "SWITCH_SENT"}]
    assert make_scenario(data, "my-day.toml").fault[0].on == "SWITCH_SENT"
    data["fault"][0]["on"] = "StopTransaction"
    with pytest.raises(BadInput, match="'StopTransaction' is no state of a move"):
        make_scenario(data, "my-day.toml")
