"""How a load stood second by second: one JSON line each, for pictures and for whoever waits for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from time import monotonic

import msgspec
from msgspec import Struct

from scenarios.load_run.figures import Figures, since

COURSE_FILE = "course.jsonl"
FIGURES_FILE = "figures.json"


class Point(Struct, frozen=True):
    """One look. Counts are from the start, `p95_ms` and `lag_ms` (the worst) of the time since the look before."""

    at_s: float
    stations: int
    connected: int
    offered: int
    sent: int
    answered: int
    accepted: int
    errors: int
    unanswered: int
    waiting: int
    sessions: int
    p95_ms: float
    lag_ms: float


class Course:
    """Writes them down as they come; without a folder nowhere."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.closed = False
        self._began = monotonic()
        self._before: Mapping[int, int] = {}
        self._file = None if folder is None else (folder / COURSE_FILE).open("ab", buffering=0)

    def add(self, figures: Figures) -> None:
        """One more look."""
        total, times = figures.total(), figures.latencies()
        fresh = since(times.buckets, self._before)
        self._before = dict(times.buckets)
        point = Point(
            at_s=round(monotonic() - self._began, 2),
            stations=figures.stations,
            connected=figures.connected,
            offered=total.sent + figures.waiting,
            sent=total.sent,
            answered=total.answered,
            accepted=total.accepted,
            errors=total.errors,
            unanswered=total.lost,
            waiting=figures.waiting,
            sessions=figures.sessions,
            p95_ms=round(min(fresh.quantile(0.95), times.worst), 2),
            lag_ms=round(figures.lag_recent, 1),
        )
        if self._file is not None:
            self._file.write(msgspec.json.encode(point) + b"\n")

    def close(self) -> None:
        """Nothing more comes."""
        self.closed = True
        if self._file is not None:
            self._file.close()


def points(folder: Path) -> list[Point]:
    """What was written so far; a line that is being written does not count."""
    path = folder / COURSE_FILE
    whole = path.read_bytes().rpartition(b"\n")[0] if path.exists() else b""
    return [msgspec.json.decode(line, type=Point) for line in whole.splitlines()]
