"""The first day as a whole: the healthy system gives no finding, the day holds what it promises, and the seed decides."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pytest
from msgspec.structs import replace

from reference_csms import assemble
from scenarios.checks import run_checks
from scenarios.load import load_scenario, sessions_path, with_sessions
from scenarios.runner import Played, judge
from scenarios.targets import Target, reference
from sim.backend import BackEnd, Setup
from sim.evidence.verdict import CheckResult, Verdict

WHOLE = (1, 2, 3)
"""Those that are played as shipped and asked more; they stay at hand until then."""
FAST = (*range(4, 11), *WHOLE)
SLOW = range(11, 51)
HOUR_S = 3_600
PUBLIC = Path(__file__).parents[3] / "shared" / "data" / "sessions" / "dundee-2018-summer.csv"


@lru_cache(maxsize=3)
def play(seed: int) -> tuple[Played, list[CheckResult]]:
    """The first seed is played a second time, in a process of its own, for INV-39; all but `WHOLE` have few heartbeats."""
    day = load_scenario("first-day")
    if seed not in WHOLE:
        day = replace(day, fleet=replace(day.fleet, heartbeat_s=HOUR_S))
    return judge(day, seed, sessions=sessions_path(day), repeat=seed == WHOLE[0], wire="index")


def day_of(seed: int) -> Played:
    return play(seed)[0]


def assert_healthy(results: list[CheckResult]) -> None:
    wrong = [
        f"{result.check} {result.verdict} {result.reason} {[finding.sentence for finding in result.findings[:3]]}"
        for result in results
        if result.verdict is not Verdict.PASS
    ]
    assert wrong == []
    assert all(result.items > 0 for result in results)


@pytest.mark.parametrize("seed", FAST)
def test_the_healthy_system_gives_no_finding(seed: int) -> None:
    """INV-01..07, 13, 16, 17, 21, 22, 26, 29, 31, 35, B02, B06, B08, B11, L01, L02, L05, T01, T02, T10, DRV-01..03."""
    assert_healthy(play(seed)[1])


@pytest.mark.parametrize("seed", WHOLE)
def test_the_day_holds_what_it_promises(seed: int) -> None:
    """Baits and sights of the day are there for every seed, not only for the one that is shown."""
    evidence = day_of(seed).evidence
    kinds = {row["kind"] for row in evidence.rows("SELECT DISTINCT kind FROM truth_faults")}
    assert {"link.stall", "backend.crash", "meter.tamper", "meter.key-unregistered", "station.stray-stop"} <= kinds
    foreign = evidence.rows("SELECT * FROM books_transactions WHERE backend = 'new' AND issuer = 'legacy'")
    assert any(row["state"] == "closed" for row in foreign), "no stop with a legacy id reached the new back-end"
    busy = evidence.rows("SELECT * FROM truth_migration WHERE state = 'DRAINING' AND detail LIKE '%Scheduled%'")
    assert busy, "no station was charging when its turn came"
    ended = evidence.rows("SELECT state, COUNT(*) AS n FROM truth_migration WHERE state = 'CLOSED_AT_OLD' GROUP BY 1")
    assert ended[0]["n"] >= 5
    visits = evidence.rows("SELECT channel, COUNT(*) AS n FROM truth_visits GROUP BY 1")
    by_channel = {row["channel"]: row["n"] for row in visits}
    assert by_channel["app"] * 4 >= sum(by_channel.values())
    reasons = {row["reason"] for row in evidence.rows("SELECT DISTINCT reason FROM books_quarantine")}
    assert {"wrong-signature", "key-unknown", "stray-stop"} <= reasons
    routes = evidence.rows("SELECT DISTINCT detail FROM truth_migration WHERE state = 'PLANNED'")
    assert len(routes) == 3


def test_the_day_also_holds_what_no_sentence_of_it_promises() -> None:
    """INV-08, 09, 20, 27, 32, 33, 37, 40 on played evidence, and not only on rows made by hand."""
    names = [f"INV-{number:02d}" for number in (8, 9, 20, 27, 32, 33, 37, 40)]
    assert_healthy(run_checks(day_of(1).evidence, names))


def test_a_queue_that_waited_through_the_switch_arrives_at_the_new_back_end() -> None:
    """INV-03, M12: the stop happened minutes before the new back-end received it, and is billed there once."""
    evidence = day_of(1).evidence
    late = evidence.rows(
        "SELECT t.* FROM books_transactions t JOIN truth_faults f ON f.target = t.station "
        "WHERE f.fault_id = 'stall-at-turn' AND t.backend = 'new' AND t.issuer = 'legacy'"
    )
    assert len(late) == 1
    assert late[0]["received_stop_at"] - late[0]["stopped_at"] > 60_000
    bills = evidence.rows("SELECT * FROM books_bills WHERE session_id = ?", late[0]["session_id"])
    assert len(bills) == 1


def test_the_seed_decides_and_nothing_else() -> None:
    """INV-39: the same seed in a second process with another hash seed gives the same digest, another seed does not."""
    played, results = play(1)
    assert [result.verdict for result in results if result.check == "INV-39"] == [Verdict.PASS]
    rows = played.evidence.rows("SELECT hash_seed, digest FROM repeats")
    assert [row["digest"] for row in rows] == [played.evidence.digest]
    assert played.evidence.digest != day_of(2).evidence.digest


def test_a_broken_copy_of_the_reference_can_be_put_under_the_same_checks() -> None:
    """A factory of somebody's own, made with the composition root, needs nothing of this repository's list of mutants."""

    def free_of_charge(setup: Setup) -> BackEnd:
        return assemble(setup, tariffs=lambda rows: [{**row, "start_fee": "0"} for row in rows])

    day = load_scenario("first-day").at_sites("campus-4", "campus-5")
    target = Target(name="mine", legacy=reference, new=free_of_charge)
    _, results = judge(day, 1, sessions=sessions_path(day), target=target, repeat=False, wire="index")
    assert {result.check for result in results if result.verdict is Verdict.FAIL} == {"INV-22", "T01"}


@pytest.mark.slow
@pytest.mark.parametrize("seed", SLOW)
def test_the_healthy_system_gives_no_finding_over_more_seeds(seed: int) -> None:
    """The same checks, forty more seeds: fifty in all."""
    assert_healthy(play(seed)[1])


@pytest.mark.skipif(not PUBLIC.is_file(), reason="the public session file is not beside the checkout")
def test_a_dirty_public_file_is_replayed_with_every_row_accounted_for() -> None:
    """Rules for dirt: each kind counted over file and day; the day itself gives no finding."""
    day = with_sessions(load_scenario("first-day"), str(PUBLIC), "Europe/London")
    played, results = judge(day, 1, sessions=sessions_path(day), repeat=False, wire="index")
    assert_healthy(results)
    report = played.evidence.plan("input")
    counts = {kind["kind"]: kind["count_file"] for kind in report["kinds"]}
    assert report["rows_read"] == 19_155
    assert counts["negative-energy"] == 8
    assert counts["zero-energy"] == 733
    assert counts["zero-length"] == 129
    assert 590 <= counts["longer-than-a-day"] <= 610
    replayed = played.evidence.rows("SELECT COUNT(*) AS n FROM truth_visits WHERE visit_id LIKE 'v%'")[0]["n"]
    assert report["rows_day"] == replayed + len(report["not_replayed"])
