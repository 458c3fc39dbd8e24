"""The bank books once, returns with a code and shows it; the mailbox keeps every mail and lets scanners open links."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.clock import DAY, MINUTE, SECOND
from sim.machine import Refused
from sim.partners.bank import Bank, BankAccount
from sim.partners.iban import iban_problem, make_iban
from sim.partners.mailbox import Mailbox, Rule

OLD, NEW = "DE89370400440532013000", make_iban("NO", "86011117947")


def bank(desk: Any, **more: Any) -> Any:
    return desk(Bank(7, [BankAccount(OLD, "old company"), BankAccount(NEW, "new company", "NOK")], **more))


@pytest.mark.parametrize(
    "text", ["", "DE00370400440532013000", "de89370400440532013000", "NO93 8601 1117 947", "1234567890123456"]
)
def test_what_is_no_iban(text: str) -> None:
    assert iban_problem(text)
    assert not iban_problem(OLD) and NEW == "NO9386011117947"


def test_money_for_a_closed_or_unknown_account_or_in_another_currency_is_refused(desk: Any) -> None:
    at = bank(desk)
    assert at.act("credit", iban="NO111", amount=5, currency="EUR").code == "AC01"
    assert at.act("credit", iban=NEW, amount=5, currency="EUR").code == "AM03"
    at.act("close-account", iban=OLD)
    assert at.act("credit", iban=OLD, amount=5, currency="EUR").code == "AC04"
    assert at.act("credit", iban=OLD, amount=-5, currency="EUR").code == "FF01"
    assert at.rows("partner_bank") == []


def test_one_end_to_end_id_is_booked_once_and_returned_once(desk: Any) -> None:
    at = bank(desk)
    args = {"iban": OLD, "amount": 500, "currency": "EUR", "reference": "RF1", "end_to_end": "E1"}
    entry = at.act("credit", **args)["entry"]
    assert at.act("credit", **args)["entry"] == entry
    assert at.act("return", entry=entry, code="XX99").code == "FF01"
    assert at.act("return", entry=entry, code="MD06")["entry"] != entry
    assert at.act("return", entry=entry, code="MD06") == Refused("nothing-to-return", entry)
    assert [(row["amount"], row["code"], row["balance"]) for row in at.rows("partner_bank")] == [
        (500, None, 500),
        (-500, "MD06", 0),
    ]


def test_payments_go_out_and_come_back_from_an_account_that_is_closed(desk: Any) -> None:
    foreign = make_iban("DE", "370400440000000001")
    at = bank(desk, foreign={foreign: "AC04"})
    at.act("credit", iban=OLD, amount=500, currency="EUR")
    pay = {"from": OLD, "amount": 200, "currency": "EUR"}
    assert at.ask("payments.create", to=foreign, **pay).body["returned"] == "AC04"
    assert at.ask("payments.create", to=make_iban("DE", "370400440000000002"), **pay).body["returned"] is None
    assert at.ask("payments.create", to="DE1", **pay).body["error"]["code"] == "AC01"
    assert at.ask("payments.create", to=foreign, **{**pay, "amount": 301}).body["error"]["code"] == "AM04"
    assert at.ask("accounts.retrieve", iban=OLD).body["balance"] == 300


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 2)), max_size=12))
@settings(max_examples=30, deadline=None)
def test_daily_statements_join_and_their_entries_add_up(desk: Any, moves: list[tuple[int, int]]) -> None:
    """L: opening + entries = closing, and closing is the next day's opening."""
    at = bank(desk)
    for amount, days in moves:
        at.act("credit", iban=OLD, amount=amount, currency="EUR")
        at.wait(days * DAY)
    opening = 0
    for day in range(1, 29):
        shown = at.ask("statements.retrieve", iban=OLD, date=f"2024-04-{day:02d}").body
        signed = [
            entry["amount"] if entry["credit_debit_indicator"] == "CRDT" else -entry["amount"]
            for entry in shown["entries"]
        ]
        assert shown["opening"] == opening
        opening = shown["closing"]
        assert opening == shown["opening"] + sum(signed)
    assert opening == sum(amount for amount, _ in moves) == sum(row["amount"] for row in at.rows("partner_bank"))


MAIL = {
    "to": "owner@fjord.example",
    "subject": "Upgrade",
    "text": "Open https://connect.stripe.com/setup/e/a/b by 14 April",
}


def test_a_mail_arrives_is_read_and_is_kept_whole(desk: Any) -> None:
    at = desk(Mailbox(7, readers={MAIL["to"]: "owner:1"}))
    attachments = [{"name": "terms.pdf", "sha256": "ab"}]
    sent = at.ask("mail.send", **MAIL, kind="notice", language="en", message_id="m1", attachments=attachments).body
    at.wait(5 * MINUTE)
    assert [tell.to for tell in at.told] == ["owner:1"]
    (mail,) = at.act("inbox", to=MAIL["to"])["mails"]
    assert (mail["id"], mail["text"], mail["attachments"]) == (sent["id"], MAIL["text"], attachments)
    assert at.act("read", id=mail["id"])["links"] == ["https://connect.stripe.com/setup/e/a/b"]
    assert at.rows("partner_mails")[0]["read_at"] == at.now


def test_a_mail_sent_twice_arrives_twice(desk: Any) -> None:
    at = desk(Mailbox(7))
    for _ in range(2):
        at.ask("mail.send", **MAIL, message_id="m1")
    at.wait(5 * MINUTE)
    assert [row["state"] for row in at.rows("partner_mails")] == ["delivered"] * 2


def test_mail_bounces_and_nonsense_is_refused(desk: Any) -> None:
    at = desk(Mailbox(7, rules=[Rule(to="*@fjord.example", bounces=True)]))
    assert at.ask("mail.send", **{**MAIL, "to": "nobody"}).body["error"]["code"] == "invalid_address"
    assert at.ask("mail.send", **{**MAIL, "text": ""}).status == 400
    assert at.ask("mail.send", **MAIL, attachments=["x"]).status == 400
    at.ask("mail.send", **MAIL)
    at.wait(5 * MINUTE)
    assert [row["state"] for row in at.rows("partner_mails")] == ["bounced"]


def test_a_mail_scanner_opens_the_links(desk: Any) -> None:
    hosts = {"https://connect.stripe.com/": "stripe"}
    at = desk(Mailbox(7, rules=[Rule(to="*@fjord.example", scanned_after=30 * SECOND)], hosts=hosts))
    at.ask("mail.send", **MAIL)
    at.wait(5 * MINUTE)
    (tell,) = at.told
    assert (tell.to, tell.command.name) == ("stripe", "visit-link")
    assert tell.command.args == {"url": "https://connect.stripe.com/setup/e/a/b", "by": "mail-scanner"}
