"""One connected account of the Stripe fake: what it consists of, what is asked for, how its parts are shown.

State and small readings of it only; what happens to an account is in `stripe_accounts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from sim.clock import Instant
from sim.partners.stripe_api import Object

COMPANY = (
    "business_type", "business_profile.mcc", "business_profile.url", "company.name", "company.tax_id",
    "company.address.line1", "company.phone", "external_account", "tos_acceptance.date",
)  # fmt: skip
PERSON = ("first_name", "last_name", "dob", "email")
ROLES = ("representative", "director", "owner", "executive", "authorizer")
AUTHORITY = "verification_failed_representative_authority"


class Account(Struct, kw_only=True):
    """One connected account: what was given, what is asked, and what came of it."""

    id: str
    country: str
    currency: str
    created: Instant
    metadata: dict[str, Any]
    email: str | None = None
    given: dict[str, Any] = field(default_factory=dict)
    persons: dict[str, Object] = field(default_factory=dict)
    asked: dict[str, Instant | None] = field(default_factory=dict)
    errors: list[Object] = field(default_factory=list)
    pending: list[str] = field(default_factory=list)
    round: int = 0
    verified: bool = False
    submitted: bool = False
    rejected: str | None = None
    payout_trouble: bool = False
    schedule: dict[str, Any] = field(default_factory=lambda: {"interval": "daily", "delay_days": 7})

    def person(self, role: str) -> Object | None:
        """The first person with this relationship."""
        return next((one for one in self.persons.values() if one["relationship"].get(role)), None)


FILLED = frozenset({"business_type", "business_profile", "company", "external_account", "tos_acceptance"})


def flatten(params: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    """Dotted names and their values."""
    flat: list[tuple[str, Any]] = []
    for key, value in params.items():
        name = f"{prefix}{key}"
        flat += flatten(value, f"{name}.") if isinstance(value, Mapping) else [(name, value)]
    return flat


def has(person: Object, name: str) -> bool:
    """Whether this was given about a person."""
    if name.startswith("relationship."):
        return bool(person.get("relationship", {}).get(name[13:]))
    return bool(person.get(name))


def passed(deadline: Instant | None, now: Instant) -> bool:
    """Whether a deadline has passed."""
    return deadline is not None and now >= deadline


def yes(value: Any) -> Any:
    """A flag as a form writes it."""
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def full_name(person: Object | None) -> str:
    """First and last name, to be compared."""
    return "" if person is None else f"{person.get('first_name', '')} {person.get('last_name', '')}".strip().casefold()


def error(code: str, reason: str, requirement: str) -> Object:
    """One entry of `requirements.errors`."""
    return {"code": code, "reason": reason, "requirement": requirement}


def bank_account(account: Account, iban: str) -> Object:
    """The external account as the API shows it."""
    return {
        "id": f"ba_{iban[-16:]}",
        "object": "bank_account",
        "account": account.id,
        "country": iban[:2],
        "currency": account.currency,
        "last4": iban[-4:],
        "status": "errored" if account.payout_trouble else "new",
    }
