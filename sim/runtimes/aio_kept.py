"""The newest frames of a serving process, for whoever asks: a bounded memory, never the whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from sim.backend import Row

MOST = 10_000


class KeptFrames:
    """Frames, openings and closings as they were seen, numbered from 1; the oldest make room for the newest."""

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._kept: deque[tuple[int, int, str, int, str, str | bytes]] = deque(maxlen=MOST)
        self._number = 0

    def add(self, at: int, station: str, link: int, what: str, text: str | bytes) -> None:
        """Keep one; `what` is up, down, open or close."""
        self._number += 1
        self._kept.append((self._number, at, station, link, what, text))

    def rows(self, station: str | None, after: int, limit: int) -> Sequence[Row]:
        """The oldest kept ones with a number above `after`: rows as `sim.evidence.wire.WireLine`."""
        rows: list[Row] = []
        for number, at, name, link, what, text in self._kept:
            if number > after and station in (None, name):
                shown = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
                row = {"n": number, "t": at, "d": at, "s": name, "b": self._backend, "l": link, "w": what, "f": shown}
                rows.append(row)
                if len(rows) >= limit:
                    break
        return rows
