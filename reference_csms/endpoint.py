"""One connection of a station: frames in, judged and answered; replies and calls out through the stage.

Whatever a peer sends, only its own connection notices (INV-38): wrong frames are answered with the CALLERROR that
OCPP-J 1.6 wants, or ignored. Our own mistakes raise. The newest connection of an identity is the one that counts
(INV-14).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from reference_csms.calls import Asked, StationCalls, encode_payload
from reference_csms.handlers import v16, v201
from reference_csms.handlers.house import Handler, Handlers
from reference_csms.handlers.orders import Orders
from reference_csms.readings import Readings, is_plain_call
from reference_csms.received import KEPT
from reference_csms.records import UNKNOWN
from reference_csms.stage import Stage
from reference_csms.stations import Stations, StationState
from sim.clock import Instant
from sim.machine import Close, Closed, Effect, Event, LinkId, Opened, Received, Send
from sim.wire import ocppj
from sim.wire.dialect import V16, V201, Dialect
from sim.wire.glance import glance
from sim.wire.schema import known_actions

_BEAT = b'","Heartbeat",{}]'
_ID, _BEHIND_ID = slice(4, 40), slice(40, None)
_READING, _HEARTBEAT = "MeterValues", "Heartbeat"
_TRIGGER_BOOT = encode_payload("TriggerMessage", {"requestedMessage": "BootNotification"})
"""The same bytes in both versions."""
_SPOKEN: dict[str, tuple[dict[str, Handler], Orders]] = {
    V16.version: (v16.HANDLERS, v16.ORDERS),
    V201.version: (v201.HANDLERS, v201.ORDERS),
}
QUIET = v16.QUIET


class Connection:
    """The Machine of one link. `dialect` is the version spoken on it, `orders` how requests are written in that."""

    tickless = True
    """Timeouts of all connections are kept by the back-end."""

    __slots__ = (
        "_admit",
        "_alive",
        "_glances",
        "_handlers",
        "_keep",
        "_on_ready",
        "_readings",
        "_stage",
        "_stations",
        "_table",
        "_triggered",
        "calls",
        "dialect",
        "link",
        "orders",
        "state",
        "understood",
    )

    def __init__(
        self,
        link: LinkId,
        state: StationState,
        dialect: Dialect | None,
        stage: Stage,
        stations: Stations,
        handlers: Handlers,
        calls: StationCalls,
        admit: Callable[[str, bool], bool],
        on_ready: Callable[[Connection, bool, Instant], None],
        keep: Callable[[str, bytes, Instant], None] | None = None,
    ) -> None:
        self.link = link
        self.state = state
        self.understood = dialect is not None
        self.dialect = dialect or V16
        self._table, self.orders = _SPOKEN[self.dialect.version]
        self._glances = self.dialect is V16  # only there the usual writing is known
        self.calls = calls
        self._stage = stage
        self._stations = stations
        self._handlers = handlers
        self._admit = admit
        self._on_ready = on_ready
        self._keep = keep
        self._alive = True
        self._triggered = False
        self._readings = Readings()

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """React to an event of this link. What leaves goes through the stage, so the answer is always empty."""
        if type(event) is Received:
            return self.hear(event.link, event.frame, now)
        if not self._alive:
            return ()
        self._stage.moved = True
        if isinstance(event, Opened):
            self._opened(now)
        elif isinstance(event, Closed):
            self._gone(now)
        return ()

    def hear(self, link: LinkId, frame: bytes, now: Instant) -> Sequence[Effect]:
        """As `handle`, for a frame."""
        if not self._alive:
            return ()
        state = self.state
        state.last_seen = now
        state.messages += 1
        if not state.unsaved:
            self._stations.plan_to_save(state, now)
            self._stage.moved = True
        reading = self._readings.again(frame)
        if reading is None:
            self._look(frame, now)
        elif self._admit(_READING, state.accepted):
            id, connector, wh = reading
            state.register(connector, wh)
            if self._keep is not None:
                self._keep(state.station, frame, now)
            self._stage.effects.append(Send(self.link, b'[3,"' + id + b'",{}]'))
        else:
            self._call(reading[0].decode(), _READING, None, now)
        return ()

    @property
    def subprotocol(self) -> str | None:
        """What was chosen of the station's offers (`sim.backend.subprotocol_of`)."""
        return self.dialect.subprotocol if self.understood else None

    def next_deadline(self) -> Instant | None:
        """Never, see `tickless`."""
        return None

    def hang_up(self, reason: str, now: Instant) -> None:
        """Close the link from our side."""
        if self._alive:
            self._gone(now)
            self._stage.add(Close(self.link, reason))

    def _opened(self, now: Instant) -> None:
        if not self.understood:
            # OCPP-J 1.6: without a common subprotocol the handshake succeeds and the connection is closed at once.
            self.hang_up("no common subprotocol", now)
            return
        before = self.state.connection
        if before is not None:
            before.hang_up("replaced by a newer connection", now)
        self.state.connection = self
        if self.state.accepted:
            self._on_ready(self, False, now)

    def _gone(self, now: Instant) -> None:
        self._alive = False
        if self.state.connection is self:
            self.state.connection = None
        self.calls.drop(now)

    # -- frames ------------------------------------------------------------------------------------------------

    def _look(self, frame: bytes, now: Instant) -> None:
        """Any frame but one of the readings that are told by their bytes."""
        accepted = self.state.accepted
        beats = self._glances and frame[_BEHIND_ID] == _BEAT and is_plain_call(frame)
        if beats and self._admit(_HEARTBEAT, accepted):
            id = frame[_ID].decode()  # told by its bytes, as most readings are
            reply = self._table[_HEARTBEAT](self._handlers, self.state, None, id, now)
            self._stage.effects.append(Send(self.link, ocppj.encode_result(id, reply)))
            return
        usual = glance(frame) if self._glances else None
        if usual is None:
            self._unusual(frame, now)
        elif usual.action in QUIET and self._admit(usual.action, accepted):
            reply = self._table[usual.action](self._handlers, self.state, usual.request, usual.id, now)
            self._stage.add(Send(self.link, ocppj.encode_result(usual.id, reply)))
            if usual.action == _READING:
                self._readings.learn(frame, usual.request)
                if self._keep is not None:
                    self._keep(self.state.station, frame, now)
        else:
            self._call(usual.id, usual.action, usual.request, now)
            self._keep_too(usual.action, frame, now)

    def _keep_too(self, action: str, frame: bytes, now: Instant) -> None:
        """A message that was accepted, in a house that keeps all it acknowledges."""
        if self._keep is not None and action in KEPT and self.state.accepted:
            self._keep(self.state.station, frame, now)

    def _unusual(self, frame: bytes, now: Instant) -> None:
        """An answer, or whatever else is no CALL in the usual writing."""
        self._stage.moved = True
        try:
            message = self.dialect.parse(frame)
        except ocppj.BadFrame as bad:
            self._bad_frame(bad, now)
            return
        if isinstance(message, ocppj.Call):
            self._unusual_call(message, frame, now)
        else:
            self.calls.answered(message, now)

    def _bad_frame(self, bad: ocppj.BadFrame, now: Instant) -> None:
        if bad.id is not None:
            self._refuse(bad.id, bad.code, bad.why)
        elif bad.settles is not None:
            self.calls.unreadable(bad.settles, bad.why, now)

    def _unusual_call(self, call: ocppj.Call, frame: bytes, now: Instant) -> None:
        """A CALL that has to be judged slowly, if it is one that we take at all."""
        request = None
        if call.action in self._table and self._admit(call.action, self.state.accepted):
            violation = self.dialect.judge_request(call.action, call.payload)
            if violation is not None:
                self._refuse(call.id, violation.code, f"{violation.path} {violation.problem}".strip())
                return
            try:
                request = self.dialect.decode_request(call.action, call.payload)
            except msgspec.ValidationError as err:
                self._refuse(call.id, "FormationViolation", str(err))
                return
        self._call(call.id, call.action, request, now)
        self._keep_too(call.action, frame, now)

    def _call(self, id: str, action: str, request: Any, now: Instant) -> None:
        handler = self._table.get(action)
        self._stage.moved = True
        if handler is None:
            known = action in known_actions(self.dialect.version)
            self._refuse(id, "NotSupported" if known else "NotImplemented", "no such request to a back-end")
            return
        if not self._admit(action, self.state.accepted):
            self._refuse(id, "SecurityError", "the station is not accepted")
            self._ask_to_boot(now)
            return
        reply = handler(self._handlers, self.state, request, id, now)
        self._stage.add(Send(self.link, ocppj.encode_result(id, reply)))
        if action == "BootNotification" and self.state.accepted:
            self._on_ready(self, True, now)

    def _refuse(self, id: str, code: str, why: str) -> None:
        self._stage.add(Send(self.link, self.dialect.error(id, code, why)))

    def _ask_to_boot(self, now: Instant) -> None:
        """A station that came from another back-end without a boot would be stuck: ask it once per connection."""
        if not self._triggered and self.state.row.registration == UNKNOWN:
            self._triggered = True
            self.calls.ask("TriggerMessage", _TRIGGER_BOOT, Asked(), now)
