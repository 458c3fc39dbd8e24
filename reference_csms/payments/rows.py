"""The rows of claims and payments. Only shapes, as in `reference_csms.records`.

Money is in integer minor units, instants are ms.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from reference_csms.storage.port import Table
from sim.clock import Instant

# routes of a claim, and names of the partners
STRIPE = "stripe"
RIVERTY = "riverty"
BANK = "bank"

# states of a claim
WAITING = "waiting-account"
WAITING_CUSTOMER = "waiting-customer"
DUE = "due"
HELD = "held"
OPEN = "open"
PAID = "paid"
RELEASED = "released"
CANCELLED = "cancelled"
DISPUTED = "disputed"
WRITTEN_OFF = "written-off"

# states of an attempt; the first three are pending. DUE: in the outbox, not sent yet
ASKED = "asked"
UNKNOWN = "unknown"
DONE = "done"
DECLINED = "declined"
FAILED = "failed"
LAPSED = "lapsed"
WITHDRAWN = "withdrawn"
PENDING_STATES = (DUE, ASKED, UNKNOWN)

# what an attempt is for
HOLD = "hold"
CAPTURE = "capture"
CHARGE = "charge"
RELEASE = "release"
REFUND = "refund"


class Claim(Struct, frozen=True, kw_only=True):
    """Money owed by a customer to a seller. `open = amount - credited - paid + refunded`, never below 0.

    `final` is False while a hold waits for the end of its session; `held` is what is authorised and neither captured nor
    released, under the partner's `held_id`. `ledger` names the account that is owed: receivable or invoiced.
    """

    claim_id: str
    kind: str
    ledger: str
    seller: str
    customer: str
    document: str | None
    session_id: str | None
    currency: str
    amount: int
    route: str
    account: str | None
    method: str | None
    reference: str
    state: str
    created_at: Instant
    final: bool = True
    hold_amount: int = 0
    held: int = 0
    held_id: str | None = None
    paid: int = 0
    paid_id: str | None = None
    refunded: int = 0
    credited: int = 0
    reason: str | None = None
    settled_at: Instant | None = None

    @property
    def owed(self) -> int:
        """What is still to be paid."""
        return self.amount - self.credited - self.paid + self.refunded

    @property
    def waiting_for(self) -> str | None:
        """The account that this waits for: its id, or the seller if there is none yet; or the customer."""
        if self.state == WAITING_CUSTOMER:
            return f"customer/{self.customer}"
        return (self.account or self.seller) if self.state == WAITING else None


class Attempt(Struct, frozen=True, kw_only=True):
    """One attempt to move money: the row of the outbox, written before the call. Its key and parameters never change.

    `tries` counts how often it was sent; `asked_at` is the first time, `due_at` when it wants attention next. `paid_id` is
    the payment that a refund goes back on, `moved` what was moved in the end.
    """

    attempt_id: str
    claim_id: str
    purpose: str
    partner: str
    api: str
    params: dict[str, Any]
    key: str
    amount: int
    currency: str
    account: str | None
    created_at: Instant
    due_at: Instant
    state: str = DUE
    tries: int = 0
    asked_at: Instant | None = None
    settled_at: Instant | None = None
    partner_id: str | None = None
    paid_id: str | None = None
    moved: int = 0
    reason: str | None = None
    last_status: int | None = None
    looking: bool = False

    @property
    def pending(self) -> bool:
        """Whether this may still move money."""
        return self.state in PENDING_STATES

    @property
    def outbox(self) -> str | None:
        """The partner, while this is pending: what the desk looks for when it starts."""
        return self.partner if self.pending else None


class Customer(Struct, frozen=True, kw_only=True):
    """A debtor at Stripe. `partner_id` is what Stripe calls it, None until its creation is confirmed.

    `n` counts the keys: a new one only after a known refusal.
    """

    customer: str
    key: str
    n: int
    params: dict[str, Any]
    state: str
    due_at: Instant
    tries: int = 0
    partner_id: str | None = None
    reason: str | None = None

    @property
    def pending(self) -> int:
        """1 while its creation is not over."""
        return int(self.state in PENDING_STATES)


class Account(Struct, frozen=True, kw_only=True):
    """A connected account of an owner, as we believe it to be. Only a reading changes it, see `payments.gate`."""

    account: str
    owner: str
    charges_enabled: bool
    payouts_enabled: bool
    disabled_reason: str | None
    read_at: Instant | None
    next_read_at: Instant
    taken_day: int = 0
    taken: int = 0


class AccountNote(Struct, frozen=True, kw_only=True):
    """What we believed of an account from an instant on."""

    note: int
    account: str
    owner: str
    charges_enabled: bool
    payouts_enabled: bool
    disabled_reason: str | None
    at: Instant
    source: str


class WebhookSeen(Struct, frozen=True, kw_only=True):
    """An event of a partner, how often it came, and what it did the first time."""

    event_id: str
    partner: str
    type: str
    account: str | None
    object_id: str | None
    created_at: Instant | None
    received_at: Instant
    times: int
    effect: str


class Movement(Struct, frozen=True, kw_only=True):
    """A payout, dispute or fee of the partner, known by its id: what of it is in the journal."""

    movement_id: str
    kind: str
    claim_id: str | None
    account: str | None
    currency: str
    amount: int
    state: str
    at: Instant


class StatementLine(Struct, frozen=True, kw_only=True):
    """A line of a bank statement as it was read, debits negative. state: matched | unmatched."""

    line_id: str
    iban: str
    booked_at: Instant | None
    currency: str
    amount: int
    reference: str
    state: str
    claim_id: str | None
    read_at: Instant


class BankAccount(Struct, frozen=True, kw_only=True):
    """How far a bank account has been read (`cursor`: the first day that may lack entries), and when it is read next."""

    iban: str
    cursor: str | None
    next_read_at: Instant


CLAIMS = Table("claims", Claim, "claim_id", ("session_id", "document", "waiting_for", "reference"))
ATTEMPTS = Table("attempts", Attempt, "attempt_id", ("claim_id", "outbox"))
CUSTOMERS = Table("customers", Customer, "customer", ("pending",))
ACCOUNTS = Table("accounts", Account, "account", ("owner",))
ACCOUNT_NOTES = Table("account_notes", AccountNote, "note", append_only=True)
WEBHOOKS = Table("webhooks", WebhookSeen, "event_id")
MOVEMENTS = Table("movements", Movement, "movement_id")
STATEMENT_LINES = Table("statement_lines", StatementLine, "line_id", ("state", "reference"))
BANK_ACCOUNTS = Table("bank_accounts", BankAccount, "iban")

PAYMENT_TABLES = (
    CLAIMS,
    ATTEMPTS,
    CUSTOMERS,
    ACCOUNTS,
    ACCOUNT_NOTES,
    WEBHOOKS,
    MOVEMENTS,
    STATEMENT_LINES,
    BANK_ACCOUNTS,
)
