"""The RPC rule of OCPP-J: one outstanding CALL per direction and connection, the others wait in line.

Pure: no clock, no I/O, no retries. Whoever owns the connection sends what `next` hands out, reports what came back, and
decides what to do with a call that failed. Source: OCPP-J 1.6 §4.1.1.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

URGENT = 0
"""What must go before everything else: BootNotification."""
NORMAL = 1
"""What may overtake transaction messages: Heartbeat, StatusNotification, Authorize, a back-end's commands."""
TRANSACTION = 2
"""StartTransaction, MeterValues of a transaction, StopTransaction: in order among themselves."""

DEFAULT_TIMEOUT_MS = 30_000
"""How long an answer may take (the start value the specifications suggest)."""


class Pending(Struct):
    """One own call, waiting or outstanding. `tag` is the caller's own, handed back untouched; `deadline` is in ms."""

    id: str
    action: str
    frame: bytes
    priority: int = NORMAL
    tag: Any = None
    deadline: int | None = None


class CallQueue:
    """The own calls of one connection in one direction.

    `offer` puts a call in line, `next` hands out the one to send (None while one is outstanding), `answered` and
    `timed_out` end it, `drop_all` empties the line when the connection is gone.
    """

    __slots__ = (
        "_lines",
        "outstanding",
        "timeout_ms",
        "waiting",
    )

    def __init__(self, timeout_ms: int = DEFAULT_TIMEOUT_MS) -> None:
        self.timeout_ms = timeout_ms
        self.outstanding: Pending | None = None
        self.waiting = 0
        """Calls in line, the outstanding one not counted."""
        self._lines: tuple[list[Pending], ...] = ([], [], [])  # always short, and there are thousands of them

    @property
    def deadline(self) -> int | None:
        """When the outstanding call has waited long enough, None if there is none."""
        return None if self.outstanding is None else self.outstanding.deadline

    def offer(self, call: Pending, first: bool = False) -> None:
        """Put a call in line; `first` puts it before those of its own priority (a repeated transaction message)."""
        self.waiting += 1
        line = self._lines[call.priority]
        if first:
            line.insert(0, call)
        else:
            line.append(call)

    def next(self, now: int) -> Pending | None:
        """The call to send now, its deadline set; None while one is outstanding or nothing waits."""
        if self.outstanding is not None or not self.waiting:
            return None
        self.waiting -= 1
        for line in self._lines:
            if line:
                call = line.pop(0)
                call.deadline = now + self.timeout_ms
                self.outstanding = call
                return call
        raise AssertionError("a call that waits stands in a line")

    def answered(self, id: str) -> Pending | None:
        """An answer with this id came: the call it belongs to, or None (unknown or late: ignore and log)."""
        call = self.outstanding
        if call is None or call.id != id:
            return None
        self.outstanding = None
        return call

    def timed_out(self, now: int) -> Pending | None:
        """The outstanding call if its deadline has come, now given up; None otherwise."""
        call = self.outstanding
        if call is None or call.deadline is None or now < call.deadline:
            return None
        self.outstanding = None
        return call

    def drop_all(self) -> list[Pending]:
        """Empty the queue: the outstanding call first, then the others in the order they would have been sent."""
        dropped = [] if self.outstanding is None else [self.outstanding]
        self.outstanding = None
        self.waiting = 0
        for line in self._lines:
            dropped.extend(line)
            line.clear()
        return dropped
