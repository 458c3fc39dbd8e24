"""The bench: its figures are sane, its day is healthy or it says so, and the yardstick carries the same messages."""

from __future__ import annotations

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import ocpp.messages
import pytest
from msgspec.structs import replace

from reference_csms import assemble
from scenarios.bench import day, library, office, world
from scenarios.bench.result import BenchResult
from scenarios.bench.world import BenchFailed, Group
from sim.clock import HOUR
from sim.errors import BadInput
from sim.evidence.store import open_evidence

ONE = Group(1, 1, 1, 1)


@pytest.fixture(scope="module")
def told() -> list[str]:
    return []


@pytest.fixture(scope="module")
def result(told: list[str], tmp_path_factory: pytest.TempPathFactory) -> BenchResult:
    """Three stations in two groups, one after the other and then at once, with all evidence kept."""
    keep = tmp_path_factory.mktemp("bench") / "kept"
    return day.bench_day(
        3, 1, jobs=2, group=2, repeats=1, compare=True, keep=keep, progress=told.append, library_sample=120
    )


def test_a_small_day_gives_sane_figures(result: BenchResult) -> None:
    assert result.sessions_driven == result.sessions_billed == 3 * result.sessions_per_station == 3
    assert result.session_minutes == 20.0 and 10 < result.energy_kwh < 11.5
    assert result.signed_records == 6 and result.gross > 3 * 50
    assert result.ours.round_trips == sum(result.round_trips_by_action.values()) > 100
    assert 15 * 3 < result.round_trips_by_action["MeterValues"] <= 20 * 3
    assert (result.groups, len(result.ours_all)) == (2, 2) and min(result.ours_all) > 0
    assert 0 < result.ours.cpu_s < result.setup_cpu_s + result.ours.cpu_s < result.cpu_all_s
    assert 10 < result.parent_memory_mb < 4_000 and 40 < result.children_memory_mb < 1_000
    assert result.peak_memory_mb == result.parent_memory_mb + result.children_memory_mb


def test_two_jobs_give_the_digest_of_one(result: BenchResult) -> None:
    """INV-39: how many processes there are changes nothing (the bench raises if it does), and each has its own hash seed."""
    assert result.compared is not None and result.compared.jobs == result.jobs == 2
    assert result.compared.speed_up == result.compared.wall_1_s / result.compared.wall_jobs_s > 0
    assert result.compared.cores_1 > 0 and result.compared.cores_jobs == result.cpu_all_s / result.ours.wall_s
    assert len(result.digest) == 64


def test_each_finished_group_is_told_in_one_line(result: BenchResult, told: list[str]) -> None:
    assert len(told) == 4 and all("\n" not in line for line in told)
    assert [line.split()[0] for line in told[:2]] == ["bench-001", "bench-002"]
    assert "1 of 2 done" in told[2] and "2 of 2 done" in told[3]


def test_kept_evidence_lies_by_shard_and_its_size_is_stated(result: BenchResult) -> None:
    kept = Path(result.evidence.kept)
    files = sorted(path.relative_to(kept).as_posix() for path in kept.rglob("*") if path.is_file())
    shards = [f"bench-00{n}/{file}" for n in (1, 2) for file in ("evidence.sqlite", "wire.jsonl.zst")]
    assert files == sorted(["bench/evidence.sqlite", *shards])
    assert result.evidence.wire_bytes == sum(path.stat().st_size for path in kept.rglob("*.zst"))
    assert result.evidence.sqlite_bytes == sum(path.stat().st_size for path in kept.rglob("*.sqlite"))
    assert os.listdir(kept.parent) == ["kept"]


def test_the_bills_of_all_shards_are_in_one_circle_and_one_journal(result: BenchResult) -> None:
    """L06, L01: no gap, and the sum of the postings is that of the CDRs that the shards rated."""
    kept = Path(result.evidence.kept)
    bills, journal = (open_evidence(kept / "bench/evidence.sqlite").rows(f"SELECT * FROM {table}") for table in (
        "books_bills", "books_journal"))  # fmt: skip
    rated = [
        row
        for shard in ("bench-001", "bench-002")
        for row in open_evidence(kept / shard / "evidence.sqlite").rows("SELECT * FROM books_rated")
    ]
    assert sorted(bill["number"] for bill in bills) == [f"BENCH-bench-{n:06d}" for n in (1, 2, 3)]
    assert {bill["session_id"][:9] for bill in bills} == {"bench-001", "bench-002"}
    postings = [amount for entry in journal for _, _, amount in json.loads(entry["postings"])]
    assert sum(postings) == 0
    assert sum(amount for amount in postings if amount > 0) == sum(row["gross"] for row in rated) == result.gross
    assert journal[-1]["hash"] == result.ledger_head
    for shard in ("bench-001", "bench-002"):
        assert open_evidence(kept / shard / "evidence.sqlite").rows("SELECT * FROM books_bills") == []


def test_both_ratios_compare_the_same_messages(result: BenchResult) -> None:
    assert result.ratio_as_installed > 0 and result.ratio_sync > 0
    assert result.library_as_installed.round_trips == result.library_sync.round_trips >= 120
    assert result.ratio_sync == result.ours.per_cpu_s / result.library_sync.per_cpu_s
    assert result.ours.per_cpu_s == pytest.approx(sum(result.ours_all) / 2)


def test_the_figures_are_text_and_json(result: BenchResult) -> None:
    shown = json.loads(json.dumps(msgspec.to_builtins(result)))
    assert shown["ratio_as_installed"] > 0 and shown["versions"]["ocpp"] and shown["evidence"]["wire_bytes"] > 0
    text = result.text()
    assert "round trips per CPU second" in text and "ratio_sync" in text and "--jobs 2 against --jobs 1" in text


def test_the_bench_leaves_core_and_library_as_they_were() -> None:
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else None
    result = day.bench_day(1, 1, repeats=1, library_sample=40)
    assert cores is None or os.sched_getaffinity(0) == cores
    assert ocpp.messages.ASYNC_VALIDATION is True
    assert result.evidence.kept == "" and result.evidence.sqlite_bytes > 0 and result.compared is None


def test_sessions_take_a_third_of_the_time_whatever_the_hours() -> None:
    assert world.sessions_for(24) == (4, 2 * HOUR)
    assert world.sessions_for(6) == (1, 2 * HOUR)
    assert world.sessions_for(1) == (1, 20 * 60_000)
    for hours in range(1, 60):
        count, length = world.sessions_for(hours)
        assert length <= 2 * HOUR and abs(count * length - hours * HOUR // 3) < count


def test_the_fleet_is_cut_by_size_alone() -> None:
    groups = world.cut(600, 24, 250)
    assert [(group.name, group.first, group.count) for group in groups] == [
        ("bench-001", 1, 250),
        ("bench-002", 251, 250),
        ("bench-003", 501, 100),
    ]
    assert groups[2].stations[0] == "B00501" and groups[2].stations[-1] == "B00600"


def test_no_transaction_id_belongs_to_two_shards_or_leaves_the_circle() -> None:
    """INV-07, also for the largest fleet and the longest day that the bench takes."""
    groups = world.cut(99_999, day._MOST_HOURS, 1)
    each = world.sessions_for(day._MOST_HOURS)[0]
    bases = [group.transaction_base for group in groups]
    assert all(after - before >= each for before, after in pairwise(bases))
    assert bases[-1] + 10 * each < 2**31


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


def test_a_day_that_rates_too_little_is_no_result(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world, "assemble", lambda setup: assemble(setup, authorize=lambda *_: "Invalid"))
    one = world.build(ONE)
    one.run()
    with pytest.raises(BenchFailed, match=r"bench-001 .*sessions rated: 0, not 1"):
        world.settle_up(one)


def test_books_that_do_not_add_up_are_no_result() -> None:
    one = world.build(ONE)
    one.run()
    parcels = world.settle_up(one).parcels
    office.bill_all(parcels, 1)
    (parcel,) = parcels
    dearer = replace(parcel, rated=replace(parcel.rated, rated=replace(parcel.rated.rated, gross=9)))
    assert "gross of the bills: 0, not 9" in office.objections([dearer], [], [])
    assert office.objections([], [], []) == []


@pytest.mark.parametrize(
    ("stations", "hours", "more"),
    [(0, 24, {}), (1, 0, {}), (100_000, 1, {}), (1, 1000, {}), (1, 1, {"jobs": 0}), (1, 1, {"group": 0})],
)
def test_numbers_out_of_range_are_bad_input(stations: int, hours: int, more: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match="out of range"):
        day.bench_day(stations, hours, **more)


def test_one_job_has_nothing_to_compare_with() -> None:
    with pytest.raises(BadInput, match="--compare-jobs"):
        day.bench_day(1, 1, compare=True)


def test_evidence_goes_into_a_new_folder_only(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is there already"):
        day.bench_day(1, 1, keep=tmp_path)
