"""Checks of payments on two claims made by hand: one charged and refunded in part, one held, captured and paid out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.clock import DAY, HOUR, MINUTE
from sim.evidence.canonical import canonical
from sim.evidence.verdict import Verdict

NAMES = ("P01", "P02", "P03", "P04", "P05", "P09", "P10", "P11", "P12")
T = 1_712_000_000_000
ACCOUNT = "acct_city"


def claim(day: Any, name: str, amount: int, **more: Any) -> None:
    row = {"kind": "session", "seller": "city", "customer": "c", "document": f"B-{name}", "session_id": f"s-{name}"}
    row |= {"currency": "EUR", "amount": amount, "route": "stripe", "account": ACCOUNT, "final": 1, "paid": amount}
    row |= {"refunded": 0, "credited": 0, "state": "paid", "created_at": T}
    day.add("books_claims", backend="new", claim_id=name, **{**row, **more})


def attempt(day: Any, name: str, purpose: str, amount: int, at: int, n: int = 1, **more: Any) -> None:
    row = {"purpose": purpose, "partner": "stripe", "key": f"{name}/{purpose}/{n}", "amount": amount}
    row |= {"currency": "EUR", "account": ACCOUNT, "state": "done", "created_at": at, "asked_at": at}
    row |= {"settled_at": at + 1000, "tries": 1}
    number = len(day.tables["books_payments"])
    day.add("books_payments", backend="new", attempt_id=f"p-{number}", claim_id=name, **{**row, **more})
    sent = {"partner": "stripe", "at": at, "api": f"intents.{purpose}", "key": row["key"], "params_hash": f"{amount}"}
    day.add("partner_requests", **sent, executed=1, status=200, answered_at=at + 500)


def moved(day: Any, kind: str, name: str, amount: int, at: int, **more: Any) -> None:
    row = {"partner": "stripe", "account": ACCOUNT, "currency": "EUR", "state": "succeeded"}
    day.add("partner_payments", **{**row, "kind": kind, "id": name, "amount": amount, "at": at, **more})


@pytest.fixture
def paid(day: Any) -> Any:
    """The honest day with money in it."""
    day.row("meta", key="ended_at")["value"] = str(T + 30 * DAY)
    day.add("partner_accounts", partner="stripe", at=T - DAY, account=ACCOUNT, owner="city", charges_enabled=1)
    day.add("books_accounts", backend="new", note=1, account=ACCOUNT, owner="city", charges_enabled=1, at=T - HOUR)
    claim(day, "k-1", 900, refunded=200, credited=200)
    attempt(day, "k-1", "charge", 900, T)
    moved(day, "auth", "ch_1", 900, T, key="k-1/charge/1", state="captured")
    moved(day, "capture", "cap_1", 900, T, key="k-1/charge/1", for_id="ch_1")
    attempt(day, "k-1", "refund", 200, T + DAY)
    moved(day, "refund", "re_1", 200, T + DAY, key="k-1/refund/1", for_id="ch_1")
    claim(day, "k-2", 700)
    day.add("books_sessions", backend="new", session_id="s-k-2", station="S2", state="billed", stopped_at=T + HOUR)
    attempt(day, "k-2", "hold", 5000, T)
    moved(day, "auth", "ch_2", 5000, T, key="k-2/hold/1", state="captured")
    attempt(day, "k-2", "capture", 700, T + HOUR)
    moved(day, "capture", "cap_2", 700, T + HOUR, key="k-2/capture/1", for_id="ch_2")
    moved(day, "payout", "po_1", 1400, T + 8 * DAY, state="paid")
    day.add(
        "partner_bank",
        partner="bank",
        id="e1",
        at=T + 9 * DAY,
        amount=1400,
        currency="EUR",
        reference="po_1",
        iban="NO93",
    )
    day.add(
        "books_movements", backend="new", movement_id="po_1", kind="payout", account=ACCOUNT, currency="EUR",
        amount=1400, state="paid", at=T + 9 * DAY,
    )  # fmt: skip
    payout(day, 99)
    event = {"event_id": "evt_1", "partner": "stripe", "type": "payout.paid", "times": 2, "effect": "booked"}
    day.add("books_webhooks", backend="new", **event, received_at=T + 9 * DAY)
    return day


def payout(day: Any, seq: int) -> None:
    postings = [["bank:city", "EUR", 1400], [f"clearing:stripe:{ACCOUNT}", "EUR", -1400]]
    row = {"seq": seq, "at": T + 9 * DAY, "kind": "payout", "ref": f"po_1 {ACCOUNT}"}
    day.add("books_journal", backend="new", **row, postings=canonical(postings))


@pytest.mark.parametrize("name", NAMES)
def test_honest_money_passes(paid: Any, name: str) -> None:
    result = paid.check(name)
    assert (result.verdict, result.findings) == (Verdict.PASS, ())
    assert result.items > 0


def captured_twice(day: Any) -> None:
    attempt(day, "k-1", "charge", 900, T + 2 * HOUR, 2)
    moved(day, "capture", "cap_3", 900, T + 2 * HOUR, key="k-1/charge/2")


def taken_before_it_was_given_back(day: Any) -> None:
    """In the end the sum is right, for a day it was not."""
    day.row("books_payments", key="k-1/charge/1")["amount"] = 1100
    day.row("partner_payments", id="cap_1")["amount"] = 1100


def new_key_at_once(day: Any) -> None:
    """The first one was executed, nobody heard of it, and nobody looked."""
    day.row("books_payments", key="k-1/charge/1").update(state="lapsed")
    day.row("partner_requests", key="k-1/charge/1").update(status=None, answered_at=None)
    attempt(day, "k-1", "charge", 900, T + 2 * MINUTE, 2)


def new_key_while_the_first_is_pending(day: Any) -> None:
    day.row("books_payments", key="k-1/charge/1")["settled_at"] = None
    attempt(day, "k-1", "charge", 900, T + 2 * MINUTE, 2)


def key_used_again(day: Any) -> None:
    again = day.row("partner_requests", key="k-2/capture/1")
    day.add("partner_requests", **{**again, "params_hash": "other", "at": again["at"] + 1})


def event_taken_twice(day: Any) -> None:
    day.add("books_webhooks", **day.row("books_webhooks", event_id="evt_1"))


def payout_booked_twice(day: Any) -> None:
    payout(day, 100)


def account_off_there(day: Any) -> None:
    day.row("partner_accounts", account=ACCOUNT)["charges_enabled"] = 0


def account_off_here(day: Any) -> None:
    day.row("books_accounts", account=ACCOUNT)["charges_enabled"] = 0


def claim_of_another_account(day: Any) -> None:
    """Every attempt names the right one."""
    other = {**day.row("partner_accounts"), "account": "acct_x", "owner": "x"}
    day.add("partner_accounts", **other)
    day.row("books_claims", claim_id="k-1")["account"] = "acct_x"


def claim_of_a_stranger(day: Any) -> None:
    day.row("books_claims", claim_id="k-1")["account"] = "acct_nobody"


def claim_paid_for_no_account(day: Any) -> None:
    day.row("books_claims", claim_id="k-2")["account"] = None


def account_of_another(day: Any) -> None:
    """Two accounts were mixed up when they were handed over."""
    day.row("partner_accounts", account=ACCOUNT)["owner"] = "port"


def payout_booked_to_another(day: Any) -> None:
    entry = day.row("books_journal", kind="payout")
    entry["postings"] = entry["postings"].replace("bank:city", "bank:port")


def captured_above_the_hold(day: Any) -> None:
    day.row("partner_payments", id="ch_2")["amount"] = 600


def hold_forgotten(day: Any) -> None:
    day.row("partner_payments", id="ch_2")["state"] = "held"


def bank_got_less(day: Any) -> None:
    day.row("partner_bank", id="e1")["amount"] = 1399


def payout_not_booked(day: Any) -> None:
    day.tables["books_movements"] = []


def payout_out_of_thin_air(day: Any) -> None:
    day.add("books_movements", backend="new", movement_id="po_9", kind="payout", amount=1, state="paid")


def paid_here_only(day: Any) -> None:
    day.tables["partner_payments"].remove(day.row("partner_payments", id="cap_2"))


def paid_there_only(day: Any) -> None:
    day.row("books_payments", key="k-2/capture/1")["state"] = "unknown"


def nobody_asked_for_it(day: Any) -> None:
    moved(day, "capture", "cap_9", 700, T, key="k-9/charge/1")


def claim_says_more(day: Any) -> None:
    day.row("books_claims", claim_id="k-2")["paid"] = 1400


def refunded_by_the_other(day: Any) -> None:
    day.row("books_payments", purpose="refund")["partner"] = "riverty"


@pytest.mark.parametrize(
    ("name", "breach"),
    [
        ("P01", captured_twice),
        ("P01", taken_before_it_was_given_back),
        ("P02", new_key_at_once),
        ("P02", new_key_while_the_first_is_pending),
        ("P03", key_used_again),
        ("P04", event_taken_twice),
        ("P04", payout_booked_twice),
        ("P05", account_off_there),
        ("P05", account_off_here),
        ("P05", account_of_another),
        ("P05", claim_of_another_account),
        ("P05", claim_of_a_stranger),
        ("P05", claim_paid_for_no_account),
        ("P04", payout_booked_to_another),
        ("P09", captured_above_the_hold),
        ("P09", hold_forgotten),
        ("P10", bank_got_less),
        ("P10", payout_not_booked),
        ("P10", payout_out_of_thin_air),
        ("P11", paid_here_only),
        ("P11", paid_there_only),
        ("P11", nobody_asked_for_it),
        ("P11", claim_says_more),
        ("P12", refunded_by_the_other),
    ],
)
def test_a_breach_is_found(paid: Any, name: str, breach: Callable[[Any], None]) -> None:
    breach(paid)
    result = paid.check(name)
    assert result.verdict is Verdict.FAIL, result
    assert all(one.sentence and one.evidence for one in result.findings)


def test_a_new_key_after_a_look_is_allowed(paid: Any) -> None:
    """P02: the partner was asked what became of the first, and it had done nothing."""
    paid.row("books_payments", key="k-1/charge/1").update(state="lapsed")
    paid.row("partner_requests", key="k-1/charge/1").update(status=500)
    for name in ("ch_1", "cap_1"):
        paid.tables["partner_payments"].remove(paid.row("partner_payments", id=name))
    look = {"partner": "stripe", "at": T + MINUTE, "api": "payment_intents.search", "status": 200}
    paid.add("partner_requests", **look)
    attempt(paid, "k-1", "charge", 900, T + 2 * MINUTE, 2)
    assert paid.check("P02").verdict is Verdict.PASS


def test_an_account_switched_off_a_moment_ago_could_not_be_known(paid: Any) -> None:
    """P05: the partner refuses, and no money moves; only who asks on for hours is to blame."""
    paid.add(
        "partner_accounts", partner="stripe", at=T + HOUR + MINUTE, account=ACCOUNT, owner="city", charges_enabled=0
    )
    attempt(paid, "k-1", "charge", 900, T + 2 * HOUR, 2, state="declined")
    assert paid.check("P05").verdict is Verdict.PASS
    attempt(paid, "k-1", "charge", 900, T + 9 * HOUR, 3, state="declined")
    assert paid.check("P05").verdict is Verdict.FAIL
