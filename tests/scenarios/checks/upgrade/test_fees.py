"""Planted breaches of what the card partner keeps for itself (P04, P10, L02, L04): honest rows, one spoilt at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.clock import DAY, HOUR
from sim.evidence.verdict import Verdict

FEE, KEPT, TOLD = 37, 2000, ("P04", "P10", "L04")


def when(up: Any) -> int:
    return int(up.day.row("meta", key="ended_at")["value"]) - 9 * DAY


def book(up: Any, txn: str, source: str, fee: int, at: int, account: str = "clearing:stripe:platform") -> None:
    row = {"kind": "fee", "currency": "EUR", "amount": fee, "state": "paid", "at": at}
    up.day.add("books_movements", backend="new", movement_id=txn, **row)
    up.entry("new", "fee", f"{txn} {source} charge", at, ("fees:stripe", fee), (account, -fee))


@pytest.fixture
def kept(upgrade: Any) -> Any:
    """A charge and a dispute that cost something, and the debit by which the partner got it."""
    up, at = upgrade, when(upgrade)
    charge = up.balance("stripe", "", 500, at, "charge", "ch_1")
    charge |= {"fee": FEE, "net": 500 - FEE}
    up.balance("stripe", "", -500, at, "transfer", "tr_1")
    dispute = up.balance("stripe", "", 0, at, "adjustment", "dp_1")
    dispute |= {"fee": KEPT, "net": -KEPT}
    book(up, charge["id"], "ch_1", FEE, at + HOUR)
    book(up, dispute["id"], "dp_1", KEPT, at + HOUR)
    debit = {"account": None, "currency": "EUR", "amount": -FEE - KEPT, "state": "paid", "at": at + DAY}
    up.day.add("partner_payments", partner="stripe", kind="payout", id="po_9", **{**debit, "account": ""})
    up.balance("stripe", "", FEE + KEPT, at + DAY, "payout", "po_9")
    line = {"iban": "DE1", "currency": "EUR", "reference": "po_9", "end_to_end": "po_9", "at": at + DAY}
    up.day.add("partner_bank", partner="bank", id="e_9", amount=-FEE - KEPT, **line)
    line = {"iban": "DE1", "currency": "EUR", "reference": "po_1", "end_to_end": "po_1", "at": at + DAY}
    paid = up.day.row("partner_payments", id="po_1")["amount"]
    up.day.add("partner_bank", partner="bank", id="e_1", amount=paid, **line)
    up.day.add("books_movements", backend="new", movement_id="po_9", kind="payout", **debit)
    up.entry(
        "new", "payout", "po_9 platform", at + DAY, ("bank:DE1", -FEE - KEPT), ("clearing:stripe:platform", FEE + KEPT)
    )
    return up


def entry(up: Any, source: str) -> Any:
    return next(row for row in up.day.rows("books_journal", kind="fee") if source in row["ref"])


def again(up: Any) -> None:
    row = entry(up, "ch_1")
    up.entry("new", "fee", row["ref"], row["at"] + 1, ("fees:stripe", FEE), ("clearing:stripe:platform", -FEE))


def forgotten(up: Any) -> None:
    up.day.tables["books_journal"].remove(entry(up, "dp_1"))


def at_the_owners_cost(up: Any) -> None:
    entry(up, "dp_1")["postings"] = [["fees:stripe", "EUR", KEPT], ["clearing:stripe:acct_city", "EUR", -KEPT]]


def made_up(up: Any) -> None:
    book(up, "txn_none", "ch_9", 5, when(up))


def debit_not_booked(up: Any) -> None:
    up.day.tables["books_journal"].remove(next(r for r in up.day.rows("books_journal") if r["ref"] == "po_9 platform"))
    up.day.tables["books_movements"].remove(up.day.row("books_movements", movement_id="po_9"))


@pytest.mark.parametrize("name", TOLD)
def test_fees_that_are_booked_and_debited_pass(kept: Any, name: str) -> None:
    result = kept.day.check(name)
    assert (result.verdict, result.findings) == (Verdict.PASS, ())


@pytest.mark.parametrize(
    ("name", "breach", "says"),
    [
        ("P04", again, "the fee is paid over 37, and the journal moved -74"),
        ("P10", again, "kept 37 of a charge, and 74 is booked"),
        ("L04", again, "at the partner"),
        ("P04", forgotten, "the journal moved 0"),
        ("P10", forgotten, "kept 2000 of a adjustment, and 0 is booked"),
        ("P10", at_the_owners_cost, "booked against clearing:stripe:acct_city"),
        ("L04", at_the_owners_cost, "acct_city"),
        ("P10", made_up, "a fee that the partner does not know"),
        ("P10", debit_not_booked, "paid out, and not booked"),
        ("L04", debit_not_booked, "on clearing:stripe:platform, and 0 at the partner"),
    ],
)
def test_a_breach_of_fees_is_found_and_named(kept: Any, name: str, breach: Callable[[Any], None], says: str) -> None:
    breach(kept)
    result = kept.day.check(name)
    assert result.verdict is Verdict.FAIL, result
    assert says in " / ".join(one.sentence for one in result.findings)


def test_a_fee_of_the_last_days_may_be_unknown_to_the_books(kept: Any) -> None:
    """P10, L04: the list of the partner is read once a day."""
    end = int(kept.day.row("meta", key="ended_at")["value"])
    late = kept.balance("stripe", "", 0, end - DAY, "adjustment", "dp_2")
    late |= {"fee": KEPT, "net": -KEPT}
    assert [kept.day.check(name).verdict for name in TOLD] == [Verdict.PASS] * 3
