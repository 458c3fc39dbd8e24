"""Planted breaches on the wire: unequal answers, silence, ids used twice, business before acceptance."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.evidence.canonical import canonical
from sim.evidence.verdict import CheckResult, Verdict

At = Callable[[str], int]
ERROR = {"code": "InternalError", "description": "", "details": {}}


def subjects(result: CheckResult) -> list[str]:
    """Who is named, for a result that must be FAIL."""
    assert result.verdict is Verdict.FAIL, result
    assert all(finding.evidence for finding in result.findings)
    return [finding.subject for finding in result.findings]


def call(day: Any, action: str, nth: int = 0, **where: Any) -> dict[str, Any]:
    found: dict[str, Any] = day.rows("wire_calls", action=action, **where)[nth]
    return found


def test_inv_04_finds_a_repeated_start_that_got_another_id(day: Any) -> None:
    repeated = call(day, "StartTransaction", message_id="again")
    repeated["answer"] = canonical({"transactionId": 1009, "idTagInfo": {"status": "Accepted"}})
    assert subjects(day.check("INV-04")) == ["S1*1 AA01"]


def test_inv_04_finds_a_repeated_start_that_became_two_transactions(day: Any) -> None:
    day.add("books_transactions", **{**day.row("books_transactions", transaction_id=1001), "transaction_id": 1009})
    result = day.check("INV-04")
    assert subjects(result) == ["S1*1 AA01"]
    assert "2 transactions" in result.findings[0].sentence


def test_inv_04_finds_an_accepted_start_that_is_in_no_book(day: Any) -> None:
    """A reply that went out before the commit."""
    day.tables["books_transactions"].remove(day.row("books_transactions", transaction_id=500_000_002))
    result = day.check("INV-04")
    assert subjects(result) == ["S2*1 AA01"]
    assert "no book" in result.findings[0].sentence


def test_inv_04_finds_a_repeated_stop_that_was_billed_twice(day: Any) -> None:
    bill = day.row("books_bills", session_id="s-1001")
    day.add("books_bills", **{**bill, "number": "CITY-legacy-1009"})
    result = day.check("INV-04")
    assert subjects(result) == ["S1 1001"]
    assert "billed 2 times" in result.findings[0].sentence


def test_inv_04_finds_a_stop_that_was_answered_and_forgotten(day: Any) -> None:
    day.row("books_transactions", transaction_id=500_000_002)["state"] = "open"
    result = day.check("INV-04")
    assert subjects(result) == ["S2 500000002"]
    assert "still call the transaction open" in result.findings[0].sentence


def test_inv_04_finds_unequal_answers_to_equal_stops_at_two_back_ends(day: Any) -> None:
    again = call(day, "StopTransaction", message_id="again")
    again.update(backend="new", link=2, answer=canonical({"idTagInfo": {"status": "Invalid"}}))
    result = day.check("INV-04")
    assert subjects(result) == ["S1 1001"]
    assert "different answers" in result.findings[0].sentence


def test_inv_04_finds_a_stop_that_is_in_the_quarantine_twice(day: Any) -> None:
    for number in (1, 2):
        day.add(
            "books_quarantine", backend="new", quarantine_id=f"q{number}", station="S1", transaction_id=1001,
            reason="unknown-transaction",
        )  # fmt: skip
    assert subjects(day.check("INV-04")) == ["S1 1001"]


def test_inv_04_counts_keys_and_says_how_many_deliveries_were_repeats(day: Any) -> None:
    result = day.check("INV-04")
    assert result.items == 12
    assert "2 of 14" in result.reason


def test_inv_04_ignores_what_never_arrived_and_what_was_malformed(day: Any) -> None:
    for column, value in (("delivered_at", None), ("well_formed", 0)):
        again = call(day, "StartTransaction", message_id="again")
        again.update({"answer": canonical({"transactionId": 1009, "idTagInfo": {"status": "Accepted"}}), column: value})
        assert day.check("INV-04").verdict is Verdict.PASS
        again[column] = 1


@pytest.mark.parametrize("action", ["StartTransaction", "StopTransaction", "MeterValues"])
def test_inv_05_finds_silence_over_a_living_connection(day: Any, action: str) -> None:
    call(day, action, station="S2").update(answer_kind=None, answer=None, answered_at=None)
    result = day.check("INV-05")
    assert subjects(result) == ["S2"]
    assert f"{action} was never answered" in result.findings[0].sentence


def test_inv_05_finds_an_error_and_an_answer_that_came_too_late(day: Any) -> None:
    call(day, "StopTransaction", station="S2").update(answer_kind="error", answer=canonical(ERROR))
    late = call(day, "StartTransaction", station="S2")
    late["answered_at"] = late["delivered_at"] + 30_001
    result = day.check("INV-05")
    assert subjects(result) == ["S2", "S2"]
    text = " ".join(finding.sentence for finding in result.findings)
    assert "InternalError" in text and "30001 ms" in text


def test_inv_05_counts_a_call_whose_connection_died_as_maybe(day: Any) -> None:
    silent = call(day, "StopTransaction", station="S2")
    silent.update(answer_kind=None, answer=None, answered_at=None)
    day.row("wire_links", link=3)["closed_at"] = silent["delivered_at"] + 29_999
    result = day.check("INV-05")
    assert result.verdict is Verdict.PASS
    assert result.reason.startswith("1 message lost the connection before an answer was due")


def test_inv_05_allows_a_security_error_before_acceptance_only(day: Any, at: At) -> None:
    stop = call(day, "StopTransaction", station="S1", backend="new")
    stop.update(answer_kind="error", answer=canonical({**ERROR, "code": "SecurityError"}))
    assert subjects(day.check("INV-05")) == ["S1"]
    stop.update(delivered_at=at("10:33"), answered_at=at("10:33"))
    assert day.check("INV-05").verdict is Verdict.PASS


def test_inv_05_leaves_malformed_calls_and_values_of_no_transaction_out(day: Any) -> None:
    before = day.check("INV-05").items
    stop = call(day, "StopTransaction", station="S2")
    stop.update(well_formed=0, answer_kind="error", answer=canonical(ERROR))
    call(day, "MeterValues").update(payload='{"connectorId":1}', answer_kind=None, answered_at=None)
    result = day.check("INV-05")
    assert (result.verdict, result.items) == (Verdict.PASS, before - 2)


def test_inv_07_finds_an_id_that_means_two_transactions(day: Any) -> None:
    """Numbers that began again after a restart, or at the new back-end."""
    start = call(day, "StartTransaction", station="S2", nth=2)
    start["answer"] = canonical({"transactionId": 1001, "idTagInfo": {"status": "Accepted"}})
    day.row("books_transactions", transaction_id=500_000_003)["transaction_id"] = 1001
    result = day.check("INV-07")
    assert subjects(result) == ["1001"]
    assert "2 transactions" in result.findings[0].sentence


@pytest.mark.parametrize("number", [0, -1, 2**31])
def test_inv_07_finds_an_id_out_of_range(day: Any, number: int) -> None:
    day.row("books_transactions", transaction_id=500_000_003)["transaction_id"] = number
    assert subjects(day.check("INV-07")) == [str(number)]


def test_inv_07_takes_a_handed_over_transaction_as_the_same(day: Any) -> None:
    assert len(day.rows("books_transactions", transaction_id=1002)) == 2
    result = day.check("INV-07")
    assert (result.verdict, result.items) == (Verdict.PASS, 6)


def test_inv_16_finds_a_remote_start_to_a_pending_station(day: Any, at: At) -> None:
    payload = {"idTag": "AA01", "connectorId": 1}
    day.call(at("10:34"), "S1", "new", "RemoteStartTransaction", payload, {"status": "Accepted"}, way="down")
    result = day.check("INV-16")
    assert subjects(result) == ["S1"]
    assert "RemoteStartTransaction" in result.findings[0].sentence


def test_inv_16_finds_a_call_that_was_answered_before_acceptance(day: Any, at: At) -> None:
    day.authorize(at("10:33"), "S1", "new", "AA01")
    result = day.check("INV-16")
    assert subjects(result) == ["S1"]
    assert "Authorize" in result.findings[0].sentence


def test_inv_16_finds_another_error_than_security_error(day: Any, at: At) -> None:
    day.call(at("10:33"), "S1", "new", "Authorize", {"idTag": "AA01"}, ERROR)
    assert subjects(day.check("INV-16")) == ["S1"]


def test_inv_16_finds_a_transaction_booked_before_acceptance(day: Any, at: At) -> None:
    day.row("books_transactions", transaction_id=500_000_002)["received_start_at"] = at("05:00")
    assert subjects(day.check("INV-16")) == ["S2"]


def test_inv_16_begins_again_when_a_later_boot_is_told_to_wait(day: Any, at: At) -> None:
    day.boot(at("20:00"), "S2", "new", "Pending")
    result = day.check("INV-16")
    assert set(subjects(result)) == {"S2"}
    assert "told to wait 2 times" in result.reason


def test_inv_16_lets_a_triggered_message_be_answered(day: Any) -> None:
    trigger = day.row("wire_calls", action="TriggerMessage")
    assert day.check("INV-16").verdict is Verdict.PASS
    day.tables["wire_calls"].remove(trigger)
    assert subjects(day.check("INV-16")) == ["S1"]
