"""What is owed and what is on its way: receivables (L03), clearing accounts (L04) and open items at the move (M05).

The journal is added up here again; claims, documents and the partner's own balance must give the same. Money is in minor
units, per currency.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from scenarios.checks.fees import PLATFORM, debited, platform_agrees
from scenarios.checks.joins import joined
from scenarios.checks.moves import moves
from scenarios.checks.registry import Judge, check
from sim.clock import DAY
from sim.evidence.billing_views import BalanceLine, BookContract, BookInvoice, BookInvoiceLine, BookPrepaid
from sim.evidence.money_views import BookClaim, BookMovement, BookPayment, PartnerAccount, PartnerPayment
from sim.evidence.reader import Evidence, line, note
from sim.evidence.views import BookBill, BookEntry

OWED = ("receivable:", "invoiced:")
PASSING = ("clearing:", "intercompany:")
LIMIT = 14 * DAY
"""How old what is left on a clearing account may be, ms."""
KNOWN_BY = {"payout": 3 * DAY, "settlement": 3 * DAY, "capture": DAY, "refund": DAY}
"""How long a movement of the partner may be unknown to the books, ms."""


class Posted(Struct, frozen=True):
    """One posting with its entry."""

    entry: BookEntry
    account: str
    currency: str
    amount: int


def postings(evidence: Evidence) -> list[Posted]:
    """Every posting of every journal, in order; made once."""

    def read(source: Evidence) -> list[Posted]:
        return [
            Posted(entry, str(account), str(currency).upper(), int(amount))
            for entry in source.read(BookEntry)
            for account, currency, amount in json.loads(entry.postings)
        ]

    return evidence.keep("postings", read)


def oldest_open(amounts: Iterable[tuple[int, int]]) -> tuple[int, int | None]:
    """(sum, instant of the oldest part of it that nothing has met) of (instant, signed amount) in order of time.

    What comes first is met first; None where nothing is left.
    """
    waiting: deque[tuple[int, int]] = deque()
    for at, amount in amounts:
        left = amount
        while left and waiting and (waiting[0][1] > 0) != (left > 0):
            first, there = waiting.popleft()
            if abs(there) > abs(left):
                waiting.appendleft((first, there + left))
                left = 0
            else:
                left += there
        if left:
            waiting.append((at, left))
    return sum(amount for _, amount in waiting), waiting[0][0] if waiting else None


@check(
    "L03",
    sentence="what each customer owes by the journal is the open amount of claims, and of bills that nothing collects yet",
    planes=("books",),
    needs=("books_journal", "books_claims", "books_bills", "books_invoices", "books_invoice_lines"),
)
def owed_is_open(evidence: Evidence, judge: Judge) -> None:
    """Per back-end, customer and currency: accounts receivable and invoiced against amount - credited - paid + refunded.

    To the open claims come bills (with their corrections) on no invoice and in no claim, and invoices without a claim.
    """
    booked: dict[tuple[str, str, str], int] = {}
    due: dict[tuple[str, str, str], int] = {}
    rows: dict[tuple[str, str, str], list[BookClaim | BookBill | BookInvoice]] = {}
    if not evidence.read(BookClaim):
        return  # nobody keeps claims here, so there is nothing to compare with
    collected = _collected(evidence)
    for one in postings(evidence):
        if one.account.startswith(OWED):
            place = (one.entry.backend, one.account.partition(":")[2], one.currency)
            booked[place] = booked.get(place, 0) + one.amount
            about = (one.entry.backend, (one.entry.ref or "").split(" ")[0])
            if one.entry.kind == "correction" and about not in collected:  # else its claim is changed with it
                due[place] = due.get(place, 0) + one.amount
    for customer, currency, amount, row in _open_items(evidence, collected):
        place = (row.backend, customer, currency)
        due[place] = due.get(place, 0) + amount
        if amount:
            rows.setdefault(place, []).append(row)
    for place in sorted({*booked, *due}):
        judge.examined()
        if booked.get(place, 0) != due.get(place, 0):
            backend, customer, currency = place
            sentence = f"the journal of {backend} says {booked.get(place, 0)} {currency}, open are {due.get(place, 0)}"
            name = f"{backend} {customer}"
            told = [line(row) for row in rows.get(place, ())]
            judge.fail("entry", name, sentence, *told or [note("books", "books_journal", account=customer)])


def _collected(evidence: Evidence) -> set[tuple[str, str | None]]:
    """(back-end, number) of each bill that a claim or an invoice which holds is over."""
    valid = {(one.backend, one.number) for one in evidence.read(BookInvoice) if one.state != "cancelled"}
    lines = [one for one in evidence.read(BookInvoiceLine) if one.kind == "session"]
    found = {(one.backend, one.bill) for one in lines if (one.backend, one.number) in valid}
    return found | {(claim.backend, claim.document) for claim in evidence.read(BookClaim)}


def _open_items(
    evidence: Evidence, collected: set[tuple[str, str | None]]
) -> list[tuple[str, str, int, BookClaim | BookBill | BookInvoice]]:
    """(customer, currency, open amount, row): claims, and bills and invoices that no claim is over."""
    found: list[tuple[str, str, int, BookClaim | BookBill | BookInvoice]] = []
    for claim in evidence.read(BookClaim):
        owed = claim.amount - claim.credited - claim.paid + claim.refunded
        found.append((claim.customer or "", _currency(evidence, claim), owed, claim))
    for bill in evidence.read(BookBill):
        if (bill.backend, bill.number) not in collected:
            found.append((bill.customer or "", (bill.currency or "").upper(), bill.gross, bill))
    for invoice in evidence.read(BookInvoice):
        if invoice.kind in ("drivers", "subscription") and invoice.state != "cancelled" and not invoice.claim_id:
            found.append((invoice.customer or "", (invoice.currency or "").upper(), invoice.gross, invoice))
    return found


def _currency(evidence: Evidence, claim: BookClaim) -> str:
    def read(source: Evidence) -> dict[tuple[str, str], str]:
        found = source.rows("SELECT backend, claim_id, currency FROM books_claims")
        return {(row["backend"], row["claim_id"]): str(row["currency"] or "").upper() for row in found}

    return evidence.keep("currencies of claims", read)[claim.backend, claim.claim_id]


@check(
    "L04",
    sentence="clearing accounts hold what the partner still holds, and none of it for more than 14 days",
    planes=("books", "run"),
    needs=(
        "books_journal",
        "books_movements",
        "books_payments",
        "partner_balance",
        "partner_payments",
        "partner_accounts",
    ),
)
def cleared(evidence: Evidence, judge: Judge) -> None:
    """Every clearing account against the balance of its partner, every intercompany account over both back-ends."""
    accounts: dict[tuple[str, str, str], list[Posted]] = {}
    for one in postings(evidence):
        if one.account.startswith(PASSING):
            home = "" if one.account.startswith("intercompany:") else one.entry.backend
            accounts.setdefault((home, one.account, one.currency), []).append(one)
    for (_, account, currency), posted in sorted(accounts.items(), key=lambda one: one[0]):
        judge.examined()
        posted.sort(key=lambda one: (one.entry.at or 0, one.entry.seq))
        rest, since = oldest_open((one.entry.at or 0, one.amount) for one in posted)
        partner, _, name = account.removeprefix("clearing:").partition(":")
        if name == PLATFORM:
            platform_agrees(evidence, judge, account, currency, [(one.entry, one.amount) for one in posted])
        elif account.startswith("clearing:"):
            _against_partner(evidence, judge, account, currency, rest, posted)
        owed_back = rest < 0 and account.startswith("clearing:")  # refunds after the last payout wait for new earnings
        owed_back &= name != PLATFORM or not debited(evidence, partner, currency)
        if owed_back:
            judge.say(f"{-rest} {currency} are owed to the partner on {account}")
        elif since is not None and since + LIMIT < evidence.ended_at() and not _no_payout(evidence, account):
            days = (evidence.ended_at() - since) // DAY
            sentence = f"{rest} {currency} are left on {account}, the oldest of it for {days} days"
            judge.fail("entry", account, sentence, *(line(one.entry) for one in posted if one.entry.at == since))


def _against_partner(
    evidence: Evidence, judge: Judge, account: str, currency: str, rest: int, posted: list[Posted]
) -> None:
    """What the partner holds before its fees, what each side does not know of the other yet, and fees that are booked."""
    _, partner, name = f"{account}:".split(":", 2)
    name = name.rstrip(":")
    lines = [
        one
        for one in evidence.read(BalanceLine)
        if one.partner == partner and (one.currency or "").upper() == currency and (not name or one.account == name)
    ]
    held, fees = sum(one.amount for one in lines), sum(one.fee or 0 for one in lines)
    waiting = _not_known(evidence, partner, name, currency)
    booked = -sum(one.amount for one in posted if '"fees:' in one.entry.postings)
    if rest == held + waiting - booked and 0 <= booked <= fees:
        return
    sentence = (
        f"{rest} {currency} on {account}, {held} at the partner, {waiting} on the way, {booked} of {fees} in fees"
    )
    judge.fail("entry", account, sentence, *map(line, lines[-5:]), *(line(one.entry) for one in posted[-5:]))


def _not_known(evidence: Evidence, partner: str, name: str, currency: str) -> int:
    """What the books have more than the partner because they cannot know of its latest movements yet."""
    done = {(one.partner, one.key) for one in evidence.read(BookPayment) if one.state == "done"}
    booked = {one.movement_id: one for one in evidence.read(BookMovement)}
    more = 0
    for moved in evidence.read(PartnerPayment):
        if moved.partner != partner or (moved.currency or "").upper() != currency or (name and moved.account != name):
            continue
        fresh = moved.at + KNOWN_BY.get(moved.kind, 0) > evidence.ended_at()
        ours = booked.get(moved.id)
        out_here = ours is not None and ours.state == "paid"
        if moved.kind in ("payout", "settlement") and moved.state in ("in_transit", "paid") and not out_here:
            more += moved.amount if fresh or moved.state == "in_transit" else 0
        elif moved.kind == "capture" and (partner, moved.key) not in done and fresh:
            more -= moved.amount
        elif moved.kind == "refund" and (partner, moved.key) not in done and fresh:
            more += moved.amount
    return more


def _no_payout(evidence: Evidence, account: str) -> bool:
    """Whether the partner could not pay this account out within the limit."""
    name = account.rpartition(":")[2]
    told = sorted((one for one in evidence.read(PartnerAccount) if one.account == name), key=lambda one: one.at)
    lately = [one for one in told if one.at + LIMIT > evidence.ended_at()]
    return bool(told) and (not told[-1].payouts_enabled or any(not one.payouts_enabled for one in lately))


@check(
    "M05",
    sentence="open items of the old company were taken over or stayed with it: the sums agree, and none is in both",
    planes=("truth", "books", "plan"),
    needs=("books_claims", "books_prepaid", "books_sessions", "books_contracts"),
)
def open_items_once(evidence: Evidence, judge: Judge) -> None:
    """Every claim of the old back-end by document and true session, every prepaid row with what became of it."""
    move = moves(evidence)
    there = [
        one for one in evidence.read(BookClaim) if one.backend == move.new and one.amount and one.state != "cancelled"
    ]
    documents = {one.document: one for one in there if one.document}
    cases = joined(evidence).case_of
    sessions = {
        case.truth.session_id: one
        for one in there
        if (case := cases.get((one.backend, one.session_id or ""))) is not None
    }
    left = dict[str, int]()
    for claim in evidence.read(BookClaim):
        if claim.backend != move.old or not claim.amount or claim.state == "cancelled":
            continue
        judge.examined()
        currency = _currency(evidence, claim)
        left[currency] = left.get(currency, 0) + claim.amount - claim.credited - claim.paid + claim.refunded
        case = cases.get((claim.backend, claim.session_id or ""))
        both = documents.get(claim.document or "") or (sessions.get(case.truth.session_id) if case else None)
        if both is not None:
            sentence = f"{claim.document or claim.claim_id} is owed at {move.old} and at {move.new}"
            judge.fail("bill", claim.document or claim.claim_id, sentence, line(claim), line(both))
    _prepaid_once(evidence, judge, move.old)
    judge.say(", ".join(f"{amount} {currency} stay open at {move.old}" for currency, amount in sorted(left.items())))


def _prepaid_once(evidence: Evidence, judge: Judge, old: str) -> None:
    """What was paid in advance to the old company: taken once by the new one, unchanged, and nothing else beside it."""
    rows = evidence.read(BookPrepaid)
    given = {one.prepaid_id: one for one in rows if one.state == "exported"}
    taken: dict[str, list[BookPrepaid]] = {}
    for one in rows:
        if one.state != "exported":
            taken.setdefault(one.prepaid_id, []).append(one)
    ends = {(one.backend, one.contract_id): one.end_day for one in evidence.read(BookContract)}
    for name in sorted({*given, *taken}):
        judge.examined()
        origin, copies = given.get(name), taken.get(name, [])
        if origin is None:
            problem = f"was taken over, and {old} never gave it away"
        elif len(copies) != 1:
            if not copies and not ends.get((origin.backend, origin.contract_id or "")):
                continue
            problem = f"was given away and taken over {len(copies)} times"
        elif _worth(origin) != _worth(copies[0]):
            problem = f"was given away as {_worth(origin)} and taken over as {_worth(copies[0])}"
        else:
            continue
        judge.fail("bill", name, f"the prepaid row {problem}", *map(line, [*([origin] if origin else []), *copies]))


def _worth(one: BookPrepaid) -> str:
    return f"{one.net} {one.currency} of {one.customer} from {one.start_day} to {one.until_day}"
