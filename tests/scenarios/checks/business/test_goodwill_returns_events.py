"""Planted breaches of money that goes back, arrives elsewhere or comes from outside, and of the onboarding's mails
(P07, P13, P14, P15, M15)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.clock import DAY, HOUR
from sim.evidence.verdict import CheckResult, Verdict

OLD_IBAN, NEW_IBAN = "NO9386011117947", "NO7530001234567"
OWN = {"city": "NO8330001234526", "port": "NO6630001234510"}
SETTLED = "NO0630001234599"
NAMES = ("P07", "P13", "P14", "P15", "M15")
DEADLINE = "2024-04-01"


@pytest.fixture
def told(upgraded: Any) -> Any:
    """The honest upgrade with a promise that was kept, a payment that came back, a settlement, and events."""
    plan = upgraded.plan["upgrade"]
    plan |= {"deadline": DEADLINE, "invited_at": upgraded.when("03-20 09:00"), "remind_days": 5}
    plan |= {"settles_to": {"NOK": SETTLED}, "goodwill": [promise(upgraded)]}
    for owner in plan["owners"]:
        owner["iban"] = OWN[owner["owner"]]
    _onboarding(upgraded)
    _paid_out(upgraded)
    _given_back(upgraded)
    upgraded.pay("OLD-port", OLD_IBAN, "05-02 09:00", "legacy", "k-OLD-port")
    upgraded.came_back("05-05 09:00", "k-OLD-port")
    upgraded.pay("OLD-port", OLD_IBAN, "05-09 09:00", "legacy", "k-OLD-port")
    at = upgraded.when("04-20 09:00")
    event = {"partner": "stripe", "event_id": "evt_1", "type": "payout.paid", "at": at - HOUR, "to": "new", "copy": 0}
    upgraded.add("partner_webhooks", **event, attempts=[[at, False], [at + 60_000, True]], state="taken")
    upgraded.add("partner_faults", partner="stripe", at=at, kind="webhook-wrong-secret", subject="evt_1", extra=0)
    return upgraded


def promise(day: Any) -> dict[str, Any]:
    return {"customer": "ann", "backend": "new", "at": day.when("05-10 09:00"), "percent": 10}


def _onboarding(day: Any) -> None:
    """`city` was ready in time; `port` was not, and was reminded."""
    invited = day.row("partner_mails", kind="onboarding-invitation")
    invited["text"] += " by 1. april 2024"
    text = "Until 1. April 2024: https://portal.example/onboarding/port"
    day.mail("onboarding-invitation", "chair@port.example", day.when("03-20 10:00"), text, "de")
    day.mail("onboarding-reminder", "post@port.example", day.when("03-27 10:00"), text, "de")
    day.row("partner_accounts", owner="port", payouts_enabled=0)["charges_enabled"] = 0


def _paid_out(day: Any) -> None:
    for owner, name, amount, at in (("city", "po_1", 1260, "04-19 00:00"), ("port", "po_2", 700, "05-03 00:00")):
        to = {"iban": OWN[owner], "owner": owner, "counterparty": "Stripe"}
        bank(day, name, amount, at, **to)
        book(day, name, f"bank:{owner}", amount, at)
    settled = {"partner": "riverty", "account": "oldco", "currency": "NOK", "amount": 500, "state": "paid"}
    day.add("partner_payments", kind="settlement", id="set_1", at=day.when("04-20 00:00"), **settled)
    bank(day, "set_1", 500, "04-20 00:00", iban=SETTLED, owner="oldco", counterparty="Riverty")
    book(day, "set_1", f"bank:{SETTLED}", 500, "04-20 00:00")


def bank(day: Any, reference: str, amount: int, at: str, **more: Any) -> None:
    row = {"partner": "bank", "id": f"e-{reference}", "at": day.when(at), "currency": "NOK", "amount": amount}
    day.add("partner_bank", **row, reference=reference, end_to_end=reference, **more)


def book(day: Any, reference: str, account: str, amount: int, at: str) -> None:
    postings = [[account, "NOK", amount], ["clearing:x", "NOK", -amount]]
    seq = len(day.rows("books_journal", backend="new")) + 1
    row = {"seq": seq, "at": day.when(at), "kind": "payout", "ref": f"{reference} x"}
    day.add("books_journal", backend="new", **row, postings=postings)


def _given_back(day: Any) -> None:
    """`ann` has paid 4,000 for April, and gets 400 back of it."""
    claim = {"kind": "drivers", "seller": "city", "customer": "ann", "document": "D-1", "amount": 4000, "paid": 4000}
    claim |= {
        "route": "stripe",
        "refunded": 400,
        "credited": 400,
        "state": "paid",
        "created_at": day.when("05-01 03:00"),
    }
    day.add("books_claims", backend="new", claim_id="k-D-1", currency="NOK", **claim)
    for kind, amount, at in (("capture", 4000, "05-01 04:00"), ("refund", 400, "05-10 09:01")):
        move(day, kind, amount, at)


def move(day: Any, kind: str, amount: int, at: str, claim: str = "k-D-1", n: int = 1) -> None:
    """Money that moved at the partner by an attempt of ours."""
    key = f"{claim}/{kind}/{n}"
    row = {"partner": "stripe", "key": key, "amount": amount, "currency": "NOK"}
    asked = {"created_at": day.when(at), "asked_at": day.when(at), "state": "done"}
    day.add("books_payments", backend="new", attempt_id=key, claim_id=claim, purpose=kind, **row, **asked)
    day.add("partner_payments", kind=kind, id=key, at=day.when(at), account="", state="succeeded", **row)


def subjects(result: CheckResult) -> list[str]:
    """Who is named, for a result that must be FAIL."""
    assert result.verdict is Verdict.FAIL, result
    assert all(finding.evidence for finding in result.findings)
    return [finding.subject for finding in result.findings]


@pytest.mark.parametrize("name", NAMES)
def test_an_honest_upgrade_passes(told: Any, name: str) -> None:
    result = told.check(name)
    assert (result.verdict, result.findings) == (Verdict.PASS, ()), result
    assert result.items >= 1


# -- P13 ------------------------------------------------------------------------------------------------------------------


def forgotten(day: Any) -> None:
    for table in ("books_payments", "partner_payments"):
        day.tables[table] = [row for row in day.tables[table] if "refund" not in str(row.get("key"))]


@pytest.mark.parametrize(
    ("breach", "says"),
    [
        (forgotten, "nothing back"),
        (lambda day: move(day, "refund", 400, "05-11 09:00", n=2), "2 refunds"),
        (lambda day: day.row("partner_payments", kind="refund").update(amount=399), "399 back, and 400"),
        (lambda day: day.row("partner_payments", kind="refund").update(at=day.when("05-09 09:00")), "before it was"),
        (lambda day: day.row("partner_payments", kind="refund").update(at=day.when("05-20 09:00")), "too late"),
        (lambda day: day.plan["upgrade"]["goodwill"][0].update(percent=20), "400 back, and 800"),
        (lambda day: day.plan["upgrade"]["goodwill"][0].update(customer="bo"), "nobody promised"),
    ],
)
def test_p13_finds_a_promise_that_was_not_kept(told: Any, breach: Callable[[Any], None], says: str) -> None:
    breach(told)
    result = told.check("P13")
    assert subjects(result)
    assert says in " / ".join(one.sentence for one in result.findings)


def test_p13_asks_for_nothing_where_no_invoice_was_paid_in_time(told: Any) -> None:
    forgotten(told)
    told.row("partner_payments", kind="capture").update(at=told.when("05-23 09:00"))
    assert told.check("P13").verdict is Verdict.PASS


def test_p13_takes_a_correction_and_a_cancelled_invoice_for_a_reason(told: Any) -> None:
    told.plan["upgrade"]["goodwill"] = []
    assert subjects(told.check("P13")) == ["D-1"]
    told.add("books_invoice_lines", backend="new", number="D-1", position=1, kind="session", bill="B-1", amount=4000)
    told.add("books_corrections", backend="new", correction_id="x", cdr_id="c", bill="B-1", reason="r", actor="kari")
    assert told.check("P13").verdict is Verdict.PASS
    told.tables["books_corrections"].clear()
    told.row("books_claims", claim_id="k-D-1")["state"] = "cancelled"
    assert told.check("P13").verdict is Verdict.PASS


# -- P14 ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reference", "iban"),
    [("po_1", OWN["port"]), ("po_2", OWN["city"]), ("po_1", NEW_IBAN), ("set_1", OLD_IBAN)],
)
def test_p14_finds_money_that_arrived_at_another_account(told: Any, reference: str, iban: str) -> None:
    """Amounts, owners and books are as they should be."""
    told.row("partner_bank", reference=reference)["iban"] = iban
    result = told.check("P14")
    assert subjects(result) == [reference]
    assert iban in result.findings[0].sentence


def test_p14_finds_money_that_is_booked_at_another_account(told: Any) -> None:
    told.row("books_journal", ref="set_1 x")["postings"][0][0] = f"bank:{OLD_IBAN}"
    assert subjects(told.check("P14")) == ["set_1"]


def test_p14_finds_a_payout_to_an_account_that_the_owner_gave_by_mistake(told: Any) -> None:
    """The owner's word at the partner does not count: the plan says which account is theirs."""
    told.plan["upgrade"]["owners"][0]["iban"] = NEW_IBAN
    assert subjects(told.check("P14")) == ["po_1"]


# -- P07 ------------------------------------------------------------------------------------------------------------------


def still_paid(day: Any) -> None:
    """The return was read and booked nowhere, and the claim was never opened again: nobody paid a second time."""
    day.tables["partner_bank"].pop()
    day.tables["books_statement_lines"].pop()
    day.tables["books_statement_lines"].pop()
    day.row("books_claims", claim_id="k-OLD-port").update(paid=1000, state="paid")


def taken_for_another(day: Any) -> None:
    line = next(row for row in day.rows("books_statement_lines") if row["amount"] < 0)
    line["claim_id"] = "k-OLD-city"


def called_paid(day: Any) -> None:
    """All is booked but the second payment, and the claim says paid."""
    day.tables["partner_bank"].pop()
    day.tables["books_statement_lines"].pop()
    day.row("books_claims", claim_id="k-OLD-port").update(paid=0, state="paid")


@pytest.mark.parametrize(
    ("breach", "says"),
    [
        (still_paid, "is paid with 1000 here, and the bank has 0"),
        (taken_for_another, "lost 1000 again"),
        (called_paid, "is called paid, and 1000 of it came back"),
    ],
)
def test_p07_finds_a_return_that_left_its_claim_paid(told: Any, breach: Callable[[Any], None], says: str) -> None:
    breach(told)
    result = told.check("P07")
    assert subjects(result) == ["OLD-port"]
    assert says in result.findings[0].sentence


def disputed(day: Any, state: str, amount: int, claim: str, parked: int, lost: int, refunded: int) -> None:
    """A payment by card that its driver took back, as the partner ended it and as it stands in the books."""
    at, common = day.when("05-10 09:00"), {"partner": "stripe", "currency": "NOK", "amount": amount}
    day.plan["upgrade"]["dispute_goodwill"] = {"NOK": 5000}
    day.add("partner_payments", **common, kind="auth", id="ch_9", key="k-9/charge/1", state="captured", at=at)
    day.add("partner_payments", **common, kind="dispute", id="dp_9", for_id="ch_9", state=state, at=at)
    attempt = {"attempt_id": "p-9", "claim_id": "k-9", "purpose": "charge", "key": "k-9/charge/1", "state": "done"}
    day.add("books_payments", backend="new", **common, **attempt, created_at=at)
    row = {"kind": "session", "customer": "bo", "document": "B-9", "route": "stripe", "amount": amount}
    row |= {"paid": amount, "refunded": refunded, "credited": 0, "state": claim, "created_at": at}
    day.add("books_claims", backend="new", claim_id="k-9", **row)
    postings = [["disputed:bo", "NOK", parked], ["losses:stripe", "NOK", lost], ["x", "NOK", -parked - lost]]
    day.add("books_journal", backend="new", seq=990, at=at, kind="dispute", ref="B-9 k-9 dp_9", postings=postings)


@pytest.mark.parametrize(
    ("state", "amount", "claim", "parked", "lost", "refunded", "says"),
    [
        ("won", 9000, "paid", 0, 0, 0, ""),
        ("lost", 9000, "open", 0, 0, 9000, ""),
        ("lost", 5000, "written-off", 0, 5000, 0, ""),
        ("needs_response", 9000, "disputed", 9000, 0, 0, ""),
        ("won", 9000, "disputed", 0, 0, 0, "is disputed, and the dispute was won"),
        ("won", 9000, "paid", 9000, 0, 0, "has 9000 of a dispute parked, which is won"),
        ("lost", 9000, "paid", 0, 0, 0, "is paid, and 9000 was lost and is owed again"),
        ("lost", 9000, "written-off", 0, 9000, 0, "is written-off, and 9000 was lost and is owed again"),
        ("lost", 5000, "open", 0, 0, 5000, "is open, and 5000 was lost and is to be written off"),
        ("needs_response", 9000, "paid", 0, 0, 0, "is paid, and its payment is disputed"),
    ],
)
def test_p07_ends_each_dispute_by_the_banks_decision_and_the_terms(
    told: Any, state: str, amount: int, claim: str, parked: int, lost: int, refunded: int, says: str
) -> None:
    disputed(told, state, amount, claim, parked, lost, refunded)
    result = told.check("P07")
    assert [one.subject for one in result.findings] == (["B-9"] if says else [])
    assert says in "".join(one.sentence for one in result.findings)


def test_p07_lets_the_books_lag_a_day_behind_the_bank(told: Any) -> None:
    told.pay("NEW-city", NEW_IBAN, "06-30 11:00", "new", None)
    assert told.check("P07").verdict is Verdict.PASS


# -- P15 ------------------------------------------------------------------------------------------------------------------


def test_p15_finds_an_event_that_was_taken_without_the_right_signature(told: Any) -> None:
    told.row("partner_webhooks")["attempts"][0][1] = True
    assert subjects(told.check("P15")) == ["evt_1"]


def test_p15_has_nothing_to_say_where_every_event_was_signed(told: Any) -> None:
    told.tables["partner_faults"].clear()
    assert told.check("P15").verdict is Verdict.NOT_APPLICABLE


# -- M15 ------------------------------------------------------------------------------------------------------------------


def without(kind: str) -> Callable[[Any], None]:
    def breach(day: Any) -> None:
        day.tables["partner_mails"] = [
            row
            for row in day.tables["partner_mails"]
            if (row["kind"], row["to"].split("@")[1]) != (kind, "port.example")
        ]

    return breach


def twice(kind: str) -> Callable[[Any], None]:
    def breach(day: Any) -> None:
        row = next(row for row in day.rows("partner_mails", kind=kind) if "port" in row["to"])
        day.add("partner_mails", **{**row, "id": "again"})

    return breach


def changed(kind: str, **values: Any) -> Callable[[Any], None]:
    def breach(day: Any) -> None:
        next(row for row in day.rows("partner_mails", kind=kind) if "port" in row["to"]).update(values)

    return breach


def ready_before(day: Any) -> None:
    day.row("partner_accounts", owner="port", payouts_enabled=0)["charges_enabled"] = 1


INVITATION, REMINDER = "onboarding-invitation", "onboarding-reminder"


@pytest.mark.parametrize(
    ("breach", "says"),
    [
        (without(INVITATION), "0 invitations"),
        (twice(INVITATION), "2 invitations"),
        (changed(INVITATION, state="bounced"), "0 invitations"),
        (changed(INVITATION, language="nb"), "written in nb"),
        (changed(INVITATION, text="https://portal.example/onboarding/city 1. April 2024"), "the link"),
        (changed(INVITATION, text="https://portal.example/onboarding/port 2. April 2024"), "the deadline"),
        (without(REMINDER), "nobody was reminded"),
        (twice(REMINDER), "reminded 2 times"),
        (changed(REMINDER, text="https://portal.example/onboarding/port"), "a reminder that does not name"),
        (ready_before, "everything was done"),
    ],
)
def test_m15_finds_an_owner_who_was_not_told_as_planned(told: Any, breach: Callable[[Any], None], says: str) -> None:
    breach(told)
    result = told.check("M15")
    assert subjects(result) == ["port"]
    assert says in result.findings[0].sentence


@pytest.mark.parametrize(
    ("kind", "later", "says"),
    [(INVITATION, 2 * DAY, "invited 49 hours after"), (REMINDER, -8 * DAY, "reminded 13 days before the deadline")],
)
def test_m15_finds_a_mail_that_came_at_the_wrong_time(told: Any, kind: str, later: int, says: str) -> None:
    row = next(row for row in told.rows("partner_mails", kind=kind) if "port" in row["to"])
    row["delivered_at"] += later
    result = told.check("M15")
    assert subjects(result) == ["port"]
    assert says in result.findings[0].sentence
