"""Payments: one attempt at a time under one key, nothing before the account can charge, what was held is let go."""

from __future__ import annotations

from typing import Any

import pytest

from sim.clock import DAY, HOUR, MINUTE, SECOND


def keys(bench: Any, api: str) -> list[str | None]:
    return list(bench.partners.keys(api))


def claim(bench: Any) -> Any:
    return bench.only("claims")


@pytest.fixture
def stripe(make_money: Any) -> Any:
    bench = make_money()
    bench.onboard()
    return bench


def test_a_card_customer_pays_each_session_once(stripe: Any) -> None:
    stripe.day("TOK-S")
    assert claim(stripe)["state"] == "paid"
    assert stripe.partners.collected == claim(stripe)["paid"] == stripe.only("bills")["gross"]
    assert stripe.balance("receivable:cust-s") == 0
    assert stripe.balance("clearing:stripe:") == stripe.partners.collected


@pytest.mark.parametrize("kind", ["timeout-after", "timeout-before", "429", "outage"])
@pytest.mark.parametrize("api", ["customers.create", "payment_intents.create"])
def test_what_is_unknown_or_refused_is_asked_again_under_the_same_key_only(stripe: Any, api: str, kind: str) -> None:
    """P02, P03."""
    stripe.partners.fault("stripe", kind, api=api, times=2)
    stripe.partners.fault("stripe", "webhook-lost")
    stripe.day("TOK-S")
    stripe.wait(HOUR)
    asked = keys(stripe, api)
    assert len(asked) == (2 if kind == "timeout-after" else 3)  # done, it is answered at once from what the key keeps
    assert len(set(asked)) == 1
    assert len(stripe.partners.rows("capture")) == 1 and claim(stripe)["state"] == "paid"


@pytest.mark.parametrize(("kind", "states"), [("500-before", ["lapsed", "done"]), ("500-after", ["done"])])
def test_a_stored_500_is_looked_at_and_only_then_tried_anew(stripe: Any, kind: str, states: list[str]) -> None:
    stripe.partners.fault("stripe", kind, api="payment_intents.create", times=1)
    stripe.day("TOK-S")
    stripe.wait(HOUR)
    payments = stripe.book("payments")
    assert [row["state"] for row in payments] == states and len({row["key"] for row in payments}) == len(states)
    assert keys(stripe, "payment_intents.list") and len(stripe.partners.rows("capture")) == 1


@pytest.mark.parametrize("kind", ["500-before", "429", "outage", "timeout-before"])
def test_an_error_on_asking_is_never_taken_for_nothing_there(stripe: Any, kind: str) -> None:
    """P02: the charge was made and its answer is a kept 500; while the list cannot be read nothing new is asked."""
    stripe.partners.fault("stripe", "500-after", api="payment_intents.create", times=1)
    stripe.partners.fault("stripe", kind, api="payment_intents.list", until=stripe.now + 6 * HOUR)
    stripe.day("TOK-S")
    stripe.wait(4 * HOUR)
    assert len(set(keys(stripe, "payment_intents.create"))) == 1 and claim(stripe)["state"] == "due"
    stripe.wait(4 * HOUR)
    assert len(stripe.partners.rows("capture")) == 1 and claim(stripe)["state"] == "paid"


def test_a_key_that_may_be_forgotten_is_not_used_blindly(stripe: Any) -> None:
    """A queue stuck for longer than a key lives would charge again (billing.md §7)."""
    stripe.partners.fault("stripe", "timeout-after", api="payment_intents.create", times=1)
    stripe.day("TOK-S")
    stripe.wait(20 * SECOND)
    stripe.partners.silent = True
    stripe.wait(2 * DAY)
    stripe.partners.silent = False
    stripe.wait(HOUR)
    assert len(stripe.partners.rows("capture")) == 1 and claim(stripe)["state"] == "paid"


def test_a_declined_card_leaves_the_claim_open(stripe: Any) -> None:
    stripe.day("TOK-H")
    stripe.wait(DAY)
    assert (claim(stripe)["state"], claim(stripe)["reason"]) == ("open", "card_declined")
    assert stripe.partners.collected == 0 and stripe.balance("receivable:cust-h") > 0


def test_nothing_is_debited_before_the_customer_is_confirmed(stripe: Any) -> None:
    stripe.partners.fault("stripe", "timeout-after", api="customers.create", until=stripe.now + 3 * HOUR)
    stripe.day("TOK-S")
    assert claim(stripe)["state"] == "waiting-customer" and not keys(stripe, "payment_intents.create")
    stripe.wait(4 * HOUR)
    stripe.day("TOK-S")
    customers = {params["customer"] for api, params, _ in stripe.partners.asked if api == "payment_intents.create"}
    assert (
        len(customers) == 1 and customers.pop().startswith("cus_") and len(set(keys(stripe, "customers.create"))) == 1
    )
    assert {row["state"] for row in stripe.book("claims")} == {"paid"}


def test_after_a_crash_the_same_key_is_sent_again(stripe: Any) -> None:
    """The request left, the process died before the answer."""
    stripe.partners.fault("stripe", "timeout-after", api="payment_intents.create", times=1)
    stripe.day("TOK-S")
    stripe.restart()
    stripe.flush()
    stripe.wait(HOUR)
    assert len(set(keys(stripe, "payment_intents.create"))) == 1
    assert stripe.partners.collected == claim(stripe)["paid"] > 0


def test_a_request_leaves_only_after_its_row_was_committed(stripe: Any) -> None:
    seen: list[int] = []
    hand = stripe._hand

    def check(to: str, event: Any) -> None:
        args = getattr(event, "args", {})
        if args.get("api") == "payment_intents.create":
            assert not stripe.setup.disk["store"].undo
            seen.append(len([row for row in stripe.book("payments") if row["key"] == args["key"]]))
        hand(to, event)

    stripe._hand = check
    stripe.day("TOK-S")
    assert seen == [1]


# -- the gate ---------------------------------------------------------------------------------------------------------


def test_no_money_moves_for_an_account_that_cannot_charge_and_the_catch_up_takes_each_claim_once(
    make_money: Any,
) -> None:
    """INV-24, P05, M10."""
    bench = make_money(catch_up_per_day={"EUR": 1000})
    for _ in range(3):
        bench.day("TOK-S")
    assert {row["state"] for row in bench.book("claims")} == {"waiting-account"}
    assert not keys(bench, "payment_intents.create")
    bench.onboard()
    bench.wait(HOUR)
    assert [row["state"] for row in bench.book("claims")].count("paid") == 2  # two of 4.86 fit into the 10.00 of a day
    bench.wait(3 * DAY)
    assert {row["state"] for row in bench.book("claims")} == {"paid"} and len(bench.partners.rows("capture")) == 3
    assert bench.balance("receivable:cust-s") == 0


def test_an_account_is_read_again_at_intervals(make_money: Any) -> None:
    bench = make_money()
    bench.partners.fault("stripe", "webhook-lost")
    bench.day("TOK-S")
    bench.onboard()
    bench.wait(7 * HOUR)
    assert claim(bench)["state"] == "paid"
    assert [row["charges_enabled"] for row in bench.book("accounts")][-1] == 1


def test_a_charge_refused_for_its_account_is_asked_under_a_new_key_once_the_account_can_charge(stripe: Any) -> None:
    """Stripe keeps the refusal under the key: the same one would bring it again for a day."""
    stripe.partners.fault("stripe", "webhook-lost")
    stripe.act("stripe", "require", account=stripe.partners.account, fields=["company.phone"], deadline=stripe.now)
    stripe.day("TOK-S")
    assert stripe.book("payments")[0]["reason"] in ("account_invalid", "insufficient_capabilities_for_transfer")
    assert claim(stripe)["state"] == "waiting-account"
    stripe.wait(12 * HOUR)
    assert len(keys(stripe, "payment_intents.create")) == 1
    stripe.onboard()
    stripe.wait(7 * HOUR)
    asked = keys(stripe, "payment_intents.create")
    assert len(asked) == len(set(asked)) == 2 and claim(stripe)["state"] == "paid"
    assert len(stripe.partners.rows("capture")) == 1


def test_a_hold_outlives_the_refusal_of_its_capture(stripe: Any) -> None:
    link = stripe.boot()
    stripe.partners.fault("stripe", "webhook-lost")
    stripe.charge(link, "GUEST-7", lasts=HOUR)
    stripe.act("stripe", "require", account=stripe.partners.account, fields=["company.phone"], deadline=stripe.now)
    stripe.bill_all()
    assert (claim(stripe)["state"], claim(stripe)["held"]) == ("waiting-account", 5000)
    stripe.onboard()
    stripe.wait(7 * HOUR)
    asked = keys(stripe, "payment_intents.capture")
    assert len(asked) == len(set(asked)) == 2 and claim(stripe)["state"] == "paid"
    assert stripe.partners.collected == stripe.only("bills")["gross"] and len(stripe.partners.rows("auth")) == 1


# -- holds ------------------------------------------------------------------------------------------------------------


def test_a_guest_is_held_captured_and_the_rest_released(stripe: Any) -> None:
    """P09."""
    stripe.day("GUEST-7")
    gross = stripe.only("bills")["gross"]
    (auth,) = stripe.partners.rows("auth")
    assert (auth["amount"], auth["state"]) == (5000, "captured") and stripe.partners.collected == gross
    assert (claim(stripe)["state"], claim(stripe)["held"], claim(stripe)["paid"]) == ("paid", 0, gross)


def test_what_a_hold_does_not_cover_is_charged_apart_and_goes_back_the_way_it_came(make_money: Any) -> None:
    bench = make_money(hold_amounts={"EUR": 300})
    bench.onboard()
    bench.day("GUEST-7")
    gross = bench.only("bills")["gross"]
    assert [row["amount"] for row in bench.partners.rows("capture")] == [300, gross - 300]
    assert bench.partners.collected == gross and claim(bench)["state"] == "paid"
    bench.operate("refund", claim=claim(bench)["claim_id"], amount=gross)
    bench.wait(HOUR)
    assert [row["amount"] for row in bench.partners.rows("refund")] == [gross - 300, 300]
    assert bench.partners.collected == 0 and claim(bench)["refunded"] == gross


def test_a_session_that_comes_to_nothing_releases_all(stripe: Any) -> None:
    stripe.day("GUEST-7", wh=50)
    assert stripe.only("sessions")["state"] == "free"
    assert stripe.partners.rows("auth")[0]["state"] == "released"
    assert claim(stripe)["state"] == "released" and stripe.partners.collected == 0


def test_a_lost_capture_is_captured_once(stripe: Any) -> None:
    """A partner times out after it captured."""
    stripe.partners.fault("stripe", "timeout-after", api="payment_intents.capture", times=1)
    stripe.partners.fault("stripe", "webhook-lost")
    stripe.day("GUEST-7")
    stripe.wait(HOUR)
    captures = keys(stripe, "payment_intents.capture")
    assert len(captures) == 2 and len(set(captures)) == 1
    assert stripe.partners.collected == claim(stripe)["paid"] == stripe.only("bills")["gross"]


# -- events -----------------------------------------------------------------------------------------------------------


def payout(account: str, kind: str, id: str = "po_1") -> Any:
    body = {"id": id, "amount": 700, "currency": "eur"}
    return {"id": f"evt_{kind}_{id}", "type": f"payout.{kind}", "account": account, "data": {"object": body}}


@pytest.mark.parametrize("order", [("paid", "failed"), ("failed", "paid"), ("paid", "paid", "failed", "failed")])
def test_payouts_have_the_same_effect_in_any_order(stripe: Any, order: tuple[str, ...]) -> None:
    """P04."""
    for kind in order:
        stripe.webhook(payout(stripe.partners.account, kind))
    assert stripe.balance("bank:city") == 0
    assert {row["times"] for row in stripe.book("webhooks")} <= {1, 2}


def test_an_event_counts_once(stripe: Any) -> None:
    stripe.webhook(payout(stripe.partners.account, "paid"))
    stripe.webhook(payout(stripe.partners.account, "paid"))
    assert stripe.balance("bank:city") == 700
    assert [row["times"] for row in stripe.book("webhooks") if row["type"] == "payout.paid"] == [2]


def test_an_event_with_a_wrong_or_old_signature_is_refused(stripe: Any) -> None:
    assert stripe.webhook(payout(stripe.partners.account, "paid"), secret="other").code == "bad-signature"
    assert stripe.webhook(payout(stripe.partners.account, "paid"), age_s=301).code == "bad-signature"
    assert not [row for row in stripe.book("webhooks") if row["type"] == "payout.paid"]


def test_an_event_about_an_unknown_payment_makes_us_look(stripe: Any) -> None:
    stripe.partners.fault("stripe", "timeout-after", api="payment_intents.create", times=1)
    stripe.day("TOK-S")
    assert claim(stripe)["state"] == "paid" and len(keys(stripe, "payment_intents.create")) == 1
    assert keys(stripe, "payment_intents.list") and len(stripe.partners.rows("capture")) == 1


@pytest.mark.parametrize("events", [("created", "won"), ("won", "created"), ("created", "lost"), ("lost", "created")])
def test_a_dispute_ends_the_same_in_any_order(stripe: Any, events: tuple[str, ...]) -> None:
    """P07: lost, the claim is open again; won, the money is back."""
    stripe.day("TOK-S")
    body = {
        "id": "dp_1",
        "payment_intent": stripe.book("payments")[0]["partner_id"],
        "amount": claim(stripe)["paid"],
        "status": "needs_response",
    }
    for name in events:
        kind = "created" if name == "created" else "closed"
        status = "needs_response" if name == "created" else name
        event = {"id": f"evt_{name}", "type": f"charge.dispute.{kind}", "data": {"object": {**body, "status": status}}}
        stripe.webhook(event)
    lost = "lost" in events
    assert claim(stripe)["state"] == ("open" if lost else "paid")
    assert stripe.balance("disputed:") == 0
    assert (stripe.balance("receivable:cust-s") > 0) == lost


# -- back -------------------------------------------------------------------------------------------------------------


def test_a_refund_has_a_credit_note_and_goes_back_the_way_it_came(stripe: Any) -> None:
    """P12, L07."""
    stripe.day("TOK-S")
    outcome = stripe.operate("refund", claim=claim(stripe)["claim_id"], amount=100)
    stripe.wait(MINUTE)
    credit = stripe.only("invoices")
    assert credit["number"] == outcome.payload["credit"] and credit["gross"] == -100
    assert credit["cancels"] == stripe.only("bills")["number"]
    assert [row["amount"] for row in stripe.partners.rows("refund")] == [100] and claim(stripe)["refunded"] == 100
    assert stripe.balance("receivable:cust-s") == 0
    assert stripe.operate("refund", claim=claim(stripe)["claim_id"], amount=10**6).code == "not-paid"


def test_a_guest_who_could_not_be_held_and_owes_nothing_is_let_go(make_money: Any) -> None:
    bench = make_money()
    bench.day("GUEST-7", wh=50)
    assert claim(bench)["state"] == "released" and not bench.partners.rows("auth")
