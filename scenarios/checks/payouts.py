"""What owners are paid out: while the partner vouches for them, all that was earned, once, to their account (INV-24, P14).

All of it is the word of the partner and of the bank: movements, balance, and the lines of accounts.
"""

from __future__ import annotations

import json

from scenarios.checks.registry import Judge, check
from scenarios.checks.upgrade_plan import compact
from sim.clock import DAY
from sim.evidence.billing_views import BalanceLine
from sim.evidence.money_views import PartnerAccount, PartnerBankLine, PartnerPayment
from sim.evidence.reader import Evidence, line
from sim.evidence.views import BookEntry

PATIENCE = 8 * DAY
"""By when an account that may be paid has been paid what is available, ms; the longest interval of payouts is a week."""
_OUT = ("payout", "payout_failure")
_EARNED = ("transfer", "reversal")
Place = tuple[str, str, str]
"""Partner, account and currency."""


@check(
    "INV-24",
    sentence="an owner is paid out only while the partner lets the account, and what was earned is held or paid, once",
    planes=("run",),
    needs=("partner_payments", "partner_balance", "partner_accounts"),
)
def paid_out_when_vouched_for(evidence: Evidence, judge: Judge) -> None:
    """Every payout with the state of its account; per account and currency what came in against what went out."""
    states: dict[tuple[str, str], list[PartnerAccount]] = {}
    for state in sorted(evidence.read(PartnerAccount), key=lambda one: one.at):
        states.setdefault((state.partner, state.account), []).append(state)
    payouts: dict[Place, list[PartnerPayment]] = {}
    for moved in evidence.read(PartnerPayment):
        if moved.kind != "payout" or not moved.account:
            continue
        judge.examined()
        payouts.setdefault((moved.partner, moved.account, (moved.currency or "").upper()), []).append(moved)
        known = _in_force(states.get((moved.partner, moved.account), []), moved.at)
        if not any(one.payouts_enabled for one in known):
            rows = [line(one) for one in known]
            judge.fail("entry", moved.id, f"paid out to {moved.account}, which may not be paid", line(moved), *rows)
    _all_accounted(evidence, judge, states, payouts)


def _in_force(states: list[PartnerAccount], at: int) -> list[PartnerAccount]:
    """The states of an account at an instant: more than one if it changed at that very instant, whichever came first."""
    before = [one for one in states if one.at < at]
    return [*before[-1:], *(one for one in states if one.at == at)]


def _all_accounted(
    evidence: Evidence,
    judge: Judge,
    states: dict[tuple[str, str], list[PartnerAccount]],
    payouts: dict[Place, list[PartnerPayment]],
) -> None:
    """Charges less fees and refunds are what was paid out and what is left, for each account and currency."""
    balance: dict[Place, list[BalanceLine]] = {}
    for one in evidence.read(BalanceLine):
        if one.account:
            balance.setdefault((one.partner, one.account, (one.currency or "").upper()), []).append(one)
    moved: dict[Place, list[PartnerPayment]] = {}
    for movement in evidence.read(PartnerPayment):
        if movement.account and movement.kind in _EARNED:
            place = (movement.partner, movement.account, (movement.currency or "").upper())
            moved.setdefault(place, []).append(movement)
    held = 0
    for place in dict.fromkeys([*moved, *balance, *payouts]):
        judge.examined()
        lines, out = balance.get(place, []), payouts.get(place, [])
        earned = sum(one.net for one in lines if one.type not in _OUT)
        paid = sum(one.amount for one in out if one.state in ("paid", "in_transit"))
        rest = sum(one.net for one in lines)
        held += rest > 0
        if earned != paid + rest:
            sentence = f"{earned} {place[2]} was earned, {paid} paid out, and {rest} is left"
            judge.fail("entry", place[1], sentence, *map(line, out), *map(line, lines[-3:]))
        _each_once(judge, place[1], lines, out, moved.get(place, []))
        _in_time(evidence, judge, place[1], states.get(place[:2], []), lines)
    judge.say(f"{held} balances of owners are not empty at the end" if held else "")


def _each_once(
    judge: Judge, account: str, lines: list[BalanceLine], out: list[PartnerPayment], moved: list[PartnerPayment]
) -> None:
    """Each transfer, reversal and payout changes the balance once, by its amount less its fee."""
    by_source: dict[str, list[BalanceLine]] = {}
    for one in lines:
        by_source.setdefault(one.source or "", []).append(one)
    for movement in moved:
        due = movement.amount - int(json.loads(movement.data or "{}").get("fee") or 0)
        found = by_source.get(movement.id, [])
        if [one.net for one in found] != [due if movement.kind == "transfer" else -due]:
            sentence = f"a {movement.kind} of {movement.amount} changes the balance by {[one.net for one in found]}"
            judge.fail("entry", account, sentence, line(movement), *map(line, found))
    for payout in out:
        found = [one for one in by_source.get(payout.id, []) if one.type == "payout"]
        if [one.net for one in found] != [-payout.amount]:
            sentence = f"a payout of {payout.amount} changes the balance by {[one.net for one in found]}"
            judge.fail("entry", account, sentence, line(payout), *map(line, found))


def _in_time(
    evidence: Evidence, judge: Judge, account: str, states: list[PartnerAccount], lines: list[BalanceLine]
) -> None:
    """What has been available for long at an account that may be paid is not kept."""
    since = 0
    for state in states:
        since = 0 if not state.payouts_enabled else since or state.at
    limit = evidence.ended_at() - PATIENCE
    if not since or since > limit:
        return
    late = [one for one in lines if one.net < 0 or (one.available_at or one.at) <= limit]
    kept = sum(one.net for one in late)
    if kept > 0:
        sentence = f"{kept} has been available for {PATIENCE // DAY} days, the account may be paid, and was not"
        judge.fail("entry", account, sentence, line(states[-1]), *map(line, late[-3:]))


@check(
    "P14",
    sentence="what a partner pays out arrives at the account of whose money it is, and is booked there",
    planes=("books", "run", "plan"),
    needs=("partner_payments", "partner_bank", "partner_accounts", "books_journal"),
)
def to_the_right_account(evidence: Evidence, judge: Judge) -> None:
    """Every payout and settlement with the bank's lines that name it: the owner's account of the plan, or the seller's."""
    plan = evidence.plan("upgrade")
    if plan is None:
        return
    owners = {one["owner"]: compact(one["iban"]) for one in plan["owners"] if one.get("iban")}
    held = {(one.partner, one.account): one.owner for one in evidence.read(PartnerAccount)}
    sellers = {one["seller"]: [compact(row["value"]) for row in one.get("accounts") or ()] for one in plan["sellers"]}
    debits = {currency.upper(): compact(iban) for currency, iban in (plan.get("debited_from") or {}).items()}
    settles = {currency.upper(): compact(iban) for currency, iban in (plan.get("settles_to") or {}).items()}
    banked: dict[str, list[PartnerBankLine]] = {}
    for entry in evidence.read(PartnerBankLine):
        if not entry.for_id:
            banked.setdefault(entry.reference or "", []).append(entry)
    booked = _booked_to(evidence)
    for payout in evidence.read(PartnerPayment):
        if payout.kind not in ("payout", "settlement") or payout.state != "paid":
            continue
        judge.examined()
        owner = held.get((payout.partner, payout.account or "")) or ""
        if payout.kind == "settlement":
            right, whose, name = [settles.get((payout.currency or "").upper(), "")], plan["old_seller"], ""
        elif payout.account:
            right, whose, name = [owners.get(owner, "")], owner or payout.account, owner
        else:
            whose, name, own = plan["new_seller"], "", debits.get((payout.currency or "").upper())
            right = [own] if own else sellers.get(whose, [])
        lines = banked.get(payout.id, [])
        strange = [one for one in lines if compact(one.iban) not in right]
        if strange:
            sentence = f"the money of {whose} went to {strange[0].iban}, and its account is {' or '.join(right)}"
            judge.fail("entry", payout.id, sentence, line(payout), *map(line, strange))
        for posted, account in booked.get(payout.id, ()):
            if account not in (name, *right):
                sentence = f"the money of {whose} is booked at {account}, and its account is {' or '.join(right)}"
                judge.fail("entry", payout.id, sentence, line(payout), line(posted))


def _booked_to(evidence: Evidence) -> dict[str, list[tuple[BookEntry, str]]]:
    """The bank accounts that each payout was booked to, by its name: an owner's, or one with its IBAN."""
    found: dict[str, list[tuple[BookEntry, str]]] = {}
    for entry in evidence.read(BookEntry):
        if entry.kind == "payout":
            names = [str(name) for name, _, _ in json.loads(entry.postings) if str(name).startswith("bank:")]
            found.setdefault((entry.ref or "").split(" ")[0], []).extend((entry, name[5:]) for name in names)
    return found
