"""One connector as its station sees it: what is plugged, claimed, running, and the status that follows from it.

State only; what to do about it is the business of the parts that change it.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from fleet.station.transaction import Transaction


class Claim(Struct, frozen=True):
    """Somebody who may charge: token, kind of identification (OCMF IT), group, number of a remote start; `waited` for the
    cable to come.
    """

    id_tag: str
    id_type: str
    parent: str | None = None
    reservation: int | None = None
    remote: int | None = None
    waited: bool = False


class Reservation(Struct, frozen=True):
    """A connector kept for a token or its group until `expires`; `giver` is the address of the back-end that asked."""

    id: int
    connector: int
    id_tag: str
    parent: str | None
    expires: int
    giver: str = ""

    def admits(self, id_tag: str, parent: str | None) -> bool:
        """Whether this is the one it is kept for."""
        own = self.id_tag.lower() == id_tag.lower()
        return own or (self.parent is not None and parent is not None and self.parent.lower() == parent.lower())


class Bay:
    """One connector.

    `preparing`: somebody began to use it; `finishing`: a use ended and the cable is still in; `reservation`: for whom it
    is kept; `blocked`: the back-end refused the running transaction, so no power is offered; `sensed`: the EV has shown
    what it does in this transaction.
    """

    __slots__ = (
        "blocked",
        "claim",
        "drawing",
        "finishing",
        "inquiry",
        "number",
        "offered",
        "operative",
        "plugged",
        "preparing",
        "reservation",
        "sensed",
        "transaction",
    )

    def __init__(self, number: int, operative: bool, plugged: bool) -> None:
        self.number = number
        self.operative = operative
        self.plugged = plugged
        self.preparing = False
        self.finishing = False
        self.blocked = False
        self.offered = True
        self.drawing = False
        self.sensed = False
        self.claim: Claim | None = None
        self.reservation: Reservation | None = None
        self.inquiry: Any = None
        self.transaction: Transaction | None = None

    @property
    def in_use(self) -> bool:
        """Whether somebody is about to charge or charging: then a change of availability has to wait."""
        return self.transaction is not None or self.preparing

    @property
    def idle(self) -> bool:
        """Whether the EV draws nothing although power is offered: what an idle fee is about."""
        return self.sensed and self.offered and not self.blocked and not self.drawing

    def status(self) -> str:
        """The connector status that these facts make (OCPP 1.6 §4.9; SuspendedEVSE wins over SuspendedEV)."""
        if self.transaction is not None and self.sensed:
            if self.blocked or not self.offered:
                return "SuspendedEVSE"
            return "Charging" if self.drawing else "SuspendedEV"
        if self.preparing or self.transaction is not None:
            return "Preparing"
        if not self.operative:
            return "Unavailable"
        if self.reservation is not None:
            return "Reserved"
        return "Finishing" if self.finishing and self.plugged else "Available"
