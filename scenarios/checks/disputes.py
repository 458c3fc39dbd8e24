"""Payments that a cardholder took back: what became of the claim, by the bank's decision and by the terms (for P07).

Whether a dispute was won is the partner's word, and up to how much a lost one is written off is the plan's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from scenarios.checks.registry import Judge
from sim.clock import DAY
from sim.evidence.money_views import BookClaim, BookPayment, PartnerPayment
from sim.evidence.reader import Evidence, line
from sim.evidence.views import BookEntry

HEARD_WITHIN = 2 * DAY
"""How long a dispute may be unknown to the books, ms."""


def disputes_end_by_the_terms(evidence: Evidence, judge: Judge, goodwill: Mapping[str, int]) -> None:
    """Every dispute with the claim of its payment, and with what the journal made of it."""
    moved = evidence.read(PartnerPayment)
    disputes = [one for one in moved if one.kind == "dispute" and one.at + HEARD_WITHIN <= evidence.ended_at()]
    if not disputes:
        return
    keys = {(one.partner, one.id): one.key for one in moved if one.kind == "auth"}
    attempts = {(one.partner, one.key): one for one in evidence.read(BookPayment)}
    claims = {(one.backend, one.claim_id): one for one in evidence.read(BookClaim)}
    for one in disputes:
        judge.examined()
        attempt = attempts.get((one.partner, keys.get((one.partner, one.for_id or "")) or ""))
        claim = claims.get((attempt.backend, attempt.claim_id)) if attempt is not None else None
        if claim is None:
            judge.fail("entry", one.id, "the payment that is disputed belongs to no claim", line(one))
            continue
        entries = [
            entry
            for entry in evidence.read(BookEntry)
            if entry.kind == "dispute" and entry.backend == claim.backend and one.id in (entry.ref or "").split(" ")
        ]
        problem = _problem(one, claim, entries, goodwill)
        if problem:
            name = claim.document or claim.claim_id
            judge.fail("bill", name, f"the claim {problem}", line(claim), line(one), *map(line, entries))
    judge.say(f"{len(disputes)} payments were disputed, {sum(one.state == 'lost' for one in disputes)} of them lost")


def _problem(one: PartnerPayment, claim: BookClaim, entries: list[BookEntry], goodwill: Mapping[str, int]) -> str:
    """What is wrong with the end of a dispute; empty if nothing is."""
    sums: dict[str, int] = {}
    for entry in entries:
        for account, _, amount in json.loads(entry.postings):
            name = str(account).partition(":")[0]
            sums[name] = sums.get(name, 0) + int(amount)
    parked, loss = sums.get("disputed", 0), sums.get("losses", 0)
    waits = one.state not in ("won", "lost")
    if waits and claim.state != "disputed":
        return f"is {claim.state}, and its payment is disputed"
    if parked != (one.amount if waits else 0):
        return f"has {parked} of a dispute parked, which is {one.state}"
    if waits:
        return ""
    if one.state == "won":
        return "" if claim.state == "paid" and not loss else f"is {claim.state}, and the dispute was won"
    if one.amount <= goodwill.get((one.currency or "").upper(), 0):
        let_go = claim.state == "written-off" and loss == one.amount
        return "" if let_go else f"is {claim.state}, and {one.amount} was lost and is to be written off"
    again = claim.state == "open" and claim.refunded >= one.amount and not loss
    return "" if again else f"is {claim.state}, and {one.amount} was lost and is owed again"
