"""Owners' onboarding as they were told of it: invited once and in time, reminded if they were not ready by then (M15).

Who is ready is what the partner says of the account, and the mails are judged by their words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scenarios.checks.registry import Judge, check
from scenarios.checks.upgrade_plan import (
    PlannedOwner,
    PlannedUpgrade,
    days_between,
    local_day,
    midnight,
    says_day,
    says_word,
    upgrade_of,
    written,
)
from sim.clock import DAY, HOUR
from sim.evidence.money_views import PartnerAccount
from sim.evidence.reader import Evidence, line, note
from sim.evidence.upgrade_views import Mail

INVITED_WITHIN = DAY
"""How long after the planned moment an invitation may come, ms."""
UNSURE = 2 * HOUR
"""So long before and after a reminder is due, an account that changes may be reminded or not, ms."""
REMINDED_AT = 10 * HOUR
"""When on its day a reminder is due, by the owner's clocks, ms after midnight."""


@check(
    "M15",
    sentence="each owner was invited to the onboarding once and in time, and reminded if it was not done by then",
    planes=("run", "plan"),
    needs=("partner_mails", "partner_accounts"),
)
def invited_and_reminded(evidence: Evidence, judge: Judge) -> None:
    """Every owner of the plan: invitations and reminders that were delivered, and what these say."""
    upgrade, plan = upgrade_of(evidence), evidence.plan("upgrade") or {}
    if upgrade is None or plan.get("invited_at") is None:
        return
    states: dict[str, list[PartnerAccount]] = {}
    for state in sorted(evidence.read(PartnerAccount), key=lambda one: one.at):
        states.setdefault(state.owner or "", []).append(state)
    mails: dict[str, list[Mail]] = {}
    for mail in evidence.read(Mail):
        if mail.state == "delivered":
            mails.setdefault(mail.to, []).append(mail)
    for owner in upgrade.owners.values():
        judge.examined()
        mine = [one for address in owner.addresses for one in mails.get(address, ())]
        told = [note("plan", "upgrade", owner=owner.owner, invited_at=plan["invited_at"], deadline=plan["deadline"])]
        invitations = [one for one in mine if one.kind == "onboarding-invitation"]
        reminders = [one for one in mine if one.kind == "onboarding-reminder"]
        problem = _invited(upgrade, owner, plan, invitations) or _reminded(
            upgrade, owner, plan, reminders, states.get(owner.owner, []), evidence.ended_at()
        )
        if problem:
            judge.fail("customer", owner.owner, problem, *told, *map(line, (*invitations, *reminders)))


def _invited(upgrade: PlannedUpgrade, owner: PlannedOwner, plan: dict[str, Any], found: Sequence[Mail]) -> str:
    if len(found) != 1:
        return f"has got {len(found)} invitations to the onboarding"
    (mail,) = found
    came = mail.at if mail.delivered_at is None else mail.delivered_at
    if not plan["invited_at"] <= came <= plan["invited_at"] + INVITED_WITHIN:
        return f"was invited {(came - plan['invited_at']) // HOUR} hours after it was due"
    problem = _untrue(upgrade, owner, plan, mail)
    return f"has got an invitation that {problem}" if problem else ""


def _reminded(
    upgrade: PlannedUpgrade,
    owner: PlannedOwner,
    plan: dict[str, Any],
    found: Sequence[Mail],
    states: Sequence[PartnerAccount],
    ended_at: int,
) -> str:
    """Ready when the reminder is due: none. Not ready: one, before the deadline. At the very moment: either."""
    days = -int(plan.get("remind_days") or 0)
    due = max(midnight(plan["deadline"], owner.zone, days) + REMINDED_AT, plan["invited_at"] + DAY)
    deadline = midnight(plan["deadline"], owner.zone, 1)
    if not days or due + UNSURE >= min(deadline, ended_at):
        return ""
    ready = {_ready(states, due - UNSURE), _ready(states, due), _ready(states, due + UNSURE)}
    if len(found) > 1:
        return f"was reminded {len(found)} times"
    if not found:
        return "" if True in ready else "could not charge, and nobody was reminded of the deadline"
    (mail,) = found
    came = mail.at if mail.delivered_at is None else mail.delivered_at
    if False not in ready:
        return "was reminded, and everything was done"
    if not due - UNSURE <= came < deadline:
        early = days_between(local_day(came, owner.zone), plan["deadline"])
        return f"was reminded {early} days before the deadline"
    problem = _untrue(upgrade, owner, plan, mail)
    return f"has got a reminder that {problem}" if problem else ""


def _ready(states: Sequence[PartnerAccount], at: int) -> bool:
    before = [one for one in states if one.at <= at]
    return bool(before) and bool(before[-1].charges_enabled)


def _untrue(upgrade: PlannedUpgrade, owner: PlannedOwner, plan: dict[str, Any], mail: Mail) -> str:
    """What a mail of the onboarding does not say: the deadline, the way to the portal, and both in the right language."""
    text, link = mail.text or "", f"{upgrade.portal}/onboarding/{owner.owner}"
    if mail.language != written(owner.language):
        return f"is written in {mail.language}, and the owner reads {written(owner.language)}"
    if not says_day(text, plan["deadline"], owner.language):
        return f"does not name the deadline {plan['deadline']}"
    return "" if says_word(text, link) else f"does not hold the link {link}"
