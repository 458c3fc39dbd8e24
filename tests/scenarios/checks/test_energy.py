"""Planted breaches of energy: lost, doubled, held without cause, timed wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.evidence.verdict import CheckResult, Verdict

At = Callable[[str], int]


def subjects(result: CheckResult) -> list[str]:
    """Who is named, for a result that must be FAIL."""
    assert result.verdict is Verdict.FAIL, result
    assert all(finding.evidence for finding in result.findings)
    return [finding.subject for finding in result.findings]


def test_inv_01_names_the_meter_whose_energy_the_books_lost(day: Any) -> None:
    day.row("books_cdrs", cdr_id="c-1001")["kwh"] = "5.000"
    result = day.check("INV-01")
    assert subjects(result) == ["M-S1"]
    assert "16000 Wh" in result.findings[0].sentence and "14000" in result.findings[0].sentence
    assert any(row.row.get("session_id") == "s-1001" for row in result.findings[0].evidence)


def test_inv_01_counts_a_handed_over_session_at_both_back_ends_as_a_breach(day: Any) -> None:
    handed = day.row("books_sessions", backend="legacy", session_id="s-1002")
    handed.update(state="billed", energy_wh=9_000)
    assert subjects(day.check("INV-01")) == ["M-S1"]


def test_inv_01_forgives_one_wh_per_session(day: Any) -> None:
    day.row("truth_meters", meter_id="M-S1")["register_stop"] += 2
    assert day.check("INV-01").verdict is Verdict.PASS
    day.row("truth_meters", meter_id="M-S1")["register_stop"] += 1
    assert subjects(day.check("INV-01")) == ["M-S1"]


def test_inv_01_lists_what_still_charges_at_the_end(day: Any, at: At) -> None:
    truth = {**day.row("truth_sessions", session_id="T1001"), "session_id": "T9", "stopped_at": None}
    meter = day.row("truth_meters", meter_id="M-S1")
    day.add("truth_sessions", **{**truth, "started_at": at("23:00"), "register_start": meter["register_stop"]})
    meter["register_stop"] += 1_500
    day.tables["truth_sessions"][-1]["register_stop"] = None
    result = day.check("INV-01")
    assert result.verdict is Verdict.PASS
    assert "1 sessions were still charging" in result.reason


def test_inv_01_takes_the_energy_of_a_quarantined_stop_that_no_session_was_found_for(day: Any) -> None:
    held = day.row("books_quarantine")
    day.tables["books_sessions"].remove(day.row("books_sessions", session_id="s-500000003"))
    held.update(session_id=None, reason="unknown-transaction")
    assert day.check("INV-01").verdict is Verdict.PASS
    held["energy_wh"] = None
    assert subjects(day.check("INV-01")) == ["M-S2"]


def test_inv_01_reports_energy_where_no_meter_is(day: Any) -> None:
    day.add("books_sessions", backend="new", session_id="s-x", station="S9", connector=1, energy_wh=5, state="billed")
    assert "s-x" in subjects(day.check("INV-01"))


def test_inv_02_finds_two_billed_sessions_that_overlap_on_a_connector(day: Any, at: At) -> None:
    day.row("books_sessions", session_id="s-1001")["stopped_at"] = at("09:45")
    result = day.check("INV-02")
    assert subjects(result) == ["S1*1"]
    assert str(15 * 60_000) in result.findings[0].sentence


def test_inv_02_finds_a_true_session_that_both_back_ends_billed(day: Any) -> None:
    twice = {**day.row("books_bills", session_id="s-1002"), "backend": "legacy", "number": "CITY-legacy-77"}
    day.add("books_bills", **twice)
    assert "T1002" in subjects(day.check("INV-02"))


def test_inv_02_finds_a_long_session_that_swallows_a_later_one(day: Any, at: At) -> None:
    """The overlap is not with the neighbour in time."""
    day.row("books_sessions", session_id="s-500000001")["stopped_at"] = at("23:00")
    assert set(subjects(day.check("INV-02"))) == {"S2*1"}


def test_b08_also_counts_free_sessions(day: Any, at: At) -> None:
    day.row("books_sessions", session_id="s-500000004")["started_at"] = at("13:45")
    assert day.check("B08").verdict is Verdict.PASS
    day.row("books_sessions", session_id="s-500000004")["started_at"] = at("13:29")
    assert subjects(day.check("B08")) == ["S2*1"]


def test_b08_also_counts_sessions_that_are_held(day: Any, at: At) -> None:
    """The one of 13:00 is in quarantine, the next begins at 14:00."""
    day.row("books_sessions", session_id="s-500000003")["stopped_at"] = at("23:59")
    assert set(subjects(day.check("B08"))) == {"S2*1"}


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("open", None, "still call it open"),
        ("quarantined", "key-unknown", "an honest session of 7000 Wh is held as key-unknown"),
        ("free", "below-minimum", "given away"),
    ],
)
def test_inv_03_finds_an_honest_session_that_is_not_invoiced(day: Any, state: str, reason: str, words: str) -> None:
    day.row("books_sessions", session_id="s-1001").update(state=state, reason=reason)
    result = day.check("INV-03")
    assert subjects(result) == ["T1001"]
    assert words in result.findings[0].sentence


def test_inv_03_finds_a_session_that_no_book_knows(day: Any) -> None:
    day.tables["books_sessions"].remove(day.row("books_sessions", session_id="s-500000002"))
    result = day.check("INV-03")
    assert subjects(result) == ["T500000002"]
    assert "in no book" in result.findings[0].sentence


def test_inv_03_finds_a_session_that_was_handed_over_to_nobody(day: Any) -> None:
    day.tables["books_sessions"].remove(day.row("books_sessions", backend="new", session_id="s-1002"))
    result = day.check("INV-03")
    assert subjects(result) == ["T1002"]
    assert "nobody took them" in result.findings[0].sentence


def test_inv_03_finds_a_session_settled_at_both_back_ends(day: Any) -> None:
    day.row("books_sessions", backend="legacy", session_id="s-1002")["state"] = "billed"
    result = day.check("INV-03")
    assert subjects(result) == ["T1002"]
    assert "2 times" in result.findings[0].sentence


def test_inv_03_finds_a_bill_for_a_session_that_never_happened(day: Any, at: At) -> None:
    ghost = {**day.row("books_sessions", session_id="s-1001"), "session_id": "ghost", "started_at": at("17:00")}
    day.add("books_sessions", **ghost)
    assert subjects(day.check("INV-03")) == ["ghost"]


def test_inv_03_does_not_accept_a_harm_that_does_not_explain_the_reason(day: Any) -> None:
    day.row("books_sessions", session_id="s-500000003")["reason"] = "unknown-token"
    day.row("books_quarantine")["reason"] = "unknown-token"
    assert subjects(day.check("INV-03")) == ["T500000003"]


@pytest.mark.parametrize("explain", ["unregistered", "blocked"])
def test_inv_03_accepts_a_quarantine_that_the_plan_explains(day: Any, explain: str) -> None:
    reason = {"unregistered": "key-unknown", "blocked": "not-billable"}[explain]
    day.row("books_sessions", session_id="s-500000003")["reason"] = reason
    day.row("books_quarantine")["reason"] = reason
    day.row("truth_sessions", session_id="T500000003")["harm"] = ""
    if explain == "unregistered":
        next(meter for meter in day.plan["meters"] if meter["station"] == "S2")["registered"] = False
    else:
        next(token for token in day.plan["tokens"] if token["token"] == "GUEST-7")["status"] = "Blocked"
    assert not [name for name in map(str, day.check("INV-03").findings) if "T500000003" in name]


def test_inv_03_joins_by_place_token_and_time_and_not_by_transaction_id(day: Any) -> None:
    for table in ("books_sessions", "books_transactions"):
        for row in day.rows(table):
            row["transaction_id"] += 7
    assert day.check("INV-03").verdict is Verdict.PASS


@pytest.mark.parametrize("table", ["books_sessions", "books_cdrs"])
def test_inv_09_finds_a_stop_that_was_timed_at_its_arrival(day: Any, at: At, table: str) -> None:
    day.row(table, station="S1", session_id="s-1001")["stopped_at"] = at("09:20")
    result = day.check("INV-09")
    assert subjects(result) == ["s-1001"]
    assert "+1200000 ms" in result.findings[0].sentence
