"""Balances of the Stripe fake: every movement is a balance transaction, and a balance is nothing but their sum.

Transfers and payouts live here too. The platform has the account "". Balances may be negative: refunds and disputes are
taken from them whatever they hold, and the platform is liable for its Express accounts. What the platform owes is debited
from its bank account every Monday: a payout with a negative amount.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import heappop, heappush
from itertools import takewhile
from typing import Any

from sim.backend import Row
from sim.clock import DAY, Instant
from sim.machine import Answered, Command, Outcome, Refused
from sim.partners.party import Party, dict_of, text_of, whole_of
from sim.partners.stripe_accounts import Account, Accounts
from sim.partners.stripe_api import Call, Object, listing, missing, page_of, refused, seconds, snapshot
from sim.partners.stripe_events import Events

NO_ACCOUNT = "no_account"
_FAILURE = {"AC01": NO_ACCOUNT, "AC04": "account_closed", "AC06": "account_frozen", "AM03": "invalid_currency"}


class Money:
    """The ledger of the platform and all its accounts. `bank` is the Machine that takes payouts."""

    def __init__(
        self,
        party: Party,
        accounts: Accounts,
        events: Events,
        note: Callable[..., Row],
        bank: str,
        iban: str | None,
        ibans: Mapping[str, str],
    ) -> None:
        self._party = party
        self._ids = party.ids
        self._accounts = accounts
        self._events = events
        self._note = note
        self._bank = bank
        self._iban = iban
        self._ibans = {currency.lower(): other for currency, other in ibans.items()}
        self.rows: list[Row] = []
        self._ready: dict[str, dict[str, int]] = {}
        self._pending: dict[str, list[tuple[int, int, str, int]]] = {}
        self.transfers: dict[str, Object] = {}
        self.payouts: dict[str, Object] = {}
        self._payout_rows: dict[str, Row] = {}
        self._scheduled = False

    def post(
        self,
        account: str,
        amount: int,
        currency: str,
        kind: str,
        source: str,
        now: Instant,
        fee: int = 0,
        delay: int = 0,
    ) -> str:
        """One balance transaction of `amount` minor units less `fee`; its id. What is gained is available after `delay`."""
        available = now + delay if amount > 0 else now
        txn = self._ids.new("txn")
        self.rows.append(
            {
                "id": txn, "at": now, "account": account, "currency": currency, "amount": amount, "fee": fee,
                "net": amount - fee, "type": kind, "source": source, "available_at": available,
            }
        )  # fmt: skip
        if available > now:
            heappush(self._pending.setdefault(account, []), (available, len(self.rows), currency, amount - fee))
        else:
            self._gain(account, currency, amount - fee)
        if not self._scheduled:
            self._scheduled = True
            self._party.agenda.add((now // DAY + 1) * DAY, self._pay_out_all)
        return txn

    def delay(self, account: str) -> int:
        """How long what an account earns is pending, ms."""
        found = self._accounts.all.get(account)
        return int(found.schedule["delay_days"]) * DAY if found is not None else 2 * DAY

    def held(self, account: str, now: Instant | None = None) -> dict[str, int]:
        """Balance by currency, only what is available at `now` if that is given. Time never goes back here."""
        pending = self._pending.get(account, [])
        while now is not None and pending and pending[0][0] <= now:
            _, _, currency, net = heappop(pending)
            self._gain(account, currency, net)
        sums = dict(self._ready.get(account, {}))
        if now is None:
            for _, _, currency, net in pending:
                sums[currency] = sums.get(currency, 0) + net
        return sums

    def _gain(self, account: str, currency: str, net: int) -> None:
        ready = self._ready.setdefault(account, {})
        ready[currency] = ready.get(currency, 0) + net

    def balance(self, call: Call) -> Object:
        """`balance.retrieve`."""
        ready, whole = self.held(call.account, call.now), self.held(call.account)
        pending = {currency: amount - ready.get(currency, 0) for currency, amount in whole.items()}
        return {
            "object": "balance",
            "livemode": False,
            "available": [{"amount": amount, "currency": currency} for currency, amount in sorted(ready.items())],
            "pending": [{"amount": amount, "currency": currency} for currency, amount in sorted(pending.items())],
        }

    def list_transactions(self, call: Call) -> Object:
        """`balance_transactions.list`, newest first; pages as in `page_of`."""
        since = whole_of(dict_of(call.params, "created"), "gte", 0, 0)
        fresh = takewhile(lambda row: seconds(row["at"]) >= since, reversed(self.rows))
        found = [
            {
                **{name: row[name] for name in ("id", "amount", "currency", "fee", "net", "type", "source")},
                "object": "balance_transaction",
                "created": seconds(row["at"]),
                "available_on": seconds(row["available_at"]),
            }
            for row in fresh
            if row["account"] == call.account
        ]
        return page_of(found, call.params, "/v1/balance_transactions")

    # -- transfers --------------------------------------------------------------------------------------------------

    def create_transfer(self, call: Call) -> Object:
        """`transfers.create`: `amount`, `currency`, `destination`, `source_transaction`."""
        amount, currency = whole_of(call.params, "amount"), text_of(call.params, "currency").lower()
        account = self._accounts.find(call, "destination")
        self.check_transfers(account, call.now)
        source = call.params.get("source_transaction")
        if source is None and self.held("", call.now).get(currency, 0) < amount:
            raise refused("You have insufficient available funds in your Stripe account.", "balance_insufficient")
        return snapshot(self.transfer(account.id, amount, currency, source, call, 0))

    def check_transfers(self, account: Account, now: Instant) -> None:
        """Raises StripeError unless this account may receive money."""
        if not self._accounts.charges_enabled(account, now):
            message = (
                "Your destination account needs to have at least one of the following capabilities enabled: transfers"
            )
            raise refused(message, "insufficient_capabilities_for_transfer", param="destination")

    def transfer(self, to: str, amount: int, currency: str, source: str | None, call: Call, fee: int) -> Object:
        """Money from the platform to an account; `fee` is the application fee that comes back at once."""
        transfer: Object = {
            "id": self._ids.new("tr"), "object": "transfer", "amount": amount, "amount_reversed": 0, "currency": currency,
            "destination": to, "source_transaction": source, "created": seconds(call.now), "reversed": False,
            "metadata": dict_of(call.params, "metadata"), "transfer_group": call.params.get("transfer_group"),
            "application_fee_amount": fee,
        }  # fmt: skip
        self.transfers[transfer["id"]] = transfer
        delay = self.delay(to)
        self.post("", -amount, currency, "transfer", transfer["id"], call.now)
        self.post(to, amount, currency, "payment", transfer["id"], call.now, fee, delay)
        if fee:
            self.post("", fee, currency, "application_fee", transfer["id"], call.now)
        self._note("transfer", transfer["id"], call, to, currency, amount, "paid", source, fee=fee)
        self._events.emit("transfer.created", transfer, "", call.now, call.key)
        return transfer

    def reverse(self, transfer_id: str, amount: int, call: Call, refund_fee: int = 0) -> None:
        """Take back from an account what was transferred, at most what is left of it."""
        transfer = self.transfers[transfer_id]
        amount = min(amount, transfer["amount"] - transfer["amount_reversed"])
        if amount <= 0:
            return
        transfer["amount_reversed"] += amount
        transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
        reversal, to, currency = self._ids.new("trr"), transfer["destination"], transfer["currency"]
        self.post(to, -amount, currency, "payment_refund", reversal, call.now, -refund_fee)
        self.post("", amount - refund_fee, currency, "transfer_refund", reversal, call.now)
        self._note("reversal", reversal, call, to, currency, amount, "done", transfer_id, fee=refund_fee)
        self._events.emit("transfer.reversed", transfer, "", call.now, call.key)

    def retrieve_transfer(self, call: Call) -> Object:
        """`transfers.retrieve`."""
        name = text_of(call.params, "id")
        if name not in self.transfers:
            raise missing("transfer", name)
        return snapshot(self.transfers[name])

    def list_transfers(self, call: Call) -> Object:
        """`transfers.list`."""
        return listing(list(reversed(self.transfers.values())), "/v1/transfers")

    # -- payouts ----------------------------------------------------------------------------------------------------

    def create_payout(self, call: Call) -> Object:
        """`payouts.create` of the account in the header: `amount`, `currency`."""
        amount, currency = whole_of(call.params, "amount"), text_of(call.params, "currency").lower()
        account = self._accounts.all.get(call.account)
        if call.account and (account is None or not self._accounts.payouts_enabled(account, call.now)):
            raise refused("Cannot create payouts: payouts are not enabled for this account.", "payouts_not_allowed")
        if self._iban_of(call.account, currency) is None:
            raise refused("There is no external account to pay out to.", "no_account")
        if self.held(call.account, call.now).get(currency, 0) < amount:
            raise refused("You have insufficient funds in your Stripe account.", "balance_insufficient")
        return snapshot(self._pay_out(call, amount, currency, "manual"))

    def retrieve_payout(self, call: Call) -> Object:
        """`payouts.retrieve` of the account in the header."""
        found = self.payouts.get(text_of(call.params, "id"))
        if found is None or found["metadata"]["account"] != call.account:
            raise missing("payout", str(call.params["id"]))
        return snapshot(found)

    def list_payouts(self, call: Call) -> Object:
        """`payouts.list` of the account in the header."""
        mine = [one for one in self.payouts.values() if one["metadata"]["account"] == call.account]
        return listing(mine[::-1], "/v1/payouts")

    def _iban_of(self, account: str, currency: str) -> str | None:
        found = self._accounts.all.get(account)
        return self._ibans.get(currency, self._iban) if found is None else found.given.get("external_account")

    def _pay_out_all(self, now: Instant) -> None:
        self._party.agenda.add(now + DAY, self._pay_out_all)
        monday = (now // DAY + 3) % 7 == 0
        for name in ("", *self._accounts.all):
            account = self._accounts.all.get(name)
            if account and not self._accounts.payouts_enabled(account, now):
                continue
            interval = account.schedule["interval"] if account else "daily"
            if interval == "manual" or (interval == "weekly" and not monday):
                continue
            for currency, amount in sorted(self.held(name, now).items()):
                if amount > 0 and self._iban_of(name, currency) is not None:
                    self._pay_out(Call({}, name, None, now), amount, currency, "standard")
        for currency, amount in sorted(self.held("").items()) if monday else ():
            if amount < 0 and self._iban_of("", currency) is not None:
                self._pay_out(Call({}, "", None, now), amount, currency, "standard")

    def _pay_out(self, call: Call, amount: int, currency: str, method: str) -> Object:
        now, account = call.now, call.account
        payout: Object = {
            "id": self._ids.new("po"), "object": "payout", "amount": amount, "currency": currency, "status": "in_transit",
            "created": seconds(now), "arrival_date": seconds(now + DAY), "automatic": method != "manual",
            "failure_code": None, "metadata": {"account": account}, "statement_descriptor": None, "type": "bank_account",
        }  # fmt: skip
        self.payouts[payout["id"]] = payout
        payout["destination"] = self._iban_of(account, currency)
        self.post(account, -amount, currency, "payout", payout["id"], now)
        self._payout_rows[payout["id"]] = self._note(
            "payout", payout["id"], call, account, currency, amount, "in_transit", None
        )
        self._events.emit("payout.created", payout, account, now, call.key)
        self._party.agenda.add(now + DAY, self._arrive, payout)
        return payout

    def _arrive(self, payout: Object, now: Instant) -> None:
        order: dict[str, Any] = {
            "iban": payout["destination"], "amount": abs(payout["amount"]), "currency": payout["currency"],
            "reference": payout["id"], "end_to_end": payout["id"], "counterparty": "Stripe",
        }  # fmt: skip
        what = "credit" if payout["amount"] > 0 else "debit"
        self._party.ask(self._bank, Command(what, order), lambda outcome, at: self._banked(payout, outcome, at))

    def _banked(self, payout: Object, outcome: Outcome, now: Instant) -> None:
        name = payout["metadata"]["account"]
        if isinstance(outcome, Answered):
            payout["status"] = self._payout_rows[payout["id"]]["state"] = "paid"
            self._events.emit("payout.paid", payout, name, now)
            return
        if not isinstance(outcome, Refused):
            self._party.agenda.add(now + DAY, self._arrive, payout)  # the bank knows what it has booked already
            return
        payout["status"] = self._payout_rows[payout["id"]]["state"] = "failed"
        payout["failure_code"] = _FAILURE.get(outcome.code, "could_not_process")
        self.post(name, payout["amount"], payout["currency"], "payout_failure", payout["id"], now)
        self._events.emit("payout.failed", payout, name, now)
        account = self._accounts.all.get(name)
        if account is not None and account.given.get("external_account") == payout["destination"]:
            self._accounts.bank_failed(account, now)
