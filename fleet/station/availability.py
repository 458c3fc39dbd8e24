"""Operative or not, per connector and for the station: decided by the back-end, kept over reboot and power loss.

A connector in use keeps going; the change waits until it is free. Source: OCPP 1.6 §5.2 (ChangeAvailability).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleet.station.bay import Bay
from fleet.station.desk import Desk
from fleet.station.status import AVAILABLE, UNAVAILABLE, StatusTable

INOPERATIVE = "Inoperative"


def is_operative(flash: Mapping[str, Any], connector: int) -> bool:
    """What flash says of a connector."""
    return f"availability/{connector}" not in flash


class Availability:
    """Who is operative. Connector 0 stands for the station and for all its connectors; `waiting` says whether it still
    waits for one of them to be free."""

    __slots__ = (
        "_bays",
        "_desk",
        "_operative",
        "_statuses",
        "giver",
        "on_changed",
        "on_usable",
        "waiting",
    )

    def __init__(self, desk: Desk, bays: Sequence[Bay], statuses: StatusTable, operative: bool) -> None:
        self._desk = desk
        self._bays = bays
        self._statuses = statuses
        self._operative = operative
        self.waiting = False
        self.on_usable: Callable[[Bay], None] = lambda bay: None
        self.on_changed: Callable[[], None] = lambda: None
        self.giver: Callable[[], str] = lambda: ""
        if not operative:
            statuses.begin(0, UNAVAILABLE)

    def change(self, connector: int, kind: str) -> str:
        """Take the wish down and answer it: Accepted, Scheduled or Rejected. `settle` makes it so."""
        bays = [bay for bay in self._bays if connector in (0, bay.number)]
        if not bays:
            return "Rejected"
        operative = kind != INOPERATIVE
        waits = not operative and any(bay.in_use for bay in bays)
        if connector == 0:
            self._operative = operative
            self._save(0, operative)
            self.waiting = not operative
        for bay in bays:
            if bay.operative != operative:
                kind_of_note = "left-over-gone" if operative else "left-over"
                self._desk.note(kind_of_note, bay.number, what="inoperative", id=bay.number, giver=self.giver())
            bay.operative = operative
            self._save(bay.number, operative)
        return "Scheduled" if waits else "Accepted"

    def _save(self, connector: int, operative: bool) -> None:
        self._desk.persist(f"availability/{connector}", None if operative else INOPERATIVE)

    def settle(self) -> None:
        """Bring every connector that is free to where it was wished."""
        self.on_changed()
        for bay in self._bays:
            if bay.operative and self._statuses.of(bay.number) == UNAVAILABLE and bay.plugged:
                self.on_usable(bay)
            self._statuses.refresh(bay)
        if self._operative:
            self._statuses.main(AVAILABLE)
        elif not any(bay.in_use for bay in self._bays):
            self._statuses.main(UNAVAILABLE)
            self.waiting = False
