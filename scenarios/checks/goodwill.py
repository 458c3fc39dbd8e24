"""Money given back: to drivers who were promised it, the part that was promised, and to nobody else without a reason (P13).

The promise is the plan's; whether money went back is the partner's word. A promise is for a paid invoice of that back-end:
without one in time nothing is due.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scenarios.checks.registry import Judge, check
from sim.clock import DAY
from sim.evidence.billing_views import BookInvoiceLine
from sim.evidence.money_views import BookClaim, BookPayment, PartnerPayment
from sim.evidence.reader import Evidence, line, note
from sim.evidence.upgrade_views import CorrectionNote

WITHIN = 12 * DAY
"""An invoice that is paid by then after a promise counts; the desk looks for two days longer, ms."""
GIVEN_WITHIN = 3 * DAY
"""How long after a promise and a paid invoice the money may be on its way, ms."""
DRIVERS = "drivers"
Place = tuple[str, str]


@check(
    "P13",
    sentence="who was promised part of an invoice back got it once, and nothing went back without a promise or a correction",
    planes=("books", "run", "plan"),
    needs=("books_claims", "books_payments", "books_corrections", "books_invoice_lines", "partner_payments"),
)
def promised_and_given(evidence: Evidence, judge: Judge) -> None:
    """Every promise of the plan with the refunds of that customer there; every other refund with its reason."""
    claims = {(one.backend, one.claim_id): one for one in evidence.read(BookClaim)}
    attempts = {(one.partner, one.key): one for one in evidence.read(BookPayment)}
    taken: dict[Place, list[PartnerPayment]] = {}
    back: dict[Place, list[PartnerPayment]] = {}
    for moved in evidence.read(PartnerPayment):
        attempt = attempts.get((moved.partner, moved.key or ""))
        if attempt is None or (moved.state or "").startswith(("declined", "failed")):
            continue  # P11 tells of money that moved without an attempt
        sides = {"capture": taken, "refund": back}.get(moved.kind)
        if sides is not None:
            sides.setdefault((attempt.backend, attempt.claim_id), []).append(moved)
    promised: list[Place] = []
    for promise in (evidence.plan("upgrade") or {}).get("goodwill", ()):
        mine = {
            place: claim
            for place, claim in claims.items()
            if claim.backend == promise["backend"] and claim.customer == promise["customer"] and claim.kind == DRIVERS
        }
        promised += mine
        judge.examined()
        _kept(evidence, judge, promise, mine, taken, back)
    reasons = _corrected(evidence)
    for place, refunds in back.items():
        claim = claims.get(place)
        if claim is None or place in promised:
            continue
        judge.examined()
        if claim.state != "cancelled" and place not in reasons:
            sentence = f"{sum(one.amount for one in refunds)} went back, and nobody promised or corrected anything"
            judge.fail("bill", claim.document or claim.claim_id, sentence, line(claim), *map(line, refunds))


def _kept(
    evidence: Evidence,
    judge: Judge,
    promise: Mapping[str, Any],
    mine: Mapping[Place, BookClaim],
    taken: Mapping[Place, Sequence[PartnerPayment]],
    back: Mapping[Place, Sequence[PartnerPayment]],
) -> None:
    """One promise: one refund, not before it, over its part of an invoice that was paid by then."""
    since = int(promise["at"])
    paid = {place: min(one.at for one in taken[place]) for place in mine if taken.get(place)}
    due = [place for place, at in paid.items() if at <= since + WITHIN]
    given = [(place, one) for place in mine for one in back.get(place, ())]
    told = [note("plan", "upgrade", customer=promise["customer"], backend=promise["backend"], at=since)]
    rows = [*told, *(line(mine[place]) for place in mine), *(line(one) for _, one in given)]
    latest = max(since, min((paid[place] for place in due), default=since)) + GIVEN_WITHIN
    if not given:
        problem = "has got nothing back of what was promised" if due and latest < evidence.ended_at() else ""
    elif len(given) > 1:
        problem = f"has got {len(given)} refunds, and one was promised"
    else:
        ((place, refund),) = given
        part = max(1, mine[place].amount * int(promise["percent"]) // 100)
        problem = "" if refund.amount == part else f"has got {refund.amount} back, and {part} were promised"
        if refund.at < max(since, paid.get(place, since)):
            problem = "got it back before it was promised and paid"
        elif due and refund.at > latest:
            problem = problem or "got it back too late"
    if problem:
        judge.fail("customer", promise["customer"], problem, *rows)


def _corrected(evidence: Evidence) -> list[Place]:
    """(back-end, claim) of each claim with a corrected bill in it."""
    bills = {(one.backend, one.bill) for one in evidence.read(CorrectionNote)}
    numbers = {(one.backend, one.number) for one in evidence.read(BookInvoiceLine) if (one.backend, one.bill) in bills}
    return [
        (one.backend, one.claim_id)
        for one in evidence.read(BookClaim)
        if (one.backend, one.document) in numbers or (one.backend, one.document) in bills
    ]
