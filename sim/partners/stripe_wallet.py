"""Customers and payment methods of the Stripe fake, and the shelves on which its objects lie.

An object belongs to the account that made it; another account never finds it.
"""

from __future__ import annotations

from typing import Any

from sim.partners.party import Ids, dict_of, text_of
from sim.partners.stripe_api import Call, Object, invalid, missing, seconds, snapshot

CARDS = {
    "4242424242424242": "ok",
    "4000000000000002": "generic_decline",
    "4000000000009995": "insufficient_funds",
    "4000000000000069": "expired_card",
    "4000002500003155": "requires_action",
}
"""Test cards (docs.stripe.com/testing) and what they do."""
SHARED = {
    "pm_card_visa": "4242424242424242",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_authenticationRequired": "4000002500003155",
}


class Wallet:
    """Who pays, and with which card."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._customers: dict[str, Object] = {}
        self._cards: dict[str, tuple[str, Object]] = {}
        self._owner: dict[str, str] = {}

    def create_customer(self, call: Call) -> Object:
        """`customers.create`; a `payment_method` is attached at once."""
        kept = {name: call.params.get(name) for name in ("email", "name")}
        given = call.params.get("payment_method")
        method = None if given is None else self._method(str(given))[1]
        made = self._keep(
            self._customers, "cus", "customer", call, 14, metadata=dict_of(call.params, "metadata"), **kept
        )
        if method is not None:
            method["customer"] = made["id"]
        return made

    def create_method(self, call: Call) -> Object:
        """`payment_methods.create` with `type=card` and `card[number]`, one of the test cards."""
        number = text_of(dict_of(call.params, "card"), "number")
        if text_of(call.params, "type") != "card" or number not in CARDS:
            raise invalid("Only the documented test cards can be used.", "card[number]", "incorrect_number")
        card = {"brand": "visa", "last4": number[-4:]}
        found = self._keep({}, "pm", "payment_method", call, 24, type="card", card=card, customer=None)
        self._cards[found["id"]] = (number, found)
        return found

    def attach_method(self, call: Call) -> Object:
        """`payment_methods.attach` with `id` and `customer`."""
        number, method = self._method(text_of(call.params, "id"))
        customer = self._find(self._customers, "customer", call, "customer")
        method["customer"] = customer["id"]
        self._cards[method["id"]] = (number, method)
        return snapshot(method)

    def _keep(self, shelf: dict[str, Object], prefix: str, kind: str, call: Call, length: int, **fields: Any) -> Object:
        name = self._ids.new(prefix, length)
        shelf[name] = {"id": name, "object": kind, "created": seconds(call.now), "livemode": False, **fields}
        self._owner[name] = call.account
        return snapshot(shelf[name])

    def _find(self, shelf: dict[str, Object], kind: str, call: Call, param: str = "id") -> Object:
        name = text_of(call.params, param)
        if name not in shelf or self._owner[name] != call.account:
            raise missing(kind, name, param)
        return shelf[name]

    def _method(self, name: str) -> tuple[str, Object]:
        if name in SHARED:
            return SHARED[name], {"id": name, "object": "payment_method", "type": "card", "customer": None}
        if name not in self._cards:
            raise missing("PaymentMethod", name, "payment_method")
        return self._cards[name]
