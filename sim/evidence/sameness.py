"""When two answers are the same: ids and times normalised, everything else by value.

Ids that a back-end mints are paired, the recorded one with the new one: the same pair again is the same, another partner
is a difference. Times are the same if they mean the same instant or lie equally far from their answers. Nothing here may
decide which of two answers is right.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from sim.clock import iso, parse_iso
from sim.wire.schema import is_date_time
from sim.wire.splice import splice

ID_FIELDS = frozenset({"transactionId", "reservationId", "requestId", "remoteStartId", "chargingProfileId"})
"""Fields that hold an id which a back-end mints (OCPP 1.6 §6; 2.0.1 part 2)."""
ABSENT = "(absent)"
NO_TRANSACTION = "-1"
"""What a station writes if it never heard the id of its transaction (OCPP 1.6 §4.8)."""
_CLOCK_FIELDS = frozenset({"currentTime"})
_NEAR_MS = 60_000
"""Two times that were reckoned from the moment of their answer may differ by this."""
_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)


class Difference(Struct, frozen=True):
    """One place of an answer: JSON path, what was recorded and what came now."""

    path: str
    recorded: Any
    new: Any


class Ids:
    """The ids of one station: recorded and new ones in pairs."""

    def __init__(self) -> None:
        self._new: dict[tuple[str, str], str] = {}
        self._old: dict[tuple[str, str], str] = {}

    def pair(self, field: str, recorded: Any, new: Any) -> bool:
        """Whether these two can be the same id; from now on they are. What is no id (0, -1) pairs with anything."""
        old, now = str(recorded), str(new)
        if _no_id(old) or _no_id(now):
            self._new[field, old] = now
            return _no_id(old)
        known, back = self._new.get((field, old)), self._old.get((field, now))
        if (known in (None, now) or _no_id(str(known))) and back in (None, old):
            self._new[field, old], self._old[field, now] = now, old
            return True
        return False

    def forget(self, field: str, recorded: Any) -> None:
        """The station never hears the new id of this one."""
        self._new.setdefault((field, str(recorded)), NO_TRANSACTION)

    def new(self, payload: str) -> str:
        """A recorded payload with the new ids."""
        return self._swap(payload, self._new)

    def recorded(self, payload: str) -> str:
        """A new payload with the recorded ids."""
        return self._swap(payload, self._old)

    @staticmethod
    def _swap(payload: str, known: dict[tuple[str, str], str]) -> str:
        return splice(payload, lambda key, value, is_text: known.get((key, value)) if key in ID_FIELDS else None)


def differences(recorded: Any, new: Any, ids: Ids, at: tuple[int, int], path: str = "$") -> Iterator[Difference]:
    """Where two answers differ. `at`: the instants (ms) of the recorded and of the new one. Pairs ids on the way."""
    key = path.rpartition(".")[2]
    if isinstance(recorded, dict) and isinstance(new, dict):
        for name in dict.fromkeys([*recorded, *new]):
            inner = f"{path}.{name}" if _PLAIN.fullmatch(name) else f"{path}[{name!r}]"
            yield from differences(recorded.get(name, ABSENT), new.get(name, ABSENT), ids, at, inner)
    elif isinstance(recorded, list) and isinstance(new, list):
        for number in range(max(len(recorded), len(new))):
            old, now = (one[number] if number < len(one) else ABSENT for one in (recorded, new))
            yield from differences(old, now, ids, at, f"{path}[{number}]")
    elif not _same(key, recorded, new, ids, at):
        yield Difference(path, recorded, new)


def _same(key: str, recorded: Any, new: Any, ids: Ids, at: tuple[int, int]) -> bool:
    if isinstance(recorded, str) and isinstance(new, str) and is_date_time(recorded) and is_date_time(new):
        if key in _CLOCK_FIELDS:
            return True
        then, now = parse_iso(recorded), parse_iso(new)
        return then == now or abs((then - at[0]) - (now - at[1])) <= _NEAR_MS
    if (
        key in ID_FIELDS
        and isinstance(recorded, int | str)
        and type(recorded) is type(new)
        and ABSENT not in (recorded, new)
    ):
        return ids.pair(key, recorded, new)
    if isinstance(recorded, bool) or isinstance(new, bool):
        return recorded is new
    return bool(recorded == new)


def _no_id(text: str) -> bool:
    return text.lstrip("-").isdigit() and int(text) <= 0


class Ignore:
    """Paths whose differences are expected: `$.interval`, `StartTransaction:$.idTagInfo.*`; `*` stands for anything."""

    def __init__(self, patterns: Sequence[str]) -> None:
        self._patterns = [(one, re.compile(re.escape(one).replace(r"\*", ".*"))) for one in patterns]
        self.hits = dict.fromkeys(patterns, 0)

    def ignores(self, action: str, path: str) -> bool:
        """Whether a difference at this path of an answer to this action is expected."""
        for name, pattern in self._patterns:
            if pattern.fullmatch(path) or pattern.fullmatch(f"{action}:{path}"):
                self.hits[name] += 1
                return True
        return False


def shifted(payload: str, by: int) -> str:
    """A payload with all its date-times `by` ms later, written with milliseconds in UTC. Signed data stays as it is."""

    def change(key: str, value: str, is_text: bool) -> str | None:
        return iso(parse_iso(value) + by) if is_text and is_date_time(value) else None

    return splice(payload, change) if by else payload
