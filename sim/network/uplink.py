"""The uplink of one station: latency, and the faults of its network (stall, refuse), as pure verdicts.

Faults are honest to TCP: a living connection loses nothing and never reorders. A stall holds frames back in both
directions until it heals; only a reset or a close loses what is in flight. Omitting single messages is a station quirk,
never a fault of this module.
"""

from __future__ import annotations

from itertools import repeat, starmap
from math import floor
from random import Random

from sim.clock import SECOND

CONNECT_TIMEOUT = 30 * SECOND
KEEPALIVE_TIMEOUT = 60 * SECOND
_AHEAD = 64


class Uplink:
    """Latency and faults of one station's way to the internet; times in ms.

    `ahead` are latencies drawn already, the next one last, since no frame goes without; `stalled_until` and
    `refused_until` are instants.
    """

    __slots__ = ("_draw", "_jitter", "_least", "_refused", "ahead", "refused_until", "stalled_until")

    def __init__(self, rng: Random, base_ms: int, jitter_ms: int) -> None:
        self._draw = rng.random
        self._least = base_ms + 1
        self._jitter = float(jitter_ms)
        self.ahead: list[int] = []
        self.stalled_until = 0
        self.refused_until = 0
        self._refused: dict[str, int] = {}

    def latency(self) -> int:
        """One-way delay of the next frame, at least 1 ms: the base and a drawn share of the jitter."""
        return (self.ahead or self.draw_ahead()).pop()

    def draw_ahead(self) -> list[int]:
        """Fill `ahead` once it is empty."""
        drawn = starmap(self._draw, repeat((), _AHEAD))  # in C: two of them go with every round trip
        self.ahead.extend(map(self._least.__add__, map(floor, map(self._jitter.__mul__, drawn))))
        self.ahead.reverse()
        return self.ahead

    def stall(self, until: int) -> None:
        """Nothing gets through until then; nothing is lost either."""
        self.stalled_until = max(self.stalled_until, until)

    def refuse(self, until: int, backend: str = "") -> None:
        """New connections are refused until then, all or only those to one back-end; living ones go on."""
        if backend:
            self._refused[backend] = max(self._refused.get(backend, 0), until)
        else:
            self.refused_until = max(self.refused_until, until)

    def refuses(self, backend: str, now: int) -> bool:
        """Whether a connection to this back-end is refused now."""
        return max(self.refused_until, self._refused.get(backend, 0)) > now
