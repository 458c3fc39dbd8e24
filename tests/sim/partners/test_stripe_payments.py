"""Payments at the Stripe fake: keys, holds, captures, refunds, transfers, payouts, disputes, balances."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.clock import DAY, HOUR, MINUTE
from sim.machine import Answered, Refused
from sim.partners.faults import Fault


def balance(at: Any, account: str | None = None) -> int:
    body = at.ask("balance.retrieve", header=account).body
    return sum(entry["amount"] for kind in ("available", "pending") for entry in body[kind])


def test_the_first_result_of_a_key_is_kept_for_a_day_then_a_retry_is_a_new_charge(stripe_desk: Any) -> None:
    at = stripe_desk()
    first = at.hold(key="k1").body
    at.wait(23 * HOUR)
    assert at.hold(key="k1").body == first
    at.wait(HOUR)
    assert at.hold(key="k1").body["id"] != first["id"]


def test_a_key_with_other_parameters_or_in_use_is_refused(stripe_desk: Any) -> None:
    at = stripe_desk(Fault(kind="slow", extra=MINUTE // 2))
    at.hold(key="k1")
    other = at.hold(6000, key="k1")
    assert (other.status, other.body["error"]["type"]) == (400, "idempotency_error")
    params = {"amount": 100, "currency": "eur"}
    first, second = (at.start("payment_intents.create", key="k2", **params) for _ in range(2))
    at.wait(MINUTE)
    assert [at.outcome(call).payload.status for call in (first, second)] == [200, 409]
    assert at.ask("payment_intents.create", key="x" * 256, **params).status == 400


@pytest.mark.parametrize("kind", ["500-before", "500-after"])
def test_a_500_is_the_stored_result(stripe_desk: Any, kind: str) -> None:
    at = stripe_desk(Fault(kind=kind, times=1))
    assert [at.hold(key="k1").status for _ in range(2)] == [500, 500]
    holds = at.ask("payment_intents.list").body["data"]
    assert len(holds) == (1 if kind == "500-after" else 0)


def test_a_capture_that_timed_out_is_answered_when_asked_again_with_its_key(stripe_desk: Any) -> None:
    at = stripe_desk(Fault(kind="timeout-after", api="payment_intents.capture", times=1))
    intent = at.hold().body["id"]
    at.start("payment_intents.capture", key="c1", id=intent)
    at.wait(MINUTE)
    again = at.ask("payment_intents.capture", key="c1", id=intent)
    assert again.status == 200 and again.body["amount_received"] == 5000
    other = at.ask("payment_intents.capture", key="c2", id=intent)
    assert other.body["error"]["code"] == "payment_intent_unexpected_state"
    assert [row["kind"] for row in at.rows("partner_payments")].count("capture") == 1


def test_validation_failures_are_not_stored_declines_are(stripe_desk: Any) -> None:
    at = stripe_desk()
    assert at.hold(-1, key="k1").status == 400
    assert at.hold(5000, key="k1").status == 200
    declined = at.hold(key="k2", payment_method="pm_card_chargeDeclined")
    assert (declined.status, declined.body["error"]["code"]) == (402, "card_declined")
    assert at.hold(key="k2", payment_method="pm_card_chargeDeclined").body == declined.body


def test_three_d_secure_waits_for_the_customer(stripe_desk: Any) -> None:
    at = stripe_desk()
    card = {"payment_method": "pm_card_authenticationRequired"}
    intent = at.hold(**card).body
    assert intent["status"] == "requires_action"
    assert at.act("authenticate", payment_intent=intent["id"], ok=True) == {"status": "requires_capture"}
    assert at.hold(off_session=True, **card).body["error"]["code"] == "authentication_required"


def test_a_partial_capture_releases_the_rest_and_a_hold_ends_after_seven_days(stripe_desk: Any) -> None:
    at = stripe_desk()
    first, second = at.hold().body["id"], at.hold().body["id"]
    assert (
        at.ask("payment_intents.capture", id=first, amount_to_capture=5001).body["error"]["code"] == "amount_too_large"
    )
    assert at.ask("payment_intents.capture", id=first, amount_to_capture="1200").body["amount_received"] == 1200
    at.wait(7 * DAY)
    ended = at.ask("payment_intents.retrieve", id=second).body
    assert (ended["status"], ended["cancellation_reason"]) == ("canceled", "automatic")
    assert at.ask("payment_intents.capture", id=second).status == 400


def test_nothing_is_taken_for_an_account_that_is_not_enabled(stripe_desk: Any) -> None:
    """P05: no debit on behalf of an account without charges_enabled."""
    at = stripe_desk()
    account = at.account()
    assert at.hold(on_behalf_of=account).body["error"]["code"] == "account_invalid"
    assert at.hold(transfer_data={"destination": account}).status == 400
    assert at.hold(header=account).status == 400
    assert at.rows("partner_payments") == []


def test_a_destination_charge_pays_the_owner_and_the_fee_and_a_refund_takes_it_back(stripe_desk: Any) -> None:
    at = stripe_desk(fees=(0, 25))
    account = at.ready()
    intent = at.hold(transfer_data={"destination": account}, application_fee_amount=500, on_behalf_of=account).body[
        "id"
    ]
    at.ask("payment_intents.capture", id=intent)
    assert (balance(at), balance(at, account)) == (475, 4500)
    more = {"payment_intent": intent, "reverse_transfer": True, "refund_application_fee": True}
    assert at.ask("refunds.create", amount=2500, **more).status == 200
    assert (balance(at), balance(at, account)) == (225, 2250)
    assert at.ask("refunds.create", **more).body["amount"] == 2500
    assert (balance(at), balance(at, account)) == (-25, 0)
    assert at.ask("refunds.create", **more).body["error"]["code"] == "charge_already_refunded"


def test_a_failed_payout_comes_back_and_stops_payouts_until_there_is_a_new_bank_account(stripe_desk: Any) -> None:
    closed = "DE89370400440532013000"

    def bank(tell: Any) -> Any:
        return Refused("AC04") if tell.command.args.get("iban") == closed else Answered({"entry": "e"})

    at = stripe_desk(takes=bank, fees=(0, 0))
    account = at.ready()
    intent = at.hold(transfer_data={"destination": account}).body["id"]
    at.ask("payment_intents.capture", id=intent)
    at.wait(10 * DAY)
    (payout,) = at.ask("payouts.list", header=account).body["data"]
    assert (payout["status"], payout["failure_code"]) == ("failed", "account_closed")
    shown = at.ask("accounts.retrieve", id=account).body
    assert shown["charges_enabled"] and not shown["payouts_enabled"]
    assert balance(at, account) == 5000
    at.ask("accounts.update", id=account, external_account="NO9386011117947")
    at.wait(3 * DAY)
    assert at.ask("payouts.list", header=account).body["data"][0]["status"] == "paid"
    assert balance(at, account) == 0


def test_a_dispute_takes_the_money_and_a_fee_and_may_leave_a_negative_balance(stripe_desk: Any) -> None:
    at = stripe_desk(fees=(0, 0))
    intent = at.hold(capture_method="automatic").body["id"]
    dispute = at.act("dispute", payment_intent=intent)["dispute"]
    assert balance(at) == -2000
    assert at.act("close-dispute", dispute=dispute, won=True) == {"status": "won"}
    assert balance(at) == 3000


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "capture", "refund", "cancel", "wait"]), st.integers(1, 6000), st.integers(0, 3)
    ),
    max_size=25,
)


@given(OPERATIONS)
@settings(max_examples=40, deadline=None)
def test_captured_less_refunded_never_exceeds_authorised_and_balances_are_the_sum_of_the_statement(
    stripe_desk: Any, operations: list[tuple[str, int, int]]
) -> None:
    """P01, P09, P10."""
    at = stripe_desk()
    account = at.ready()
    intents: list[str] = []
    for what, amount, which in operations:
        name = intents[which % len(intents)] if intents else "pi_none"
        if what == "hold":
            intents.append(at.hold(amount, transfer_data={"destination": account}).body["id"])
        elif what == "capture":
            at.ask("payment_intents.capture", id=name, amount_to_capture=amount)
        elif what == "refund":
            at.ask("refunds.create", payment_intent=name, amount=amount, reverse_transfer=bool(amount % 2))
        elif what == "cancel":
            at.ask("payment_intents.cancel", id=name)
        else:
            at.wait(2 * DAY)
        rows = at.rows("partner_payments")
        for auth in (row for row in rows if row["kind"] == "auth"):
            taken, given_back = (
                sum(row["amount"] for row in rows if row["kind"] == kind and row["for_id"] == auth["id"])
                for kind in ("capture", "refund")
            )
            assert taken - given_back >= 0 and taken <= auth["amount"]
    for owner in (None, account):
        of_owner = [row["net"] for row in at.rows("partner_balance") if row["account"] == (owner or "")]
        assert balance(at, owner) == sum(of_owner)


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.integers(1, 2)), max_size=8))
@settings(max_examples=30, deadline=None)
def test_the_same_key_has_the_same_result_and_at_most_one_effect(
    stripe_desk: Any, calls: list[tuple[str, int]]
) -> None:
    """P03."""
    at = stripe_desk()
    first: dict[str, tuple[int, Any]] = {}
    for key, amount in calls:
        response = at.hold(amount * 100, key=key)
        known, body = first.setdefault(key, (amount, response.body))
        assert response.body == body if known == amount else response.body["error"]["type"] == "idempotency_error"
    assert len(at.ask("payment_intents.list").body["data"]) == len(first)
