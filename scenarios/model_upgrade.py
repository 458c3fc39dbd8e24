"""The business half of an upgrade as a scenario tells it: two sellers, owners with their onboarding, partners' faults.

Frozen data as in `scenarios.model`; what it becomes for operator and owners is `scenarios.upgrade.plan`.
"""

from __future__ import annotations

import datetime
from typing import Literal

from scenarios.model_types import DecimalText, Duration, Part, Window, ZoneName

Language = Literal["nb", "de", "en"]
Fate = Literal[
    "in-time",
    "interrupted",
    "link-expired",
    "link-burnt",
    "clerk-then-board",
    "finance",
    "wrong-account",
    "late",
    "never",
]


class Official(Part, frozen=True, kw_only=True):
    """Somebody who may act for an owner: first and last name, and in what part."""

    name: str
    part: Literal["board", "finance", "clerk"]
    email: str


class Company(Part, frozen=True, kw_only=True):
    """What the register and the bank know of an owner. `wrong_iban` is somebody else's account, typed in by mistake."""

    address: str
    email: str
    language: Language = "en"
    tax_id: str
    iban: str
    wrong_iban: str = ""
    officials: tuple[Official, ...]


class Onboarding(Part, frozen=True, kw_only=True):
    """How an owner's onboarding goes, and how they pay.

    They open the invitation `starts` after it was sent, and do the rest `resumes` after that (interrupted, clerk, late).
    An invoice lies for `pays_after`; `pays_old_account`: the first one of the new seller is paid to the old account;
    `payment_returned`: their bank takes the first payment back so long after it, and they pay again when they see it.
    `lacks`: so many drivers' groups were not told to the new back-end.
    """

    fates: tuple[Fate, ...] = ("in-time",)
    starts: Duration = Duration(0)
    resumes: Duration = Duration(0)
    pays_after: Duration = Duration(0)
    pays_old_account: bool = False
    payment_returned: Duration = Duration(0)
    lacks: int = 0


class Seller(Part, frozen=True, kw_only=True):
    """A company of the operator: who sells subscriptions to owners. `vat` is the rate by the country of the owner.

    `iban` takes what owners pay; `ibans` are its accounts in other currencies, for what partners settle.
    """

    name: str
    address: str
    country: str
    vat_id: str
    zone: ZoneName
    prefix: str
    language: Language = "en"
    due_days: int = 14
    iban: str
    ibans: dict[str, str] = {}
    terms: str
    vat: dict[str, DecimalText]


class SubscriptionItem(Part, frozen=True, kw_only=True):
    """What an owner pays the operator for, a month, for each site or station: net, in the currency of the sellers."""

    text: str
    per: Literal["site", "station"]
    net: DecimalText


class Upgrade(Part, frozen=True, kw_only=True):
    """The business half of the move.

    Owners are invited to their onboarding on `invited` and have until the `deadline`. Notices go out `notice_days` before
    a wave, and must be out between `notice_between` of them. `contract_share` of the registered drivers get monthly
    invoices, the others pay each charge by card; guests' cards are held for `holds` (by currency) when they begin.
    `catch_up_per_day` is the most that is charged for one owner in one day from claims that had waited. So many drivers of
    each back-end complain in the month after, and get `goodwill_percent` of an invoice back. As many as `disputes` take a
    card payment back at their bank, which decides against them as often as `disputes_won` says; what is lost is written
    off up to `dispute_goodwill` (by currency), else the driver owes it again.
    """

    invited: datetime.date
    deadline: datetime.date
    notice_days: int = 5
    notice_between: tuple[int, int] = (3, 7)
    old_seller: str
    new_seller: str
    portal: str
    currency: str
    items: tuple[SubscriptionItem, ...]
    contract_share: float
    declined_share: float = 0.0
    holds: dict[str, DecimalText] = {}
    catch_up_per_day: dict[str, DecimalText] = {}
    goodwill: int = 0
    goodwill_percent: int = 10
    disputes: int = 0
    disputes_won: int = 0
    dispute_goodwill: dict[str, DecimalText] = {}


class Reschedule(Part, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A wave was announced for the day `from` first; the other day was decided `on` this one, at noon."""

    from_: datetime.date
    on: datetime.date


class PartnerFault(Part, frozen=True, kw_only=True):
    """One rule of a partner's line, see `sim.partners.faults`: from the drawn moment on for `lasts`.

    `api` is a pattern of calls or events, `share` how many of a hundred are hit, `times` how many at most, `extra` what
    it is late by.
    """

    partner: Literal["stripe", "riverty", "bank", "mailbox"]
    kind: str
    id: str = ""
    date: datetime.date | None = None
    at: Window
    lasts: Duration
    api: str = "*"
    extra: Duration = Duration(0)
    copies: int = 1
    share: int = 100
    times: int | None = None
    silent: bool = False
