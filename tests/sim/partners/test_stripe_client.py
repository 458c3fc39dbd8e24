"""The official client of Stripe drives the fake: its calls, its errors, its check of signatures. No network."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import stripe

from sim.partners.party import Endpoint
from sim.partners.stripe_events import stripe_signature

SECRET = "whsec_of_the_test"
_VERBS = {"confirm", "capture", "cancel", "attach"}
_NESTED = {"persons", "capabilities"}


def nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """`a[b]=c` as in Stripe's forms."""
    out: dict[str, Any] = {}
    for name, value in pairs:
        *path, last = re.findall(r"[^\[\]]+", name)
        inner = out
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
    return out


def route(method: str, path: str) -> tuple[str, dict[str, str]]:
    """The api and the ids that a method and a path stand for."""
    resource, *rest = path.removeprefix("/v1/").split("/")
    if resource == "balance":
        return "balance.retrieve", {}
    if len(rest) > 1 and rest[1] in _NESTED:
        named = {"account": rest[0], **({"id": rest[2]} if len(rest) > 2 else {})}
        return f"{rest[1]}.{'list' if method == 'get' else 'update' if len(rest) > 2 else 'create'}", named
    if not rest:
        return f"{resource}.{'list' if method == 'get' else 'create'}", {}
    if rest[-1] in _VERBS:
        return f"{resource}.{rest[-1]}", {"id": rest[0]}
    return f"{resource}.{'retrieve' if method == 'get' else 'update'}", {"id": rest[0]}


class InProcess(stripe.HTTPClient):
    """Hands each HTTP request of the client to a desk."""

    name = "in-process"

    def __init__(self, desk: Any) -> None:
        super().__init__()
        self.desk = desk

    def request(self, method: str, url: str, headers: Any, post_data: Any = None, **_: Any) -> Any:
        parts = urlsplit(url)
        api, ids = route(method, parts.path)
        params = nested(parse_qsl(post_data or parts.query, keep_blank_values=True))
        key = headers.get("Idempotency-Key")
        answer = self.desk.ask(api, key=key, header=headers.get("Stripe-Account"), **params, **ids)
        return json.dumps(answer.body), answer.status, {}

    def close(self) -> None:
        """Nothing is open."""


def client_of(desk: Any) -> stripe.StripeClient:
    return stripe.StripeClient("sk_test_x", http_client=InProcess(desk), max_network_retries=0)


def test_the_client_takes_a_payment_for_an_account_and_refunds_it(stripe_desk: Any) -> None:
    at = stripe_desk(fees=(0, 0))
    v1 = client_of(at).v1
    account = at.ready()
    assert v1.accounts.retrieve(account).requirements.currently_due == []
    customer = v1.customers.create({"email": "driver@cars.example"})
    method = v1.payment_methods.create({"type": "card", "card": {"number": "4242424242424242"}})
    v1.payment_methods.attach(method.id, {"customer": customer.id})
    intent = v1.payment_intents.create(
        {
            "amount": 4000,
            "currency": "eur",
            "customer": customer.id,
            "payment_method": method.id,
            "confirm": True,
            "capture_method": "manual",
            "on_behalf_of": account,
            "transfer_data": {"destination": account},
            "application_fee_amount": 100,
            "metadata": {"reference": "S1"},
        },
        {"idempotency_key": "hold-S1"},
    )
    assert (intent.status, intent.amount_capturable, intent.metadata["reference"]) == ("requires_capture", 4000, "S1")
    captured = v1.payment_intents.capture(intent.id, {"amount_to_capture": 3000})
    assert captured.amount_received == 3000
    charge = v1.charges.retrieve(captured.latest_charge)
    assert isinstance(charge, stripe.Charge) and charge.captured and charge.amount_captured == 3000
    refund = v1.refunds.create({"payment_intent": intent.id, "amount": 1000, "reverse_transfer": True})
    assert refund.status == "succeeded"
    balance = v1.balance.retrieve(options={"stripe_account": account})
    assert [(entry.amount, entry.currency) for entry in balance.pending] == [(2900, "eur")]
    assert [(entry.amount, entry.currency) for entry in balance.available] == [(-1000, "eur")]
    kinds = [event.type for event in v1.events.list().data]
    assert {"payment_intent.succeeded", "charge.refunded", "transfer.created"} <= set(kinds)


def test_the_client_onboards_an_account(stripe_desk: Any) -> None:
    at = stripe_desk()
    v1 = client_of(at).v1
    account = v1.accounts.create({"type": "express", "country": "NO", "metadata": {"owner": "fjord"}})
    link = v1.account_links.create(
        {"account": account.id, "type": "account_onboarding", "refresh_url": "https://a", "return_url": "https://b"}
    )
    assert link.expires_at - link.created == 300
    assert at.act("visit-link", url=link.url)["landed"] == "form"
    person = {"first_name": "Ola", "last_name": "Board", "relationship": {"director": True, "authorizer": True}}
    made = v1.accounts.persons.create(account.id, person)  # type: ignore[arg-type]
    assert made.relationship.authorizer is True
    assert [one.id for one in v1.accounts.persons.list(account.id).data] == [made.id]
    assert {one.status for one in v1.accounts.capabilities.list(account.id).data} == {"inactive"}


def test_the_client_knows_our_errors(stripe_desk: Any) -> None:
    at = stripe_desk()
    v1 = client_of(at).v1
    params: Any = {"amount": 4000, "currency": "eur", "payment_method": "pm_card_chargeDeclined", "confirm": True}
    with pytest.raises(stripe.CardError) as declined:
        v1.payment_intents.create(params)
    assert declined.value.code == "card_declined"
    v1.payment_intents.create({"amount": 100, "currency": "eur"}, {"idempotency_key": "k"})
    with pytest.raises(stripe.IdempotencyError):
        v1.payment_intents.create({"amount": 200, "currency": "eur"}, {"idempotency_key": "k"})
    with pytest.raises(stripe.InvalidRequestError) as gone:
        v1.payment_intents.retrieve("pi_gone")
    assert gone.value.code == "resource_missing"
    params = {"amount": 100, "currency": "eur", "on_behalf_of": at.account()}
    with pytest.raises(stripe.InvalidRequestError) as early:
        v1.payment_intents.create(params)
    assert early.value.code == "account_invalid"


def test_the_client_accepts_our_signature_and_no_other(stripe_desk: Any) -> None:
    at = stripe_desk(endpoints=[Endpoint(to="csms", secret=SECRET)])
    at.hold()
    payload, signature = (at.webhooks()[0].command.args[name] for name in ("payload", "signature"))
    event = stripe.Webhook.construct_event(payload, signature, SECRET, tolerance=None)  # type: ignore[no-untyped-call]
    assert isinstance(event, stripe.Event) and event.data.object["object"] in ("payment_intent", "charge")
    for text, mac in ((payload + " ", signature), (payload, stripe_signature(payload, "other", at.now))):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.Webhook.construct_event(text, mac, SECRET, tolerance=None)  # type: ignore[no-untyped-call]
