"""A bench with partners: the real fakes of Stripe, Riverty and the bank behind their lines, in the time of the bench."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import deque
from typing import Any

import pytest

from sim.backend import Operation, Row, Setup
from sim.clock import MINUTE, Instant, parse_iso
from sim.machine import Command, Settle, Settled, Tell, Tick
from sim.partners.bank import Bank, BankAccount
from sim.partners.faults import Fault
from sim.partners.line import Line
from sim.partners.party import Endpoint
from sim.partners.port import Request
from sim.partners.riverty import Riverty
from sim.partners.stripe import Stripe

SECRET = "whsec_test"
APRIL = parse_iso("2024-04-01T06:00:00Z")
OLD_IBAN, NEW_IBAN, OWNER_IBAN = "NO9386011117947", "NO8330001234567", "DE89370400440532013000"
DEBITED_IBAN = "NO6857730856182"


class Partners:
    """The lines of all partners, and what lies between them and one back-end: no time at all.

    `silent` loses every request on its way there, `asked` is what was sent: (api, params, key).
    """

    def __init__(self, backend: str, fees: tuple[int, int]) -> None:
        stripe = Stripe(7, endpoints=[Endpoint(to=backend, secret=SECRET)], fees=fees, iban=DEBITED_IBAN)
        owners = {OLD_IBAN: "oldco", DEBITED_IBAN: "newco", OWNER_IBAN: "city"}
        bank = Bank(7, [BankAccount(iban, owner, "EUR") for iban, owner in owners.items()])
        riverty = Riverty(7, merchant="oldco", iban=OLD_IBAN)
        self.lines = {party.name: Line(party, 7) for party in (stripe, bank, riverty)}
        self.stripe, self.bank, self.riverty = stripe, bank, riverty
        self.backend = backend
        self.silent = False
        self.asked: list[tuple[str, Row, str | None]] = []
        self.account = str(self.do("stripe", "accounts.create", country="DE", metadata={"owner": "city"})["id"])

    def do(self, partner: str, api: str, **params: Any) -> Row:
        """A call from somebody else, done at once."""
        return self.lines[partner].partner.request(Request(api=api, params=params), APRIL).body

    def onboard(self, fields: dict[str, str], now: Instant) -> None:
        """The owner fills in everything that Stripe wants."""
        self.stripe.accounts.submit(self.stripe.accounts.all[self.account], fields, now)

    def fault(self, partner: str, kind: str, **more: Any) -> None:
        self.lines[partner].faults.add(Fault(kind=kind, **more))

    def keys(self, api: str) -> list[str | None]:
        return [key for name, _, key in self.asked if name == api]

    def rows(self, kind: str, partner: str = "stripe") -> list[Row]:
        table = self.lines[partner].statement(Instant(0))["partner_payments"]
        return [row for row in table if row["kind"] == kind and not str(row["state"]).startswith("declined")]

    @property
    def collected(self) -> int:
        """What drivers paid, over all partners, minus what went back."""
        both = ("stripe", "riverty")
        taken = sum(row["amount"] for name in both for row in self.rows("capture", name))
        return taken - sum(row["amount"] for name in both for row in self.rows("refund", name))


def with_money(base: dict[str, list[Row]], account: str) -> dict[str, list[Row]]:
    contracts = {
        "contract": "sub-city",
        "seller": "oldco",
        "customer": "city",
        "currency": "EUR",
        "period": "month",
        "start": "2024-04-01",
        "items": [{"text": "Operation", "net": 3000, "quantity": 2}],
        "vat_percent": "25",
        "terms": "2023-1",
        "backend": "legacy",
    }
    return {
        **base,
        "sellers": [
            {"seller": "oldco", "zone": "Europe/Oslo", "prefix": "OLD", "accounts": [{"value": OLD_IBAN}]},
            {"seller": "newco", "zone": "Europe/Oslo", "prefix": "NEW", "accounts": [{"value": NEW_IBAN}]},
        ],
        "contracts": [contracts],
        "driver-terms": [
            {"customer": "cust-a", "pays": "contract", "name": "Anna", "method": "pm_card_visa"},
            {"customer": "cust-s", "pays": "card", "method": "pm_card_visa"},
            {"customer": "cust-h", "pays": "card", "method": "pm_card_chargeDeclined"},
            {"customer": "GUEST-7", "pays": "adhoc", "method": "pm_card_visa"},
        ],
        "accounts": [{"account": account, "owner": "city"}],
    }


def money_bench(
    base: type,
    sheet: dict[str, list[Row]],
    name: str,
    fields: Row,
    options: Row,
    parts: Row,
    fees: tuple[int, int],
) -> Any:
    class MoneyBench(base):  # type: ignore[misc]
        """The bench, with its partners. Time passes for all of them together."""

        def __init__(self) -> None:
            self.partners = Partners(name, fees)
            chosen = {"webhook_secrets": {"stripe": SECRET}, "holds": True, **options}
            given = with_money(sheet, self.partners.account)
            setup = Setup(name=name, seed=7, provision=given, options={"transaction_base": 500, "money": chosen})
            self.todo: deque[tuple[str, Any]] = deque()
            self.lives = 1
            super().__init__(setup, **parts)
            self.now = APRIL

        def onboard(self) -> None:
            self.partners.onboard(fields, self.now)
            self.wait(10 * MINUTE)

        def flush(self) -> Any:
            released = list(super().flush())
            self.todo += [(name, effect) for effect in released]
            while self.todo:
                sender, effect = self.todo.popleft()
                if isinstance(effect, Tell):
                    self._tell(sender, effect)
                elif isinstance(effect, Settle):
                    self._settle(effect)
            self.out = released
            return released

        def _tell(self, sender: str, tell: Tell) -> None:
            args = tell.command.args
            if sender == name:
                self.partners.asked.append((args["api"], args["params"], args["key"]))
            if tell.to == name:
                self.csms.operate(Operation(tell.command.name, args), tell.call_id or "", self.now)
                self._commit()
            elif not (self.partners.silent and sender == name):
                self._hand(tell.to, Command(tell.command.name, {**args, "call_id": tell.call_id}))

        def _settle(self, settle: Settle) -> None:
            sender = settle.call_id.replace("/", ":").split(":")[0]
            if sender == name and settle.call_id.split(":")[1] != str(self.lives):
                return  # whoever asked is dead
            if sender == name:
                self.csms.settled(settle.call_id, settle.outcome, self.now)
                self._commit()
            elif sender in self.partners.lines:
                self._hand(sender, Settled(settle.call_id, settle.outcome))

        def restart(self) -> None:
            """The dead one's requests are on their way, and nobody hears what becomes of them."""
            self.lives += 1
            super().restart()

        def _commit(self) -> None:
            self.todo += [(name, effect) for effect in super().flush()]

        def _hand(self, to: str, event: Any) -> None:
            self.todo += [(to, effect) for effect in self.partners.lines[to].handle(event, self.now)]

        def wait(self, ms: int) -> Any:
            until, released = Instant(self.now + ms), []
            while True:
                wishes = {to: line.next_deadline() for to, line in self.partners.lines.items()}
                wishes[name] = self.csms.next_deadline()
                due = [(at, who) for who, at in wishes.items() if at is not None and at <= until]
                if not due:
                    self.now = until
                    return released
                at, who = min(due)
                self.now = Instant(max(self.now, at))
                if who == name:
                    self.csms.tick(self.now)
                else:
                    self._hand(who, Tick())
                released += self.flush()

        def until(self, text: str) -> None:
            self.wait(parse_iso(text) - self.now)

        def webhook(self, event: Row, secret: str = SECRET, age_s: int = 0) -> Any:
            text, stamp = json.dumps(event), self.now // 1000 - age_s
            mac = hmac.new(secret.encode(), f"{stamp}.{text}".encode(), hashlib.sha256).hexdigest()
            return self.operate("webhook", partner="stripe", payload=text, signature=f"t={stamp},v1={mac}")

        def act(self, partner: str, name: str, **args: Any) -> Any:
            """Something that a person does at a partner."""
            outcome = self.partners.lines[partner].partner.act(name, args, self.now)
            self.flush()
            return outcome.payload

        def day(self, token: str, wh: int = 10_000) -> None:
            """One charging session of an hour, billed."""
            link = self.boot()
            self.charge(link, token, wh)
            self.bill_all()
            self.close(link)

        def balance(self, start: str) -> int:
            return sum(
                amount
                for entry in self.book("journal")
                for account, _, amount in json.loads(entry["postings"])
                if account.startswith(start)
            )

    return MoneyBench()


@pytest.fixture
def make_money(make_bench: type, sheet: Any, given_fields: Any) -> Any:
    def make(name: str = "new", parts: Row | None = None, fees: tuple[int, int] = (0, 0), **options: Any) -> Any:
        return money_bench(make_bench, sheet, name, given_fields, options, parts or {}, fees)

    return make


@pytest.fixture
def money_sheet(sheet: Any) -> Any:
    """The instruction sheet with money, for a connected account."""
    return lambda account: with_money(sheet, account)
