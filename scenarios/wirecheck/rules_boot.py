"""Rules of boot, acceptance, heartbeat and clock."""

from __future__ import annotations

from scenarios.wirecheck.actions import REMOTE_START, REMOTE_STOP, TRIGGERS
from scenarios.wirecheck.message import ERROR, RESULT, Message, text_of, time_of, whole
from scenarios.wirecheck.rule import V16, Rule
from scenarios.wirecheck.station import ACCEPTED, PENDING, REJECTED, WAITING
from sim.clock import SECOND

BOOT, HEARTBEAT = "BootNotification", "Heartbeat"
_TOLERANCE = 4 * SECOND
"""What laboratories allow when they compare times."""
_ASKED = {"GetBaseReport": "NotifyReport", "GetReport": "NotifyReport"}
_MOST_ASKED = 64
_ACCEPTABLE = ("Accepted", "EmptyResultSet")


class _Asked(Rule):
    """Knows what a back-end has asked a station to send, of which some is allowed before acceptance."""

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._asked: dict[str, dict[str, bool]] = {}

    def answer(self, one: Message) -> None:
        """A trigger that the station accepted."""
        call = one.call
        if call is None or call.up or one.kind != RESULT or one.payload.get("status") not in _ACCEPTABLE:
            return
        what = text_of(call.payload.get("requestedMessage")) if call.action in TRIGGERS else _ASKED.get(call.action)
        if what and len(self._asked.get(one.backend, {})) < _MOST_ASKED:
            self._asked.setdefault(one.backend, {})[what] = True

    def asked(self, one: Message, action: str) -> bool:
        """Whether this back-end has asked for this message."""
        return action in self._asked.get(one.backend, {})


class BootFirst(_Asked):
    """Silence before acceptance."""

    id = "boot.first"
    requires = ("INV-16", "1.6 §4.2", "2.0.1 B02, B03")
    sentence = (
        "Until its BootNotification is accepted, a station sends nothing else but what a Pending one was asked for."
    )

    def call(self, one: Message) -> None:
        """A CALL of a station that is not accepted, as far as it knows."""
        if not one.up:
            return
        booted = self.station.booted(one.backend)
        if one.action == BOOT or booted.status is None:
            return
        self.saw()
        if booted.status == ACCEPTED or (booted.status == PENDING and self.asked(one, one.action)):
            return
        if booted.answer is None or booted.status == WAITING or one.sent >= booted.answer.arrived:
            said = "is not answered" if booted.status == WAITING else f"was answered {booted.status}"
            proofs = [booted.answer] if booted.answer is not None and booted.status != WAITING else []
            self.breach(f"{one.action} is sent although the BootNotification {said}", *proofs, one)


class BootSecurityError(_Asked):
    """What a back-end says to the unaccepted."""

    id = "boot.security-error"
    requires = ("INV-16", "1.6J errata §3.8", "2.0.1 B03.FR.07")
    sentence = "A back-end answers SecurityError to any other CALL of a station that it holds Pending or has Rejected."
    side = "back-end"

    def answer(self, one: Message) -> None:
        """An answer to a station that is not accepted."""
        super().answer(one)
        call = one.call
        if call is None or not call.up or call.action == BOOT:
            return
        booted = self.station.booted(one.backend)
        if booted.status not in (PENDING, REJECTED) or booted.answer is None or call.arrived < booted.answer.sent:
            return
        if booted.status == PENDING and self.asked(one, call.action):
            return
        self.saw()
        if one.kind != ERROR or one.code != "SecurityError":
            self.breach(f"{call.action} of a station that is {booted.status} gets no SecurityError", call, one)


class BootHeld(Rule):
    """Commands to the unaccepted."""

    id = "boot.no-commands"
    requires = ("INV-16", "1.6 §4.2", "2.0.1 B02, B03")
    sentence = "A back-end sends a Rejected station no CALL, and a Pending one no remote start or stop."
    side = "back-end"

    def call(self, one: Message) -> None:
        """A CALL of the back-end."""
        if one.up:
            return
        booted = self.station.booted(one.backend)
        if booted.status not in (PENDING, REJECTED, ACCEPTED):
            return
        self.saw()
        remote = one.action in (*REMOTE_START, *REMOTE_STOP)
        if booted.answer is not None and (booted.status == REJECTED or (booted.status == PENDING and remote)):
            self.breach(f"{one.action} is sent to a station that is {booted.status}", booted.answer, one)


class BootRetry(_Asked):
    """Patience."""

    id = "boot.retry-interval"
    requires = ("1.6 §4.2", "2.0.1 B02, B03")
    sentence = "After Pending or Rejected a station waits the interval before it boots again, unless it is triggered."

    def __init__(self, *where: object) -> None:
        super().__init__(*where)
        self._last: dict[str, Message] = {}

    def call(self, one: Message) -> None:
        """The next BootNotification."""
        if not one.up or one.action != BOOT:
            return
        last = self._last.pop(one.backend, None)
        if last is None or self._asked.get(one.backend, {}).pop(BOOT, False):
            return
        interval = whole(last.payload.get("interval")) or 0
        self.saw()
        if one.sent - last.arrived < interval * SECOND - _TOLERANCE:
            waited = (one.sent - last.arrived) // SECOND
            self.breach(f"the station boots again after {waited:,} s, {interval:,} s were asked for", last, one)

    def answer(self, one: Message) -> None:
        """An answer that asks for patience, or a trigger."""
        super().answer(one)
        call = one.call
        if call is None or call.action != BOOT or not call.up or one.kind != RESULT or one.delivered is None:
            return
        if one.payload.get("status") in (PENDING, REJECTED) and (whole(one.payload.get("interval")) or 0) > 0:
            self._last[one.backend] = one

    def closed(self, link: str, at: int, left: list[Message]) -> None:
        """It may have lost its power, and then it may boot at once."""
        for backend in [name for name in self._last if link.startswith(f"{name}/")]:
            del self._last[backend]
            self.unsure("the connection ended before the station booted again")


class BootStatus(Rule):
    """The first report."""

    id = "boot.status-report"
    requires = ("1.6 §4.2", "1.6 errata §3.22", "TC_001")
    sentence = (
        "After it was accepted, a station reports the status of connector 0 and of a connector within the time-out."
    )
    versions = V16
    actions = (BOOT, "StatusNotification")

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._due: dict[str, tuple[Message, list[bool]]] = {}

    def answer(self, one: Message) -> None:
        """Accepted: now the reports are due."""
        if one.call is not None and one.call.action == BOOT and one.delivered is not None and one.kind == RESULT:
            if one.payload.get("status") == ACCEPTED:
                self._due[f"{one.backend}/{one.link}"] = (one, [False, False])
            else:
                self._due.pop(f"{one.backend}/{one.link}", None)

    def call(self, one: Message) -> None:
        """A report."""
        due = self._due.get(f"{one.backend}/{one.link}")
        if due is None or one.action != "StatusNotification":
            return
        _accepted, seen = due
        seen[one.payload.get("connectorId") != 0] = True
        if all(seen):
            self.saw()
            del self._due[f"{one.backend}/{one.link}"]

    def frame(self, one: Message) -> None:
        """The station says something else: is its time up?"""
        due = self._due.get(f"{one.backend}/{one.link}")
        if due is None or not one.up or one.sent - due[0].arrived <= 2 * self.limits.timeout:
            return
        del self._due[f"{one.backend}/{one.link}"]
        self.saw()
        missing = " and ".join(
            name for name, seen in zip(("connector 0", "its connectors"), due[1], strict=True) if not seen
        )
        self.breach(f"no status of {missing} follows the accepted boot", due[0], one)

    def closed(self, link: str, at: int, left: list[Message]) -> None:
        """Too early to say."""
        if self._due.pop(link, None) is not None:
            self.unsure("the connection ended before the reports were due")


class BootAgain(Rule):
    """No need to boot. (In 2.x a boot says its reason, which nobody can check here.)"""

    id = "boot.reconnect"
    requires = ("1.6J §5.4",)
    sentence = "A plain reconnect is not followed by a BootNotification that says the same as the last one."
    versions = V16
    only_notes = True
    actions = (BOOT,)

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._said: dict[str, bytes] = {}
        self._new: dict[str, bool] = {}

    def opened(self, link: str, at: int) -> None:
        """The next boot on it counts."""
        self._new[link] = True

    def call(self, one: Message) -> None:
        """The same as before?"""
        fresh = self._new.pop(f"{one.backend}/{one.link}", False)
        if fresh and one.backend in self._said:
            self.saw()
            if self._said[one.backend] == one.raw:
                self.breach("the station boots after a reconnect with nothing new to say (or was restarted)", one)
        self._said[one.backend] = one.raw

    def closed(self, link: str, at: int, left: list[Message]) -> None:
        """Forget the connection."""
        self._new.pop(link, None)


class CurrentTime(Rule):
    """The clock that stations follow."""

    id = "time.current"
    requires = ("INV-17", "1.6 §4.2, §4.6", "2.0.1 B01, G02")
    sentence = "The currentTime of a back-end is the time at which it answers, and a boot interval is above 0."
    side = "back-end"
    actions = (BOOT, HEARTBEAT)

    def answer(self, one: Message) -> None:
        """What it tells."""
        told = time_of(one.payload.get("currentTime"))
        if one.kind != RESULT or told is None:
            return
        self.saw()
        call = one.call
        assert call is not None
        if abs(told - one.sent) > self.limits.skew and abs(told - call.arrived) > self.limits.skew:
            self.breach(f"currentTime is {(told - one.sent) // SECOND:+,} s off", call, one)
        elif call.action == BOOT and whole(one.payload.get("interval")) is not None and one.payload["interval"] <= 0:
            self.breach(f"the interval is {one.payload['interval']} s", call, one)


class HeartbeatKept(Rule):
    """Signs of life."""

    id = "heartbeat.interval"
    requires = ("1.6 §4.6", "2.0.1 G02")
    sentence = "On a living connection an accepted station is never silent for longer than the heartbeat interval."

    def __init__(self, *where: object) -> None:
        super().__init__(*where)  # type: ignore[arg-type]
        self._last: dict[str, Message] = {}

    def frame(self, one: Message) -> None:
        """How long was it silent?"""
        link = f"{one.backend}/{one.link}"
        booted = self.station.booted(one.backend)
        if booted.status != ACCEPTED:
            self._last.pop(link, None)
            return
        last = self._last.get(link)
        if not one.up:
            return
        self._last[link] = one
        interval = self._interval(one, last)
        if last is None or interval <= 0:
            return
        self.saw()
        if one.sent - last.sent > interval * SECOND * 11 // 10 + 2 * self.limits.timeout:
            silent = (one.sent - last.sent) // SECOND
            self.breach(f"the station was silent for {silent:,} s, its heartbeat interval is {interval:,} s", last, one)

    def _interval(self, one: Message, last: Message | None) -> int:
        """What was asked for, in s; of two the longer, because nobody knows which the station goes by."""
        booted = self.station.booted(one.backend)
        if booted.answer is not None and last is not None and last.sent < booted.answer.arrived:
            return 0
        told = self.station.config.get("HeartbeatInterval") or self.station.config.get("HeartBeatInterval") or "0"
        return max(booted.interval, int(told) if told.isdecimal() and len(told) < 9 else 0)

    def closed(self, link: str, at: int, left: list[Message]) -> None:
        """Whoever is offline may be silent."""
        self._last.pop(link, None)


RULES: tuple[type[Rule], ...] = (
    BootFirst,
    BootSecurityError,
    BootHeld,
    BootRetry,
    BootStatus,
    BootAgain,
    CurrentTime,
    HeartbeatKept,
)
