"""Planted breaches between signature and journal: unproven bills, other kWh, entries doubled or rewritten."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sim.evidence.canonical import canonical
from sim.evidence.verdict import CheckResult, Verdict
from sim.wire import ocmf


def subjects(result: CheckResult) -> list[str]:
    """Who is named, for a result that must be FAIL."""
    assert result.verdict is Verdict.FAIL, result
    assert all(finding.evidence for finding in result.findings)
    return [finding.subject for finding in result.findings]


def bill_the_tampered_one(day: Any) -> None:
    day.row("books_sessions", session_id="s-500000003").update(state="billed", reason=None)


def edit_stop(day: Any, transaction_id: int, change: Any) -> None:
    for call in day.rows("wire_calls", action="StopTransaction"):
        payload = json.loads(call["payload"])
        if payload["transactionId"] == transaction_id:
            change(payload)
            call["payload"] = canonical(payload)


def test_inv_29_finds_a_billed_session_whose_record_was_tampered_with(day: Any) -> None:
    assert "1 sessions whose records do not prove them were kept off" in day.check("INV-29").reason
    bill_the_tampered_one(day)
    result = day.check("INV-29")
    assert subjects(result) == ["s-500000003"]
    assert "does not fit meter M-S2" in result.findings[0].sentence


def test_inv_29_finds_a_billed_session_of_a_meter_whose_key_was_never_registered(day: Any) -> None:
    next(meter for meter in day.plan["meters"] if meter["station"] == "S1")["registered"] = False
    result = day.check("INV-29")
    assert subjects(result) == ["s-1001", "s-1002"]
    assert "never registered" in result.findings[0].sentence


def test_inv_29_trusts_the_printed_key_and_no_other(day: Any) -> None:
    other = ocmf.public_key_hex(ocmf.private_key(b"x" * 32))
    next(meter for meter in day.plan["meters"] if meter["station"] == "S1")["public_key"] = other
    assert subjects(day.check("INV-29")) == ["s-1001", "s-1002"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda stop: stop.pop("transactionData"), "carried no signed value"),
        (lambda stop: stop["transactionData"].pop(), "begin or end is missing"),
        (lambda stop: stop["transactionData"][0]["sampledValue"][0].update(value="OCMF|{"), "malformed"),
        (lambda stop: stop.update(transactionId=7), "no StopTransaction"),
    ],
)
def test_inv_29_finds_a_bill_that_rests_on_no_whole_record(day: Any, change: Any, words: str) -> None:
    edit_stop(day, 1001, change)
    result = day.check("INV-29")
    assert subjects(result) == ["s-1001"]
    assert words in result.findings[0].sentence


def test_inv_31_finds_a_record_of_other_energy_than_was_signed(day: Any) -> None:
    day.row("books_cdrs", cdr_id="c-1002")["kwh"] = "9.001"
    result = day.check("INV-31")
    assert subjects(result) == ["s-1002"]
    assert "signed 9.000 kWh, booked 9.001 kWh" in result.findings[0].sentence


def test_inv_31_compares_decimals_and_not_their_spelling(day: Any) -> None:
    day.row("books_cdrs", cdr_id="c-1002")["kwh"] = "9"
    assert day.check("INV-31").verdict is Verdict.PASS


@pytest.mark.parametrize("check", ["INV-31", "B06"])
def test_a_billed_session_without_readable_records_is_a_finding(day: Any, check: str) -> None:
    """INV-31, B06."""
    edit_stop(day, 1002, lambda stop: stop["transactionData"][0]["sampledValue"][0].update(value="nonsense"))
    assert subjects(day.check(check)) == ["s-1002"]


@pytest.mark.parametrize("column", ["quantity", "billed_quantity"])
def test_b06_finds_lines_of_other_energy_than_was_signed(day: Any, column: str) -> None:
    day.row("books_rated", cdr_id="c-500000002")["lines"][0][column] = "3.499"
    result = day.check("B06")
    assert subjects(result) == ["CITY-new-000003"]
    assert "6.999" in result.findings[0].sentence


def test_the_first_answered_stop_counts_and_not_a_later_one_of_other_values(day: Any) -> None:
    """INV-31: a second stop never moves a bill."""
    stop = day.row("wire_calls", action="StopTransaction", message_id="again")
    payload = json.loads(stop["payload"])
    stop["payload"] = canonical({**payload, "meterStop": 1, "transactionData": []})
    assert day.check("INV-31").verdict is Verdict.PASS


def test_inv_06_finds_a_session_with_two_bills(day: Any) -> None:
    bill = day.row("books_bills", session_id="s-1001")
    entry = day.post("legacy", 1, "bill", "CITY-legacy-9 sha256:00", "c-AA01", bill["gross"], bill["net"])
    day.add("books_bills", **{**bill, "number": "CITY-legacy-9", "journal_seq": entry["seq"]})
    assert subjects(day.check("INV-06")) == ["s-1001"]


def test_inv_06_finds_a_second_bill_entry_and_one_without_a_bill(day: Any) -> None:
    bill = day.row("books_bills", session_id="s-1001")
    day.post("legacy", 1, "bill", f"{bill['number']} sha256:00", "c-AA01", bill["gross"], bill["net"])
    day.post("legacy", 2, "bill", "CITY-legacy-404", "c-AA01", 100, 84)
    assert subjects(day.check("INV-06")) == [bill["number"], "legacy 3"]


def test_inv_06_allows_another_amount_with_a_correction_only(day: Any) -> None:
    rated = day.row("books_rated", cdr_id="c-1002")
    day.add("books_rated", **{**rated, "rated_id": "r-x", "version": 2, "effective": 0, "gross": rated["gross"] - 5})
    assert subjects(day.check("INV-06")) == ["CITY-new-000001"]
    day.post("new", 1, "correction", "CITY-new-000001 credit", "c-GUEST-7", -5, -4)
    assert day.check("INV-06").verdict is Verdict.PASS


def test_inv_06_finds_an_entry_of_another_amount_than_its_bill(day: Any) -> None:
    day.row("books_bills", session_id="s-1002")["gross"] += 1
    assert subjects(day.check("INV-06")) == ["CITY-new-000001"]


def test_b02_finds_records_rated_twice_not_at_all_or_without_an_effective_version(day: Any) -> None:
    rated = day.row("books_rated", cdr_id="c-1001")
    day.add("books_rated", **{**rated, "rated_id": "r-x"})
    day.tables["books_rated"].remove(day.row("books_rated", cdr_id="c-1002"))
    day.row("books_rated", cdr_id="c-500000002")["effective"] = 0
    day.row("books_bills", cdr_id="c-500000001")["rated_id"] = "r-old"
    result = day.check("B02")
    assert subjects(result) == ["c-1001", "c-1002", "c-500000001", "c-500000002"]
    words = [finding.sentence for finding in result.findings]
    assert [
        part in word for part, word in zip(("twice", "never", "not the effective", "0 eff"), words, strict=True)
    ] == [True] * 4


def test_b02_finds_a_rating_of_nothing(day: Any) -> None:
    day.tables["books_cdrs"].remove(day.row("books_cdrs", cdr_id="c-1001"))
    assert subjects(day.check("B02")) == ["c-1001"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"tariff_id": "nobody-knows"}, "tariff nobody-knows"),
        ({"tariff_version": 9}, "tariff day-night"),
        ({"id_tag": "STRANGER"}, "token STRANGER"),
        ({"connector": 5}, "meter key"),
    ],
)
def test_b11_finds_a_billed_session_with_something_unknown(day: Any, change: dict[str, Any], words: str) -> None:
    day.row("books_sessions", session_id="s-1001").update(change)
    result = day.check("B11")
    assert subjects(result) == ["s-1001"]
    assert words in result.findings[0].sentence


def test_b11_finds_a_price_of_nothing_and_a_silent_gift(day: Any) -> None:
    day.row("books_bills", session_id="s-1001")["gross"] = 0
    day.row("books_sessions", session_id="s-500000004")["reason"] = None
    day.row("books_sessions", session_id="s-500000003")["reason"] = ""
    result = day.check("B11")
    assert subjects(result) == ["s-1001", "s-500000003", "s-500000004"]


def test_l01_names_the_entry_that_does_not_balance(day: Any) -> None:
    day.rows("books_journal", backend="new")[1]["postings"][0][2] += 1
    result = day.check("L01")
    assert subjects(result) == ["new 2"]
    assert "1 EUR" in result.findings[0].sentence


def test_l01_balances_each_currency_by_itself(day: Any) -> None:
    entry = day.rows("books_journal", backend="legacy")[0]
    entry["postings"][0][1] = "SEK"
    assert subjects(day.check("L01")) == ["legacy 1"]


def test_l05_finds_a_rewritten_entry(day: Any) -> None:
    day.rows("books_journal", backend="new")[0]["ref"] = "CITY-new-other"
    result = day.check("L05")
    assert subjects(result) == ["new 1"]


def test_l05_finds_an_entry_that_was_taken_out(day: Any) -> None:
    day.tables["books_journal"].remove(day.rows("books_journal", backend="new")[1])
    assert subjects(day.check("L05")) == ["new 3"]


def test_l05_finds_a_chain_that_was_cut_and_hashed_again(day: Any) -> None:
    for entry in day.rows("books_journal", backend="new"):
        entry["prev_hash"] = "0" * 64
    assert subjects(day.check("L05")) == ["new 2", "new 3"]


def test_l05_finds_a_journal_that_lost_its_tail(day: Any) -> None:
    day.tables["books_journal"].remove(day.rows("books_journal", backend="new")[-1])
    assert subjects(day.check("L05")) == ["CITY-new-000003"]
