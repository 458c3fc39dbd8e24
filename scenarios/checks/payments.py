"""Money that moves: what the books say of each attempt, against what the partner keeps itself (P01..P12).

A movement of a partner belongs to the attempt that has its idempotency key. The partner's word on whether money moved
counts, never ours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from scenarios.checks.fees import fees_agree
from scenarios.checks.registry import Judge, check
from sim.clock import HOUR
from sim.evidence.money_views import (
    BookAccount,
    BookClaim,
    BookMovement,
    BookPayment,
    BookWebhook,
    PartnerAccount,
    PartnerBankLine,
    PartnerPayment,
    PartnerRequest,
)
from sim.evidence.reader import Evidence, line
from sim.evidence.views import BookEntry, BookSession

DELAY = 24 * HOUR
"""How long books may lag behind a partner, and a hold may outlive its session, ms."""
NOTICED = 7 * HOUR
"""By when a back-end has noticed that an account was switched off, ms; it reads each account every six hours."""
DEBITS = ("hold", "capture", "charge")
LOOKS = ("retrieve", "search", "list")
PAYOUTS = {"payout", "settlement"}
_MOVES = {"capture": "capture", "charge": "capture", "refund": "refund"}


def _attempts(evidence: Evidence) -> dict[tuple[str, str], BookPayment]:
    """Attempts by partner and key."""
    return evidence.keep("attempts", lambda e: {(one.partner, one.key): one for one in e.read(BookPayment)})


def _moved(evidence: Evidence, *kinds: str) -> list[PartnerPayment]:
    """Movements of these kinds that took place, in the order of time."""
    found = [one for one in evidence.read(PartnerPayment) if one.kind in kinds]
    return sorted((one for one in found if not (one.state or "").startswith(("declined", "failed"))), key=_at)


def _at(one: PartnerPayment) -> int:
    return one.at


@check(
    "P01",
    sentence="captured minus refunded is never above what is owed, over all partners, at every moment",
    planes=("books", "run"),
    needs=("books_claims", "books_payments", "partner_payments"),
)
def never_more_than_owed(evidence: Evidence, judge: Judge) -> None:
    """Every movement with the claim of its key; the running sum of each claim."""
    claims = {(one.backend, one.claim_id): one for one in evidence.read(BookClaim)}
    attempts, sums = _attempts(evidence), dict[tuple[str, str], int]()
    for moved in _moved(evidence, "capture", "refund"):
        attempt = attempts.get((moved.partner, moved.key or ""))
        claim = claims.get((attempt.backend, attempt.claim_id)) if attempt else None
        if attempt is None or claim is None:
            continue  # P11 tells of it
        judge.examined()
        place = (claim.backend, claim.claim_id)
        sums[place] = sums.get(place, 0) + (moved.amount if moved.kind == "capture" else -moved.amount)
        if sums[place] > claim.amount:
            sentence = f"{sums[place]} is taken at {moved.at}, and {claim.amount} is owed"
            judge.fail("bill", claim.document or claim.claim_id, sentence, line(claim), line(moved), line(attempt))


@check(
    "P02",
    sentence="while the outcome of an attempt is unknown, none follows under a new key",
    planes=("books", "run"),
    needs=("books_payments", "partner_requests"),
)
def no_new_key_while_unknown(evidence: Evidence, judge: Judge) -> None:
    """Attempts of one claim and purpose, one after the other: the one before answered, or looked for, or done nothing."""
    asked: dict[tuple[str, str], list[PartnerRequest]] = {}
    looks: dict[str, list[int]] = {}
    for request in evidence.read(PartnerRequest):
        if request.key:
            asked.setdefault((request.partner, request.key), []).append(request)
        if request.api.rpartition(".")[2] in LOOKS:
            looks.setdefault(request.partner, []).append(request.at)
    moved = {(one.partner, one.key) for one in _moved(evidence, "auth", "capture", "refund", "void")}
    last: dict[tuple[str, str, str], BookPayment] = {}
    for attempt in sorted(evidence.read(BookPayment), key=lambda one: (one.backend, one.created_at, one.attempt_id)):
        if attempt.asked_at is None:
            continue
        judge.examined()
        place = (attempt.backend, attempt.claim_id, attempt.purpose)
        before, last[place] = last.get(place), attempt
        if before is None or before.key == attempt.key or attempt.asked_at is None:
            continue
        sent = asked.get((before.partner, before.key), [])
        unsure = not sent or sent[-1].status is None or sent[-1].status >= 500
        looked = any(sent and sent[-1].at <= at <= attempt.asked_at for at in looks.get(before.partner, ()))
        open_then = before.settled_at is None or before.settled_at > attempt.asked_at
        given_up = before.state == "lapsed" and (before.partner, before.key) in moved
        if open_then or given_up or (unsure and not looked and bool(sent)):
            sentence = f"{attempt.purpose} is asked under {attempt.key} while {before.key} is unknown"
            judge.fail("bill", attempt.claim_id, sentence, line(before), line(attempt), *map(line, sent))


@check(
    "P03",
    sentence="an idempotency key is used with one set of parameters only",
    planes=("run",),
    needs=("partner_requests",),
)
def one_key_one_request(evidence: Evidence, judge: Judge) -> None:
    """Every request with a key: same call and same parameters as the first with it."""
    first: dict[tuple[str, str], PartnerRequest] = {}
    for request in evidence.read(PartnerRequest):
        if not request.key:
            continue
        judge.examined()
        known = first.setdefault((request.partner, request.key), request)
        if (known.api, known.params_hash) != (request.api, request.params_hash):
            judge.fail("entry", request.key, "the key came with other parameters", line(known), line(request))


@check(
    "P04",
    sentence="each event of a partner has its effect once, however often and in whatever order it comes",
    planes=("books",),
    needs=("books_webhooks", "books_movements", "books_journal"),
)
def each_event_once(evidence: Evidence, judge: Judge) -> None:
    """Each event stands once in the books; what a payout, dispute or fee moved in the journal is its amount, once."""
    seen: dict[tuple[str, str], BookWebhook] = {}
    for event in evidence.read(BookWebhook):
        judge.examined()
        known = seen.setdefault((event.backend, event.event_id), event)
        if known is not event:
            judge.fail("entry", event.event_id, "the event was taken twice", line(known), line(event))
    by_word: dict[tuple[str, str], list[BookEntry]] = {}
    for entry in evidence.read(BookEntry):
        if entry.kind in ("payout", "dispute", "fee"):
            for word in (entry.ref or "").split(" "):
                by_word.setdefault((entry.backend, word), []).append(entry)
    owners = {(one.backend, one.account): one.owner for one in evidence.read(BookAccount)}
    for one in evidence.read(BookMovement):
        judge.examined()
        entries = [entry for entry in by_word.get((one.backend, one.movement_id), ()) if entry.kind == one.kind]
        prefix = "bank:" if one.kind == "payout" else "clearing:"
        total = sum(
            amount for entry in entries for name, _, amount in json.loads(entry.postings) if name.startswith(prefix)
        )
        out = one.state in ("paid", "withdrawn", "lost")
        due = (one.amount if prefix == "bank:" else -one.amount) if out else 0
        if total != due:
            sentence = f"the {one.kind} is {one.state} over {one.amount}, and the journal moved {total}"
            judge.fail("entry", one.movement_id, sentence, line(one), *map(line, entries))
        owner = owners.get((one.backend, one.account or ""))
        banks = {name for entry in entries for name, _, _ in json.loads(entry.postings) if name.startswith("bank:")}
        strange = sorted(banks - {f"bank:{owner}"}) if owner and one.kind == "payout" else []
        if strange:
            sentence = f"the payout of {owner} is booked to {', '.join(strange)}"
            judge.fail("entry", one.movement_id, sentence, line(one), *map(line, entries))


@check(
    "P05",
    sentence="nothing is debited or booked but for the account of who is owed, and debited only while it can charge",
    planes=("books", "run"),
    needs=("books_claims", "books_payments", "books_accounts", "partner_accounts", "partner_payments"),
)
def only_enabled_accounts(evidence: Evidence, judge: Judge) -> None:
    """Every debit that was asked for an account: that of the claim's seller, enabled there and by what was believed here.

    The account that stands in a claim is its seller's too, and stands there once money was taken.
    """
    claims = {(one.backend, one.claim_id): one for one in evidence.read(BookClaim)}
    told: dict[str, list[PartnerAccount]] = {}
    for one in sorted(evidence.read(PartnerAccount), key=lambda row: row.at):
        told.setdefault(one.account, []).append(one)
    believed: dict[tuple[str, str], list[BookAccount]] = {}
    for note in evidence.read(BookAccount):
        believed.setdefault((note.backend, note.account), []).append(note)
    for moved in _moved(evidence, "capture"):
        if moved.partner == "stripe" and moved.account:
            judge.examined()
            state = [one for one in told.get(moved.account, ()) if one.at <= moved.at]
            if not state or not state[-1].charges_enabled:
                judge.fail("entry", moved.id, "captured for an account that cannot charge", line(moved))
    _of_their_seller(judge, claims.values(), told)
    for attempt in evidence.read(BookPayment):
        if attempt.partner != "stripe" or attempt.purpose not in DEBITS or attempt.asked_at is None:
            continue
        judge.examined()
        at = attempt.asked_at
        ours = [one for one in believed.get((attempt.backend, attempt.account or ""), ()) if one.at <= at]
        theirs = [one for one in told.get(attempt.account or "", ()) if one.at <= at]
        long_off = [one for one in told.get(attempt.account or "", ()) if at - NOTICED <= one.at <= at]
        off_there = not theirs or (not theirs[-1].charges_enabled and not long_off)
        if not ours or not ours[-1].charges_enabled or off_there:
            sentence = f"{attempt.purpose} asked for {attempt.account or 'no account'}, which cannot charge"
            judge.fail("bill", attempt.claim_id, sentence, line(attempt), *map(line, [*ours[-1:], *theirs[-1:]]))
        claim = claims.get((attempt.backend, attempt.claim_id))
        owner = theirs[-1].owner if theirs else None
        if claim is not None and owner and claim.seller and owner != claim.seller:
            sentence = f"{attempt.purpose} asked for the account of {owner}, and {claim.seller} is owed"
            judge.fail("bill", attempt.claim_id, sentence, line(attempt), line(claim), line(theirs[-1]))


def _of_their_seller(judge: Judge, claims: Iterable[BookClaim], told: Mapping[str, list[PartnerAccount]]) -> None:
    """The account that a claim names."""
    for claim in claims:
        if claim.route != "stripe":
            continue
        judge.examined()
        known = told.get(claim.account or "", [])
        owner = known[-1].owner if known else None
        if claim.account is None:
            problem = f"{claim.paid} were taken for no account" if claim.paid else ""
        elif not known:
            problem = f"names the account {claim.account}, which the partner does not know"
        else:
            strange = owner is not None and owner != claim.seller
            problem = f"names the account of {owner}, and {claim.seller} is owed" if strange else ""
        if problem:
            judge.fail(
                "bill", claim.document or claim.claim_id, f"the claim {problem}", line(claim), *map(line, known[-1:])
            )


@check(
    "P09",
    sentence="no more is captured than is authorised, and what is held is let go within a day of the end of its session",
    planes=("books", "run"),
    needs=("books_claims", "books_payments", "books_sessions", "partner_payments"),
)
def holds_are_let_go(evidence: Evidence, judge: Judge) -> None:
    """Every authorisation with its captures; the held ones, less what was captured and voided, with their session's end."""
    claims = {(one.backend, one.claim_id): one for one in evidence.read(BookClaim)}
    ends = {(one.backend, one.session_id): one.stopped_at for one in evidence.read(BookSession)}
    attempts, captures = _attempts(evidence), dict[tuple[str, str | None], list[PartnerPayment]]()
    for one in _moved(evidence, "capture"):
        captures.setdefault((one.partner, one.for_id), []).append(one)
    voids: dict[tuple[str, str | None], list[PartnerPayment]] = {}
    for one in _moved(evidence, "void"):
        voids.setdefault((one.partner, one.for_id), []).append(one)
    for auth in _moved(evidence, "auth"):
        judge.examined()
        taken = captures.get((auth.partner, auth.id), [])
        if sum(one.amount for one in taken) > auth.amount:
            judge.fail("entry", auth.id, "more is captured than is authorised", line(auth), *map(line, taken))
        attempt = attempts.get((auth.partner, auth.key or ""))
        claim = claims.get((attempt.backend, attempt.claim_id)) if attempt else None
        ended = ends.get((claim.backend, claim.session_id or "")) if claim else None
        if claim is None or ended is None or ended + DELAY >= evidence.ended_at() or auth.state == "captured":
            continue
        let_go = [one for one in voids.get((auth.partner, auth.id), ()) if one.at <= ended + DELAY]
        held = auth.amount - sum(one.amount for one in (*taken, *let_go))
        if held > 0:
            sentence = f"{held} is held a day after the end of its session at {ended}"
            judge.fail("entry", auth.id, sentence, line(auth), line(claim))


@check(
    "P10",
    sentence="each payout and fee is the same at the partner, in the books and on the statement of the bank",
    planes=("books", "run"),
    needs=("books_movements", "books_journal", "partner_payments", "partner_balance", "partner_bank"),
)
def payouts_agree(evidence: Evidence, judge: Judge) -> None:
    """Every payout and settlement: one bank line, and for payouts one booked movement. Then every fee.

    A payout of the platform itself is negative where the partner debits what it is owed.
    """
    fees_agree(evidence, judge)
    banked: dict[str, list[PartnerBankLine]] = {}
    for entry in evidence.read(PartnerBankLine):
        banked.setdefault(entry.reference or entry.end_to_end or "", []).append(entry)
    booked = {one.movement_id: one for one in evidence.read(BookMovement) if one.kind == "payout"}
    there = set()
    for payout in evidence.read(PartnerPayment):
        if payout.kind not in PAYOUTS:
            continue
        judge.examined()
        there.add(payout.id)
        lines, ours = banked.get(payout.id, []), booked.get(payout.id)
        paid = payout.state == "paid"
        rows = [line(payout), *map(line, lines), *([line(ours)] if ours else [])]
        if sum(one.amount for one in lines) != (payout.amount if paid else 0) and payout.state != "in_transit":
            judge.fail("entry", payout.id, "the statement of the bank shows another amount", *rows)
        late = payout.at + 3 * DELAY < evidence.ended_at()
        if payout.kind == "payout" and paid and late and (ours is None or ours.state != "paid"):
            judge.fail("entry", payout.id, "paid out, and not booked", *rows)
        elif ours is not None and ours.amount != payout.amount:
            judge.fail("entry", payout.id, f"booked with {ours.amount}", *rows)
    for one in booked.values():
        if one.movement_id not in there:
            judge.fail("entry", one.movement_id, "a payout that the partner does not know", line(one))


@check(
    "P11",
    sentence="paid here is succeeded there, and the other way round, within a day",
    planes=("books", "run"),
    needs=("books_claims", "books_payments", "partner_payments"),
)
def paid_is_succeeded(evidence: Evidence, judge: Judge) -> None:
    """Every attempt with the movements of its key, every movement with its attempt, every claim with its attempts."""
    there: dict[tuple[str, str], list[PartnerPayment]] = {}
    for moved in _moved(evidence, "capture", "refund"):
        there.setdefault((moved.partner, moved.key or ""), []).append(moved)
    sums: dict[tuple[str, str, str], int] = {}
    for (partner, key), attempt in _attempts(evidence).items():
        kind = _MOVES.get(attempt.purpose)
        if kind is None:
            continue
        judge.examined()
        found = [one for one in there.pop((partner, key), []) if one.kind == kind]
        moved_there = sum(one.amount for one in found)
        if attempt.state == "done":
            place = (attempt.backend, attempt.claim_id, kind)
            sums[place] = sums.get(place, 0) + moved_there
            problem = "" if moved_there == attempt.amount else f"done here over {attempt.amount}"
        else:
            late = any(one.at + DELAY < evidence.ended_at() for one in found)
            problem = f"{attempt.state} here" if late else ""
        if problem:
            sentence = f"{attempt.purpose} is {problem}, and {moved_there} moved there"
            judge.fail("bill", attempt.claim_id, sentence, line(attempt), *map(line, found))
    for (_, key), rest in there.items():
        for moved in rest:
            if key and moved.at + DELAY < evidence.ended_at():
                judge.examined()
                judge.fail("entry", moved.id, "money moved there that no attempt here knows", line(moved))
    for claim in evidence.read(BookClaim):
        taken = sums.get((claim.backend, claim.claim_id, "capture"), 0)
        if claim.route != "bank" and claim.paid != taken:
            judge.fail("bill", claim.claim_id, f"paid {claim.paid} here, and {taken} there", line(claim))


@check(
    "P12",
    sentence="money goes back by the partner that took it",
    planes=("books",),
    needs=("books_payments",),
)
def back_the_same_way(evidence: Evidence, judge: Judge) -> None:
    """Every refund with the payments of its claim."""
    paid: dict[tuple[str, str], set[str]] = {}
    for one in evidence.read(BookPayment):
        if one.purpose in ("capture", "charge") and one.state == "done":
            paid.setdefault((one.backend, one.claim_id), set()).add(one.partner)
    for one in evidence.read(BookPayment):
        if one.purpose == "refund" and one.asked_at is not None:
            judge.examined()
            ways = paid.get((one.backend, one.claim_id), set())
            if one.partner not in ways:
                by = ", ".join(sorted(ways)) or "nobody"
                judge.fail("bill", one.claim_id, f"refunded by {one.partner}, and paid by {by}", line(one))
