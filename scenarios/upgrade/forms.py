"""What an owner types into Stripe's form, as dotted names. Pure functions of the plan.

What the plan does not tell (phone, web site, date of birth) is made up, the same for each run.
"""

from __future__ import annotations

from scenarios.upgrade.plan import CLERK, FINANCE, OwnerPlan
from scenarios.upgrade.plan import Official as Person
from sim.clock import Instant

Fields = dict[str, str]
MCC = "5552"
"""Electric vehicle charging (merchant category codes)."""
_TITLES = {"board": "Chair of the board", "finance": "Head of finance", "clerk": "Office clerk"}
_DIALS = {"NO": "+47", "SE": "+46", "DK": "+45", "DE": "+49"}


def official(owner: OwnerPlan, part: str) -> Person:
    """Somebody of this part. Raises ValueError if the plan has nobody: our own mistake."""
    for one in owner.officials:
        if one.part == part:
            return one
    raise ValueError(f"{owner.owner} has no official of the part {part!r}")


def first_hand(owner: OwnerPlan) -> Person:
    """Who fills in the form at first."""
    part = "clerk" if CLERK in owner.fates else "finance" if FINANCE in owner.fates else "board"
    return official(owner, part)


def company_fields(owner: OwnerPlan, iban: str, now: Instant) -> Fields:
    """All about the company, its bank account, and the consent."""
    return {
        "business_type": "company",
        "business_profile.mcc": MCC,
        "business_profile.url": f"https://www.{owner.email.partition('@')[2]}",
        "company.name": owner.name,
        "company.tax_id": owner.tax_id,
        "company.address.line1": owner.address,
        "company.phone": f"{_DIALS.get(owner.country, '+44')}22000000",
        "external_account": iban,
        "tos_acceptance.date": str(now // 1000),
    }


def person_fields(role: str, person: Person) -> Fields:
    """All about a person in a role: representative or authorizer."""
    return {
        f"{role}.first_name": person.first_name,
        f"{role}.last_name": person.last_name,
        f"{role}.dob": "1975-03-14",
        f"{role}.email": person.email,
        f"{role}.relationship.title": _TITLES.get(person.part, person.part),
    }


def last_fields(person: Person) -> Fields:
    """The second half of the form: who signs, and that directors and owners were named."""
    return {
        **person_fields("representative", person),
        "company.directors_provided": "true",
        "company.owners_provided": "true",
    }
