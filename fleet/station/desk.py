"""What all parts of a station share while it handles one event: the present instant, the effects so far, flash and
notes.

The desk decides nothing. Parts write effects onto it; the assembly hands them out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from fleet.quirks import QUIRK_SHOWN
from fleet.station.clock import StationClock
from fleet.station.config import StationConfig
from fleet.station.counter import Counter
from fleet.station.hardware import Hardware
from fleet.station.keys import Configuration
from fleet.station.timers import Timers
from sim.machine import Actuate, Effect, LinkId, Note, Persist

_to_json = msgspec.json.Encoder(order="sorted").encode


class Desk:
    """The shared state of one station between power-up and power-down."""

    __slots__ = (
        "_untold",
        "accepted",
        "clock",
        "clock_set",
        "config",
        "counter",
        "hardware",
        "keys",
        "last_call_at",
        "link",
        "now",
        "out",
        "profile",
        "station",
        "timers",
    )

    def __init__(
        self,
        config: StationConfig,
        keys: Configuration,
        clock: StationClock,
        hardware: Hardware,
        counter: Counter | None = None,
    ) -> None:
        self.config = config
        self.station = config.station
        self.profile = config.profile
        self.keys = keys
        self.clock = clock
        self.hardware = hardware
        self.counter = counter or Counter(hardware)
        self._untold = list(config.given)
        self.timers = Timers()
        self.out: list[Effect] = []
        self.now = 0
        self.link: LinkId | None = None
        self.accepted = False
        self.last_call_at = 0
        self.clock_set: Callable[[], None] = lambda: None

    @property
    def online(self) -> bool:
        """Whether the back-end can be asked: connected, and it accepted this station."""
        return self.accepted and self.link is not None

    def time(self) -> int:
        """The station's own idea of the present instant."""
        return self.now + self.clock.offset

    def persist(self, key: str, value: Any) -> None:
        """Write one key of the flash; None deletes it."""
        self.out.append(Persist(key, value))

    def actuate(self, connector: int, what: str, value: Any = None) -> None:
        """Move something physical."""
        self.out.append(Actuate(connector, what, value))

    def show(self, connector: int, text: str) -> None:
        """Put a text on the display of a connector."""
        self.out.append(Actuate(connector, "display", {"text": text}))

    def shows(self, quirk: str) -> None:
        """A quirk shows itself: told the first time, if it was given to this very station."""
        if quirk in self._untold:
            self._untold.remove(quirk)
            self.note(QUIRK_SHOWN, name=quirk)

    def note(self, kind: str, connector: int | None = None, **data: Any) -> None:
        """One line for the truth plane: what this station deliberately did."""
        text = _to_json(data).decode()
        row = {"at": self.now, "station": self.station, "connector": connector, "kind": kind, "data": text}
        self.out.append(Note("events", row))
