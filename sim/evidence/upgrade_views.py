"""Typed rows of what an upgrade leaves: documents, mails, accounts, balances, corrections. As in `views`."""

from __future__ import annotations

from typing import ClassVar

from sim.evidence.views import View


class RoundingRule(View, frozen=True):
    """By which rule a rating was rounded."""

    table: ClassVar[str] = "books_rated"
    backend: str
    rated_id: str
    policy: str | None


class Receipt(View, frozen=True):
    """A line of a statement as a back-end read it."""

    table: ClassVar[str] = "books_statement_lines"
    backend: str
    line_id: str
    iban: str
    currency: str | None
    amount: int
    reference: str | None
    state: str
    claim_id: str | None


class CaseFile(View, frozen=True):
    """A case of the quarantine with who held it and on what evidence; `evidence` is JSON."""

    table: ClassVar[str] = "books_quarantine"
    backend: str
    quarantine_id: str
    session_id: str | None
    station: str | None
    reason: str | None
    detail: str | None
    evidence: str | None
    actor: str | None
    at: int | None
    state: str | None


class CorrectionNote(View, frozen=True):
    """Who corrected a session, and why."""

    table: ClassVar[str] = "books_corrections"
    backend: str
    correction_id: str
    session_id: str | None
    bill: str | None
    cdr_id: str
    credit_id: str | None
    corrected_id: str | None
    actor: str | None
    reason: str | None
    at: int | None


class StationExport(View, frozen=True):
    """What a back-end shows of a station; `data` is JSON."""

    table: ClassVar[str] = "books_stations"
    backend: str
    station: str
    data: str | None


class Mail(View, frozen=True):
    """One mail that was sent; `meta` is JSON, whatever the sender said about it."""

    table: ClassVar[str] = "partner_mails"
    id: str
    at: int
    to: str
    subject: str | None
    text: str | None
    language: str | None
    kind: str | None
    meta: str | None
    state: str
    delivered_at: int | None


class SignedDigest(View, frozen=True):
    """A signed record that a back-end received, by its digest."""

    table: ClassVar[str] = "books_records"
    backend: str
    digest: str


class Delivered(View, frozen=True):
    """An event on its way to one receiver; `attempts` is JSON [[at, taken], ...]."""

    table: ClassVar[str] = "partner_webhooks"
    partner: str
    event_id: str
    to: str | None
    copy: int | None
    attempts: str | None


class Disturbed(View, frozen=True):
    """A fault of a partner's line as it happened."""

    table: ClassVar[str] = "partner_faults"
    partner: str
    at: int
    kind: str
    subject: str | None
