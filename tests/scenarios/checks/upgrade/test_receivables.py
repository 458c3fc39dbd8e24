"""Checks of receivables, clearing accounts and open items at the move."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scenarios.checks.receivables import oldest_open
from sim.clock import DAY, HOUR
from sim.evidence.verdict import Verdict

NAMES = ("L03", "L04", "M05")


@pytest.mark.parametrize("name", NAMES)
def test_an_honest_upgrade_passes(upgrade: Any, name: str) -> None:
    result = upgrade.day.check(name)
    assert (result.verdict, result.findings) == (Verdict.PASS, ()), result
    assert result.items > 0


@pytest.mark.parametrize("name", NAMES)
def test_without_claims_and_partners_there_is_nothing_to_judge(day: Any, name: str) -> None:
    assert day.check(name).verdict is Verdict.NOT_APPLICABLE


def payment_not_booked(up: Any) -> None:
    up.day.tables["books_journal"].remove(
        up.day.row("books_journal", kind="payment", ref="CITY-LD-000001 k-CITY-LD-000001")
    )


def payment_booked_twice(up: Any) -> None:
    (entry,) = up.day.rows("books_journal", kind="payment", ref="CITY-ND-000001 k-CITY-ND-000001")
    up.day.add("books_journal", **{**entry, "seq": 99})


def paid_by_another(up: Any) -> None:
    """The sum over all customers is right, and two of them are not."""
    (entry,) = up.day.rows("books_journal", kind="payment", ref="CITY-ND-000001 k-CITY-ND-000001")
    entry["postings"][1][0] = "invoiced:c-AA01"


def claim_over_less(up: Any) -> None:
    claim = up.day.row("books_claims", claim_id="k-s2")
    claim["amount"] -= 1


def refund_not_booked(up: Any) -> None:
    up.day.row("books_claims", claim_id="k-CITY-ND-000001")["refunded"] = 100


def payout_never_booked(up: Any) -> None:
    up.day.tables["books_movements"] = []
    up.day.tables["books_journal"].remove(up.day.row("books_journal", kind="payout"))


def rest_too_old(up: Any) -> None:
    """The partner never paid the direct claim out; books and partner agree about that."""
    payout_never_booked(up)
    for table, key in (("partner_payments", {"id": "po_1"}), ("partner_balance", {"source": "po_1"})):
        up.day.tables[table].remove(up.day.row(table, **key))


def partner_holds_more(up: Any) -> None:
    up.balance("stripe", "acct_city", 500, up.day.row("partner_payments", id="po_1")["at"], "payment", "cap_x")


def never_settled_between_the_companies(up: Any) -> None:
    entry = up.day.row("books_journal", kind="invoice", ref="NEW-NS-000001")
    up.day.tables["books_journal"].remove(entry)


def settled_and_never_booked(up: Any) -> None:
    claim = up.day.row("books_claims", claim_id="k-CITY-LD-000001")
    at = claim["created_at"] + DAY
    row = {"id": "st_1", "account": "merchant", "currency": "EUR", "amount": claim["amount"], "state": "paid", "at": at}
    up.day.add("partner_payments", partner="riverty", kind="settlement", **row)
    up.balance("riverty", "merchant", -claim["amount"], at, "settlement", "st_1")


def document_at_both(up: Any) -> None:
    up.claim("new", "k-x", "drivers", "CITY-LD-000001", 100)


def session_at_both(up: Any) -> None:
    bill = up.day.row("books_bills", backend="new", customer="c-GUEST-7")
    up.claim("legacy", "k-x", "session", "other", 100, session_id=bill["session_id"])


def prepaid_taken_twice(up: Any) -> None:
    up.day.add("books_prepaid", **up.day.row("books_prepaid", backend="new"))


def prepaid_forgotten(up: Any) -> None:
    up.day.tables["books_prepaid"].remove(up.day.row("books_prepaid", backend="new"))


def prepaid_changed(up: Any) -> None:
    up.day.row("books_prepaid", backend="new")["net"] = 12_666


def prepaid_out_of_thin_air(up: Any) -> None:
    up.day.add("books_prepaid", **{**up.day.row("books_prepaid", backend="new"), "prepaid_id": "v-2"})


@pytest.mark.parametrize(
    ("name", "breach", "says"),
    [
        ("L03", payment_not_booked, "journal of legacy"),
        ("L03", payment_booked_twice, "journal of new"),
        ("L03", paid_by_another, "journal of new"),
        ("L03", claim_over_less, "open are 71399"),
        ("L03", refund_not_booked, "open are 100"),
        ("L04", payment_booked_twice, "at the partner"),
        ("L04", payout_never_booked, "at the partner"),
        ("L04", rest_too_old, "the oldest of it for 27 days"),
        ("L04", partner_holds_more, "at the partner"),
        ("L04", never_settled_between_the_companies, "intercompany:old-co"),
        ("L04", settled_and_never_booked, "clearing:riverty"),
        ("M05", document_at_both, "at legacy and at new"),
        ("M05", session_at_both, "at legacy and at new"),
        ("M05", prepaid_taken_twice, "taken over 2 times"),
        ("M05", prepaid_forgotten, "taken over 0 times"),
        ("M05", prepaid_changed, "taken over as 12666"),
        ("M05", prepaid_out_of_thin_air, "never gave it away"),
    ],
)
def test_a_breach_is_found_and_named(upgrade: Any, name: str, breach: Callable[[Any], None], says: str) -> None:
    breach(upgrade)
    result = upgrade.day.check(name)
    assert result.verdict is Verdict.FAIL, result
    assert says in " / ".join(one.sentence for one in result.findings)
    assert all(one.subject and one.evidence for one in result.findings)


def test_a_payout_on_its_way_is_no_difference(upgrade: Any) -> None:
    """L04: the partner has sent it, and the event that tells of it is to come."""
    end = int(upgrade.day.row("meta", key="ended_at")["value"])
    row = {"account": "acct_city", "currency": "eur", "amount": 300, "state": "in_transit", "at": end - HOUR}
    upgrade.day.add("partner_payments", partner="stripe", kind="payout", id="po_2", **row)
    upgrade.balance("stripe", "acct_city", -300, end - HOUR, "payout", "po_2")
    assert upgrade.day.check("L04").verdict is Verdict.PASS


def test_a_rest_on_an_account_that_cannot_be_paid_out_may_be_old(upgrade: Any) -> None:
    """L04: somebody else's bank account was given; the money waits at the partner until that is mended."""
    rest_too_old(upgrade)
    end = int(upgrade.day.row("meta", key="ended_at")["value"])
    off = {"account": "acct_city", "owner": "city", "charges_enabled": 1, "payouts_enabled": 0}
    upgrade.day.add("partner_accounts", partner="stripe", at=end - 20 * DAY, **off)
    assert upgrade.day.check("L04").verdict is Verdict.PASS


def test_a_refund_after_the_last_payout_is_owed_to_the_partner_until_something_is_earned(upgrade: Any) -> None:
    """L04: books and partner agree that the account is below zero, and nobody can pay that out."""
    up = upgrade
    end = int(up.day.row("meta", key="ended_at")["value"])
    held = sum(row["amount"] for row in up.day.rows("partner_balance", partner="stripe"))
    up.balance("stripe", "acct_city", -held - 100, end - 30 * DAY, "payment_refund", "trr_1")
    entry = ("clearing:stripe:acct_city", -held - 100), ("receivable:c-GUEST-7", held + 100)
    up.entry("new", "refund", "x", end - 30 * DAY, *entry)
    result = up.day.check("L04")
    assert result.verdict is Verdict.PASS and "100 EUR are owed to the partner" in result.reason
    up.day.tables["partner_balance"].pop()
    assert up.day.check("L04").verdict is Verdict.FAIL


def test_a_bill_that_nothing_collects_yet_is_owed_too(upgrade: Any) -> None:
    """L03: bills of drivers without terms, and those that wait for the end of the month."""
    posted = [["receivable:c-X", "EUR", 700], ["revenue:city", "EUR", -700]]
    upgrade.day.add("books_journal", backend="new", seq=98, at=1, kind="bill", ref="CITY-new-000009", postings=posted)
    assert upgrade.day.check("L03").verdict is Verdict.FAIL
    bill = {"number": "CITY-new-000009", "session_id": "s-9", "customer": "c-X", "currency": "EUR", "gross": 700}
    upgrade.day.add("books_bills", backend="new", **bill)
    assert upgrade.day.check("L03").verdict is Verdict.PASS


def settled(up: Any, fee: int, booked: int) -> None:
    """Riverty pays out what it captured less its fee; the books take both from its report."""
    claim = up.day.row("books_claims", claim_id="k-CITY-LD-000001")
    at, amount = claim["created_at"] + DAY, claim["amount"]
    up.day.row("partner_balance", partner="riverty").update(fee=fee, net=amount - fee)
    row = {"account": "merchant", "currency": "EUR", "amount": amount - fee, "state": "paid", "at": at}
    up.day.add("partner_payments", partner="riverty", kind="settlement", id="st_1", **row)
    up.balance("riverty", "merchant", fee - amount, at, "settlement", "st_1")
    up.day.add("books_movements", backend="legacy", movement_id="st_1", kind="payout", **{**row, "account": "riverty"})
    up.entry("legacy", "payout", "st_1 riverty", at, ("bank:2", amount - fee), ("clearing:riverty", fee - amount))
    if booked:
        up.entry("legacy", "fee", "st_1 fee", at, ("fees:riverty", booked), ("clearing:riverty", -booked))


@pytest.mark.parametrize(("booked", "verdict"), [(10, Verdict.PASS), (11, Verdict.FAIL)])
def test_no_more_fees_are_booked_than_the_partner_kept(upgrade: Any, booked: int, verdict: Verdict) -> None:
    """L04."""
    settled(upgrade, 10, booked)
    assert upgrade.day.check("L04").verdict is verdict


def test_a_fee_that_is_never_booked_is_left_on_the_account_until_it_is_too_old(upgrade: Any) -> None:
    """L04."""
    settled(upgrade, 10, 0)
    assert upgrade.day.check("L04").verdict is Verdict.PASS
    upgrade.day.row("meta", key="ended_at")["value"] = str(
        upgrade.day.row("books_claims", claim_id="k-s2")["created_at"] + 40 * DAY
    )
    sentences = [one.sentence for one in upgrade.day.check("L04").findings if "riverty" in one.subject]
    assert len(sentences) == 1 and sentences[0].startswith("10 EUR are left")


def test_a_corrected_bill_changes_its_claim_and_one_that_waits_changes_what_is_owed(upgrade: Any) -> None:
    """L03: what a claim is over already follows there; other bills are owed as corrected."""
    up = upgrade
    bill = up.day.row("books_bills", backend="new", customer="c-GUEST-7")
    less = (("receivable:c-GUEST-7", -50), ("revenue:city", 50))
    up.entry("new", "correction", f"{bill['number']} c-2", bill["issued_at"] + DAY, *less)
    assert up.day.check("L03").verdict is Verdict.FAIL
    up.day.row("books_claims", document=bill["number"])["credited"] = 50
    assert up.day.check("L03").verdict is Verdict.PASS
    waiting = {"number": "CITY-new-000009", "session_id": "s-9", "customer": "c-X", "currency": "EUR", "gross": 700}
    up.day.add("books_bills", backend="new", **waiting)
    up.entry("new", "bill", "CITY-new-000009", 1, ("receivable:c-X", 700), ("revenue:city", -700))
    up.entry("new", "correction", "CITY-new-000009 c-3", 2, ("receivable:c-X", -70), ("revenue:city", 70))
    assert up.day.check("L03").verdict is Verdict.PASS


AMOUNTS = st.lists(st.integers(-50, 50).filter(bool), max_size=30)


@given(AMOUNTS)
def test_what_is_left_on_an_account_is_the_sum_of_its_postings(amounts: list[int]) -> None:
    rest, since = oldest_open(enumerate(amounts))
    assert rest == sum(amounts)
    assert (since is None) == (rest == 0)


@given(AMOUNTS)
def test_the_oldest_rest_came_after_the_account_was_last_empty(amounts: list[int]) -> None:
    """First in, first out: what is left came no earlier than the first posting after the last time the sum was zero."""
    _, since = oldest_open(enumerate(amounts))
    if since is not None:
        empty = [n for n in range(len(amounts) + 1) if sum(amounts[:n]) == 0]
        assert since >= empty[-1]


@given(AMOUNTS, st.integers(1, 50))
def test_paying_the_rest_empties_the_account(amounts: list[int], at: int) -> None:
    rest, _ = oldest_open(enumerate(amounts))
    assert oldest_open([*enumerate(amounts), (len(amounts) + at, -rest)]) == (0, None)
