"""From a scenario to the plan of its upgrade: sellers, owners, waves, contracts, and how each driver pays.

Plain data drawn from the seed; nothing here runs, and nothing may depend on a target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from fleet.population import GUEST_GROUP
from fleet.visits import Visit
from scenarios.cast import StationPlan
from scenarios.model import Owner, Scenario, Site, Wave, local_instant
from scenarios.model_types import DecimalText
from scenarios.model_upgrade import Upgrade
from scenarios.upgrade.complaints import BAD_CARD, GOOD_CARD, disputes, goodwill
from scenarios.upgrade.plan import Announced, Official, OwnerPlan, UpgradePlan, WavePlan
from sim.backend import Row
from sim.clock import HOUR, Instant
from sim.rng import stream

INVITED_AT = 9 * HOUR
DECIDED_AT = 12 * HOUR
"""When invitations go out, and when a day is decided on, local time of the run."""
REMIND_DAYS = 5
"""So many days before the deadline those whose account is not ready are reminded."""


def cast_upgrade(
    scenario: Scenario,
    seed: int,
    sites: Mapping[str, Site],
    waves: Mapping[str, Wave],
    stations: Sequence[StationPlan],
    visits: Sequence[Visit],
    tokens: Sequence[Row],
) -> UpgradePlan | None:
    """The plan, None for a scenario without an upgrade."""
    upgrade = scenario.upgrade
    if upgrade is None:
        return None
    owners, terms = [], driver_terms(scenario, seed, tokens)
    for name, owner in scenario.owners.items():
        mine = tuple(site for site, one in sites.items() if one.owner == name)
        if mine:
            owners.append(_owner(scenario, upgrade, seed, name, owner, mine, sites, waves, stations, visits, tokens))
    return UpgradePlan(
        deadline=upgrade.deadline.isoformat(),
        invited_at=local_instant(upgrade.invited, INVITED_AT, scenario.day.zone),
        remind_days=REMIND_DAYS,
        notice_days=upgrade.notice_days,
        least_days=upgrade.notice_between[0],
        most_days=upgrade.notice_between[1],
        old_seller=upgrade.old_seller,
        new_seller=upgrade.new_seller,
        portal=upgrade.portal,
        sellers=tuple(_sellers(scenario)),
        owners=tuple(owners),
        waves=tuple(_waves(scenario, upgrade, sites, waves)),
        drivers=tuple(_drivers(scenario, sites, waves, visits)),
        settles_to=_accounts_of(scenario, upgrade.old_seller),
        goodwill=tuple(goodwill(scenario, upgrade, seed, sites, waves, visits, terms)),
        debited_from=_accounts_of(scenario, upgrade.new_seller),
        disputes=tuple(disputes(scenario, upgrade, seed, sites, waves, visits, terms)),
        dispute_goodwill=minor_units(upgrade.dispute_goodwill),
    )


def driver_terms(scenario: Scenario, seed: int, tokens: Sequence[Row]) -> list[Row]:
    """How everybody pays: monthly invoice, card, or as a guest at once. Rows of `Setup.provision["driver-terms"]`."""
    upgrade = scenario.upgrade
    if upgrade is None:
        return []
    rows = []
    for token in tokens:
        customer = str(token["customer"])
        chance = stream(seed, "pays", customer)
        monthly = chance.random() < upgrade.contract_share
        bad = chance.random() < upgrade.declined_share
        pays = "contract" if token["contract"] and monthly else "card" if token["contract"] else "adhoc"
        row = {"customer": customer, "pays": pays, "method": BAD_CARD if bad else GOOD_CARD}
        rows.append(row | {"email": driver_email(customer), "language": _language(str(token["mobile"]))})
    return rows


def driver_email(customer: str) -> str:
    """The invented mail address of a driver."""
    return f"{customer.lower()}@drivers.example"


def _language(mobile: str) -> str:
    return {"+47": "nb", "+49": "de"}.get(mobile[:3], "en")


def _sellers(scenario: Scenario) -> list[Row]:
    """Both companies and all owners with a company, as rows of `Setup.provision["sellers"]`."""
    rows: list[Row] = []
    for name, seller in scenario.sellers.items():
        rows.append(
            {
                "seller": name,
                "name": seller.name,
                "address": seller.address,
                "country": seller.country,
                "vat_id": seller.vat_id,
                "zone": str(seller.zone),
                "prefix": seller.prefix,
                "language": seller.language,
                "due_days": seller.due_days,
                "accounts": [{"value": seller.iban}],
                "terms": [{"value": seller.terms}],
            }
        )
    for name, owner in scenario.owners.items():
        if owner.company is not None:
            rows.append(
                {
                    "seller": name,
                    "name": owner.name,
                    "address": owner.company.address,
                    "country": owner.country,
                    "vat_id": owner.company.tax_id,
                    "zone": str(owner.zone),
                    "language": owner.company.language,
                }
            )
    return rows


def _accounts_of(scenario: Scenario, name: str) -> dict[str, str]:
    """The account of a seller for each currency; what it has none of its own for goes to its main account."""
    seller = scenario.sellers[name]
    return {owner.currency: seller.iban for owner in scenario.owners.values()} | dict(seller.ibans)


def _owner(
    scenario: Scenario,
    upgrade: Upgrade,
    seed: int,
    name: str,
    owner: Owner,
    mine: tuple[str, ...],
    sites: Mapping[str, Site],
    waves: Mapping[str, Wave],
    stations: Sequence[StationPlan],
    visits: Sequence[Visit],
    tokens: Sequence[Row],
) -> OwnerPlan:
    company, onboarding = owner.company, owner.onboarding
    assert company is not None and onboarding is not None
    invited = local_instant(upgrade.invited, INVITED_AT, scenario.day.zone)
    starts = Instant(invited + int(onboarding.starts))
    resumes = Instant(starts + int(onboarding.resumes)) if onboarding.resumes else None
    moving = any(site in waves for site in mine)
    at_new = all(sites[site].backend == "new" and site not in waves for site in mine)
    count = sum(one.site in mine for one in stations)
    old = _contract(scenario, upgrade, name, owner, mine, count, upgrade.old_seller, "month", "legacy")
    new = _contract(scenario, upgrade, name, owner, mine, count, upgrade.new_seller, "quarter", "new")
    return OwnerPlan(
        owner=name,
        name=owner.name,
        country=owner.country,
        currency=owner.currency,
        zone=str(owner.zone),
        language=company.language,
        email=company.email,
        address=company.address,
        tax_id=company.tax_id,
        iban=company.iban,
        wrong_iban=company.wrong_iban,
        officials=tuple(_official(one.name, one.part, one.email) for one in company.officials),
        fates=onboarding.fates,
        sites=mine,
        starts_at=starts,
        resumes_at=resumes,
        pays_after=int(onboarding.pays_after),
        pays_old_account=onboarding.pays_old_account,
        payment_returned=int(onboarding.payment_returned),
        lacks=tuple(_lacking(seed, name, mine, onboarding.lacks, visits, tokens)),
        contract_old=None if at_new else old,
        contract_new=new if at_new or moving else None,
    )


def _official(name: str, part: str, email: str) -> Official:
    first, _, last = name.partition(" ")
    return Official(first_name=first, last_name=last, part=part, email=email)


def _contract(
    scenario: Scenario,
    upgrade: Upgrade,
    name: str,
    owner: Owner,
    mine: Sequence[str],
    stations: int,
    seller: str,
    period: str,
    backend: str,
) -> Row:
    """The contract of an owner with one of the sellers, paid up to the first day of the run."""
    company = owner.company
    assert company is not None
    first = scenario.day.date.replace(day=1)
    items = [
        {
            "text": item.text,
            "net": int(item.net.value * 100),
            "quantity": stations if item.per == "station" else len(mine),
        }
        for item in upgrade.items
    ]
    return {
        "contract": f"{scenario.sellers[seller].prefix}-{name}",
        "seller": seller,
        "customer": name,
        "currency": upgrade.currency,
        "period": period,
        "start": date(first.year, 1, 1).isoformat(),
        "billed_until": first.isoformat(),
        "items": items,
        "vat_percent": str(scenario.sellers[seller].vat[owner.country]),
        "name": owner.name,
        "address": company.address,
        "email": company.email,
        "language": company.language,
        "backend": backend,
    }


def _lacking(
    seed: int, name: str, mine: Sequence[str], count: int, visits: Sequence[Visit], tokens: Sequence[Row]
) -> list[Row]:
    """Tokens whose group the new back-end is not told: of people who charge at this owner's sites and nowhere else."""
    if count == 0:
        return []
    elsewhere = {visit.token for visit in visits if visit.site not in mine}
    here = {visit.token for visit in visits if visit.site in mine and visit.group != GUEST_GROUP} - elsewhere
    fitting = [row for row in tokens if row["token"] in here and row["group"] and row["status"] == "Accepted"]
    stream(seed, "lacks", name).shuffle(fitting)
    return sorted(fitting[:count], key=lambda row: str(row["token"]))


def _waves(
    scenario: Scenario, upgrade: Upgrade, sites: Mapping[str, Site], waves: Mapping[str, Wave]
) -> list[WavePlan]:
    plans = []
    for number, wave in enumerate(scenario.wave, 1):
        moving = tuple(site for site in wave.sites if site in waves)
        if not moving:
            continue
        zone = scenario.owners[sites[moving[0]].owner].zone
        decided = local_instant(upgrade.invited, DECIDED_AT, scenario.day.zone)
        announced = [Announced(wave.date.isoformat(), decided)]
        if wave.rescheduled is not None:
            changed = local_instant(wave.rescheduled.on, DECIDED_AT, scenario.day.zone)
            announced = [
                Announced(wave.rescheduled.from_.isoformat(), decided),
                Announced(wave.date.isoformat(), changed),
            ]
        plans.append(
            WavePlan(
                wave=number,
                sites=moving,
                owners=tuple(dict.fromkeys(sites[site].owner for site in moving)),
                announced=tuple(announced),
                begins_at=local_instant(wave.date, wave.start, zone),
                ends_at=local_instant(wave.date, wave.deadline, zone),
            )
        )
    return plans


def _drivers(
    scenario: Scenario, sites: Mapping[str, Site], waves: Mapping[str, Wave], visits: Sequence[Visit]
) -> list[Row]:
    """Registered drivers who charge at a moving site: told before it moves."""
    usual: dict[str, tuple[Visit, set[str]]] = {}
    for visit in visits:
        if visit.contract and visit.site in waves and not visit.refused_by_right:
            usual.setdefault(visit.customer, (visit, set()))[1].add(visit.site)
    return [
        {
            "customer": customer,
            "email": driver_email(customer),
            "language": _language(first.mobile),
            "sites": sorted(there),
        }
        for customer, (first, there) in sorted(usual.items())
    ]


def provision_of(role: str, provision: Mapping[str, list[Row]], upgrade: UpgradePlan | None) -> dict[str, list[Row]]:
    """What one of the back-ends is told: the new one lacks what owners forgot to hand over."""
    if upgrade is None or role != "new":
        return dict(provision)
    lacking = {row["token"] for owner in upgrade.owners for row in owner.lacks}
    tokens = [{**row, "group": None} if row["token"] in lacking else row for row in provision["tokens"]]
    return {**provision, "tokens": tokens}


def money_options(role: str, scenario: Scenario, seed: int) -> dict[str, Any]:
    """`Setup.options["money"]` of one of the back-ends: the old one pays by Riverty, the new one by Stripe."""
    upgrade = scenario.upgrade
    assert upgrade is not None
    sellers = scenario.sellers
    old, new = sellers[upgrade.old_seller].iban, sellers[upgrade.new_seller].iban
    foreign = sellers[upgrade.new_seller].ibans.values()
    return {
        "route": "riverty" if role == "legacy" else "stripe",
        "number_code": role[0].upper(),
        "hold_amounts": minor_units(upgrade.holds),
        "catch_up_per_day": catch_up_per_day(upgrade),
        "dispute_goodwill": minor_units(upgrade.dispute_goodwill),
        "webhook_secrets": {"stripe": webhook_secret(seed)},
        "bank_accounts": [old] if role == "legacy" else [new, *foreign, old],
    }


def catch_up_per_day(upgrade: Upgrade | None) -> dict[str, int]:
    """The most that is charged for one owner in one day from claims that had waited, minor units by currency."""
    return minor_units(upgrade.catch_up_per_day) if upgrade is not None else {}


def minor_units(amounts: Mapping[str, DecimalText]) -> dict[str, int]:
    """Amounts by currency in minor units; two places are all that a scenario may give."""
    return {currency: int(amount.value * 100) for currency, amount in amounts.items()}


def webhook_secret(seed: int) -> str:
    """The secret that the payment provider signs its events with, drawn from the seed."""
    return f"whsec_{stream(seed, 'webhook-secret').getrandbits(128):032x}"
