"""What is to leave the house once the running group is committed: replies, commands, settlements, in order.

Nothing else may hand an effect to a runtime, so that no reply can ever overtake the commit it speaks of.
"""

from __future__ import annotations

from sim.backend import Release
from sim.machine import Effect


class Stage:
    """Effects of the running group, and whether a deadline of the house may have moved with it."""

    def __init__(self) -> None:
        self._effects: list[Effect] = []
        self.add = self._effects.append
        self.moved = True
        """Set by everything but readings and heartbeats, which write nothing down and wait for nothing."""

    def taken(self) -> list[Effect]:
        """Everything in order, to be released now. What is not taken is lost, as in a crash."""
        effects = self._effects
        self._effects = []
        self.add = self._effects.append
        return effects

    def release_all(self, release: Release) -> None:
        """Let everything go in order."""
        for effect in self.taken():
            release(effect)
