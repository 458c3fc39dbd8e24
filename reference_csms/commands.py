"""Version-neutral commands: what a station asks for, whatever OCPP version said it.

Plain values only. `at` is the station's own time of the event, `received_at` when the message came; both are kept,
since an offline queue delivers hours later (OCPP 1.6 §3.7).
"""

from __future__ import annotations

from msgspec import Struct

from sim.clock import Instant

TransactionId = int | str
"""A number that a back-end gave out (1.6), or a text that the station itself did (2.0.1); this one is unique there only."""


class Start(Struct, frozen=True, kw_only=True):
    """A transaction began. `meter_start` in Wh; `transaction_id` is the station's own, None where back-ends give them."""

    station: str
    connector: int
    id_tag: str
    meter_start: int
    at: Instant
    received_at: Instant
    message_id: str
    transaction_id: str | None = None

    @property
    def key(self) -> str:
        """The business key: equal for every delivery of the same start (INV-04)."""
        if self.transaction_id is not None:
            return f"{self.station}|{self.transaction_id}"
        return f"{self.station}|{self.connector}|{self.id_tag}|{int(self.at)}|{self.meter_start}"


class Stop(Struct, frozen=True, kw_only=True):
    """A transaction ended. `meter_stop` in Wh, `values` the signed values exactly as they came."""

    station: str
    transaction_id: TransactionId
    meter_stop: int
    at: Instant
    id_tag: str | None
    reason: str
    values: tuple[str, ...]
    received_at: Instant
    message_id: str

    @property
    def key(self) -> str:
        """Equal for every delivery of the same stop; another value anywhere makes it another stop (INV-06)."""
        return f"{self.meter_stop}|{int(self.at)}|{self.id_tag or ''}|{self.reason}"


class Told(Struct, frozen=True, kw_only=True):
    """One event of a transaction, as a station of 2.0.1 numbers them; what it does not say is None.

    `kind`: started, updated or ended; `seq` its number; `id_tag` the token it names; `begin_wh` and `end_wh` the register
    at begin and end, `values` the signed values in it exactly as they came.
    """

    station: str
    transaction_id: str
    seq: int
    kind: str
    at: Instant
    received_at: Instant
    message_id: str
    connector: int | None = None
    id_tag: str | None = None
    begin_wh: int | None = None
    end_wh: int | None = None
    reason: str = "Local"
    values: tuple[str, ...] = ()


class Answer(Struct, frozen=True):
    """The back-end's word on the token of a command; `status` None where none was asked about.

    `connector` is that of the session which a stop closed.
    """

    status: str | None
    parent: str | None = None
    transaction_id: TransactionId | None = None
    connector: int | None = None
