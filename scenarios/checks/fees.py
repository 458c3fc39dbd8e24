"""What partners keep, against the books: each fee once, an expense (P10), and the balance of the platform itself (L04).

All of it is the partner's word; the ledger of a back-end is not asked.
"""

from __future__ import annotations

import json

from scenarios.checks.registry import Judge
from sim.clock import DAY
from sim.evidence.billing_views import BalanceLine
from sim.evidence.money_views import PartnerPayment
from sim.evidence.reader import Evidence, line
from sim.evidence.views import BookEntry

PLATFORM = "platform"
"""The last word of the clearing account for what a partner holds for the operator itself."""
KNOWN_WITHIN = 3 * DAY
"""How long a movement on the platform's balance may be unknown to the books, ms."""
BY_EVENT = ("payout", "payout_failure", "adjustment")
"""Types of movements that the books know from events; fees they read from the partner's list."""
Postings = list[tuple[str, str, int]]


def fees_agree(evidence: Evidence, judge: Judge) -> None:
    """Every fee that was taken from the platform's own balance, and every sum of fees that came with settlements."""
    lines = evidence.read(BalanceLine)
    booked: dict[str, list[BookEntry]] = {}
    for entry in evidence.read(BookEntry):
        if entry.kind == "fee":
            booked.setdefault((entry.ref or "").split(" ")[0], []).append(entry)
    settlements = [one for one in evidence.read(PartnerPayment) if one.kind == "settlement"]
    known = {*(one.id for one in lines), *(one.id for one in settlements)}
    for one in lines:
        if one.fee and not one.account:
            judge.examined()
            _taken_from_platform(evidence, judge, one, one.fee, booked.get(one.id, []))
    for name, entries in booked.items():
        judge.examined()
        if name not in known:
            judge.fail("entry", name, "a fee that the partner does not know", *map(line, entries))
    _with_settlements(evidence, judge, settlements, lines, booked)


def _taken_from_platform(
    evidence: Evidence, judge: Judge, one: BalanceLine, fee: int, entries: list[BookEntry]
) -> None:
    """One balance transaction with a fee: one entry, over the fee, against the platform's clearing account."""
    if not entries and one.at + KNOWN_WITHIN > evidence.ended_at():
        return
    postings: Postings = [tuple(row) for entry in entries for row in json.loads(entry.postings)]
    expense = sum(amount for account, _, amount in postings if account == f"fees:{one.partner}")
    strange = [account for account, _, _ in postings if account.startswith("clearing:")]
    right = f"clearing:{one.partner}:{PLATFORM}"
    if expense != fee:
        problem = f"the partner kept {fee} of a {one.type}, and {expense} is booked"
    elif any(account != right for account in strange):
        problem = f"the partner took the fee of a {one.type} from the platform, and it is booked against {strange[0]}"
    else:
        return
    judge.fail("entry", one.id, problem, line(one), *map(line, entries))


def _with_settlements(
    evidence: Evidence,
    judge: Judge,
    settlements: list[PartnerPayment],
    lines: list[BalanceLine],
    booked: dict[str, list[BookEntry]],
) -> None:
    """A partner that tells its fees with each settlement: what is booked is what it kept up to the last one."""
    ends: dict[tuple[str, str], list[PartnerPayment]] = {}
    for one in settlements:
        ends.setdefault((one.partner, (one.currency or "").upper()), []).append(one)
    for (partner, currency), told in ends.items():
        judge.examined()
        kept = [one for one in lines if one.partner == partner and (one.currency or "").upper() == currency]
        entries = [entry for one in told for entry in booked.get(one.id, ())]
        expense = sum(
            amount
            for entry in entries
            for account, _, amount in json.loads(entry.postings)
            if account == f"fees:{partner}"
        )
        old = [one.at for one in told if one.at + KNOWN_WITHIN <= evidence.ended_at()]
        least, most = (
            sum(line.fee or 0 for line in kept if line.at <= until)
            for until in (max(old, default=-1), max(one.at for one in told))
        )
        if not least <= expense <= most:
            sentence = f"{partner} kept {least} {currency} up to its last settlement, and {expense} is booked"
            judge.fail("entry", f"fees:{partner}", sentence, line(told[-1]), *map(line, entries[-5:]))


def platform_agrees(
    evidence: Evidence, judge: Judge, account: str, currency: str, posted: list[tuple[BookEntry, int]]
) -> None:
    """What the partner holds for the platform, fees taken off, is what its clearing account says.

    Charges and their transfers are the owner's and cancel each other out here. What came in the last days may be known to
    one side only: movements and entries of such a thing are left out on both.
    """
    partner = account.split(":")[1]
    lines = [
        one
        for one in evidence.read(BalanceLine)
        if one.partner == partner and not one.account and (one.currency or "").upper() == currency
    ]
    late = [one for one in lines if one.at + KNOWN_WITHIN > evidence.ended_at()]
    events, fees = {one.source or "" for one in late if one.type in BY_EVENT}, {one.id for one in late}
    held = sum((0 if one.source in events else one.amount) - (0 if one.id in fees else one.fee or 0) for one in lines)
    rest = 0
    for entry, amount in posted:
        words = (entry.ref or "").split(" ")
        rest += amount if (words[0] not in fees if entry.kind == "fee" else events.isdisjoint(words)) else 0
    if held != rest:
        sentence = f"{rest} {currency} on {account}, and {held} at the partner"
        judge.fail("entry", account, sentence, *map(line, lines[-5:]), *(line(entry) for entry, _ in posted[-5:]))


def debited(evidence: Evidence, partner: str, currency: str) -> bool:
    """Whether the partner can take what it is owed in a currency from the operator's bank, since it did so before."""
    return any(
        one.kind == "payout" and not one.account and one.partner == partner and (one.currency or "").upper() == currency
        for one in evidence.read(PartnerPayment)
    )
