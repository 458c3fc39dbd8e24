"""Connected accounts of the Stripe fake (Express): requirements, capabilities, persons, and their history.

`details_submitted` is not `charges_enabled`, and that is not `payouts_enabled`. What is due is worked out from what was
given, never set by hand; only a later demand (`require`), a rejection or a failed payout comes from outside. Who may sign
for a company is looked up in the register that the scenario hands over: {tax id: {"name", "officers": [full names]}}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sim.backend import Row
from sim.clock import MINUTE, Instant
from sim.partners.iban import iban_problem
from sim.partners.party import Agenda, Ids, dict_of, text_of, whole_of
from sim.partners.stripe_account import (
    AUTHORITY,
    COMPANY,
    FILLED,
    PERSON,
    ROLES,
    Account,
    bank_account,
    error,
    flatten,
    full_name,
    has,
    passed,
    yes,
)
from sim.partners.stripe_api import Call, Object, invalid, listing, missing, refused, seconds, snapshot
from sim.partners.stripe_events import Events

Names = list[str]
Objects = list[Object]
VERIFY = 2 * MINUTE


class Accounts:
    """All connected accounts of the platform."""

    def __init__(
        self, ids: Ids, events: Events, agenda: Agenda, register: Mapping[str, Mapping[str, Any]], verify: int = VERIFY
    ) -> None:
        self._ids = ids
        self._events = events
        self._agenda = agenda
        self._register = register
        self._verify = verify
        self.all: dict[str, Account] = {}
        self.history: list[Row] = []
        self._shown: dict[str, Object] = {}

    # -- the API ----------------------------------------------------------------------------------------------------

    def create(self, call: Call) -> Object:
        """`accounts.create`: `type=express`, `country`, capabilities requested, metadata."""
        if call.params.get("type", "express") != "express":
            raise invalid("This platform has Express accounts only.", "type")
        country = text_of(call.params, "country").upper()
        currency = str(call.params.get("default_currency") or {"NO": "nok", "SE": "sek"}.get(country, "eur")).lower()
        account = Account(
            id=self._ids.new("acct", 16),
            country=country,
            currency=currency,
            created=call.now,
            metadata=dict_of(call.params, "metadata"),
            email=call.params.get("email"),
        )
        self._take(account, call.params)
        self.all[account.id] = account
        self.changed(account, "created", call.now)
        return self.show(account, call.now)

    def retrieve(self, call: Call) -> Object:
        """`accounts.retrieve` with `id`."""
        return self.show(self.find(call), call.now)

    def update(self, call: Call) -> Object:
        """`accounts.update`: what the platform fills in beforehand, a new bank account, metadata, the payout schedule."""
        account = self.find(call)
        self._take(account, call.params)
        self.changed(account, "updated", call.now)
        return self.show(account, call.now)

    def list(self, call: Call) -> Object:
        """`accounts.list`."""
        return listing([self.show(one, call.now) for one in self.all.values()], "/v1/accounts")

    def create_person(self, call: Call) -> Object:
        """`persons.create` with `account`, names, `relationship[...]`."""
        account = self.find(call, "account")
        person: Object = {"id": self._ids.new("person", 14), "object": "person", "account": account.id}
        person |= {"created": seconds(call.now), "relationship": {}}
        self._fill_person(account, person, call.params)
        account.persons[person["id"]] = person
        self._person_changed(account, person, "person.created", call.now)
        return snapshot(person)

    def update_person(self, call: Call) -> Object:
        """`persons.update` with `account` and `id`."""
        account = self.find(call, "account")
        person = account.persons.get(text_of(call.params, "id"))
        if person is None:
            raise missing("person", str(call.params["id"]))
        changed = snapshot(person)
        self._fill_person(account, changed, call.params)
        account.persons[person["id"]] = changed
        self._person_changed(account, changed, "person.updated", call.now)
        return snapshot(changed)

    def list_persons(self, call: Call) -> Object:
        """`persons.list` with `account`."""
        account = self.find(call, "account")
        return listing([*account.persons.values()], f"/v1/accounts/{account.id}/persons")

    def list_capabilities(self, call: Call) -> Object:
        """`capabilities.list` with `account`."""
        account = self.find(call, "account")
        shown = self.show(account, call.now)["capabilities"]
        rows = [
            {"id": name, "object": "capability", "account": account.id, "requested": True, "status": status}
            for name, status in shown.items()
        ]
        return listing(rows, f"/v1/accounts/{account.id}/capabilities")

    def find(self, call: Call, param: str = "id") -> Account:
        """The account that a call names. Raises StripeError as Stripe does for a stranger."""
        name = text_of(call.params, param)
        if name not in self.all:
            message = f"The provided key does not have access to account '{name}' (or that account does not exist)."
            raise refused(message, "account_invalid", stored=False)
        return self.all[name]

    # -- state ------------------------------------------------------------------------------------------------------

    def due(self, account: Account) -> Names:
        """What is not given yet."""
        due = [name for name in COMPANY if name not in account.given]
        someone = account.person("representative") or {}
        due += [f"representative.{name}" for name in (*PERSON, "relationship.title") if not has(someone, name)]
        due += [name for name in ("directors", "owners") if f"company.{name}_provided" not in account.given]
        due += [name for name in account.asked if name not in due and name not in account.given]
        return due + [one["requirement"] for one in account.errors if one["requirement"] not in due]

    def requirements(self, account: Account, now: Instant) -> Object:
        """The hash `requirements` at this instant."""
        due = self.due(account)
        deadlines = [at for name, at in account.asked.items() if name in due and at is not None]
        late = [name for name in due if name in account.asked and passed(account.asked[name], now)]
        past_due = due if not account.verified else late
        reason = None
        if account.rejected:
            reason = account.rejected
        elif past_due:
            reason = "requirements.past_due"
        elif account.pending and not account.verified:
            reason = "requirements.pending_verification"
        return {
            "currently_due": [*due],
            "eventually_due": [*due],
            "past_due": [*past_due],
            "pending_verification": [*account.pending],
            "errors": [dict(one) for one in account.errors],
            "alternatives": [],
            "current_deadline": seconds(min(deadlines)) if deadlines else None,
            "disabled_reason": reason,
        }

    def charges_enabled(self, account: Account, now: Instant) -> bool:
        """Whether money may be taken for this account."""
        return account.verified and self.requirements(account, now)["disabled_reason"] is None

    def payouts_enabled(self, account: Account, now: Instant) -> bool:
        """Whether its money may go to its bank account."""
        return self.charges_enabled(account, now) and not account.payout_trouble

    def show(self, account: Account, now: Instant) -> Object:
        """The account object."""
        enabled = self.charges_enabled(account, now)
        status = "active" if enabled else "pending" if account.pending and not account.rejected else "inactive"
        iban = account.given.get("external_account")
        banks = [] if iban is None else [bank_account(account, str(iban))]
        requirements = self.requirements(account, now)
        return {
            "id": account.id,
            "object": "account",
            "type": "express",
            "country": account.country,
            "default_currency": account.currency,
            "created": seconds(account.created),
            "email": account.email,
            "business_type": account.given.get("business_type"),
            "company": {
                "name": account.given.get("company.name"),
                "tax_id_provided": "company.tax_id" in account.given,
            },
            "metadata": dict(account.metadata),
            "capabilities": {"card_payments": status, "transfers": status},
            "charges_enabled": enabled,
            "payouts_enabled": self.payouts_enabled(account, now),
            "details_submitted": account.submitted,
            "requirements": requirements,
            "future_requirements": {
                **{key: [] for key in ("currently_due", "past_due", "errors")},
                "disabled_reason": None,
            },
            "external_accounts": {"object": "list", "has_more": False, "data": banks, "url": "/v1/external_accounts"},
            "settings": {"payouts": {"schedule": dict(account.schedule)}},
        }

    def changed(self, account: Account, cause: str, now: Instant) -> None:
        """Something was given or found out: verify if all is there, keep the state, tell who subscribed."""
        if not self.due(account) and not account.verified and not account.pending and not account.rejected:
            account.submitted = True
            account.pending = ["company.verification", "representative.verification"]
            account.round += 1
            self._agenda.add(now + self._verify, self._verdict, account, account.round)
        self._record(account, cause, now)

    def require(self, account: Account, fields: Names, deadline: Instant | None, now: Instant) -> None:
        """Stripe wants more, by a deadline. What was given under these names is asked for anew."""
        for name in fields:
            account.asked[name] = deadline
            account.given.pop(name, None)
        if deadline is not None:
            self._agenda.add(max(deadline, now), self._record, account, "deadline")
        self._record(account, "required", now)

    def submit(self, account: Account, fields: Mapping[str, Any], now: Instant) -> Names:
        """What a person typed into the form, dotted names. Returns what is still due."""
        self._take_flat(account, dict(fields))
        self.changed(account, "submitted", now)
        return self.due(account)

    def bank_failed(self, account: Account, now: Instant) -> None:
        """A payout came back: no more payouts until there is another bank account."""
        account.payout_trouble = True
        self._record(account, "payout-failed", now)

    def reject(self, account: Account, reason: str, now: Instant) -> None:
        """Stripe closes an account: `rejected.fraud`, `rejected.terms_of_service`, `listed` ..."""
        account.rejected = reason
        self._record(account, "rejected", now)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _take(self, account: Account, params: Mapping[str, Any]) -> None:
        schedule = dict_of(dict_of(dict_of(params, "settings"), "payouts"), "schedule")
        if schedule.get("interval", "daily") not in ("daily", "manual", "weekly"):
            raise invalid("Invalid payout interval.", "settings[payouts][schedule][interval]")
        if "delay_days" in schedule:
            schedule = {**schedule, "delay_days": whole_of(schedule, "delay_days")}
        metadata = dict_of(params, "metadata")
        flat = dict(flatten({key: value for key, value in params.items() if key in FILLED}))
        self._take_flat(account, flat)
        account.metadata |= metadata
        account.schedule |= schedule

    def _take_flat(self, account: Account, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            if name == "external_account" or name.startswith("external_account."):
                if name in ("external_account", "external_account.account_number"):
                    self._new_bank(account, str(value))
                continue
            role, _, rest = name.partition(".")
            if role in ROLES and rest:
                person = account.person(role)
                if person is None:
                    person = {"id": self._ids.new("person", 14), "object": "person", "account": account.id}
                    person |= {"relationship": {role: True}}
                    account.persons[person["id"]] = person
                inner, key = (person["relationship"], rest[13:]) if rest.startswith("relationship.") else (person, rest)
                inner[key] = value
            account.given[name] = value
        if fields:  # an error is answered by sending something again; whether it helps is judged anew
            account.errors = [] if not account.verified else account.errors

    def _new_bank(self, account: Account, iban: str) -> None:
        problem = iban_problem(iban)
        if problem:
            raise invalid(f"The IBAN is not valid: {problem}.", "external_account", "account_number_invalid")
        account.given["external_account"] = iban
        account.payout_trouble = False

    def _fill_person(self, account: Account, person: Object, params: Mapping[str, Any]) -> None:
        relationship = dict_of(params, "relationship")
        for role in ("representative", "authorizer"):
            holder = account.person(role)
            if str(relationship.get(role)).lower() == "true" and holder is not None and holder["id"] != person["id"]:
                raise invalid(f"This account already has a {role}.", f"relationship[{role}]")
        merged = {**person["relationship"], **{key: yes(value) for key, value in relationship.items()}}
        if merged.get("representative") and merged.get("authorizer"):
            raise invalid("The authorizer is somebody else than the representative.", "relationship[authorizer]")
        person |= {key: value for key, value in params.items() if key not in ("account", "id", "relationship")}
        person["relationship"] = merged

    def _person_changed(self, account: Account, person: Object, kind: str, now: Instant) -> None:
        if not account.verified:
            account.errors = []
        self._events.emit(kind, person, account.id, now)
        self.changed(account, kind, now)

    def _verdict(self, account: Account, round_: int, now: Instant) -> None:
        if account.round != round_ or not account.pending:
            return
        account.pending = []
        account.errors = self._judge(account)
        account.verified = not account.errors
        self._record(account, "verified" if account.verified else "verification-failed", now)

    def _judge(self, account: Account) -> Objects:
        company = self._register.get(str(account.given["company.tax_id"]))
        if company is None:
            return []
        errors = []
        if str(account.given["company.name"]).casefold() != str(company["name"]).casefold():
            reason = "The name does not match the register's for this tax id."
            errors.append(error("verification_failed_tax_id_match", reason, "company.name"))
        officers = {str(name).casefold() for name in company["officers"]}
        if not officers.intersection(full_name(account.person(role)) for role in ("representative", "authorizer")):
            authorizer = account.person("authorizer")
            code = AUTHORITY if authorizer is None else "verification_failed_authorizer_authority"
            who = "representative" if authorizer is None else "authorizer"
            errors.append(error(code, f"The {who} is not in the register of this company.", "authorizer.first_name"))
        return errors

    def _record(self, account: Account, cause: str, now: Instant) -> None:
        shown = self.show(account, now)
        before = self._shown.get(account.id, {})
        if shown == before:
            return
        self._shown[account.id] = shown
        requirements = shown["requirements"]
        lists = ("currently_due", "past_due", "pending_verification", "errors")
        self.history.append(
            {
                "at": now,
                "account": account.id,
                "owner": account.metadata.get("owner"),
                "charges_enabled": shown["charges_enabled"],
                "payouts_enabled": shown["payouts_enabled"],
                "details_submitted": shown["details_submitted"],
                "disabled_reason": requirements["disabled_reason"],
                "deadline": None
                if requirements["current_deadline"] is None
                else requirements["current_deadline"] * 1000,
                "cause": cause,
                **{name: requirements[name] for name in lists},
            }
        )
        if not before:
            return
        if shown["external_accounts"] != before["external_accounts"] and shown["external_accounts"]["data"]:
            kind = "updated" if before["external_accounts"]["data"] else "created"
            bank = shown["external_accounts"]["data"][0]
            self._events.emit(f"account.external_account.{kind}", bank, account.id, now)
        for name, status in shown["capabilities"].items():
            if status != before["capabilities"][name]:
                capability = {"id": name, "object": "capability", "account": account.id, "status": status}
                self._events.emit("capability.updated", capability, account.id, now)
        self._events.emit("account.updated", shown, account.id, now)
