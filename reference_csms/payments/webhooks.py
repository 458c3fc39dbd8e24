"""Events of partners: signature and age checked, each taken once, and with the same effect in any order (P04).

An event is a hint: an account is read again, a pending payment is looked at. What has no request of ours (payouts,
disputes, refunds made at the partner) is kept by its id with a state that only moves on, and booked from there.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec.structs import replace

from reference_csms.billing.ledger import DISPUTE, PAYOUT, REFUND, Ledger, Posting
from reference_csms.options import MoneyOptions
from reference_csms.parts import Parts
from reference_csms.payments import rows
from reference_csms.payments.desk import Desk
from reference_csms.payments.gate import Gate
from reference_csms.payments.losses import PLATFORM
from reference_csms.payments.rows import (
    ACCOUNTS,
    ATTEMPTS,
    CLAIMS,
    MOVEMENTS,
    STATEMENT_LINES,
    WEBHOOKS,
    Claim,
    Movement,
    WebhookSeen,
)
from reference_csms.storage.port import Store, put
from sim.backend import Row
from sim.clock import SECOND, Instant
from sim.machine import Answered, Outcome, Refused


class Webhooks:
    """Takes events for a store."""

    def __init__(
        self, store: Store, parts: Parts, ledger: Ledger, desk: Desk, gate: Gate, options: MoneyOptions
    ) -> None:
        self._store = store
        self._parts = parts
        self._ledger = ledger
        self._desk = desk
        self._gate = gate
        self._options = options

    def take(self, partner: str, payload: str, signature: str, now: Instant) -> Outcome:
        """Answered once it is kept; the answer leaves after the commit. Refused for what is not signed as agreed."""
        if not self._parts.verify_webhook(
            payload, signature, self._options.webhook_secrets.get(partner, ""), now // SECOND
        ):
            return Refused("bad-signature", "the signature does not fit, or is too old")
        try:
            event = msgspec.json.decode(payload)
            event_id, kind, body = str(event["id"]), str(event["type"]), dict(event["data"]["object"])
        except (msgspec.DecodeError, KeyError, TypeError, ValueError) as err:
            return Refused("bad-input", f"no event: {err}")
        seen = self._store.get(WEBHOOKS, event_id)
        effect = self._effect(kind, body, event, now) if self._parts.take_webhook(seen is not None) else "repeated"
        if seen is not None:
            self._store.update(WEBHOOKS, replace(seen, times=seen.times + 1))
        else:
            created = event.get("created")
            row = WebhookSeen(
                event_id=event_id,
                partner=partner,
                type=kind,
                account=event.get("account"),
                object_id=str(body.get("id")),
                created_at=Instant(created * SECOND) if isinstance(created, int) else None,
                received_at=now,
                times=1,
                effect=effect,
            )
            self._store.insert(WEBHOOKS, row)
        return Answered({"received": True})

    def _effect(self, kind: str, body: Row, event: Row, now: Instant) -> str:
        """What an event does here, in one word."""
        if kind in ("account.updated", "capability.updated"):
            account = str(body.get("account") or body.get("id"))
            return "read" if self._gate.read_soon(account, now) else "unknown-account"
        if kind.startswith("payment_intent."):
            claim = self._claim((body.get("metadata") or {}).get("claim"), body.get("id"))
            return "looked" if claim is not None and self._desk.look_now(claim, now) else "known"
        if kind.startswith("charge.dispute."):
            return self._disputed(kind, body, event, now)
        if kind == "charge.refunded":
            return self._refunded(body, now)
        if kind in ("payout.paid", "payout.failed"):
            return self._paid_out(kind, body, event, now)
        return "ignored"

    def _claim(self, claim_id: Any, intent: Any) -> Claim | None:
        found = self._store.get(CLAIMS, str(claim_id)) if claim_id else None
        if found is None and intent:
            found = next((one for one in self._store.rows(CLAIMS) if intent in (one.paid_id, one.held_id)), None)
        return found

    def _refunded(self, body: Row, now: Instant) -> str:
        """Refunds of this charge up to now; what is more than we asked for was refunded at the partner."""
        claim = self._claim((body.get("metadata") or {}).get("claim"), body.get("payment_intent"))
        if claim is None:
            return "unknown-claim"
        if self._desk.look_now(claim, now) or self._pending(claim):
            return "looked"
        more = int(body.get("amount_refunded") or 0) - claim.refunded
        if more <= 0:
            return "known"
        postings = (
            Posting(f"{claim.ledger}:{claim.customer}", claim.currency, more),
            Posting(f"clearing:stripe:{claim.account}", claim.currency, -more),
        )
        self._ledger.append(REFUND, f"{claim.document} {claim.claim_id} at-partner", postings, now)
        refunded = replace(claim, refunded=claim.refunded + more, state=rows.OPEN, reason="refunded at the partner")
        self._store.update(CLAIMS, refunded)
        return "booked"

    def _pending(self, claim: Claim) -> bool:
        return any(one.pending for one in self._store.find(ATTEMPTS, "claim_id", claim.claim_id))

    def _disputed(self, kind: str, body: Row, event: Row, now: Instant) -> str:
        """A dispute takes the money back at once, from the balance of whose event it is; won, it comes again (P07).

        Lost, the terms decide: the claim is open again, until somebody looks at it, since a card that was disputed is not
        charged by itself; or the operator bears the loss. The owner keeps what was paid out either way.
        """
        claim = self._claim((body.get("metadata") or {}).get("claim"), body.get("payment_intent"))
        if claim is None:
            return "unknown-claim"
        closed = kind == "charge.dispute.closed"
        told = {"won": "returned", "lost": "lost"}.get(str(body.get("status")), "seen") if closed else "withdrawn"
        known = self._store.get(MOVEMENTS, str(body["id"]))
        if not self._parts.moves_on(known.state if known else None, told):
            return "known"
        amount = int(body.get("amount") or 0)
        change = self._parts.movement_change(known.state if known else None, told, amount)
        if change:
            postings = (
                Posting(f"disputed:{claim.customer}", claim.currency, change),
                Posting(f"clearing:stripe:{event.get('account') or PLATFORM}", claim.currency, -change),
            )
            self._ledger.append(DISPUTE, f"{claim.document} {claim.claim_id} {body['id']}", postings, now)
        self._keep(str(body["id"]), "dispute", claim, claim.account, claim.currency, amount, told, now)
        state = rows.DISPUTED if told == "withdrawn" else rows.PAID
        if told == "lost":
            state = self._parts.after_lost_dispute(amount, claim.currency, self._options.dispute_goodwill)
        if told == "lost" and state != rows.PAID:
            bears = "losses:stripe" if state == rows.WRITTEN_OFF else f"{claim.ledger}:{claim.customer}"
            postings = (
                Posting(bears, claim.currency, amount),
                Posting(f"disputed:{claim.customer}", claim.currency, -amount),
            )
            self._ledger.append(DISPUTE, f"{claim.document} {claim.claim_id} {body['id']}", postings, now)
        if state == rows.OPEN:
            claim = replace(claim, refunded=claim.refunded + amount)
        self._store.update(CLAIMS, replace(claim, state=state, reason=f"dispute {told}"))
        return "booked"

    def _paid_out(self, kind: str, body: Row, event: Row, now: Instant) -> str:
        """A payout leaves the clearing account of its owner; one that fails comes back to it.

        That of the platform itself has the bank account in it. It is negative where the partner debits what it is owed.
        """
        name = event.get("account") or PLATFORM
        account = self._store.get(ACCOUNTS, str(name))
        if account is None and name != PLATFORM:
            return "unknown-account"
        bank = account.owner if account is not None else body.get("destination")
        told, known = kind.partition(".")[2], self._store.get(MOVEMENTS, str(body["id"]))
        if not self._parts.moves_on(known.state if known else None, told):
            return "known"
        currency, amount = str(body.get("currency")).upper(), int(body["amount"])
        change = self._parts.movement_change(known.state if known else None, told, amount)
        if change:
            postings = (
                Posting(f"bank:{bank}", currency, change),
                Posting(f"clearing:stripe:{name}", currency, -change),
            )
            self._ledger.append(PAYOUT, f"{body['id']} {name}", postings, now)
        self._keep(str(body["id"]), "payout", None, account.account if account else None, currency, amount, told, now)
        for line in self._store.find(STATEMENT_LINES, "reference", str(body["id"])):
            self._store.update(STATEMENT_LINES, replace(line, state="matched"))
        return "booked" if change else "known"

    def _keep(
        self,
        movement_id: str,
        kind: str,
        claim: Claim | None,
        account: str | None,
        currency: str,
        amount: int,
        state: str,
        now: Instant,
    ) -> None:
        movement = Movement(
            movement_id=movement_id,
            kind=kind,
            claim_id=claim.claim_id if claim else None,
            account=account,
            currency=currency,
            amount=amount,
            state=state,
            at=now,
        )
        put(self._store, MOVEMENTS, movement)
