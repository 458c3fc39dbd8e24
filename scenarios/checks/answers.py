"""What back-ends say on the wire: nothing but OCPP (INV-13), and the right time (INV-17)."""

from __future__ import annotations

import json

from scenarios.checks.excuses import LATE, excused
from scenarios.checks.registry import Judge, check
from scenarios.checks.stops import answer, versions
from sim.evidence.oddities import time_problem
from sim.evidence.reader import Evidence, line
from sim.evidence.views import Oddity, WireCall, WireCount
from sim.wire.schema import judge as judge_payload

_TIMED = ("Heartbeat",)
"""Actions whose answers are in `wire_oddities` if anything is wrong with their time, and nowhere else."""


@check(
    "INV-13",
    sentence="back-ends send frames of OCPP-J only, with payloads that the schema allows, and answer what was asked",
    planes=("wire",),
    needs=("wire_calls", "wire_counts", "wire_oddities"),
)
def speaks_ocpp(evidence: Evidence, judge: Judge) -> None:
    """Every answer and every call of a back-end; what could not be kept as a call was heard on its way."""
    good: dict[tuple[str, str, str], str] = {}
    spoken = versions(evidence)
    for call in evidence.read(WireCall):
        if call.way == "down":
            judge.examined()
            if call.well_formed == 0:
                judge.fail("station", call.station, f"{call.action} of {call.backend} breaks the schema", line(call))
        elif call.answer_kind == "result":
            judge.examined()
            key = (spoken.get(call.link, "1.6"), call.action, call.answer or "")
            if key not in good:
                good[key] = _violation(*key)
            if good[key]:
                sentence = f"{call.backend} answered {call.action} with what the schema forbids: {good[key]}"
                judge.fail("station", call.station, sentence, line(call))
    judge.examined(_heartbeats(evidence))
    for odd in evidence.read(Oddity):
        if not _about_time(odd):
            judge.examined()
            judge.fail("station", odd.station, f"{odd.backend} sent {odd.problem}", line(odd))


def _violation(version: str, action: str, payload: str) -> str:
    violation = judge_payload(version, action, "response", payload.encode())
    return "" if violation is None else f"{violation.path} {violation.problem}".strip()


@check(
    "INV-17",
    sentence="the time that back-ends tell is UTC and less than a second off, and boot intervals are positive",
    planes=("wire",),
    needs=("wire_calls", "wire_counts", "wire_oddities", "backend_clock"),
)
def tells_the_time(evidence: Evidence, judge: Judge) -> None:
    """Each answer to a BootNotification, against the instant at which it was sent; heartbeats as they were heard."""
    held_up = excused(evidence, *LATE)
    for call in evidence.read(WireCall):
        told = answer(call) if call.action == "BootNotification" and call.way == "up" else None
        if told is None or call.answered_at is None:
            continue
        judge.examined()
        problem = (
            "" if held_up(call.backend, call.answered_at) else time_problem(told.get("currentTime"), call.answered_at)
        )
        if not problem and not _positive(told.get("interval")):
            problem = f"interval {json.dumps(told.get('interval'))} is not positive"
        if problem:
            judge.fail("station", call.station, f"boot answer of {call.backend}: {problem}", line(call))
    judge.examined(_heartbeats(evidence))
    for odd in evidence.read(Oddity):
        if _about_time(odd) and not held_up(odd.backend, odd.at):
            judge.fail("station", odd.station, f"heartbeat answer of {odd.backend}: {odd.problem}", line(odd))


def _positive(interval: object) -> bool:
    return isinstance(interval, int) and interval > 0


def _about_time(odd: Oddity) -> bool:
    return odd.action in _TIMED and (odd.problem or "").startswith("currentTime")


def _heartbeats(evidence: Evidence) -> int:
    counts = evidence.read(WireCount)
    return sum(count.results for count in counts if count.action in _TIMED and count.way == "up")
