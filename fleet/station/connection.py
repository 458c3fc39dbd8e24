"""Dialling the back-end and keeping at it: one connection, back-off with jitter, and which address comes next.

It never judges whether the back-end accepts the station. Sources: OCPP-J 1.6 §3 (identity in the URL), §5.3; the
back-off is that of OCPP 2.0.1 Part 4 §5.3, the addresses of a 1.6 back-port of network profiles follow OCPP 2.0.1 B10.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from urllib.parse import quote

from fleet.station.desk import Desk
from fleet.station.timers import NEVER
from sim.clock import SECOND
from sim.machine import Close, LinkId, Open


class Connection:
    """The one connection of a station, dialled again for ever."""

    def __init__(
        self,
        desk: Desk,
        rng: Random,
        addresses: list[str],
        last_good: str,
        subprotocol: str,
        attempts: Callable[[], int] | None = None,
    ) -> None:
        """`attempts` counts the dials of an address before the next one's turn; without it the profile's number holds."""
        self._desk = desk
        self._subprotocol = subprotocol
        self._attempts = attempts or (lambda: desk.profile.migration.attempts)
        self._rng = rng
        self._slot = desk.timers.slot(self.dial)
        self._addresses = addresses
        self._last_good = last_good
        self._place = 0
        self._tries = 0
        self._failures = 0
        self._dialling = ""
        self._left: LinkId | None = None
        self._worked = False
        self.shy = False  # a fault that was asked for: what is lost is not dialled again (MF-21)
        self.url = ""
        self.on_up: Callable[[], None] = lambda: None
        self.on_down: Callable[[], None] = lambda: None

    def dial(self) -> None:
        """Dial the present address now."""
        self._desk.timers.set(self._slot, NEVER)
        if self.shy:
            return
        self._dialling = self._addresses[self._place]
        identity = quote(self._desk.station, safe="")
        self._desk.out.append(Open(f"{self._dialling.rstrip('/')}/{identity}", (self._subprotocol,)))

    def stay_away(self, on: bool) -> None:
        """From now on what is lost stays lost; or not any more."""
        self.shy = on
        if not on and self._desk.link is None and not self._dialling:
            self.dial()

    def opened(self, link: LinkId, subprotocol: str | None) -> None:
        """The dial succeeded. Without the subprotocol it counts as a failure (OCPP-J 1.6 §3.2)."""
        if not self._dialling:
            self._desk.out.append(Close(link, "unexpected"))
            return
        if self._dialling not in self._addresses:
            self._left = link
            self._desk.out.append(Close(link, "repointed"))
            self.dial()
            return
        if subprotocol != self._subprotocol:
            self._left = link
            self._desk.out.append(Close(link, "no common subprotocol"))
            self._failed()
            return
        self.url, self._dialling = self._dialling, ""
        self._desk.link = link
        self._worked = False
        self.on_up()

    def closed(self, link: LinkId, reason: str) -> None:
        """A connection or a dial is over. A late word about one already left behind is ignored."""
        if link == self._desk.link:
            self._desk.link = None
            self._desk.note("offline", reason=reason)
            self.on_down()
            self._lost()
        elif self._dialling and link != self._left:
            self._failed()

    def drop(self, reason: str) -> None:
        """Hang up, and dial again after the back-off."""
        if self.hang_up(reason):
            self._lost()

    def hang_up(self, reason: str) -> bool:
        """Close the connection without dialling again; False if there was none."""
        link = self._desk.link
        if link is None:
            return False
        self._left = link
        self._desk.link = None
        self._desk.out.append(Close(link, reason))
        self._desk.note("offline", reason=reason)
        self.on_down()
        return True

    def works(self) -> None:
        """The back-end accepted this station: the back-off starts afresh, and this address is the good one."""
        self._failures = self._tries = 0
        self._worked = True
        self._last_good = self.url

    def repoint(self, addresses: list[str]) -> None:
        """Leave the present back-end for these addresses, at once."""
        self._addresses = addresses
        self._place = self._tries = self._failures = 0
        self.hang_up("repointed")
        if not self._dialling:
            self.dial()

    def _lost(self) -> None:
        """A connection ended. One on which nothing was achieved makes the next wait longer."""
        if not self._worked:
            self._failures += 1
        self._wait()

    def _failed(self) -> None:
        stale = self._dialling not in self._addresses
        self._dialling = ""
        if stale:
            self.dial()
            return
        self._failures += 1
        self._tries += 1
        if self._tries >= self._attempts():
            self._next_address()
        self._wait()

    def _next_address(self) -> None:
        """OCPP 2.0.1 B10.FR.03 and .07: after some tries the next profile, and after all of them the last good one."""
        self._tries = 0
        if self._desk.profile.migration.route != "network_profile":
            return
        self._place += 1
        if self._place >= len(self._addresses):
            self._place = 0
            if self._last_good not in self._addresses:
                self._addresses = [*self._addresses, self._last_good]
                self._place = len(self._addresses) - 1

    def _wait(self) -> None:
        plan = self._desk.profile.reconnect
        wait = plan.wait_min_s * SECOND << min(self._failures, plan.repeats)
        jitter = int(self._rng.random() * plan.random_s * SECOND)
        self._desk.timers.set(self._slot, self._desk.now + wait + jitter)
