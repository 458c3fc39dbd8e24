"""Decisions about what the card partner keeps, and about money that a cardholder took back for good. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from reference_csms.payments import rows

PLATFORM = "platform"
"""The clearing account of what the partner holds for the operator itself, and not for an owner."""

FeeOf = Callable[[str, int], int]
BooksFee = Callable[[str, bool], bool]
FeeAccount = Callable[[str, str | None], str]
AfterLostDispute = Callable[[int, str, Mapping[str, int]], str]


def fee_of(kind: str, fee: int) -> int:
    """The expense that a movement of the partner brings, minor units: whatever it keeps, of a charge or of a dispute."""
    return fee


def books_fee(movement: str, known: bool) -> bool:
    """Whether the fee of a movement is booked now: once, by the id of the movement, over all lives of a back-end (P04)."""
    return not known


def fee_account(kind: str, owner: str | None) -> str:
    """Whose balance a fee is taken from: the platform's, also that of a dispute over an owner's money (P10)."""
    return PLATFORM


def after_lost_dispute(amount: int, currency: str, goodwill: Mapping[str, int]) -> str:
    """What becomes of a claim whose payment was disputed and lost, by the terms: small ones are written off (P07).

    `goodwill`: up to how much, minor units by currency. What is above is open again and waits for somebody to look at it: a
    card that was disputed is not charged again, and the owner has been paid by the operator already.
    """
    return rows.WRITTEN_OFF if amount <= goodwill.get(currency, 0) else rows.OPEN
