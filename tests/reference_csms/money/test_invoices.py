"""Invoices: one per period and customer, numbers without gaps, and a run that dies goes on where it was."""

from __future__ import annotations

from typing import Any

import pytest

from sim.clock import DAY, MINUTE

IBAN = "NO9386011117947"


@pytest.mark.parametrize("killed_after", [None, 1, 2])
def test_a_month_end_puts_each_bill_on_one_invoice_even_if_the_run_dies(make_money: Any, killed_after: Any) -> None:
    """B03, L06, T-10."""
    bench = make_money("legacy", route="riverty")
    names = ["cust-a", "cust-h", "cust-1"]
    bench.operate("import", what="driver-terms", rows=[{"customer": name, "pays": "contract"} for name in names])
    for token in ("TOK-A", "TOK-A", "TOK-H", "TOK-1"):
        bench.day(token)
    bench.until("2024-05-01T00:59:59Z")
    if killed_after is not None:
        while len([row for row in bench.book("invoices") if row["kind"] == "drivers"]) < killed_after:
            bench.wait(20)
        bench.csms.tick(bench.now)  # staged, never committed
        bench.restart()
        bench.flush()
    bench.wait(10 * MINUTE)
    invoices = [row for row in bench.book("invoices") if row["kind"] == "drivers"]
    assert [row["number"] for row in invoices] == [f"CITY-LD-{n:06d}" for n in (1, 2, 3)]
    assert sorted(row["bill"] for row in bench.book("invoice_lines") if row["bill"]) == sorted(
        row["number"] for row in bench.book("bills")
    )
    assert bench.balance("receivable:") == bench.balance("invoiced:cust-a") == 0
    assert bench.partners.collected == sum(row["gross"] for row in bench.book("bills"))
    assert all(abs(row["rounding_difference"]) <= 2 for row in invoices)


def test_the_subscription_moves_to_the_new_seller_with_its_prepaid_days_credited(make_money: Any) -> None:
    """M07, M08, M09, L09: a month at the old company, then a quarter at the new one from the day of the move."""
    old, new = make_money("legacy", route="riverty"), make_money("new")
    old.wait(MINUTE)
    first = old.only("invoices")
    assert (first["net"], first["vat"], first["number"], first["terms"]) == (6000, 1500, "OLD-LS-000001", "2023-1")
    outcome = old.operate("end-contract", contract="sub-city", end="2024-04-09")
    (prepaid,) = outcome.payload["prepaid"]
    assert prepaid["net"] == 4400 and old.operate("export", what="prepaid").payload["rows"] == [prepaid]
    new.until("2024-04-09T06:00:00Z")
    for _ in range(2):
        new.operate("import", what="prepaid", rows=[prepaid])
    contract = {
        "contract": "n-1", "seller": "newco", "customer": "city", "currency": "EUR", "period": "quarter",
        "start": "2024-04-09", "items": [{"text": "Operation", "net": 3000, "quantity": 2}], "vat_percent": "25",
    }  # fmt: skip
    new.operate("import", what="contracts", rows=[contract])
    new.wait(MINUTE)
    quarter = new.only("invoices")
    assert (quarter["period_start"], quarter["period_until"]) == ("2024-04-09", "2024-07-01")
    assert quarter["net"] == 4400 + 6000 + 6000 - 4400 and quarter["account"] == "NO8330001234567"
    old.until("2024-06-30T00:00:00Z")
    assert len(old.book("invoices")) == 1


def test_a_transfer_pays_the_invoice_that_its_reference_names(make_money: Any) -> None:
    bench = make_money("legacy", route="riverty", bank_accounts=[IBAN])
    bench.wait(MINUTE)
    credit = {"iban": IBAN, "currency": "EUR", "counterparty": "City"}
    entry = bench.act("bank", "credit", amount=7500, reference="inv OLD-LS-000001", **credit)["entry"]
    bench.act("bank", "credit", amount=100, reference="gift", **credit)
    bench.until("2024-04-04T00:00:00Z")
    assert bench.only("claims")["state"] == "paid" and bench.balance("invoiced:city") == 0
    assert sorted(row["state"] for row in bench.book("statement_lines")) == ["matched", "unmatched"]
    bench.act("bank", "return", entry=entry, code="MD06")
    bench.until("2024-04-08T00:00:00Z")
    claim = bench.only("claims")
    assert (claim["state"], claim["paid"], claim["reason"]) == ("open", 0, "returned: MD06")
    assert bench.balance("invoiced:city") == 7500 and bench.balance(f"bank:{IBAN}") == 0
    assert len(bench.book("statement_lines")) == 3


def test_a_statement_is_read_day_by_day_also_after_the_bank_was_away(make_money: Any) -> None:
    """Entries of a day that was over before anybody could ask are not passed over."""
    bench = make_money("legacy", route="riverty", bank_accounts=[IBAN])
    bench.wait(MINUTE)
    bench.partners.fault("bank", "timeout-before", until=bench.now + 5 * DAY)
    bench.wait(2 * DAY)
    bench.act("bank", "credit", iban=IBAN, currency="EUR", counterparty="City", amount=7500, reference="OLD-LS-000001")
    bench.wait(5 * DAY)
    assert bench.only("claims")["state"] == "paid" and len(bench.book("statement_lines")) == 1


def test_a_cancelled_invoice_is_reversed_and_its_bills_are_invoiced_again(make_money: Any) -> None:
    """L07."""
    bench = make_money("legacy", route="riverty")
    bench.day("TOK-A")
    bench.until("2024-05-01T02:00:00Z")
    outcome = bench.operate("cancel-invoice", number="CITY-LD-000001")
    assert outcome.payload == {"cancellation": "CITY-LX-000001"}
    bench.wait(MINUTE)
    assert bench.partners.collected == 0 and bench.balance("invoiced:cust-a") == 0
    bench.until("2024-06-01T02:00:00Z")
    assert bench.book("billables")[0]["invoice"] == "CITY-LD-000002"
    assert bench.partners.collected == bench.only("bills")["gross"]
