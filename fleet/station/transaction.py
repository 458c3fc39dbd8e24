"""The record of one running transaction: plain data that survives a power loss, and its signed readings.

It knows nothing of sending. Marks are those of OCMF: B begin, T tariff change, S the EV stopped drawing, C it draws
again or the station withholds power, E end.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from fleet.station.hardware import Hardware

CONTEXTS = {"B": "Transaction.Begin", "T": "Sample.Clock", "S": "Other", "C": "Other", "E": "Transaction.End"}
"""OCPP reading context of each mark, as a record that travels with the end of its transaction."""


class Transaction(Struct):
    """One transaction. `number` is the station's own, never used twice; an id of the back-end (1.6) lives in the outbox.

    `readings` are those not signed yet (instant, mark, Wh), `records` the signed texts (instant, context, text),
    `samples` the unsigned values for transactionData (StopTxnSampledData). `name` is the id that the station itself gave
    it and `told` how many events of it were told (2.0.1).
    """

    number: int
    connector: int
    id_tag: str
    id_type: str
    parent: str | None
    idle: bool = False
    readings: list[tuple[int, str, int]] = []
    records: list[tuple[int, str, str]] = []
    samples: list[Any] = []
    name: str = ""
    told: int = 0

    def take(self, hardware: Hardware, letter: str, single: bool, reading: tuple[int, str, int]) -> None:
        """Add a reading; sign it at once, or all of them together at the end (`single`)."""
        at, mark, _ = reading
        self.readings.append(reading)
        if not single or mark == "E":
            text = hardware.sign(self.connector, self.id_tag, self.id_type, letter, self.readings)
            self.records.append((at, CONTEXTS[mark], text))
            self.readings.clear()

    def saved(self) -> dict[str, Any]:
        """As it goes to flash."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def restored(cls, plain: dict[str, Any]) -> Transaction:
        """As it comes back from flash."""
        return msgspec.convert(plain, cls)
