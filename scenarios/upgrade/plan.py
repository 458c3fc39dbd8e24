"""What operator and owners are told about an upgrade, as plain data drawn from the scenario: the plan they act by.

It goes into the evidence as plan row `upgrade` (`row`), so that checks judge by the same plan. Days are ISO texts, local to
the owner where one is named; money is in minor units. Nothing here runs.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct, to_builtins

from sim.backend import Row
from sim.clock import Instant

# How an owner's onboarding goes; several may be joined. Without late or never everything is done before the deadline.
IN_TIME = "in-time"
INTERRUPTED = "interrupted"
"""The form is left half filled, and taken up again days later by a fresh link."""
LINK_EXPIRED = "link-expired"
"""The link in the mail is opened after it has expired; the portal mints another."""
LINK_BURNT = "link-burnt"
"""A mail scanner opens the link first; the portal mints another."""
CLERK = "clerk-then-board"
"""A clerk without authority fills in; the account stays off until a board member vouches."""
FINANCE = "finance"
"""Somebody from finance does it, which this company's register allows."""
WRONG_ACCOUNT = "wrong-account"
"""The bank account given is somebody else's: the first payout comes back, then it is mended."""
LATE = "late"
"""Done after the deadline: what was charged meanwhile waits."""
NEVER = "never"
FATES = (IN_TIME, INTERRUPTED, LINK_EXPIRED, LINK_BURNT, CLERK, FINANCE, WRONG_ACCOUNT, LATE, NEVER)


class Official(Struct, frozen=True, kw_only=True):
    """Somebody who acts for an owner: name, part (board, finance, clerk) and mail address."""

    first_name: str
    last_name: str
    part: str
    email: str


class OwnerPlan(Struct, frozen=True, kw_only=True):
    """One owner: who they are, what befalls their onboarding, and which contracts they have.

    `fates` are of FATES. `starts_at` is when they first open the mail with the invitation, `resumes_at` when they do the
    rest (interrupted, clerk, late), None for never. `pays_after` is how long an invoice lies before it is paid, ms;
    `pays_old_account`: the first invoice of the new seller goes to the old account by mistake. `payment_returned`: so long
    after it the first payment is taken back by their bank, ms; 0 for never. `lacks`: tokens of this owner's drivers whose
    group the new back-end was not told, found by the preflight and mended by the owner.
    """

    owner: str
    name: str
    country: str
    currency: str
    zone: str
    language: str
    email: str
    address: str
    tax_id: str
    iban: str
    wrong_iban: str
    officials: tuple[Official, ...]
    fates: tuple[str, ...]
    sites: tuple[str, ...]
    starts_at: Instant
    resumes_at: Instant | None
    pays_after: int
    pays_old_account: bool
    payment_returned: int
    lacks: tuple[Row, ...]
    contract_old: Row | None
    contract_new: Row | None


class Announced(Struct, frozen=True):
    """A day that a wave was announced for, and the instant of that decision. The last one is the day it takes place."""

    day: str
    decided_at: Instant


class WavePlan(Struct, frozen=True, kw_only=True):
    """One wave: what moves, whose it is, which days were announced, and when the working day is over."""

    wave: int
    sites: tuple[str, ...]
    owners: tuple[str, ...]
    announced: tuple[Announced, ...]
    begins_at: Instant
    ends_at: Instant

    @property
    def day(self) -> str:
        """The day it really takes place."""
        return self.announced[-1].day


class Goodwill(Struct, frozen=True, kw_only=True):
    """A driver who complained: from `at` on the operator gives back `percent` of the next paid invoice at `backend`."""

    customer: str
    backend: str
    at: Instant
    percent: int


class Dispute(Struct, frozen=True, kw_only=True):
    """A driver who takes the latest card payment back from `at` on; the bank decides `decided_after` it, ms."""

    customer: str
    at: Instant
    decided_after: int
    won: bool


class UpgradePlan(Struct, frozen=True, kw_only=True):
    """The whole business half. `sellers` are provision rows of the two companies; `drivers` {customer, email, language,
    sites} of those who are told before their site moves. Notices go out `notice_days` before a wave, at 10:00, reminders
    of the onboarding `remind_days` before its deadline, at that hour too. `settles_to`: the accounts of the old seller by
    currency, for what the invoice partner settles; `debited_from` those of the new one, for what the card partner is owed.
    Lost disputes up to `dispute_goodwill` are written off."""

    deadline: str
    invited_at: Instant
    remind_days: int
    notice_days: int
    least_days: int
    most_days: int
    old_seller: str
    new_seller: str
    portal: str
    sellers: tuple[Row, ...]
    owners: tuple[OwnerPlan, ...]
    waves: tuple[WavePlan, ...]
    drivers: tuple[Row, ...]
    settles_to: dict[str, str] = {}
    goodwill: tuple[Goodwill, ...] = ()
    debited_from: dict[str, str] = {}
    disputes: tuple[Dispute, ...] = ()
    dispute_goodwill: dict[str, int] = {}

    def seller(self, name: str) -> Row:
        """The provision row of one of the sellers."""
        return next(row for row in self.sellers if row["seller"] == name)

    def row(self) -> dict[str, Any]:
        """As it goes into the evidence."""
        return dict(to_builtins(self))
