"""Version-neutral commands: what a station asks for, whatever OCPP version said it.

Plain values only. `at` is the station's own time of the event, `received_at` when the message came; both are kept,
since an offline queue delivers hours later (OCPP 1.6 §3.7).
"""

from __future__ import annotations

from msgspec import Struct

from sim.clock import Instant


class Start(Struct, frozen=True, kw_only=True):
    """A transaction began. `meter_start` in Wh."""

    station: str
    connector: int
    id_tag: str
    meter_start: int
    at: Instant
    received_at: Instant
    message_id: str

    @property
    def key(self) -> str:
        """The business key: equal for every delivery of the same start (INV-04)."""
        return f"{self.station}|{self.connector}|{self.id_tag}|{int(self.at)}|{self.meter_start}"


class Stop(Struct, frozen=True, kw_only=True):
    """A transaction ended. `meter_stop` in Wh, `values` the signed values exactly as they came."""

    station: str
    transaction_id: int
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


class Answer(Struct, frozen=True):
    """The back-end's word on the token of a command; `status` None where none was asked about.

    `connector` is that of the session which a stop closed.
    """

    status: str | None
    parent: str | None = None
    transaction_id: int | None = None
    connector: int | None = None
