"""Whatever a trace holds, judging it never raises; it keeps little, and is quick."""

from __future__ import annotations

import json
import tracemalloc
from random import Random
from time import process_time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scenarios.wirecheck.judge import Judge
from scenarios.wirecheck.lines import Line
from scenarios.wirecheck.logs import read
from scenarios.wirecheck.orient import oriented
from scenarios.wirecheck.rules import RULES
from sim.evidence.verdict import Verdict
from sim.evidence.wire import WireLine
from tests.scenarios.wirecheck import test_rules_201
from tests.scenarios.wirecheck.traces import at, broken, healthy, judged, keys, time

GOOD = {"1.6": healthy().lines(), "2.0.1": test_rules_201.healthy().lines()}
ODD: list[Any] = [None, True, -1, 0, 1.5, 1 << 70, "", "x", [], {}, [[]], {"a": []}, "2026-05-01T08:00:00Z", "Accepted"]
versions = st.sampled_from(sorted(GOOD))


@given(version=versions, seed=st.integers(0, 1 << 32), keep=st.floats(0, 1))
def test_a_shuffled_or_truncated_trace_never_raises(version: str, seed: int, keep: float) -> None:
    chance = Random(seed)
    lines = list(GOOD[version])
    if seed % 2:
        chance.shuffle(lines)
    judged(lines[: int(len(lines) * keep)], keys=keys())


@given(version=versions, seed=st.integers(0, 1 << 32))
def test_frames_with_odd_values_anywhere_never_raise(version: str, seed: int) -> None:
    chance = Random(seed)
    lines = []
    for line in GOOD[version]:
        if line.f.startswith("[") and chance.random() < 0.3:
            line = msgspec.structs.replace(line, f=json.dumps(_odd(json.loads(line.f), chance)))
        elif chance.random() < 0.05:
            line = msgspec.structs.replace(line, f=line.f[: chance.randrange(len(line.f) + 1)], d=None)
        lines.append(line)
    judged(lines, keys=keys())


def _odd(value: Any, chance: Random) -> Any:
    """The same with something else in one place."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(sorted(value))
        return {**value, name: _odd(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        place = chance.randrange(len(value))
        return [*value[:place], _odd(value[place], chance), *value[place + 1 :]]
    return chance.choice(ODD)


@settings(max_examples=40)
@given(st.lists(st.one_of(st.binary(), st.text().map(str.encode)), max_size=20))
def test_lines_of_anything_never_raise(raws: list[bytes]) -> None:
    judge = Judge(RULES)
    judge.hear(oriented(read((f"line {number}", raw) for number, raw in enumerate(raws))))
    assert sum(one.count for one in judge.report().skipped) + judge.lines == len(raws)


@pytest.mark.parametrize("nest", ["[" * 100_000, '{"a":' * 100_000, '[2,"1","Heartbeat",' + '{"a":' * 100_000])
def test_deep_nesting_is_a_bad_frame_and_no_more(nest: str) -> None:
    assert "frame.form" in broken(judged([WireLine(1, at(1), at(1), "CP-1", "csms", 1, "up", nest)]))


def _long(stations: int, rounds: int, ids: bool, pace: float = 60.0) -> Any:
    """Heartbeats and readings of many stations, each answered; `ids`: unanswered calls under ever new ids besides."""
    number = 0
    for turn in range(rounds):
        for station in range(stations):
            moment, name = turn * pace, f"CP-{station}"
            id = f"{station}-{turn}"
            taken = {"timestamp": time(moment), "sampledValue": [{"value": str(turn * 10), "unit": "Wh"}]}
            call = ["MeterValues", {"connectorId": 1, "meterValue": [taken]}] if turn % 5 else ["Heartbeat", {}]
            frames = [("up", [2, id, *call]), ("down", [3, id, {} if turn % 5 else {"currentTime": time(moment)}])]
            if ids:
                frames.append(("down", [2, f"x{id}", "ClearCache", {}]))
            for way, frame in frames:
                number += 1
                yield Line(f"line {number}", at(moment), at(moment), name, "csms", "1", way, json.dumps(frame))


def test_fifty_thousand_messages_are_judged_in_ten_seconds() -> None:
    lines = list(_long(100, 250, ids=False))
    assert len(lines) == 50_000
    begun = process_time()
    judge = Judge(RULES)
    judge.hear(lines)
    found = judge.report()
    assert process_time() - begun < 10
    assert found.verdict is Verdict.PASS and broken(found) == []


def test_memory_does_not_grow_with_the_length_of_a_trace() -> None:
    """Calls that are never answered, ids that never come again: what is kept of them has a bound."""

    def peak(rounds: int) -> int:
        judge = Judge(RULES)
        tracemalloc.start()
        judge.hear(_long(1, rounds, ids=True, pace=1.0))
        judge.report()
        size = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return size

    peak(100)  # caches fill up once
    assert peak(4_000) < 750_000  # 570 kB hold what is remembered; 50 bytes kept of each round would be too much
