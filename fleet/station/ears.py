"""What comes in on the connection: frames told apart, requests judged and answered, whatever the version.

It calls a handler for a request and sends what that says; it knows no meaning. Nothing that a back-end sends makes it
raise. Sources: OCPP-J 1.6 §4, OCPP 2.0.1 Part 4 §4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fleet.station.boot import REJECTED, Boot
from fleet.station.calls import Calls
from fleet.station.desk import Desk
from sim.machine import Send
from sim.wire import ocppj

Then = Callable[[], None]
Reply = tuple[Any, Then | None]
"""The answer, and what to do once it is on its way."""
Handler = Callable[[Any, Any], Reply]
"""Takes the control unit and the request."""


class Refusal(Exception):
    """This request gets a CALLERROR: code and a short description."""

    def __init__(self, code: str, why: str) -> None:
        super().__init__(why)
        self.code = code
        self.why = why


class Ears:
    """The listening side of one station. `unit` is whom handlers act on; `rejected` is what a request gets from a station
    that was Rejected: a code, or silence."""

    def __init__(
        self,
        desk: Desk,
        calls: Calls,
        boot: Boot,
        handlers: Mapping[str, Handler],
        unit: Any,
        rejected: str | None = None,
    ) -> None:
        self._desk = desk
        self._calls = calls
        self._boot = boot
        self._handlers = handlers
        self._unit = unit
        self._rejected = rejected

    def received(self, frame: bytes) -> None:
        """One frame."""
        try:
            message = self._calls.dialect.parse(frame)
        except ocppj.BadFrame as bad:
            self._desk.note("ignored-frame" if bad.id is None else "bad-frame", why=bad.why, id=bad.id)
            if bad.settles is not None:
                self._calls.unreadable(bad.settles)
            if bad.id is not None and self._listens:
                self._refuse(bad.id, bad.code, bad.why)
            return
        if isinstance(message, ocppj.Result):
            self._calls.result(message)
        elif isinstance(message, ocppj.Error):
            self._calls.error(message)
        elif self._listens:
            self._answer(message)
        elif self._rejected is not None:
            self._refuse(message.id, self._rejected, "this station was rejected")

    @property
    def _listens(self) -> bool:
        return self._boot.state != REJECTED

    def _answer(self, call: ocppj.Call) -> None:
        dialect = self._calls.dialect
        breach = dialect.judge_request(call.action, call.payload)
        if breach is not None:
            self._refuse(call.id, breach.code, f"{breach.path} {breach.problem}".strip())
            return
        handler = self._handlers.get(call.action)
        if handler is None:
            self._refuse(call.id, "NotSupported", "not supported by this station")
            return
        try:
            answer, then = handler(self._unit, dialect.decode_request(call.action, call.payload))
        except Refusal as refusal:
            self._refuse(call.id, refusal.code, refusal.why)
            return
        except msgspec.MsgspecError:  # fits the schema and still cannot be: a number beyond 64 bits
            self._refuse(call.id, "PropertyConstraintViolation", "a value is out of range")
            return
        self._send(ocppj.encode_result(call.id, dialect.encode(answer)))
        if then is not None:
            then()

    def _refuse(self, id: str, code: str, why: str) -> None:
        self._send(self._calls.dialect.error(id, code, why))

    def _send(self, frame: bytes) -> None:
        if self._desk.link is not None:
            self._desk.out.append(Send(self._desk.link, frame))
