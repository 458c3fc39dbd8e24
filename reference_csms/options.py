"""What a Setup may say about the money of a back-end: `Setup.options["money"]`. Without it nothing here takes place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Struct, field

from sim.errors import BadInput


class MoneyOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the money part; durations in seconds or hours as named, money in minor units by currency.

    `route` is how drivers' claims are paid here: stripe or riverty. `partners` names the Machines that are asked.
    `number_code` tells the numbers of this back-end from those of the other one. `catch_up_per_day` is the most that is
    charged for one account on one day from claims that had waited; a single larger claim goes alone. `bank_zone` is that of
    the days of bank statements. A payment that is disputed and lost is written off up to `dispute_goodwill`.
    """

    route: str = "stripe"
    partners: dict[str, str] = field(default_factory=lambda: {"stripe": "stripe", "riverty": "riverty", "bank": "bank"})
    number_code: str = ""
    holds: bool = True
    hold_amounts: dict[str, int] = {}
    catch_up_per_day: dict[str, int] = {}
    payment_timeout_s: int = 80
    retry_s: int = 60
    key_life_h: int = 24
    account_poll_s: int = 21_600
    webhook_secrets: dict[str, str] = {}
    bank_accounts: tuple[str, ...] = ()
    bank_poll_s: int = 86_400
    bank_zone: str = "Europe/Oslo"
    settlement_poll_s: int = 86_400
    dispute_goodwill: dict[str, int] = {}
    run_hour: int = 3


ROUTES = ("stripe", "riverty")


def money_options(options: Mapping[str, Any]) -> MoneyOptions | None:
    """The options of the money part, None if this back-end handles no money. Raises BadInput."""
    given = options.get("money")
    if given is None:
        return None
    try:
        read = msgspec.convert(given, MoneyOptions)
    except msgspec.ValidationError as err:
        allowed = ", ".join(MoneyOptions.__struct_fields__)
        raise BadInput("options", "money", str(err), allowed) from None
    if read.route not in ROUTES:
        raise BadInput("options", "money.route", f"{read.route!r} is unknown", ROUTES)
    return read
