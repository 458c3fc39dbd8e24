"""The uplink of one station: latency, and the faults of its network (stall, refuse), as pure verdicts.

Faults are honest to TCP: a living connection loses nothing and never reorders. A stall holds frames back in both
directions until it heals; only a reset or a close loses what is in flight. Omitting single messages is a station quirk,
never a fault of this module.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import repeat
from operator import add, mul
from random import Random

from sim.clock import SECOND

CONNECT_TIMEOUT = 30 * SECOND
KEEPALIVE_TIMEOUT = 60 * SECOND


class Uplink:
    """Latency and faults of one station's way to the internet; times in ms.

    `stalled_until` and `refused_until` are instants.
    """

    __slots__ = ("_refused", "latency", "refused_until", "stalled_until")

    def __init__(self, rng: Random, base_ms: int, jitter_ms: int) -> None:
        draws = iter(rng.random, None)
        jitter = map(int, map(mul, draws, repeat(jitter_ms)))
        self.latency: Callable[[], int] = map(add, jitter, repeat(base_ms + 1)).__next__
        """One-way delay of the next frame: the base, a drawn share of the jitter, and at least 1 ms. A chain of iterators
        without a line of Python in it, since no frame goes without.
        """
        self.stalled_until = 0
        self.refused_until = 0
        self._refused: dict[str, int] = {}

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
