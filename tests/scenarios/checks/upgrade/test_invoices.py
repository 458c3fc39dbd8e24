"""Checks of drivers' invoices, numbers, subscriptions and periods: the honest upgrade passes, each breach is found."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.clock import DAY, parse_iso
from sim.evidence.verdict import Verdict

NAMES = ("B03", "B04", "L06", "L09", "M08")


@pytest.mark.parametrize("name", NAMES)
def test_an_honest_upgrade_passes(upgrade: Any, name: str) -> None:
    result = upgrade.day.check(name)
    assert (result.verdict, result.findings) == (Verdict.PASS, ()), result
    assert result.items > 0


@pytest.mark.parametrize("name", NAMES)
def test_without_invoices_there_is_nothing_to_judge(day: Any, name: str) -> None:
    assert day.check(name).verdict is Verdict.NOT_APPLICABLE


def bill_on_two_invoices(up: Any) -> None:
    bill = up.day.rows("books_bills", backend="new", customer="c-BB01")[0]
    up.line("new", "CITY-ND-000002", "session", bill["gross"], bill=bill["number"])


def bill_forgotten(up: Any) -> None:
    billable = up.day.row("books_billables", backend="legacy")
    number = billable["number"]
    billable.update(state="open", invoice=None)
    up.day.tables["books_invoice_lines"].remove(up.day.row("books_invoice_lines", bill=number, backend="legacy"))


def bill_never_in_line(up: Any) -> None:
    up.day.tables["books_billables"].remove(up.day.row("books_billables", backend="new", customer="c-AA01"))


def paid_directly_and_by_invoice(up: Any) -> None:
    bill = up.day.rows("books_bills", backend="new", customer="c-BB01")[0]
    up.claim("new", "k-again", "session", bill["number"], bill["gross"], session_id=bill["session_id"])


def collected_by_both(up: Any) -> None:
    """The old back-end has a bill of its own over the session that it handed over, and collects it too."""
    bill = up.day.row("books_bills", backend="new", customer="c-GUEST-7")
    up.day.add("books_bills", **{**bill, "backend": "legacy", "number": "CITY-legacy-000002"})
    row = up.day.row("books_billables", number=bill["number"])
    up.day.add("books_billables", **{**row, "backend": "legacy", "number": "CITY-legacy-000002"})
    up.claim("legacy", "k-old", "session", "CITY-legacy-000002", bill["gross"], session_id=bill["session_id"])


def line_over_nothing(up: Any) -> None:
    up.line("new", "CITY-ND-000001", "session", 100, bill="CITY-new-000099")


def line_of_another_session(up: Any) -> None:
    up.day.row("books_invoice_lines", number="CITY-ND-000001")["session_id"] = "s-1"


def line_over_other_energy(up: Any) -> None:
    up.day.row("books_invoice_lines", number="CITY-ND-000001")["quantity"] = "8.1"


def wrong_route(up: Any) -> None:
    up.day.row("books_claims", claim_id="k-CITY-LD-000001")["route"] = "stripe"


def asked_of_the_other_partner(up: Any) -> None:
    up.day.row("books_payments", claim_id="k-CITY-ND-000001")["partner"] = "riverty"


def number_missing(up: Any) -> None:
    for table in ("books_invoices", "books_invoice_lines"):
        for row in up.day.rows(table, number="NEW-NS-000002"):
            row["number"] = "NEW-NS-000003"


def number_twice(up: Any) -> None:
    up.day.row("books_invoices", number="CITY-ND-000002")["number"] = "CITY-ND-000001"


def circle_of_both(up: Any) -> None:
    up.day.row("books_invoices", number="CITY-LD-000001").update(number="CITY-ND-000003", circle="CITY-ND")


def numbered_against_time(up: Any) -> None:
    up.day.row("books_invoices", number="CITY-ND-000002")["issued_at"] -= DAY


def fee_twice(up: Any) -> None:
    first = up.day.row("books_invoices", number="NEW-NS-000002")
    up.day.add("books_invoices", **{**first, "number": "NEW-NS-000003"})
    for line in up.day.rows("books_invoice_lines", number="NEW-NS-000002"):
        up.day.add("books_invoice_lines", **{**line, "number": "NEW-NS-000003"})


def period_left_out(up: Any) -> None:
    up.day.tables["books_invoices"].remove(up.day.row("books_invoices", number="NEW-NS-000002"))


def billed_from_the_first_of_the_quarter(up: Any) -> None:
    """The new contract was told that it is billed until March, and begins in June."""
    up.day.row("books_invoices", number="NEW-NS-000001")["period_start"] = "2019-04-01"


def whole_quarter_for_a_rest(up: Any) -> None:
    up.day.row("books_invoice_lines", number="NEW-NS-000001", kind="item")["amount"] = 20_000


def by_days_of_thirty_one(up: Any) -> None:
    up.day.row("books_invoice_lines", number="NEW-NS-000001", kind="item")["amount"] = 12_258


def fee_after_the_end(up: Any) -> None:
    row = {"contract_id": "sub-old", "seller": "old-co", "customer": "city"}
    up.invoice("legacy", "OLD-LS-000002", "subscription", ("2019-07-01", "2019-08-01"), **row)
    days = {"start_day": "2019-07-01", "until_day": "2019-08-01"}
    up.line("legacy", "OLD-LS-000002", "item", 20_000, text="Platform", **days)


def other_vat(up: Any) -> None:
    up.day.rows("books_invoice_lines", number="NEW-NS-000002")[1]["vat_percent"] = "16"


def prepaid_worth_less(up: Any) -> None:
    for row in up.day.tables["books_prepaid"]:
        row["net"] = 12_000
    up.day.row("books_invoice_lines", kind="credit")["amount"] = -12_000


def credited_twice(up: Any) -> None:
    up.day.add("books_invoice_lines", **{**up.day.row("books_invoice_lines", kind="credit"), "position": 3})


def never_credited(up: Any) -> None:
    up.day.tables["books_invoice_lines"].remove(up.day.row("books_invoice_lines", kind="credit"))


def two_invoices_for_one_month(up: Any) -> None:
    first = up.day.row("books_invoices", number="CITY-ND-000001")
    up.day.add("books_invoices", **{**first, "number": "CITY-ND-000003", "period_start": "2019-06-12"})


def session_of_july_on_the_invoice_of_june(up: Any) -> None:
    up.day.row("books_billables", backend="new", customer="c-BB01")["supplied_at"] = parse_iso(
        "2019-07-01T00:30:00+02:00"
    )


def days_paid_to_both(up: Any) -> None:
    up.day.row("books_prepaid", backend="new").update(state="open", credited_on=None)


def days_between_the_companies(up: Any) -> None:
    up.day.row("books_invoices", number="OLD-LS-000001")["period_until"] = "2019-06-10"


def invoice_to_somebody_else(up: Any) -> None:
    up.day.row("books_invoices", number="CITY-ND-000001")["customer"] = "c-XX99"


def invoice_of_another_owner(up: Any) -> None:
    up.day.row("books_invoices", number="CITY-ND-000001")["seller"] = "port"


def claim_against_somebody_else(up: Any) -> None:
    up.day.row("books_claims", claim_id="k-CITY-ND-000001")["customer"] = "c-XX99"


def fee_of_another_owner(up: Any) -> None:
    up.day.row("books_invoices", number="NEW-NS-000002")["customer"] = "port"


def fee_in_another_currency(up: Any) -> None:
    up.day.row("books_invoices", number="NEW-NS-000002")["currency"] = "NOK"


def credited_to_another_owner(up: Any) -> None:
    for row in up.day.tables["books_prepaid"]:
        row["customer"] = "port"


@pytest.mark.parametrize(
    ("name", "breach", "says"),
    [
        ("B03", bill_on_two_invoices, "2 times"),
        ("B03", bill_forgotten, "still waits"),
        ("B03", bill_never_in_line, "never came"),
        ("B03", paid_directly_and_by_invoice, "2 times"),
        ("B03", collected_by_both, "2 times by 2 bills"),
        ("B03", line_over_nothing, "no book"),
        ("B03", line_of_another_session, "its invoice line of s-1"),
        ("B03", line_over_other_energy, "its invoice line over 8.1"),
        ("B03", invoice_to_somebody_else, "CITY-ND-000001 has c-XX99"),
        ("B03", invoice_of_another_owner, "CITY-ND-000001 has port"),
        ("B03", claim_against_somebody_else, "k-CITY-ND-000001 has c-XX99"),
        ("L09", fee_of_another_owner, "has the customer port"),
        ("L09", fee_in_another_currency, "has the currency NOK"),
        ("L09", credited_to_another_owner, "of port is credited to city"),
        ("B04", wrong_route, "goes through stripe"),
        ("B04", asked_of_the_other_partner, "riverty"),
        ("B04", collected_by_both, "ended at new"),
        ("L06", number_missing, "behind number 1"),
        ("L06", number_twice, "given twice"),
        ("L06", circle_of_both, "used by"),
        ("L06", numbered_against_time, "before number 1"),
        ("L09", fee_twice, "second time"),
        ("L09", period_left_out, "lacks an invoice from 2019-07-01"),
        ("L09", billed_from_the_first_of_the_quarter, "before its first day 2019-06-12"),
        ("M08", billed_from_the_first_of_the_quarter, "11 days from 2019-06-01"),
        ("L09", whole_quarter_for_a_rest, "12667 is due"),
        ("L09", by_days_of_thirty_one, "12667 is due"),
        ("L09", fee_after_the_end, "ended on 2019-06-12"),
        ("L09", other_vat, "16 % VAT"),
        ("L09", prepaid_worth_less, "cost 12667"),
        ("L09", credited_twice, "no prepaid row"),
        ("L09", never_credited, "credited 0 times"),
        ("M08", two_invoices_for_one_month, "begins on"),
        ("M08", session_of_july_on_the_invoice_of_june, "after the period"),
        ("M08", bill_forgotten, "lacks it"),
        ("M08", days_paid_to_both, "19 days from 2019-06-12"),
        ("M08", days_between_the_companies, "nobody invoices 2019-06-10"),
    ],
)
def test_a_breach_is_found_and_named(upgrade: Any, name: str, breach: Callable[[Any], None], says: str) -> None:
    breach(upgrade)
    result = upgrade.day.check(name)
    assert result.verdict is Verdict.FAIL, result
    assert says in " / ".join(one.sentence for one in result.findings)
    assert all(one.subject and one.evidence for one in result.findings)


def test_a_bill_that_came_after_its_month_was_invoiced_may_wait_for_the_next(upgrade: Any) -> None:
    """B03, M08: a stop that was delivered late is on the invoice of the month in which its bill was made."""
    bill_forgotten(upgrade)
    late = parse_iso("2019-07-02T10:00:00+02:00")
    upgrade.day.row("books_bills", backend="legacy")["issued_at"] = late
    assert [upgrade.day.check(name).verdict for name in ("B03", "M08")] == [Verdict.PASS, Verdict.PASS]


def test_a_cancelled_invoice_frees_its_bills_for_the_next(upgrade: Any) -> None:
    """B03, M08, L06: after a cancellation the bill waits again, and its old line does not count."""
    up = upgrade
    bill = up.day.row("books_bills", backend="legacy")
    up.day.row("books_invoices", number="CITY-LD-000001").update(state="cancelled", cancelled_by="CITY-LX-000001")
    at = parse_iso("2019-07-03T10:00:00+02:00")
    up.invoice("legacy", "CITY-LX-000001", "cancellation", ("2019-06-01", "2019-07-01"), issued_at=at)
    up.line("legacy", "CITY-LX-000001", "reversal", -bill["gross"], bill=bill["number"])
    up.day.row("books_billables", number=bill["number"]).update(state="open", invoice=None)
    assert [up.day.check(name).verdict for name in ("B03", "M08", "L06")] == [Verdict.PASS] * 3
