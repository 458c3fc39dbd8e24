"""A bench with partners: scripted Stripe, Riverty and bank that answer what a test wants, and remember what moved."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from sim.backend import Row, Setup
from sim.clock import parse_iso
from sim.machine import Answered, Outcome, Refused, Tell, Unknown
from sim.partners.port import Response

SECRET = "whsec_test"
APRIL = parse_iso("2024-04-01T06:00:00Z")
OLD_IBAN, NEW_IBAN = "NO9386011117947", "NO8330001234567"


class Script:
    """Partners that do what they are told: `modes` holds what happens to the next requests, then all goes well.

    Modes: ok, lost (done, nothing comes back), dropped (not done, nothing comes back), refused, declined, 429, 500.
    """

    def __init__(self) -> None:
        self.modes: list[str] = []
        self.asked: list[tuple[str, Row, str | None]] = []
        self.by_key: dict[str, Row] = {}
        self.intents: dict[str, Row] = {}
        self.orders: dict[str, Row] = {}
        self.refunds: list[Row] = []
        self.enabled: dict[str, bool] = {}
        self.statements: dict[str, list[Row]] = {}

    def take(self, tell: Tell) -> Outcome:
        api, params, key = tell.command.args["api"], tell.command.args["params"], tell.command.args["key"]
        self.asked.append((api, params, key))
        moves = api.partition(".")[2] not in ("retrieve", "search", "list", "read")
        mode = self.modes.pop(0) if self.modes and moves else "ok"
        if mode == "refused":
            return Refused("unavailable")
        if mode == "dropped":
            return Unknown("time-out")
        if mode in ("429", "500"):
            return Answered(Response(int(mode), {"error": {"code": mode}}))
        if mode == "declined":
            return Answered(Response(402, {"error": {"code": "card_declined"}}))
        body = self.by_key.get(key) if key else None
        if body is None:
            body = json.loads(json.dumps(self._do(api, params)))
            if key and moves:
                self.by_key[key] = body
        return Unknown("time-out") if mode == "lost" else Answered(Response(body.pop("status_code", 200), body))

    def _do(self, api: str, params: Row) -> Row:
        if api == "accounts.retrieve":
            on = self.enabled.get(params["id"], False)
            return {"id": params["id"], "charges_enabled": on, "payouts_enabled": on, "requirements": {}}
        if api == "payment_intents.create":
            manual = params["capture_method"] == "manual"
            intent = {**params, "id": f"pi_{len(self.intents) + 1}"}
            intent |= {"status": "requires_capture" if manual else "succeeded"}
            intent |= {"amount_received": 0 if manual else params["amount"]}
            self.intents[intent["id"]] = intent
            return intent
        if api == "payment_intents.search":
            found = [one for one in self.intents.values() if one["metadata"]["key"] in params["query"]]
            return {"data": found}
        if api == "refunds.create":
            self.refunds.append({**params, "id": f"re_{len(self.refunds) + 1}", "status": "succeeded"})
            return self.refunds[-1]
        if api == "refunds.list":
            return {"data": self.refunds}
        if api.startswith("payment_intents."):
            intent = self.intents[params["id"]]
            if api.endswith("capture"):
                intent |= {"status": "succeeded", "amount_received": params["amount_to_capture"]}
            elif api.endswith("cancel"):
                intent |= {"status": "canceled"}
            return intent
        if api == "statements.read":
            return {"lines": self.statements.get(params["iban"], [])}
        return self._order(api, params)

    def _order(self, api: str, params: Row) -> Row:
        order = self.orders.setdefault(params["orderNumber"], {"captures": [], "refunds": [], "voided": False})
        if api == "orders.authorize":
            order |= {"outcome": "Accepted", "amount": params["amount"]}
        elif api == "orders.capture":
            order["captures"].append(params)
        elif api == "orders.refund":
            order["refunds"].append(params)
        elif api == "orders.void":
            order["voided"] = True
        return order

    @property
    def collected(self) -> int:
        """What drivers paid, over all partners, minus what went back."""
        stripe = sum(one["amount_received"] for one in self.intents.values())
        riverty = sum(one["amount"] for order in self.orders.values() for one in order["captures"])
        back = sum(one["amount"] for one in self.refunds)
        return (
            stripe + riverty - back - sum(one["amount"] for order in self.orders.values() for one in order["refunds"])
        )


def with_money(base: dict[str, list[Row]]) -> dict[str, list[Row]]:
    contracts = {
        "contract": "sub-city",
        "seller": "oldco",
        "customer": "city",
        "currency": "EUR",
        "period": "month",
        "start": "2024-04-01",
        "items": [{"text": "Operation", "net": 3000, "quantity": 2}],
        "vat_percent": "25",
        "terms": "2023-1",
        "backend": "legacy",
    }
    return {
        **base,
        "sellers": [
            {"seller": "oldco", "zone": "Europe/Oslo", "prefix": "OLD", "accounts": [{"value": OLD_IBAN}]},
            {"seller": "newco", "zone": "Europe/Oslo", "prefix": "NEW", "accounts": [{"value": NEW_IBAN}]},
        ],
        "contracts": [contracts],
        "driver-terms": [
            {"customer": "cust-a", "pays": "contract", "name": "Anna"},
            {"customer": "cust-s", "pays": "card", "method": "pm_1"},
            {"customer": "GUEST-7", "pays": "adhoc", "method": "pm_2"},
        ],
        "accounts": [{"account": "acct_city", "owner": "city"}],
    }


def money_bench(base: type, given: dict[str, list[Row]], name: str, options: Row, parts: Row) -> Any:
    class MoneyBench(base):  # type: ignore[misc]
        """The bench, with every Tell handed to the script and its outcome heard at once."""

        def __init__(self) -> None:
            self.script = Script()
            self.silent = False
            chosen = {"webhook_secrets": {"stripe": SECRET}, "holds": True, **options}
            setup = Setup(name=name, seed=7, provision=given, options={"transaction_base": 500, "money": chosen})
            super().__init__(setup, **parts)
            self.now = APRIL

        def flush(self) -> Any:
            released = super().flush()
            for effect in released:
                if isinstance(effect, Tell) and not self.silent:
                    self.csms.settled(effect.call_id, self.script.take(effect), self.now)
                    released = released + self.flush()
            self.out = released
            return released

        def until(self, text: str) -> None:
            self.wait(parse_iso(text) - self.now)

        def webhook(self, event: Row, secret: str = SECRET, age_s: int = 0) -> Any:
            text, stamp = json.dumps(event), self.now // 1000 - age_s
            mac = hmac.new(secret.encode(), f"{stamp}.{text}".encode(), hashlib.sha256).hexdigest()
            return self.operate("webhook", partner="stripe", payload=text, signature=f"t={stamp},v1={mac}")

        def day(self, token: str, wh: int = 10_000) -> None:
            """One charging session of an hour, billed."""
            link = self.boot()
            self.charge(link, token, wh)
            self.bill_all()
            self.close(link)

        def balance(self, start: str) -> int:
            return sum(
                amount
                for entry in self.book("journal")
                for account, _, amount in json.loads(entry["postings"])
                if account.startswith(start)
            )

    return MoneyBench()


@pytest.fixture
def make_money(make_bench: type, sheet: Any) -> Any:
    def make(name: str = "new", parts: Row | None = None, **options: Any) -> Any:
        return money_bench(make_bench, with_money(sheet), name, options, parts or {})

    return make
