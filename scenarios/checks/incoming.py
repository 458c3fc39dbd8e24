"""What comes in from outside uninvited: payments that are taken back (P07), and events of partners (P15).

What came back is the bank's word, and how an event was signed is that of whoever disturbed it; our books are judged.
"""

from __future__ import annotations

import json

from scenarios.checks.disputes import disputes_end_by_the_terms
from scenarios.checks.registry import Judge, check
from scenarios.checks.upgrade_plan import PlannedUpgrade, compact, upgrade_of
from sim.clock import HOUR
from sim.evidence.billing_views import BookInvoice
from sim.evidence.money_views import BookClaim, PartnerBankLine
from sim.evidence.reader import Evidence, line
from sim.evidence.upgrade_views import Delivered, Disturbed, Receipt

READ_WITHIN = 24 * HOUR
"""How long a line may lie at the bank before a back-end has read it, ms."""
BANK = "bank"


@check(
    "P07",
    sentence="a payment that came back or was lost in a dispute ends as agreed, and what is paid by bank is still there",
    planes=("books", "run", "plan"),
    needs=("books_claims", "books_invoices", "books_statement_lines", "partner_bank"),
)
def returned_is_not_paid(evidence: Evidence, judge: Judge) -> None:
    """Every claim that is paid by transfer: the lines that name its document at accounts of its sellers, both ways.

    And every payment by card that was disputed, with what became of its claim.
    """
    upgrade = upgrade_of(evidence)
    if upgrade is None:
        return
    disputes_end_by_the_terms(evidence, judge, (evidence.plan("upgrade") or {}).get("dispute_goodwill") or {})
    named = {one.reference or one.number: one for one in evidence.read(BookInvoice)}
    lines: dict[str, list[PartnerBankLine]] = {}
    for entry in evidence.read(PartnerBankLine):
        word = next((word for word in (entry.reference or "").replace(",", " ").split() if word in named), None)
        if word is not None and compact(entry.iban) in _accounts(upgrade):
            lines.setdefault(named[word].number, []).append(entry)
    read = {one.line_id.rpartition("/")[2]: one for one in evidence.read(Receipt)}
    late = evidence.ended_at() - READ_WITHIN
    for claim in evidence.read(BookClaim):
        mine = lines.get(claim.document or "", []) if claim.route == BANK else []
        if not mine:
            continue
        judge.examined()
        old, fresh = [one for one in mine if one.at <= late], [one for one in mine if one.at > late]
        sums = {sum(one.amount for one in (*old, *fresh[:count])) for count in range(len(fresh) + 1)}
        back = [one for one in old if one.for_id]
        unread = [one for one in back if one.id not in read or read[one.id].claim_id != claim.claim_id]
        if claim.paid not in sums:
            problem = f"is paid with {claim.paid} here, and the bank has {sum(one.amount for one in old)} of it"
        elif unread:
            problem = f"lost {-unread[0].amount} again, and no line here says so"
        elif claim.state == "paid" and claim.paid < claim.amount - claim.credited:
            problem = f"is called paid, and {claim.amount - claim.credited - claim.paid} of it came back"
        else:
            continue
        rows = [line(one) for one in (*mine, *(read[one.id] for one in mine if one.id in read))]
        judge.fail("bill", claim.document or claim.claim_id, f"the claim {problem}", line(claim), *rows)
    judge.say(f"{sum(bool(one.for_id) for found in lines.values() for one in found)} payments came back")


def _accounts(upgrade: PlannedUpgrade) -> tuple[str, ...]:
    return tuple(iban for seller in (upgrade.old_seller, upgrade.new_seller) for iban in upgrade.accounts(seller))


@check(
    "P15",
    sentence="an event that is not signed with the agreed secret is refused, however true it may be",
    planes=("run",),
    needs=("partner_webhooks", "partner_faults"),
)
def unsigned_is_refused(evidence: Evidence, judge: Judge) -> None:
    """Every delivery that was signed with another secret: nobody took it."""
    attempts: dict[tuple[str, str, int], list[tuple[Delivered, bool]]] = {}
    for delivery in evidence.read(Delivered):
        for at, taken in json.loads(delivery.attempts or "[]"):
            place = (delivery.partner, delivery.event_id, int(at))
            attempts.setdefault(place, []).append((delivery, bool(taken)))
    for fault in evidence.read(Disturbed):
        if fault.kind != "webhook-wrong-secret":
            continue
        judge.examined()
        found = attempts.get((fault.partner, fault.subject or "", fault.at), [])
        if found and all(taken for _, taken in found):
            sentence = f"the event {fault.subject} was taken, and it was not signed as agreed"
            judge.fail("entry", fault.subject or "(none)", sentence, line(fault), line(found[0][0]))
