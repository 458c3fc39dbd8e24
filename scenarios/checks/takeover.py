"""What the new company took over: master data unchanged (M02), and claims that waited for an account (M10).

Before and after are what both back-ends hold and what the plan lists as meant to change; an account is as enabled as its
partner says, whatever was believed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Hashable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from scenarios.checks.moves import moves
from scenarios.checks.plan import plan_of
from scenarios.checks.registry import Judge, check
from sim.clock import DAY, Instant, from_datetime, to_datetime, zone
from sim.evidence.billing_views import BookContract, PayoutState
from sim.evidence.money_views import BookClaim, BookPayment, PartnerPayment
from sim.evidence.reader import Evidence, line, note
from sim.evidence.verdict import EvidenceLine
from sim.evidence.views import Access, BookSession, GridPrice

CAUGHT_UP = 7 * DAY
"""How long after an account is enabled a claim may still wait, where no amount per day is agreed, ms."""


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
        days = [_day_of(wave) for wave in plan.get("waves", ()) if owner["owner"] in wave["owners"]]
        for side, key in ((move.old, "contract_old"), (move.new, "contract_new")):
            row = owner.get(key)
            if not row or (side == move.new and (not days or min(days) > _today(evidence, owner))):
                continue
            judge.examined()
            listed.add((side, row["contract"]))
            found = known.get((side, row["contract"]), [])
            problem = f"is {len(found)} times at {side}" if len(found) != 1 else _unlike(row, found[0])
            if not problem and side == move.old and days and min(days) < _today(evidence, owner):
                problem = (
                    "" if found[0].end_day in days else f"ends on {found[0].end_day}, and the site moved on {days}"
                )
            if not problem and side == move.new:
                problem = (
                    "" if found[0].start_day in days else f"begins on {found[0].start_day}, and the move was on {days}"
                )
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
    return "" if sorted(due) == sorted(sold) else f"sells {sold}, and {due} by the plan"


def _day_of(wave: Mapping[str, Any]) -> str:
    return str(wave["announced"][-1]["day"])


def _today(evidence: Evidence, owner: Mapping[str, Any]) -> str:
    """The local day of an owner on which the run ended."""
    return to_datetime(Instant(evidence.ended_at()), zone(str(owner.get("zone") or "UTC"))).date().isoformat()


@check(
    "M10",
    sentence="claims of an account that is not enabled wait without a debit, and are caught up once, by the day's amount",
    planes=("books", "run", "plan"),
    needs=("books_claims", "books_payments", "partner_accounts", "partner_payments"),
)
def waits_for_the_account(evidence: Evidence, judge: Judge) -> None:
    """Every claim at the new side of an owner who could not charge at the deadline or at the claim's birth."""
    plan, move = evidence.plan("upgrade") or {}, moves(evidence)
    limits = {str(name).upper(): int(most) for name, most in (evidence.plan("catch_up_per_day") or {}).items()}
    told: dict[str, list[PayoutState]] = {}
    for state in sorted(evidence.read(PayoutState), key=lambda one: one.at):
        told.setdefault(state.owner or state.account, []).append(state)
    deadline = _deadline(plan)
    taken: dict[tuple[str, str], list[PartnerPayment]] = {}
    keys = {(one.partner, one.key): one for one in evidence.read(BookPayment) if one.backend == move.new}
    for moved in evidence.read(PartnerPayment):
        attempt = keys.get((moved.partner, moved.key or ""))
        if (
            moved.kind == "capture"
            and attempt is not None
            and not (moved.state or "").startswith(("declined", "failed"))
        ):
            taken.setdefault((attempt.backend, attempt.claim_id), []).append(moved)
    caught: dict[tuple[str, str, int], list[PartnerPayment]] = {}
    for claim in evidence.read(BookClaim):
        if claim.backend != move.new or claim.route != "stripe" or not claim.final or not claim.amount:
            continue
        states = told.get(claim.seller or "", [])
        off_then = not _enabled(states, claim.created_at)
        if not off_then or (deadline is not None and claim.created_at < deadline and _enabled(states, deadline)):
            continue
        judge.examined()
        mine = taken.get((claim.backend, claim.claim_id), [])
        problem = _badly_waited(evidence, claim, states, mine, bool(limits))
        if problem:
            rows = [line(one) for one in (*states[-2:], *mine)]
            judge.fail("bill", claim.document or claim.claim_id, f"the claim {problem}", line(claim), *rows)
        for one in mine:
            caught.setdefault((claim.seller or "", (one.currency or "").upper(), one.at // DAY), []).append(one)
    for (owner, currency, _), found in caught.items():
        most, total = limits.get(currency), sum(one.amount for one in found)
        judge.examined()
        if most is not None and total > most and len(found) > 1:
            sentence = f"{total} {currency} were caught up on one day, and {most} are agreed"
            judge.fail("entry", owner, sentence, *map(line, found))
    if caught and not limits:
        judge.say("no amount per day is agreed in the plan")


def _badly_waited(
    evidence: Evidence, claim: BookClaim, states: Sequence[PayoutState], taken: Sequence[PartnerPayment], limited: bool
) -> str:
    early = [one for one in taken if not _enabled(states, one.at)]
    if early:
        return f"was debited at {early[0].at}, while its account could not charge"
    if sum(one.amount for one in taken) > claim.amount or len(taken) > 1:
        return f"was caught up {len(taken)} times"
    if taken or claim.credited >= claim.amount:
        return ""
    since = next((one.at for one in reversed(states) if not one.charges_enabled), 0)
    on = [one.at for one in states if one.charges_enabled and one.at >= since]
    if on and on[0] + CAUGHT_UP < evidence.ended_at() and not limited and claim.state == "waiting-account":
        return "still waits, and its account can charge"
    if not on and claim.state not in ("waiting-account", "cancelled"):
        return f"is {claim.state}, and its account cannot charge"
    return ""


def _enabled(states: Sequence[PayoutState], at: int) -> bool:
    before = [one for one in states if one.at <= at]
    return bool(before) and bool(before[-1].charges_enabled)


def _deadline(plan: Mapping[str, Any]) -> int | None:
    """The end of the last day for onboarding, in the first owner's zone; None without a plan."""
    if not plan.get("deadline"):
        return None
    owners = plan.get("owners") or [{}]
    day = date.fromisoformat(str(plan["deadline"])[:10]) + timedelta(days=1)
    return from_datetime(datetime(day.year, day.month, day.day, tzinfo=zone(str(owners[0].get("zone") or "UTC"))))
