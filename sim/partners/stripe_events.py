"""Events of the Stripe fake: kept for retrieval, and handed to whoever subscribed, signed in Stripe's scheme.

An event holds the object as it was at that moment, so a late one tells of the past. Order is promised to nobody.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable
from fnmatch import fnmatchcase

from sim.clock import Instant
from sim.partners.party import Endpoint, Ids, Notice, text_of
from sim.partners.stripe_api import Call, Object, listing, missing, seconds, snapshot

EVENTS = (
    "account.updated", "account.external_account.created", "account.external_account.updated", "capability.updated",
    "person.created", "person.updated", "payment_intent.created", "payment_intent.requires_action",
    "payment_intent.amount_capturable_updated", "payment_intent.payment_failed", "payment_intent.succeeded",
    "payment_intent.canceled", "charge.succeeded", "charge.refunded", "refund.created", "charge.dispute.created",
    "charge.dispute.funds_withdrawn", "charge.dispute.funds_reinstated", "charge.dispute.closed", "transfer.created",
    "transfer.reversed", "payout.created", "payout.paid", "payout.failed",
)  # fmt: skip
"""All types of events that this fake sends."""
API_VERSION = "2024-11-20.acacia"


def stripe_signature(payload: str, secret: str, now: Instant) -> str:
    """The header `Stripe-Signature`: `t=<seconds>,v1=<HMAC-SHA256(secret, "t.payload") in hex>`."""
    t = seconds(now)
    mac = hmac.new(secret.encode(), f"{t}.{payload}".encode(), hashlib.sha256).hexdigest()
    return f"t={t},v1={mac}"


class Events:
    """All events so far. `notices` are those on their way out."""

    def __init__(self, ids: Ids, endpoints: Iterable[Endpoint], notices: list[Notice]) -> None:
        self._ids = ids
        self._endpoints = tuple(endpoints)
        self._all: dict[str, Object] = {}
        self.notices = notices

    def emit(self, kind: str, about: Object, account: str, now: Instant, request: str | None = None) -> None:
        """An event of one of EVENTS about this object; `account` "" is the platform, else it is a connected account."""
        if kind not in EVENTS:
            raise ValueError(f"{kind!r} is no event of this fake")
        event: Object = {
            "id": self._ids.new("evt"),
            "object": "event",
            "api_version": API_VERSION,
            "created": seconds(now),
            "type": kind,
            "livemode": False,
            "pending_webhooks": 0,
            "request": {"id": None, "idempotency_key": request},
            "data": {"object": snapshot(about)},
        }
        if account:
            event["account"] = account
        wanted = [
            one
            for one in self._endpoints
            if one.connect in (None, bool(account)) and any(fnmatchcase(kind, pattern) for pattern in one.types)
        ]
        event["pending_webhooks"] = len(wanted)
        self._all[event["id"]] = event
        payload = json.dumps(event, separators=(",", ":"), ensure_ascii=False)
        for endpoint in wanted:
            self.notices.append(
                Notice(event_id=event["id"], kind=kind, account=account or None, payload=payload, endpoint=endpoint)
            )

    def retrieve(self, call: Call) -> Object:
        """`events.retrieve` with `id`."""
        event = self._all.get(text_of(call.params, "id"))
        if event is None or event.get("account", "") != call.account:
            raise missing("event", str(call.params.get("id")))
        return snapshot(event)

    def list(self, call: Call) -> Object:
        """`events.list`, newest first; `type` and `created[gte]` narrow it down."""
        kind, created = call.params.get("type"), call.params.get("created")
        since = int(created["gte"]) if isinstance(created, dict) and str(created.get("gte", "")).isdigit() else 0
        found = [
            event
            for event in reversed(self._all.values())
            if event.get("account", "") == call.account
            and (kind is None or event["type"] == kind)
            and event["created"] >= since
        ]
        return listing(found, "/v1/events")
