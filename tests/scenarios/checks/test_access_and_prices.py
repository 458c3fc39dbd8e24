"""Planted breaches of access and prices: another answer, a cent more, time that may not be billed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.evidence.canonical import canonical
from sim.evidence.verdict import CheckResult, Verdict

At = Callable[[str], int]


def subjects(result: CheckResult) -> list[str]:
    """Who is named, for a result that must be FAIL."""
    assert result.verdict is Verdict.FAIL, result
    assert all(finding.evidence for finding in result.findings)
    return [finding.subject for finding in result.findings]


@pytest.mark.parametrize("change", [{"decision": "Blocked"}, {"grp": "guests"}])
def test_inv_21_finds_a_token_that_the_new_back_end_treats_otherwise(day: Any, change: dict[str, str]) -> None:
    day.row("books_access", backend="new", token="AA01", site="beta").update(change)
    result = day.check("INV-21")
    assert set(subjects(result)) == {"AA01"}
    assert "beta" in result.findings[0].sentence


def test_inv_21_finds_a_token_that_one_back_end_does_not_know(day: Any) -> None:
    day.tables["books_access"].remove(day.row("books_access", backend="new", token="AA01", site="beta"))
    assert subjects(day.check("INV-21")) == ["AA01"]


def test_inv_21_finds_an_answer_on_the_wire_that_changed_with_the_move(day: Any) -> None:
    asked = day.row("wire_calls", action="Authorize", backend="new")
    asked["answer"] = canonical({"idTagInfo": {"status": "Invalid"}})
    result = day.check("INV-21")
    assert subjects(result) == ["AA01"]
    assert "Accepted and Invalid" in result.findings[0].sentence


def test_inv_21_lets_planned_changes_and_passing_states_go(day: Any) -> None:
    asked = day.row("wire_calls", action="Authorize", backend="new")
    asked["answer"] = canonical({"idTagInfo": {"status": "ConcurrentTx"}})
    day.row("books_access", backend="new", token="AA01", site="beta")["decision"] = "Blocked"
    day.plan["access_changes"] = [{"token": "AA01", "site": "beta"}]
    assert day.check("INV-21").verdict is Verdict.PASS


def test_inv_22_finds_a_price_of_the_grid_that_differs_by_a_cent(day: Any, at: At) -> None:
    day.row("quotes_grid", backend="new", site="alpha", at=at("23:00"), component="energy")["price"] = "0.40"
    result = day.check("INV-22")
    assert subjects(result) == [f"alpha/staff/{at('23:00')}/energy"]
    assert "legacy asks 0.351" in result.findings[0].sentence and "new asks 0.40" in result.findings[0].sentence


def test_inv_22_takes_equal_numbers_written_differently_as_equal(day: Any) -> None:
    day.rows("quotes_grid", backend="new")[0].update(price="0.4410", vat_percent="19.0")
    assert day.check("INV-22").verdict is Verdict.PASS


def test_inv_22_finds_a_price_that_one_back_end_does_not_quote(day: Any) -> None:
    day.tables["quotes_grid"].remove(day.rows("quotes_grid", backend="legacy")[0])
    assert len(subjects(day.check("INV-22"))) == 1


@pytest.mark.parametrize("column", ["gross", "net", "vat", "currency"])
def test_inv_22_finds_a_session_that_the_other_back_end_rates_otherwise(day: Any, column: str) -> None:
    row = day.row("quotes_rerated", cdr_id="c-1001")
    row[column] = "SEK" if column == "currency" else row[column] + 1
    assert subjects(day.check("INV-22")) == ["c-1001"]


@pytest.mark.parametrize("table", ["books_bills", "books_rated"])
@pytest.mark.parametrize("column", ["gross", "net", "vat"])
def test_t01_finds_a_bill_that_is_off_by_a_cent(day: Any, table: str, column: str) -> None:
    day.row(table, cdr_id="c-500000002")[column] += 1
    result = day.check("T01")
    assert subjects(result) == ["CITY-new-000003"]
    assert "oracle" in result.findings[0].sentence


def test_t01_finds_a_session_that_was_given_away_or_billed_below_the_minimum(day: Any) -> None:
    day.row("books_sessions", session_id="s-500000004")["state"] = "billed"
    assert subjects(day.check("T01")) == ["s-500000004"]
    day.row("books_sessions", session_id="s-500000004")["state"] = "free"
    day.tables["books_bills"].remove(day.row("books_bills", session_id="s-1001"))
    day.row("books_sessions", session_id="s-1001")["state"] = "free"
    assert subjects(day.check("T01")) == ["s-1001"]


def test_t01_still_names_a_wrong_bill_if_another_session_cannot_be_priced(day: Any) -> None:
    day.row("truth_sessions", session_id="T1001")["points"] = []
    assert day.check("T01").verdict is Verdict.UNKNOWN
    day.row("books_bills", session_id="s-1002")["gross"] += 1
    assert subjects(day.check("T01")) == ["CITY-new-000001"]


def test_t01_prices_a_sample_second_by_second_too(day: Any) -> None:
    assert "3 of them also priced second by second" in day.check("T01").reason


def idle_line(day: Any) -> dict[str, Any]:
    lines: list[dict[str, Any]] = day.row("books_rated", cdr_id="c-500000001")["lines"]
    return next(line for line in lines if line["component"] == "idle")


def test_t10_finds_a_time_line_of_a_meter_that_may_not_bill_time(day: Any) -> None:
    day.row("books_rated", cdr_id="c-1001")["lines"].append(idle_line(day))
    result = day.check("T10")
    assert subjects(result) == ["c-1001"]
    assert "S1*1" in result.findings[0].sentence


def test_t10_finds_a_time_line_where_the_clock_was_not_synchronised(day: Any) -> None:
    """The letter that was signed counts: relative time is not enough where time itself is billed."""
    meter = next(meter for meter in day.plan["meters"] if meter["station"] == "S2")
    meter["time_billing"] = "absolute"
    assert day.check("T10").verdict is Verdict.PASS
    for call in day.rows("wire_calls", action="StopTransaction", station="S2"):
        call["payload"] = canonical({"transactionId": 0, "timestamp": "2019-06-12T10:00:00Z", "meterStop": 0})
    meter["time_status"] = "R"
    assert subjects(day.check("T10")) == ["c-500000001"]


def test_t11_finds_withheld_minutes_in_the_idle_time(day: Any) -> None:
    day.row("books_cdrs", cdr_id="c-500000001")["idle_seconds"] += 15 * 60
    result = day.check("T11")
    assert subjects(result) == ["s-500000001"]
    assert "7200 s of idle time" in result.findings[0].sentence and "6300 s" in result.findings[0].sentence


def test_inv_35_finds_a_fee_for_more_idle_time_than_there_was(day: Any) -> None:
    idle_line(day)["amount"] += 2
    assert subjects(day.check("INV-35")) == ["s-500000001"]


def test_inv_35_finds_a_fee_within_the_grace(day: Any, at: At) -> None:
    truth = day.row("truth_sessions", session_id="T500000001")
    begin, end = truth["points"][0], truth["points"][-1]
    truth["points"] = [begin, [at("11:40"), end[1], "S"], end]
    result = day.check("INV-35")
    assert subjects(result) == ["s-500000001"]
    assert "at most 0 is due" in result.findings[0].sentence


def test_inv_21_finds_a_group_that_is_wrong_at_both_back_ends_alike(day: Any) -> None:
    for row in day.rows("books_access", token="AA01"):
        row["grp"] = "guests"
    result = day.check("INV-21")
    assert set(subjects(result)) == {"AA01"}
    assert "the plan in staff" in result.findings[0].sentence


@pytest.mark.parametrize("group", [None, "guests"])
def test_inv_21_finds_a_group_on_the_wire_that_changed_with_the_move(day: Any, group: str | None) -> None:
    asked = day.row("wire_calls", action="Authorize", backend="new")
    info = {"status": "Accepted", **({"parentIdTag": group} if group else {})}
    asked["answer"] = canonical({"idTagInfo": info})
    assert subjects(day.check("INV-21")) == ["AA01"]


def test_inv_21_finds_a_token_that_both_back_ends_have_forgotten(day: Any) -> None:
    for row in day.rows("books_access", token="BB01"):
        day.tables["books_access"].remove(row)
    assert set(subjects(day.check("INV-21"))) == {"BB01"}


def test_inv_21_does_not_pass_while_a_token_was_not_tapped_at_both_back_ends(day: Any, at: At) -> None:
    """All tokens at both back-ends: who was not asked about was not looked at."""
    day.plan["probes"] = [{"station": "S2", "site": "alpha", "backend": "new"}]
    for token, status in (("AA01", "Accepted"), ("BB01", "Accepted"), ("GUEST-7", "Accepted")):
        day.authorize(at("22:40"), "S2", "new", token, status)
    result = day.check("INV-21")
    assert result.verdict is Verdict.UNKNOWN
    assert "new gave no answer on" in result.reason
    day.authorize(at("22:41"), "S2", "new", "BAD1", "Blocked")
    assert day.check("INV-21").verdict is Verdict.PASS


@pytest.mark.parametrize("table", ["books_sessions", "books_cdrs"])
def test_t02_finds_a_session_of_another_version_than_the_one_in_force_at_its_start(day: Any, table: str) -> None:
    row = day.rows(table, started_at=day.row("books_sessions", session_id="s-1001")["started_at"])[0]
    row["tariff_version"] = 2
    assert subjects(day.check("T02")) == ["s-1001"]


def test_t02_judges_by_the_start_and_not_by_what_came_later(day: Any, at: At) -> None:
    """A version that began at noon holds for what began after it, and for nothing that was running."""
    later = {**day.plan["tariffs"][0], "version": 2, "valid_from": at("12:00")}
    day.plan["tariffs"].append(later)
    wrong = set(subjects(day.check("T02")))
    assert wrong == {"s-500000002", "s-500000003", "s-500000004"}
    for table in ("books_sessions", "books_cdrs"):
        for row in day.tables[table]:
            if row["started_at"] >= at("12:00"):
                row["tariff_version"] = 2
    assert day.check("T02").verdict is Verdict.PASS
