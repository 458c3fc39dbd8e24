"""Notices of waves: one valid one arrives, at the right time, with what holds on the day; an earlier one is taken back."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.upgrade.letters import printed_iban, written_day
from scenarios.upgrade.parts import DeskParts
from scenarios.upgrade.plan import Announced
from sim.clock import parse_iso, to_datetime, zone
from sim.partners.faults import Fault
from sim.partners.mailbox import Rule

AFTER = "2024-05-10T00:00:00Z"
LATER = Announced("2024-04-23", parse_iso("2024-04-10T08:00:00Z"))
AT_ONCE = Announced("2024-04-23", parse_iso("2024-03-25T08:00:00Z"))
DRIVERS = [
    {"customer": "cust-own-1", "email": "anna@driver.example", "language": "nb", "sites": ["site-1"]},
    {"customer": "cust-x", "email": "ben@driver.example", "language": "de", "sites": ["site-2", "site-1"]},
    {"customer": "cust-y", "email": "cy@driver.example", "language": "en", "sites": ["site-9"]},
]


def valid(play: Any, day: str) -> list[Any]:
    """Notices that arrived for this day and were not voided."""
    voided = {mail["meta"]["notice"] for mail in play.mails("upgrade-notice-void")}
    found = [mail for mail in play.mails("upgrade-notice") if mail["meta"]["notice"] not in voided]
    return [mail for mail in found if mail["meta"]["day"] == day]


def test_each_owner_gets_one_notice_a_fortnight_before_at_ten_in_their_language(
    town: Any, owner: Any, plan: Any
) -> None:
    owners = [owner(1), owner(2), owner(3, zone="Europe/Helsinki")]
    play = town(plan(owners)).until(AFTER)
    mails = play.mails("upgrade-notice")
    assert len(mails) == 3 and play.mails("upgrade-notice-void") == []
    for one in owners:
        (mail,) = [mail for mail in mails if mail["meta"]["owner"] == one.owner]
        sent = to_datetime(mail["at"], zone(one.zone))
        assert (f"{sent:%Y-%m-%d %H:%M}", mail["to"]) == ("2024-04-02 10:00", one.email)
        assert mail["language"] == one.language
        new = play.plan.seller("newco")
        iban = new["accounts"][0]["value"]
        assert mail["meta"] == {
            "owner": one.owner,
            "notice": f"notice/1/{one.owner}/1",
            "wave": 1,
            "day": "2024-04-16",
            "payee": "newco",
            "iban": iban,
            "terms": "2024-2",
            "link": f"{play.plan.portal}/onboarding/{one.owner}",
            "sites": list(one.sites),
            "voids": None,
        }
        shown = (
            written_day("2024-04-16", one.language),
            new["name"],
            printed_iban(iban),
            "2024-2",
            mail["meta"]["link"],
        )
        assert all(text in mail["text"] for text in shown)
    assert play.notes("notice")[0]["owner"] == "own-3"  # an hour ahead of the others


def test_a_day_that_is_given_up_after_its_notice_is_voided_and_notified_anew(town: Any, owner: Any, plan: Any) -> None:
    play = town(plan([owner(1)], LATER)).until(AFTER)
    first, second = play.mails("upgrade-notice")
    (void,) = play.mails("upgrade-notice-void")
    assert void["meta"] == {"owner": "own-1", "notice": first["meta"]["notice"], "wave": 1, "day": "2024-04-16"}
    assert void["at"] >= LATER.decided_at and void["at"] < LATER.decided_at + 60_000
    assert "16. April 2024" in void["text"]
    assert second["meta"]["voids"] == first["meta"]["notice"] and second["meta"]["day"] == "2024-04-23"
    assert "16. April 2024" in second["text"] and "23. April 2024" in second["text"]
    assert valid(play, "2024-04-23") == [second] and valid(play, "2024-04-16") == []
    assert [row["data"] for row in play.notes("rescheduled")] == [{"day": "2024-04-23", "before": "2024-04-16"}]


def test_a_day_that_is_given_up_before_its_notice_is_never_heard_of(town: Any, owner: Any, plan: Any) -> None:
    play = town(plan([owner(1)], AT_ONCE)).until(AFTER)
    (mail,) = play.mails("upgrade-notice")
    assert mail["meta"]["day"] == "2024-04-23" and mail["meta"]["voids"] is None
    assert play.mails("upgrade-notice-void") == []


def test_without_the_second_notice_nobody_would_know_the_new_day(town: Any, owner: Any, plan: Any) -> None:
    """What the decisions `notify_again` and `void_notice` are for."""
    silent = DeskParts(notify_again=lambda before, day: False, void_notice=lambda before, day: False)
    play = town(plan([owner(1)], LATER), silent).until(AFTER)
    assert valid(play, "2024-04-23") == [] and len(valid(play, "2024-04-16")) == 1


FAULTS = {
    "done-and-silent": Fault(kind="timeout-after", api="mail.send", silent=True, times=20),
    "done-and-lost": Fault(kind="timeout-after", api="mail.send", times=20),
    "not-done-and-lost": Fault(kind="timeout-before", api="mail.send", times=3),
    "broken-after": Fault(kind="500-after", api="mail.send", times=3),
    "broken-before": Fault(kind="500-before", api="mail.send", times=3),
    "too-many": Fault(kind="429", api="mail.send", times=6),
    "down": Fault(kind="outage", since=parse_iso("2024-04-02T07:59:00Z"), until=parse_iso("2024-04-03T12:00:00Z")),
    "slow": Fault(kind="slow", api="mail.send", extra=600_000, times=9),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_exactly_one_mail_of_each_kind_arrives_whatever_the_mailbox_does(
    town: Any, owner: Any, plan: Any, fault: Fault
) -> None:
    play = town(plan([owner(1)], LATER, drivers=DRIVERS), faults={"mailbox": [fault]}).until(AFTER)
    kinds = ("onboarding-invitation", "upgrade-notice", "upgrade-notice-void")
    assert [len(play.mails(kind)) for kind in kinds] == [1, 2, 1]
    assert len(valid(play, "2024-04-23")) == 1 and len(play.mails("driver-notice")) == 2
    assert play.account()["charges_enabled"]


def test_sending_again_unseen_would_make_two_of_one(town: Any, owner: Any, plan: Any) -> None:
    """What the decision `send_again` is for: mail knows no idempotency."""
    parts = DeskParts(send_again=lambda arrived: True)
    lost = Fault(kind="timeout-after", api="mail.send", times=1, since=parse_iso("2024-04-02T07:59:00Z"))
    play = town(plan([owner(1)]), parts, faults={"mailbox": [lost]}).until(AFTER)
    assert [mail["message_id"] for mail in play.mails("upgrade-notice")] == ["notice/1/own-1/1"] * 2


def test_what_bounces_goes_to_an_official_of_the_owner(town: Any, owner: Any, plan: Any) -> None:
    bouncing = Rule(to="post@fjord1.example", bounces=True)
    play = town(plan([owner(1)]), rules=[bouncing]).until(AFTER)
    (mail,) = play.mails("upgrade-notice")
    assert mail["to"] == "board@fjord1.example" and len(play.mails("upgrade-notice", "bounced")) == 1
    (note,) = play.notes("notice")
    assert (note["data"]["to"], note["data"]["message_id"]) == (mail["to"], mail["message_id"])
    assert play.account()["charges_enabled"]


def test_when_every_address_bounces_it_is_noted_and_not_tried_for_ever(town: Any, owner: Any, plan: Any) -> None:
    play = town(plan([owner(1)]), rules=[Rule(to="*@fjord1.example", bounces=True)]).until(AFTER)
    assert play.notes("notice") == [] and len(play.notes("notice-failed")) == 1
    assert len(play.mails("upgrade-notice", "bounced")) == 4


def test_drivers_of_the_sites_are_told_two_days_before_once(town: Any, owner: Any, plan: Any) -> None:
    play = town(plan([owner(1), owner(2)], AT_ONCE, drivers=DRIVERS)).until(AFTER)
    mails = {mail["to"]: mail for mail in play.mails("driver-notice")}
    assert sorted(mails) == ["anna@driver.example", "ben@driver.example"]
    assert mails["ben@driver.example"]["meta"] == {
        "customer": "cust-x",
        "wave": 1,
        "day": "2024-04-23",
        "sites": ["site-2", "site-1"],
    }
    assert "23. April 2024" in mails["ben@driver.example"]["text"]
    for mail in mails.values():
        assert f"{to_datetime(mail['at'], zone('Europe/Oslo')):%Y-%m-%d %H:%M}" == "2024-04-21 10:00"


def test_drivers_who_were_told_a_day_that_is_given_up_hear_of_the_new_one(town: Any, owner: Any, plan: Any) -> None:
    storm = Announced("2024-04-23", parse_iso("2024-04-15T12:00:00Z"))
    play = town(plan([owner(1)], storm, drivers=DRIVERS[:1])).until(AFTER)
    assert [mail["meta"]["day"] for mail in play.mails("driver-notice")] == ["2024-04-16", "2024-04-23"]
    assert "16. april 2024" in play.mails("driver-notice")[1]["text"]
