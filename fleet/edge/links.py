"""Quirks of the connection: it flaps, is closed for being idle, is not dialled again, or is dialled much later.

Only moments and reasons; nothing is sent or closed here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleet.station.timers import NEVER
from sim.clock import MINUTE, SECOND
from sim.rng import stream

FLAP = 30 * SECOND
IDLE = 110 * SECOND
LEAST_AWAY, MORE_AWAY = 6 * MINUTE, 13 * MINUTE
"""A station that redials slowly is away from 6 to 19 minutes."""
LINK_QUIRKS = (
    "flapping-link",
    "idle-close",
    "no-redial-after-close",
    "no-redial-after-link-loss",
    "slow-redial-after-drop",
    "reply-without-call",
    "same-id-after-reconnect",
    "no-redial-after-power-loss",
)
LOST = ("reset", "timeout", "network", "keep-alive")
"""Why a connection ends that nobody has closed."""


class Lines:
    """The moments of one station's connection. Instants in ms, 0 for none."""

    def __init__(self, station: str, quirks: Sequence[str], shows: Callable[[str], None]) -> None:
        self._quirks = quirks
        self._shows = shows
        self._chance = stream(station, "slow-redial")
        self._opened_at = self._spoke_at = self._hang_at = 0
        self._before = False
        self.returns_at = 0

    def has(self, quirk: str) -> bool:
        """Whether the station has it."""
        return quirk in self._quirks

    def opened(self, now: int) -> bool:
        """A connection is there. True if it is not the first one."""
        again, self._before = self._before, True
        self._opened_at = self._spoke_at = now
        self._hang_at = 0
        return again

    def spoke(self, now: int) -> None:
        """A frame went either way."""
        self._spoke_at = now

    def hang(self, until: int) -> None:
        """The firmware hangs, and gives the connection up then."""
        self._hang_at = self._hang_at or until

    def lost(self, reason: str, now: int) -> bool:
        """A connection is over. True if the station does not dial again by itself."""
        graceful = reason not in LOST
        if self.has("no-redial-after-close") and graceful:
            self._shows("no-redial-after-close")
            return True
        if self.has("no-redial-after-link-loss") and not graceful:
            self._shows("no-redial-after-link-loss")
            return True
        if self.has("slow-redial-after-drop"):
            self._shows("slow-redial-after-drop")
            self.returns_at = now + LEAST_AWAY + int(self._chance.random() * MORE_AWAY)
            return True
        return False

    def deadline(self) -> int:
        """The next moment at which something is due."""
        moments = [self._hang_at, self.returns_at]
        if self.has("flapping-link") and self._opened_at:
            moments.append(self._opened_at + FLAP)
        if self.has("idle-close") and self._opened_at:
            moments.append(self._spoke_at + IDLE)
        return min((moment for moment in moments if moment), default=NEVER)

    def due(self, now: int) -> str:
        """Why the connection is given up now, empty if it is not."""
        if self._hang_at and now >= self._hang_at:
            self._hang_at = 0
            return "hung"
        if self.has("flapping-link") and self._opened_at and now >= self._opened_at + FLAP:
            self._shows("flapping-link")
            return "flapping"
        if self.has("idle-close") and self._opened_at and now >= self._spoke_at + IDLE:
            self._shows("idle-close")
            return "idle"
        return ""

    def is_back(self, now: int) -> bool:
        """Whether the station dials again from now on."""
        back = bool(self.returns_at) and now >= self.returns_at
        if back:
            self.returns_at = 0
        return back

    def ended(self) -> None:
        """There is no connection any more."""
        self._opened_at = self._spoke_at = self._hang_at = 0
