"""The states of a station's move and which may follow which.

The table is the contract between the tool that walks it and the check that judges the walk (INV-26); neither may widen it
for its own convenience.
"""

from __future__ import annotations

LEGAL: dict[str, tuple[str, ...]] = {
    "": ("PLANNED",),
    "PLANNED": ("PREFLIGHT_OK", "STUCK"),
    "PREFLIGHT_OK": ("NOTIFIED",),
    "NOTIFIED": ("DRAINING",),
    "DRAINING": ("SWITCH_SENT", "ROLLBACK", "STUCK"),
    "SWITCH_SENT": ("OFFLINE_WINDOW", "SEEN_AT_NEW", "ROLLBACK", "STUCK"),
    "OFFLINE_WINDOW": ("SEEN_AT_NEW", "SPLIT", "ROLLBACK", "STUCK"),
    "SEEN_AT_NEW": ("PROVISIONED", "SPLIT", "ROLLBACK", "STUCK"),
    "SPLIT": ("SEEN_AT_NEW", "ROLLBACK", "STUCK"),
    "PROVISIONED": ("VERIFIED", "ROLLBACK", "STUCK"),
    "VERIFIED": ("CLOSED_AT_OLD",),
    "STUCK": ("SEEN_AT_NEW", "ROLLBACK"),
    "ROLLBACK": ("BACK_AT_OLD", "STUCK"),
    "BACK_AT_OLD": (),
    "CLOSED_AT_OLD": (),
}

FINAL = ("CLOSED_AT_OLD", "BACK_AT_OLD", "STUCK")
