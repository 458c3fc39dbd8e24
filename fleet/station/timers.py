"""The deadlines of a station's parts, and the earliest of them at the cost of at most one `min` over those that are set.

A slot holds one instant; a part sets, moves or clears its own slots and is called when one has come. The answer to the
outstanding call is awaited in a place of its own, since that deadline moves with every message.
"""

from __future__ import annotations

from collections.abc import Callable

NEVER = 1 << 62


_BITS = 10
_SLOTS = (1 << _BITS) - 1


class Timers:
    """All deadlines of one station, at most 1,023 slots."""

    __slots__ = ("_at", "_calls", "_first", "answer", "known", "least", "on_no_answer")

    def __init__(self) -> None:
        self._at: dict[int, int] = {}  # by slot: instant and slot in one number, so that one `min` finds both
        self._first = 0  # instant and slot of the earliest
        self.least = NEVER
        """The earliest slot's instant, if `known`; else ask `find`."""
        self.known = True
        self._calls: list[Callable[[], None]] = []
        self.answer = NEVER
        """Until when the answer to the outstanding call may take. Before every slot that comes at the same instant."""
        self.on_no_answer: Callable[[], None] = lambda: None

    def slot(self, call: Callable[[], None]) -> int:
        """A new slot; `call` runs when its instant has come."""
        self._calls.append(call)
        assert len(self._calls) <= _SLOTS
        return len(self._calls) - 1

    def set(self, slot: int, when: int) -> None:
        """Let this slot come at that instant, NEVER for not at all."""
        self.known = False
        if when < NEVER:
            self._at[slot] = when << _BITS | slot
        else:
            self._at.pop(slot, None)

    def fire(self, now: int) -> None:
        """Run what is due, the earliest first. A slot is cleared before its call, which may set it again for later."""
        while True:
            least, answer = self.least if self.known else self.find(), self.answer
            if least < answer:
                if least > now:
                    return
                first = self._first & _SLOTS
                del self._at[first]
                self.known = False
                self._calls[first]()
            elif answer > now:
                return
            else:
                self.answer = NEVER
                self.on_no_answer()

    def find(self) -> int:
        """The earliest instant of all slots, NEVER for none."""
        self.known = True
        at = self._at
        if at:
            first = self._first = min(at.values())
            least = self.least = first >> _BITS
            return least
        self.least = NEVER
        return NEVER

    def earliest(self) -> int:
        """The next deadline, NEVER for none."""
        least = self.least if self.known else self.find()
        return least if least < self.answer else self.answer
