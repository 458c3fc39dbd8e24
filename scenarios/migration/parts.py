"""The named decisions of the migration tool, each with its default. A planted bug is one of them replaced.

Pure functions of what back-ends told. None of them may ask anybody or wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from sim.backend import Row
from sim.clock import Instant

Payloads = list[dict[str, Any]]
VERIFICATIONS = 2
SPLITS = 3
"""After so many failed verifications, or splits, the station is sent back."""


class Situation(Struct, frozen=True):
    """Where a move stands when it has to be decided whether it goes on. `unseen_for`: how long it has been stuck, ms."""

    state: str
    now: Instant
    deadline: Instant | None
    failed_verifications: int
    splits: int
    ordered: bool
    unseen_for: int = 0
    somebody_may_go: bool = False
    patience: int = 0


def clear_profiles(rows: Sequence[Row]) -> Payloads:
    """ClearChargingProfile for each profile that the old back-end left in the station (MF-15)."""
    return [{"id": row["id"]} for row in rows if row["what"] == "profile"]


def cancel_reservations(rows: Sequence[Row]) -> Payloads:
    """CancelReservation for each reservation of the old back-end (MF-18)."""
    return [{"reservationId": row["id"]} for row in rows if row["what"] == "reservation"]


def local_lists(entries: Sequence[Mapping[str, Any]], version: int) -> Payloads:
    """SendLocalList with the whole list of the new back-end: what the old one listed is gone (MF-16)."""
    return [{"listVersion": version, "updateType": "Full", "localAuthorizationList": list(entries)}]


def make_operative(rows: Sequence[Row]) -> Payloads:
    """ChangeAvailability back to Operative, for the station and all its connectors (MF-14)."""
    return [{"connectorId": 0, "type": "Operative"}]


def as_exported(rows: Sequence[Row]) -> Sequence[Row]:
    """Transactions go from one back-end to the other exactly as they were told."""
    return rows


def close_identity(backend: str) -> bool:
    """An identity that moved away is refused where it was."""
    return True


def roll_back(situation: Situation) -> str:
    """Why a station has to go back, empty if it has not: ordered, verified in vain, split again, lost, or out of time."""
    if situation.ordered:
        return "the operator ordered it"
    if situation.failed_verifications >= VERIFICATIONS:
        return f"verification failed {situation.failed_verifications} times"
    if situation.splits >= SPLITS:
        return f"seen at both back-ends {situation.splits} times"
    if situation.somebody_may_go and situation.unseen_for > situation.patience:
        return "it is seen nowhere, and somebody has to go there anyway"
    if situation.deadline is not None and situation.now >= situation.deadline:
        return "the working day is over"
    return ""


class MoveParts(Struct, frozen=True, kw_only=True):
    """The decisions of one migration tool."""

    clear_profiles: Callable[[Sequence[Row]], Payloads] = clear_profiles
    cancel_reservations: Callable[[Sequence[Row]], Payloads] = cancel_reservations
    local_lists: Callable[[Sequence[Mapping[str, Any]], int], Payloads] = local_lists
    make_operative: Callable[[Sequence[Row]], Payloads] = make_operative
    hand_over: Callable[[Sequence[Row]], Sequence[Row]] = as_exported
    hand_back: Callable[[Sequence[Row]], Sequence[Row]] = as_exported
    close_identity: Callable[[str], bool] = close_identity
    roll_back: Callable[[Situation], str] = roll_back
