"""What the new company took over: master data unchanged (M02), and claims that waited for an account (M10).

Before and after are what both back-ends hold and what the plan lists as meant to change; an account is as enabled as its
partner says, whatever was believed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from scenarios.checks.moves import PARTNER, moves
from scenarios.checks.plan import plan_of
from scenarios.checks.registry import Judge, check
from sim.clock import DAY, Instant, to_datetime, zone
from sim.evidence.billing_views import BookContract
from sim.evidence.money_views import BookAccount, BookClaim, BookPayment, PartnerAccount, PartnerPayment
from sim.evidence.reader import Evidence, line, note
from sim.evidence.verdict import EvidenceLine
from sim.evidence.views import Access, BookBill, BookSession, GridPrice

CAUGHT_UP = 7 * DAY
"""How long after the last news of an enabled account a claim may still wait, besides the days that an amount makes, ms."""


@check(
    "M02",
    sentence="customers, contracts, tokens and tariffs: count and checksum after are those before, but for what is listed",
    planes=("books", "quotes", "plan"),
    needs=("books_access", "books_sessions", "books_contracts", "quotes_grid"),
)
def same_masters(evidence: Evidence, judge: Judge) -> None:
    """Tokens by answer and group, tariffs by their prices, customers by token, contracts by the plan of each owner."""
    move = moves(evidence)
    changed = {(str(row["token"]).upper(), row.get("site")) for row in evidence.plan("access_changes") or ()}
    tokens: dict[str, dict[Hashable, str]] = {move.old: {}, move.new: {}}
    for row in evidence.read(Access):
        name = row.token.upper()
        if row.backend in tokens and not {(name, row.site), (name, None)} & changed:
            tokens[row.backend][name, row.site] = f"{row.decision} {row.grp or ''}"
    tariffs: dict[str, dict[Hashable, str]] = {move.old: {}, move.new: {}}
    for price in evidence.read(GridPrice):
        if price.backend in tariffs:
            key = (price.site, price.grp or "", str(price.at), price.component)
            tariffs[price.backend][key] = f"{price.price} {price.currency} {price.vat_percent}"
    for what, sides in (("tokens", tokens), ("tariffs", tariffs)):
        _same(judge, what, sides[move.old], sides[move.new])
    _customers(evidence, judge)
    _contracts(evidence, judge)


def _same(judge: Judge, what: str, before: Mapping[Hashable, str], after: Mapping[Hashable, str]) -> None:
    """One table on both sides: as many rows, and the same checksum."""
    judge.examined(len({*before, *after}))
    sums = [_checksum(side) for side in (before, after)]
    if before or after:
        judge.say(f"{len(before)} {what} before ({sums[0]}), {len(after)} after ({sums[1]})")
    if sums[0] == sums[1]:
        return
    differing = [key for key in sorted({*before, *after}, key=repr) if before.get(key) != after.get(key)]
    sentence = f"{len(before)} {what} before, {len(after)} after, {len(differing)} of them differ"
    rows = [
        note("run", what, key=str(key), before=before.get(key, "missing"), after=after.get(key, "missing"))
        for key in differing[:5]
    ]
    judge.fail("run", what, sentence, *rows)


def _checksum(side: Mapping[Hashable, str]) -> str:
    text = json.dumps(sorted((repr(key), value) for key, value in side.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _customers(evidence: Evidence, judge: Judge) -> None:
    """Who pays for a token: the same in the sessions of both back-ends, and by the plan."""
    plan = plan_of(evidence)
    seen: dict[str, dict[str, BookSession]] = {}
    for session in evidence.read(BookSession):
        if session.customer and plan.knows_token(session.id_tag):
            seen.setdefault((session.id_tag or "").upper(), {}).setdefault(session.customer.upper(), session)
    for token, customers in seen.items():
        judge.examined()
        due = (plan.customer(token) or "").upper()
        if set(customers) != {due}:
            sentence = f"paid for by {' and '.join(sorted(customers))}, and by the plan by {due}"
            judge.fail("token", token, sentence, *map(line, customers.values()))


def _contracts(evidence: Evidence, judge: Judge) -> None:
    """Each owner's contract of the plan: ended at the old side on the day, begun at the new one, and what it sells."""
    move, plan = moves(evidence), evidence.plan("upgrade") or {}
    known: dict[tuple[str, str], list[BookContract]] = {}
    for one in evidence.read(BookContract):
        known.setdefault((one.backend, one.contract_id), []).append(one)
    listed = set()
    for owner in plan.get("owners", ()):
        day = next((_day_of(wave) for wave in plan.get("waves", ()) if owner["owner"] in wave["owners"]), None)
        begun = day is not None and day < _today(evidence, owner)
        for side, key in ((move.old, "contract_old"), (move.new, "contract_new")):
            row = owner.get(key)
            if not row or (side == move.new and day is not None and not begun):
                continue
            judge.examined()
            listed.add((side, row["contract"]))
            found = known.get((side, row["contract"]), [])
            problem = f"is {len(found)} times at {side}" if len(found) != 1 else _unlike(row, found[0])
            if not problem and begun and side == move.old and found[0].end_day != day:
                problem = f"ends on {found[0].end_day}, and the first site moved on {day}"
            if not problem and begun and side == move.new and found[0].start_day != day:
                problem = f"begins on {found[0].start_day}, and the first site moved on {day}"
            if problem:
                rows: Sequence[EvidenceLine] = [line(one) for one in found]
                given = note("plan", "upgrade", contract=row["contract"], owner=owner["owner"])
                judge.fail("bill", row["contract"], f"the contract {problem}", given, *rows)
    for place, found in known.items():
        if plan and place not in listed and place[0] in (move.old, move.new):
            judge.examined()
            judge.fail("bill", place[1], f"a contract at {place[0]} that the plan does not have", *map(line, found))


def _unlike(row: Mapping[str, Any], found: BookContract) -> str:
    """How a contract of the books is not the one of the plan; empty if it is."""
    for name in ("seller", "customer", "currency", "period"):
        if row.get(name) is not None and str(row[name]) != str(getattr(found, name)):
            return f"has the {name} {getattr(found, name)}, and {row[name]} by the plan"
    due = [(one["text"], int(one["net"]), int(one.get("quantity") or 1)) for one in row.get("items", ())]
    sold = [(one["text"], int(one["net"]), int(one.get("quantity") or 1)) for one in json.loads(found.items or "[]")]
    if sorted(due) != sorted(sold):
        return f"sells {sold}, and {due} by the plan"
    rates = row.get("vat") or [{"value": row.get("vat_percent")}]
    planned = [Fraction(str(one["value"])) for one in rates if one["value"] is not None]
    taxed = [Fraction(str(one["value"])) for one in json.loads(found.vat or "[]")]
    if planned and planned != taxed:
        return f"has VAT of {', '.join(map(str, taxed)) or 'no'} %, and {', '.join(map(str, planned))} % by the plan"
    return ""


def _day_of(wave: Mapping[str, Any]) -> str:
    return str(wave["announced"][-1]["day"])


def _today(evidence: Evidence, owner: Mapping[str, Any]) -> str:
    """The local day of an owner on which the run ended."""
    return to_datetime(Instant(evidence.ended_at()), zone(str(owner.get("zone") or "UTC"))).date().isoformat()


@check(
    "M10",
    sentence="claims of an account that is not enabled wait without a debit, and are caught up once, by the day's amount",
    planes=("books", "run", "plan"),
    needs=("books_claims", "books_bills", "books_payments", "books_accounts", "partner_accounts", "partner_payments"),
)
def waits_for_the_account(evidence: Evidence, judge: Judge) -> None:
    """Every claim at the new back-end that was born while the account of its owner could not charge.

    The amount per day and currency is agreed in the plan (`catch_up_per_day`); a larger claim goes alone.
    """
    limits = {str(name).upper(): int(most) for name, most in (evidence.plan("catch_up_per_day") or {}).items()}
    states = _states(evidence)
    attempts = {(one.partner, one.key): one for one in evidence.read(BookPayment)}
    taken: dict[tuple[str, str], list[tuple[PartnerPayment, BookPayment]]] = {}
    for moved in evidence.read(PartnerPayment):
        attempt = attempts.get((moved.partner, moved.key or ""))
        if (
            moved.kind == "capture"
            and attempt is not None
            and not (moved.state or "").startswith(("declined", "failed"))
        ):
            taken.setdefault((attempt.backend, attempt.claim_id), []).append((moved, attempt))
    waiting: dict[str, list[BookClaim]] = {}
    billed = {(one.backend, one.number): one.issued_at or 0 for one in evidence.read(BookBill)}
    for claim in evidence.read(BookClaim):
        born = max(
            claim.created_at, billed.get((claim.backend, claim.document or ""), 0)
        )  # a hold comes before its bill
        ours = claim.backend == moves(evidence).new and claim.route == PARTNER["new"] and claim.final and claim.amount
        if ours and not _enabled(states.get(claim.seller or "", ()), born):
            waiting.setdefault(claim.seller or "", []).append(claim)
    for owner, claims in waiting.items():
        judge.examined(len(claims))
        mine = {claim.claim_id: taken.get((claim.backend, claim.claim_id), []) for claim in claims}
        most = min(limits.values(), default=0)
        days = 2 * sum(claim.amount for claim in claims) // most + 1 if most else 0
        for claim in claims:
            found = [moved for moved, _ in mine[claim.claim_id]]
            problem = _badly_waited(claim, states.get(owner, ()), found, evidence.ended_at() - CAUGHT_UP - days * DAY)
            if problem:
                rows = [line(one) for one in (*states.get(owner, ())[-2:], *found)]
                judge.fail("bill", claim.document or claim.claim_id, f"the claim {problem}", line(claim), *rows)
        _by_the_day(judge, owner, [pair for pairs in mine.values() for pair in pairs], limits)
    if waiting and not limits:
        judge.say("no amount per day is agreed in the plan")


def _states(evidence: Evidence) -> dict[str, list[PartnerAccount]]:
    """What the partner says of the account of each owner, in order of time."""
    owners = {one.account: one.owner for one in evidence.read(BookAccount)}
    found: dict[str, list[PartnerAccount]] = {}
    for state in sorted(evidence.read(PartnerAccount), key=lambda one: one.at):
        found.setdefault(state.owner or owners.get(state.account) or state.account, []).append(state)
    return found


def _badly_waited(
    claim: BookClaim, states: Sequence[PartnerAccount], taken: Sequence[PartnerPayment], since: int
) -> str:
    """What is wrong with a claim that had to wait; empty if nothing is. `since`: enabled before then, it is overdue."""
    early = [one for one in taken if not _enabled(states, one.at)]
    if early:
        return f"was debited at {early[0].at}, while its account could not charge"
    if len(taken) > 1:
        return f"was caught up {len(taken)} times"
    if taken or claim.credited >= claim.amount:
        return ""
    if not any(state.charges_enabled for state in states if state.at >= claim.created_at):
        waits = claim.state.startswith("waiting") or claim.state == "cancelled"
        return "" if waits else f"is {claim.state}, and its account cannot charge"
    overdue = bool(states[-1].charges_enabled) and all(one.at < since for one in states)
    return "still waits, and its account can charge" if overdue and claim.state == "waiting-account" else ""


def _by_the_day(
    judge: Judge, owner: str, caught: Sequence[tuple[PartnerPayment, BookPayment]], limits: Mapping[str, int]
) -> None:
    """What was planned on one day (UTC) for claims that had waited."""
    days: dict[tuple[str, int], list[PartnerPayment]] = {}
    for moved, attempt in caught:
        days.setdefault(((moved.currency or "").upper(), attempt.created_at // DAY), []).append(moved)
    for (currency, _), found in days.items():
        most, total = limits.get(currency), sum(one.amount for one in found)
        if most is not None and total > most and len(found) > 1:
            sentence = f"{total} {currency} were caught up on one day, and {most} are agreed"
            judge.fail("entry", owner, sentence, *map(line, found))


def _enabled(states: Sequence[PartnerAccount], at: int) -> bool:
    before = [one for one in states if one.at <= at]
    return bool(before) and bool(before[-1].charges_enabled)
