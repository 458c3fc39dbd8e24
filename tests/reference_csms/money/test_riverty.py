"""The invoice partner as the back-end uses it: numbers are its keys, its settlements and fees are booked once each."""

from __future__ import annotations

from typing import Any

import pytest

from sim.clock import DAY, HOUR, MINUTE
from sim.machine import Answered
from sim.partners.port import Response


@pytest.fixture
def riverty(make_money: Any) -> Any:
    bench = make_money("legacy", route="riverty", bank_accounts=["NO9386011117947"])
    bench.wait(MINUTE)
    return bench


def claim(bench: Any) -> Any:
    (found,) = [row for row in bench.book("claims") if row["kind"] == "session"]
    return found


def test_riverty_authorises_and_captures_under_a_short_number(riverty: Any) -> None:
    riverty.day("TOK-S")
    (capture,) = riverty.partners.rows("capture", "riverty")
    assert len(capture["id"]) <= 20 and capture["amount"] == riverty.only("bills")["gross"]
    assert riverty.balance("clearing:riverty") == capture["amount"] and claim(riverty)["state"] == "paid"


@pytest.mark.parametrize("kind", ["timeout-after", "timeout-before", "500-after", "500-before", "outage", "429"])
@pytest.mark.parametrize("api", ["checkout.authorize", "captures.create", "refunds.create"])
def test_whatever_happens_to_a_request_it_is_done_once(riverty: Any, api: str, kind: str) -> None:
    """P02: Riverty keeps no keys, so what is unknown is looked for before it is asked again."""
    riverty.partners.fault("riverty", kind, api=api, times=2)
    riverty.day("TOK-S")
    riverty.wait(2 * HOUR)
    riverty.operate("refund", claim=claim(riverty)["claim_id"], amount=100)
    riverty.wait(2 * HOUR)
    rows = {name: riverty.partners.rows(name, "riverty") for name in ("auth", "capture", "refund")}
    assert [len(found) for found in rows.values()] == [1, 1, 1]
    assert riverty.partners.collected == riverty.only("bills")["gross"] - 100
    assert {row["state"] for row in riverty.book("payments")} == {"done"}
    assert riverty.balance("clearing:riverty") == riverty.partners.collected


def test_an_order_of_a_session_that_came_to_nothing_is_voided(riverty: Any) -> None:
    riverty.partners.fault("riverty", "timeout-after", api="voids.create", times=1)
    riverty.day("GUEST-7", wh=50)
    riverty.wait(2 * HOUR)
    assert [row["state"] for row in riverty.partners.rows("auth", "riverty")] == ["voided"]
    assert claim(riverty)["state"] == "released" and riverty.partners.collected == 0


def test_settlements_and_fees_are_booked_once_and_the_clearing_account_comes_to_nothing(riverty: Any) -> None:
    """L04, P10."""
    riverty.day("TOK-S")
    gross = riverty.only("bills")["gross"]
    riverty.wait(10 * DAY)
    fee = (gross * 250 + 5000) // 10_000
    (settlement,) = riverty.partners.rows("settlement", "riverty")
    assert riverty.balance("clearing:riverty") == 0
    assert riverty.balance("fees:riverty") == fee and riverty.balance("bank:NO9386011117947") == gross - fee
    (movement,) = riverty.book("movements")
    assert (movement["movement_id"], movement["amount"], movement["state"]) == (settlement["id"], gross - fee, "paid")
    (line,) = riverty.book("statement_lines")
    assert (line["reference"], line["amount"], line["state"]) == (settlement["id"], gross - fee, "matched")


def test_a_settlement_that_comes_back_is_booked_back_and_the_next_one_has_it_again(riverty: Any) -> None:
    riverty.day("TOK-S")
    gross = riverty.only("bills")["gross"]
    riverty.act("bank", "close-account", iban="NO9386011117947")
    riverty.wait(10 * DAY)
    fee = riverty.balance("fees:riverty")
    assert fee > 0 and riverty.balance("clearing:riverty") == gross - fee and riverty.balance("bank:") == 0
    riverty.act("bank", "open-account", iban="NO8330001234567", owner="newco", currency="EUR")
    riverty.act("riverty", "change-bank", iban="NO8330001234567")
    riverty.wait(10 * DAY)
    assert riverty.balance("clearing:riverty") == 0 and riverty.balance("fees:riverty") == fee
    assert riverty.balance("bank:NO8330001234567") == gross - fee


def test_the_fee_of_a_settlement_is_booked_when_it_is_seen_first_and_never_again(riverty: Any) -> None:
    one = {"settlement_number": "S1", "currency": "EUR", "amount": 900, "fee": 25, "iban": "NO9386011117947"}
    for number, status in enumerate(["in_transit", "in_transit", "paid", "paid", "failed:AC04", "paid"]):
        report = Answered(Response(200, {"settlements": [{**one, "status": status}]}))
        riverty.csms.settled(f"legacy:1:settlement:riverty:read:{90 + number}", report, riverty.now)
        riverty.flush()
        assert riverty.balance("fees:riverty") == 25
    assert riverty.balance("bank:") == 0 and riverty.balance("clearing:riverty") == -25
