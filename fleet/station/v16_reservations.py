"""Reservations: a connector kept for one token, or its group, until an instant.

It knows who may take a reserved connector and when that ends; it authorises nobody. A reservation ends when its token uses
it, at its expiry, when it is cancelled, or when its connector becomes Unavailable. It survives a reboot, so that one whose
id the next back-end never heard of blocks the connector for everybody else (MF-18). Sources: OCPP 1.6 §3.12, §5.1, §5.13.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from fleet.station.bay import Bay, Claim, Reservation
from fleet.station.desk import Desk
from fleet.station.status import FINISHING, RESERVED, UNAVAILABLE, StatusTable
from fleet.station.timers import NEVER
from sim.clock import parse_iso
from sim.wire.payloads.v16 import ReserveNow


class Reservations:
    """Who waits for which connector of one station."""

    def __init__(self, desk: Desk, bays: Sequence[Bay], statuses: StatusTable, flash: Mapping[str, Any]) -> None:
        self._desk = desk
        self._statuses = statuses
        self._bays = {bay.number: bay for bay in bays}
        self._slot = desk.timers.slot(self._expire)
        self.giver: Callable[[], str] = lambda: ""
        self.on_usable: Callable[[Bay], None] = lambda bay: None
        for row in flash.get("reservations", ()):
            held = msgspec.convert(row, Reservation)
            if held.connector in self._bays:
                self._bays[held.connector].reservation = held

    def reserve(self, request: ReserveNow) -> str:
        """Accepted, Occupied, Unavailable or Rejected (OCPP 1.6 §5.13). The same id replaces. Raises ValueError for an
        expiry that is no instant.
        """
        expires = parse_iso(request.expiry_date)
        bay = self._bays.get(request.connector_id)
        if bay is None or expires <= self._desk.time():  # connector 0 too: ReserveConnectorZeroSupported is false
            return "Rejected"
        before = next((one for one in self._bays.values() if _has(one, request.reservation_id)), None)
        if not bay.operative or self._statuses.of(bay.number) == UNAVAILABLE:
            return "Unavailable"
        if (
            bay.in_use
            or self._statuses.of(bay.number) == FINISHING
            or (bay.reservation is not None and bay is not before)
        ):
            return "Occupied"
        if before is not None and before is not bay:
            self._drop(before, "replaced")
        bay.reservation = Reservation(
            request.reservation_id, bay.number, request.id_tag, request.parent_id_tag, expires, self.giver()
        )
        self._save()
        note = {"what": "reservation", "id": request.reservation_id, "giver": bay.reservation.giver}
        self._desk.note("left-over", bay.number, **note)
        return "Accepted"

    def cancel(self, reservation_id: int) -> Bay | None:
        """End the reservation of this id; the connector that it was on, None if there is no such reservation."""
        bay = next((one for one in self._bays.values() if _has(one, reservation_id)), None)
        if bay is not None:
            self._drop(bay, "cancelled")
        return bay

    def use(self, bay: Bay, claim: Claim) -> Claim:
        """The one it was kept for is here: the reservation ends, and its id goes into the StartTransaction."""
        assert bay.reservation is not None
        used = msgspec.structs.replace(claim, reservation=bay.reservation.id)
        self._drop(bay, "used")
        return used

    def settle(self) -> None:
        """Bring the statuses in line, and look again at the next expiry."""
        for bay in self._bays.values():
            self._free(bay)
        self._arm()

    def unavailable(self) -> None:
        """The availability changed: a connector that is Unavailable is reserved for nobody (OCPP 1.6 §5.13)."""
        for bay in self._bays.values():
            if bay.reservation is not None and not bay.operative:
                self._drop(bay, "unavailable")
        self._arm()

    def _arm(self) -> None:
        ends = [bay.reservation.expires for bay in self._bays.values() if bay.reservation is not None]
        desk = self._desk
        desk.timers.set(self._slot, max(desk.now, desk.now + min(ends) - desk.time()) if ends else NEVER)

    def _free(self, bay: Bay) -> None:
        """Show what the connector is now. A cable that went in meanwhile may be used from now on."""
        if bay.reservation is None and bay.plugged and self._statuses.of(bay.number) == RESERVED and bay.operative:
            self.on_usable(bay)
        self._statuses.refresh(bay)

    def _expire(self) -> None:
        for bay in self._bays.values():
            if bay.reservation is not None and bay.reservation.expires <= self._desk.time():
                self._drop(bay, "expired")
        self.settle()

    def _drop(self, bay: Bay, why: str) -> None:
        assert bay.reservation is not None
        self._desk.note("left-over-gone", bay.number, what="reservation", id=bay.reservation.id, why=why)
        bay.reservation = None
        self._save()

    def _save(self) -> None:
        held = [bay.reservation for bay in self._bays.values() if bay.reservation is not None]
        self._desk.persist("reservations", [msgspec.to_builtins(one) for one in held] or None)


def _has(bay: Bay, reservation_id: int) -> bool:
    return bay.reservation is not None and bay.reservation.id == reservation_id
