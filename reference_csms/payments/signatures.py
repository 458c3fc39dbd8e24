"""Decisions about an event of a partner: is it theirs, is it new, is it further on. Pure functions.

The signature is that of Stripe: `t=<seconds>,v1=<HMAC-SHA256 of "t.payload">`, several `v1` while a secret is rotated.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable

TOLERANCE_S = 300
"""How old a signature may be, seconds; as in the official client."""

VerifyWebhook = Callable[[str, str, str, int], bool]
TakeWebhook = Callable[[bool], bool]
MovesOn = Callable[[str | None, str], bool]
MovementChange = Callable[[str | None, str, int], int]
_OUT = ("paid", "withdrawn", "lost")
_RANKS = {"seen": 0, "paid": 1, "withdrawn": 1, "failed": 2, "returned": 2, "lost": 2}


def verify_webhook(payload: str, signature: str, secret: str, now_s: int) -> bool:
    """Whether `t=...,v1=...` holds an HMAC-SHA256 over `t.payload` with this secret, at most 300 s old."""
    fields = [part.strip().partition("=") for part in signature.split(",")]
    stamp = next((value for name, _, value in fields if name == "t"), "")
    if not stamp.isdecimal() or not secret or abs(now_s - int(stamp)) > TOLERANCE_S:
        return False
    wanted = hmac.new(secret.encode(), f"{stamp}.{payload}".encode(), hashlib.sha256).hexdigest()
    return any(hmac.compare_digest(value.encode(), wanted.encode()) for name, _, value in fields if name == "v1")


def take_webhook(seen_before: bool) -> bool:
    """Whether an event may have an effect: the first time only."""
    return not seen_before


def moves_on(known: str | None, told: str) -> bool:
    """Whether a payout or dispute is further on than was known; events may come in any order."""
    return known is None or _RANKS[told] > _RANKS[known]


def movement_change(known: str | None, told: str, amount: int) -> int:
    """What is to be booked when a payout or dispute goes from one state to another: only what was not booked before."""
    return (amount if told in _OUT else 0) - (amount if known in _OUT else 0)
