"""Invoices as their customer sees them: all of their own, with what is still open."""

from __future__ import annotations

from typing import Any

from sim.clock import DAY


def shown(bench: Any, customer: str = "city") -> list[Any]:
    return list(bench.operate("export", what="invoices", customer=customer).payload["rows"])


def test_a_customer_sees_what_is_invoiced_and_what_of_it_is_open(make_money: Any) -> None:
    bench = make_money("legacy")
    bench.wait(DAY)
    (row,) = shown(bench)
    book = bench.only("invoices")
    same = ("number", "kind", "seller", "customer", "currency", "gross", "issued_at", "due_at", "account", "state")
    assert {name: row[name] for name in same} == {name: book[name] for name in same}
    assert (row["reference"], row["open"]) == (book["number"], book["gross"])
    assert shown(bench, "port") == []


def test_a_cancelled_invoice_and_its_cancellation_ask_for_nothing(make_money: Any) -> None:
    bench = make_money("legacy")
    bench.wait(DAY)
    number = bench.only("invoices")["number"]
    bench.operate("cancel-invoice", number=number)
    bench.wait(DAY)
    rows = {row["kind"]: row for row in shown(bench) if row["state"] == "cancelled" or row["kind"] == "cancellation"}
    assert rows["subscription"]["open"] == 0 and rows["cancellation"]["open"] == 0
