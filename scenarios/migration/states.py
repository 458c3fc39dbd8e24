"""The states of a station's move and which may follow which.

The table is the contract between the tool that walks it and the check that judges the walk (INV-26); neither may widen it
for its own convenience.
"""

from __future__ import annotations

from collections.abc import Sequence

LEGAL: dict[str, tuple[str, ...]] = {
    "": ("PLANNED",),
    "PLANNED": ("PREFLIGHT_OK", "ROLLBACK", "STUCK"),
    "PREFLIGHT_OK": ("NOTIFIED",),
    "NOTIFIED": ("DRAINING",),
    "DRAINING": ("SWITCH_SENT", "ROLLBACK", "STUCK"),
    "SWITCH_SENT": ("OFFLINE_WINDOW", "SEEN_AT_NEW", "ROLLBACK", "STUCK"),
    "OFFLINE_WINDOW": ("SEEN_AT_NEW", "SPLIT", "ROLLBACK", "STUCK"),
    "SEEN_AT_NEW": ("PROVISIONED", "SPLIT", "ROLLBACK", "STUCK"),
    "SPLIT": ("SEEN_AT_NEW", "ROLLBACK", "STUCK"),
    "PROVISIONED": ("VERIFIED", "SPLIT", "ROLLBACK", "STUCK"),
    "VERIFIED": ("CLOSED_AT_OLD",),
    "STUCK": ("SEEN_AT_NEW", "ROLLBACK"),
    "ROLLBACK": ("BACK_AT_OLD", "STUCK"),
    "BACK_AT_OLD": (),
    "CLOSED_AT_OLD": (),
}

FINAL = ("CLOSED_AT_OLD", "BACK_AT_OLD", "STUCK")

SAID = {
    "PLANNED": "planned",
    "PREFLIGHT_OK": "found fit to move",
    "NOTIFIED": "announced",
    "DRAINING": "draining",
    "SWITCH_SENT": "sent to the new back-end",
    "OFFLINE_WINDOW": "gone from the old back-end",
    "SEEN_AT_NEW": "seen at the new back-end",
    "PROVISIONED": "set up at the new back-end",
    "VERIFIED": "verified",
    "CLOSED_AT_OLD": "moved",
    "ROLLBACK": "on its way back",
    "BACK_AT_OLD": "back at the old back-end",
    "STUCK": "stuck",
    "SPLIT": "seen at both back-ends",
}
"""How a person says that a station is in a state."""

OUTCOMES = {"CLOSED_AT_OLD": "verified", "BACK_AT_OLD": "rolled-back", "STUCK": "stuck", "SPLIT": "split"}
"""What a move that ends in this state is called; one that ends elsewhere is `unfinished`."""


def outcome(walk: Sequence[str]) -> dict[str, object]:
    """What became of a move, from its states in order: `outcome`, and how often it was stuck, split and rolled back."""
    last = walk[-1] if walk else ""
    counts = {name.lower(): list(walk).count(name) for name in ("STUCK", "SPLIT", "ROLLBACK")}
    return {"outcome": OUTCOMES.get(last, "unfinished") if walk else "not-begun", **counts}
