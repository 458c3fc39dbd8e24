"""The bench: its figures are sane, its day is healthy or it says so, and the yardstick carries the same messages."""

from __future__ import annotations

import json
import os

import msgspec
import ocpp.messages
import pytest

from reference_csms import assemble
from scenarios import bench
from scenarios.bench import BenchFailed, library, world
from sim.clock import HOUR
from sim.errors import BadInput


@pytest.fixture(scope="module")
def result() -> bench.BenchResult:
    return bench.measure(3, 1, repeats=2, library_sample=120)


def test_a_small_day_gives_sane_figures(result: bench.BenchResult) -> None:
    assert result.sessions_driven == result.sessions_billed == 3 * result.sessions_per_station == 3
    assert result.session_minutes == 20.0 and 10 < result.energy_kwh < 11.5
    assert result.signed_records == 6
    assert result.ours.round_trips == sum(result.round_trips_by_action.values()) > 100
    assert 15 * 3 < result.round_trips_by_action["MeterValues"] <= 20 * 3
    assert len(result.ours_all) == 2 and min(result.ours_all) > 0
    assert result.virtual_over_real > 100 and 10 < result.peak_memory_mb < 4_000


def test_both_ratios_compare_the_same_messages(result: bench.BenchResult) -> None:
    assert result.ratio_as_installed > 0 and result.ratio_sync > 0
    assert result.library_as_installed.round_trips == result.library_sync.round_trips >= 120
    assert result.ratio_sync == pytest.approx(sum(result.ours_all) / 2 / result.library_sync.per_cpu_s)


def test_the_bench_leaves_core_and_library_as_they_were(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench.day, "LIBRARY_SAMPLE", 40)
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    result = bench.bench_day(1, 1)
    assert cores is None or os.sched_getaffinity(0) == cores
    assert ocpp.messages.ASYNC_VALIDATION is True
    shown = json.loads(json.dumps(msgspec.to_builtins(result)))
    assert shown["ratio_as_installed"] > 0 and shown["ratio_sync"] > 0 and shown["versions"]["ocpp"]
    assert "round trips per CPU second" in result.text() and "ratio_sync" in result.text()


def test_sessions_take_a_third_of_the_time_whatever_the_hours() -> None:
    assert world.sessions_for(24) == (4, 2 * HOUR)
    assert world.sessions_for(6) == (1, 2 * HOUR)
    assert world.sessions_for(1) == (1, 20 * 60_000)
    for hours in range(1, 60):
        count, length = world.sessions_for(hours)
        assert length <= 2 * HOUR and abs(count * length - hours * HOUR // 3) < count


def test_the_tape_holds_the_frames_of_one_station_with_their_answers() -> None:
    tape = world.tape(1)
    values = [one for one in tape if one.action == "MeterValues"]
    assert len(values) > 15 and all(one.request.count(b'"measurand"') == 4 for one in values)
    (stop,) = [one for one in tape if one.action == "StopTransaction"]
    assert stop.request.count(b"SignedData") == 2
    assert {one.way for one in tape} == {"up", "down"}


def test_the_library_is_measured_with_and_without_its_threads() -> None:
    tape = world.tape(1)
    for threads in (True, False):
        run = library.measure(tape, threads, at_least=50)
        assert run.threads is threads and run.round_trips >= 50 and run.cpu_s > 0
    assert ocpp.messages.ASYNC_VALIDATION is True


def test_a_day_that_bills_too_little_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "assemble", lambda setup: assemble(setup, authorize=lambda *_: "Invalid"))
    day = world.build(1, 1)
    day.run()
    with pytest.raises(BenchFailed, match="sessions billed: 0, not 1"):
        world.settle_up(day)


@pytest.mark.parametrize(("stations", "hours"), [(0, 24), (1, 0), (100_000, 1), (1, 1000)])
def test_numbers_out_of_range_are_bad_input(stations: int, hours: int) -> None:
    with pytest.raises(BadInput, match="out of range"):
        bench.measure(stations, hours)
