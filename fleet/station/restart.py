"""Restarting on purpose: running transactions are ended first, their StopTransactions are given a moment, then it is
dark.

What was not confirmed by then waits in flash and is sent after the boot. Sources: OCPP 1.6 §5.14 (Reset), errata §3.36.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fleet.station.bay import Bay
from fleet.station.calls import Calls
from fleet.station.charging import Charging
from fleet.station.connection import Connection
from fleet.station.desk import Desk
from fleet.station.outbox import Outbox
from fleet.station.timers import NEVER
from sim.clock import SECOND

REASONS = {"Soft": "SoftReset", "Hard": "HardReset", "OnIdle": "SoftReset", "Immediate": "HardReset", "Own": "Reboot"}
"""What ends a transaction by each kind of restart: those of 1.6, those of 2.0.1, and the station's own."""
_HARD_DELAY = SECOND


class Restart:
    """A restart that was decided and has not happened yet."""

    __slots__ = (
        "_bays",
        "_calls",
        "_charging",
        "_connection",
        "_desk",
        "_outbox",
        "_polite",
        "_slot",
        "decided",
        "on_decided",
        "waits_for",
    )

    def __init__(
        self,
        desk: Desk,
        bays: Sequence[Bay],
        charging: Charging,
        outbox: Outbox,
        calls: Calls,
        connection: Connection,
    ) -> None:
        self._desk = desk
        self._bays = bays
        self._charging = charging
        self._outbox = outbox
        self._calls = calls
        self._connection = connection
        self._slot = desk.timers.slot(self._go)
        self._polite = False
        self.decided = False
        self.waits_for = ""
        """The kind of restart that waits until nobody charges, empty if none does."""
        self.on_decided: Callable[[], None] = lambda: None

    def begin(self, kind: str) -> None:
        """End what runs, then restart: at once (`Hard`), or when the back-end has everything, or patience is used
        up.
        """
        desk = self._desk
        desk.note("reset", type=kind)
        self.decided, self._polite = True, kind != "Hard"
        self.on_decided()
        for bay in self._bays:
            if bay.transaction is not None:
                self._charging.end(bay, REASONS[kind])
        patience = desk.profile.boot.reset_patience_s * SECOND if self._polite else _HARD_DELAY
        desk.timers.set(self._slot, desk.now + patience)

    def when_idle(self, kind: str) -> None:
        """Restart as soon as nobody is about to charge or charging (OCPP 2.0.1 B12)."""
        self.waits_for = kind
        self.settle()

    def settle(self) -> None:
        """Begin the restart that waits, if nobody uses the station any more."""
        if self.waits_for and not any(bay.in_use for bay in self._bays):
            kind, self.waits_for = self.waits_for, ""
            self.begin(kind)

    def consider(self) -> None:
        """Nothing left to say? Then there is nothing to wait for."""
        if self._polite and self._calls.idle and not len(self._outbox):
            self._go()

    def _go(self) -> None:
        desk = self._desk
        self._polite = False
        desk.timers.set(self._slot, NEVER)
        self._outbox.save_all()
        self._connection.hang_up("restart")
        desk.actuate(0, "restart", desk.profile.boot.reboot_s * SECOND)
