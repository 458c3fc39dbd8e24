"""What a generating process did, in a form that can be sent and added up: counts, times, lag, and the sessions driven.

Cumulative: the newest figures of a process replace its older ones, so that a report that gets lost does no harm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from msgspec import Struct

from sim.backend import Row
from sim.runtimes.aio_lag import Lag
from sim.runtimes.aio_ledger import ActionCount, Latencies


class OperationCount(Struct):
    """Calls of stations through the API: asked, answered, and of those accepted. `refused` ones did not happen, `unknown`
    ones may have.
    """

    asked: int = 0
    answered: int = 0
    accepted: int = 0
    refused: int = 0
    unknown: int = 0


class ActionTimes(Struct):
    """A histogram of answer times; `worst` in real ms."""

    buckets: dict[int, int] = {}
    worst: float = 0.0

    def latencies(self) -> Latencies:
        """It as something that knows quantiles."""
        found = Latencies()
        found.merge(self.buckets, self.worst)
        return found


class Figures(Struct, kw_only=True):
    """All of one process, or of several. `lag` and `lag_worst` as `sim.runtimes.aio_lag.Lag` has them.

    `driven` (station, connector, registers in Wh) and `unsettled` are told at the end only, when `over` is true.
    """

    stations: int = 0
    connected: int = 0
    dials: int = 0
    opened: int = 0
    waiting: int = 0
    sessions: int = 0
    energy_wh: int = 0
    actions: dict[str, ActionCount] = {}
    times: dict[str, ActionTimes] = {}
    lag: list[int] = []
    lag_worst: float = 0.0
    lag_recent: float = 0.0
    operations: dict[str, OperationCount] = {}
    failure: str = ""
    over: bool = False
    began: int = 0
    processes: int = 1
    driven: list[Row] = []
    unsettled: list[str] = []

    def total(self) -> ActionCount:
        """The sum over all actions."""
        total = ActionCount()
        for one in self.actions.values():
            _add(total, one)
        return total

    def latencies(self, action: str | None = None) -> Latencies:
        """The answer times of one action, or of all."""
        found = Latencies()
        for name, times in self.times.items():
            if action in (None, name):
                found.merge(times.buckets, times.worst)
        return found

    def lags(self) -> Lag:
        """How late the processes were."""
        found = Lag(1.0)
        if self.lag:
            found.merge(self.lag, self.lag_worst)
        return found


_COUNTS = ("stations", "connected", "dials", "opened", "waiting", "sessions", "energy_wh", "processes")


def merged(all_of_them: Iterable[Figures]) -> Figures:
    """The figures of several processes as one. It is over when all of them are."""
    whole, seen = Figures(processes=0, over=True), False
    for one in all_of_them:
        seen = True
        for name in _COUNTS:
            setattr(whole, name, getattr(whole, name) + getattr(one, name))
        for action, counts in one.actions.items():
            _add(whole.actions.setdefault(action, ActionCount()), counts)
        for action, times in one.times.items():
            mine = whole.times.setdefault(action, ActionTimes())
            sums = times.latencies()
            sums.merge(mine.buckets, mine.worst)
            whole.times[action] = ActionTimes(dict(sums.buckets), sums.worst)
        for name, operations in one.operations.items():
            _add(whole.operations.setdefault(name, OperationCount()), operations)
        whole.lag = (
            [a + b for a, b in zip(whole.lag, one.lag, strict=True)] if whole.lag and one.lag else whole.lag or one.lag
        )
        whole.lag_worst = max(whole.lag_worst, one.lag_worst)
        whole.lag_recent = max(whole.lag_recent, one.lag_recent)
        whole.failure = whole.failure or one.failure
        whole.over = whole.over and one.over
        whole.began = min(whole.began or one.began, one.began)
        whole.driven = [*whole.driven, *one.driven]
        whole.unsettled = [*whole.unsettled, *one.unsettled]
    whole.over = whole.over and seen
    return whole


def since(now: Mapping[int, int], before: Mapping[int, int]) -> Latencies:
    """The answer times that came between two looks at a histogram. The worst is that of its last bucket."""
    found = Latencies()
    fresh = {bucket: count - before.get(bucket, 0) for bucket, count in now.items() if count > before.get(bucket, 0)}
    found.merge(fresh, float("inf") if fresh else 0.0)
    return found


def packed(figures: Figures) -> str:
    """As text, for a message."""
    return msgspec.json.encode(figures).decode()


def unpacked(text: str | bytes) -> Figures:
    """What `packed` gave."""
    return msgspec.json.decode(text, type=Figures)


def _add(to: Struct, more: Struct) -> None:
    for name in to.__struct_fields__:
        setattr(to, name, getattr(to, name) + getattr(more, name))
