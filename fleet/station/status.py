"""Connector status: the transition matrix of OCPP 1.6 §4.9, and what each connector is and was reported to be.

The parts say what a connector should be; this module takes it there over allowed steps only and reports every step
while online. A step that the matrix forbids is our own mistake and raises.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct

from fleet.station.bay import Bay
from fleet.station.calls import Calls
from fleet.station.desk import Desk
from fleet.station.timers import NEVER
from sim.wire.calls import Pending

AVAILABLE, PREPARING, CHARGING = "Available", "Preparing", "Charging"
SUSPENDED_EV, SUSPENDED_EVSE, FINISHING = "SuspendedEV", "SuspendedEVSE", "Finishing"
RESERVED, UNAVAILABLE, FAULTED = "Reserved", "Unavailable", "Faulted"
STATUSES = (
    AVAILABLE, PREPARING, CHARGING, SUSPENDED_EV, SUSPENDED_EVSE, FINISHING, RESERVED, UNAVAILABLE, FAULTED,
)  # fmt: skip

_MATRIX = {
    # columns in the order of STATUSES; x allowed, . the same, - forbidden
    AVAILABLE: ".xxxx-xxx",
    PREPARING: "x.xxxx--x",
    CHARGING: "x-.xxx-xx",
    SUSPENDED_EV: "x-x.xx-xx",
    SUSPENDED_EVSE: "x-xx.x-xx",
    FINISHING: "xx---.-xx",
    RESERVED: "xx----.xx",
    UNAVAILABLE: "xxxxx--.x",
    FAULTED: "xxxxxxxx.",
}
ALLOWED = frozenset(
    (before, after) for before, row in _MATRIX.items() for after, mark in zip(STATUSES, row, strict=True) if mark == "x"
)
"""Every change of status that may be notified (before, after)."""

_DISPLAY = {
    CHARGING: {"text": "charging"},
    SUSPENDED_EV: {"text": "suspended", "by": "ev"},
    SUSPENDED_EVSE: {"text": "suspended", "by": "evse"},
}


Report = Callable[[int, str, str], "Struct | None"]
"""(connector, word, info) -> the StatusNotification; None where a version reports nothing: connector 0 in 2.0.1."""


def as_it_is(status: str) -> str:
    """The word for a status in 1.6, which names all of them."""
    return status


class StatusTable:
    """What every connector is. Connector 0 is the station as a whole: Available or Unavailable.

    `word` is what a back-end is told of a status: a version may have one word for several of them.
    """

    def __init__(
        self, desk: Desk, calls: Calls, bays: Sequence[Bay], report: Report, word: Callable[[str], str] = as_it_is
    ) -> None:
        self._desk = desk
        self._message = report
        self._word = word
        self._calls = calls
        self._bays = {bay.number: bay for bay in bays}
        self._status = {0: AVAILABLE, **{bay.number: AVAILABLE for bay in bays}}
        self._info: dict[int, str] = {}
        self._reported: dict[int, str] = {}
        self._slots = {number: desk.timers.slot(partial(self.settled, number)) for number in self._status}

    def of(self, connector: int) -> str:
        """The present status of a connector."""
        return self._status[connector]

    def begin(self, connector: int, status: str) -> None:
        """The status in which a connector wakes up: nothing was reported yet, so any will do."""
        self._status[connector] = status

    def refresh(self, bay: Bay, info: str = "") -> None:
        """Take a connector to the status that its bay shows, over allowed steps."""
        before, after = self._status[bay.number], bay.status()
        if before == after:
            return
        if (before, after) not in ALLOWED:
            self._step(bay.number, FINISHING if bay.plugged and before != UNAVAILABLE else AVAILABLE, "")
        self._step(bay.number, after, info)

    def main(self, status: str) -> None:
        """The status of connector 0."""
        if self._status[0] != status:
            self._step(0, status, "")

    def _step(self, connector: int, status: str, info: str) -> None:
        before = self._status[connector]
        if (before, status) not in ALLOWED:
            raise AssertionError(f"connector {connector} of {self._desk.station} may not go from {before} to {status}")
        self._status[connector] = status
        self._info[connector] = info
        if status in _DISPLAY:
            self._desk.actuate(connector, "display", _DISPLAY[status])
        pause = self._desk.keys.seconds("MinimumStatusDuration")
        if pause:
            self._desk.timers.set(self._slots[connector], self._desk.now + pause)
        elif self._word(before) != self._word(status):
            self._report(connector)

    def settled(self, connector: int) -> None:
        """A status has lasted for MinimumStatusDuration."""
        if self._reported.get(connector) != self._word(self._status[connector]):
            self._report(connector)

    # -- reporting ----------------------------------------------------------------------------------------------------

    def forget_reports(self) -> None:
        """BootNotification was accepted: connector 0 and every connector are due again (errata §3.22)."""
        self._reported.clear()

    def report_changed(self) -> None:
        """Online again: what differs from the last report, in its present state only (OCPP 1.6 §4.9)."""
        for connector, status in self._status.items():
            if self._reported.get(connector) != self._word(status):
                self._desk.timers.set(self._slots[connector], NEVER)
                self._report(connector)

    def _report(self, connector: int) -> None:
        if self._desk.online:
            self.send(connector)

    def send(self, connector: int) -> None:
        """Report one connector now, whatever was reported before."""
        word = self._word(self._status[connector])
        message = self._message(connector, word, self._info.get(connector, ""))
        if message is not None:
            self._calls.ask("StatusNotification", message, _Report(self._reported, connector, word))


class _Report:
    """One StatusNotification under way. Only a confirmed one counts as reported."""

    __slots__ = ("_connector", "_reported", "_status")

    def __init__(self, reported: dict[int, str], connector: int, status: str) -> None:
        self._reported = reported
        self._connector = connector
        self._status = status

    def answered(self, call: Pending, payload: bytes) -> None:
        """The back-end knows."""
        self._reported[self._connector] = self._status

    def failed(self, call: Pending, why: str) -> None:
        """The back-end may not know: it is told again after the next reconnect."""
        self._reported.pop(self._connector, None)
