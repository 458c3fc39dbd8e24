"""The ledger of money under any order of sessions, refunds, corrections, returns, time-outs, events and deaths.

What it looks at is worth something: the bugs of `PLANTS` are planted, and it finds each of them.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from reference_csms.billing.ledger import entry_from_row, problems
from scenarios.mutants import upgrade_bugs as bugs
from sim.backend import Row
from sim.clock import DAY, HOUR

IBAN = "NO9386011117947"
INVOICE = "OLD-LS-000001"
WHO = {"actor": "kari", "reason": "asked"}
FAULTS = ("timeout-before", "timeout-after", "500-before", "500-after", "429", "outage", "slow")
HOOKS = ("webhook-lost", "webhook-delay", "webhook-reorder", "webhook-wrong-secret")
TAKING = {
    "stripe": ("payment_intents.create", "payment_intents.capture"),
    "riverty": ("captures.create", "checkout.authorize"),
}
APIS = ("*", "*.create", "*.capture", "*.authorize", "refunds.*", "*.list", "*.retrieve")
PLACES = st.integers(0, 9)
BEFORE = st.one_of(
    st.tuples(st.just("fault"), st.sampled_from(FAULTS), st.sampled_from(APIS)),
    st.tuples(st.just("silence"), st.integers(0, 1), st.none()),
)
ACCOUNT = st.tuples(st.just("account"), st.sampled_from([True, True, False]), st.none())
HOOK = st.tuples(st.just("fault"), st.sampled_from(HOOKS), st.just("*"))
SESSION = st.tuples(st.just("session"), st.sampled_from(["TOK-S", "GUEST-7"]), st.sampled_from([2_000, 20_000, 50]))
AFTER = st.one_of(
    st.tuples(st.just("refund"), PLACES, st.integers(1, 600)),
    st.tuples(st.just("correct"), PLACES, st.sampled_from(["staff", None])),
    st.tuples(st.just("wait"), st.sampled_from([1, 7, 30]), st.none()),
    st.tuples(st.just("restart"), st.none(), st.none()),
    st.tuples(st.just("transfer"), st.integers(1, 8000), st.none()),
    st.tuples(st.just("return"), PLACES, st.none()),
)
ROUND = st.tuples(st.tuples(ACCOUNT, BEFORE, HOOK), SESSION, st.lists(AFTER, min_size=1, max_size=4))
"""Every round moves money: something is wrong, events too, somebody charges, and something is put right or wrong after."""


class Ledger:
    """A bench whose every step is followed by a look at all of its books."""

    def __init__(self, bench: Any, route: str, form: Row) -> None:
        self.bench, self.route, self.form = bench, route, form
        bench.onboard()

    def step(self, what: str, first: Any, second: Any) -> None:
        bench = self.bench
        if what == "session":
            bench.day(first, second)
        elif what == "refund" and (claims := self.claims()):
            bench.operate("refund", claim=claims[first % len(claims)]["claim_id"], amount=second)
        elif what == "correct" and (sessions := bench.book("sessions")):
            session = sessions[first % len(sessions)]["session_id"]
            bench.operate("correct-session", session_id=session, terms={"grp": second}, **WHO)
        elif what == "fault":
            bench.partners.fault(self.route, first, api=second, times=2, extra=2 * HOUR)
        elif what == "silence":  # it is done, and nobody says so: neither the answer nor an event
            bench.partners.fault(self.route, "timeout-after", api=TAKING[self.route][first], times=2)
            bench.partners.fault(self.route, "webhook-lost", until=bench.now + 2 * HOUR)
        elif what == "wait":
            bench.wait(first * HOUR)
        elif what == "restart":
            bench.restart()
            bench.flush()
        elif what == "transfer":
            credit = {"iban": IBAN, "currency": "EUR", "counterparty": "City", "reference": INVOICE}
            bench.act("bank", "credit", amount=first, **credit)
            bench.wait(2 * HOUR)
        elif what == "return":
            credits = [row["id"] for row in self.banked() if row["for_id"] is None]
            if credits:
                bench.partners.bank.act("return", {"entry": credits[first % len(credits)], "code": "MD06"}, bench.now)
        elif what == "account" and first:
            bench.onboard()
        elif what == "account":
            told = {"account": bench.partners.account, "fields": ["company.phone"], "deadline": bench.now}
            bench.partners.stripe.act("require", told, bench.now)

    def claims(self) -> list[Row]:
        return [row for row in self.bench.book("claims") if row["route"] == self.route]

    def banked(self) -> list[Row]:
        """What the bank has booked for the invoice of the subscription."""
        rows = self.bench.partners.bank.statement(self.bench.now)["partner_bank"]
        return [row for row in rows if row["reference"] == INVOICE]

    def holds(self) -> None:
        """Postings balance, a claim is the sum of its entries, no key moved money twice, and nobody was asked too early."""
        self._asked_rightly()
        journal = self.bench.book("journal")
        assert list(problems(entry_from_row(row) for row in journal)) == []
        sums: dict[tuple[str, str], int] = {}
        for entry in journal:
            if entry["kind"] in ("payment", "refund", "receipt"):
                claim = entry["ref"].split(" ")[1]
                owed = sum(amount for name, _, amount in json.loads(entry["postings"]) if name.startswith(OWED))
                sums[claim, entry["kind"]] = sums.get((claim, entry["kind"]), 0) + owed
        for row in self.bench.book("claims"):
            name = row["claim_id"]
            assert row["paid"] == -sums.get((name, "payment"), 0) - sums.get((name, "receipt"), 0), row
            assert row["refunded"] == sums.get((name, "refund"), 0), row
            owed = row["amount"] - row["credited"] - row["paid"] + row["refunded"]
            assert row["state"] != "paid" or owed <= 0 or row["route"] == "bank", row
        for kind in ("auth", "capture", "refund"):
            keys = [row["key"] for row in self.bench.partners.rows(kind, self.route)]
            assert len(keys) == len(set(keys)), kind
        captured: dict[str, int] = {}
        attempts = {row["key"]: row["claim_id"] for row in self.bench.book("payments")}
        for kind, sign in (("capture", 1), ("refund", -1)):
            for row in self.bench.partners.rows(kind, self.route):
                claim = attempts[row["key"]]
                captured[claim] = captured.get(claim, 0) + sign * row["amount"]
        amounts = {row["claim_id"]: row["amount"] for row in self.bench.book("claims")}
        assert all(taken <= amounts[claim] for claim, taken in captured.items()), (captured, amounts)

    def _asked_rightly(self) -> None:
        """P05: no debit while the account was believed to be off. P12: refunds by the partner of the claim. P15: no event
        was taken that was not signed as agreed."""
        bench = self.bench
        beliefs = [(row["at"], row["charges_enabled"]) for row in bench.book("accounts")]
        routes = {row["claim_id"]: row["route"] for row in bench.book("claims")}
        for row in bench.book("payments"):
            assert row["purpose"] != "refund" or row["partner"] == routes[row["claim_id"]], row
            if row["partner"] == "stripe" and row["purpose"] in DEBITS and row["asked_at"] is not None:
                assert [on for at, on in beliefs if at <= row["asked_at"]][-1], row
        said = bench.partners.lines["stripe"].statement(bench.now)
        unsigned = {(row["subject"], row["at"]) for row in said["partner_faults"] if row["kind"] == HOOKS[-1]}
        for row in said["partner_webhooks"]:
            assert not any(taken and (row["event_id"], at) in unsigned for at, taken in row["attempts"]), row

    def ends(self) -> None:
        """All is well again: what is owed is paid, here and there, and nothing is left between. Events still come twice."""
        bench = self.bench
        bench.partners.lines[self.route].faults._rules.clear()
        bench.partners.lines[self.route].faults._left.clear()
        bench.partners.fault(self.route, "webhook-duplicate", extra=2 * HOUR)
        bench.onboard()
        bench.wait(12 * DAY)
        self.holds()
        assert not [row for row in bench.book("payments") if row["state"] in ("due", "asked", "unknown")]
        for row in self.claims():
            owed = row["amount"] - row["credited"] - row["paid"] + row["refunded"]
            assert owed == 0 and row["held"] == 0 and row["state"] in ("paid", "released"), row
        (subscription,) = [row for row in bench.book("claims") if row["route"] == "bank" and row["document"] == INVOICE]
        assert subscription["paid"] == sum(row["amount"] for row in self.banked())
        due = sum(row["amount"] - row["credited"] for row in self.claims())
        assert bench.partners.collected == due
        assert bench.balance("receivable:") == 0
        clearing = bench.balance("clearing:")
        if self.route == "riverty":
            assert clearing == bench.partners.riverty.owed().get("EUR", 0)
        else:
            assert clearing == sum(bench.partners.stripe._money.held(bench.partners.account).values())


OWED = ("receivable:", "invoiced:")
DEBITS = ("hold", "capture", "charge")
PLANTS: dict[str, tuple[str, Row]] = {
    "a new key after silence, by card": ("stripe", {"after_unknown": bugs.given_up_and_anew}),
    "a new key after silence, by invoice": ("riverty", {"after_unknown": bugs.given_up_and_anew}),
    "one key for all that is asked of a claim": ("stripe", {"idempotency_key": bugs.key_of_claim}),
    "no gate before an account that is off": ("stripe", {"may_charge": bugs.anybody_may_charge}),
    "the catch-up takes each claim twice": (
        "stripe",
        {"catch_up_order": bugs.each_twice, "may_collect": bugs.always, "next_step": bugs.charged_again},
    ),
    "holds are never let go": ("stripe", {"next_step": bugs.holds_stay}),
    "refunds by another partner": ("riverty", {"credit_route": bugs.back_by_new_partner}),
    "a payment that came back still counts": ("stripe", {"heed_return": bugs.never}),
    "a correction leaves its claim as it is": ("stripe", {"correction_to_claim": lambda difference: 0}),
    "each copy of an event books its payout": (
        "stripe",
        {"take_webhook": bugs.always, "moves_on": bugs.always, "movement_change": bugs.paid_again},
    ),
    "payouts without their last digit": ("stripe", {"movement_change": bugs.without_last_digit}),
    "events of anybody": ("stripe", {"verify_webhook": bugs.always}),
}
"""Bugs of money, each with the route on which it is planted."""
CHEAP = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
ROUNDS = st.lists(ROUND, min_size=1, max_size=3)


def play(make_money: Any, fields: Row, route: str, rounds: list[Any], parts: Row | None = None) -> None:
    """All rounds, with a look after every step and at the end. One claim a day is caught up, so that it takes a while."""
    options = {"bank_accounts": [IBAN], "bank_poll_s": 3600, "catch_up_per_day": {"EUR": 1000}}
    it = Ledger(make_money("legacy", parts=parts, route=route, **options), route, fields)
    for before, session, after in rounds:
        for step in (*before, session, *after):
            it.step(*step)
            it.holds()
    it.ends()


@pytest.mark.parametrize("plant", PLANTS)
def test_a_bug_that_is_planted_in_the_money_is_found(make_money: Any, given_fields: Row, plant: str) -> None:
    route, parts = PLANTS[plant]

    @given(rounds=ROUNDS)
    @settings(
        max_examples=60, phases=[Phase.generate], database=None, report_multiple_bugs=False, suppress_health_check=CHEAP
    )
    def any_order(rounds: list[Any]) -> None:
        play(make_money, given_fields, route, rounds, parts)

    with pytest.raises(AssertionError):
        any_order()


@pytest.mark.parametrize("route", ["stripe", "riverty"])
@given(rounds=ROUNDS)
@settings(max_examples=30, suppress_health_check=CHEAP)
def test_the_ledger_is_right_after_any_order_of_what_can_happen(
    make_money: Any, given_fields: Row, route: str, rounds: list[Any]
) -> None:
    """P01, P02, P03, P05, P12, P15, L01, INV-24."""
    play(make_money, given_fields, route, rounds)
