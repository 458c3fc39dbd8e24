"""The life of a transaction at its connector: begin, signed readings, what the back-end says of it, end.

Every transaction begins and ends exactly once, whatever happens in between, power loss included; how that is told is the
business of a Teller. Who may begin or end one is decided elsewhere. Sources: OCPP 1.6 §4.8, §4.10, §3.5.4 (invalid id),
OCA note §3.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from fleet.station.bay import Bay, Claim
from fleet.station.desk import Desk
from fleet.station.metering import Metering
from fleet.station.status import StatusTable
from fleet.station.teller import Teller
from fleet.station.tokens import ACCEPTED, Entry
from fleet.station.transaction import Transaction


class Charging:
    """All transactions of one station. `on_begun` and `on_ended` (its number) hear of each."""

    def __init__(
        self,
        desk: Desk,
        bays: Sequence[Bay],
        statuses: StatusTable,
        metering: Metering,
        teller: Teller,
        flash: Mapping[str, Any],
    ) -> None:
        self._desk = desk
        self._bays = bays
        self._statuses = statuses
        self._metering = metering
        self._teller = teller
        teller.on_verdict = self.heard
        self._count: int = flash.get("transactions", 0)
        self.on_begun: Callable[[], None] = lambda: None
        self.on_ended: Callable[[int], None] = lambda number: None

    # -- begin and end ------------------------------------------------------------------------------------------------

    def begin(self, bay: Bay, claim: Claim) -> None:
        """The cable is in and somebody may charge: the contactor closes."""
        desk = self._desk
        self._count += 1
        desk.persist("transactions", self._count)
        started, register = desk.time(), desk.hardware.register(bay.number, desk.now)
        transaction = bay.transaction = Transaction(
            number=self._count,
            connector=bay.number,
            id_tag=claim.id_tag,
            id_type=claim.id_type,
            parent=claim.parent,
            name=self._teller.name(self._count),
        )
        bay.preparing = bay.finishing = bay.blocked = bay.sensed = False
        bay.claim = None
        desk.actuate(bay.number, "transaction", {"begin": transaction.number, "token": claim.id_tag})
        self._read(bay, "B")
        self._teller.began(bay, transaction, claim, started, desk.counter.told(bay.number, register))
        self._metering.begin(bay)
        self.on_begun()
        desk.actuate(bay.number, "contactor", True)

    def end(self, bay: Bay, reason: str, id_tag: str | None = None) -> None:
        """The transaction is over (`reason` as in OCPP 1.6 §7.36); `id_tag` is the token that ended it, if one did."""
        self.close(bay, reason, id_tag)
        self._statuses.refresh(bay)

    def close(self, bay: Bay, reason: str, id_tag: str | None = None) -> None:
        """As `end`, without telling what the connector is now."""
        desk, transaction = self._desk, bay.transaction
        assert transaction is not None
        desk.actuate(bay.number, "contactor", False)
        self._read(bay, "E")
        register = desk.hardware.register(bay.number, desk.now)
        told = desk.counter.told(bay.number, register)
        self._teller.ended(bay, transaction, reason, id_tag, desk.time(), told)
        self._metering.end(bay)
        bay.transaction = None
        self.on_ended(transaction.number)
        bay.sensed = bay.blocked = False
        bay.finishing = bay.plugged
        desk.persist(f"tx/{bay.number}", None)
        desk.actuate(bay.number, "transaction", {"end": reason})
        if reason == "DeAuthorized":
            desk.show(bay.number, "refused")
        desk.show(bay.number, "finished")

    # -- readings -----------------------------------------------------------------------------------------------------

    def sense(self, bay: Bay, offered: bool, drawing: bool, info: str = "") -> None:
        """What the outlet shows: is power offered, does the EV draw."""
        bay.offered, bay.drawing = offered, drawing
        if bay.transaction is not None:
            bay.sensed = True
            self._follow(bay, info)

    def _follow(self, bay: Bay, info: str = "") -> None:
        transaction = bay.transaction
        assert transaction is not None
        if bay.idle != transaction.idle:
            transaction.idle = bay.idle
            self._read(bay, "S" if transaction.idle else "C")
        self._teller.changed(bay, transaction)
        self._statuses.refresh(bay, info)

    def tariff_change(self) -> None:
        """A tariff-change instant: a T reading of every running transaction."""
        for bay in self._bays:
            if bay.transaction is not None:
                self._read(bay, "T")
                self._desk.actuate(bay.number, "transaction", {"mark": "T"})

    def last_gasp(self) -> None:
        """Power is failing: the hold-up capacitor is good for ending an idle time that nobody may be billed for."""
        for bay in self._bays:
            if bay.transaction is not None and bay.transaction.idle:
                bay.transaction.idle = False
                self._read(bay, "C")

    def _read(self, bay: Bay, mark: str) -> None:
        desk, transaction = self._desk, bay.transaction
        assert transaction is not None
        reading = (desk.time(), mark, desk.hardware.register(bay.number, desk.now))
        single = desk.profile.meter.records == "single"
        transaction.take(desk.hardware, desk.profile.clock.letter, single, reading)
        if mark != "E":
            desk.persist(f"tx/{bay.number}", transaction.saved())

    # -- what the back-end says ---------------------------------------------------------------------------------------

    def heard(self, number: int, entry: Entry) -> None:
        """The back-end said this of the token with which a transaction began."""
        for bay in self._bays:
            if bay.transaction is not None and bay.transaction.number == number:
                bay.transaction.parent = entry.parent or bay.transaction.parent
                self._desk.persist(f"tx/{bay.number}", bay.transaction.saved())
                if entry.status != ACCEPTED:
                    self._refused(bay)

    def _refused(self, bay: Bay) -> None:
        """Not accepted after all: end it, or only give no more energy (StopTransactionOnInvalidId)."""
        if self._desk.keys["StopTransactionOnInvalidId"]:
            self.end(bay, "DeAuthorized")
            return
        bay.blocked = True
        self._desk.actuate(bay.number, "contactor", False)
        self._desk.show(bay.number, "refused")
        self._follow(bay)

    # -- flash --------------------------------------------------------------------------------------------------------

    def restore(self, flash: Mapping[str, Any]) -> None:
        """After power-up: what was open is ended as PowerLoss."""
        self._teller.restore(flash)
        for bay in self._bays:
            plain = flash.get(f"tx/{bay.number}")
            if plain is not None:
                bay.transaction = Transaction.restored(plain)
                self.close(bay, "PowerLoss")
