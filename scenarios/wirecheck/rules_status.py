"""Rules of the status of connectors in OCPP 1.6, as far as the wire proves anything."""

from __future__ import annotations

from scenarios.wirecheck.message import Message, text_of, whole
from scenarios.wirecheck.rule import V16, Rule

_FORBIDDEN: dict[str, tuple[str, ...]] = {
    "Available": ("Finishing",),
    "Preparing": ("Reserved", "Unavailable"),
    "Charging": ("Preparing", "Reserved"),
    "SuspendedEV": ("Preparing", "Reserved"),
    "SuspendedEVSE": ("Preparing", "Reserved"),
    "Finishing": ("Charging", "SuspendedEV", "SuspendedEVSE", "Reserved"),
    "Reserved": ("Charging", "SuspendedEV", "SuspendedEVSE", "Finishing"),
    "Unavailable": ("Finishing", "Reserved"),
    "Faulted": (),
}
"""To which status no transition leads, by the status before (OCPP 1.6 §4.9 with errata)."""
STATION_STATUSES = ("Available", "Unavailable", "Faulted")
_MOST_CONNECTORS = 1_000


class Transition(Rule):
    """The table of transitions."""

    id = "status.transition"
    requires = ("1.6 §4.9",)
    sentence = "A connector changes its status only as the table of OCPP 1.6 allows."
    versions = V16
    actions = ("StatusNotification",)

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._last: dict[int, Message] = {}

    def call(self, one: Message) -> None:
        """The next status."""
        connector = whole(one.payload.get("connectorId"))
        if connector is None or connector < 1 or (connector not in self._last and len(self._last) >= _MOST_CONNECTORS):
            return
        last, self._last[connector] = self._last.get(connector), one
        if last is None:
            return
        before, now = text_of(last.payload.get("status")), text_of(one.payload.get("status"))
        if before == now:
            return
        if now in _FORBIDDEN.get(before, ()) and self.station.config.get("MinimumStatusDuration", "0") != "0":
            self.unsure("MinimumStatusDuration is above 0, so that short states are left out")
            return
        self.saw()
        if now in _FORBIDDEN.get(before, ()):
            self.breach(f"connector {connector} goes from {before} to {now}", last, one)

    def closed(self, link: str, at: int, left: list[Message]) -> None:
        """What happened offline is not told afterwards."""
        self._last.clear()


class Whole(Rule):
    """The station itself."""

    id = "status.connector-zero"
    requires = ("1.6 §4.9",)
    sentence = "Connector 0, the station itself, is Available, Unavailable or Faulted and nothing else."
    versions = V16
    actions = ("StatusNotification",)

    def call(self, one: Message) -> None:
        """A status of connector 0."""
        if one.payload.get("connectorId") == 0 and type(one.payload["connectorId"]) is int:
            self.saw()
            status = text_of(one.payload.get("status"))
            if status and status not in STATION_STATUSES:
                self.breach(f"connector 0 is said to be {status[:40]}", one)


RULES: tuple[type[Rule], ...] = (Transition, Whole)
