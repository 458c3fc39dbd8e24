"""Typed rows of contracts, invoices and what was paid in advance, and of the partner's balance. As in `views`."""

from __future__ import annotations

from typing import ClassVar

from sim.evidence.views import View


class BookContract(View, frozen=True):
    """What a seller sells to a customer; items and vat are JSON, days are ISO, `end_day` is exclusive."""

    table: ClassVar[str] = "books_contracts"
    backend: str
    contract_id: str
    seller: str | None
    customer: str | None
    currency: str | None
    period: str | None
    items: str | None
    vat: str | None
    start_day: str | None
    end_day: str | None


class BookInvoice(View, frozen=True):
    """One document of money. Days are ISO, `period_until` exclusive; `data` is canonical JSON."""

    table: ClassVar[str] = "books_invoices"
    backend: str
    number: str
    circle: str | None
    kind: str
    seller: str | None
    customer: str | None
    contract_id: str | None
    period_start: str | None
    period_until: str | None
    currency: str | None
    basis: str | None
    rounding: str | None
    net: int
    vat: int
    gross: int
    issued_at: int
    due_at: int | None
    account: str | None
    reference: str | None
    terms: str | None
    language: str | None
    cancels: str | None
    cancelled_by: str | None
    state: str | None
    claim_id: str | None
    data: str | None


class BookInvoiceLine(View, frozen=True):
    """One line of a document."""

    table: ClassVar[str] = "books_invoice_lines"
    backend: str
    number: str
    position: int
    kind: str
    text: str | None
    bill: str | None
    session_id: str | None
    start_day: str | None
    until_day: str | None
    quantity: str | None
    unit: str | None
    vat_percent: str | None
    amount: int


class BookBillable(View, frozen=True):
    """What became of a bill of a driver with terms."""

    table: ClassVar[str] = "books_billables"
    backend: str
    number: str
    owner: str | None
    customer: str | None
    supplied_at: int
    state: str
    invoice: str | None


class BookPrepaid(View, frozen=True):
    """Days that were paid for under a contract that ended before them; `until_day` exclusive."""

    table: ClassVar[str] = "books_prepaid"
    backend: str
    prepaid_id: str
    contract_id: str | None
    seller: str | None
    customer: str | None
    currency: str | None
    net: int
    start_day: str
    until_day: str
    invoice: str | None
    state: str
    credited_on: str | None


class BalanceLine(View, frozen=True):
    """One balance transaction of a partner; `account` is empty for the platform or merchant itself."""

    table: ClassVar[str] = "partner_balance"
    partner: str
    id: str
    at: int
    account: str | None
    currency: str | None
    amount: int
    fee: int | None
    net: int
    type: str | None
    source: str | None
    available_at: int | None


class MoveOutcome(View, frozen=True):
    """What became of the move of one station."""

    table: ClassVar[str] = "truth_outcomes"
    station: str
    site: str | None
    outcome: str
