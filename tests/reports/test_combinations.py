"""Which combinations occurred, from rows made by hand: what holds together counts, and nothing that was never noted."""

from __future__ import annotations

import json
from typing import Any

import pytest

from reports.combinations import Combination, combinations, occurred
from sim.evidence.canonical import scalar
from sim.evidence.reader import Evidence
from sim.evidence.schema import all_tables
from sim.evidence.store import save_tables

LINKS = [{"link": 1, "station": "S", "backend": "legacy", "opened_at": 10, "closed_at": 200, "closed_by": "station"}]


def status(at: int, state: str, connector: int = 1, station: str = "S") -> dict[str, Any]:
    payload = json.dumps({"connectorId": connector, "status": state})
    return {"call_no": at, "station": station, "backend": "legacy", "way": "up", "action": "StatusNotification",
            "payload": payload, "sent_at": at}  # fmt: skip


def evidence(**tables: list[dict[str, Any]]) -> Evidence:
    tables = {"wire_links": LINKS, "meta": [{"key": "ended_at", "value": "1000"}], **tables}
    columns = all_tables()
    return save_tables(
        None,
        {name: [tuple(scalar(row.get(c)) for c in columns[name]) for row in rows] for name, rows in tables.items()},
    )


QUIET = {("none", "Available", "none"), ("none", "Charging", "none"), ("none", "offline", "none")}


def test_a_station_without_move_and_fault_has_its_states_only() -> None:
    found = combinations(evidence(wire_calls=[status(10, "Available"), status(50, "Charging")]))
    assert found == QUIET


@pytest.mark.parametrize(
    ("fault", "more"),
    [
        (
            {"kind": "stall", "target": "S", "at": 20, "until": 60},
            {("none", "Available", "stall"), ("none", "Charging", "stall")},
        ),
        ({"kind": "blip", "target": "S", "at": 30, "until": 30}, {("none", "Available", "blip")}),
        ({"kind": "blip", "target": "S", "at": 50, "until": None}, {("none", "Charging", "blip")}),
        (
            {"kind": "crash", "target": "legacy", "at": 150, "until": 250},
            {("none", "Charging", "crash"), ("none", "offline", "crash")},
        ),
        ({"kind": "crash", "target": "legacy", "at": 300, "until": 400}, set()),
        ({"kind": "stall", "target": "T", "at": 20, "until": 60}, set()),
        ({"kind": "tool.crash", "target": "migration", "at": 60, "until": 70}, set()),
    ],
)  # fmt: skip
def test_a_fault_counts_where_and_while_it_hits(fault: dict[str, Any], more: set[Combination]) -> None:
    calls = [status(10, "Available"), status(50, "Charging")]
    assert combinations(evidence(wire_calls=calls, truth_faults=[fault])) == QUIET | more


def test_states_of_the_move_count_however_short() -> None:
    walk = [(20, "PLANNED"), (20, "NOTIFIED"), (60, "DRAINING"), (90, "CLOSED_AT_OLD")]
    moves = [{"at": at, "station": "S", "state": state} for at, state in walk]
    tool = {"kind": "tool.crash", "target": "migration", "at": 70, "until": 95}
    calls = [status(10, "Available"), status(50, "Charging")]
    found = combinations(evidence(wire_calls=calls, truth_migration=moves, truth_faults=[tool]))
    assert found == {
        ("none", "Available", "none"),
        ("PLANNED", "Available", "none"),
        ("NOTIFIED", "Available", "none"),
        ("NOTIFIED", "Charging", "none"),
        ("DRAINING", "Charging", "none"),
        ("DRAINING", "Charging", "tool.crash"),
        ("CLOSED_AT_OLD", "Charging", "tool.crash"),
        ("CLOSED_AT_OLD", "Charging", "none"),
        ("CLOSED_AT_OLD", "offline", "none"),
    }


def test_a_link_that_the_network_swallowed_was_dead_since_its_last_frame() -> None:
    dead = {**LINKS[0], "closed_by": "network", "last_frame_at": 40}
    found = combinations(evidence(wire_links=[dead], wire_calls=[status(10, "Available"), status(50, "Charging")]))
    assert found == {("none", "Available", "none"), ("none", "offline", "none")}


def test_each_connector_counts_and_the_first_appearance_is_named() -> None:
    calls = [
        status(10, "Available", 0),
        status(12, "Available", 1),
        status(11, "Available", 2),
        status(9, "Faulted", 1, "T"),
    ]
    first = occurred(evidence(wire_calls=calls))["none", "Available", "none"]
    assert (first.station, first.connector, first.at, first.connectors) == ("S", 2, 11, 2)


def test_a_status_that_cannot_be_read_is_no_state() -> None:
    broken = [{**status(20, "x"), "payload": text} for text in ("{", "[]", '{"connectorId":1}')]
    assert combinations(evidence(wire_calls=[status(10, "Available"), *broken])) == QUIET - {
        ("none", "Charging", "none")
    }
