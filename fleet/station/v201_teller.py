"""Transactions in the words of OCPP 2.0.1: TransactionEvents, numbered from 0, under an id that the station gives.

Started and Ended once each, Updated between them; what was queued while the station was offline says so. It is told as a
transaction that starts when a cable and an accepted token are there, and stops when either goes. Signed readings travel in
Started (begin) and in Ended (all of them). Sources: OCPP 2.0.1 E01 to E15 (events), J02 (sampled), J01 (aligned),
Part 4 §5 (queue), reference ocmf §2.3.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from fleet.station.bay import Bay, Claim
from fleet.station.desk import Desk
from fleet.station.metering import CLOCK, END, PERIODIC, TRIGGER, Metering
from fleet.station.outbox import Message, Outbox
from fleet.station.teller import Verdict, unheard
from fleet.station.tokens import Tokens
from fleet.station.transaction import CONTEXTS, Transaction
from fleet.station.v201_words import CENTRAL, entry_of, evse, id_token
from sim.clock import iso
from sim.rng import message_id
from sim.wire import ocmf
from sim.wire.ocmf_wrap import oca_key
from sim.wire.payloads import v201

STARTED, UPDATED, ENDED = "Started", "Updated", "Ended"
EVENT = "TransactionEvent"
ENERGY = "Energy.Active.Import.Register"
BEGIN = CONTEXTS["B"]

_ENDS = {
    "Local": ("StopAuthorized", None),
    "Remote": ("RemoteStop", "Remote"),
    "EVDisconnected": ("EVCommunicationLost", "EVDisconnected"),
    "DeAuthorized": ("Deauthorized", "DeAuthorized"),
    "PowerLoss": ("AbnormalCondition", "PowerLoss"),
    "HardReset": ("ResetCommand", "ImmediateReset"),
    "SoftReset": ("ResetCommand", "ImmediateReset"),
    "Reboot": ("AbnormalCondition", "Reboot"),
}
"""What ends a transaction, in the words of 1.6: triggerReason and stoppedReason (absent for Local)."""
_SAMPLED = {PERIODIC: "MeterValuePeriodic", CLOCK: "MeterValueClock", TRIGGER: "Trigger"}
_ONLINE, _OFFLINE = b'"offline":false', b'"offline":true'
"""Every event says which it is, so that one that has to wait can be marked; no text inside JSON can hold these bytes."""


def every_second(spare: Sequence[Message]) -> Sequence[Message]:
    """Which intermediate events go when the memory is full: the 1st, the 3rd ... (OCPP 2.0.1 E04)."""
    return spare[::2]


def waiting(body: bytes) -> bytes:
    """The body of a message that has to wait for a connection."""
    return body.replace(_ONLINE, _OFFLINE, 1)


class Teller201:
    """A `Teller` of 2.0.1, and the one who tells readings."""

    def __init__(self, desk: Desk, outbox: Outbox, tokens: Tokens) -> None:
        self._desk = desk
        self._outbox = outbox
        self._tokens = tokens
        self._states: dict[int, str] = {}
        self.metering: Metering
        """Reads the meters; it tells its readings through this teller, so it comes later."""
        self.on_verdict: Verdict = unheard

    def name(self, number: int) -> str:
        """An id of 36 characters, never used twice."""
        return message_id(self._desk.config.salt, f"{self._desk.station}/transaction", number)

    # -- the life of a transaction ------------------------------------------------------------------------------------

    def began(self, bay: Bay, transaction: Transaction, claim: Claim, at: int, register: int) -> None:
        """Started, with the signed begin."""
        trigger = "CablePluggedIn" if claim.waited else "Authorized"
        if claim.remote is not None:
            trigger = "RemoteStart"
        begin = [self._signed(bay, at, BEGIN, text, register, 0) for at, context, text in transaction.records]
        event = self._event(
            STARTED,
            trigger,
            transaction,
            bay,
            at=at,
            evse=evse(bay.number),
            id_token=id_token(claim.id_tag, claim.id_type),
            remote=claim.remote,
            values=begin,
        )
        self._tell(bay, transaction, event)

    def changed(self, bay: Bay, transaction: Transaction) -> None:
        """Updated, if the charging state is another one."""
        before, state = self._states.get(bay.number), charging_state(bay)
        if state == before:
            return
        trigger = "Deauthorized" if bay.blocked and before != "SuspendedEVSE" else "ChargingStateChanged"
        self._tell(bay, transaction, self._event(UPDATED, trigger, transaction, bay))

    def ended(
        self, bay: Bay, transaction: Transaction, reason: str, id_tag: str | None, at: int, register: int
    ) -> None:
        """Ended, with all signed readings."""
        trigger, stopped = _ENDS.get(reason, ("AbnormalCondition", "Other"))
        values = [
            self._signed(bay, one, context, text, register, number)
            for number, (one, context, text) in enumerate(transaction.records)
        ]
        event = self._event(
            ENDED,
            trigger,
            transaction,
            bay,
            at=at,
            state="EVConnected" if bay.plugged and reason != "EVDisconnected" else "Idle",
            id_token=None if id_tag is None else id_token(id_tag, "ISO14443"),
            stopped=stopped,
            values=values,
        )
        self._tell(bay, transaction, event)
        self._states.pop(bay.number, None)

    # -- readings -----------------------------------------------------------------------------------------------------

    def reading(self, bay: Bay, measurands: tuple[str, ...], context: str) -> None:
        """A reading of the meter: an Updated inside a transaction, MeterValues outside."""
        value = self._sampled(bay, measurands, context)
        transaction = bay.transaction
        if transaction is None:
            values = v201.MeterValues(evse_id=bay.number, meter_value=[value])
            self._outbox.push_raw("MeterValues", 0, v201.encode(values), spare=True)
        else:
            event = self._event(UPDATED, _SAMPLED[context], transaction, bay, values=[value])
            self._tell(bay, transaction, event)

    def values(self, bay: Bay, measurands: tuple[str, ...]) -> v201.MeterValues:
        """MeterValues that were asked for."""
        return v201.MeterValues(evse_id=bay.number, meter_value=[self._sampled(bay, measurands, TRIGGER)])

    def _sampled(self, bay: Bay, measurands: tuple[str, ...], context: str) -> v201.MeterValue:
        rows = [
            v201.SampledValue(
                value=float(digits) if "." in digits else int(digits),
                context=context,
                measurand=measurand,
                unit_of_measure=v201.UnitOfMeasure(unit=unit),
            )
            for measurand, digits, unit in self.metering.shown(bay, measurands)
        ]
        return v201.MeterValue(timestamp=iso(self._desk.time()), sampled_value=rows)

    def _signed(self, bay: Bay, at: int, context: str, text: str, register: int, number: int) -> v201.MeterValue:
        """One signed record. Begin and end also say the register as the station read it, in Wh; others what was signed."""
        shown: int | float = register
        if context not in (BEGIN, END):
            shown = int(ocmf.parse(text).readings[-1].value.scaleb(3))
        meter = self._desk.profile.meter
        key = "" if meter.sends_key == "Never" else oca_key(self._desk.hardware.public_key(bay.number))
        key = meter.key_along(key, number)
        signed = v201.SignedMeterValue(
            signed_meter_data=base64.b64encode(text.encode()).decode(),
            signing_method="",
            encoding_method="OCMF",
            public_key=key,
        )
        value = v201.SampledValue(
            value=shown,
            context=context,
            measurand=ENERGY,
            signed_meter_value=signed,
            unit_of_measure=v201.UnitOfMeasure(unit="Wh"),
        )
        return v201.MeterValue(timestamp=iso(at), sampled_value=[value])

    # -- events -------------------------------------------------------------------------------------------------------

    def _event(
        self,
        kind: str,
        trigger: str,
        transaction: Transaction,
        bay: Bay,
        *,
        at: int | None = None,
        state: str | None = None,
        evse: v201.EVSE | None = None,
        id_token: v201.IdToken | None = None,
        remote: int | None = None,
        stopped: str | None = None,
        values: list[v201.MeterValue] | None = None,
    ) -> v201.TransactionEvent:
        desk = self._desk
        state = state or charging_state(bay)
        self._states[bay.number] = state
        return v201.TransactionEvent(
            event_type=kind,
            timestamp=iso(desk.time() if at is None else at),
            trigger_reason=trigger,
            seq_no=transaction.told,
            offline=not desk.online,
            evse=evse,
            id_token=id_token,
            meter_value=values or None,
            transaction_info=v201.Transaction(
                transaction_id=transaction.name,
                charging_state=state,
                stopped_reason=stopped,
                remote_start_id=remote,
            ),
        )

    def _tell(self, bay: Bay, transaction: Transaction, event: v201.TransactionEvent) -> None:
        """The number of an event is used up before it is sent, and for ever."""
        transaction.told += 1
        if event.event_type != ENDED:
            self._desk.persist(f"tx/{bay.number}", transaction.saved())
        spare = event.event_type == UPDATED
        self._outbox.push_raw(EVENT, transaction.number, v201.encode(event), spare)

    def stray_stop(self, transaction_id: object, meter_stop: int) -> None:
        """Send an Ended for a transaction that is not one of ours (a fault that was asked for)."""
        desk = self._desk
        value = v201.SampledValue(value=meter_stop, context=END, measurand=ENERGY)
        event = v201.TransactionEvent(
            event_type=ENDED,
            timestamp=iso(desk.time()),
            trigger_reason="AbnormalCondition",
            seq_no=0,
            offline=not desk.online,
            meter_value=[v201.MeterValue(timestamp=iso(desk.time()), sampled_value=[value])],
            transaction_info=v201.Transaction(transaction_id=str(transaction_id)[:36], stopped_reason="Other"),
        )
        desk.note("stray-stop", transaction_id=str(transaction_id), meter_stop=meter_stop)
        self._outbox.push_raw(EVENT, 0, v201.encode(event))

    # -- what the back-end says ---------------------------------------------------------------------------------------

    def confirmed(self, message: Message, payload: bytes) -> None:
        """An event was answered; the answer may say something about the token in it."""
        if message.action != EVENT or payload == b"{}":
            return
        info = v201.decode_response(EVENT, payload).id_token_info
        if info is None:
            return
        assert isinstance(message.body, bytes)
        event: v201.TransactionEvent = v201.decode_request(EVENT, message.body)
        entry = entry_of(info)
        if event.id_token is not None and event.id_token.type != CENTRAL:
            self._tokens.learn(event.id_token.id_token, entry)
        if event.event_type == STARTED:
            self.on_verdict(message.transaction, entry)

    def restore(self, flash: Mapping[str, Any]) -> None:
        """What waited in flash waited while the station was offline."""
        self._outbox.rewrite(waiting)


def charging_state(bay: Bay) -> str:
    """The chargingState of a running transaction (OCPP 2.0.1 E02)."""
    if not bay.plugged:
        return "Idle"
    if not bay.sensed:
        return "EVConnected"
    if bay.blocked or not bay.offered:
        return "SuspendedEVSE"
    return "Charging" if bay.drawing else "SuspendedEV"
