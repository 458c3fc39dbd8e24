"""The line: what a caller hears, and when, whatever the partner did; webhooks that come at least once, in any order."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import ValidationError

from sim.clock import DAY, HOUR, MINUTE, SECOND
from sim.machine import Answered, Command, Refused, Unknown
from sim.partners.faults import Fault
from sim.partners.mailbox import Mailbox, Rule
from sim.partners.party import Endpoint

MAIL = {"to": "a@b.example", "subject": "s", "text": "t"}
HOOK = Endpoint(to="csms", secret="whsec_1")


def sent(desk: Any) -> int:
    return len(desk.rows("partner_mails"))


def fault(kind: str, **more: Any) -> Fault:
    return Fault(kind=kind, **more)


@pytest.mark.parametrize(
    ("rule", "outcome", "status", "done"),
    [
        (fault("outage"), Refused("unavailable"), None, 0),
        (fault("timeout-before"), Unknown("timeout"), None, 0),
        (fault("timeout-after"), Unknown("timeout"), None, 1),
        (fault("timeout-after", silent=True), None, None, 1),
        (fault("500-before"), None, 500, 0),
        (fault("500-after"), None, 500, 1),
        (fault("429"), None, 429, 0),
    ],
    ids=lambda value: getattr(value, "kind", None),
)
def test_what_a_caller_hears_and_what_was_done(
    desk: Any, rule: Fault, outcome: Any, status: int | None, done: int
) -> None:
    at = desk(Mailbox(7), rule)
    call = at.start("mail.send", **MAIL)
    at.wait(MINUTE)
    heard = at.outcome(call)
    assert heard.payload.status == status if status else heard == outcome
    assert sent(at) == done
    (row,) = at.rows("partner_requests")
    assert (row["fault"], row["executed"], row["status"]) == (rule.kind, done, status)
    assert [row["kind"] for row in at.rows("partner_faults")] == [rule.kind]


def test_a_fault_has_a_window_a_pattern_and_a_number(desk: Any) -> None:
    at = desk(Mailbox(7), fault("outage", api="other.*"), fault("429", times=1))
    assert at.ask("mail.send", **MAIL).status == 429
    assert at.ask("mail.send", **MAIL).status == 200
    at.send(Command("fault", {"kind": "outage", "during": 5 * MINUTE, "api": "mail.*"}))
    assert at.outcome(at.start("mail.send", **MAIL)) == Refused("unavailable")
    at.wait(5 * MINUTE)
    assert at.ask("mail.send", **MAIL).status == 200
    with pytest.raises(ValidationError, match="no fault is called 'slwo'"):
        at.send(Command("fault", {"kind": "slwo"}))


def test_a_slow_partner_executes_late(desk: Any) -> None:
    at = desk(Mailbox(7), fault("slow", extra=10 * MINUTE))
    call = at.start("mail.send", **MAIL)
    at.wait(9 * MINUTE)
    assert sent(at) == 0
    at.wait(2 * MINUTE)
    assert at.outcome(call).payload.ok


def test_what_is_no_request_is_answered_with_400(desk: Any) -> None:
    at = desk(Mailbox(7))
    for args in ({"api": 1}, {"params": {}}, {"api": "mail.send", "params": []}):
        assert at.outcome(at.send(Command("request", args))).payload.status == 400
    assert at.ask("mail.burn").status == 404


def bounced(desk: Any, *faults: Fault, takes: Any = None) -> Any:
    at = desk(Mailbox(7, rules=[Rule(to="*", bounces=True)], endpoints=[HOOK]), *faults, takes=takes)
    at.ask("mail.send", **MAIL)
    return at


def test_a_webhook_is_sent_again_until_it_is_taken(desk: Any) -> None:
    answers = [Refused("down"), None, Unknown("crash"), Answered({})]
    at = bounced(desk, takes=lambda tell: answers.pop(0))
    at.wait(DAY)
    assert len(at.webhooks()) == 4
    (row,) = at.rows("partner_webhooks")
    assert row["state"] == "taken"
    assert [taken for _, taken in row["attempts"]] == [False, False, False, True]
    assert len({tell.call_id for tell in at.webhooks()}) == 4


def test_a_webhook_that_nobody_takes_is_given_up_after_three_days_and_can_be_replayed(desk: Any) -> None:
    up = False
    at = bounced(desk, takes=lambda tell: Answered({}) if up else Refused("down"))
    at.wait(4 * DAY)
    (row,) = at.rows("partner_webhooks")
    attempts = [when for when, _ in row["attempts"]]
    assert row["state"] == "given-up"
    assert 2 * DAY < attempts[-1] - attempts[0] <= 3 * DAY
    up = True
    assert at.act("replay") == {"sent": 1}
    assert at.rows("partner_webhooks")[0]["state"] == "taken"


def test_faults_of_webhooks(desk: Any) -> None:
    at = bounced(desk, fault("webhook-duplicate", copies=2, extra=HOUR))
    at.wait(2 * HOUR)
    assert len({tell.command.args["payload"] for tell in at.webhooks()}) == 1
    assert len(at.webhooks()) == 3

    at = bounced(desk, fault("webhook-lost"))
    at.wait(DAY)
    assert not at.webhooks()
    at.act("replay")
    assert len(at.webhooks()) == 1

    at = bounced(desk, fault("webhook-delay", extra=3 * HOUR))
    at.wait(2 * HOUR)
    assert not at.webhooks()
    at.wait(2 * HOUR)
    assert len(at.webhooks()) == 1

    good = bounced(desk)
    at = bounced(desk, fault("webhook-wrong-secret", times=1))
    good.wait(HOUR)
    at.wait(HOUR)
    signatures = [one.webhooks()[0].command.args["signature"] for one in (good, at)]
    assert signatures[0] != signatures[1]


def test_reordered_webhooks_arrive_in_another_order(desk: Any) -> None:
    rules = [Rule(to="*", bounces=True)]
    at = desk(Mailbox(7, rules=rules, endpoints=[HOOK], takes=(0, 0)), fault("webhook-reorder", extra=DAY))
    for _ in range(12):
        at.ask("mail.send", **MAIL)
    at.wait(2 * DAY)
    created = [row["event_id"] for row in at.rows("partner_webhooks")]
    arrived = sorted(at.rows("partner_webhooks"), key=lambda row: row["taken_at"])
    assert [row["event_id"] for row in arrived] != created


def test_two_lines_of_one_seed_behave_alike(desk: Any) -> None:
    def run() -> Any:
        at = bounced(desk, fault("slow", extra=SECOND, share=50), fault("webhook-duplicate", share=50))
        for _ in range(10):
            at.ask("mail.send", **MAIL)
        return at.line.statement(at.now)

    assert run() == run()
