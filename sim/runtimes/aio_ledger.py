"""What became of the calls that a fleet sent: answered, refused, unanswered, and how long it took. It judges nothing.

A CALLRESULT is no yes: a StartTransaction may be answered with Invalid. So `accepted` is counted apart from `answered`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from time import perf_counter

from msgspec import Struct

_STEP = math.log(1.05)
_LEAST_MS = 0.05
_ASKS_FOR_STATUS = frozenset({"StartTransaction", "Authorize", "BootNotification", "TransactionEvent", "DataTransfer"})
_REFUSALS = (b'"Invalid"', b'"Blocked"', b'"Expired"', b'"ConcurrentTx"', b'"Rejected"', b'"Pending"')
_TOO_EARLY = b',"SecurityError"'


class Latencies:
    """A histogram of times in ms; quantiles are right to 5 %."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = 0
        self.worst = 0.0

    def add(self, ms: float) -> None:
        """One time."""
        bucket = int(math.log(max(ms, _LEAST_MS) / _LEAST_MS) / _STEP)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        self.count += 1
        if ms > self.worst:
            self.worst = ms

    def quantile(self, share: float) -> float:
        """That quantile in ms, 0 if there is nothing."""
        wanted, seen = share * self.count, 0
        for bucket in sorted(self._counts):
            seen += self._counts[bucket]
            if seen >= wanted:
                return min(self.worst, _LEAST_MS * math.exp((bucket + 1) * _STEP))
        return 0.0

    @property
    def buckets(self) -> Mapping[int, int]:
        """How many times fell into each bucket: with `worst` all that it knows."""
        return self._counts

    def merge(self, buckets: Mapping[int, int], worst: float) -> None:
        """Add those of another histogram."""
        for bucket, count in buckets.items():
            self._counts[bucket] = self._counts.get(bucket, 0) + count
            self.count += count
        self.worst = max(self.worst, worst)


class ActionCount(Struct):
    """Calls of one action. `errors` are CALLERRORs, `lost` had no answer.

    `refused` are CALLRESULTs that say no, and SecurityErrors for what a station sent before it was accepted: a back-end has
    to answer so (OCPP-J 1.6 §4.2.3), and the quirk `eager-status` asks for it.
    """

    sent: int = 0
    answered: int = 0
    accepted: int = 0
    refused: int = 0
    errors: int = 0
    lost: int = 0


Action = tuple[str, ActionCount, Latencies]
"""Its name, its counts and its times."""
Told = Callable[[str, float, int, str], None]
"""Hears of each call: action, real ms, bytes of the answer, and its fate: accepted, refused, error or lost."""


class CallLedger:
    """All calls of a fleet, by action. Whoever is to hear of each of them is `told`."""

    def __init__(self, told: Told | None = None) -> None:
        self.told = told
        self.actions: dict[str, ActionCount] = {}
        self.by_action: dict[str, Latencies] = {}
        self._written: dict[bytes, Action] = {}
        self.registered: dict[str, None] = {}
        """The stations that a back-end has accepted: what one sends before that may be refused, and rightly."""

    @property
    def latencies(self) -> Latencies:
        """The times of all actions together."""
        together = Latencies()
        for one in self.by_action.values():
            together.merge(one.buckets, one.worst)
        return together

    def action(self, written: bytes) -> Action:
        """One action as it stands in a frame."""
        found = self._written.get(written)
        if found is None:
            name = written.decode()
            found = self._written[written] = (name, self.of(name), self.by_action[name])
        return found

    def of(self, action: str) -> ActionCount:
        """The counts of one action."""
        found = self.actions.get(action)
        if found is None:
            found = self.actions[action] = ActionCount()
            self.by_action[action] = Latencies()
        return found

    def total(self) -> ActionCount:
        """The sum over all actions."""
        total = ActionCount()
        for one in self.actions.values():
            for name in ActionCount.__struct_fields__:
                setattr(total, name, getattr(total, name) + getattr(one, name))
        return total


class LinkLedger:
    """Pairs the calls of one connection of a station with their answers."""

    __slots__ = ("_ledger", "_open", "_station")

    def __init__(self, ledger: CallLedger, station: str) -> None:
        self._ledger = ledger
        self._station = station
        self._open: dict[bytes, tuple[Action, float]] = {}

    def up(self, frame: bytes) -> None:
        """A frame that was handed to the socket."""
        if frame.startswith(b'[2,"'):
            _, id, _, written, _ = frame.split(b'"', 4)
            action = self._ledger.action(written)
            action[1].sent += 1
            self._open[id] = (action, perf_counter())

    def down(self, frame: bytes) -> None:
        """A frame from the back-end. An answer to nothing counts nowhere."""
        kind = frame[:4]
        if kind not in (b'[3,"', b'[4,"'):
            return
        parts = frame.split(b'"', 2)
        call = self._open.pop(parts[1], None) if len(parts) == 3 else None
        if call is None:
            return
        (name, counts, times), began = call
        ms = (perf_counter() - began) * 1000
        times.add(ms)
        no = name in _ASKS_FOR_STATUS and any(word in parts[2] for word in _REFUSALS)
        if name == "BootNotification" and kind == b'[3,"':
            registered = self._ledger.registered
            registered.pop(self._station, None) if no else registered.setdefault(self._station)
        if kind == b'[4,"' and parts[2].startswith(_TOO_EARLY) and self._station not in self._ledger.registered:
            fate = "refused"
            counts.answered += 1
            counts.refused += 1
        elif kind == b'[4,"':
            fate = "error"
            counts.errors += 1
        elif no:
            fate = "refused"
            counts.answered += 1
            counts.refused += 1
        else:
            fate = "accepted"
            counts.answered += 1
            counts.accepted += 1
        if self._ledger.told is not None:
            self._ledger.told(name, ms, len(frame), fate)

    def over(self) -> None:
        """The connection is gone: what is open will never be answered on it."""
        for (name, counts, _), began in self._open.values():
            counts.lost += 1
            if self._ledger.told is not None:
                self._ledger.told(name, (perf_counter() - began) * 1000, 0, "lost")
        self._open.clear()
