"""Planted breaches around an upgrade: payees, payouts, notices (INV-23, 24, 25, M09, M13)."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sim.clock import DAY
from sim.evidence.verdict import CheckResult, Verdict

OLD_IBAN, NEW_IBAN = "NO9386011117947", "NO7530001234567"
FIRST, SECOND = "2024-04-09", "2024-04-16"
TO = {"city": "post@city.example", "port": "post@port.example"}
NAMES = ("INV-23", "INV-24", "INV-25", "M09", "M13")


def subjects(result: CheckResult) -> list[str]:
    """Who is named, for a result that must be FAIL."""
    assert result.verdict is Verdict.FAIL, result
    assert all(finding.evidence for finding in result.findings)
    return [finding.subject for finding in result.findings]


@pytest.mark.parametrize("name", NAMES)
def test_an_honest_upgrade_passes(upgraded: Any, name: str) -> None:
    result = upgraded.check(name)
    assert (result.verdict, result.findings) == (Verdict.PASS, ()), result
    assert result.items >= 2


@pytest.mark.parametrize("name", [name for name in NAMES if name != "INV-24"])
def test_without_an_upgrade_in_the_plan_there_is_nothing_to_judge(upgraded: Any, name: str) -> None:
    upgraded.plan["upgrade"] = None
    assert upgraded.check(name).verdict is Verdict.NOT_APPLICABLE


# -- INV-23 ---------------------------------------------------------------------------------------------------------------


def test_inv_23_finds_a_new_seller_before_the_cut_over(upgraded: Any) -> None:
    upgraded.row("books_invoices", number="NEW-port")["issued_at"] = upgraded.when("04-09 21:00")
    assert subjects(upgraded.check("INV-23")) == ["NEW-port"]


def test_inv_23_finds_an_old_seller_after_the_cut_over(upgraded: Any) -> None:
    upgraded.invoice("legacy", "OLD-again", "city", "05-01 02:00", "2024-05-01", "2024-06-01")
    assert subjects(upgraded.check("INV-23")) == ["OLD-again"]


def test_inv_23_judges_the_day_by_the_clocks_of_the_owner(upgraded: Any) -> None:
    document = upgraded.row("books_invoices", number="NEW-city")
    document["issued_at"] = upgraded.when("04-09 00:00")
    assert upgraded.check("INV-23").verdict is Verdict.PASS
    document["issued_at"] = upgraded.when("04-09 00:00") - 1
    assert subjects(upgraded.check("INV-23")) == ["NEW-city"]


CONTENT = {
    "customer": {"name": "City", "address": "Road 1", "email": TO["city"], "language": "nb"},
    "seller": {"name": "Nye AS"},
    "due": "2024-05-09",
    "reference": "NEW-city",
}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"customer": {"name": "Port"}}, "customer's name 'Port'"),
        ({"customer": {"address": "Quay 2"}}, "customer's address 'Quay 2'"),
        ({"customer": {"email": TO["port"]}}, "customer's email"),
        ({"customer": {"language": "de"}}, "customer's language 'de'"),
        ({"seller": {"name": "Gamle AS"}}, "seller's name 'Gamle AS'"),
        ({"due": "2024-04-09"}, "due on 2024-04-09, and 30 days are agreed"),
        ({"reference": "OLD-city"}, "asks for the reference OLD-city"),
    ],
)
def test_inv_23_finds_a_document_that_says_what_nobody_agreed(upgraded: Any, change: dict[str, Any], says: str) -> None:
    upgraded.plan["upgrade"]["owners"][0]["contract_new"] |= CONTENT["customer"]
    upgraded.plan["upgrade"]["sellers"][1]["due_days"] = 30
    document = upgraded.row("books_invoices", number="NEW-city")
    document["data"] = json.dumps(CONTENT)
    assert upgraded.check("INV-23").verdict is Verdict.PASS
    document["data"] = json.dumps({**CONTENT, **change})
    result = upgraded.check("INV-23")
    assert subjects(result) == ["NEW-city"]
    assert says in result.findings[0].sentence


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"due_at": "2024-05-10 12:00"}, "booked as due on 2024-05-10, and 30 days are agreed"),
        ({"language": "de"}, "booked as written in de, and nb is right"),
        ({"language": "de", "data": "{}"}, "booked as written in de, and nb is right"),
    ],
)
def test_inv_23_finds_a_day_or_language_that_is_booked_wrongly(
    upgraded: Any, change: dict[str, str], says: str
) -> None:
    """The content of the document is right."""
    upgraded.plan["upgrade"]["sellers"][1]["due_days"] = 30
    document = upgraded.row("books_invoices", number="NEW-city")
    document |= {"due_at": upgraded.when("05-09 12:00"), "language": "nb", "data": json.dumps({"language": "nb"})}
    assert upgraded.check("INV-23").verdict is Verdict.PASS
    document |= {**change, **({"due_at": upgraded.when(change["due_at"][5:])} if "due_at" in change else {})}
    result = upgraded.check("INV-23")
    assert subjects(result) == ["NEW-city"]
    assert says in result.findings[0].sentence


def test_inv_23_finds_a_credit_that_is_to_be_paid_and_a_drivers_invoice_in_another_language(upgraded: Any) -> None:
    more = {"kind": "credit", "cancels": "OLD-city", "due_at": upgraded.when("05-09 12:00")}
    upgraded.invoice("legacy", "OLD-credit", "city", "05-02 02:00", "2024-04-01", "2024-05-01", **more)
    row = {"kind": "drivers", "customer": "ann", "data": "{}", "language": "nb"}
    upgraded.add("books_invoices", backend="new", number="D-1", gross=1, net=1, vat=0, issued_at=0, **row)
    assert subjects(upgraded.check("INV-23")) == ["OLD-credit", "D-1"]


def test_inv_23_finds_a_drivers_invoice_to_the_address_of_another_driver(upgraded: Any) -> None:
    row = {"kind": "drivers", "customer": "ann", "data": json.dumps({"customer": {"email": "bo@drivers.example"}})}
    upgraded.add("books_invoices", backend="new", number="D-1", gross=1, net=1, vat=0, issued_at=0, **row)
    assert subjects(upgraded.check("INV-23")) == ["D-1"]


@pytest.mark.parametrize("more", [{"account": OLD_IBAN}, {"data": json.dumps({"note": "NO93 8601 1117 947"})}])
def test_inv_23_finds_the_account_of_the_other_seller(upgraded: Any, more: dict[str, Any]) -> None:
    upgraded.row("books_invoices", number="NEW-city").update(more)
    assert subjects(upgraded.check("INV-23")) == ["NEW-city"]


@pytest.mark.parametrize(("number", "terms"), [("NEW-city", "2023-1"), ("OLD-port", "2023-1"), ("NEW-port", None)])
def test_inv_23_finds_terms_that_are_not_in_force(upgraded: Any, number: str, terms: str | None) -> None:
    upgraded.row("books_invoices", number=number)["terms"] = terms
    assert subjects(upgraded.check("INV-23")) == [number]


def test_inv_23_takes_the_terms_of_the_contract_before_those_of_the_seller(upgraded: Any) -> None:
    upgraded.plan["upgrade"]["owners"][0]["contract_new"]["terms"] = [{"value": "special"}]
    assert subjects(upgraded.check("INV-23")) == ["NEW-city"]
    upgraded.row("books_invoices", number="NEW-city")["terms"] = "special"
    assert upgraded.check("INV-23").verdict is Verdict.PASS


def test_inv_23_finds_days_that_both_sellers_sell(upgraded: Any) -> None:
    upgraded.row("books_invoices", number="NEW-port")["period_start"] = FIRST
    assert subjects(upgraded.check("INV-23")) == ["NEW-port"]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda day: day.tables["books_prepaid"].remove(day.row("books_prepaid", backend="new", customer="city")),
        lambda day: day.tables["books_prepaid"].clear(),
        lambda day: day.row("books_prepaid", backend="new", customer="city").update(until_day="2024-04-30"),
        lambda day: day.row("books_prepaid", backend="legacy", customer="city").update(start_day="2024-04-10"),
        lambda day: day.add("books_prepaid", **day.row("books_prepaid", backend="new", customer="city")),
    ],
)
def test_inv_23_finds_prepaid_days_that_are_lost_cut_or_doubled(upgraded: Any, spoil: Callable[[Any], None]) -> None:
    spoil(upgraded)
    assert "OLD-city" in subjects(upgraded.check("INV-23"))


def test_inv_23_lets_the_old_seller_take_back_what_it_issued(upgraded: Any) -> None:
    """M07: a credit for an invoice of before the cut-over runs through the old partner."""
    more = {"kind": "credit", "cancels": "OLD-city"}
    credit = upgraded.invoice("legacy", "OLD-credit", "city", "05-02 02:00", "2024-04-01", "2024-05-01", **more)
    assert upgraded.check("INV-23").verdict is Verdict.PASS
    credit["cancels"] = "NEW-city"
    assert subjects(upgraded.check("INV-23")) == ["OLD-credit"]


def test_inv_23_finds_a_mail_that_names_the_wrong_account(upgraded: Any) -> None:
    upgraded.mail("invoice", TO["city"], upgraded.when("05-01 10:00"), f"Pay to {OLD_IBAN}", "nb")
    upgraded.mail("invoice", TO["port"], upgraded.when("04-01 10:00"), f"Pay to {NEW_IBAN}", "de")
    assert subjects(upgraded.check("INV-23")) == ["city", "port"]


# -- INV-24 ---------------------------------------------------------------------------------------------------------------


def test_inv_24_finds_a_payout_to_an_account_that_may_not_be_paid(upgraded: Any) -> None:
    upgraded.row("partner_payments", id="po_2")["at"] = upgraded.when("05-01 00:00")
    result = upgraded.check("INV-24")
    assert subjects(result) == ["po_2"]


def test_inv_24_does_not_guess_which_came_first_at_the_very_instant_of_a_change(upgraded: Any) -> None:
    """A payout that fails switches the account off at the instant at which the next one is made."""
    upgraded.account("city", "04-19 00:00", False)
    assert upgraded.check("INV-24").verdict is Verdict.PASS
    upgraded.row("partner_payments", id="po_1")["at"] += 1
    assert subjects(upgraded.check("INV-24")) == ["po_1"]


def test_inv_24_finds_a_payout_to_an_account_that_nobody_knows(upgraded: Any) -> None:
    upgraded.tables["partner_accounts"] = upgraded.rows("partner_accounts", owner="port")
    assert subjects(upgraded.check("INV-24")) == ["po_1"]


def test_inv_24_finds_money_that_was_paid_out_twice(upgraded: Any) -> None:
    upgraded.add("partner_payments", **{**upgraded.row("partner_payments", id="po_2"), "id": "po_3"})
    assert set(subjects(upgraded.check("INV-24"))) == {"acct_port"}


def test_inv_24_finds_money_that_vanished(upgraded: Any) -> None:
    upgraded.tables["partner_balance"].remove(upgraded.row("partner_balance", source="tr_2"))
    assert set(subjects(upgraded.check("INV-24"))) == {"acct_city"}


def test_inv_24_finds_a_fee_that_was_not_agreed(upgraded: Any) -> None:
    upgraded.row("partner_balance", source="tr_1")["net"] -= 1
    assert set(subjects(upgraded.check("INV-24"))) == {"acct_city"}


def test_inv_24_finds_money_that_is_kept_although_the_account_may_be_paid(upgraded: Any) -> None:
    upgraded.moved("port", "transfer", "tr_5", 900, "05-10 12:00")
    result = upgraded.check("INV-24")
    assert subjects(result) == ["acct_port"]
    assert "900" in result.findings[0].sentence


def test_inv_24_lets_money_wait_for_an_account_that_may_not_be_paid(upgraded: Any) -> None:
    upgraded.account("city", "05-01 09:00", False)
    upgraded.moved("city", "transfer", "tr_5", 900, "05-10 12:00")
    assert upgraded.check("INV-24").verdict is Verdict.PASS


def test_inv_24_takes_a_payout_that_came_back_for_one_that_never_was(upgraded: Any) -> None:
    upgraded.moved("city", "transfer", "tr_5", 900, "05-10 12:00")
    upgraded.moved("city", "payout", "po_8", 900, "05-18 00:00", state="failed")
    back = {**upgraded.row("partner_balance", source="po_8"), "id": "txn-b", "amount": 900, "net": 900}
    upgraded.add("partner_balance", **{**back, "type": "payout_failure", "available_at": upgraded.when("05-19 00:00")})
    assert subjects(upgraded.check("INV-24")) == ["acct_city"]  # it waits since the 19th of May
    upgraded.moved("city", "payout", "po_9", 900, "05-20 00:00")
    assert upgraded.check("INV-24").verdict is Verdict.PASS


# -- INV-25 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sent", ["04-01 10:00", "04-07 10:00"])
def test_inv_25_finds_a_notice_that_came_too_early_or_too_late(upgraded: Any, sent: str) -> None:
    upgraded.row("partner_mails", id="mail-1").update(at=upgraded.when(sent), delivered_at=upgraded.when(sent))
    assert subjects(upgraded.check("INV-25")) == ["city"]


def test_inv_25_judges_by_the_day_of_the_first_switch_and_not_by_the_desk(upgraded: Any) -> None:
    upgraded.row("truth_migration", station="st-city")["at"] = upgraded.when("04-10 09:00")
    result = upgraded.check("INV-25")
    assert subjects(result) == ["city"]
    assert "2024-04-10" in result.findings[0].sentence


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("9. april 2024", "10. april 2024", "day"),
        ("9. april 2024", "19. april 2024", "day"),
        ("9. april 2024", "9 April 2024", "in the words of nb"),
        ("Nye AS", "Nyere AS", "payee"),
        ("NO75 3000 1234 567", "NO93 8601 1117 947", "account"),
        ("2024-2", "2023-1", "terms"),
        ("onboarding/city", "onboarding/city-hall", "link"),
        ("onboarding/city", "onboarding/port", "link"),
        ("site-city", "site-port", "names site-port, and site-city is what moves"),
        ("site-city", "site-city, site-port", "names site-city, site-port, and"),
        ("site-city", "the site", "names no site"),
    ],
)
def test_inv_25_finds_a_notice_that_does_not_tell_the_truth(upgraded: Any, old: str, new: str, words: str) -> None:
    """The meta of the mail still says what is right."""
    row = upgraded.row("partner_mails", id="mail-1")
    row["text"] = row["text"].replace(old, new)
    result = upgraded.check("INV-25")
    assert subjects(result) == ["city"]
    assert words in result.findings[0].sentence


def test_inv_25_finds_a_notice_in_another_language(upgraded: Any) -> None:
    upgraded.row("partner_mails", id="mail-1")["language"] = "en"
    assert subjects(upgraded.check("INV-25")) == ["city"]


@pytest.mark.parametrize("state", ["bounced", "sent"])
def test_inv_25_does_not_count_a_notice_that_never_arrived(upgraded: Any, state: str) -> None:
    upgraded.row("partner_mails", id="mail-1")["state"] = state
    assert subjects(upgraded.check("INV-25")) == ["city"]


def test_inv_25_takes_a_notice_that_reached_an_official(upgraded: Any) -> None:
    upgraded.row("partner_mails", id="mail-1")["to"] = "chair@city.example"
    assert upgraded.check("INV-25").verdict is Verdict.PASS


def test_inv_25_finds_two_valid_notices(upgraded: Any) -> None:
    upgraded.notice("city", 1, 2, FIRST, "04-04 10:00")
    assert subjects(upgraded.check("INV-25")) == ["city"]


def test_inv_25_finds_a_notice_that_was_not_taken_back(upgraded: Any) -> None:
    upgraded.tables["partner_mails"].remove(upgraded.row("partner_mails", kind="upgrade-notice-void"))
    assert subjects(upgraded.check("INV-25")) == ["port"]


def test_inv_25_finds_a_notice_that_was_not_repeated(upgraded: Any) -> None:
    upgraded.tables["partner_mails"].remove(upgraded.row("partner_mails", id="mail-4"))
    result = upgraded.check("INV-25")
    assert subjects(result) == ["port"]
    assert "0 notices" in result.findings[0].sentence


def test_inv_25_finds_a_notice_that_was_taken_back_too_late(upgraded: Any) -> None:
    upgraded.row("partner_mails", kind="upgrade-notice-void")["delivered_at"] = upgraded.when("04-07 12:00")
    result = upgraded.check("INV-25")
    assert subjects(result) == ["port"]
    assert "too late" in result.findings[0].sentence


def test_inv_25_finds_a_void_that_names_another_day_or_was_not_due(upgraded: Any) -> None:
    upgraded.row("partner_mails", kind="upgrade-notice-void")["text"] = (
        "Nothing happens at site-port on 10. April 2024."
    )
    assert "does not name 2024-04-09" in upgraded.check("INV-25").findings[0].sentence
    upgraded.plan["upgrade"]["waves"][1]["announced"] = [{"day": SECOND, "decided_at": upgraded.when("03-20 12:00")}]
    assert "never given up" in upgraded.check("INV-25").findings[0].sentence


def test_inv_25_cannot_judge_a_wave_that_never_took_place(upgraded: Any) -> None:
    upgraded.tables["truth_migration"].remove(upgraded.row("truth_migration", station="st-city"))
    assert upgraded.check("INV-25").verdict is Verdict.UNKNOWN


# -- M09 ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("iban", [OLD_IBAN, None])
def test_m09_finds_an_invoice_with_another_account_than_the_one_in_force(upgraded: Any, iban: str | None) -> None:
    upgraded.row("books_invoices", number="NEW-city")["account"] = iban
    assert subjects(upgraded.check("M09")) == ["NEW-city"]


def test_m09_knows_from_when_on_an_account_is_in_force(upgraded: Any) -> None:
    seller = upgraded.plan["upgrade"]["sellers"][1]
    seller["accounts"] = [{"value": OLD_IBAN}, {"value": NEW_IBAN, "from": FIRST}]
    assert upgraded.check("M09").verdict is Verdict.PASS
    seller["accounts"][1]["from"] = SECOND
    assert subjects(upgraded.check("M09")) == ["NEW-city"]


def test_m09_finds_a_payment_to_the_old_account_that_nobody_matched(upgraded: Any) -> None:
    upgraded.row("books_statement_lines", claim_id="k-NEW-port").update(state="unmatched", claim_id=None)
    assert subjects(upgraded.check("M09")) == ["NEW-port"]


def test_m09_finds_a_payment_that_both_back_ends_took(upgraded: Any) -> None:
    twice = {
        **upgraded.row("books_statement_lines", claim_id="k-NEW-port"),
        "backend": "legacy",
        "claim_id": "k-OLD-port",
    }
    upgraded.add("books_statement_lines", **twice)
    assert "NEW-port" in subjects(upgraded.check("M09"))


def test_m09_finds_a_payment_that_was_taken_for_another_claim(upgraded: Any) -> None:
    upgraded.row("books_statement_lines", claim_id="k-NEW-port")["claim_id"] = "k-NEW-city"
    assert subjects(upgraded.check("M09")) == ["NEW-port"]


def test_m09_leaves_alone_what_just_came_and_what_names_no_invoice(upgraded: Any) -> None:
    before = upgraded.check("M09").items
    upgraded.pay("NEW-city", NEW_IBAN, "06-30 11:00", "new", None)
    upgraded.pay("nothing", NEW_IBAN, "05-30 11:00", "new", None)
    result = upgraded.check("M09")
    assert (result.verdict, result.items) == (Verdict.PASS, before), result


def test_m09_asks_for_a_payment_that_went_back_too(upgraded: Any) -> None:
    """It came once, and the books say so; that it went back is P07's."""
    upgraded.pay("OLD-port", OLD_IBAN, "05-30 12:00", "legacy", None)
    upgraded.came_back("06-02 12:00", None)
    assert subjects(upgraded.check("M09")) == ["OLD-port"]


# -- M13 ------------------------------------------------------------------------------------------------------------------


def test_m13_finds_a_notice_that_came_twice(upgraded: Any) -> None:
    upgraded.notice("city", 1, 1, FIRST, "04-03 10:10")
    assert subjects(upgraded.check("M13")) == ["city"]


def test_m13_finds_a_driver_who_was_told_twice_and_one_who_was_not_told(upgraded: Any) -> None:
    again = {**upgraded.row("partner_mails", to="ann@drivers.example"), "id": "mail-x"}
    upgraded.add("partner_mails", **again)
    upgraded.tables["partner_mails"].remove(upgraded.row("partner_mails", to="bo@drivers.example"))
    assert subjects(upgraded.check("M13")) == ["ann", "bo"]


def test_m13_finds_a_driver_who_was_told_another_day_or_too_late(upgraded: Any) -> None:
    upgraded.row("partner_mails", to="ann@drivers.example")["text"] = "At site-city it is on 19 April 2024."
    assert subjects(upgraded.check("M13")) == ["ann"]
    late = upgraded.row("partner_mails", to="bo@drivers.example")
    late["delivered_at"] = late["delivered_at"] + 2 * DAY
    assert subjects(upgraded.check("M13")) == ["ann", "bo"]


@pytest.mark.parametrize(("text", "says"), [("site-port", "names site-port"), ("the site", "names no site")])
def test_m13_finds_a_driver_who_was_told_of_other_sites(upgraded: Any, text: str, says: str) -> None:
    upgraded.row("partner_mails", to="ann@drivers.example")["text"] = f"At {text} it is on 9 April 2024."
    result = upgraded.check("M13")
    assert subjects(result) == ["ann"]
    assert says in result.findings[0].sentence


def test_inv_25_finds_a_void_that_names_another_site(upgraded: Any) -> None:
    row = upgraded.row("partner_mails", kind="upgrade-notice-void")
    row["text"] = row["text"].replace("site-port", "site-city")
    assert "names site-city" in upgraded.check("INV-25").findings[0].sentence


def test_m13_takes_a_driver_notice_that_replaces_an_earlier_one(upgraded: Any) -> None:
    text = "På site-port er det 9. april 2024."
    upgraded.mail("driver-notice", "bo@drivers.example", upgraded.when("04-04 10:00"), text, "nb")
    row = upgraded.row("partner_mails", id="mail-6")
    row["text"] += " Dette erstatter 9. april 2024."
    assert upgraded.check("M13").verdict is Verdict.PASS


@pytest.mark.parametrize("iban", ["NO93 8601 1117 947", OLD_IBAN])
def test_m13_finds_the_old_bank_details_in_any_mail_of_the_upgrade(upgraded: Any, iban: str) -> None:
    upgraded.row("partner_mails", kind="onboarding-invitation")["text"] += f" Pay to {iban}."
    assert subjects(upgraded.check("M13")) == [TO["city"]]


def test_m13_finds_a_notice_that_was_taken_back_twice(upgraded: Any) -> None:
    upgraded.void("port", 2, 1, FIRST, "04-05 13:00")
    assert subjects(upgraded.check("M13")) == ["port"]
