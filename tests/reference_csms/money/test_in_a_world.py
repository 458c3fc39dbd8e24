"""The reference back-end, a station and all partners in one virtual world: money ends right whatever happens on the way."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, cast

import pytest

from reference_csms import assemble
from reference_csms.payments import claims
from scenarios.checks.registry import run_checks
from sim.backend import Row, Setup
from sim.clock import DAY, HOUR, MINUTE, SECOND, Instant, iso, parse_iso
from sim.evidence.reader import Evidence
from sim.evidence.store import write_evidence
from sim.evidence.truth import TruthRecorder
from sim.evidence.verdict import Verdict
from sim.evidence.wire import WireRecorder
from sim.machine import Answered, Closed, Command, Effect, Event, LinkId, Open, Opened, Received, Send, Tell
from sim.partners.bank import Bank, BankAccount
from sim.partners.faults import Fault
from sim.partners.line import Line
from sim.partners.party import Endpoint, merge
from sim.partners.port import Request
from sim.partners.riverty import Riverty
from sim.partners.stripe import Stripe
from sim.runtimes.virtual import Crash, VirtualWorld
from sim.wire import ocmf, ocppj

START = parse_iso("2024-04-01T06:00:00Z")
OLD_IBAN, OWNER_IBAN = "NO9386011117947", "DE89370400440532013000"
SECRET = "whsec_world"
CHECKS = ("P01", "P02", "P03", "P04", "P05", "P09", "P10", "P11", "P12", "L01")
GUESTS = [f"T{number}" for number in range(10)]


class Post:
    """One charging station that does as it is told: `begin` (token), `end` (wh). It dials again when it is cut off."""

    def __init__(self, backend: str, meter: Any) -> None:
        self.url = f"ws://{backend}/CS-1"
        self.meter = meter
        self.link: LinkId | None = None
        self.token, self.begun, self.transaction, self.count = "", "", 0, 0
        self.sent: dict[str, bytes] = {}
        self.dial_at: Instant | None = START

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        if isinstance(event, Opened):
            self.link = event.link
            boot = self._call("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})
            return [boot, *(Send(event.link, frame) for frame in self.sent.values() if frame is not boot.frame)]
        if isinstance(event, Closed):
            self.link, self.dial_at = None, Instant(now + MINUTE)
        elif isinstance(event, Received):
            return self._hear(ocppj.parse(event.frame))
        elif isinstance(event, Command) and event.name == "begin":
            self.token = str(event.args["token"])
            self.begun = self.meter.sign(self.token, self.meter.reading("B", now))
            more = {"connectorId": 1, "idTag": self.token, "meterStart": self.meter.register}
            return self._out(self._call("StartTransaction", {**more, "timestamp": iso(now)}))
        elif isinstance(event, Command) and event.name == "end":
            ended = self.meter.sign(self.token, self.meter.reading("E", now, event.args["wh"]))
            values = [{"value": ocmf.wrap(text), "format": "SignedData"} for text in (self.begun, ended)]
            data = [{"timestamp": iso(now), "sampledValue": [value]} for value in values]
            more = {"transactionId": self.transaction, "meterStop": self.meter.register, "transactionData": data}
            return self._out(self._call("StopTransaction", {**more, "timestamp": iso(now), "reason": "Local"}))
        elif self.dial_at is not None and now >= self.dial_at:
            self.dial_at = None
            return [Open(self.url)]
        return []

    def next_deadline(self) -> Instant | None:
        return self.dial_at

    def _call(self, action: str, payload: Row) -> Send:
        self.count += 1
        frame = ocppj.encode_call(f"m{self.count}", action, json.dumps(payload).encode())
        if action != "BootNotification":
            self.sent[f"m{self.count}"] = frame
        return Send(cast(LinkId, self.link), frame)

    def _out(self, send: Send) -> list[Effect]:
        return [] if self.link is None else [send]

    def _hear(self, frame: Any) -> list[Effect]:
        if isinstance(frame, ocppj.Call):
            return [Send(cast(LinkId, self.link), ocppj.encode_result(frame.id, b'{"status":"Accepted"}'))]
        if isinstance(frame, ocppj.Result) and self.sent.pop(frame.id, None) is not None:
            self.transaction = json.loads(frame.payload).get("transactionId", self.transaction)
        return []


class Quiet:
    def note(self, *_: Any) -> None:
        """Nobody looks at the wire here."""

    frame = link_opened = link_closed = note


class Play:
    """The world. Partners are wired by name: each `Line` is a Machine, events go to the back-end by its endpoint."""

    def __init__(
        self,
        sheet: Any,
        meter: Any,
        form: Row,
        route: str,
        faults: dict[str, list[Fault]],
        parts: dict[str, Any] | None = None,
        **more: Any,
    ) -> None:
        self.form = form
        self.name = name = "new" if route == "stripe" else "legacy"
        self.stripe = Stripe(7, endpoints=[Endpoint(to=name, secret=SECRET)], fees=(0, 0))
        self.bank = Bank(7, [BankAccount(OLD_IBAN, "oldco", "EUR"), BankAccount(OWNER_IBAN, "city")])
        self.riverty = Riverty(7, merchant="oldco", iban=OLD_IBAN)
        created = Request(api="accounts.create", params={"country": "DE", "metadata": {"owner": "city"}})
        self.account = str(self.stripe.request(created, START).body["id"])
        given = sheet(self.account)
        given["tokens"] += [{"token": name, "status": "Accepted", "customer": f"c-{name}"} for name in GUESTS]
        given["driver-terms"] += [
            {"customer": f"c-{name}", "pays": "contract", "method": "pm_card_visa"} for name in GUESTS
        ]
        money = {"route": route, "webhook_secrets": {"stripe": SECRET}, "bank_accounts": [OLD_IBAN], **more}
        self.setup = Setup(name=name, seed=7, provision=given, options={"money": money})
        self.world = VirtualWorld(START, 7, Quiet(), Quiet(), (10, 10))  # type: ignore[arg-type]
        self.world.add_backend(partial(assemble, **(parts or {})), self.setup)
        parties = (self.stripe, self.bank, self.riverty)
        self.lines = {party.name: Line(party, 7, faults.get(party.name, [])) for party in parties}
        for line in self.lines.values():
            self.world.add(line.name, line)
        self.world.add("CS-1", Post(name, meter))
        self.deaths: list[int] = []

    def wait(self, ms: int) -> None:
        self.world.run(Instant(self.world.now + ms))

    def until(self, text: str) -> None:
        self.world.run(parse_iso(text))

    def command(self, to: str, name: str, **args: Any) -> None:
        self.world.send_command(to, Command(name, args))

    def operate(self, kind: str, **args: Any) -> None:
        self.world.backends.operate(Tell(self.name, Command(kind, args)))

    def onboard(self) -> None:
        """The owner opens a link and fills in the form, as a person does."""
        urls = {"refresh_url": "https://a", "return_url": "https://b"}
        link = Request(
            api="account_links.create", params={"account": self.account, "type": "account_onboarding", **urls}
        )
        url = self.stripe.request(link, self.world.now).body["url"]
        visited = self.stripe.act("visit-link", {"url": url}, self.world.now)
        assert isinstance(visited, Answered)
        self.command("stripe", "submit", form=visited.payload["form"], fields=self.form)
        self.wait(10 * MINUTE)

    def charge(self, token: str, wh: int = 10_000) -> None:
        self.wait(2 * MINUTE)
        self.command("CS-1", "begin", token=token)
        self.wait(HOUR)
        self.command("CS-1", "end", wh=wh)
        self.wait(2 * MINUTE)

    def die(self, down_for: int = MINUTE) -> None:
        crash = Crash(self.world.now, "before-commit", "", down_for, lambda died, back: self.deaths.append(died))
        self.world.backends.arm_crash(self.name, crash)

    def book(self, name: str) -> list[Row]:
        return cast(list[Row], self.world.backend(self.name).books(self.world.now)["books_" + name])

    def drivers(self) -> list[Row]:
        return [row for row in self.book("claims") if row["kind"] != "subscription"]

    def statements(self) -> dict[str, list[Row]]:
        return merge(line.statement(self.world.now) for line in self.lines.values())

    def moved(self, kind: str) -> list[Row]:
        return [row for row in self.statements()["partner_payments"] if row["kind"] == kind]

    def balance(self, start: str) -> int:
        postings = (one for entry in self.book("journal") for one in json.loads(entry["postings"]))
        return sum(amount for account, _, amount in postings if account.startswith(start))

    def keys(self, api: str) -> list[str]:
        return [row["key"] for row in self.statements()["partner_requests"] if row["api"] == api]

    def right(self) -> None:
        """What was taken is what was billed, each claim once, and nothing is left between."""
        bills = sum(row["gross"] for row in self.book("bills"))
        captured = self.moved("capture")
        assert sum(row["amount"] for row in captured) - sum(row["amount"] for row in self.moved("refund")) == bills > 0
        assert {row["state"] for row in self.drivers()} == {"paid"}
        assert self.balance("receivable:") == 0 and sum(self.balance(f"invoiced:c-{name}") for name in GUESTS) == 0
        assert all(row["state"] in ("done", "lapsed") for row in self.book("payments"))
        assert self.failed() == {}

    def evidence(self) -> Evidence:
        books = {self.name: self.world.backend(self.name).books(self.world.now)}
        wire, now = WireRecorder(None, "off"), self.world.now
        return write_evidence(
            None, truth=TruthRecorder(), wire=wire, books=books, partners=self.statements(), ended_at=now
        )

    def failed(self) -> dict[str, str]:
        """The checks of payments that find something, each with its first sentence."""
        with self.evidence() as evidence:
            results = run_checks(evidence, CHECKS)
        assert not [one for one in results if one.verdict is Verdict.UNKNOWN], results
        return {one.check: one.findings[0].sentence for one in results if one.verdict is Verdict.FAIL}

    def digest(self) -> str:
        with self.evidence() as evidence:
            return evidence.digest


Make = Callable[..., Play]


@pytest.fixture
def play(money_sheet: Any, make_meter: Any, given_fields: Row) -> Make:
    def make(route: str = "stripe", faults: dict[str, list[Fault]] | None = None, **more: Any) -> Play:
        return Play(money_sheet, make_meter("CS-1", 1), given_fields, route, faults or {}, **more)

    return make


def test_a_guest_is_held_captured_and_the_rest_released_and_the_owner_is_paid_out(play: Make) -> None:
    """P09, P10, L04."""
    it = play()
    it.onboard()
    it.charge("GUEST-7")
    it.right()
    gross = it.book("bills")[0]["gross"]
    (auth,), (capture,) = it.moved("auth"), it.moved("capture")
    assert (auth["amount"], auth["state"], capture["amount"]) == (5000, "captured", gross)
    it.wait(12 * DAY)
    assert it.balance("clearing:stripe:") == 0 and it.balance("bank:city") == gross
    assert [row["amount"] for row in it.statements()["partner_bank"]] == [gross]


def test_claims_wait_for_the_onboarding_and_are_then_taken_exactly_once(play: Make) -> None:
    """INV-24, P05, M10."""
    it = play()
    for token in ("TOK-S", "GUEST-7", "TOK-S"):
        it.charge(token)
    assert {row["state"] for row in it.drivers()} == {"waiting-account"}
    assert not it.moved("auth") and not it.keys("payment_intents.create")
    it.wait(3 * DAY)
    it.onboard()
    it.wait(DAY)
    it.right()
    assert len(it.moved("capture")) == 3 and len(set(it.keys("payment_intents.create"))) == 3


def test_a_month_at_riverty_is_authorised_captured_refunded_and_settled(play: Make) -> None:
    """L04, P10."""
    it = play("riverty")
    it.charge("T0")
    it.charge("T1")
    it.charge("GUEST-7", wh=50)  # held for a guest, and free in the end: voided
    it.until("2024-05-02T00:00:00Z")
    assert [row["state"] for row in it.moved("void")] == ["voided"]
    first = next(row for row in it.drivers() if row["customer"] == "c-T0")
    it.operate("refund", claim=first["claim_id"], amount=100)
    it.wait(15 * DAY)
    bills = sum(row["gross"] for row in it.book("bills"))
    assert sum(row["amount"] for row in it.moved("capture")) == bills and len(it.moved("capture")) == 2
    assert [row["amount"] for row in it.moved("refund")] == [100]
    assert it.balance("clearing:riverty") == 0
    fees = sum(row["fee"] for row in it.statements()["partner_balance"])
    assert it.balance("fees:riverty") == fees > 0
    assert it.balance(f"bank:{OLD_IBAN}") == bills - 100 - fees
    banked = {row["reference"]: row["amount"] for row in it.statements()["partner_bank"]}
    assert banked == {row["movement_id"]: row["amount"] for row in it.book("movements")}


ROUGH = {
    "timed out after the capture": [Fault(kind="timeout-after", api="payment_intents.*", times=3)],
    "webhooks doubled, late and out of order": [
        Fault(kind="webhook-duplicate", copies=2, extra=3 * HOUR),
        Fault(kind="webhook-reorder", extra=9 * HOUR),
        Fault(kind="webhook-delay", extra=HOUR, share=50),
    ],
    "an hour slow": [Fault(kind="slow", extra=HOUR)],
    "an hour slow, and nobody waits so long": [
        Fault(kind="slow", extra=HOUR, until=START + DAY),
        Fault(kind="timeout-after", share=60, until=START + DAY),
    ],
    "down": [Fault(kind="outage", since=START + 30 * MINUTE, until=START + 6 * HOUR)],
    "breaking down": [
        Fault(kind="500-after", share=50, until=START + DAY),
        Fault(kind="500-before", share=50, until=START + DAY),
        Fault(kind="429", share=30, until=START + DAY),
    ],
}


@pytest.mark.parametrize("what", ROUGH)
def test_whatever_stripe_does_each_session_is_paid_once(play: Make, what: str) -> None:
    """P01, P02, P03, P04."""
    it = play(faults={"stripe": ROUGH[what]})
    it.onboard()
    it.wait(4 * HOUR)
    for token in ("TOK-S", "GUEST-7", "TOK-S", "GUEST-7"):
        it.charge(token)
    it.wait(6 * DAY)
    it.right()
    assert {fault.kind for fault in ROUGH[what]} == {row["kind"] for row in it.statements()["partner_faults"]}
    assert {row["state"] for row in it.moved("auth")} == {"captured"}
    assert all(row["times"] > 0 for row in it.book("webhooks"))


def test_a_transfer_pays_its_invoice_and_a_sepa_return_opens_it_again(play: Make) -> None:
    """M09."""
    it = play("riverty")
    it.wait(HOUR)
    (invoice,) = [row for row in it.book("invoices") if row["kind"] == "subscription"]
    credit = {"iban": OLD_IBAN, "amount": invoice["gross"], "currency": "EUR", "counterparty": "City"}
    it.command("bank", "credit", reference=f"Invoice {invoice['number']}", **credit)
    it.wait(2 * DAY)
    assert it.book("claims")[0]["state"] == "paid" and it.balance("invoiced:city") == 0
    entry = it.statements()["partner_bank"][0]["id"]
    it.command("bank", "return", entry=entry, code="MS03")
    it.wait(2 * DAY)
    claim = it.book("claims")[0]
    assert (claim["state"], claim["paid"], claim["reason"]) == ("open", 0, "returned: MS03")
    assert it.balance("invoiced:city") == invoice["gross"] and it.balance(f"bank:{OLD_IBAN}") == 0


def month_end(play: Make, route: str, faults: dict[str, list[Fault]], killed: bool) -> Play:
    """Ten customers, ten invoices; the run may die when six are committed."""
    it = play(route, faults)
    it.onboard()
    for token in GUESTS:
        it.charge(token)
    it.until("2024-05-01T00:59:50Z")
    while killed and len([row for row in it.book("invoices") if row["kind"] == "drivers"]) < 6:
        it.wait(5)
    if killed:
        it.die()
    it.wait(8 * DAY)
    return it


FAULTS = {
    "stripe": [
        Fault(kind="timeout-after", share=40, until=parse_iso("2024-05-02T00:00:00Z")),
        Fault(kind="webhook-duplicate", extra=2 * HOUR),
        Fault(kind="webhook-reorder", extra=5 * HOUR),
    ],
    "riverty": [Fault(kind="timeout-after", share=40, until=parse_iso("2024-05-02T00:00:00Z"))],
}


@pytest.mark.parametrize("route", ["stripe", "riverty"])
def test_a_run_that_dies_at_sixty_percent_goes_on_and_the_same_day_has_the_same_digest(play: Make, route: str) -> None:
    """B03, L06, T-10, INV-30."""
    plays = [month_end(play, route, FAULTS, killed=True) for _ in range(2)]
    for it in plays:
        assert len(it.deaths) == 1
        numbers = [row["number"] for row in it.book("invoices") if row["kind"] == "drivers"]
        assert sorted(numbers) == [f"CITY-{it.name[0].upper()}D-{number:06d}" for number in range(1, 11)]
        it.right()
        assert len(it.moved("capture")) == 10
    assert plays[0].digest() == plays[1].digest()
    calm = month_end(play, route, {}, killed=False)
    calm.right()
    assert calm.digest() != plays[0].digest()


def test_a_back_end_that_dies_between_asking_and_hearing_asks_again_under_the_same_key(play: Make) -> None:
    """P02."""
    it = play(faults={"stripe": [Fault(kind="slow", api="payment_intents.*", extra=30 * SECOND)]})
    it.onboard()
    it.charge("TOK-S")
    it.wait(5 * SECOND)
    it.die(10 * MINUTE)
    it.wait(6 * HOUR)
    it.right()
    assert it.deaths and len(set(it.keys("payment_intents.create"))) == 1


def taken_again(claim: Any, left: Any) -> Any:
    """What was paid in the catch-up is charged once more."""
    again = claim.state == "due" and claim.paid > 0 and claim.paid == claim.amount
    return claims.Step("charge", claim.amount) if again else claims.next_step(claim, left)


LOST = Fault(kind="webhook-lost")
TWICE = Fault(kind="webhook-duplicate", extra=HOUR)
BUGS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "nothing asks whether an account can charge": ("P05", {"may_charge": lambda account: True}, {"late": True}),
    "a new key after an unknown outcome": (
        "P02",
        {"after_unknown": lambda *_: claims.ANEW},
        {"faults": {"stripe": [Fault(kind="timeout-after", api="payment_intents.create", times=1), LOST]}},
    ),
    "one key for everything that is asked of a claim": (
        "P03",
        {"idempotency_key": lambda claim_id, purpose, n: claim_id},
        {"token": "GUEST-7"},
    ),
    "each copy of an event has its effect": (
        "P04",
        {
            "take_webhook": lambda seen: True,
            "moves_on": lambda known, told: True,
            "movement_change": lambda known, told, amount: amount if told == "paid" else 0,
        },
        {"faults": {"stripe": [TWICE]}},
    ),
    "the catch-up takes each claim twice": (
        "P01",
        {
            "catch_up_order": lambda waiting: [*claims.oldest_first(waiting)] * 2,
            "may_collect": lambda claim: True,
            "next_step": taken_again,
        },
        {"late": True, "catch_up_per_day": {"EUR": 500}},
    ),
    "a hold is never let go": (
        "P09",
        {"next_step": lambda claim, left: None if claim.final and claim.held else claims.next_step(claim, left)},
        {"token": "GUEST-7", "days": 3},
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_caught_by_its_check(play: Make, bug: str) -> None:
    check, parts, given = BUGS[bug]
    more = {"late": False, "token": "TOK-S", "days": 12, **given}
    late, token, days = more.pop("late"), more.pop("token"), more.pop("days")
    it = play(parts=parts, **more)
    if not late:
        it.onboard()
    it.charge(token)
    it.charge(token)
    if late:
        it.onboard()
    it.wait(days * DAY)
    assert check in it.failed(), it.failed()
