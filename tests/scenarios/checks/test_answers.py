"""Planted breaches of what back-ends may say: payloads that the schema forbids, odd frames, a wrong time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.clock import iso, parse_iso
from sim.evidence.canonical import canonical
from sim.evidence.verdict import CheckResult, Verdict
from sim.evidence.wire import WireRecorder

At = Callable[[str], int]
NOON = parse_iso("2026-06-10T12:00:00Z")


def subjects(result: CheckResult) -> list[str]:
    """Who is named, for a result that must be FAIL."""
    assert result.verdict is Verdict.FAIL, result
    assert all(finding.evidence for finding in result.findings)
    return [finding.subject for finding in result.findings]


@pytest.mark.parametrize(
    ("action", "answer"),
    [
        ("StatusNotification", {"status": "Accepted"}),
        ("StatusNotification", None),
        ("Authorize", {"idTagInfo": {"status": "accepted"}}),
        ("Authorize", {}),
        ("BootNotification", {"status": "Accepted", "currentTime": "2026-06-10T12:00:00Z"}),
        ("MeterValues", []),
    ],
)
def test_inv_13_finds_an_answer_that_the_schema_forbids(day: Any, action: str, answer: Any) -> None:
    asked = day.rows("wire_calls", action=action, station="S2" if action == "MeterValues" else "S1")
    row = next(call for call in asked if call["answer_kind"] == "result")
    row["answer"] = canonical(answer)
    assert subjects(day.check("INV-13")) == [row["station"]]


def test_inv_13_finds_a_call_of_a_back_end_that_the_schema_forbids(day: Any) -> None:
    day.row("wire_calls", action="TriggerMessage")["well_formed"] = 0
    assert subjects(day.check("INV-13")) == ["S1"]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"currentTime": iso(NOON)}, "ms off"),
        ({"currentTime": "2026-06-10T12:00:00+02:00"}, "not UTC with Z"),
        ({"currentTime": "soon Z"}, "no instant"),
        ({"currentTime": 17}, "not UTC"),
        ({"interval": 0}, "not positive"),
        ({"interval": -5}, "not positive"),
    ],
)
def test_inv_17_finds_a_boot_answer_with_a_wrong_time_or_interval(day: Any, change: dict[str, Any], word: str) -> None:
    row = day.row("wire_calls", action="BootNotification", station="S2")
    told = {"status": "Accepted", "currentTime": iso(row["answered_at"]), "interval": 300, **change}
    row["answer"] = canonical(told)
    result = day.check("INV-17")
    assert subjects(result) == ["S2"]
    assert word in result.findings[0].sentence


@pytest.mark.parametrize(("off", "verdict"), [(999, Verdict.PASS), (-999, Verdict.PASS), (1000, Verdict.FAIL)])
def test_inv_17_tolerates_less_than_a_second(day: Any, off: int, verdict: Verdict) -> None:
    row = day.row("wire_calls", action="BootNotification", station="S2")
    told = {"status": "Accepted", "currentTime": iso(row["answered_at"] + off), "interval": 300}
    row["answer"] = canonical(told)
    assert day.check("INV-17").verdict is verdict


@pytest.mark.parametrize(
    ("action", "problem", "check"),
    [
        ("Heartbeat", "currentTime is +1400 ms off", "INV-17"),
        ("Heartbeat", "currentTime has the wrong type", "INV-17"),
        ("Heartbeat", "has a field that is not allowed", "INV-13"),
        ("", "no frame of OCPP-J: not JSON", "INV-13"),
    ],
)
def test_what_was_heard_at_the_wire_is_a_finding_of_one_check(day: Any, action: str, problem: str, check: str) -> None:
    odd = {"at": NOON, "backend": "new", "link": 3, "action": action, "frame": "[3]"}
    day.add("wire_oddities", station="S2", problem=problem, **odd)
    assert subjects(day.check(check)) == ["S2"]
    other = {"INV-13": "INV-17", "INV-17": "INV-13"}[check]
    assert day.check(other).verdict is Verdict.PASS


class Line:
    """A recorder, and one link."""

    def __init__(self) -> None:
        self.recorder = WireRecorder(policy="index")
        self.recorder.link_opened(NOON, "S1", "new", 1)

    def up(self, frame: bytes, delivered: bool = True) -> None:
        self.recorder.frame(NOON, NOON if delivered else None, "S1", "new", 1, "up", frame)

    def down(self, frame: bytes) -> list[tuple[str, str]]:
        self.recorder.frame(NOON, NOON + 9, "S1", "new", 1, "down", frame)
        return [(row["action"], row["problem"]) for row in self.recorder.oddities]


def beat(told: str) -> bytes:
    return b'[3,"h",{"currentTime":"%b"}]' % told.encode()


@pytest.mark.parametrize(
    ("frame", "heard"),
    [
        (beat(iso(NOON)), []),
        (beat(iso(NOON + 999)), []),
        (beat(iso(NOON - 1000)), [("Heartbeat", "currentTime is -1000 ms off")]),
        (
            beat("2026-06-10T14:00:00+02:00"),
            [("Heartbeat", "currentTime '2026-06-10T14:00:00+02:00' is not UTC with Z")],
        ),
    ],
)
def test_heartbeats_are_heard_with_their_time(frame: bytes, heard: list[tuple[str, str]]) -> None:
    line = Line()
    line.up(b'[2,"h","Heartbeat",{}]')
    assert line.down(frame) == heard


@pytest.mark.parametrize(
    "frame",
    [
        b'[5,"a",{}]',
        b"hello",
        b'[3,"nobody",{}]',
        b'[3,"a"]',
        b'{"a":1}',
        b'[3,"h",{}]',
        b'[3,"h",{"currentTime":"2026-06-10T12:00:00Z","more":1}]',
        b'[3,"h",7]',
        b'[4,"nobody","GenericError","",{}]',
    ],
)
def test_frames_that_are_none_and_answers_that_nobody_waits_for_are_heard(frame: bytes) -> None:
    """INV-13: a wrong message type, no JSON, an id that was never asked, a payload that is none."""
    line = Line()
    line.up(b'[2,"h","Heartbeat",{}]')
    assert len(line.down(frame)) == 1


def test_a_second_answer_and_one_to_a_call_that_never_arrived_are_heard() -> None:
    line = Line()
    line.up(b'[2,"a","Authorize",{"idTag":"A"}]')
    line.up(b'[2,"b","Authorize",{"idTag":"A"}]', delivered=False)
    good = b'[3,"a",{"idTagInfo":{"status":"Accepted"}}]'
    assert line.down(good) == []
    assert [problem for _, problem in line.down(good)] == ["an answer to 'a', which nobody waits for"]
    assert len(line.down(good.replace(b'"a"', b'"b"'))) == 2
