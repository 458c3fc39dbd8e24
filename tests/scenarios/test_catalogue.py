"""The library: scenarios in folders, other names, and faults on a day of their own."""

from __future__ import annotations

import datetime

import pytest
from msgspec.structs import replace

from fleet.visits import Visit
from scenarios import catalogue
from scenarios.load import load_scenario
from scenarios.nemesis import plan_faults
from sim.clock import to_datetime, zone
from sim.errors import BadInput


def test_scenarios_in_folders_of_the_library_have_their_names_and_second_names() -> None:
    assert {"first-day", "upgrade-day"} <= set(catalogue.scenarios())
    assert load_scenario("migration-day") == load_scenario("upgrade-day")
    with pytest.raises(BadInput, match="there is no scenario 'migration-dya'"):
        load_scenario("migration-dya")


def test_a_fault_with_a_date_happens_on_that_local_day() -> None:
    day = load_scenario("upgrade-day")
    crash = next(fault for fault in day.fault if fault.kind == "backend.crash")
    for date in (datetime.date(2024, 4, 2), datetime.date(2024, 4, 23)):
        nobody: tuple[Visit, ...] = ()
        (blow,) = plan_faults(replace(day, fault=(replace(crash, date=date),)), 1, (), nobody)
        assert to_datetime(blow.at, zone(day.day.zone)).date() == date


def test_the_waves_of_the_upgrade_are_three_tuesdays_and_leave_sites_behind() -> None:
    day = load_scenario("upgrade-day")
    assert [wave.date for wave in day.wave] == [datetime.date(2024, 4, d) for d in (9, 16, 23)]
    moving = {site for wave in day.wave for site in wave.sites}
    assert moving and set(day.sites) - moving
