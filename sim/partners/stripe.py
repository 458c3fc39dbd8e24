"""A fake of Stripe Connect Express for virtual time: the parts together, the routes, the commands, the statement.

It imitates what Stripe documents (docs.stripe.com: connect/express-accounts, api/account_links, api/idempotent_requests,
webhooks), not its prices. It is neither Stripe nor made by Stripe, and it never talks to the network.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from sim.backend import Row
from sim.clock import Instant
from sim.machine import Answered, Outcome, Refused
from sim.partners.party import Endpoint, Failing, Party, Tables, Wrong
from sim.partners.port import Request, Response
from sim.partners.stripe_accounts import VERIFY, Account, Accounts
from sim.partners.stripe_api import KEY_LIFE, Call, Keys, Object, StripeError, missing, wrong
from sim.partners.stripe_events import EVENTS, Events, stripe_signature
from sim.partners.stripe_money import Money
from sim.partners.stripe_onboarding import Onboarding
from sim.partners.stripe_payments import Payments


class Stripe(Party):
    """The platform's side of Stripe.

    `register` is the business register that companies are looked up in; `bank` the Machine that takes payouts; `iban` the
    platform's own bank account, `ibans` are those in other currencies; `fees` (basis points, fixed minor units) what Stripe
    keeps of a captured charge.

    Commands of people and the world: `visit-link` (url), `submit` (form, fields), `leave` and `resume` (form),
    `authenticate` (payment_intent, ok), `dispute` (payment_intent, reason; or customer, by the name that the platform gave
    them, for the latest charge of theirs), `close-dispute` (dispute, won), `require`
    (account, fields, deadline in ms or None), `reject` (account, reason).
    """

    events = EVENTS

    def __init__(
        self,
        seed: object,
        *,
        name: str = "stripe",
        endpoints: Iterable[Endpoint] = (),
        register: Mapping[str, Mapping[str, Any]] | None = None,
        bank: str = "bank",
        iban: str | None = None,
        ibans: Mapping[str, str] | None = None,
        fees: tuple[int, int] = (150, 25),
        verify: int = VERIFY,
        key_life: int = KEY_LIFE,
    ) -> None:
        super().__init__(name, seed, endpoints)
        self._rows: list[Row] = []
        self._keys = Keys(key_life)
        self._events = Events(self.ids, self.endpoints, self.notices)
        self.accounts = Accounts(self.ids, self._events, self.agenda, register or {}, verify)
        self._money = Money(self, self.accounts, self._events, self._note, bank, iban, ibans or {})
        self._payments = Payments(self.ids, self.agenda, self.accounts, self._money, self._events, self._note, fees)
        self._onboarding = Onboarding(self.ids, self.accounts)
        self._routes = self._all_routes()
        self.apis = tuple(self._routes)
        form, payments = self._onboarding, self._payments
        self._acts: dict[str, Callable[[Mapping[str, Any], Instant], Outcome]] = {
            "visit-link": form.visit,
            "submit": form.submit,
            "leave": form.leave,
            "resume": form.resume,
            "authenticate": payments.authenticate,
            "dispute": payments.dispute,
            "close-dispute": payments.close_dispute,
            "require": self._require,
            "reject": self._reject,
        }

    def _all_routes(self) -> dict[str, Callable[[Call], Object]]:
        accounts, money, pay, events = self.accounts, self._money, self._payments, self._events
        return {
            "accounts.create": accounts.create,
            "accounts.retrieve": accounts.retrieve,
            "accounts.update": accounts.update,
            "accounts.list": accounts.list,
            "persons.create": accounts.create_person,
            "persons.update": accounts.update_person,
            "persons.list": accounts.list_persons,
            "capabilities.list": accounts.list_capabilities,
            "account_links.create": self._onboarding.create,
            "customers.create": pay.create_customer,
            "payment_methods.create": pay.create_method,
            "payment_methods.attach": pay.attach_method,
            "payment_intents.create": pay.create,
            "payment_intents.confirm": pay.confirm,
            "payment_intents.capture": pay.capture,
            "payment_intents.cancel": pay.cancel,
            "payment_intents.retrieve": pay.retrieve,
            "payment_intents.list": pay.list,
            "payment_intents.search": pay.search,
            "charges.retrieve": pay.retrieve_charge,
            "refunds.create": pay.refund,
            "refunds.retrieve": pay.retrieve_refund,
            "refunds.list": pay.list_refunds,
            "disputes.retrieve": pay.retrieve_dispute,
            "transfers.create": money.create_transfer,
            "transfers.retrieve": money.retrieve_transfer,
            "transfers.list": money.list_transfers,
            "payouts.create": money.create_payout,
            "payouts.retrieve": money.retrieve_payout,
            "payouts.list": money.list_payouts,
            "balance.retrieve": money.balance,
            "balance_transactions.list": money.list_transactions,
            "events.retrieve": events.retrieve,
            "events.list": events.list,
        }

    # -- as a partner -----------------------------------------------------------------------------------------------

    def begin(self, request: Request, now: Instant) -> Response | None:
        """Idempotency keys are judged when a request arrives."""
        return self._keys.begin(request, now)

    def request(self, request: Request, now: Instant, failing: Failing = "") -> Response:
        """Execute, and keep the result under the key: also a 500, whatever was done before it."""
        response, stored = self.broken(), True
        if failing != "500-before":
            done, stored = self._try(request, now)
            response = response if failing else done
        self._keys.end(request, response, stored or bool(failing), now)
        return response

    def act(self, name: str, args: Mapping[str, Any], now: Instant) -> Outcome:
        """Commands; see the class."""
        act = self._acts.get(name)
        return Refused("unknown-command", name) if act is None else act(args, now)

    def sign(self, payload: str, secret: str, now: Instant) -> str:
        """`Stripe-Signature`."""
        return stripe_signature(payload, secret, now)

    def broken(self) -> Response:
        """Stripe's 500."""
        return StripeError(500, "api_error", "An unknown error occurred.").response()

    def too_many(self) -> Response:
        """Stripe's 429."""
        return StripeError(429, "invalid_request_error", "Too many requests.", "rate_limit").response()

    def statement(self, now: Instant) -> Tables:
        """Payments, balance transactions, and the history of accounts."""
        return {
            "partner_payments": [{"partner": self.name, **row} for row in self._rows],
            "partner_balance": [{"partner": self.name, **row} for row in self._money.rows],
            "partner_accounts": [{"partner": self.name, **row} for row in self.accounts.history],
        }

    # -- inside -----------------------------------------------------------------------------------------------------

    def _try(self, request: Request, now: Instant) -> tuple[Response, bool]:
        route = self._routes.get(request.api)
        try:
            if route is None:
                raise missing("API", request.api, "api")
            if request.account and request.account not in self.accounts.all:
                message = f"The provided key does not have access to account '{request.account}'."
                raise StripeError(403, "invalid_request_error", message, "account_invalid", stored=False)
            return Response(200, route(Call(request.params, request.account or "", request.key, now))), True
        except Wrong as err:
            return wrong(err).response(), False
        except StripeError as err:
            return err.response(), err.stored

    def _note(
        self,
        kind: str,
        name: str,
        call: Call,
        account: str,
        currency: str,
        amount: int,
        state: str,
        for_id: str | None,
        about: Object | None = None,
        **data: Any,
    ) -> Row:
        metadata = (about or call.params).get("metadata") or {}
        owner = self.accounts.all.get(account)
        row: Row = {
            "kind": kind,
            "id": name,
            "at": call.now,
            "account": account,
            "owner": None if owner is None else owner.metadata.get("owner"),
            "currency": currency.upper(),
            "amount": amount,
            "key": call.key,
            "reference": metadata.get("reference") or (about or call.params).get("description"),
            "state": state,
            "for_id": for_id,
            "data": {**data, "metadata": metadata},
        }
        self._rows.append(row)
        return row

    def _account(self, args: Mapping[str, Any]) -> Account | None:
        return self.accounts.all.get(str(args.get("account")))

    def _require(self, args: Mapping[str, Any], now: Instant) -> Outcome:
        account, fields = self._account(args), args.get("fields")
        if account is None or not isinstance(fields, list | tuple):
            return Refused("no-such-account")
        self.accounts.require(account, [str(name) for name in fields], args.get("deadline"), now)
        return Answered(self.accounts.show(account, now))

    def _reject(self, args: Mapping[str, Any], now: Instant) -> Outcome:
        account = self._account(args)
        if account is None:
            return Refused("no-such-account")
        self.accounts.reject(account, str(args.get("reason", "rejected.other")), now)
        return Answered(self.accounts.show(account, now))
