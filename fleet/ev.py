"""An EV at a connector: it wants some energy and draws constant power until it is in.

It keeps no clock. Whoever couples it with a meter tells it what was drawn.
"""

from __future__ import annotations

from fleet.meter import WMS_PER_WH


class Ev:
    """One EV in one visit: `energy_wh` wanted, at most `power_w` drawn."""

    __slots__ = ("_left", "energy_wh", "power_w")

    def __init__(self, energy_wh: int, power_w: int) -> None:
        if energy_wh < 0 or power_w < 0:
            raise ValueError(f"an EV wants neither {energy_wh} Wh nor {power_w} W")
        self.energy_wh = energy_wh
        self.power_w = power_w
        self._left = energy_wh * WMS_PER_WH

    @property
    def left_wms(self) -> int:
        """Watt-milliseconds still wanted."""
        return self._left

    @property
    def hungry(self) -> bool:
        """Whether it would draw if it were offered power."""
        return self._left > 0 and self.power_w > 0

    def draw(self, offered_w: int) -> int:
        """The power it takes of what the station offers, in W."""
        return min(self.power_w, offered_w) if self._left > 0 else 0

    def full_at(self, now: int, power_w: int) -> int:
        """The first millisecond at which it is full if it draws this power from now on."""
        return now - (-self._left // power_w)

    def take(self, wms: int) -> None:
        """This much went in."""
        if not 0 <= wms <= self._left:
            raise ValueError("more energy than the EV wanted")
        self._left -= wms

    @property
    def delivered_wh(self) -> int:
        """Whole Wh that went in so far."""
        return (self.energy_wh * WMS_PER_WH - self._left) // WMS_PER_WH
