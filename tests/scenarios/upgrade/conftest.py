"""A small town: two sellers, some owners, the real partners behind their lines, two back-ends, desk and owners."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from reference_csms import assemble
from scenarios.upgrade.desk import Desk
from scenarios.upgrade.owners import OwnerMachine, owner_name
from scenarios.upgrade.parts import DeskParts
from scenarios.upgrade.plan import (
    IN_TIME,
    LINK_BURNT,
    Announced,
    Official,
    OwnerPlan,
    UpgradePlan,
    WavePlan,
)
from sim.backend import Row, Setup
from sim.clock import DAY, MINUTE, Instant, parse_iso
from sim.evidence.truth import TruthRecorder
from sim.machine import Answered, Command, Effect, Event, Settled, Tell
from sim.partners.bank import Bank, BankAccount
from sim.partners.faults import Fault
from sim.partners.iban import make_iban
from sim.partners.line import Line
from sim.partners.mailbox import Mailbox, Rule
from sim.partners.port import Request
from sim.partners.riverty import Riverty
from sim.partners.stripe import Stripe
from sim.runtimes.virtual import VirtualWorld

START = parse_iso("2024-03-18T06:00:00Z")
INVITED = parse_iso("2024-03-19T09:00:00Z")
STARTS = parse_iso("2024-03-20T09:00:00Z")
RESUMES = parse_iso("2024-03-26T09:00:00Z")
DEADLINE, DAY_OF_WAVE = "2024-04-08", "2024-04-16"
PORTAL = "https://portal.operator.example"
OLD_IBAN, NEW_IBAN = make_iban("NO", "86011117947"), make_iban("NO", "30001234567")

TARIFF: Row = {
    "tariff_id": "ac",
    "version": 1,
    "currency": "NOK",
    "vat_percent": "25",
    "prices_include_vat": True,
    "energy": [{"from": "00:00", "to": "24:00", "price": "4.90"}],
    "start_fee": "5.00",
    "idle_per_minute": "0.00",
    "idle_grace_s": 0,
    "group_discounts": {"staff": "10"},
    "minimum_wh": 100,
}


def make_owner(n: int, *fates: str, **more: Any) -> OwnerPlan:
    """One owner with one site: `own-<n>` and `site-<n>`."""
    owner, inner = f"own-{n}", f"{n:011d}"
    contract = {
        "customer": owner,
        "currency": "NOK",
        "items": [{"text": "Operation", "net": 30000, "quantity": 2}],
        "vat_percent": "25",
    }
    old = {**contract, "contract": f"old-{n}", "seller": "oldco", "period": "month", "start": "2024-03-01"}
    new = {**contract, "contract": f"new-{n}", "seller": "newco", "period": "quarter", "start": "2024-01-01"}
    plan = {
        "owner": owner,
        "name": f"Fjord {n} Lading AS",
        "country": "NO",
        "currency": "NOK",
        "zone": "Europe/Oslo",
        "language": ("nb", "de", "en")[n % 3],
        "email": f"post@fjord{n}.example",
        "address": f"Havnegata {n}, 5003 Bergen",
        "tax_id": f"91{n:07d}",
        "iban": make_iban("NO", "1" + inner[1:]),
        "wrong_iban": make_iban("NO", "2" + inner[1:]),
        "officials": tuple(
            Official(first_name=first, last_name=f"Nord{n}", part=part, email=f"{part}@fjord{n}.example")
            for first, part in (("Kari", "board"), ("Ola", "finance"), ("Per", "clerk"))
        ),
        "fates": fates or (IN_TIME,),
        "sites": (f"site-{n}",),
        "starts_at": STARTS,
        "resumes_at": RESUMES,
        "pays_after": 10 * DAY,
        "pays_old_account": False,
        "payment_returned": 0,
        "lacks": (),
        "contract_old": {**old, "backend": "legacy"},
        "contract_new": {**new, "billed_until": "2024-04-01", "backend": "new"},
    }
    return OwnerPlan(**{**plan, **more})


def make_wave(owners: Sequence[OwnerPlan], *later: Announced, number: int = 1, **more: Any) -> WavePlan:
    """One wave with all of these owners. `later`: days announced after the first one."""
    announced = (Announced(DAY_OF_WAVE, START), *later)
    day = announced[-1].day
    wave = {
        "wave": number,
        "sites": tuple(site for owner in owners for site in owner.sites),
        "owners": tuple(owner.owner for owner in owners),
        "announced": announced,
        "begins_at": parse_iso(f"{day}T05:00:00Z"),
        "ends_at": parse_iso(f"{day}T17:00:00Z"),
    }
    return WavePlan(**{**wave, **more})


def make_plan(owners: Sequence[OwnerPlan], *later: Announced, drivers: Sequence[Row] = (), **more: Any) -> UpgradePlan:
    """The whole plan: one wave, unless `waves` are given."""
    accounts = {"oldco": OLD_IBAN, "newco": NEW_IBAN}
    sellers = [
        {
            "seller": seller,
            "name": name,
            "zone": "Europe/Oslo",
            "prefix": seller[:3].upper(),
            "accounts": [{"value": accounts[seller]}],
            "terms": [{"value": "2023-1"}, {"value": "2024-2", "from": "2024-04-01"}],
        }
        for seller, name in (("oldco", "Gamle Lading AS"), ("newco", "Nye Lading AS"))
    ]
    plan = {
        "deadline": DEADLINE,
        "invited_at": INVITED,
        "remind_days": 5,
        "notice_days": 14,
        "least_days": 10,
        "most_days": 21,
        "old_seller": "oldco",
        "new_seller": "newco",
        "portal": PORTAL,
        "sellers": tuple(sellers),
        "owners": tuple(owners),
        "waves": (make_wave(owners, *later),),
        "drivers": tuple(drivers),
    }
    return UpgradePlan(**{**plan, **more})


def users(owners: Sequence[OwnerPlan]) -> list[Row]:
    """A user for each site, in the group that has a discount."""
    return [
        {"token": f"TOK-{owner.owner}", "status": "Accepted", "group": "staff", "customer": f"cust-{owner.owner}"}
        for owner in owners
    ]


class _Silent:
    def note(self, *_: Any) -> None:
        pass

    frame = link_opened = link_closed = note


class Till:
    """Asks on behalf of the test, and remembers the answers."""

    def __init__(self) -> None:
        self.heard: dict[str, Any] = {}

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        if isinstance(event, Settled):
            self.heard[event.call_id] = event.outcome
        return ()

    def next_deadline(self) -> Instant | None:
        return None


class Town:
    """The world of these tests. `old_users`, `new_users`: what each back-end is told of users, if not all."""

    def __init__(
        self,
        plan: UpgradePlan,
        parts: DeskParts | None = None,
        *,
        faults: dict[str, Sequence[Fault]] | None = None,
        rules: Sequence[Rule] = (),
        old_users: list[Row] | None = None,
        new_users: list[Row] | None = None,
        new_tariffs: list[Row] | None = None,
    ) -> None:
        self.plan, self.truth, self.till = plan, TruthRecorder(), Till()
        self.world = VirtualWorld(START, 7, _Silent(), self.truth, (10, 10))  # type: ignore[arg-type]
        sheet = self._sheet(users(plan.owners) if old_users is None else old_users)
        for name, route in (("legacy", "riverty"), ("new", "stripe")):
            given = dict(sheet)
            if name == "new":
                given |= {"tokens": sheet["tokens"] if new_users is None else new_users}
                given |= {"tariffs": sheet["tariffs"] if new_tariffs is None else new_tariffs}
            money = {"route": route, "number_code": name[0].upper()}
            self.world.add_backend(assemble, Setup(name=name, seed=7, provision=given, options={"money": money}))
        hosts = {"https://connect.stripe.com/": "stripe", PORTAL: "operator"}
        readers = {}
        for owner in plan.owners:
            for address in (owner.email, *(one.email for one in owner.officials)):
                readers[address] = owner_name(owner.owner)
        burnt = [Rule(to=owner.email) for owner in plan.owners if LINK_BURNT in owner.fates]
        accounts = [BankAccount(OLD_IBAN, "oldco", "NOK"), BankAccount(NEW_IBAN, "newco", "NOK")]
        accounts += [BankAccount(owner.iban, owner.owner, owner.currency) for owner in plan.owners]
        faults = faults or {}
        self.stripe = Stripe(7, register=register(plan.owners))
        self.bank = Bank(7, accounts)
        self.mailbox = Mailbox(7, rules=[*rules, *burnt], hosts=hosts, readers=readers)
        riverty = Riverty(7, merchant="oldco", iban=OLD_IBAN)
        for partner in (self.stripe, riverty, self.bank, self.mailbox):
            self.world.add(partner.name, Line(partner, 7, faults.get(partner.name, ())))
        self.world.add("till", self.till)
        self.world.add("operator", Desk(plan, parts, begins_at=START))
        for owner in plan.owners:
            self.world.add(owner_name(owner.owner), OwnerMachine(owner, plan, begins_at=START))

    def _sheet(self, tokens: list[Row]) -> dict[str, list[Row]]:
        owners = self.plan.owners
        rows = [{"owner": one.owner, "name": one.name, "currency": one.currency, "zone": one.zone} for one in owners]
        sites = [{"site": site, "owner": one.owner, "tariff_id": "ac"} for one in owners for site in one.sites]
        return {
            "owners": rows,
            "sites": sites,
            "tariffs": [TARIFF],
            "tokens": tokens,
            "sellers": list(self.plan.sellers),
            "contracts": [one.contract_old for one in owners if one.contract_old is not None],
        }

    @property
    def ibans(self) -> tuple[str, str]:
        """The accounts of the old and the new seller."""
        return OLD_IBAN, NEW_IBAN

    def until(self, text: str) -> Town:
        self.world.run(parse_iso(text))
        return self

    def ask(self, to: str, command: Command) -> Any:
        call_id = f"till/{len(self.till.heard)}"
        self.world.tell("till", Tell(to, command, call_id))
        self.world.run(Instant(self.world.now + 3 * MINUTE))
        outcome = self.till.heard[call_id]
        return outcome.payload if isinstance(outcome, Answered) else outcome

    def request(self, api: str, **params: Any) -> Any:
        return self.ask("stripe", Request(api=api, params=params).command()).body

    def sale(self, account: str, amount: int = 5000) -> None:
        """A driver pays for a charge at this account."""
        more = {"payment_method": "pm_card_visa", "confirm": True, "transfer_data": {"destination": account}}
        intent = self.request("payment_intents.create", amount=amount, currency="nok", **more)
        assert intent["status"] == "succeeded", intent

    # -- what is left behind ------------------------------------------------------------------------------------------

    def notes(self, kind: str, owner: str | None = None) -> list[Row]:
        columns = ("at", "actor", "owner", "wave", "kind", "data")
        rows = [dict(zip(columns, row, strict=True)) for row in self.truth.rows()["truth_upgrade"]]
        found = [row for row in rows if row["kind"] == kind and owner in (None, row["owner"])]
        return [{**row, "data": json.loads(str(row["data"]))} for row in found]

    def kinds(self, owner: str) -> list[str]:
        return [str(row[4]) for row in self.truth.rows()["truth_upgrade"] if row[2] == owner]

    def mails(self, kind: str, state: str = "delivered") -> list[Row]:
        rows = self.mailbox.statement(self.world.now)["partner_mails"]
        return [row for row in rows if row["kind"] == kind and row["state"] == state]

    def account(self, owner: str = "own-1") -> Any:
        return next(one for one in self.accounts() if one["metadata"] == {"owner": owner})

    def accounts(self) -> Any:
        return self.request("accounts.list")["data"]

    def book(self, backend: str, name: str) -> list[Row]:
        rows = self.world.backend(backend).books(self.world.now)["books_" + name]
        assert isinstance(rows, list)
        return rows

    def entries(self, iban: str) -> list[Row]:
        return [row for row in self.bank.statement(self.world.now)["partner_bank"] if row["iban"] == iban]


def register(owners: Sequence[OwnerPlan]) -> dict[str, dict[str, Any]]:
    """The business register: the board signs for each company, and finance where that is its fate."""
    found = {}
    for owner in owners:
        parts = ("board", "finance") if "finance" in owner.fates else ("board",)
        officers = [f"{one.first_name} {one.last_name}" for one in owner.officials if one.part in parts]
        found[owner.tax_id] = {"name": owner.name, "officers": officers}
    return found


@pytest.fixture(scope="session")
def town() -> type[Town]:
    return Town


@pytest.fixture(scope="session")
def owner() -> Callable[..., OwnerPlan]:
    return make_owner


@pytest.fixture(scope="session")
def plan() -> Callable[..., UpgradePlan]:
    return make_plan


@pytest.fixture(scope="session")
def tariff() -> Row:
    return dict(TARIFF)


@pytest.fixture(scope="session")
def wave() -> Callable[..., WavePlan]:
    return make_wave
