"""Typed rows of money: claims and payments in the books, and what the partners keep themselves. As in `views`."""

from __future__ import annotations

from typing import ClassVar

from sim.evidence.views import View


class BookClaim(View, frozen=True):
    """Money owed, as a back-end has it."""

    table: ClassVar[str] = "books_claims"
    backend: str
    claim_id: str
    kind: str
    seller: str | None
    customer: str | None
    document: str | None
    session_id: str | None
    amount: int
    route: str | None
    account: str | None
    final: int | None
    paid: int
    refunded: int
    credited: int
    state: str
    created_at: int


class BookPayment(View, frozen=True):
    """One attempt to move money."""

    table: ClassVar[str] = "books_payments"
    backend: str
    attempt_id: str
    claim_id: str
    purpose: str
    partner: str
    key: str
    amount: int
    account: str | None
    state: str
    created_at: int
    asked_at: int | None
    settled_at: int | None


class BookAccount(View, frozen=True):
    """What a back-end believed of a connected account from an instant on."""

    table: ClassVar[str] = "books_accounts"
    backend: str
    account: str
    owner: str | None
    charges_enabled: int | None
    at: int


class BookWebhook(View, frozen=True):
    """One event that a back-end took."""

    table: ClassVar[str] = "books_webhooks"
    backend: str
    event_id: str
    partner: str | None
    times: int | None
    effect: str | None


class BookMovement(View, frozen=True):
    """A payout, dispute or fee as far as it is booked."""

    table: ClassVar[str] = "books_movements"
    backend: str
    movement_id: str
    kind: str
    account: str | None
    currency: str | None
    amount: int
    state: str


class PartnerPayment(View, frozen=True):
    """One movement in the statement of a partner; `data` is JSON, what it says besides."""

    table: ClassVar[str] = "partner_payments"
    partner: str
    kind: str
    id: str
    at: int
    account: str | None
    currency: str | None
    amount: int
    key: str | None
    state: str | None
    for_id: str | None
    data: str | None


class PartnerRequest(View, frozen=True):
    """One request that reached the line of a partner."""

    table: ClassVar[str] = "partner_requests"
    partner: str
    at: int
    api: str
    key: str | None
    params_hash: str | None
    status: int | None


class PartnerAccount(View, frozen=True):
    """A connected account from an instant on, in the words of the partner."""

    table: ClassVar[str] = "partner_accounts"
    partner: str
    at: int
    account: str
    owner: str | None
    charges_enabled: int | None
    payouts_enabled: int | None


class PartnerBankLine(View, frozen=True):
    """A line of the statement of a bank; `for_id` is the entry that it returns."""

    table: ClassVar[str] = "partner_bank"
    partner: str
    id: str
    at: int
    iban: str
    amount: int
    currency: str | None
    reference: str | None
    end_to_end: str | None
    for_id: str | None
