"""A desk in front of one partner: its line driven by hand, no world around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sim.clock import MINUTE, Instant
from sim.machine import Answered, Command, Outcome, Settle, Settled, Tell, Tick
from sim.partners.line import Line
from sim.partners.party import Party
from sim.partners.port import WEBHOOK, Request, Response
from sim.partners.stripe import Stripe

START = Instant(1_712_000_000_000)


class Desk:
    """Asks a partner, lets time pass, keeps what it tells others. `takes` decides on each delivery of a webhook."""

    def __init__(self, party: Party, *faults: Any, takes: Callable[[Tell], Outcome | None] | None = None) -> None:
        self.line = Line(party, 7, faults)
        self.now: Instant = START
        self.told: list[Tell] = []
        self.outcomes: dict[str, tuple[Instant, Outcome]] = {}
        self.takes = takes or (lambda tell: Answered({}))
        self.count = 0

    def _do(self, event: Any) -> None:
        for effect in self.line.handle(event, self.now):
            if isinstance(effect, Settle):
                self.outcomes[effect.call_id] = (self.now, effect.outcome)
            elif isinstance(effect, Tell):
                self.told.append(effect)
                outcome = self.takes(effect)
                if effect.call_id is not None and outcome is not None:
                    self._do(Settled(effect.call_id, outcome))
        deadline = self.line.next_deadline()
        assert deadline is None or deadline > self.now

    def send(self, command: Command) -> str:
        self.count += 1
        call_id = f"call-{self.count}"
        self._do(Command(command.name, {**command.args, "call_id": call_id}))
        return call_id

    def wait(self, ms: int) -> None:
        until = Instant(self.now + ms)
        while (deadline := self.line.next_deadline()) is not None and deadline <= until:
            self.now = deadline
            self._do(Tick())
        self.now = until

    def start(self, api: str, *, key: str | None = None, header: str | None = None, **params: Any) -> str:
        return self.send(Request(api=api, params=params, key=key, account=header).command())

    def outcome(self, call_id: str) -> Outcome | None:
        return self.outcomes[call_id][1] if call_id in self.outcomes else None

    def ask(self, api: str, *, key: str | None = None, header: str | None = None, **params: Any) -> Response:
        call_id = self.start(api, key=key, header=header, **params)
        self.wait(MINUTE)
        outcome = self.outcome(call_id)
        assert isinstance(outcome, Answered), outcome
        assert isinstance(outcome.payload, Response)
        return outcome.payload

    def act(self, name: str, **args: Any) -> Any:
        outcome = self.outcome(self.send(Command(name, args)))
        return outcome.payload if isinstance(outcome, Answered) else outcome

    def rows(self, table: str) -> list[dict[str, Any]]:
        return self.line.statement(self.now)[table]

    def webhooks(self) -> list[Tell]:
        return [tell for tell in self.told if tell.command.name == WEBHOOK]


class StripeDesk(Desk):
    """A desk at the Stripe fake, with accounts that are ready to take money once they gave what the `form` asks."""

    form: dict[str, str]

    def __init__(self, *faults: Any, takes: Any = None, **options: Any) -> None:
        super().__init__(Stripe(7, **options), *faults, takes=takes)

    def account(self, **more: Any) -> str:
        return str(self.ask("accounts.create", country="DE", metadata={"owner": "fjord"}, **more).body["id"])

    def open_form(self, account: str) -> str:
        return str(self.act("visit-link", url=self.link(account))["form"])

    def link(self, account: str) -> str:
        urls = {"refresh_url": "https://op.example/again", "return_url": "https://op.example/back"}
        return str(self.ask("account_links.create", account=account, type="account_onboarding", **urls).body["url"])

    def ready(self) -> str:
        account = self.account()
        self.act("submit", form=self.open_form(account), fields=self.form)
        self.wait(5 * MINUTE)
        assert self.ask("accounts.retrieve", id=account).body["charges_enabled"]
        return account

    def hold(self, amount: int = 5000, **params: Any) -> Response:
        params = {"payment_method": "pm_card_visa", "confirm": True, "capture_method": "manual", **params}
        return self.ask("payment_intents.create", amount=amount, currency="eur", **params)


@pytest.fixture(scope="session")
def desk() -> type[Desk]:
    return Desk


@pytest.fixture(scope="session")
def stripe_desk(given_fields: dict[str, str]) -> type[StripeDesk]:
    StripeDesk.form = given_fields
    return StripeDesk
