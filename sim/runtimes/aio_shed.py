"""When a serving process has more to do than it can: how late its loop is, and who is told to come again later.

Only handshakes are refused, with 503 and a Retry-After, and each is counted: who is connected is served. It never drops
anything in silence.
"""

from __future__ import annotations

import asyncio

from msgspec import Struct

from sim.backend import Refusal
from sim.office import Counters

_BEAT_S = 0.25
_LEAST_RETRY_S = 5
_FADE = 0.98


class ShedLimits(Struct, frozen=True, kw_only=True):
    """From here on handshakes are refused: so many living connections, or a loop so many seconds late."""

    most_connections: int = 100_000
    most_lag_s: float = 10.0


class Shedder:
    """Measures one loop, and judges handshakes by it."""

    def __init__(self, limits: ShedLimits, counters: Counters) -> None:
        self._limits = limits
        self._counters = counters
        self._loop = asyncio.get_running_loop()
        self._late = 0.0
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._arm()

    def _arm(self) -> None:
        self._due = self._loop.time() + _BEAT_S
        self._timer = self._loop.call_at(self._due, self._beat)

    def _beat(self) -> None:
        self._late = self._loop.time() - self._due
        self._counters.lag_ms = max(self._counters.lag_ms * _FADE, self._late * 1000)
        self._arm()

    def lag_s(self) -> float:
        """How late the loop is now, seconds: what the last beat found, or how long the next one has been due."""
        return max(self._late, self._loop.time() - self._due)

    def judge(self, connections: int) -> Refusal | None:
        """None if one more may come in now."""
        lag = self.lag_s()
        if connections >= self._limits.most_connections:
            why = "no room for more connections"
        elif lag > self._limits.most_lag_s:
            why = "too much to do"
        else:
            return None
        self._counters.shed += 1
        return Refusal(503, why, retry_after_s=max(_LEAST_RETRY_S, round(lag)))

    def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()
