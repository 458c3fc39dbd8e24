"""The code of the bugs that are planted in an upgrade: what somebody could really write, and what it does to money.

Each replaces a named part of a back-end, of the migration tool or of the operator's desk. None knows of a check.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from decimal import ROUND_FLOOR, Decimal
from typing import Any

from msgspec.structs import replace

from reference_csms.billing.amounts import GROSS
from reference_csms.billing.periods import Span
from reference_csms.payments import claims, losses, rows
from reference_csms.payments.claims import Step
from reference_csms.payments.rows import Account, Claim
from reference_csms.pricing import rating
from reference_csms.pricing.rating import Cdr, RatedCdr, RatingPolicy
from reference_csms.pricing.tariffs import Tariff
from scenarios.migration.parts import Situation
from sim.backend import Row, Setup


def anybody_may_charge(account: Account | None) -> bool:
    """Nobody asks whether an account can charge yet."""
    return True


def given_up_and_anew(age_ms: int, last_status: int | None, key_life_ms: int) -> str:
    """A time-out is taken for a no, and the same is asked under a new key."""
    return claims.ANEW


def charged_again(claim: Claim, left: claims.Outstanding) -> Step | None:
    """What was taken in the catch-up is taken once more."""
    again = claim.route == rows.STRIPE and claim.state == rows.DUE and 0 < claim.paid == claim.amount
    return Step(rows.CHARGE, claim.amount) if again else claims.next_step(claim, left)


def each_twice(waiting: Sequence[Claim]) -> list[Claim]:
    """Every claim that waited stands in the queue twice."""
    return [*claims.oldest_first(waiting)] * 2


def always_room(taken: int, amount: int, limit: int | None) -> bool:
    """The amount that was agreed for one day is ignored."""
    return True


def holds_stay(claim: Claim, left: claims.Outstanding) -> Step | None:
    """What is held and not needed is never let go."""
    step = claims.next_step(claim, left)
    return None if step is not None and step.purpose == rows.RELEASE else step


def whole_invoice(gross: int, percent: int) -> int:
    """Whoever complains gets the whole invoice back."""
    return gross


def whole_wave(mine: Sequence[str], wave: Sequence[str]) -> list[str]:
    """A notice names every site of its wave, whosesoever it is."""
    return list(wave)


def under_both_issuers(given: Sequence[Row]) -> Sequence[Row]:
    """What is handed back is told under the name of each back-end, so that nobody misses it."""
    others = {"legacy": "new", "new": "legacy"}
    running = [row for row in given if row["state"] == "open"]
    return [*given, *({**row, "issuer": others[row["issuer"]]} for row in running)]


def key_of_claim(claim_id: str, purpose: str, n: int) -> str:
    """One key for all that is asked of a claim."""
    return claim_id


def back_by_new_partner(claim: Claim, drivers_route: str) -> str:
    """Refunds go by the partner of the new system, whoever took the money."""
    return rows.STRIPE


def through_the_old_partner(kind: str, drivers_route: str) -> str:
    """Claims go on through the invoice partner of before the move."""
    return rows.BANK if kind == "subscription" else rows.RIVERTY


def paid_again(known: str | None, told: str, amount: int) -> int:
    """Each copy of an event has its effect."""
    return amount if told == "paid" else 0


def fees_from_memory(setup: Setup) -> Mapping[str, Any]:
    """Which fees are booked is kept in memory only: after a restart the list is read, and booked, from its beginning."""
    seen: dict[str, None] = {}

    def books_fee(movement: str, known: bool) -> bool:
        fresh = movement not in seen
        seen[movement] = None
        return fresh

    return {"books_fee": books_fee}


def fees_of_charges(kind: str, fee: int) -> int:
    """Only charges are thought to cost anything."""
    return fee if kind == "charge" else 0


def at_the_owners_cost(kind: str, owner: str | None) -> str:
    """The fee of a dispute is taken from the account of the owner whose payment it was."""
    return losses.PLATFORM if owner is None else owner


def still_paid(amount: int, currency: str, goodwill: Mapping[str, int]) -> str:
    """A dispute that is over is over, whoever won it."""
    return rows.PAID


def never_written_off(amount: int, currency: str, goodwill: Mapping[str, int]) -> str:
    """Nobody looks into the terms: whatever is lost is owed again."""
    return rows.OPEN


def always(*_: Any) -> bool:
    """Yes to everything."""
    return True


def never(*_: Any) -> bool:
    """No to everything."""
    return False


def vat_cut_off(total: int, percent: Decimal, basis: str) -> int:
    """VAT is cut off to whole minor units instead of rounded."""
    share = percent / (100 + percent) if basis == GROSS else percent / 100
    return int((Decimal(total) * share).quantize(Decimal(1), ROUND_FLOOR))


def quarter_in_one(start: date, until: date, cuts: Sequence[date]) -> list[Span]:
    """A period is one span, as if each began on the first day of its month and had one month."""
    return [Span(start, until)]


def whole_months(monthly: int, span: Span) -> int:
    """A part of a month costs a whole one."""
    return monthly


def numbers_from_memory(setup: Setup) -> Mapping[str, Any]:
    """The counters of invoices are kept in memory only: after a restart they begin again."""
    counts: dict[tuple[str, int], int] = {}

    def next_number(circle: str, last: int, epoch: int) -> int:
        counts[circle, epoch] = counts.get((circle, epoch), 0) + 1
        return counts[circle, epoch]

    return {"next_number": next_number}


def from_the_start(done: int) -> int:
    """A run that died begins again with its first invoice."""
    return 0


def old_payee(setup: Setup) -> Mapping[str, Any]:
    """Documents of the new back-end name the account of the seller that comes first in the sheet."""
    sellers = [row for row in setup.provision["sellers"] if row.get("accounts")]
    iban = str(sellers[0]["accounts"][0]["value"])
    return {"payee_for": lambda accounts, at: iban if accounts else None}


def old_terms_on_documents(setup: Setup) -> Mapping[str, Any]:
    """Documents of the new back-end name the terms of the seller that comes first in the sheet."""
    sellers = [row for row in setup.provision["sellers"] if row.get("terms")]
    version = str(sellers[0]["terms"][0]["value"])
    return {"terms_for": lambda terms, at: version if terms else None}


def newest_account(told: Sequence[str]) -> Sequence[str]:
    """Of the accounts of a seller only the first that is named is read."""
    return told[:1]


def nothing_is_free(cdr: Cdr, tariff: Tariff, policy: RatingPolicy) -> RatedCdr:
    """A session below the minimum costs what it comes to."""
    return rating.rate(cdr, replace(tariff, minimum_wh=0), policy)


def minimum_in_ten_wh(cdr: Cdr, tariff: Tariff, policy: RatingPolicy) -> RatedCdr:
    """The minimum is taken for one in units of 10 Wh."""
    return rating.rate(cdr, replace(tariff, minimum_wh=tariff.minimum_wh * 10), policy)


def of_the_next_customer(given: Sequence[Row]) -> Sequence[Row]:
    """Customers slip by one row in the list of tokens."""
    return [{**row, "customer": other["customer"]} for row, other in zip(given, [*given[1:], given[0]], strict=True)]


def dearer_by(factor: str) -> Callable[[Sequence[Row]], Sequence[Row]]:
    """Every price of the sheet times a factor."""

    def change(given: Sequence[Row]) -> Sequence[Row]:
        changed = []
        for row in given:
            bands = [{**band, "price": str(Decimal(band["price"]) * Decimal(factor))} for band in row["energy"]]
            changed.append({**row, "energy": bands})
        return changed

    return change


def without_groups(given: Sequence[Row]) -> Sequence[Row]:
    """Users come over without their groups."""
    return [{**row, "group": None} for row in given]


def handed_over_without_group(given: Sequence[Row]) -> Sequence[Row]:
    """Running sessions come over without the group of their driver."""
    return [{**row, "grp": None} for row in given]


def forgotten(given: Sequence[Row]) -> Sequence[Row]:
    """What was to be handed on is not."""
    return []


def never_back(situation: Situation) -> str:
    """Whatever happens, no station is sent back."""
    return ""


def no_payloads(*_: Any) -> list[dict[str, Any]]:
    """Nothing is cleaned."""
    return []


def old_account(old: Mapping[str, Any], new: Mapping[str, Any], day: str) -> str:
    """A notice names the account that it should announce the end of."""
    return str(old["accounts"][0]["value"])


def old_terms(contract: Mapping[str, Any] | None, seller: Mapping[str, Any], day: str) -> str:
    """A notice names terms that do not hold."""
    return "2021-2"


def a_day_later(day: str) -> str:
    """The old contract goes on for the day of the move."""
    return (date.fromisoformat(day) + timedelta(days=1)).isoformat()


def ten_days_later(day: str) -> str:
    """The new contract begins when somebody has time."""
    return (date.fromisoformat(day) + timedelta(days=10)).isoformat()


def doubled(given: Sequence[Row]) -> Sequence[Row]:
    """Prepaid days are handed over with twice their worth."""
    return [{**row, "net": int(row["net"]) * 2} for row in given]


def without_last_digit(known: str | None, told: str, amount: int) -> int:
    """A payout is booked in whole kroner or euros of ten."""
    changed = (amount if told == "paid" else 0) - (amount if known == "paid" else 0)
    return changed // 10 * 10
