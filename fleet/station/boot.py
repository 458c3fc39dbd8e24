"""Registration at the back-end: BootNotification until it is accepted, then liveness by Heartbeat.

Nothing else may leave the station before Accepted, except what a trigger asks for while Pending.
Sources: OCPP 1.6 §4.2 (Boot, intervals, Pending, Rejected), §4.6 (Heartbeat), OCPP-J 1.6 §5.4 (no boot on reconnect).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from fleet.quirks import BOOTS_ON_RECONNECT, EAGER_STATUS, SLOW_REGISTRATION
from fleet.station.calls import LOST, TIMEOUT, Calls, Careless
from fleet.station.connection import Connection
from fleet.station.desk import Desk
from fleet.station.timers import NEVER
from sim.clock import DAY, MINUTE, SECOND
from sim.wire.calls import NORMAL, URGENT, Pending
from sim.wire.templates import heartbeat

UNKNOWN, PENDING, REJECTED, ACCEPTED = "Unknown", "Pending", "Rejected", "Accepted"
_MAX_DOUBLINGS = 4
_SLOW = 15 * MINUTE
"""How long after the connection a slow station registers."""


class Boot:
    """Where this station stands with its back-end. A new address means a new registration."""

    def __init__(
        self,
        desk: Desk,
        calls: Calls,
        connection: Connection,
        accepted_url: str,
        hello: Callable[[], Struct],
        eager: Callable[[], Struct] | None = None,
    ) -> None:
        """`hello` gives the BootNotification, `eager` the StatusNotification of the quirk that sends one before it."""
        self._desk = desk
        self._hello = hello
        self._too_early = eager
        self._calls = calls
        self._connection = connection
        self._slot = desk.timers.slot(self._retry)
        self._failures = 0
        self._eager = desk.profile.has(EAGER_STATUS)
        self._accepted_url = accepted_url
        self.state = UNKNOWN
        self.on_online: Callable[[], None] = lambda: None
        self.on_accepted: Callable[[], None] = lambda: None

    @property
    def may_charge(self) -> bool:
        """Whether people may charge: accepted, or known to a back-end that does not answer now."""
        return self.state == ACCEPTED or (self.state == UNKNOWN and bool(self._accepted_url))

    def up(self) -> None:
        """The connection is there. After a plain reconnect the registration still holds."""
        known = self.state == ACCEPTED and self._connection.url == self._accepted_url
        again = known and self._desk.profile.has(BOOTS_ON_RECONNECT)
        if again:
            self._desk.shows(BOOTS_ON_RECONNECT)
        if known and not again:
            self._connection.works()
            self.on_online()
        else:
            self.state = UNKNOWN
            self._register()

    def _register(self) -> None:
        """At once, or when a slow station comes to it."""
        if self._desk.profile.has(SLOW_REGISTRATION):
            self._desk.shows(SLOW_REGISTRATION)
            self._desk.accepted = False
            self._desk.timers.set(self._slot, self._desk.now + _SLOW)
        else:
            self.send()

    def down(self) -> None:
        """The connection is gone; a registration that was granted outlives it."""
        self._desk.timers.set(self._slot, NEVER)
        if self.state != ACCEPTED:
            self.state = UNKNOWN
            self._desk.accepted = False

    def send(self) -> None:
        """Send BootNotification now."""
        self._desk.timers.set(self._slot, NEVER)
        self._desk.accepted = False
        if self._eager and self._too_early is not None:
            self._eager = False
            self._desk.shows(EAGER_STATUS)
            self._calls.ask("StatusNotification", self._too_early(), Careless())
        self._calls.ask("BootNotification", self._hello(), self, URGENT)

    def forgotten(self) -> None:
        """The back-end refuses an accepted station as unknown to it: register again."""
        self.state = UNKNOWN
        self.send()

    def answered(self, call: Pending, payload: bytes) -> None:
        """Accepted, Pending or Rejected, with the interval (OCPP 1.6 §4.2)."""
        desk = self._desk
        answer = self._calls.dialect.decode_response("BootNotification", payload)
        self._failures = 0
        self.state = answer.status
        set_clock(desk, answer.current_time, self._calls.asked_at(call))
        desk.note("boot", status=answer.status, interval=answer.interval, url=self._connection.url)
        if self.state != ACCEPTED:
            interval = answer.interval if answer.interval > 0 else desk.profile.boot.retry_s
            desk.timers.set(self._slot, desk.now + interval * SECOND)
            return
        desk.accepted = True
        self._connection.works()
        self._accepted_url = self._connection.url
        desk.persist("accepted-url", self._accepted_url)
        name, _ = desk.keys.change("HeartbeatInterval", str(answer.interval)) if answer.interval > 0 else ("", "")
        if name:
            desk.persist(f"config/{name}", desk.keys.text(name))
        self.on_accepted()
        self.on_online()

    def failed(self, call: Pending, why: str) -> None:
        """No answer: the next try comes with the next connection, or after a growing wait on this one."""
        if why == LOST or (why == TIMEOUT and self._desk.profile.calls.on_timeout == "reconnect"):
            return
        wait = self._desk.profile.boot.retry_s * SECOND << min(self._failures, _MAX_DOUBLINGS)
        self._failures += 1
        self._desk.timers.set(self._slot, self._desk.now + wait)

    def _retry(self) -> None:
        if self._desk.link is not None and not self._desk.accepted:
            self.send()


class Liveness:
    """Heartbeats after silence, and at least once a day for the clock."""

    __slots__ = (
        "_calls",
        "_desk",
        "_slot",
    )

    def __init__(self, desk: Desk, calls: Calls) -> None:
        self._desk = desk
        self._calls = calls
        self._slot = desk.timers.slot(self._due)

    def arm(self) -> None:
        """The station is online, or the interval changed."""
        desk = self._desk
        interval = desk.keys.seconds("HeartbeatInterval")
        desk.timers.set(self._slot, max(desk.now, desk.last_call_at + interval) if interval and desk.online else NEVER)

    def _due(self) -> None:
        desk = self._desk
        if not desk.accepted or desk.link is None:
            return
        silent_until = desk.last_call_at + desk.keys["HeartbeatInterval"] * SECOND
        synced_at = desk.clock.synced_at
        if silent_until > desk.now and synced_at is not None and synced_at + DAY > desk.now:
            desk.timers.set(self._slot, silent_until)
        else:
            self.send()

    def send(self) -> None:
        """Send a Heartbeat now."""
        desk = self._desk
        interval = desk.keys["HeartbeatInterval"] * SECOND
        desk.timers.set(self._slot, desk.now + interval if interval else NEVER)
        id = next(self._calls.ids)
        self._calls.put(Pending(id, "Heartbeat", heartbeat(id), NORMAL, self))

    def answered(self, call: Pending, payload: bytes) -> None:
        """The back-end's time came."""
        told = self._calls.dialect.decode_response("Heartbeat", payload).current_time
        set_clock(self._desk, told, self._calls.asked_at(call))

    def failed(self, call: Pending, why: str) -> None:
        """A heartbeat that failed is not repeated."""


def set_clock(desk: Desk, current_time: str, asked_at: int) -> None:
    """Hold the back-end's time against the own clock; a setting is persisted and noted."""
    before = desk.clock.offset
    if desk.clock.sync(current_time, asked_at, desk.now):
        desk.persist("clock", desk.clock.offset)
        desk.note("clock-set", before_ms=before, after_ms=desk.clock.offset)
        desk.clock_set()
