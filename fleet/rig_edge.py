"""The side of a rig that has quirks at the wire: what its edge wants is done here, in the order in which it wants it.

It knows no quirk; a rig without an edge never comes here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fleet.edge.edge import Edge
from fleet.quirks import QUIRK_SHOWN
from fleet.station.assemblies import ControlUnit
from sim.clock import Instant
from sim.machine import Close, Closed, Command, Effect, Event, LinkId, Opened, Received, Tick


class AtTheEdge:
    """Mixed into a rig, whose parts it uses."""

    station: ControlUnit | None
    _edge: Edge | None
    _link: LinkId | None
    _links: set[LinkId]
    _now: Instant
    _out: list[Effect]
    _untold: list[str]

    def _tick(self, now: Instant) -> None: ...
    def _command(self, command: Command, now: Instant) -> None: ...
    def _link_event(self, event: Opened | Closed, now: Instant) -> None: ...
    def _to_station(self, command: Command, now: Instant) -> None: ...
    def _perform(self, effects: Sequence[Effect], now: Instant) -> None: ...
    def _note(self, now: Instant, kind: str, connector: int | None = None, **data: Any) -> None: ...

    def _at_the_edge(self, event: Event, edge: Edge, now: Instant) -> None:
        """As `handle`, for a station with quirks at the wire."""
        self._now = now
        if isinstance(event, Received):
            for frame in edge.heard(event.link, event.frame, now):
                self._hear(frame, event.link, now)
        elif type(event) is Tick:
            edge.tick(now)
            self._tick(now)
        elif isinstance(event, Command):
            self._command(event, now)
        elif isinstance(event, Opened | Closed):
            edge.link_event(event, now)
            self._link_event(event, now)
        while edge.inbox and self._link is not None:
            self._hear(edge.inbox.pop(0), self._link, now)
        self._out += [send for send in edge.unsent() if send.link == self._link]
        if edge.hang_up:
            self._hang_up(edge.hang_up, now)
            edge.hang_up = ""
        if edge.stay_away is not None:
            self._to_station(Command("stay-away", {"on": edge.stay_away}), now)
            edge.stay_away = None
        if edge.reboot:
            edge.reboot = False
            self._to_station(Command("reboot"), now)

    def _hear(self, frame: bytes, link: LinkId, now: Instant) -> None:
        if self.station is not None:
            self._perform(self.station.hear(link, frame, now), now)

    def _hang_up(self, reason: str, now: Instant) -> None:
        """The firmware gives its connection up, and its control unit finds it gone."""
        link, self._link = self._link, None
        if link is None or self._edge is None:
            return
        self._links.discard(link)
        self._edge.gone()
        self._out.append(Close(link, reason))
        if self.station is not None:
            self._perform(self.station.handle(Closed(link, reason), now), now)

    def _shows(self, quirk: str) -> None:
        """A quirk acts: told the first time, if it was given to this very station."""
        if quirk in self._untold:
            self._untold.remove(quirk)
            self._note(self._now, QUIRK_SHOWN, name=quirk)
