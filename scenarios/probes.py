"""Two tools of whoever runs the move: one knocks where a station should be refused, one taps every card at a back-end.

Both are stations on the wire as far as a back-end can tell, and both only ask: what they see stands in the wire plane,
and no answer makes them do anything else. Neither may look into a back-end.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from sim.clock import MINUTE, SECOND, Instant
from sim.evidence.canonical import canonical
from sim.machine import Close, Closed, Command, Effect, Event, LinkId, Note, Open, Opened, Received, Send
from sim.wire import ocppj

KNOCKS = 30
"""How often a back-end is knocked at that gives no clear answer (down, or no way through), a minute apart."""
NOT_CLEAR = ("refused", "timeout", "reset")
ANSWER_WITHIN = 30 * SECOND


class Knocker:
    """Machine `knock:<station>`: Command `knock{url, backend}`; dials as that identity, and hangs up if let in.

    A back-end that closed the identity refuses the handshake. Each clear answer is one note of `truth_events`.
    """

    def __init__(self, station: str) -> None:
        self._station = station
        self._url = ""
        self._backend = ""
        self._left = 0
        self._again: Instant | None = None

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """Knock, and note what happened."""
        if isinstance(event, Command):
            self._url, self._backend, self._left = event.args["url"], event.args["backend"], KNOCKS
            return self._knock()
        if isinstance(event, Opened):
            return [self._note(now, "let in"), Close(event.link, "knocked")]
        if isinstance(event, Closed) and event.reason in NOT_CLEAR and self._left:
            self._again = Instant(now + MINUTE)
        elif isinstance(event, Closed) and event.reason.isdecimal():
            return [self._note(now, event.reason)]
        elif self._again is not None and self._again <= now:
            return self._knock()
        return []

    def next_deadline(self) -> Instant | None:
        """When it knocks again."""
        return self._again

    def _knock(self) -> list[Effect]:
        self._again = None
        self._left -= 1
        return [Open(f"{self._url}/{quote(self._station, safe='')}")]

    def _note(self, now: Instant, outcome: str) -> Note:
        data = canonical({"backend": self._backend, "outcome": outcome})
        return Note("events", {"at": now, "station": self._station, "connector": None, "kind": "knock", "data": data})


class Tapper:
    """A test station that boots at `begin` and asks its back-end about every token, one after the other."""

    def __init__(self, station: str, url: str, tokens: Sequence[str], begin: Instant) -> None:
        self._url = f"{url}/{station}"
        self._tokens = list(tokens)
        self._link: LinkId | None = None
        self._count = 0
        self._waiting = ""
        self._boots = False
        self._wake: Instant | None = begin

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """Go on with the next token, whatever became of the one before."""
        if isinstance(event, Opened):
            self._link, self._boots = event.link, True
            return self._ask("BootNotification", {"chargePointVendor": "chargerig", "chargePointModel": "tap"}, now)
        if isinstance(event, Closed):
            self._link = None
            self._wake = Instant(now + MINUTE) if self._tokens else None
            return []
        if isinstance(event, Received):
            return self._received(event, now)
        if self._wake is not None and self._wake <= now:
            self._wake = None
            return [Open(self._url)] if self._link is None else self._go_on(now)
        return []

    def next_deadline(self) -> Instant | None:
        """When it dials, or gives up waiting for an answer."""
        return self._wake

    def _received(self, event: Received, now: Instant) -> Sequence[Effect]:
        try:
            message = ocppj.parse(event.frame)
        except ocppj.BadFrame:
            return []
        if isinstance(message, ocppj.Call):
            return [Send(event.link, ocppj.encode_error(message.id, "NotSupported", "a test station"))]
        if message.id != self._waiting:
            return []
        if self._boots and not _accepted(message):
            self._wake = Instant(now + MINUTE)
            return []
        self._boots = False
        return self._go_on(now)

    def _go_on(self, now: Instant) -> Sequence[Effect]:
        assert self._link is not None
        if self._boots:
            return self._ask("BootNotification", {"chargePointVendor": "chargerig", "chargePointModel": "tap"}, now)
        if self._tokens:
            return self._ask("Authorize", {"idTag": self._tokens.pop(0)}, now)
        self._wake = None
        return [Close(self._link, "every token was asked about")]

    def _ask(self, action: str, payload: dict[str, Any], now: Instant) -> Sequence[Effect]:
        assert self._link is not None
        self._count += 1
        self._waiting = f"tap-{self._count}"
        self._wake = Instant(now + ANSWER_WITHIN)
        return [Send(self._link, ocppj.encode_call(self._waiting, action, json.dumps(payload).encode()))]


def _accepted(message: ocppj.Result | ocppj.Error) -> bool:
    if isinstance(message, ocppj.Error):
        return False
    try:
        answer = json.loads(message.payload)
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.get("status") == "Accepted"
