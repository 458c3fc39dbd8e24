"""The row that this back-end keeps of a transaction told in numbered events (OCPP 2.0.1): shape only, no behaviour."""

from __future__ import annotations

from msgspec import Struct

from reference_csms.commands import Told
from reference_csms.storage.port import Table
from sim.clock import Instant

Sample = tuple[Instant, int]
"""When a register was read, and what it showed in Wh."""


class Trail(Struct, frozen=True, kw_only=True):
    """The events of one transaction of 2.0.1 that were taken, and what they said so far.

    `seen` are the numbers of events as spans (first, last), `repeats` how often one came again, `missing` the numbers
    that have not come although later ones have. `started` and `ended` are the events that wait for what their session
    still lacks, `values` signed values by number of their event, `samples` what the register showed (instant, Wh), by time.
    """

    key: str
    station: str
    transaction_id: str
    seen: tuple[tuple[int, int], ...] = ()
    repeats: int = 0
    missing: tuple[int, ...] = ()
    connector: int | None = None
    id_tag: str | None = None
    started: Told | None = None
    ended: Told | None = None
    session_id: str | None = None
    values: tuple[tuple[int, str], ...] = ()
    samples: tuple[Sample, ...] = ()

    @property
    def events(self) -> int:
        """How many different events came."""
        return sum(last - first + 1 for first, last in self.seen)


TRAILS = Table("trails", Trail, "key", ("station",))
