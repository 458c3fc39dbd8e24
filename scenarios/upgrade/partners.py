"""The outside parties of an upgrade: payment providers, bank and mailbox behind their lines, with their faults.

They keep books of their own and know nobody's plan: what they are told of owners is what a register or a bank would know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from scenarios.faults.kinds import KINDS
from scenarios.faults.rules import window
from scenarios.model import Fault as TableFault
from scenarios.model import Scenario, local_instant
from scenarios.model_upgrade import PartnerFault
from scenarios.upgrade.casting import webhook_secret
from scenarios.upgrade.plan import LINK_BURNT, UpgradePlan
from sim.clock import SECOND
from sim.partners.bank import Bank, BankAccount
from sim.partners.faults import Fault
from sim.partners.line import Line
from sim.partners.mailbox import Mailbox, Rule
from sim.partners.party import Endpoint
from sim.partners.riverty import Riverty, Terms
from sim.partners.stripe import Stripe
from sim.rng import stream

CLOSED_ACCOUNT = "AC04"
"""What the bank of a mistyped account answers to a payout (ISO 20022: closed account number)."""
OPERATOR = "operator"
STRIPE_LINKS = "https://connect.stripe.com/"
PAYS_IN_TIME = 92
"""Of a hundred, how many pay an invoice of the invoice partner by themselves."""


def make_partners(scenario: Scenario, seed: int, plan: UpgradePlan) -> dict[str, Line]:
    """All partners by the name of their Machine."""
    old, new = (str(plan.seller(name)["accounts"][0]["value"]) for name in (plan.old_seller, plan.new_seller))
    sellers = {old: plan.old_seller, new: plan.new_seller}
    currency = scenario.upgrade.currency if scenario.upgrade else "EUR"
    accounts = [BankAccount(iban, owner, currency) for iban, owner in sellers.items()]
    foreign = scenario.sellers[plan.old_seller].ibans
    accounts += [BankAccount(iban, plan.old_seller, name) for name, iban in foreign.items()]
    accounts += [BankAccount(one.iban, one.owner, one.currency) for one in plan.owners]
    register = {
        one.tax_id: {
            "name": one.name,
            "officers": [f"{who.first_name} {who.last_name}" for who in one.officials if who.part != "clerk"],
        }
        for one in plan.owners
    }
    parties = (
        Stripe(
            seed,
            endpoints=[Endpoint(to="new", secret=webhook_secret(seed))],
            register=register,
            iban=new,
        ),
        Riverty(seed, merchant=plan.old_seller, iban=old, ibans=foreign, terms=Terms(pays=PAYS_IN_TIME)),
        Bank(
            seed,
            accounts,
            foreign={one.wrong_iban: CLOSED_ACCOUNT for one in plan.owners if one.wrong_iban},
            zone_name=str(scenario.day.zone),
        ),
        Mailbox(
            seed,
            rules=[_rule(one.email, LINK_BURNT in one.fates) for one in plan.owners],
            hosts={STRIPE_LINKS: "stripe", plan.portal: OPERATOR},
            readers={one.email: f"owner:{one.owner}" for one in plan.owners},
        ),
    )
    faults = _faults(scenario, seed)
    return {party.name: Line(party, seed, faults.get(party.name, [])) for party in parties}


def _rule(email: str, scanned: bool) -> Rule:
    return Rule(to=email, scanned_after=30 * SECOND if scanned else None)


def _faults(scenario: Scenario, seed: int) -> Mapping[str, list[Fault]]:
    found: dict[str, list[Fault]] = {}
    for number, fault in enumerate(scenario.partner_fault, 1):
        name = fault.id or f"{fault.partner}-{fault.kind}-{number}"
        found.setdefault(fault.partner, []).append(_fault(scenario, seed, name, fault))
    for number, told in enumerate(scenario.fault, 1):
        if KINDS[told.kind].aims == "partner":
            name = told.id or f"{told.kind}-{number}"
            found.setdefault(told.where.partner, []).extend(_rules_of(scenario, seed, name, told))
    return found


def _rules_of(scenario: Scenario, seed: int, name: str, fault: TableFault) -> Iterator[Fault]:
    """A table [[fault]] of a partner as rules of its line, one for each repeat."""
    begin, end = window(scenario, fault, scenario.day.zone)
    since = stream(seed, "partner-fault", name).randint(begin, max(begin, end))
    times, every = (1, 0) if fault.repeat is None else (fault.repeat.times, fault.repeat.every)
    for number in range(times):
        at = since + number * every
        yield Fault(
            kind=fault.kind.partition(".")[2],
            since=at,
            until=at + int(fault.lasts or 0),
            api=fault.where.action or "*",
            extra=int(fault.latency or 0),
            copies=fault.copies or 1,
            share=100 if fault.where.share is None else max(1, round(100 * fault.where.share)),
            times=fault.times,
        )


def _fault(scenario: Scenario, seed: int, name: str, fault: PartnerFault) -> Fault:
    day, zone = fault.date or scenario.day.date, scenario.day.zone
    begin, end = local_instant(day, fault.at.from_, zone), local_instant(day, fault.at.to, zone)
    since = stream(seed, "partner-fault", name).randint(begin, max(begin, end))
    return Fault(
        kind=fault.kind,
        since=since,
        until=since + int(fault.lasts),
        api=fault.api,
        extra=int(fault.extra),
        copies=fault.copies,
        share=fault.share,
        times=fault.times,
        silent=fault.silent,
    )
