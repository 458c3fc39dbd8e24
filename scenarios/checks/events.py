"""What stations of OCPP 2.0.1 said on the wire about transactions: their numbered events, read anew for the checks.

Reads recorded calls only, with JSON and nothing else of the house: a second reader beside that of the back-end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from msgspec import Struct

from sim.clock import parse_iso
from sim.evidence.reader import Evidence
from sim.evidence.views import WireCall

EVENT = "TransactionEvent"
_ENERGY = (None, "Energy.Active.Import.Register")


class WireEvent(Struct, frozen=True):
    """One delivered TransactionEvent."""

    call: WireCall
    transaction_id: str
    seq: int
    kind: str
    payload: dict[str, Any]

    @property
    def at(self) -> int:
        """When it happened, by the station's clock."""
        return parse_iso(self.payload["timestamp"])

    @property
    def token(self) -> str | None:
        """The token that it names."""
        named = self.payload.get("idToken")
        return None if named is None else str(named["idToken"])

    def registers(self) -> list[int]:
        """Every energy register that it tells in plain samples, in Wh."""
        return [_watt_hours(sample) for sample in self._energies() if "signedMeterValue" not in sample]

    def register(self, context: str) -> int | None:
        """The energy register with this context in Wh, None if it is not told."""
        return next((_watt_hours(sample) for sample in self._energies() if sample.get("context") == context), None)

    def _energies(self) -> list[dict[str, Any]]:
        samples = _samples(self.payload)
        return [one for one in samples if one.get("measurand") in _ENERGY and "phase" not in one]

    def signed(self) -> list[str]:
        """Its signed values, each as the JSON object in which it travelled."""
        return [
            json.dumps(sample["signedMeterValue"]) for sample in _samples(self.payload) if "signedMeterValue" in sample
        ]


def _watt_hours(sample: dict[str, Any]) -> int:
    unit = sample.get("unitOfMeasure", {})
    scale = int(unit.get("multiplier", 0)) + (3 if unit.get("unit") == "kWh" else 0)
    return int(Decimal(str(sample["value"])).scaleb(scale))


Told = Mapping[tuple[str, str], Sequence[WireEvent]]


def events(evidence: Evidence) -> Told:
    """All delivered events by (station, transaction), in order of their numbers and then of their delivery."""

    def read(source: Evidence) -> Told:
        found: dict[tuple[str, str], list[WireEvent]] = {}
        for call in source.read(WireCall):
            if call.action == EVENT and call.way == "up" and call.delivered_at is not None and call.well_formed != 0:
                event = _event(call, json.loads(call.payload or "{}"))
                found.setdefault((call.station, event.transaction_id), []).append(event)
        return {key: sorted(told, key=lambda one: (one.seq, one.call.call_no)) for key, told in found.items()}

    return evidence.keep("wire events", read)


def place_of(told: Sequence[WireEvent]) -> int:
    """The EVSE of a transaction, 0 if none was told."""
    return next((int(event.payload["evse"]["id"]) for event in told if "evse" in event.payload), 0)


def token_of(told: Sequence[WireEvent]) -> str:
    """The token of a transaction, empty if none was told."""
    return next((event.token for event in told if event.token is not None), "")


def signed_values(told: Sequence[WireEvent]) -> tuple[str, ...]:
    """All signed values of a transaction, in order of the numbers of their events."""
    return tuple(value for event in told for value in event.signed())


def _samples(payload: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [sample for value in payload.get("meterValue", ()) for sample in value.get("sampledValue", ())]


def _event(call: WireCall, payload: dict[str, Any]) -> WireEvent:
    transaction = str(payload["transactionInfo"]["transactionId"])
    return WireEvent(call, transaction, int(payload["seqNo"]), str(payload["eventType"]), payload)
