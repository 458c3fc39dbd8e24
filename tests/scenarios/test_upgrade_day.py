"""The upgrade day itself: what happened in it is what its story tells, and no seed raises a finding.

A whole play takes about a minute, so every test run plays a part of the sites; `make slow` plays fifty seeds: three of the
whole, of which two are enough to show a hundred combinations, the others at two sites.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from msgspec.structs import replace

from reports.combinations import combinations
from scenarios.load import load_scenario, sessions_path
from scenarios.model import Scenario
from scenarios.runner import Played, judge
from sim.evidence.verdict import CheckResult, Verdict

PART = ("campus-2", "campus-4", "campus-5", "laboratory-4F")
"""A third of the visits: two waves, one of them put off, and owners who are late, never, in time and at the wrong bank."""
FIRST = (1, 2)
WHOLE = (3,)
SMALL = ("campus-4", "campus-5")
"""A tenth of the visits: the wave of the late owner, and an owner who is at the new back-end all the time."""
SEEDS = range(4, 51)
SELDOM = 4 * 3_600
"""Seconds between heartbeats, of which most of the messages of these weeks are made, in all plays but those of FIRST."""


def judged(seed: int, *sites: str) -> tuple[Played, list[CheckResult]]:
    day: Scenario = load_scenario("upgrade-day")
    day = day.at_sites(*sites) if sites else day
    if seed not in FIRST or sites:
        day = replace(day, fleet=replace(day.fleet, heartbeat_s=SELDOM))
    return judge(day, seed, sessions=sessions_path(day), wire="index", repeat=False)


def wrong(results: list[CheckResult], *allowed: Verdict) -> list[Any]:
    return [
        (one.check, one.verdict.value, one.reason, [finding.sentence for finding in one.findings[:3]])
        for one in results
        if one.verdict not in (Verdict.PASS, *allowed)
    ]


@pytest.fixture(scope="module")
def part() -> tuple[Played, list[CheckResult]]:
    return judged(1, *PART)


def test_a_third_of_the_sites_gives_no_finding(part: tuple[Played, list[CheckResult]]) -> None:
    """INV-01..09, INV-20..40, B01..B12, L01..L09, M01..M13, P01..P12 over two waves and a quarter of money."""
    assert wrong(part[1], Verdict.NOT_APPLICABLE) == []


def test_the_owner_who_is_late_is_caught_up_with_and_the_one_who_never_comes_is_not(
    part: tuple[Played, list[CheckResult]],
) -> None:
    """M10, INV-24: charging goes on, claims collect, no money moves, then each is taken once."""
    rows = part[0].evidence.rows(
        "SELECT seller, state, COUNT(*) AS n FROM books_claims WHERE backend = 'new' AND route = 'stripe' GROUP BY 1, 2"
    )
    states = {(row["seller"], row["state"]): row["n"] for row in rows}
    assert states["vidda", "waiting-account"] > 20
    assert not any(state == "paid" for seller, state in states if seller == "vidda")
    assert states["fjordlading", "paid"] > 20
    assert ("fjordlading", "waiting-account") not in states
    kinds = {row["kind"] for row in part[0].evidence.rows("SELECT kind FROM truth_upgrade WHERE owner = 'fjordlading'")}
    assert {"vouched", "form-sent", "contract-ended", "contract-begun", "prepaid-moved"} <= kinds


def test_the_wave_that_was_put_off_is_taken_back_and_told_again(part: tuple[Played, list[CheckResult]]) -> None:
    """INV-25: a notice, its withdrawal, and a notice of the new day; the other owners get one."""
    rows = part[0].evidence.rows("SELECT kind, meta FROM partner_mails WHERE kind LIKE 'upgrade-notice%' ORDER BY at")
    told = [(row["kind"], json.loads(row["meta"])["owner"], json.loads(row["meta"])["day"]) for row in rows]
    assert [(kind, day) for kind, owner, day in told if owner == "vidda"] == [
        ("upgrade-notice", "2024-04-18"),
        ("upgrade-notice-void", "2024-04-18"),
        ("upgrade-notice", "2024-04-23"),
    ]
    assert [kind for kind, owner, _ in told if owner == "fjordlading"] == ["upgrade-notice"]


def test_what_an_owner_forgot_is_found_before_the_wave_and_mended(part: tuple[Played, list[CheckResult]]) -> None:
    """INV-21: the preflight says what is missing, the owner hands it over, and every token is taken as before."""
    rows = part[0].evidence.rows("SELECT kind, data FROM truth_upgrade WHERE owner = 'vidda' ORDER BY at")
    lacks = [len(json.loads(row["data"])["lacks"]) for row in rows if row["kind"] == "preflight"]
    assert lacks[0] == 3 and lacks[-1] == 0
    assert any(row["kind"] == "set-up-mended" for row in rows)


def test_the_old_subscription_is_credited_and_the_new_one_begins_on_the_day_of_the_move(
    part: tuple[Played, list[CheckResult]],
) -> None:
    """L09, M08: no day twice, none left out; the quarter is cut by the day of the move."""
    rows = part[0].evidence.rows(
        "SELECT backend, period_start, period_until FROM books_invoices "
        "WHERE kind = 'subscription' AND customer = 'fjordlading' ORDER BY issued_at"
    )
    assert [tuple(row.values()) for row in rows] == [
        ("legacy", "2024-04-01", "2024-05-01"),
        ("new", "2024-04-09", "2024-07-01"),
    ]
    credits = part[0].evidence.rows("SELECT amount FROM books_invoice_lines WHERE text LIKE 'prepaid on %'")
    assert len(credits) == 3 and all(row["amount"] < 0 for row in credits)


def test_the_partners_failed_as_the_story_says(part: tuple[Played, list[CheckResult]]) -> None:
    """Time-outs after the deed, an hour of silence, events doubled, late and out of order: all of them took place."""
    kinds = {row["kind"] for row in part[0].evidence.rows("SELECT DISTINCT kind FROM partner_faults")}
    assert {"timeout-after", "slow", "webhook-duplicate", "webhook-delay", "webhook-reorder"} <= kinds
    assert "webhook-wrong-secret" in kinds


def test_a_payment_that_the_bank_took_back_is_paid_again(part: tuple[Played, list[CheckResult]]) -> None:
    """P07: it came, went back by an R-transaction, and came again; in the end the claim is paid once."""
    back = part[0].evidence.rows("SELECT * FROM partner_bank WHERE for_id IS NOT NULL AND reference LIKE 'LG-%'")
    assert len(back) == 1
    number = back[0]["reference"]
    lines = part[0].evidence.rows("SELECT amount, code FROM partner_bank WHERE reference = ? ORDER BY at", number)
    assert [(row["amount"] > 0, row["code"]) for row in lines] == [(True, None), (False, "MS03"), (True, None)]
    (claim,) = part[0].evidence.rows("SELECT * FROM books_claims WHERE document = ?", number)
    assert (claim["paid"], claim["state"]) == (claim["amount"], "paid")


@pytest.mark.slow
def test_two_seeds_of_the_whole_upgrade_raise_no_finding_and_cover_a_hundred_combinations() -> None:
    """Distinct combinations of state of the move, connector and fault."""
    found: set[tuple[str, str, str]] = set()
    for seed in FIRST:
        played, results = judged(seed)
        assert wrong(results) == []
        found |= combinations(played.evidence)
    assert len(found) >= 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", WHOLE)
def test_no_seed_of_the_whole_upgrade_raises_a_finding(seed: int) -> None:
    _, results = judged(seed)
    assert wrong(results) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_no_seed_of_two_sites_raises_a_finding(seed: int) -> None:
    _, results = judged(seed, *SMALL)
    assert wrong(results, Verdict.NOT_APPLICABLE) == []
