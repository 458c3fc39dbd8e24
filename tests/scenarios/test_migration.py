"""The migration tool against scripted back-ends, and a day on which the network is away for longer than its patience."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from scenarios.load import load_scenario, sessions_path
from scenarios.migration import MigrationTool, MoveOrder, StationOrder
from scenarios.model import Duration
from scenarios.model_types import LocalTime, Window
from scenarios.runner import judge
from sim.clock import HOUR, MINUTE, Instant
from sim.evidence.verdict import Verdict
from sim.machine import Answered, Command, Effect, Note, Refused, Settled, Tell

URL_KEY = "CentralUrl"
NEW_URL = "ws://new"


class World:
    """Answers the tool's commands at once; `answers` says otherwise per (back-end, kind or action)."""

    def __init__(self, route: str, deadline: int | None = None) -> None:
        row = {"station": "CS-1"}
        station = StationOrder("CS-1", route, URL_KEY, Instant(0), row, (), {}, ())
        order = MoveOrder("hall", "legacy", "new", NEW_URL, (station,), 5 * MINUTE, 30 * MINUTE)
        order = replace(order, deadline=None if deadline is None else Instant(deadline))
        self.tool = MigrationTool(order)
        self.now = Instant(0)
        self.old_connected, self.new_connected = True, False
        self.answers: dict[tuple[str, str], Callable[[], dict[str, Any]]] = {}
        self.down: list[str] = []
        self.states: list[str] = []
        self.told: list[tuple[str, str]] = []

    def run(self, until: int) -> None:
        """Let the tool work until then."""
        while (wish := self.tool.next_deadline()) is not None and wish <= until:
            self.now = Instant(max(self.now, wish))
            self._take(list(self.tool.handle(Command("tick", {}), self.now)))
        self.now = Instant(until)

    def _take(self, effects: list[Effect]) -> None:
        while effects:
            effect = effects.pop(0)
            if isinstance(effect, Note):
                self.states.append(effect.fields["state"])
            elif isinstance(effect, Tell):
                self.told.append((effect.to, effect.command.name))
                if effect.call_id:
                    down = effect.to in self.down
                    outcome = Refused("unavailable") if down else Answered(self._answer(effect.to, effect.command))
                    effects += self.tool.handle(Settled(effect.call_id, outcome), self.now)

    def _answer(self, backend: str, command: Command) -> dict[str, Any]:
        name = str(command.args.get("action", command.name))
        if (backend, name) in self.answers:
            return self.answers[backend, name]()
        if name == "export" and command.args["what"] == "station":
            here = self.old_connected if backend == "legacy" else self.new_connected
            seen = {"registers": {"1": 5}, "registration": "accepted"} if here else {}
            return {"connected": here, "boots": int(here), "open_transactions": [], **seen}
        if name == "export":
            return {"rows": []}
        if name == "GetConfiguration":
            return {"configurationKey": [{"key": URL_KEY, "value": NEW_URL}]}
        return {"status": "Accepted", "listVersion": 0}


@pytest.mark.parametrize("route", ["vendor_key", "network_profile", "vendor_cloud"])
def test_a_station_that_was_stuck_after_the_switch_goes_on_when_it_is_seen(route: str) -> None:
    """INV-26: late is not lost."""
    world = World(route)
    world.run(10 * MINUTE)
    world.old_connected = False
    world.run(2 * HOUR)
    assert world.states[-1] == "STUCK"
    world.new_connected = True
    world.run(3 * HOUR)
    tail = ["OFFLINE_WINDOW", "STUCK", "SEEN_AT_NEW", "PROVISIONED", "VERIFIED", "CLOSED_AT_OLD"]
    assert world.states[-6:] == tail
    assert world.tool.next_deadline() is None


def test_a_stuck_station_is_looked_for_at_both_back_ends_every_minute() -> None:
    """Nothing is sent to a station that may be anywhere: the tool looks, and does nothing else."""
    world = World("vendor_cloud")
    world.run(MINUTE)
    world.old_connected = False
    world.run(2 * HOUR)
    world.told.clear()
    world.run(2 * HOUR + 10 * MINUTE)
    assert world.told == [("new", "export"), ("legacy", "export")] * 10
    assert world.states[-1] == "STUCK"


def test_a_station_that_is_connected_without_a_boot_is_not_seen_yet() -> None:
    """A connection alone says nothing of the station behind it."""
    world = World("vendor_cloud")
    world.answers["new", "export"] = lambda: {"connected": True, "boots": 0}
    world.run(MINUTE)
    world.old_connected = False
    world.run(3 * HOUR)
    assert world.states[-1] == "STUCK"


def test_a_station_that_is_stuck_before_the_switch_stays_where_it_is() -> None:
    """Its charging goes on at the old back-end, and the tool never asks for it again."""
    world = World("vendor_key")
    world.answers["legacy", "GetConfiguration"] = lambda: {"configurationKey": []}
    world.run(HOUR)
    assert world.states[-1] == "STUCK"
    assert world.tool.next_deadline() is None


def test_a_station_whose_turn_comes_while_the_new_back_end_is_down_is_moved_when_that_is_up() -> None:
    """INV-26: nothing was done to it yet, so there is nothing to be stuck in."""
    world = World("vendor_key", deadline=6 * HOUR)
    world.down.append("new")
    world.run(2 * HOUR)
    assert world.states == ["PLANNED"]
    world.down.clear()
    world.run(3 * HOUR)
    assert world.states[:3] == ["PLANNED", "PREFLIGHT_OK", "NOTIFIED"]
    assert "SWITCH_SENT" in world.states


def test_a_station_that_never_had_its_turn_stays_at_the_old_back_end() -> None:
    """INV-26: the new back-end is down for the whole working day, and the move is called off."""
    world = World("vendor_key", deadline=2 * HOUR)
    world.down.append("new")
    world.run(4 * HOUR)
    assert world.states == ["PLANNED", "ROLLBACK", "BACK_AT_OLD"]
    assert ("legacy", "accept-station") in world.told
    assert world.tool.next_deadline() is None


@pytest.mark.slow
def test_an_upgrade_whose_new_back_end_is_down_for_two_hours_of_a_wave_has_no_finding() -> None:
    """INV-26: at seed 2 a station's turn comes in the hours in which the new back-end is away."""
    day = load_scenario("upgrade-day").at_sites("laboratory-1F")
    at = Window(from_=LocalTime(13 * HOUR), to=LocalTime(13 * HOUR))
    faults = (replace(one, at=at, lasts=Duration(2 * HOUR)) if one.id == "noon" else one for one in day.fault)
    played, results = judge(
        replace(day, fault=tuple(faults)), 2, sessions=sessions_path(day), repeat=False, wire="index"
    )
    assert [(one.check, one.findings[:3]) for one in results if one.verdict is Verdict.FAIL] == []
    assert not played.evidence.rows("SELECT station FROM truth_outcomes WHERE outcome = 'stuck'")


def test_a_station_that_refuses_the_switch_is_operative_again_where_it_is() -> None:
    """The drain must not outlive a switch that came to nothing (MF-14)."""
    world = World("vendor_key")
    world.answers["legacy", "ChangeConfiguration"] = lambda: {"status": "Rejected"}
    world.run(HOUR)
    assert world.states[-3:] == ["DRAINING", "ROLLBACK", "BACK_AT_OLD"]
    assert ("legacy", "accept-station") in world.told
    assert world.tool.next_deadline() is None


def test_a_station_whose_verification_fails_twice_goes_back() -> None:
    """The rule for rolling back: registers that do not go on are no ground to bill on."""
    world = World("vendor_cloud")
    shown = {"connected": True, "boots": 1, "registration": "accepted", "registers": {"1": 1}, "rows": []}
    world.answers["new", "export"] = lambda: shown
    world.run(MINUTE)
    world.old_connected = False
    world.run(80 * MINUTE)
    world.answers["legacy", "export"] = lambda: {**shown, "boots": 2}
    world.run(3 * HOUR)
    assert world.states.count("STUCK") == 1
    assert world.states[-3:] == ["PROVISIONED", "ROLLBACK", "BACK_AT_OLD"]
    assert ("new", "close-station") in world.told


def test_a_station_that_is_stuck_at_the_new_back_end_is_provisioned_once_more() -> None:
    """Every step can be begun again; each time it is stuck stands in the evidence."""
    world = World("vendor_cloud")
    shown = {"connected": True, "boots": 1, "registration": "accepted", "registers": {"1": 1}, "rows": []}
    world.answers["new", "export"] = lambda: shown
    world.run(MINUTE)
    world.old_connected = False
    world.run(40 * MINUTE)
    assert world.states[-4:] == ["PROVISIONED", "STUCK", "SEEN_AT_NEW", "PROVISIONED"]
    shown["registers"] = {"1": 5}
    world.run(HOUR)
    assert world.states[-3:] == ["PROVISIONED", "VERIFIED", "CLOSED_AT_OLD"]


def test_the_app_follows_the_station_before_it_is_provisioned() -> None:
    """From the boot at the new back-end on, whoever starts by app asks there, accepted or not."""
    world = World("vendor_key")
    world.run(10 * MINUTE)
    world.old_connected, world.new_connected = False, True
    world.run(HOUR)
    assert world.states[-1] == "CLOSED_AT_OLD"
    redirect = world.told.index(("app", "redirect"))
    assert redirect < world.told.index(("new", "accept-station"))
    assert redirect < world.told.index(("new", "call"))


@pytest.mark.parametrize("seed", [1, pytest.param(4, marks=pytest.mark.slow)])
def test_a_day_with_stalls_longer_than_the_patience_still_ends_without_a_finding(seed: int) -> None:
    """INV-26, INV-03: the station comes back after being given up; driver budgets (DRV) are not the claim here."""
    day = load_scenario("first-day").at_sites("campus-3", "campus-4", "campus-5")
    long = tuple(
        replace(fault, lasts=Duration(45 * MINUTE)) if fault.kind == "link.stall" else fault for fault in day.fault
    )
    played, results = judge(replace(day, fault=long), seed, sessions=sessions_path(day), repeat=False, wire="index")
    wrong = [result for result in results if result.verdict is not Verdict.PASS and not result.check.startswith("DRV-")]
    assert [(result.check, result.reason, result.findings[:3]) for result in wrong] == []
    walks = played.evidence.rows("SELECT station, state FROM truth_migration ORDER BY station, at")
    stuck = {row["station"] for row in walks if row["state"] == "STUCK"}
    assert stuck, "nobody was stuck"
    assert stuck <= {row["station"] for row in walks if row["state"] == "CLOSED_AT_OLD"}
