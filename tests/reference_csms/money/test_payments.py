"""Payments: one attempt at a time under one key, nothing before the account can charge, what was held is let go."""

from __future__ import annotations

from typing import Any

import pytest

from sim.clock import DAY, HOUR, MINUTE


def keys(bench: Any, api: str) -> list[str | None]:
    return [key for name, _, key in bench.script.asked if name == api]


def claim(bench: Any) -> Any:
    return bench.only("claims")


@pytest.fixture
def stripe(make_money: Any) -> Any:
    bench = make_money()
    bench.script.enabled["acct_city"] = True
    bench.wait(MINUTE)
    return bench


def test_a_card_customer_pays_each_session_once(stripe: Any) -> None:
    stripe.day("TOK-S")
    assert claim(stripe)["state"] == "paid"
    assert stripe.script.collected == claim(stripe)["paid"] == stripe.only("bills")["gross"]
    assert stripe.balance("receivable:cust-s") == 0
    assert stripe.balance("clearing:stripe:acct_city") == stripe.script.collected


@pytest.mark.parametrize("mode", ["lost", "dropped", "429", "refused"])
def test_what_is_unknown_or_refused_is_asked_again_under_the_same_key_only(stripe: Any, mode: str) -> None:
    """P02, P03."""
    stripe.script.modes = [mode, mode]
    stripe.day("TOK-S")
    stripe.wait(HOUR)
    asked = keys(stripe, "payment_intents.create")
    assert len(asked) == 3 and len(set(asked)) == 1
    assert len(stripe.script.intents) == 1 and claim(stripe)["state"] == "paid"


def test_a_stored_500_is_looked_at_and_only_then_tried_anew(stripe: Any) -> None:
    stripe.script.modes = ["500"]
    stripe.day("TOK-S")
    stripe.wait(HOUR)
    states = [(row["state"], row["key"]) for row in stripe.book("payments")]
    assert [state for state, _ in states] == ["lapsed", "done"] and states[0][1] != states[1][1]
    assert keys(stripe, "payment_intents.search") and len(stripe.script.intents) == 1


def test_a_key_that_may_be_forgotten_is_not_used_blindly(stripe: Any) -> None:
    """A queue stuck for longer than a key lives would charge again (billing.md §7)."""
    stripe.silent = True
    stripe.day("TOK-S")
    stripe.script.modes = ["lost"]
    stripe.silent = False
    stripe.script.by_key.clear()
    stripe.wait(HOUR)
    stripe.silent = True
    stripe.wait(2 * DAY)
    stripe.script.by_key.clear()
    stripe.silent = False
    stripe.wait(HOUR)
    assert len(stripe.script.intents) == 1 and claim(stripe)["state"] == "paid"


def test_a_declined_card_leaves_the_claim_open(stripe: Any) -> None:
    stripe.script.modes = ["declined"]
    stripe.day("TOK-S")
    stripe.wait(DAY)
    assert (claim(stripe)["state"], claim(stripe)["reason"]) == ("open", "card_declined")
    assert stripe.script.collected == 0 and stripe.balance("receivable:cust-s") > 0


def test_after_a_crash_the_same_key_is_sent_again(stripe: Any) -> None:
    """The request left, the process died before the answer."""
    stripe.script.modes = ["lost"]
    stripe.day("TOK-S")
    stripe.restart()
    stripe.flush()
    stripe.wait(HOUR)
    assert len(set(keys(stripe, "payment_intents.create"))) == 1
    assert stripe.script.collected == claim(stripe)["paid"] > 0


def test_a_request_leaves_only_after_its_row_was_committed(stripe: Any) -> None:
    seen: list[int] = []
    take = stripe.script.take

    def check(tell: Any) -> Any:
        if tell.command.args["api"] == "payment_intents.create":
            assert not stripe.setup.disk["store"].undo
            seen.append(len([row for row in stripe.book("payments") if row["key"] == tell.command.args["key"]]))
        return take(tell)

    stripe.script.take = check
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
    bench.script.enabled["acct_city"] = True
    event = {"id": "evt_1", "type": "account.updated", "account": "acct_city", "data": {"object": {"id": "acct_city"}}}
    bench.webhook(event)
    bench.wait(HOUR)
    assert [row["state"] for row in bench.book("claims")].count("paid") == 2  # two of 4.86 fit into the 10.00 of a day
    bench.wait(3 * DAY)
    assert {row["state"] for row in bench.book("claims")} == {"paid"} and len(bench.script.intents) == 3
    assert bench.balance("receivable:cust-s") == 0


def test_an_account_is_read_again_at_intervals(make_money: Any) -> None:
    bench = make_money()
    bench.day("TOK-S")
    bench.script.enabled["acct_city"] = True
    bench.wait(7 * HOUR)
    assert claim(bench)["state"] == "paid"
    assert [row["charges_enabled"] for row in bench.book("accounts")][-1] == 1


# -- holds ------------------------------------------------------------------------------------------------------------


def test_a_guest_is_held_captured_and_the_rest_released(stripe: Any) -> None:
    """P09."""
    stripe.day("GUEST-7")
    gross = stripe.only("bills")["gross"]
    intent = stripe.script.intents["pi_1"]
    assert intent["amount"] == 5000 and intent["amount_received"] == gross
    assert (claim(stripe)["state"], claim(stripe)["held"], claim(stripe)["paid"]) == ("paid", 0, gross)


def test_what_a_hold_does_not_cover_is_charged_apart(make_money: Any) -> None:
    bench = make_money(hold_amounts={"EUR": 300})
    bench.script.enabled["acct_city"] = True
    bench.wait(MINUTE)
    bench.day("GUEST-7")
    assert bench.script.intents["pi_1"]["amount_received"] == 300
    assert bench.script.collected == bench.only("bills")["gross"] and claim(bench)["state"] == "paid"


def test_a_session_that_comes_to_nothing_releases_all(stripe: Any) -> None:
    stripe.day("GUEST-7", wh=50)
    assert stripe.only("sessions")["state"] == "free"
    assert stripe.script.intents["pi_1"]["status"] == "canceled"
    assert claim(stripe)["state"] == "released" and stripe.script.collected == 0


def test_a_lost_capture_is_captured_once(stripe: Any) -> None:
    """A partner times out after it captured."""
    stripe.script.modes = ["ok", "lost"]
    stripe.day("GUEST-7")
    stripe.wait(HOUR)
    captures = keys(stripe, "payment_intents.capture")
    assert len(captures) == 2 and len(set(captures)) == 1
    assert stripe.script.collected == claim(stripe)["paid"] == stripe.only("bills")["gross"]


# -- events -----------------------------------------------------------------------------------------------------------


def payout(kind: str, id: str = "po_1") -> Any:
    body = {"id": id, "amount": 700, "currency": "eur"}
    return {"id": f"evt_{kind}_{id}", "type": f"payout.{kind}", "account": "acct_city", "data": {"object": body}}


@pytest.mark.parametrize("order", [("paid", "failed"), ("failed", "paid"), ("paid", "paid", "failed", "failed")])
def test_payouts_have_the_same_effect_in_any_order(stripe: Any, order: tuple[str, ...]) -> None:
    """P04."""
    for kind in order:
        stripe.webhook(payout(kind))
    assert stripe.balance("bank:city") == 0
    assert {row["times"] for row in stripe.book("webhooks")} <= {1, 2}


def test_an_event_counts_once(stripe: Any) -> None:
    stripe.webhook(payout("paid"))
    stripe.webhook(payout("paid"))
    assert stripe.balance("bank:city") == 700 and stripe.only("webhooks")["times"] == 2


def test_an_event_with_a_wrong_or_old_signature_is_refused(stripe: Any) -> None:
    assert stripe.webhook(payout("paid"), secret="other").code == "bad-signature"
    assert stripe.webhook(payout("paid"), age_s=301).code == "bad-signature"
    assert stripe.book("webhooks") == []


def test_an_event_about_an_unknown_payment_makes_us_look(stripe: Any) -> None:
    stripe.script.modes = ["lost"]
    stripe.day("TOK-S")
    if claim(stripe)["state"] != "paid":
        intent = stripe.script.intents["pi_1"]
        stripe.webhook({"id": "evt_9", "type": "payment_intent.succeeded", "data": {"object": intent}})
    assert claim(stripe)["state"] == "paid" and len(stripe.script.intents) == 1


@pytest.mark.parametrize("events", [("created", "won"), ("won", "created"), ("created", "lost"), ("lost", "created")])
def test_a_dispute_ends_the_same_in_any_order(stripe: Any, events: tuple[str, ...]) -> None:
    """P07: lost, the claim is open again; won, the money is back."""
    stripe.day("TOK-S")
    body = {"id": "dp_1", "payment_intent": "pi_1", "amount": claim(stripe)["paid"], "status": "needs_response"}
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
    assert stripe.script.refunds[0]["payment_intent"] == "pi_1" and claim(stripe)["refunded"] == 100
    assert stripe.balance("receivable:cust-s") == 0
    assert stripe.operate("refund", claim=claim(stripe)["claim_id"], amount=10**6).code == "not-paid"


def test_riverty_authorises_and_captures_under_a_short_number(make_money: Any) -> None:
    bench = make_money("legacy", route="riverty")
    bench.day("TOK-S")
    (order,) = bench.script.orders.values()
    assert len(order["captures"]) == 1 and len(order["captures"][0]["invoiceNumber"]) <= 20
    assert bench.balance("clearing:riverty") == bench.only("bills")["gross"]
    (session,) = [row for row in bench.book("claims") if row["kind"] == "session"]
    assert session["state"] == "paid"
