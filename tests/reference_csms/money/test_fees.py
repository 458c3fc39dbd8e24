"""What the card partner keeps and takes back: fees once, the platform's balance settled, disputes ended by the terms."""

from __future__ import annotations

from typing import Any

import pytest

from sim.clock import DAY

FEES = (150, 25)
DISPUTE_FEE = 2000
DEBITED_IBAN = "NO6857730856182"


def claim(bench: Any) -> Any:
    return bench.only("claims")


@pytest.fixture
def stripe(make_money: Any) -> Any:
    bench = make_money(fees=FEES, dispute_goodwill={"EUR": 100})
    bench.onboard()
    bench.day("TOK-S")
    return bench


def fee_of(gross: int) -> int:
    return (gross * FEES[0] + 5000) // 10_000 + FEES[1]


def test_a_fee_is_booked_once_and_debited_from_the_operators_bank_account(stripe: Any) -> None:
    """L04, P10: what the partner is owed for its fees it takes on a Monday, and the clearing account comes to zero."""
    fee = fee_of(stripe.only("bills")["gross"])
    stripe.wait(2 * DAY)
    assert stripe.balance("fees:stripe") == fee == -stripe.balance("clearing:stripe:platform")
    stripe.wait(14 * DAY)
    assert stripe.balance("fees:stripe") == fee and stripe.balance("clearing:stripe:") == 0
    assert stripe.balance(f"bank:{DEBITED_IBAN}") == -fee
    (debit,) = [row for row in stripe.partners.rows("payout") if row["account"] == ""]
    assert (debit["amount"], debit["state"]) == (-fee, "paid")


def test_a_fee_is_not_booked_again_by_the_next_life(stripe: Any) -> None:
    """P04: what was read is not remembered over a death, what was booked is."""
    stripe.wait(2 * DAY)
    fee = stripe.balance("fees:stripe")
    stripe.restart()
    stripe.wait(2 * DAY)
    assert stripe.balance("fees:stripe") == fee > 0
    assert [row["kind"] for row in stripe.book("movements")].count("fee") == 1


def test_a_list_of_several_pages_is_read_to_its_end(stripe: Any) -> None:
    for number in range(250):
        stripe.partners.stripe._money.post("", 0, "eur", "stripe_fee", f"s_{number}", stripe.now, 1)
    stripe.wait(2 * DAY)
    assert stripe.balance("fees:stripe") == fee_of(stripe.only("bills")["gross"]) + 250


@pytest.mark.parametrize("kind", ["500-before", "outage", "timeout-after"])
def test_a_list_that_was_not_heard_is_asked_for_again(stripe: Any, kind: str) -> None:
    stripe.partners.fault("stripe", kind, api="balance_transactions.list", times=3)
    stripe.wait(2 * DAY)
    assert stripe.balance("fees:stripe") == fee_of(stripe.only("bills")["gross"])


@pytest.mark.parametrize(
    ("won", "goodwill", "state", "owed", "lost"),
    [(True, 0, "paid", 0, 0), (False, 0, "open", 1, 0), (False, 100_000, "written-off", 0, 1)],
)
def test_a_dispute_ends_by_the_banks_decision_and_by_the_terms(
    make_money: Any, won: bool, goodwill: int, state: str, owed: int, lost: int
) -> None:
    """P07: the owner keeps the payout, the operator bears the fee, and who bears a loss is agreed."""
    bench = make_money(fees=FEES, dispute_goodwill={"EUR": goodwill})
    bench.onboard()
    bench.day("TOK-S")
    gross = bench.only("bills")["gross"]
    dispute = bench.act("stripe", "dispute", customer="cust-s")["dispute"]
    bench.wait(DAY)
    assert claim(bench)["state"] == "disputed" and bench.balance("disputed:cust-s") == gross
    bench.act("stripe", "close-dispute", dispute=dispute, won=won)
    bench.wait(14 * DAY)
    assert claim(bench)["state"] == state and bench.balance("disputed:") == 0
    assert bench.balance("receivable:cust-s") == owed * gross and bench.balance("losses:stripe") == lost * gross
    assert bench.balance("fees:stripe") == fee_of(gross) + DISPUTE_FEE
    assert bench.balance("bank:city") == gross and bench.balance("clearing:stripe:") == 0
    assert len(bench.partners.rows("capture")) == 1  # a card that was disputed is not charged again
