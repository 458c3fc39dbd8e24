"""Express accounts: what is due, links that burn, clerks without authority, deadlines."""

from __future__ import annotations

from typing import Any

from sim.clock import DAY, HOUR, MINUTE, SECOND
from sim.machine import Refused
from sim.partners.party import Endpoint


def read(at: Any, account: str) -> dict[str, Any]:
    return dict(at.ask("accounts.retrieve", id=account).body)


def test_a_new_account_can_do_nothing_and_says_what_is_due(stripe_desk: Any) -> None:
    at = stripe_desk()
    shown = read(at, at.account())
    assert not shown["charges_enabled"] and not shown["payouts_enabled"] and not shown["details_submitted"]
    assert shown["requirements"]["disabled_reason"] == "requirements.past_due"
    assert "external_account" in shown["requirements"]["currently_due"]
    assert shown["capabilities"] == {"card_payments": "inactive", "transfers": "inactive"}


def test_details_submitted_is_not_charges_enabled(stripe_desk: Any, given_fields: dict[str, str]) -> None:
    at = stripe_desk(verify=2 * HOUR)
    account = at.account()
    assert at.act("submit", form=at.open_form(account), fields=given_fields)["currently_due"] == []
    shown = read(at, account)
    assert shown["details_submitted"] and not shown["charges_enabled"]
    assert shown["requirements"]["disabled_reason"] == "requirements.pending_verification"
    at.wait(2 * HOUR)
    assert read(at, account)["charges_enabled"]
    history = [row["charges_enabled"] for row in at.rows("partner_accounts")]
    assert history[0] is False and history[-1] is True


def test_a_link_is_good_for_one_opening_within_300_seconds(stripe_desk: Any) -> None:
    at = stripe_desk()
    account = at.account()
    burnt = at.link(account)
    assert at.act("visit-link", url=burnt, by="mail-scanner")["landed"] == "form"
    assert at.act("visit-link", url=burnt)["landed"] == "refresh_url"
    late = at.ask(
        "account_links.create", account=account, type="account_onboarding", refresh_url="r", return_url="b"
    ).body
    at.wait(300 * SECOND)
    assert at.act("visit-link", url=late["url"]) == {"landed": "refresh_url", "url": "r", "account": account}
    assert at.ask("account_links.create", account=account, type="account_update").status == 400


def test_onboarding_is_left_and_resumed_and_nothing_typed_is_lost(
    stripe_desk: Any, given_fields: dict[str, str]
) -> None:
    at = stripe_desk()
    account = at.account()
    form = at.open_form(account)
    first = {name: value for name, value in given_fields.items() if name.startswith("company")}
    at.act("submit", form=form, fields=first)
    assert at.act("leave", form=form)["landed"] == "return_url"
    assert at.act("resume", form=form)["landed"] == "form"
    at.wait(2 * HOUR)
    assert at.act("resume", form=form)["landed"] == "refresh_url"
    due = at.act("visit-link", url=at.link(account))["currently_due"]
    assert due and not any(name.startswith("company") for name in due)


def test_a_clerk_without_authority_waits_for_a_board_member(stripe_desk: Any, given_fields: dict[str, str]) -> None:
    at = stripe_desk(register={"NO1": {"name": "Fjord Housing", "officers": ["Ola Board"]}})
    account = at.account()
    at.act("submit", form=at.open_form(account), fields=given_fields)
    at.wait(5 * MINUTE)
    shown = read(at, account)
    codes = [error["code"] for error in shown["requirements"]["errors"]]
    assert codes == ["verification_failed_representative_authority"] and not shown["charges_enabled"]
    wrong = {"first_name": "Per", "last_name": "Cousin", "relationship": {"authorizer": "true"}}
    person = at.ask("persons.create", account=account, **wrong).body
    at.wait(5 * MINUTE)
    assert read(at, account)["requirements"]["errors"][0]["code"] == "verification_failed_authorizer_authority"
    at.ask("persons.update", account=account, id=person["id"], first_name="Ola", last_name="Board")
    at.wait(5 * MINUTE)
    assert read(at, account)["charges_enabled"]


def test_a_demand_with_a_deadline_disables_when_it_passes_and_enables_when_met(stripe_desk: Any) -> None:
    at = stripe_desk()
    account = at.ready()
    deadline = at.now + 3 * DAY
    at.act("require", account=account, fields=["company.registration_document"], deadline=deadline)
    shown = read(at, account)
    assert shown["charges_enabled"] and shown["requirements"]["current_deadline"] == deadline // 1000
    at.wait(3 * DAY)
    shown = read(at, account)
    assert not shown["charges_enabled"] and shown["requirements"]["past_due"] == ["company.registration_document"]
    assert (
        at.hold(transfer_data={"destination": account}).body["error"]["code"]
        == "insufficient_capabilities_for_transfer"
    )
    at.act("submit", form=at.open_form(account), fields={"company.registration_document": "file_1"})
    assert read(at, account)["charges_enabled"]


def test_bad_ibans_second_representatives_and_strangers_are_refused(stripe_desk: Any) -> None:
    at = stripe_desk()
    account = at.account()
    assert at.ask("accounts.update", id=account, external_account="DE00370400440532013000").status == 400
    one = {"first_name": "A", "relationship": {"representative": True}}
    assert at.ask("persons.create", account=account, **one).status == 200
    assert at.ask("persons.create", account=account, **one).status == 400
    assert at.ask("accounts.retrieve", id="acct_x").body["error"]["code"] == "account_invalid"
    assert at.act("visit-link", url="https://elsewhere.example") == Refused("no-such-link", "https://elsewhere.example")


def test_a_rejected_account_stays_disabled(stripe_desk: Any) -> None:
    at = stripe_desk()
    account = at.ready()
    at.act("reject", account=account, reason="rejected.fraud")
    assert read(at, account)["requirements"]["disabled_reason"] == "rejected.fraud"
    assert (
        at.ask("payouts.create", header=account, amount=1, currency="eur").body["error"]["code"]
        == "payouts_not_allowed"
    )


def test_account_updates_reach_those_who_subscribed_to_connected_accounts(stripe_desk: Any) -> None:
    endpoints = [Endpoint(to="own", secret="a", connect=False), Endpoint(to="accounts", secret="b", connect=True)]
    at = stripe_desk(endpoints=endpoints)
    account = at.ready()
    assert {tell.to for tell in at.webhooks()} == {"accounts"}
    kinds = {row["type"] for row in at.rows("partner_webhooks") if row["account"] == account}
    assert {"account.updated", "capability.updated", "account.external_account.created"} <= kinds
