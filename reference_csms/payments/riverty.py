"""Riverty in its own words: authorise an order, capture it under our invoice number, refund, void. No state, no booking.

An order's number is the key of its authorisation cut to what identifies it, so a repeated call names the same order; a
capture carries our own `invoiceNumber` of at most 20 characters, unique per capture (billing.md §8).
"""

from __future__ import annotations

from typing import Any

from reference_csms.payments.claims import Step
from reference_csms.payments.rows import CAPTURE, DECLINED, DONE, FAILED, HOLD, REFUND, RELEASE, UNKNOWN, Attempt, Claim
from reference_csms.payments.stripe import Result
from sim.partners.port import Request, Response

APIS = {HOLD: "orders.authorize", CAPTURE: "orders.capture", RELEASE: "orders.void", REFUND: "orders.refund"}
LONGEST_NUMBER = 20


def order_number(claim: Claim, n: int) -> str:
    """The claim, and for a second authorisation of the same claim which one it is."""
    return claim.claim_id if n == 1 else f"{claim.claim_id}-{n}"


def invoice_number(claim: Claim) -> str:
    """The number of the document, or of the claim where that is too long or was captured in part before."""
    document = claim.document or claim.claim_id
    if claim.paid == 0 and len(document) <= LONGEST_NUMBER:
        return document
    return f"{claim.claim_id[-LONGEST_NUMBER + 2 :]}-{1 + (claim.paid > 0)}"


def params_of(claim: Claim, step: Step, n: int) -> dict[str, Any]:
    """The parameters of a step; the same for each retry. `n`: which attempt of its purpose this is."""
    if step.purpose == HOLD:
        return {
            "orderNumber": order_number(claim, n),
            "amount": step.amount,
            "currency": claim.currency,
            "customer": {"customerNumber": claim.customer},
        }
    if step.purpose == CAPTURE:
        return {
            "orderNumber": claim.held_id,
            "invoiceNumber": invoice_number(claim),
            "amount": step.amount,
            "currency": claim.currency,
        }
    if step.purpose == RELEASE:
        return {"orderNumber": claim.held_id}
    order, _, invoice = str(claim.paid_id).partition(" ")
    return {"orderNumber": order, "invoiceNumber": invoice, "amount": step.amount, "reference": f"{claim.claim_id}-{n}"}


def look(attempt: Attempt) -> Request:
    """How to find out what became of an attempt."""
    return Request(api="orders.retrieve", params={"orderNumber": attempt.params["orderNumber"]})


def found(attempt: Attempt, response: Response) -> Result | None:
    """What a look says: the outcome, or None if the attempt certainly did nothing."""
    if response.status == 404:
        return None
    body = response.body
    if attempt.purpose == HOLD:
        return meaning(attempt, Response(200, body))
    if attempt.purpose == RELEASE:
        return Result(DONE, attempt.amount, attempt.params["orderNumber"]) if body.get("voided") else None
    name, wanted = ("captures", "invoiceNumber") if attempt.purpose == CAPTURE else ("refunds", "reference")
    for one in body.get(name) or ():
        if one.get(wanted) == attempt.params[wanted]:
            return Result(DONE, int(one["amount"]), _id(attempt))
    return None


def meaning(attempt: Attempt, response: Response) -> Result:
    """What an answer to the request itself says."""
    body = response.body
    if response.ok:
        if attempt.purpose == HOLD and body.get("outcome") != "Accepted":
            return Result(DECLINED, reason=str(body.get("outcome")))
        return Result(DONE, attempt.amount, _id(attempt))
    error = body.get("error") or {}
    code = str(error.get("code") or response.status) if isinstance(error, dict) else str(error)
    if response.status in (409, 429) or response.status >= 500:
        return Result(UNKNOWN, reason=code)
    return Result(DECLINED if response.status == 402 else FAILED, reason=code)


def _id(attempt: Attempt) -> str:
    order = str(attempt.params["orderNumber"])
    return f"{order} {attempt.params['invoiceNumber']}" if attempt.purpose == CAPTURE else order
