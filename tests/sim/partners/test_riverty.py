"""Riverty: business keys instead of idempotency keys, auto-void, reminders, settlement."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.clock import DAY
from sim.machine import Answered, Refused
from sim.partners.riverty import Riverty, Terms

IBAN = "DE89370400440532013000"


def opened(desk: Any, amount: int = 1000, takes: Any = None, iban: str | None = IBAN, **terms: Any) -> Any:
    at = desk(Riverty(7, merchant="old company", iban=iban, terms=Terms(**terms)), takes=takes)
    assert at.ask("checkout.authorize", order_number="O1", amount=amount, currency="EUR").body["outcome"] == "Accepted"
    return at


def code(response: Any) -> str:
    return str(response.body["error"]["code"])


def test_the_order_number_and_the_invoice_number_are_the_keys(desk: Any) -> None:
    at = opened(desk)
    again = {"order_number": "O1", "currency": "EUR"}
    assert at.ask("checkout.authorize", amount=1000, **again).body["remaining"] == 1000
    assert code(at.ask("checkout.authorize", amount=900, **again)) == "order_number_used"
    assert at.ask("captures.create", order_number="O1", invoice_number="I1", amount=400).body["remaining"] == 600
    assert code(at.ask("captures.create", order_number="O1", invoice_number="I1", amount=400)) == "invoice_number_used"
    assert (
        code(at.ask("captures.create", order_number="O1", invoice_number="I" * 21, amount=1))
        == "invoice_number_too_long"
    )
    assert (
        code(at.ask("captures.create", order_number="O1", invoice_number="I2", amount=601))
        == "amount_exceeds_authorized"
    )
    assert code(at.ask("captures.create", order_number="O2", amount=1)) == "order_not_found"
    kinds = [row["kind"] for row in at.rows("partner_payments")]
    assert kinds == ["auth", "capture"]


def test_the_risk_check_rejects(desk: Any) -> None:
    at = desk(Riverty(7, terms=Terms(rejected_mails=("bad@x.example",))))
    order = {"order_number": "O1", "amount": 5, "currency": "EUR", "email": "bad@x.example"}
    assert at.ask("checkout.authorize", **order).body["outcome"] == "Rejected"
    assert code(at.ask("captures.create", order_number="O1", amount=5)) == "amount_exceeds_authorized"


def test_an_order_without_capture_is_voided_after_thirty_days(desk: Any) -> None:
    at = opened(desk)
    at.wait(30 * DAY)
    assert at.ask("orders.retrieve", order_number="O1").body["voided"]
    assert code(at.ask("captures.create", order_number="O1", amount=1)) == "amount_exceeds_authorized"
    assert [(row["kind"], row["state"]) for row in at.rows("partner_payments")][-1] == ("void", "auto-voided")


def test_reminders_follow_the_due_date_and_stop_when_it_is_paid(desk: Any) -> None:
    at = opened(desk, due=10 * DAY, reminders=(DAY, 2 * DAY, 30 * DAY))
    at.ask("captures.create", order_number="O1", invoice_number="I1", amount=1000)
    at.wait(12 * DAY)
    assert [row["state"] for row in at.rows("partner_payments") if row["kind"] == "reminder"] == [
        "reminder-1",
        "reminder-2",
    ]
    assert at.act("pay", invoice_number="I1", amount=400) == {"paid": 400}
    assert at.act("pay", invoice_number="I1") == {"paid": 600}
    assert at.act("pay", invoice_number="I1") == Refused("nothing-open")
    at.wait(60 * DAY)
    assert [row["state"] for row in at.rows("partner_payments") if row["kind"] == "reminder"] == [
        "reminder-1",
        "reminder-2",
    ]
    assert next(row for row in at.rows("partner_payments") if row["kind"] == "capture")["state"] == "paid"


def test_customers_may_pay_by_themselves(desk: Any) -> None:
    at = opened(desk, pays=100)
    at.ask("captures.create", order_number="O1", invoice_number="I1", amount=1000)
    at.wait(20 * DAY)
    assert [row["amount"] for row in at.rows("partner_payments") if row["kind"] == "payment"] == [1000]


def test_the_settlement_less_the_fee_goes_to_the_merchants_bank_and_comes_back_if_refused(desk: Any) -> None:
    at = opened(desk, fee=(100, 0), takes=lambda tell: Refused("AC04"))
    at.ask("captures.create", order_number="O1", invoice_number="I1", amount=1000)
    at.wait(7 * DAY)
    assert at.told[0].command.args["amount"] == 990
    assert at.line.partner.owed() == {"EUR": 990}
    at.takes = lambda tell: Answered({"entry": "e"})
    at.act("change-bank", iban="NO9386011117947")
    at.wait(7 * DAY)
    assert at.told[-1].command.args["iban"] == "NO9386011117947"
    assert at.line.partner.owed() == {"EUR": 0}


@given(st.lists(st.tuples(st.sampled_from(["capture", "refund", "void"]), st.integers(1, 900)), max_size=12))
@settings(max_examples=40, deadline=None)
def test_captured_less_refunded_never_exceeds_authorised(desk: Any, operations: list[tuple[str, int]]) -> None:
    """P01."""
    at = opened(desk, iban=None)
    for number, (what, amount) in enumerate(operations):
        invoice = f"I{number if what == 'capture' else amount % 12}"
        at.ask(f"{what}s.create", order_number="O1", invoice_number=invoice, amount=amount)
        sums = {"auth": 0, "capture": 0, "refund": 0, "void": 0}
        for row in at.rows("partner_payments"):
            sums[row["kind"]] += row["amount"]
        assert 0 <= sums["refund"] <= sums["capture"] <= sums["auth"] - sums["void"]
        assert at.line.partner.owed().get("EUR", 0) == sum(row["net"] for row in at.rows("partner_balance"))
