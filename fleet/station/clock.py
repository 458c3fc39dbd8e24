"""The station's own clock: an offset against true time, and the rule by which the back-end's time may change it.

It never reads a wall clock: true time comes in as `now`, and only the offset is the station's own.
"""

from __future__ import annotations

from sim.clock import SECOND, parse_iso

TOLERANCE = SECOND
"""A smaller deviation is left alone: setting the clock would only make durations worse."""

EARLIEST, LATEST = parse_iso("2000-01-01T00:00:00Z"), parse_iso("2100-01-01T00:00:00Z")
"""Times that no back-end of this world can mean are ignored."""


class StationClock:
    """`offset` is station time minus true time, in ms."""

    __slots__ = ("offset", "synced_at")

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.synced_at: int | None = None

    def sync(self, current_time: str, asked_at: int, now: int) -> bool:
        """Take the back-end's `currentTime` (OCPP 1.6 §4.2, §4.6); True if the clock was set.

        Half of the round trip is added, and the other half is the doubt: the clock is set only if it deviates by more
        than a second beyond that doubt. Raises ValueError for a text that is no instant.
        """
        doubt = (now - asked_at) // 2
        told = parse_iso(current_time)
        if not EARLIEST <= told <= LATEST:
            return False
        deviation = told + doubt - (now + self.offset)
        self.synced_at = now
        if abs(deviation) <= TOLERANCE + doubt:
            return False
        self.offset += deviation
        return True
