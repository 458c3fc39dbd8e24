"""Every accepted reading and status as it came, for houses that keep all they acknowledge. Append only; judges nothing."""

from __future__ import annotations

from reference_csms.records import RECEIVED, Received
from reference_csms.stage import Stage
from reference_csms.storage.port import Store
from sim.backend import Row
from sim.clock import Instant, iso

KEPT = frozenset({"MeterValues", "StatusNotification"})
"""What is kept besides what sessions, stations and records hold anyway."""


class Keeping:
    """Writes messages down in the group that answers them."""

    def __init__(self, store: Store, stage: Stage) -> None:
        self._store = store
        self._stage = stage
        self._count = 0

    def keep(self, station: str, frame: bytes, now: Instant) -> None:
        """Keep one message. Its key grows with time, within a process and from one to the next."""
        self._count += 1
        self._stage.moved = True
        key = f"{self._store.epoch:08d}-{self._count:012d}"
        self._store.insert(RECEIVED, Received(key=key, station=station, at=now, frame=frame.decode()))

    def of(self, station: str) -> list[Row]:
        """All messages kept of a station, oldest first."""
        return [{"at": iso(row.at), "frame": row.frame} for row in self._store.find(RECEIVED, "station", station)]
