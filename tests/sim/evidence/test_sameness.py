"""When two answers are the same."""

from __future__ import annotations

from typing import Any

import pytest

from sim.evidence.sameness import ABSENT, Ids, Ignore, differences, shifted

AT = (1_000_000_000_000, 1_600_000_000_000)
"""2001-09-09T01:46:40Z and 2020-09-13T12:26:40Z."""


def found(recorded: Any, new: Any, ids: Ids | None = None) -> list[tuple[str, Any, Any]]:
    return [(one.path, one.recorded, one.new) for one in differences(recorded, new, ids or Ids(), AT)]


@pytest.mark.parametrize(
    ("recorded", "new"),
    [
        ({"currentTime": "2001-09-09T01:46:40Z"}, {"currentTime": "2026-01-01T00:00:00.5+01:00"}),
        ({"a": "2030-01-01T00:00:00Z"}, {"a": "2030-01-01T01:00:00.000+01:00"}),
        ({"a": "2001-09-10T01:46:40Z"}, {"a": "2020-09-14T12:26:41.3Z"}),
        ({"a": 300, "b": [1, {"c": 2}]}, {"b": [1.0, {"c": 2}], "a": 300.0}),
        ({"transactionId": 0}, {"transactionId": 17}),
    ],
)
def test_these_are_the_same(recorded: Any, new: Any) -> None:
    assert found(recorded, new) == []


@pytest.mark.parametrize(
    ("recorded", "new", "place"),
    [
        ({"interval": 300}, {"interval": 600}, ("$.interval", 300, 600)),
        ({"a": "2030-01-01T00:00:00Z"}, {"a": "2031-01-01T00:00:00Z"}, ("$.a",)),
        ({"currentTime": "2001-09-09T01:46:40Z"}, {"currentTime": "soon"}, ("$.currentTime",)),
        ({"a": {"b": 1}}, {"a": {}}, ("$.a.b", 1, ABSENT)),
        ({}, {"a": {"b": 1}}, ("$.a", ABSENT, {"b": 1})),
        ({"a": [1, 2]}, {"a": [1]}, ("$.a[1]", 2, ABSENT)),
        ({"a b": 1}, {"a b": 2}, ("$['a b']", 1, 2)),
        ({"a": True}, {"a": 1}, ("$.a", True, 1)),
        ({"a": 1}, {"a": "1"}, ("$.a", 1, "1")),
        ({"transactionId": 7}, {"transactionId": -1}, ("$.transactionId", 7, -1)),
        ({"transactionId": 7}, {}, ("$.transactionId", 7, ABSENT)),
    ],
)
def test_these_differ_at_one_place(recorded: Any, new: Any, place: tuple[Any, ...]) -> None:
    (one,) = found(recorded, new)
    assert one[: len(place)] == place


def test_ids_pair_one_to_one_and_are_translated_both_ways() -> None:
    ids = Ids()
    assert found({"transactionId": 7}, {"transactionId": 70}, ids) == []
    assert found({"transactionId": 7}, {"transactionId": 70}, ids) == []
    assert found({"transactionId": 8}, {"transactionId": 70}, ids) == [("$.transactionId", 8, 70)]
    assert found({"transactionId": 7}, {"transactionId": 71}, ids) == [("$.transactionId", 7, 71)]
    assert found({"reservationId": 7}, {"reservationId": 1}, ids) == []
    payload = '{"transactionId": 7, "reservationId":7,"connectorId":7, "x":7.50}'
    assert ids.new(payload) == '{"transactionId": 70, "reservationId":1,"connectorId":7, "x":7.50}'
    assert ids.recorded(ids.new(payload)) == payload


def test_ignored_paths_take_wildcards_and_an_action_and_brackets_as_they_are() -> None:
    ignore = Ignore(["$.a[0].*", "Boot:$.interval"])
    assert ignore.ignores("X", "$.a[0].b")
    assert not ignore.ignores("X", "$.a0.b")
    assert ignore.ignores("Boot", "$.interval")
    assert not ignore.ignores("Stop", "$.interval")
    assert ignore.hits == {"$.a[0].*": 1, "Boot:$.interval": 1}


def test_times_are_shifted_wherever_they_stand_and_nothing_else() -> None:
    payload = (
        '{"timestamp":"2019-06-12T06:00:00+02:00","x":[{"t":"2019-06-12T06:00:00.5Z"}],"v":"2019-06-12", "n":1.50}'
    )
    assert shifted(payload, 1500) == (
        '{"timestamp":"2019-06-12T04:00:01.500Z","x":[{"t":"2019-06-12T06:00:02.000Z"}],"v":"2019-06-12", "n":1.50}'
    )
    assert shifted(payload, 0) == payload
