"""The port between a station's control unit and the metal around it: meters, cable sensors.

Reads only, and the signing pen. What the station wants to move goes out as Actuate effects instead.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class Hardware(Protocol):
    """What the control unit can ask its hardware at any moment."""

    def register(self, connector: int, now: int) -> int:
        """The meter's register in Wh."""
        ...

    def display(self, connector: int) -> Callable[[int], tuple[int, int]]:
        """The meter's display, to be read at any instant: the register in Wh, and the power that flows then in W."""
        ...

    def plugged(self, connector: int) -> bool:
        """Whether an EV's cable is in."""
        ...

    def public_key(self, connector: int) -> str:
        """The meter's public key, SPKI DER in hex."""
        ...

    def sign(
        self, connector: int, id_tag: str, id_type: str, letter: str, readings: Sequence[tuple[int, str, int]]
    ) -> str:
        """One signed record of these readings (instant, mark, Wh); the meter's page counter goes up by one."""
        ...
