"""Transactions in the words of OCPP 1.6: one StartTransaction and one StopTransaction each, ids given by the back-end.

Sources: OCPP 1.6 §4.8, §4.10, errata §3.18 (no id), OCA note on signed meter values §3.1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from fleet.quirks import END_VALUES_AFTER_STOP, RESEND_STOP_AFTER_BOOT
from fleet.station.bay import Bay, Claim
from fleet.station.desk import Desk
from fleet.station.metering import END, Metering
from fleet.station.outbox import OPEN_ID, Message, Outbox
from fleet.station.teller import Verdict, unheard
from fleet.station.tokens import Tokens
from fleet.station.transaction import Transaction
from fleet.station.v16_words import entry_of
from sim.clock import iso
from sim.wire import ocmf
from sim.wire.payloads import v16


class Teller16:
    """A `Teller` of 1.6. `running` are the numbers of the transactions that run now."""

    def __init__(
        self,
        desk: Desk,
        outbox: Outbox,
        metering: Metering,
        tokens: Tokens,
        running: Callable[[], Sequence[int]],
    ) -> None:
        self._desk = desk
        self._outbox = outbox
        self._metering = metering
        self._tokens = tokens
        self._running = running
        self._last_stop: int | None = None
        self.on_verdict: Verdict = unheard

    def name(self, number: int) -> str:
        """Ids are the back-end's."""
        return ""

    def began(self, bay: Bay, transaction: Transaction, claim: Claim, at: int, register: int) -> None:
        """StartTransaction."""
        start = v16.StartTransaction(
            connector_id=bay.number,
            id_tag=claim.id_tag,
            meter_start=register,
            timestamp=iso(at),
            reservation_id=claim.reservation,
        )
        self._outbox.forget_ids(self._running())
        self._outbox.push("StartTransaction", transaction.number, start)

    def changed(self, bay: Bay, transaction: Transaction) -> None:
        """A StatusNotification says it."""

    def ended(
        self, bay: Bay, transaction: Transaction, reason: str, id_tag: str | None, at: int, register: int
    ) -> None:
        """StopTransaction with all signed records, and what quirks send with it."""
        stop = v16.StopTransaction(
            id_tag=id_tag,
            meter_stop=register,
            timestamp=iso(at),
            transaction_id=OPEN_ID,
            reason=reason,
            transaction_data=_data(transaction),
        )
        body = self._outbox.push("StopTransaction", transaction.number, stop)
        self._remember_stop(transaction.number, body)
        if self._desk.profile.has(END_VALUES_AFTER_STOP):
            self._desk.shows(END_VALUES_AFTER_STOP)
            self._late_values(bay, transaction.number)

    def _late_values(self, bay: Bay, number: int) -> None:
        value = self._metering.meter_value(bay, ("Energy.Active.Import.Register",), END, self._desk.time())
        late = v16.MeterValues(connector_id=bay.number, transaction_id=OPEN_ID, meter_value=[value])
        self._outbox.push("MeterValues", number, late)

    # -- faults that were asked for -----------------------------------------------------------------------------------

    def stray_stop(self, transaction_id: int, meter_stop: int) -> None:
        """Send a StopTransaction for an id that is not one of ours."""
        stop = v16.StopTransaction(
            meter_stop=meter_stop, timestamp=iso(self._desk.time()), transaction_id=transaction_id, reason="Local"
        )
        self._desk.note("stray-stop", transaction_id=transaction_id, meter_stop=meter_stop)
        self._outbox.push("StopTransaction", 0, stop)

    def second_stop(self, payload: str) -> None:
        """Send a StopTransaction for a transaction that has ended already."""
        self._desk.note("second-stop")
        self._outbox.push_raw("StopTransaction", 0, payload.encode())

    # -- what the back-end says ---------------------------------------------------------------------------------------

    def confirmed(self, message: Message, payload: bytes) -> None:
        """A StartTransaction or StopTransaction was answered."""
        assert isinstance(message.body, bytes)
        if message.action == "StartTransaction":
            answer: v16.StartTransactionResult = v16.decode_response("StartTransaction", payload)
            self._outbox.know(message.transaction, answer.transaction_id)
            tag = v16.decode_request("StartTransaction", message.body).id_tag
            entry = entry_of(answer.id_tag_info)
            self._tokens.learn(tag, entry)
            self.on_verdict(message.transaction, entry)
        elif message.action == "StopTransaction":
            self._stopped(message, v16.decode_response("StopTransaction", payload))

    def _stopped(self, message: Message, answer: v16.StopTransactionResult) -> None:
        if message.transaction and message.transaction == self._last_stop:
            self._save_stop(0, self._outbox.resolved(message))
        if answer.id_tag_info is not None:
            tag = v16.decode_request("StopTransaction", self._outbox.resolved(message)).id_tag
            if tag is not None:
                self._tokens.learn(tag, entry_of(answer.id_tag_info))

    # -- flash --------------------------------------------------------------------------------------------------------

    def restore(self, flash: Mapping[str, Any]) -> None:
        """A quirk sends the stop before the power loss once more."""
        last = flash.get("last-stop")
        if last is not None and self._desk.profile.has(RESEND_STOP_AFTER_BOOT):
            self._desk.persist("last-stop", None)
            self._desk.shows(RESEND_STOP_AFTER_BOOT)
            self._desk.note("resent-stop", transaction=last["transaction"])
            self._outbox.push_raw("StopTransaction", last["transaction"], last["body"].encode())

    def _remember_stop(self, number: int, body: bytes) -> None:
        if self._desk.profile.has(RESEND_STOP_AFTER_BOOT):
            self._last_stop = number
            self._save_stop(number, body)

    def _save_stop(self, number: int, body: bytes) -> None:
        self._desk.persist("last-stop", {"transaction": number, "body": body.decode()})


def _data(transaction: Transaction) -> list[v16.MeterValue]:
    """The transactionData of its StopTransaction (OCA note §3.1): signed records and unsigned samples in order of time."""
    signed = [
        v16.MeterValue(
            timestamp=iso(at),
            sampled_value=[v16.SampledValue(value=ocmf.wrap(text), context=context, format="SignedData")],
        )
        for at, context, text in transaction.records
    ]
    samples = msgspec.convert(transaction.samples, list[v16.MeterValue])
    return sorted(signed + samples, key=lambda value: value.timestamp)
