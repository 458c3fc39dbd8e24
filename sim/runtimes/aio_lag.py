"""How late a loop is: a generator that is late itself must not blame the back-end. It only measures."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

_EDGES_MS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 30_000, 60_000)


class Lag:
    """Lateness of deadlines in real ms: how often, the worst, and the worst since it was last asked."""

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._counts = [0] * (len(_EDGES_MS) + 1)
        self.worst_ms = 0.0
        self._recent = 0.0

    def measure(self, late: int) -> None:
        """A deadline was served so many ms of the world's time after it was due."""
        real = late / self._pace
        self._counts[bisect_left(_EDGES_MS, real)] += 1
        if real > self._recent:
            self._recent = real
            if real > self.worst_ms:
                self.worst_ms = real

    def recent(self) -> float:
        """The worst since this was last asked, real ms."""
        worst, self._recent = self._recent, 0.0
        return worst

    @property
    def counts(self) -> Sequence[int]:
        """How many fell into each class: with `worst_ms` all that it knows."""
        return self._counts

    def merge(self, counts: Sequence[int], worst_ms: float) -> None:
        """Add what another one measured."""
        self._counts = [mine + theirs for mine, theirs in zip(self._counts, counts, strict=True)]
        self.worst_ms = max(self.worst_ms, worst_ms)

    def quantile(self, share: float) -> float:
        """An upper bound of that quantile, real ms; 0 if nothing was measured."""
        total = sum(self._counts)
        wanted, seen = share * total, 0
        for count, edge in zip(self._counts, (*_EDGES_MS, self.worst_ms), strict=True):
            seen += count
            if count and seen >= wanted:
                return min(float(edge), self.worst_ms)
        return 0.0
