"""Planted breaches of bills, records and quotes that once passed: wrong parties, lost numbers, prices wrong twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from scenarios.checks import all_checks
from sim.evidence.canonical import canonical
from sim.evidence.verdict import CheckResult, Verdict

At = Callable[[str], int]
NUMBER = "CITY-new-000001"


def subjects(result: CheckResult) -> list[str]:
    """Who is named, for a result that must be FAIL."""
    assert result.verdict is Verdict.FAIL, result
    assert all(finding.evidence for finding in result.findings)
    return [finding.subject for finding in result.findings]


def rewrite(bill: dict[str, Any], **change: Any) -> None:
    """Change what a bill says, and hash it again."""
    bill["data"] = json.dumps({**json.loads(bill["data"]), **change})
    bill["data_hash"] = hashlib.sha256(bill["data"].encode()).hexdigest()


@pytest.mark.parametrize("wrong", [True, False])
def test_t01_finds_a_price_change_at_which_the_meter_was_never_asked_to_sign(day: Any, at: At, wrong: bool) -> None:
    """Whatever the books make of it: the bill below is priced from the points that there are."""
    truth = day.row("truth_sessions", session_id="T500000001")
    truth["points"] = [[at("21:30"), 500_000, "B"], [at("22:30"), 508_000, "E"]]
    truth.update(started_at=at("21:30"), stopped_at=at("22:30"))
    for table in ("books_sessions", "books_cdrs"):
        day.row(table, session_id="s-500000001").update(started_at=at("21:30"), stopped_at=at("22:30"))
    day.plan["tariffs"] = [dict(day.plan["tariffs"][0])]
    if not wrong:
        day.plan["tariffs"][0]["energy"] = [{"from": "00:00", "to": "24:00", "price": "0.49"}]
    found = [one for one in day.check("T01").findings if "never asked to sign" in one.sentence]
    assert [one.subject for one in found] == (["s-500000001"] if wrong else [])
    assert all("T500000001" in one.sentence and "20:00:00" in one.sentence for one in found)


def test_t01_lets_a_price_change_go_across_which_no_energy_flowed(day: Any, at: At) -> None:
    truth = day.row("truth_sessions", session_id="T500000002")
    truth["points"] = [[at("21:30"), 508_000, "B"], [at("21:50"), 515_000, "S"], [at("22:30"), 515_000, "E"]]
    assert not [one for one in day.check("T01").findings if "never asked" in one.sentence]


@pytest.mark.parametrize(
    ("column", "value", "word"),
    [
        ("customer", "c-AA01", "customer is c-GUEST-7"),
        ("seller", "village", "belongs to city"),
        ("currency", "SEK", "currency"),
        ("journal_seq", 2, "points to entry 2"),
        ("journal_seq", None, "points to no entry"),
        ("data_hash", "00", "hash"),
        ("session_id", "s-nobody", "in no book"),
        ("gross", 1, "gross"),
        ("net", 1, "posted as"),
    ],
)
def test_l02_finds_a_bill_that_is_not_what_is_due(day: Any, column: str, value: Any, word: str) -> None:
    day.row("books_bills", number=NUMBER)[column] = value
    result = day.check("L02")
    assert NUMBER in subjects(result)
    assert word in result.findings[0].sentence


def test_l02_finds_the_wrong_customer_even_if_bill_and_journal_agree(day: Any) -> None:
    bill = day.row("books_bills", number=NUMBER)
    bill["customer"] = "c-AA01"
    entry = day.rows("books_journal", backend="new")[0]
    entry["postings"][0][0] = "receivable:c-AA01"
    assert subjects(day.check("L02")) == [NUMBER]


@pytest.mark.parametrize(("place", "column", "value"), [(0, 0, "receivable:c-AA01"), (1, 0, "vat:city"), (2, 1, "SEK")])
def test_l02_finds_a_posting_to_another_account_or_currency(day: Any, place: int, column: int, value: str) -> None:
    day.rows("books_journal", backend="new")[0]["postings"][place][column] = value
    assert NUMBER in subjects(day.check("L02"))


def test_l02_finds_a_cent_moved_between_revenue_and_vat(day: Any) -> None:
    postings = day.rows("books_journal", backend="new")[0]["postings"]
    postings[1][2], postings[2][2] = postings[1][2] + 1, postings[2][2] - 1
    assert subjects(day.check("L02")) == [NUMBER]


@pytest.mark.parametrize("change", [{"gross": 1}, {"lines": []}, {"seller": {"id": "village"}}, {"currency": "SEK"}])
def test_l02_finds_a_bill_that_says_something_else_than_is_booked(day: Any, change: dict[str, Any]) -> None:
    bill = day.row("books_bills", number=NUMBER)
    rewrite(bill, **change)
    day.rows("books_journal", backend="new")[0]["ref"] = f"{NUMBER} sha256:{bill['data_hash']}"
    assert subjects(day.check("L02")) == [NUMBER]


def test_l02_finds_an_entry_that_holds_another_hash_than_its_bill(day: Any) -> None:
    rewrite(day.row("books_bills", number=NUMBER), place="elsewhere")
    assert subjects(day.check("L02")) == [NUMBER]


def test_l02_cannot_judge_a_bill_whose_content_nobody_shows(day: Any) -> None:
    day.row("books_bills", number=NUMBER)["data"] = None
    assert day.check("L02").verdict is Verdict.UNKNOWN


def test_l02_finds_a_gap_in_the_numbers_of_a_seller(day: Any) -> None:
    day.row("books_bills", number="CITY-new-000003")["number"] = "CITY-new-000004"
    result = day.check("L02")
    assert any("number 3 of its series" in one.sentence for one in result.findings)


@pytest.mark.parametrize(("kind", "ref"), [("gift", NUMBER), ("correction", "CITY-new-000009"), ("bill", "X-1")])
def test_l02_finds_an_entry_of_another_kind_or_of_no_bill(day: Any, kind: str, ref: str) -> None:
    entry = day.post("new", 1, kind, ref, "c-GUEST-7", 100, 84)
    assert subjects(day.check("L02")) == [f"new {entry['seq']}"]


def test_l02_lets_a_correction_of_a_bill_go_but_not_to_the_accounts_of_others(day: Any) -> None:
    day.post("new", 1, "correction", f"{NUMBER} credit", "c-GUEST-7", -5, -4)
    assert day.check("L02").verdict is Verdict.PASS
    entry = day.post("new", 2, "correction", f"{NUMBER} credit", "c-AA01", -5, -4)
    assert subjects(day.check("L02")) == [f"new {entry['seq']}"]


@pytest.mark.parametrize("change", [None, {"reason": "replay"}, {"state": "released"}, {"session_id": "s-other"}])
def test_b11_finds_a_held_session_without_its_case_in_the_quarantine(day: Any, change: dict[str, str] | None) -> None:
    case = day.row("books_quarantine", session_id="s-500000003")
    if change is None:
        day.tables["books_quarantine"].remove(case)
    else:
        case.update(change)
    assert subjects(day.check("B11")) == ["s-500000003"]


def test_b02_finds_a_second_record_of_a_session_and_lets_a_correcting_one_go(day: Any) -> None:
    cdr, rated = day.row("books_cdrs", cdr_id="c-1002"), day.row("books_rated", cdr_id="c-1002")
    again = day.add("books_cdrs", **{**cdr, "cdr_id": "c-again", "corrects": "c-1002"})
    day.add("books_rated", **{**rated, "rated_id": "r-again", "cdr_id": "c-again"})
    assert day.check("B02").verdict is Verdict.PASS
    again["corrects"] = None
    assert subjects(day.check("B02")) == ["c-again"]


@pytest.mark.parametrize(
    ("column", "value"),
    [("session_id", "s-nobody"), ("stopped_at", 1), ("tariff_id", "cheap"), ("tariff_version", 2)],
)
def test_b02_finds_a_record_that_is_not_its_sessions(day: Any, column: str, value: Any) -> None:
    day.row("books_cdrs", cdr_id="c-1002")[column] = value
    assert subjects(day.check("B02")) == ["c-1002"]


@pytest.mark.parametrize("column", ["gross", "net", "vat_percent"])
def test_b02_finds_a_rating_whose_lines_or_vat_do_not_fit(day: Any, column: str) -> None:
    rated = day.row("books_rated", cdr_id="c-1002")
    rated[column] = "7" if column == "vat_percent" else rated[column] + 1
    assert subjects(day.check("B02")) == ["c-1002"]


@pytest.mark.parametrize("name", [one.name for one in all_checks()])
def test_a_record_of_an_unknown_session_and_station_crashes_no_check(day: Any, name: str) -> None:
    cdr, rated = day.row("books_cdrs", cdr_id="c-1002"), day.row("books_rated", cdr_id="c-1002")
    lost = {"cdr_id": "c-lost", "session_id": "s-nobody", "station": "S9"}
    day.add("books_cdrs", **{**cdr, **lost})
    day.add("books_rated", **{**rated, "rated_id": "r-lost", "cdr_id": "c-lost"})
    bill = day.row("books_bills", number=NUMBER)
    day.add("books_bills", **{**bill, "number": "CITY-new-000004", "session_id": "s-nobody", "cdr_id": "c-lost"})
    result = day.check(name)
    assert "crashed" not in result.reason
    assert result.verdict is not Verdict.UNKNOWN


def test_inv_21_knows_tokens_that_may_charge_at_some_sites_only(day: Any) -> None:
    next(row for row in day.plan["tokens"] if row["token"] == "AA01")["sites"] = ["alpha"]
    assert set(subjects(day.check("INV-21"))) == {"AA01"}
    for row in day.rows("books_access", token="AA01", site="beta"):
        row["decision"] = "Blocked"
    (start,) = [
        row for row in day.rows("wire_calls", action="StartTransaction", station="S2") if "AA01" in row["payload"]
    ]
    start["answer"] = canonical({"transactionId": 500_000_002, "idTagInfo": {"status": "Blocked"}})
    assert day.check("INV-21").verdict is Verdict.PASS


def test_l02_finds_a_bill_whose_content_cannot_be_read(day: Any) -> None:
    day.row("books_bills", number=NUMBER)["data"] = "not JSON"
    assert subjects(day.check("L02")) == [NUMBER]


def test_t10_names_a_record_of_a_connector_that_is_not_there(day: Any) -> None:
    day.row("books_cdrs", cdr_id="c-500000001")["station"] = "S9"
    assert "c-500000001" in subjects(day.check("T10"))


def test_inv_22_finds_prices_that_are_wrong_at_both_back_ends_alike(day: Any, at: At) -> None:
    for row in day.rows("quotes_grid", site="beta", at=at("12:00"), component="energy"):
        row["price"] = "0.49"  # without the discount of the group
    result = day.check("INV-22")
    assert subjects(result) == [f"beta/staff/{at('12:00')}/energy"]
    assert "the plan says 0.441 EUR" in result.findings[0].sentence


def test_inv_22_finds_a_site_of_the_plan_that_nobody_quotes(day: Any) -> None:
    gone = day.rows("quotes_grid", site="beta", component="idle")
    day.tables["quotes_grid"] = [row for row in day.tables["quotes_grid"] if row not in gone]
    assert len(subjects(day.check("INV-22"))) == 2


def test_inv_22_finds_a_side_that_quotes_or_rates_nothing(day: Any) -> None:
    day.tables["quotes_grid"] = day.rows("quotes_grid", backend="new")
    assert "legacy" in subjects(day.check("INV-22"))
    day.tables["quotes_grid"] = []
    assert set(subjects(day.check("INV-22"))) == {"legacy", "new"}


def test_inv_22_finds_a_record_that_the_other_back_end_did_not_rate(day: Any) -> None:
    day.tables["quotes_rerated"].remove(day.row("quotes_rerated", cdr_id="c-1002"))
    day.row("quotes_rerated", cdr_id="c-1001")["gross"] = None
    assert subjects(day.check("INV-22")) == ["c-1001", "c-1002"]


def test_inv_21_finds_a_blocked_token_that_both_back_ends_accept(day: Any) -> None:
    for row in day.rows("books_access", token="BAD1", site="beta"):
        row["decision"] = "Accepted"
    result = day.check("INV-21")
    assert subjects(result) == ["BAD1", "BAD1"]
    assert "the plan says Blocked" in result.findings[0].sentence


@pytest.mark.parametrize(("token", "status"), [("NOBODY", "Accepted"), ("BAD1", "Accepted"), ("AA01", "Blocked")])
def test_inv_21_finds_an_answer_on_the_wire_against_the_plan(day: Any, at: At, token: str, status: str) -> None:
    day.authorize(at("20:00"), "S2", "new", token, status)
    assert token in subjects(day.check("INV-21"))


def test_inv_21_takes_invalid_as_the_answer_for_an_unknown_token_and_counts_pairs_asked_at_both(
    day: Any, at: At
) -> None:
    day.authorize(at("20:00"), "S2", "new", "NOBODY", "Invalid")
    result = day.check("INV-21")
    assert result.verdict is Verdict.PASS
    assert "1 of them at both back-ends" in result.reason


def test_inv_21_reads_the_answers_to_starts_too(day: Any) -> None:
    start = day.rows("wire_calls", action="StartTransaction", backend="new")[0]
    start["answer"] = canonical({"transactionId": 500_000_001, "idTagInfo": {"status": "Blocked"}})
    assert subjects(day.check("INV-21")) == ["BB01"]


@pytest.mark.parametrize("action", ["StatusNotification", "Heartbeat", "DataTransfer"])
def test_inv_05_finds_any_well_formed_call_that_is_refused_after_acceptance(day: Any, at: At, action: str) -> None:
    error = {"code": "InternalError", "description": "", "details": {}}
    refused = day.call(at("20:00"), "S2", "new", action, {}, error)
    assert subjects(day.check("INV-05")) == ["S2"]
    refused["well_formed"] = 0
    assert day.check("INV-05").verdict is Verdict.PASS
