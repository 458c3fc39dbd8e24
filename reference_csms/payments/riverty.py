"""Riverty in its own words: authorise an order, capture it under our invoice number, refund, void. No state, no booking.

Riverty knows no idempotency keys: the numbers are the keys. An order has that of its claim, a capture our `invoice_number`
of at most 20 characters, a refund our `credit_note_number`, each used once (billing.md §8). So what is unknown is looked
for first, and asked again under the same numbers only if it is certainly not there.
"""

from __future__ import annotations

from typing import Any

from reference_csms.payments.claims import Step
from reference_csms.payments.rows import CAPTURE, DECLINED, DONE, FAILED, HOLD, REFUND, RELEASE, UNKNOWN, Attempt, Claim
from reference_csms.payments.stripe import Result
from sim.partners.port import Request, Response

APIS = {HOLD: "checkout.authorize", CAPTURE: "captures.create", RELEASE: "voids.create", REFUND: "refunds.create"}
LONGEST_NUMBER = 20


def order_number(claim: Claim, n: int) -> str:
    """The claim, and for a second authorisation of the same claim which one it is."""
    return claim.claim_id if n == 1 else f"{claim.claim_id}-{n}"


def invoice_number(claim: Claim, n: int) -> str:
    """The number of the document for the first capture if it fits, else that of the claim and which capture it is."""
    document = claim.document or claim.claim_id
    if n == 1 and len(document) <= LONGEST_NUMBER:
        return document
    return f"{claim.claim_id[-LONGEST_NUMBER + 1 + len(str(n)) :]}-{n}"


def params_of(claim: Claim, step: Step, n: int, email: str, paid_id: str | None) -> dict[str, Any]:
    """The parameters of a step; the same for each retry. `n`: which attempt of its purpose this is."""
    if step.purpose == HOLD:
        return {
            "order_number": order_number(claim, n),
            "amount": step.amount,
            "currency": claim.currency,
            "email": email,
        }
    if step.purpose == CAPTURE:
        return {"order_number": claim.held_id, "invoice_number": invoice_number(claim, n), "amount": step.amount}
    if step.purpose == RELEASE:
        return {"order_number": claim.held_id}
    order, _, invoice = str(paid_id).partition(" ")
    note = f"{claim.claim_id}-R{n}"
    return {"order_number": order, "invoice_number": invoice, "amount": step.amount, "credit_note_number": note}


def look(attempt: Attempt) -> Request:
    """How to find out what became of an attempt."""
    return Request(api="orders.retrieve", params={"order_number": attempt.params["order_number"]})


def found(attempt: Attempt, response: Response) -> Result | None:
    """What a look says: the outcome; unknown for any error; None if it was certainly not done, and still can be."""
    params, body = attempt.params, response.body
    if not response.ok:
        missing = attempt.purpose == HOLD and response.status == 404 and code_of(response) == "order_not_found"
        return None if missing else Result(UNKNOWN, reason=f"look {code_of(response)}")
    if attempt.purpose == HOLD:
        same = (body["amount"], body["currency"]) == (attempt.amount, attempt.currency)
        return meaning(attempt, response) if same else Result(FAILED, reason="order_number_used")
    in_use = attempt.last_status == 409  # the number, and if it is not found below, then for something else
    nothing = Result(FAILED, reason=attempt.reason) if in_use else None
    remaining = int(body.get("remaining") or 0)
    if attempt.purpose == RELEASE:
        if body.get("voided"):
            return Result(DONE, attempt.amount, params["order_number"])
        return None if remaining else Result(FAILED, reason="nothing_to_void")
    captures = {one["invoice_number"]: one for one in body["captures"]}
    if attempt.purpose == CAPTURE:
        mine = captures.get(params["invoice_number"])
        if mine is not None:
            return Result(DONE, int(mine["amount"]), _id(attempt))
        return nothing if remaining >= attempt.amount else Result(FAILED, reason="amount_exceeds_authorized")
    for refund in body["refunds"]:
        if refund["credit_note_number"] == params["credit_note_number"]:
            return Result(DONE, int(refund["amount"]), _id(attempt))
    paid = captures.get(params["invoice_number"])
    left = int(paid["amount"]) - int(paid["refunded"]) if paid else 0
    return nothing if left >= attempt.amount else Result(FAILED, reason="amount_exceeds_captured")


def meaning(attempt: Attempt, response: Response) -> Result:
    """What an answer to the request itself says.

    A number that is in use, or a refusal of what had been asked before, may be the trace of our own first try: unknown,
    until it was looked for.
    """
    if response.ok:
        if attempt.purpose == HOLD and response.body.get("outcome") != "Accepted":
            return Result(DECLINED, reason=str(response.body.get("outcome")))
        return Result(DONE, attempt.amount, _id(attempt))
    code = code_of(response)
    if response.status in (409, 429) or response.status >= 500 or attempt.tries > 1:
        return Result(UNKNOWN, reason=code)
    return Result(DECLINED if response.status == 402 else FAILED, reason=code)


def code_of(response: Response) -> str:
    """Why a partner said no, in one word."""
    error = response.body.get("error") or {}
    return str(error.get("code") or error.get("type") or response.status) if isinstance(error, dict) else str(error)


def _id(attempt: Attempt) -> str:
    order = str(attempt.params["order_number"])
    return f"{order} {attempt.params['invoice_number']}" if attempt.purpose == CAPTURE else order
