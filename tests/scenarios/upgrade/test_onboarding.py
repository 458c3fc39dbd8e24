"""Onboarding by fate: what owners do with the invitation, what the portal does, and what becomes of the accounts."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.upgrade.parts import DeskParts
from scenarios.upgrade.plan import (
    CLERK,
    FATES,
    FINANCE,
    IN_TIME,
    INTERRUPTED,
    LATE,
    LINK_BURNT,
    LINK_EXPIRED,
    NEVER,
    WRONG_ACCOUNT,
)
from sim.clock import DAY, MINUTE, Instant, parse_iso
from sim.machine import Command, Refused
from sim.partners.faults import Fault

BEFORE_DEADLINE, AFTER = "2024-04-07T00:00:00Z", "2024-05-20T00:00:00Z"
LATE_DAY = parse_iso("2024-04-12T09:00:00Z")
PORTAL = "https://portal.operator.example"


@pytest.mark.parametrize(
    "fates",
    [
        (IN_TIME,),
        (INTERRUPTED,),
        (LINK_EXPIRED,),
        (LINK_BURNT,),
        (CLERK,),
        (FINANCE,),
        (INTERRUPTED, LINK_EXPIRED),
        (INTERRUPTED, CLERK),
        (LINK_BURNT, FINANCE),
        (LINK_EXPIRED, INTERRUPTED, CLERK, WRONG_ACCOUNT),
    ],
    ids="+".join,
)
def test_whoever_is_not_late_can_charge_before_the_deadline(town: Any, owner: Any, plan: Any, fates: Any) -> None:
    play = town(plan([owner(1, *fates)])).until(BEFORE_DEADLINE)
    account = play.account()
    assert account["charges_enabled"] and account["payouts_enabled"], account["requirements"]
    assert [row["charges_enabled"] for row in play.book("new", "accounts")][-1] == 1
    assert play.mails("onboarding-reminder") == []


@pytest.mark.parametrize("fates", [(LATE,), (LATE, INTERRUPTED), (LATE, CLERK), (LATE, LINK_BURNT)], ids="+".join)
def test_whoever_is_late_is_reminded_and_done_after_the_deadline(town: Any, owner: Any, plan: Any, fates: Any) -> None:
    play = town(plan([owner(1, *fates, resumes_at=LATE_DAY)])).until("2024-04-12T06:00:00Z")
    assert not play.account()["charges_enabled"]
    (mail,) = play.mails("onboarding-reminder")
    assert mail["meta"] == {"owner": "own-1", "deadline": "2024-04-08"}
    assert mail["at"] >= parse_iso("2024-04-03T08:00:00Z") and "8. April 2024" in mail["text"]
    assert play.until("2024-04-13T06:00:00Z").account()["charges_enabled"]


def test_whoever_never_does_it_has_an_account_that_nobody_ever_opened(town: Any, owner: Any, plan: Any) -> None:
    play = town(plan([owner(1, NEVER)])).until(AFTER)
    assert not play.account()["details_submitted"]
    assert play.notes("link-opened") == [] and len(play.mails("onboarding-reminder")) == 1
    assert [row["account"] for row in play.book("new", "accounts")][-1] == play.account()["id"]
    assert play.book("legacy", "accounts") == []


def test_an_interrupted_form_goes_on_where_it_stopped_by_a_fresh_link(town: Any, owner: Any, plan: Any) -> None:
    play = town(plan([owner(1, INTERRUPTED)])).until(BEFORE_DEADLINE)
    first, second = play.notes("form-sent")
    assert "representative.first_name" in first["data"]["currently_due"] and second["data"]["currently_due"] == []
    assert not {*first["data"]["fields"]} & {*second["data"]["fields"]}
    assert second["at"] - first["at"] > 5 * DAY
    assert [row["data"]["landed"] for row in play.notes("form-resumed")] == ["refresh_url"]
    urls = [row["data"]["url"] for row in play.notes("link-opened") if row["data"]["landed"] == "form"]
    assert len(urls) == len({*urls}) == 2


@pytest.mark.parametrize("fate", [LINK_EXPIRED, LINK_BURNT])
def test_a_link_that_does_not_work_leads_to_the_portal_and_on_to_the_form(
    town: Any, owner: Any, plan: Any, fate: str
) -> None:
    at = parse_iso("2024-03-19T09:00:00Z")
    play = town(plan([owner(1, fate, starts_at=at)])).until(BEFORE_DEADLINE)
    opened = [(row["data"]["url"], row["data"]["landed"]) for row in play.notes("link-opened")]
    (mail,) = play.mails("onboarding-invitation")
    assert opened[0] == (mail["meta"]["link"], "refresh_url") and mail["meta"]["link"] in mail["text"]
    assert opened[1] == (f"{PORTAL}/refresh/own-1", "stripe") and opened[2][1] == "form"
    assert (mail["scanned_at"] is not None) == (fate == LINK_BURNT)


def test_a_link_that_is_opened_within_minutes_leads_to_the_form_at_once(town: Any, owner: Any, plan: Any) -> None:
    at = parse_iso("2024-03-19T09:00:00Z")
    play = town(plan([owner(1, starts_at=at)])).until(BEFORE_DEADLINE)
    assert [row["data"]["landed"] for row in play.notes("link-opened")] == ["form"]


def test_a_clerk_is_not_enough_until_somebody_of_the_board_vouches(town: Any, owner: Any, plan: Any) -> None:
    play = town(plan([owner(1, CLERK)])).until("2024-03-25T06:00:00Z")
    account = play.account()
    codes = [error["code"] for error in account["requirements"]["errors"]]
    assert account["details_submitted"] and not account["charges_enabled"]
    assert codes == ["verification_failed_representative_authority"]
    play.until(BEFORE_DEADLINE)
    (vouched,) = play.notes("vouched")
    assert vouched["data"] == {"by": "board@fjord1.example"} and play.account()["charges_enabled"]


def test_a_wrong_account_is_mended_some_days_after_the_payout_came_back(town: Any, owner: Any, plan: Any) -> None:
    play = town(plan([owner(1, WRONG_ACCOUNT)])).until("2024-03-25T06:00:00Z")
    account = play.account()
    assert account["external_accounts"]["data"][0]["last4"] == play.plan.owners[0].wrong_iban[-4:]
    play.sale(account["id"])
    play.until(AFTER)
    (mended,) = play.notes("bank-mended")
    failed = [row for row in play.notes("account-read") if row["data"]["payouts_enabled"] is False]
    assert failed and mended["at"] >= failed[-1]["at"]
    account = play.account()
    assert account["payouts_enabled"]
    assert account["external_accounts"]["data"][0]["last4"] == play.plan.owners[0].iban[-4:]
    paid = [row for row in play.entries(play.plan.owners[0].iban) if row["counterparty"] == "Stripe"]
    assert len(paid) == 1 and paid[0]["at"] > mended["at"]


@pytest.mark.parametrize(
    "faults",
    [
        [Fault(kind="timeout-after", api="accounts.create", times=2)],
        [Fault(kind="timeout-after", api="accounts.create", times=1, silent=True)],
        [Fault(kind="timeout-before", api="accounts.*", times=3)],
        [Fault(kind="500-after", api="accounts.create", times=1)],
        [Fault(kind="500-before", api="accounts.create", times=1)],
        [Fault(kind="429", api="account*", times=4)],
        [Fault(kind="outage", until=parse_iso("2024-03-20T06:00:00Z"))],
        [Fault(kind="slow", api="account*", extra=5 * MINUTE, until=parse_iso("2024-03-21T12:00:00Z"))],
        [Fault(kind="slow", extra=90_000)],
    ],
    ids=["lost", "silent", "dropped", "500-after", "500-before", "429", "outage", "very-slow", "slow"],
)
def test_each_owner_has_one_account_and_gets_through_whatever_stripe_does(
    town: Any, owner: Any, plan: Any, faults: Any
) -> None:
    """P02: the same key until a look-up showed that nothing was done."""
    play = town(plan([owner(1), owner(2, INTERRUPTED)]), faults={"stripe": faults}).until(BEFORE_DEADLINE)
    owners = sorted(one["metadata"]["owner"] for one in play.accounts())
    assert owners == ["own-1", "own-2"]
    assert play.account("own-1")["charges_enabled"] and play.account("own-2")["charges_enabled"]
    assert len(play.mails("onboarding-invitation")) == 2


def test_another_key_for_each_try_would_make_two_accounts(town: Any, owner: Any, plan: Any) -> None:
    """What the decision `account_key` is for."""
    parts = DeskParts(account_key=lambda owner, round_, tries: f"{owner}/{round_}/{tries}")
    lost = [Fault(kind="timeout-after", api="accounts.create", times=1)]
    play = town(plan([owner(1)]), parts, faults={"stripe": lost}).until("2024-03-19T00:00:00Z")
    assert len(play.accounts()) == 2


def test_one_link_for_all_who_come_would_lead_nowhere(town: Any, owner: Any, plan: Any) -> None:
    """What the decision `mint_anew` is for."""
    parts = DeskParts(mint_anew=lambda last: False)
    play = town(plan([owner(1, LINK_EXPIRED)]), parts).until(BEFORE_DEADLINE)
    assert not play.account()["details_submitted"]


def test_the_portal_knows_its_pages_and_sends_each_visitor_to_stripe_by_a_link_of_their_own(
    town: Any, owner: Any, plan: Any
) -> None:
    play = town(plan([owner(1, NEVER)])).until("2024-03-20T00:00:00Z")
    visits = [
        play.ask("operator", Command("visit-link", {"url": f"{PORTAL}/{page}/own-1", "by": "somebody"}))
        for page in ("refresh", "onboarding", "done")
    ]
    assert [visit["landed"] for visit in visits] == ["stripe", "stripe", "portal"]
    assert visits[0]["url"] != visits[1]["url"] and "company.name" in visits[2]["currently_due"]
    for url in (f"{PORTAL}/refresh/own-9", f"{PORTAL}/admin/own-1", "https://elsewhere.example/refresh/own-1"):
        assert play.ask("operator", Command("visit-link", {"url": url, "by": "somebody"})) == Refused(
            "no-such-page", url
        )
    assert play.ask("operator", Command("sing", {})) == Refused("unknown-command", "sing")


def test_a_scanner_at_the_portal_does_no_harm(town: Any, owner: Any, plan: Any) -> None:
    play = town(plan([owner(1)])).until("2024-03-20T00:00:00Z")
    for _ in range(3):
        play.world.send_command("operator", Command("visit-link", {"url": f"{PORTAL}/refresh/own-1", "by": "scanner"}))
        play.world.run(Instant(play.world.now + MINUTE))
    assert play.until(BEFORE_DEADLINE).account()["charges_enabled"]


def test_every_fate_in_one_world_ends_as_it_should(town: Any, owner: Any, plan: Any) -> None:
    owners = [
        owner(n, fate, resumes_at=LATE_DAY if fate == LATE else parse_iso("2024-03-27T09:00:00Z"))
        for n, fate in enumerate(FATES, 1)
    ]
    play = town(plan(owners)).until("2024-04-15T00:00:00Z")
    enabled = {one["metadata"]["owner"] for one in play.accounts() if one["charges_enabled"]}
    assert enabled == {one.owner for one in owners if NEVER not in one.fates}
