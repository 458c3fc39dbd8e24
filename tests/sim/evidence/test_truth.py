"""The truth recorder: rows that fit their tables, one digest over the notes in order."""

from __future__ import annotations

import pytest

from sim.evidence.schema import TRUTH
from sim.evidence.truth import TruthRecorder


def test_a_note_becomes_a_row_with_its_columns_in_order() -> None:
    truth = TruthRecorder()
    truth.note("events", {"at": 5, "station": "S", "kind": "withhold", "data": {"on": True, "a": [1, "x"]}})
    assert truth.rows()["truth_events"] == [(5, "S", None, "withhold", '{"a":[1,"x"],"on":true}')]
    assert truth.rows().keys() == TRUTH.keys()


def test_points_may_come_as_a_list_or_as_json() -> None:
    truth = TruthRecorder()
    truth.note("sessions", {"session_id": "1", "points": [(1, 2, "B"), (3, 4, "E")]})
    truth.note("sessions", {"session_id": "2", "points": '[[1,2,"B"],[3,4,"E"]]'})
    points = [row[TRUTH["truth_sessions"].index("points")] for row in truth.rows()["truth_sessions"]]
    assert points[0] == points[1]


def test_kinds_without_a_table_are_counted_and_change_no_digest() -> None:
    truth = TruthRecorder()
    before = truth.digest
    truth.note("gossip", {"anything": 1.5})
    assert truth.ignored == {"gossip": 1}
    assert truth.digest == before


def test_our_own_mistakes_raise_loudly() -> None:
    truth = TruthRecorder()
    with pytest.raises(ValueError, match="no column colour"):
        truth.note("events", {"at": 5, "colour": "red"})
    with pytest.raises(TypeError, match="float"):
        truth.note("events", {"at": 5.0})


def test_inv_39_the_digest_follows_the_rows_and_their_order() -> None:
    def digest(*kinds: str) -> str:
        truth = TruthRecorder()
        for kind in kinds:
            truth.note("events", {"at": 1, "kind": kind})
        return truth.digest

    assert digest("plug", "unplug") == digest("plug", "unplug")
    assert digest("plug", "unplug") != digest("unplug", "plug")
