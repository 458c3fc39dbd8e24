"""The deadlines of a station's parts, in order.

A slot holds one instant; a part sets, moves or clears its own slots and is called when one has come. The answer to the
outstanding call is awaited in a place of its own, since that deadline moves with every message.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable

NEVER = 1 << 62


_BITS = 10
_SLOTS = (1 << _BITS) - 1


class Timers:
    """All deadlines of one station, at most 1,023 slots."""

    __slots__ = ("_calls", "_codes", "_order", "answer", "least", "on_no_answer")

    def __init__(self) -> None:
        self._codes: list[int | None] = []  # by slot: instant and slot in one number, None if it is not set
        self._order: list[int] = [NEVER << _BITS]  # the same numbers, the earliest first
        self.least = NEVER
        """The earliest slot's instant, NEVER for none."""
        self._calls: list[Callable[[], int | None]] = []
        self.answer = NEVER
        """Until when the answer to the outstanding call may take. Before every slot that comes at the same instant."""
        self.on_no_answer: Callable[[], None] = lambda: None

    def slot(self, call: Callable[[], int | None]) -> int:
        """A new slot; `call` runs when its instant has come, and may say when it is to run next."""
        self._calls.append(call)
        self._codes.append(None)
        assert len(self._calls) <= _SLOTS
        return len(self._calls) - 1

    def set(self, slot: int, when: int) -> None:
        """Let this slot come at that instant, NEVER for not at all."""
        order, codes = self._order, self._codes
        old = codes[slot]
        if old is not None:
            order.remove(old)
        if when < NEVER:
            code = codes[slot] = when << _BITS | slot
            insort(order, code)
        else:
            codes[slot] = None
        self.least = order[0] >> _BITS

    def fire(self, now: int) -> None:
        """Run what is due, the earliest first. A slot is cleared before its call, which may set it again for later."""
        while True:
            least = self.least
            if least < self.answer:
                if least > now:
                    return
                order, codes = self._order, self._codes
                slot = order.pop(0) & _SLOTS
                codes[slot] = None
                self.least = order[0] >> _BITS
                again = self._calls[slot]()
                if again is not None:  # as `set`, for a slot that is clear
                    code = codes[slot] = again << _BITS | slot
                    insort(order, code)
                    self.least = order[0] >> _BITS
            elif self.answer > now:
                return
            else:
                self.answer = NEVER
                self.on_no_answer()

    def earliest(self) -> int:
        """The next deadline, NEVER for none."""
        return self.least if self.least < self.answer else self.answer
