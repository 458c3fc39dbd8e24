"""Claims: what is owed, what has to happen next for it to be paid, and the named decisions about that.

A claim is paid by one route only. What comes next is a pure function of the claim, so that after a crash or an unknown
outcome the same question has the same answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from reference_csms.payments import rows
from reference_csms.payments.rows import (
    BANK,
    CAPTURE,
    CHARGE,
    HOLD,
    REFUND,
    RELEASE,
    STRIPE,
    Account,
    Attempt,
    Claim,
)
from sim.clock import HOUR

RETRY = "retry"
LOOK = "look"
ANEW = "anew"
_CHARGES = (HOLD, CAPTURE, CHARGE)

MayCharge = Callable[[Account | None], bool]
IdempotencyKey = Callable[[str, str, int], str]
AfterUnknown = Callable[[int, int | None, int], str]
ClaimRoute = Callable[[str, str], str]
CreditRoute = Callable[[Claim, str], str]
CorrectionToClaim = Callable[[int], int]
CatchUpOrder = Callable[[Sequence[Claim]], list[Claim]]
CatchUpRoom = Callable[[int, int, int | None], bool]
MayCollect = Callable[[Claim], bool]
Outstanding = Callable[[Claim], int]
HoldAmount = Callable[[str, dict[str, int]], int]
NextStep = Callable[[Claim, Outstanding], "Step | None"]
_DEFAULT_HOLD = {"NOK": 50_000, "SEK": 50_000, "DKK": 40_000}
_OTHER_HOLD = 5_000


class Step(Struct, frozen=True):
    """What is to be asked next, and over how much."""

    purpose: str
    amount: int


def may_charge(account: Account | None) -> bool:
    """Whether anything may be debited on behalf of an account: only once it says `charges_enabled` (P05, INV-24)."""
    return account is not None and account.charges_enabled and account.disabled_reason is None


def idempotency_key(claim_id: str, purpose: str, n: int) -> str:
    """The key of the n-th attempt for a purpose; n grows only when the attempt before is known to be over (P02, P03)."""
    return f"{claim_id}/{purpose}/{n}"


def after_unknown(age_ms: int, last_status: int | None, key_life_ms: int) -> str:
    """What to do about an attempt whose outcome is unknown: retry under the same key, or look first.

    An answer of 500 stays with its key, and a key may be forgotten after its life: then a retry proves nothing or
    charges again, so the object is looked for before anything new. Margin: one hour.
    """
    stuck = last_status is not None and last_status >= 500
    return LOOK if stuck or age_ms >= key_life_ms - HOUR else RETRY


def outstanding(claim: Claim) -> int:
    """What may still be collected for a claim, in minor units (P01)."""
    return max(0, claim.owed)


def next_step(claim: Claim, left: Outstanding) -> Step | None:
    """What a claim needs next, None if nothing is to be asked.

    A hold is captured for what is owed and never for more than is held; the rest is released (P09). What a hold did not
    cover is charged afterwards (stripe), or authorised again and captured (riverty). What was paid and is owed no more,
    after a correction or a cancellation, goes back; what was refused once stays open until somebody looks at it.
    """
    if claim.route == BANK or claim.state == rows.DISPUTED:
        return None
    owed = left(claim) if claim.final else 0
    if claim.state == rows.CANCELLED:
        owed = 0
    if not claim.final:
        return Step(HOLD, claim.hold_amount) if claim.held == 0 and claim.reason is None else None
    if owed > 0 and claim.held > 0:
        return Step(CAPTURE, min(owed, claim.held))
    if claim.held > 0:
        return Step(RELEASE, claim.held)
    if owed > 0 and claim.state != rows.OPEN:
        return Step(CHARGE if claim.route == STRIPE else HOLD, owed)
    if claim.owed < 0 and claim.state != rows.OPEN:
        return Step(REFUND, -claim.owed)
    return None


def refund_of(amount: int, paid: Sequence[Attempt]) -> tuple[int, str | None]:
    """How much of a refund goes back on which payment: the last one of which anything is left. `paid`: all attempts."""
    back: dict[str | None, int] = {}
    for one in paid:
        if one.purpose == REFUND and (one.pending or one.state == rows.DONE):
            back[one.paid_id] = back.get(one.paid_id, 0) + one.amount
    for one in reversed(paid):
        left = one.moved - back.get(one.partner_id, 0)
        if one.purpose in (CAPTURE, CHARGE) and one.state == rows.DONE and left > 0:
            return min(amount, left), one.partner_id
    return amount, None


def claim_route(kind: str, drivers_route: str) -> str:
    """The partner a new claim goes through: subscriptions by bank transfer, drivers' claims by the route of drivers."""
    return BANK if kind == "subscription" else drivers_route


def credit_route(claim: Claim, drivers_route: str) -> str:
    """The partner a refund goes through: that of the original payment, whatever new claims go through (P12, M07)."""
    return claim.route


def correction_to_claim(difference: int) -> int:
    """What a corrected bill changes in its claim, minor units: all of it, be it more or less."""
    return difference


def oldest_first(waiting: Sequence[Claim]) -> list[Claim]:
    """The order in which claims that had waited are taken, each once."""
    return sorted(waiting, key=lambda claim: (claim.created_at, claim.claim_id))


def catch_up_room(taken: int, amount: int, limit: int | None) -> bool:
    """Whether a claim still fits into what one account is charged for on one day; a larger one goes alone (M10)."""
    return limit is None or taken + amount <= limit or (taken == 0 and amount > limit)


def may_collect(claim: Claim) -> bool:
    """Whether the catch-up may take a claim: only while it waits."""
    return claim.state == rows.WAITING


def hold_amount(currency: str, amounts: dict[str, int]) -> int:
    """What is authorised when a guest begins, in minor units: as told in the options, else by currency."""
    return amounts.get(currency) or _DEFAULT_HOLD.get(currency, _OTHER_HOLD)


def is_debit(purpose: str) -> bool:
    """Whether money leaves a driver by this, so that the account must be able to charge."""
    return purpose in _CHARGES
