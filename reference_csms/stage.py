"""What is to leave the house once the running group is committed: replies, commands, settlements, in order.

Nothing else may hand an effect to a runtime, so that no reply can ever overtake the commit it speaks of.
"""

from __future__ import annotations

from sim.backend import Release
from sim.machine import Effect


class Stage:
    """Effects of the running group, and whether a deadline of the house may have moved with it."""

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        """Everything in order."""
        self.add = self.effects.append
        self.moved = True
        """Set by everything but readings and heartbeats, which write nothing down and wait for nothing."""

    def release_all(self, release: Release) -> None:
        """Let everything go in order. What is not let go is lost, as in a crash."""
        effects = self.effects[:]
        self.effects.clear()
        for effect in effects:
            release(effect)
