"""A bank: accounts of several owners by IBAN, what comes in and goes out, returns, statements.

Everything is booked at once and in order; business days and cut-off times are not modelled. What was booked under one
end-to-end id for one account is never booked again, as a bank recognises a doubled payment (AM05).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from sim.backend import Row
from sim.clock import Instant, to_datetime, zone
from sim.machine import Answered, Outcome, Refused
from sim.partners.iban import iban_problem
from sim.partners.party import Party, Tables, Wrong, fail, text_of, whole_of
from sim.partners.port import Request, Response

RETURN_CODES = (
    "AC01", "AC04", "AC06", "AG01", "AG02", "AM04", "AM05", "BE05", "MD01", "MD06", "MD07", "MS02", "MS03", "SL01",
)  # fmt: skip
"""Reasons of R-transactions (SEPA rulebooks; ISO 20022 external code list)."""


class BankAccount(Struct):
    """One account. `balance` is what it holds, minor units of its currency."""

    iban: str
    owner: str
    currency: str = "EUR"
    balance: int = 0
    closed: bool = False


class Bank(Party):
    """All banks as one. `foreign` are IBANs outside that refuse what they get: {iban: code}.

    APIs: `payments.create` (from, to, amount, currency, reference, end_to_end, name), `statements.retrieve` (iban, date:
    `2024-04-16` of the bank's zone), `accounts.retrieve` (iban). Commands: `credit` (iban, amount, currency, reference,
    counterparty, end_to_end), by payers and other partners; `debit` (the same), by a partner that was given a mandate:
    the account may go below zero; `return` (entry, code), which books the entry back; `close-account`, `open-account`
    (iban, owner, currency).
    """

    apis = ("payments.create", "statements.retrieve", "accounts.retrieve")

    def __init__(
        self,
        seed: object,
        accounts: Iterable[BankAccount] = (),
        *,
        name: str = "bank",
        foreign: Mapping[str, str] | None = None,
        zone_name: str = "Europe/Oslo",
    ) -> None:
        super().__init__(name, seed)
        self._accounts: dict[str, BankAccount] = {}
        for account in accounts:
            if iban_problem(account.iban) or account.iban in self._accounts:
                raise ValueError(f"{account.iban} is no IBAN, or is there twice")
            self._accounts[account.iban] = account
        self._foreign = dict(foreign or {})
        self._zone = zone(zone_name)
        self._entries: list[Row] = []
        self._returned: set[str] = set()
        self._seen: dict[tuple[str, str, int], str] = {}

    def execute(self, request: Request, now: Instant) -> Response:
        """One call; see the class."""
        params = request.params
        try:
            if request.api == "payments.create":
                return self._pay(params, now)
            if request.api == "statements.retrieve":
                return self._statement_of(text_of(params, "iban"), text_of(params, "date"))
            if request.api == "accounts.retrieve":
                account = self._accounts.get(text_of(params, "iban"))
                return _unknown() if account is None else Response(200, _shown(account))
        except Wrong as err:
            return fail(400, "invalid_parameter", str(err), field=err.param)
        return super().execute(request, now)

    def act(self, name: str, args: Mapping[str, Any], now: Instant) -> Outcome:
        """Commands; see the class."""
        try:
            if name in ("credit", "debit"):
                return self._move(args, 1 if name == "credit" else -1, now)
            if name == "return":
                return self._return(text_of(args, "entry"), text_of(args, "code"), now)
            if name == "open-account":
                return self._open(text_of(args, "iban"), text_of(args, "owner"), text_of(args, "currency", "EUR"))
            if name == "close-account":
                account = self._accounts.get(text_of(args, "iban"))
                if account is None:
                    return Refused("AC01")
                account.closed = True
                return Answered(_shown(account))
        except Wrong as err:
            return Refused("FF01", str(err))
        return super().act(name, args, now)

    def statement(self, now: Instant) -> Tables:
        """All entries of all accounts, in the order of booking."""
        return {"partner_bank": [{"partner": self.name, **row} for row in self._entries]}

    # -- inside -----------------------------------------------------------------------------------------------------

    def _move(self, args: Mapping[str, Any], sign: int, now: Instant) -> Outcome:
        iban, amount, currency = (
            text_of(args, "iban"),
            sign * whole_of(args, "amount"),
            text_of(args, "currency").upper(),
        )
        account = self._accounts.get(iban)
        if account is None:
            return Refused("AC01", f"{iban} is not known here")
        known = self._known(args, iban, amount)
        if known is not None:
            return Answered({"entry": known})
        if account.closed:
            return Refused("AC04", f"{iban} is closed")
        if account.currency != currency:
            return Refused("AM03", f"{iban} is held in {account.currency}")
        return Answered({"entry": self._book(account, amount, args, str(args.get("counterparty", "")), now)})

    def _pay(self, params: Mapping[str, Any], now: Instant) -> Response:
        account, to = self._accounts.get(text_of(params, "from")), text_of(params, "to")
        amount, currency = whole_of(params, "amount"), text_of(params, "currency").upper()
        if account is None or account.closed:
            return _unknown()
        known = self._known(params, account.iban, -amount)
        if known is not None:
            return Response(200, {"entry": known})
        if account.currency != currency:
            return fail(400, "AM03", f"{account.iban} is held in {account.currency}.")
        if account.balance < amount:
            return fail(400, "AM04", f"{account.iban} holds {account.balance} only.")
        if iban_problem(to):
            return fail(400, "AC01", f"{to} is no IBAN: {iban_problem(to)}.")
        payee = self._accounts.get(to)
        code = self._foreign.get(to)
        if payee is not None:
            code = "AC04" if payee.closed else "AM03" if payee.currency != currency else None
        entry = self._book(account, -amount, params, str(params.get("name", to)), now)
        if code is not None:
            self._return(entry, code, now)
        elif payee is not None:
            self._book(payee, amount, params, account.owner, now)
        return Response(200, {"entry": entry, "returned": code})

    def _return(self, entry: str, code: str, now: Instant) -> Outcome:
        row = next((row for row in self._entries if row["id"] == entry), None)
        if row is None or entry in self._returned or row["for_id"] is not None:
            return Refused("nothing-to-return", entry)
        if code not in (*RETURN_CODES, "AM03"):
            return Refused("FF01", f"no such reason: {code}")
        self._returned.add(entry)
        args = {"reference": row["reference"], "end_to_end": row["end_to_end"]}
        account = self._accounts[row["iban"]]
        back = self._book(account, -row["amount"], args, row["counterparty"], now, code, entry)
        return Answered({"entry": back})

    def _open(self, iban: str, owner: str, currency: str) -> Outcome:
        if iban_problem(iban) or iban in self._accounts:
            return Refused("AC01", iban)
        account = self._accounts[iban] = BankAccount(iban, owner, currency)
        return Answered(_shown(account))

    def _known(self, args: Mapping[str, Any], iban: str, amount: int) -> str | None:
        return self._seen.get((str(args.get("end_to_end") or ""), iban, amount)) if args.get("end_to_end") else None

    def _book(
        self,
        account: BankAccount,
        amount: int,
        args: Mapping[str, Any],
        counterparty: str,
        now: Instant,
        code: str | None = None,
        for_id: str | None = None,
    ) -> str:
        entry = self.ids.new("entry", 16)
        account.balance += amount
        end_to_end = args.get("end_to_end")
        if end_to_end and for_id is None:
            self._seen[(str(end_to_end), account.iban, amount)] = entry
        self._entries.append(
            {
                "id": entry, "at": now, "iban": account.iban, "owner": account.owner, "amount": amount,
                "currency": account.currency, "reference": str(args.get("reference", "")), "counterparty": counterparty,
                "end_to_end": end_to_end, "code": code, "for_id": for_id, "balance": account.balance,
            }
        )  # fmt: skip
        return entry

    def _statement_of(self, iban: str, date: str) -> Response:
        account = self._accounts.get(iban)
        if account is None:
            return _unknown()
        mine = [row for row in self._entries if row["iban"] == iban]
        rows = [row for row in mine if to_datetime(row["at"], self._zone).date().isoformat() == date]
        later = sum(row["amount"] for row in mine if to_datetime(row["at"], self._zone).date().isoformat() > date)
        closing = account.balance - later
        entries = [
            {
                "entry_reference": row["id"],
                "amount": abs(row["amount"]),
                "credit_debit_indicator": "CRDT" if row["amount"] > 0 else "DBIT",
                "booked_at": row["at"],
                "remittance_information": row["reference"],
                "end_to_end_id": row["end_to_end"],
                "counterparty": row["counterparty"],
                "return_reason": row["code"],
            }
            for row in rows
        ]
        opening = closing - sum(row["amount"] for row in rows)
        body = {"iban": iban, "date": date, "currency": account.currency, "opening": opening, "closing": closing}
        return Response(200, {**body, "entries": entries})


def _unknown() -> Response:
    return fail(404, "AC01", "There is no such account.")


def _shown(account: BankAccount) -> dict[str, Any]:
    return {
        "iban": account.iban,
        "owner": account.owner,
        "currency": account.currency,
        "balance": account.balance,
        "closed": account.closed,
    }
