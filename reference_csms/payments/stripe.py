"""Stripe Connect in its own words: what is asked for each step, and what an answer means. No state, no booking.

Destination charges: the platform calls, `on_behalf_of` and `transfer_data` name the owner's account. Each object carries
the claim and the key in its metadata, so that it can be found when an outcome stayed unknown: by its id, or in the list of
its customer or payment, which are up to date. The search is not (docs.stripe.com/search), so it is never asked.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from reference_csms.payments.claims import Step
from reference_csms.payments.rows import (
    CAPTURE,
    CHARGE,
    DECLINED,
    DONE,
    FAILED,
    HOLD,
    REFUND,
    RELEASE,
    UNKNOWN,
    Attempt,
    Claim,
)
from sim.clock import SECOND
from sim.partners.port import Request, Response

APIS = {
    HOLD: "payment_intents.create",
    CHARGE: "payment_intents.create",
    CAPTURE: "payment_intents.capture",
    RELEASE: "payment_intents.cancel",
    REFUND: "refunds.create",
}
_GOOD = {
    HOLD: ("requires_capture",),
    CHARGE: ("succeeded",),
    CAPTURE: ("succeeded",),
    RELEASE: ("canceled",),
    REFUND: ("succeeded", "pending"),
}
_UNDECIDED = ("processing",)
_SKEW_S = 300
KEPT_ERROR = 500
"""What Stripe keeps under a key like any other result, so that the key is of no more use."""
BARRED = ("account_invalid", "insufficient_capabilities_for_transfer")
"""Refusals that say that the account of the owner cannot charge, whatever we believed of it."""


class Result(Struct, frozen=True):
    """What an answer means for an attempt: done, declined, failed, or unknown (ask again later)."""

    state: str
    amount: int = 0
    partner_id: str | None = None
    reason: str | None = None


def params_of(
    claim: Claim, step: Step, account: str | None, key: str, customer: str | None, paid_id: str | None
) -> dict[str, Any]:
    """The parameters of a step; the same for each retry. `customer` is the id that Stripe gave."""
    metadata = {"claim": claim.claim_id, "key": key, "purpose": step.purpose}
    if step.purpose in (HOLD, CHARGE):
        return {
            "amount": step.amount,
            "currency": claim.currency.lower(),
            "capture_method": "manual" if step.purpose == HOLD else "automatic",
            "confirm": True,
            "off_session": step.purpose == CHARGE,
            "customer": customer,
            "payment_method": claim.method,
            "on_behalf_of": account,
            "transfer_data": {"destination": account},
            "metadata": metadata,
        }
    if step.purpose == CAPTURE:
        return {"id": claim.held_id, "amount_to_capture": step.amount}
    if step.purpose == RELEASE:
        return {"id": claim.held_id}
    return {
        "payment_intent": paid_id,
        "amount": step.amount,
        "reverse_transfer": True,
        "metadata": metadata,
    }


def look(attempt: Attempt) -> Request:
    """How to find out what became of an attempt, without moving anything."""
    if attempt.purpose in (CAPTURE, RELEASE):
        return Request(api="payment_intents.retrieve", params={"id": attempt.params["id"]})
    if attempt.purpose == REFUND:
        return Request(api="refunds.list", params={"payment_intent": attempt.params["payment_intent"]})
    since = (attempt.asked_at or 0) // SECOND - _SKEW_S
    params = {"customer": attempt.params["customer"], "created": {"gte": max(0, since)}, "limit": 100}
    return Request(api="payment_intents.list", params=params)


def found(attempt: Attempt, response: Response) -> Result | None:
    """What a look says: the outcome; unknown for any error, also a 404; None if nothing was done so far."""
    body = response.body
    if not response.ok:
        return Result(UNKNOWN, reason=f"look {response.status}")
    if attempt.purpose in (CAPTURE, RELEASE):
        return meaning(attempt, response) if body.get("status") != "requires_capture" else None
    for one in body["data"]:
        if (one.get("metadata") or {}).get("key") == attempt.key:
            return meaning(attempt, Response(200, one))
    return Result(UNKNOWN, reason="more than one page") if body.get("has_more") else None


def meaning(attempt: Attempt, response: Response) -> Result:
    """What an answer to the request itself says."""
    body = response.body
    error = body.get("error") or {}
    code = str(error.get("code") or error.get("type") or response.status) if isinstance(error, dict) else str(error)
    if response.ok:
        status = str(body.get("status"))
        if status in _GOOD[attempt.purpose]:
            received = body.get("amount_received") if attempt.purpose in (CAPTURE, CHARGE) else None
            return Result(DONE, attempt.amount if received is None else int(received), str(body.get("id")))
        if status in _UNDECIDED:
            return Result(UNKNOWN, partner_id=str(body.get("id")), reason=status)
        return Result(DECLINED, partner_id=str(body.get("id")), reason=status)
    if response.status in (409, 429) or response.status >= 500:
        return Result(UNKNOWN, reason=code)
    if code == "payment_intent_unexpected_state" and attempt.purpose in (CAPTURE, RELEASE):
        now = error.get("payment_intent") or {}
        if now.get("status") in _GOOD[attempt.purpose]:  # it had been done already
            return meaning(attempt, Response(200, now))
    return Result(DECLINED if response.status == 402 else FAILED, reason=code)
