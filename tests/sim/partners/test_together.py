"""Partners and a back-end in one virtual world: a capture, its events, the payout at the bank, and the evidence of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from sim.backend import BackEnd, Books, Operation, Setup
from sim.clock import DAY, HOUR, MINUTE, Instant
from sim.evidence.schema import PARTNERS
from sim.evidence.store import write_evidence
from sim.evidence.truth import TruthRecorder
from sim.evidence.wire import WireRecorder
from sim.machine import Answered, Command, Effect, Settle, Tell
from sim.partners.bank import Bank, BankAccount
from sim.partners.faults import Fault
from sim.partners.line import Line
from sim.partners.mailbox import Mailbox, Rule
from sim.partners.party import Endpoint, merge
from sim.partners.port import Request
from sim.partners.stripe import Stripe
from sim.partners.stripe_events import stripe_signature
from sim.runtimes.virtual import VirtualWorld

START = Instant(1_712_000_000_000)
IBAN = "DE89370400440532013000"
SECRET = "whsec_1"


class Office:
    """A back-end that asks a partner for each operation `ask`, and takes each event once."""

    def __init__(self, setup: Setup) -> None:
        self.name = setup.name
        self.staged: list[Effect] = []
        self.asked = 0
        self.heard: list[Any] = setup.disk.setdefault("heard", [])
        self.events: dict[str, Any] = setup.disk.setdefault("events", {})

    def operate(self, operation: Operation, call_id: str, now: Instant) -> None:
        if operation.kind == "webhook":
            args = operation.args
            t = int(args["signature"].split(",")[0][2:])
            if args["signature"] != stripe_signature(args["payload"], SECRET, Instant(t * 1000)):
                return  # a stranger's: no answer
            event = json.loads(args["payload"])
            self.events[event["id"]] = event
            self.staged.append(Settle(call_id, Answered({})))
        else:
            self.asked += 1
            request = Request(**operation.args["request"])
            self.staged.append(Tell(operation.args["partner"], request.command(), f"{self.name}/{self.asked}"))

    def settled(self, call_id: str, outcome: Any, now: Instant) -> None:
        self.heard.append(outcome)

    def flush(self, now: Instant, release: Callable[[Effect], None]) -> None:
        staged, self.staged = self.staged, []
        for effect in staged:
            release(effect)

    def accept(self, *_: Any) -> Any:
        raise AssertionError("no station dials here")

    def tick(self, now: Instant) -> None:
        pass

    def next_deadline(self) -> Instant | None:
        return None

    def books(self, now: Instant) -> Books:
        return {}

    def quote(self, request: Any, now: Instant) -> Any:
        return {}


class Silent:
    def note(self, *_: Any) -> None:
        pass

    frame = link_opened = link_closed = note


class Play:
    """The world of these tests."""

    def __init__(self, given_fields: dict[str, str], *faults: Fault) -> None:
        self.given = given_fields
        self.setup = Setup(name="csms", seed=7, provision={})
        self.world = VirtualWorld(START, 7, Silent(), Silent(), (10, 10))  # type: ignore[arg-type]
        made: list[BackEnd] = []
        self.world.add_backend(lambda setup: made.append(Office(setup)) or made[-1], self.setup)  # type: ignore[func-returns-value,arg-type]
        hosts = {"https://connect.stripe.com/": "stripe"}
        self.lines = [
            Line(Stripe(7, endpoints=[Endpoint(to="csms", secret=SECRET)], fees=(0, 0)), 7, faults),
            Line(Bank(7, [BankAccount(IBAN, "fjord")]), 7),
            Line(Mailbox(7, rules=[Rule(to="*", scanned_after=MINUTE)], hosts=hosts), 7),
        ]
        for line in self.lines:
            self.world.add(line.name, line)

    def wait(self, ms: int) -> None:
        self.world.run(Instant(self.world.now + ms))

    def ask(self, api: str, partner: str = "stripe", key: str | None = None, **params: Any) -> Any:
        heard = self.setup.disk["heard"]
        before = len(heard)
        request = {"api": api, "params": params, "key": key}
        self.world.backends.operate(Tell("csms", Command("ask", {"partner": partner, "request": request})))
        self.wait(2 * MINUTE)
        outcome = heard[-1] if len(heard) > before else None
        return outcome.payload.body if isinstance(outcome, Answered) else outcome

    def ready(self) -> str:
        account = str(self.ask("accounts.create", country="DE", metadata={"owner": "fjord"})["id"])
        urls = {"refresh_url": "https://a", "return_url": "https://b"}
        link = self.ask("account_links.create", account=account, type="account_onboarding", **urls)["url"]
        self.ask("mail.send", "mailbox", to="owner@fjord.example", subject="s", text=f"Open {link}")
        self.wait(HOUR)
        line = self.lines[0].partner
        assert line.act("visit-link", {"url": link}, self.world.now).payload["landed"] == "refresh_url"  # type: ignore[union-attr]
        link = self.ask("account_links.create", account=account, type="account_onboarding", **urls)["url"]
        form = line.act("visit-link", {"url": link}, self.world.now).payload["form"]  # type: ignore[union-attr]
        self.world.send_command("stripe", Command("submit", {"form": form, "fields": self.given}))
        self.wait(HOUR)
        return account

    def pay(self, account: str) -> str:
        hold = {"amount": 5000, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True}
        more = {"capture_method": "manual", "transfer_data": {"destination": account}, "metadata": {"reference": "S1"}}
        return str(self.ask("payment_intents.create", key="hold-S1", **hold, **more)["id"])

    def statements(self) -> Any:
        return merge(line.statement(self.world.now) for line in self.lines)


FAULTS = [
    Fault(kind="timeout-after", api="payment_intents.capture", times=1),
    Fault(kind="webhook-duplicate", extra=2 * HOUR),
    Fault(kind="webhook-reorder", extra=5 * HOUR),
    Fault(kind="webhook-wrong-secret", times=3),
]


def played(given_fields: dict[str, str], *faults: Fault) -> Play:
    play = Play(given_fields, *faults)
    intent = play.pay(play.ready())
    first = play.ask("payment_intents.capture", key="capture-S1", id=intent)
    assert bool(faults) == (getattr(first, "reason", None) == "timeout")
    assert play.ask("payment_intents.capture", key="capture-S1", id=intent)["amount_received"] == 5000
    play.wait(14 * DAY)
    return play


def test_a_capture_that_timed_out_is_paid_out_once_whatever_happened_to_its_events(
    given_fields: dict[str, str],
) -> None:
    """P04: events have the same effect in any order, doubled and late."""
    quiet, rough = played(given_fields), played(given_fields, *FAULTS)
    told = [sorted(event["type"] for event in play.setup.disk["events"].values()) for play in (quiet, rough)]
    assert told[0] == told[1]
    assert {"payment_intent.succeeded", "payout.paid", "account.updated"} <= set(told[0])
    for play in (quiet, rough):
        rows = play.statements()
        assert [(row["amount"], row["currency"], row["counterparty"]) for row in rows["partner_bank"]] == [
            (5000, "EUR", "Stripe")
        ]
        assert [row["kind"] for row in rows["partner_payments"]].count("capture") == 1
        assert all(row["state"] == "taken" for row in rows["partner_webhooks"])
    assert {row["kind"] for row in rough.statements()["partner_faults"]} == {fault.kind for fault in FAULTS}


def test_a_run_with_partners_is_the_same_each_time_and_its_statements_become_evidence(
    given_fields: dict[str, str],
) -> None:
    digests = []
    for _ in range(2):
        play = played(given_fields, *FAULTS)
        with write_evidence(
            None, truth=TruthRecorder(), wire=WireRecorder(None, "off"), books={}, partners=play.statements()
        ) as evidence:
            digests.append(evidence.digest)
            counts = {table: evidence.rows(f"SELECT COUNT(*) AS n FROM {table}")[0]["n"] for table in PARTNERS}
            assert all(counts.values()), counts
    assert digests[0] == digests[1]
    plain = write_evidence(None, truth=TruthRecorder(), wire=WireRecorder(None, "off"), books={})
    assert plain.digest != digests[0]
    plain.close()


def test_a_statement_that_does_not_fit_the_schema_is_our_own_mistake() -> None:
    for tables in ({"partner_gossip": []}, {"partner_bank": [{"colour": 1}]}):
        with pytest.raises(ValueError, match="partner"):
            write_evidence(None, truth=TruthRecorder(), wire=WireRecorder(None, "off"), books={}, partners=tables)  # type: ignore[arg-type]
