"""The tool dies in mid-wave; the next one goes on from what was written down, and nothing is done twice that must not be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from scenarios.migration import MigrationTool, MortalTool, MoveOrder, StationOrder
from sim.clock import MINUTE, Instant
from sim.machine import Answered, Command, Note, Settled, Tell, Tick

Play = Callable[..., Any]
STATES: list[Any] = ["DRAINING", "SEEN_AT_NEW"]
STATES += [
    pytest.param(state, marks=pytest.mark.slow)
    for state in ("PREFLIGHT_OK", "SWITCH_SENT", "OFFLINE_WINDOW", "PROVISIONED", "VERIFIED")
]


@pytest.mark.parametrize("state", STATES)
def test_a_tool_that_dies_in_any_state_is_followed_by_one_that_goes_on(play: Play, strike: Any, state: str) -> None:
    """INV-26, INV-28, M11: the walks stay legal, the day has no finding, and every station arrives."""
    run = play(strike("tool.crash", lasts=3, on=state, at=("09:30", "13:00")))
    assert run.wrong == []
    assert run.hit("tool.crash") == ["migration"]
    assert {row["outcome"] for row in run.outcomes().values()} == {"verified"}
    for station in run.outcomes():
        walk = [name for name in run.walk(station) if name not in ("STUCK", "SEEN_AT_NEW", "PROVISIONED")]
        assert not [name for name, count in Counter(walk).items() if count > 1]


def test_a_rollback_survives_the_death_of_the_tool(play: Play, strike: Any) -> None:
    """M11: sent back once, handed back once."""
    run = play(strike("move.rollback-ordered"), strike("tool.crash", lasts=3, on="ROLLBACK", at=("08:30", "08:30")))
    assert run.wrong == []
    (station,) = run.hit("move.rollback-ordered")
    assert run.hit("tool.crash") == ["migration"]
    assert run.walk(station)[-2:] == ["ROLLBACK", "BACK_AT_OLD"]


def tool(disk: dict[str, Any]) -> MigrationTool:
    station = StationOrder("CS-1", "technician", "", Instant(0), {"station": "CS-1"}, (), {}, ())
    return MigrationTool(MoveOrder("hall", "legacy", "new", "ws://new", (station,), MINUTE, 30 * MINUTE), None, disk)


def test_the_disk_holds_plain_data_and_calls_of_a_dead_tool_are_nobodys() -> None:
    disk: dict[str, Any] = {}
    first = tool(disk)
    (asked,) = [effect for effect in first.handle(Tick(), Instant(0)) if isinstance(effect, Tell)]
    assert disk["stations"]["CS-1"]["walk"] == ["PLANNED"]
    second = tool(disk)
    again = [effect for effect in second.handle(Tick(), Instant(5)) if isinstance(effect, Tell)]
    assert [effect.command for effect in again] == [asked.command]
    assert again[0].call_id != asked.call_id
    assert asked.call_id is not None
    assert list(second.handle(Settled(asked.call_id, Answered({})), Instant(6))) == []


def test_while_it_is_dead_nothing_is_done() -> None:
    mortal = MortalTool(tool)
    mortal.handle(Tick(), Instant(0))
    (note,) = mortal.handle(Command("crash", {"fault_id": "f", "lasts": 1000, "on": ""}), Instant(10))
    assert isinstance(note, Note) and note.fields["until"] == 1010
    assert mortal.next_deadline() == 1010
    assert list(mortal.handle(Tick(), Instant(500))) == []
    assert [type(effect) for effect in mortal.handle(Tick(), Instant(1010))] == [Tell]
