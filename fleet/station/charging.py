"""The life of a transaction at its connector: begin, signed readings, what the back-end says of it, end.

Every transaction makes exactly one StartTransaction and one StopTransaction, whatever happens in between, power loss
included. Who may begin or end one is decided elsewhere. Sources: OCPP 1.6 §4.8, §4.10, §3.5.4 (invalid id), OCA note
§3.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.quirks import END_VALUES_AFTER_STOP, RESEND_STOP_AFTER_BOOT
from fleet.station.bay import Bay, Claim
from fleet.station.desk import Desk
from fleet.station.metering import END, Metering
from fleet.station.outbox import OPEN_ID, Message, Outbox
from fleet.station.smart_charging import SmartCharging
from fleet.station.status import StatusTable
from fleet.station.tokens import ACCEPTED, Tokens
from fleet.station.transaction import Transaction
from sim.clock import iso
from sim.wire.payloads import v16


class Charging:
    """All transactions of one station."""

    def __init__(
        self,
        desk: Desk,
        bays: Sequence[Bay],
        outbox: Outbox,
        statuses: StatusTable,
        metering: Metering,
        tokens: Tokens,
        smart: SmartCharging,
        flash: Mapping[str, Any],
    ) -> None:
        self._desk = desk
        self._bays = bays
        self._outbox = outbox
        self._statuses = statuses
        self._metering = metering
        self._tokens = tokens
        self._smart = smart
        self._count: int = flash.get("transactions", 0)
        self._last_stop: int | None = None

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
        )
        bay.preparing = bay.finishing = bay.blocked = bay.sensed = False
        bay.claim = None
        desk.actuate(bay.number, "transaction", {"begin": transaction.number, "token": claim.id_tag})
        self._read(bay, "B")
        start = v16.StartTransaction(
            connector_id=bay.number,
            id_tag=claim.id_tag,
            meter_start=register,
            timestamp=iso(started),
            reservation_id=claim.reservation,
        )
        self._outbox.forget_ids([other.transaction.number for other in self._bays if other.transaction is not None])
        self._outbox.push("StartTransaction", transaction.number, start)
        self._metering.begin(bay)
        self._smart.settle()
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
        stop = v16.StopTransaction(
            id_tag=id_tag,
            meter_stop=register,
            timestamp=iso(desk.time()),
            transaction_id=OPEN_ID,
            reason=reason,
            transaction_data=transaction.data(),
        )
        body = self._outbox.push("StopTransaction", transaction.number, stop)
        self._remember_stop(transaction.number, body)
        if desk.profile.has(END_VALUES_AFTER_STOP):
            self._late_values(bay, transaction.number)
        self._metering.end(bay)
        bay.transaction = None
        self._smart.end_transaction(transaction.number)
        self._smart.settle()
        bay.sensed = bay.blocked = False
        bay.finishing = bay.plugged
        desk.persist(f"tx/{bay.number}", None)
        desk.actuate(bay.number, "transaction", {"end": reason})
        if reason == "DeAuthorized":
            desk.show(bay.number, "refused")
        desk.show(bay.number, "finished")

    def _late_values(self, bay: Bay, number: int) -> None:
        value = self._metering.meter_value(bay, ("Energy.Active.Import.Register",), END, self._desk.time())
        late = v16.MeterValues(connector_id=bay.number, transaction_id=OPEN_ID, meter_value=[value])
        self._outbox.push("MeterValues", number, late)

    def stray_stop(self, transaction_id: int, meter_stop: int) -> None:
        """Send a StopTransaction for an id that is not one of ours (a fault that was asked for)."""
        stop = v16.StopTransaction(
            meter_stop=meter_stop, timestamp=iso(self._desk.time()), transaction_id=transaction_id, reason="Local"
        )
        self._desk.note("stray-stop", transaction_id=transaction_id, meter_stop=meter_stop)
        self._outbox.push("StopTransaction", 0, stop)

    def second_stop(self, payload: str) -> None:
        """Send a StopTransaction for a transaction that has ended already (a fault that was asked for)."""
        self._desk.note("second-stop")
        self._outbox.push_raw("StopTransaction", 0, payload.encode())

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

    def confirmed(self, message: Message, payload: bytes) -> None:
        """A StartTransaction or StopTransaction was answered."""
        assert isinstance(message.body, bytes)
        if message.action == "StartTransaction":
            self._started(message, v16.decode_response("StartTransaction", payload))
        elif message.action == "StopTransaction":
            self._stopped(message, v16.decode_response("StopTransaction", payload))

    def _started(self, message: Message, answer: v16.StartTransactionResult) -> None:
        assert isinstance(message.body, bytes)
        self._outbox.know(message.transaction, answer.transaction_id)
        self._tokens.learn(v16.decode_request("StartTransaction", message.body).id_tag, answer.id_tag_info)
        for bay in self._bays:
            if bay.transaction is not None and bay.transaction.number == message.transaction:
                bay.transaction.parent = answer.id_tag_info.parent_id_tag or bay.transaction.parent
                self._desk.persist(f"tx/{bay.number}", bay.transaction.saved())
                if answer.id_tag_info.status != ACCEPTED:
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

    def _stopped(self, message: Message, answer: v16.StopTransactionResult) -> None:
        if message.transaction and message.transaction == self._last_stop:
            self._save_stop(0, self._outbox.resolved(message))
        if answer.id_tag_info is not None:
            assert isinstance(message.body, bytes)
            tag = v16.decode_request("StopTransaction", self._outbox.resolved(message)).id_tag
            if tag is not None:
                self._tokens.learn(tag, answer.id_tag_info)

    # -- flash --------------------------------------------------------------------------------------------------------

    def restore(self, flash: Mapping[str, Any]) -> None:
        """After power-up: what was open is ended as PowerLoss; a quirk sends the stop before it once more."""
        last = flash.get("last-stop")
        if last is not None and self._desk.profile.has(RESEND_STOP_AFTER_BOOT):
            self._desk.persist("last-stop", None)
            self._desk.note("resent-stop", transaction=last["transaction"])
            self._outbox.push_raw("StopTransaction", last["transaction"], last["body"].encode())
        for bay in self._bays:
            plain = flash.get(f"tx/{bay.number}")
            if plain is not None:
                bay.transaction = Transaction.restored(plain)
                self.close(bay, "PowerLoss")

    def _remember_stop(self, number: int, body: bytes) -> None:
        if self._desk.profile.has(RESEND_STOP_AFTER_BOOT):
            self._last_stop = number
            self._save_stop(number, body)

    def _save_stop(self, number: int, body: bytes) -> None:
        self._desk.persist("last-stop", {"transaction": number, "body": body.decode()})
