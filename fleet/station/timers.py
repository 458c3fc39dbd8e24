"""The deadlines of a station's parts, and the earliest of them at the cost of at most one `min`.

A slot holds one instant; a part sets, moves or clears its own slots and is called when one has come.
"""

from __future__ import annotations

from collections.abc import Callable

NEVER = 1 << 62


class Timers:
    """All deadlines of one station. `at` is one list for ever; its least entry is the next deadline."""

    __slots__ = ("_calls", "at", "known", "least")

    def __init__(self) -> None:
        self.at: list[int] = []
        self.least = NEVER
        self.known = False
        """Whether `least` is the least of `at`: to be unset before anything is written into `at` outside of `fire`."""
        self._calls: list[Callable[[], None]] = []

    def slot(self, call: Callable[[], None]) -> int:
        """A new slot; `call` runs when its instant has come. Write the instant into `at[slot]`."""
        self.at.append(NEVER)
        self._calls.append(call)
        return len(self.at) - 1

    def fire(self, now: int) -> None:
        """Run what is due, the earliest first. A slot is cleared before its call, which may set it again for later."""
        at = self.at
        when = self.least if self.known else min(at)
        while when <= now:
            slot = at.index(when)
            at[slot] = NEVER
            self._calls[slot]()
            when = min(at)
        self.least, self.known = when, True

    def earliest(self) -> int:
        """The next deadline, NEVER for none."""
        if not self.known:
            self.least, self.known = min(self.at), True
        return self.least
