"""The counter that a control unit sends as its register: what the meter shows, less what it showed when it began anew.

What the meter signs never passes here. It keeps no time and sends nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from fleet.station.hardware import Hardware

Display = Callable[[int], tuple[int, int]]
"""At an instant, the register in Wh and the power that flows in W."""


class Counter:
    """The counters of one station, by connector. Without a reset they show what the meters show."""

    def __init__(self, hardware: Hardware) -> None:
        self._hardware = hardware
        self._began: dict[int, int] = {}
        self.on_reset: Callable[[int], None] = lambda connector: None

    def reset(self, connector: int, now: int) -> None:
        """From now on this counter begins at 0."""
        self._began[connector] = self._hardware.register(connector, now)
        self.on_reset(connector)

    def told(self, connector: int, register: int) -> int:
        """What is sent of what a meter shows, Wh; never below 0."""
        return max(0, register - self._began.get(connector, 0))

    def display(self, connector: int) -> Display:
        """As the meter's display."""
        shown, began = self._hardware.display(connector), self._began

        def display(now: int) -> tuple[int, int]:
            register, power = shown(now)
            return register - began[connector], power

        return display if connector in began else shown
