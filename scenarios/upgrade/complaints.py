"""Who complains: drivers who are promised part of an invoice back, and drivers who take a card payment back.

Pure; drawn from the seed. `terms` are the rows that say how everybody pays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fleet.visits import Visit
from scenarios.model import Scenario, Site, Wave, local_instant
from scenarios.model_upgrade import Upgrade
from scenarios.upgrade.plan import Dispute, Goodwill
from sim.backend import Row
from sim.clock import DAY, HOUR, Instant
from sim.rng import stream

DECIDED_AFTER = 20 * DAY
"""How long a bank takes to decide on a disputed payment, ms."""
GOOD_CARD, BAD_CARD = "pm_card_visa", "pm_card_chargeDeclined"


def goodwill(
    scenario: Scenario,
    upgrade: Upgrade,
    seed: int,
    sites: Mapping[str, Site],
    waves: Mapping[str, Wave],
    visits: Sequence[Visit],
    terms: Sequence[Row],
) -> list[Goodwill]:
    """Who complains: drivers with monthly invoices, some of sites that stayed and some of sites that are at new."""
    monthly = {row["customer"] for row in terms if row["pays"] == "contract" and row["method"] != BAD_CARD}
    stays: dict[str, set[str]] = {"legacy": set(), "new": set()}
    for visit in visits:
        if visit.customer in monthly and visit.energy_wh > 5_000:
            if _at_new(scenario, visit, sites, waves):
                stays["new"].add(visit.customer)
            elif visit.site not in waves:
                stays["legacy"].add(visit.customer)
    begins = Instant(scenario.day.settles_at + 5 * DAY)
    found = []
    for backend, fitting in stays.items():
        chosen = sorted(fitting)
        chance = stream(seed, "goodwill", backend)
        chance.shuffle(chosen)
        found += [
            Goodwill(
                customer=customer,
                backend=backend,
                at=Instant(begins + chance.randrange(20 * DAY)),
                percent=upgrade.goodwill_percent,
            )
            for customer in chosen[: upgrade.goodwill]
        ]
    return found


def disputes(
    scenario: Scenario,
    upgrade: Upgrade,
    seed: int,
    sites: Mapping[str, Site],
    waves: Mapping[str, Wave],
    visits: Sequence[Visit],
    terms: Sequence[Row],
) -> list[Dispute]:
    """Who takes a payment back: drivers with a good card and no invoice, of sites that are at new in the end."""
    cards = {row["customer"] for row in terms if row["pays"] != "contract" and row["method"] == GOOD_CARD}
    chance = stream(seed, "disputes")
    fitting = sorted(
        {
            visit.customer
            for visit in visits
            if visit.customer in cards and visit.energy_wh > 5_000 and _at_new(scenario, visit, sites, waves)
        }
    )
    chance.shuffle(fitting)
    begins = Instant(scenario.day.settles_at + 5 * DAY)
    return [
        Dispute(
            customer=customer,
            at=Instant(begins + chance.randrange(10 * DAY)),
            decided_after=DECIDED_AFTER,
            won=number < upgrade.disputes_won,
        )
        for number, customer in enumerate(fitting[: upgrade.disputes])
    ]


def _at_new(scenario: Scenario, visit: Visit, sites: Mapping[str, Site], waves: Mapping[str, Wave]) -> bool:
    """Whether a visit is paid by the card partner for sure: the site is at new, since a day if it moved."""
    if visit.site not in waves:
        return sites[visit.site].backend == "new"
    return visit.arrive > local_instant(waves[visit.site].date, 24 * HOUR, scenario.day.zone)
