"""A bill that is corrected: its claim follows, and money that is owed no more goes back exactly once."""

from __future__ import annotations

from typing import Any

import pytest

from sim.clock import DAY, HOUR, MINUTE

WHO = {"actor": "kari", "reason": "wrong group"}
ROUTES = ["stripe", "riverty"]


def correct(bench: Any, grp: str | None) -> Any:
    return bench.operate("correct-session", session_id=bench.only("sessions")["session_id"], terms={"grp": grp}, **WHO)


def made(make_money: Any, route: str) -> Any:
    bench = make_money(route=route)
    bench.onboard()
    return bench


def claims(bench: Any) -> Any:
    return [row for row in bench.book("claims") if row["kind"] != "subscription"]


@pytest.mark.parametrize("fault", [None, "timeout-after", "timeout-before", "500-after", "500-before"])
@pytest.mark.parametrize("route", ROUTES)
def test_a_bill_corrected_after_payment_is_refunded_once(make_money: Any, route: str, fault: str | None) -> None:
    """L07, P01."""
    bench = made(make_money, route)
    bench.day("TOK-S")
    paid = bench.partners.collected
    if fault:
        bench.partners.fault(route, fault, api="refunds.create", times=1)
    before = correct(bench, None).payload["difference"]
    assert before > 0  # TOK-S is staff and has a discount: without it there is more to pay
    bench.wait(3 * HOUR)
    assert bench.partners.collected == paid + before
    back = correct(bench, "staff")
    assert back.payload["difference"] == -before and correct(bench, "staff").code == "nothing-to-correct"
    bench.wait(3 * HOUR)
    assert bench.partners.collected == paid and len(bench.partners.rows("refund", route)) == 1
    (claim,) = claims(bench)
    assert (claim["paid"] - claim["refunded"], claim["credited"], claim["state"]) == (paid, before, "paid")
    assert bench.balance("receivable:cust-s") == 0


@pytest.mark.parametrize("route", ROUTES)
def test_a_bill_corrected_while_its_payment_is_unknown_ends_as_if_it_had_been_right_at_once(
    make_money: Any, route: str
) -> None:
    bench = made(make_money, route)
    bench.partners.fault("stripe", "webhook-lost")
    api = "payment_intents.create" if route == "stripe" else "captures.create"
    bench.partners.fault(route, "timeout-after", api=api, times=1)
    bench.day("TOK-A")
    bench.until("2024-05-01T01:00:05Z")
    assert [row["state"] for row in bench.book("payments")][-1] == "asked"
    assert correct(bench, "staff").payload["difference"] < 0
    bench.wait(DAY)
    (claim,) = claims(bench)
    assert bench.partners.collected == claim["paid"] - claim["refunded"] == claim["amount"] - claim["credited"]
    assert bench.balance("invoiced:cust-a") == bench.balance("receivable:cust-a") == 0
    assert len(bench.partners.rows("capture", route)) == 1


def test_a_claim_that_waits_for_its_account_is_reduced_and_nothing_goes_back(make_money: Any) -> None:
    bench = make_money()
    bench.day("TOK-S")
    correct(bench, None)
    correct(bench, "staff")
    (claim,) = claims(bench)
    assert claim["state"] == "waiting-account" and claim["credited"] > 0
    bench.onboard()
    bench.wait(HOUR)
    assert bench.partners.collected == claim["amount"] - claim["credited"] and not bench.partners.rows("refund")
    assert bench.balance("receivable:cust-s") == 0


@pytest.mark.parametrize("route", ROUTES)
def test_a_bill_corrected_before_its_invoice_is_invoiced_as_corrected(make_money: Any, route: str) -> None:
    bench = made(make_money, route)
    bench.day("TOK-A")
    less = correct(bench, "staff").payload["difference"]
    bench.until("2024-05-01T02:00:00Z")
    bench.wait(MINUTE)
    (invoice,) = [row for row in bench.book("invoices") if row["kind"] == "drivers"]
    assert less < 0 and invoice["gross"] == bench.only("bills")["gross"] + less == bench.partners.collected
    assert bench.balance("invoiced:cust-a") == bench.balance("receivable:cust-a") == 0


@pytest.mark.parametrize("route", ROUTES)
def test_an_invoice_corrected_after_payment_is_refunded_once_and_not_cancelled_on_top(
    make_money: Any, route: str
) -> None:
    bench = made(make_money, route)
    bench.day("TOK-A")
    bench.until("2024-05-01T02:00:00Z")
    paid, less = bench.partners.collected, correct(bench, "staff").payload["difference"]
    bench.wait(3 * HOUR)
    assert bench.partners.collected == paid + less and len(bench.partners.rows("refund", route)) == 1
    assert bench.balance("invoiced:cust-a") == bench.balance("receivable:cust-a") == 0
    (invoice,) = [row for row in bench.book("invoices") if row["kind"] == "drivers"]
    assert bench.operate("cancel-invoice", number=invoice["number"]).code == "credited"


def test_a_planted_forgotten_claim_leaves_the_driver_with_too_much_to_pay(make_money: Any) -> None:
    bench = make_money(parts={"correction_to_claim": lambda difference: 0})
    bench.onboard()
    bench.day("TOK-A")
    bench.until("2024-05-01T02:00:00Z")
    correct(bench, "staff")
    bench.wait(3 * HOUR)
    assert not bench.partners.rows("refund") and bench.balance("receivable:cust-a") < 0
