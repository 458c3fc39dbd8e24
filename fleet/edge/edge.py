"""The edge of one rig: where a firmware's quirks change what its control unit says and hears.

It stands between the control unit and its links, keeps no clock of its own, and does only what the quirks of the station
say. A station without such quirks has no edge.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from fleet.edge import calls, requests
from fleet.edge.links import LINK_QUIRKS, Lines
from fleet.edge.words import ASKED, OWN, REPLIES, Asked, Memory, Own, Reply
from sim.machine import Closed, LinkId, Opened, Send
from sim.rng import message_id
from sim.wire import ocppj

NAMES = (*OWN, *ASKED, *REPLIES, *LINK_QUIRKS)
"""All quirks that are done here."""
assert calls and requests  # their quirks are registered when they are imported

_json = msgspec.json.Encoder().encode
_read = msgspec.json.Decoder().decode


class Edge:
    """One station's edge. `shows` is told the name of a quirk each time it acts.

    What it wants done is left in `sends`, `inbox` (frames for the control unit), `reboot`, `hang_up` (a reason) and
    `stay_away`; whoever owns it takes that after each event.
    """

    def __init__(self, station: str, quirks: Sequence[str], shows: Callable[[str], None]) -> None:
        self._quirks = [name for name in quirks if name in NAMES]
        self._shows = shows
        self._memory = Memory(station)
        self._lines = Lines(station, self._quirks, shows)
        self._link: LinkId | None = None
        self._pending: dict[str, tuple[Own, dict[str, Any]]] = {}
        self._asked: dict[str, tuple[str, dict[str, Any]]] = {}
        self._also: list[tuple[str, dict[str, Any]]] = []
        self._mine: dict[str, str] = {}
        self._lost: dict[bytes, str] = {}
        self._alias: dict[str, str] = {}
        self._made = 0
        self.sends: list[Send] = []
        self.inbox: list[bytes] = []
        self.reboot = False
        self.hang_up = ""
        self.stay_away: bool | None = None

    # -- time and links -----------------------------------------------------------------------------------------------

    def deadline(self) -> int:
        """When something is due; NEVER if nothing is."""
        return self._lines.deadline()

    def tick(self, now: int) -> None:
        """What is due now."""
        self.hang_up = self._lines.due(now)
        if self._lines.is_back(now):
            self.stay_away = False

    def link_event(self, event: Opened | Closed, now: int) -> None:
        """A connection is there, or is over."""
        if isinstance(event, Opened):
            again = self._lines.opened(now)
            self._link = event.link
            self._memory.reconnected = again
            if again and self._lines.has("reply-without-call"):
                self._shows("reply-without-call")
                self.sends.append(Send(event.link, ocppj.encode_result("nobody-asked", b"{}")))
        elif event.link == self._link:
            self.gone()
            if self._lines.lost(event.reason, now):
                self.stay_away = True

    def gone(self) -> None:
        """The connection is over: what was under way is lost."""
        self._link = None
        self._lines.ended()
        for id, (own, payload) in self._pending.items():
            self._lost[own.action.encode() + _json(payload)] = self._alias.pop(id, id)
        self._pending.clear()
        self._asked.clear()
        self._also.clear()

    def dark(self) -> None:
        """The station has no power."""
        self.gone()
        self._memory.accepted = False
        self._memory.statuses = 0
        self._memory.starts.clear()
        self.hang_up, self.stay_away, self.reboot = "", None, False

    def unsent(self) -> list[Send]:
        """What the edge itself has to send, once."""
        sends, self.sends = self.sends, []
        return sends

    # -- what the station says ----------------------------------------------------------------------------------------

    def out(self, send: Send, now: int) -> list[Send]:
        """What leaves instead of this frame."""
        self._lines.spoke(now)
        message = ocppj.parse(send.frame)
        if isinstance(message, ocppj.Call):
            return self._own(send, message, now)
        if isinstance(message, ocppj.Result) and message.id in self._asked:
            return [self._reply(send, message)]
        return [send]

    def _own(self, send: Send, message: ocppj.Call, now: int) -> list[Send]:
        payload = _read(message.payload)
        call = Own(message.action, _read(message.payload), now, self._memory)
        self._remember(message.action, payload)
        changed = False
        for name in self._quirks:
            actions, quirk = OWN.get(name, (("",), None))
            if quirk is not None and (not actions or message.action in actions):
                quirk(call)
                if call.acted:
                    changed, call.acted = True, False
                    self._shows(name)
        if message.action == "StopTransaction" and call.payload.get("transactionId", 1) <= 0:
            self._memory.orphan_until = now + requests.SULKS
        if call.swallow:
            self.inbox.append(ocppj.encode_result(message.id, _json(call.fake)))
            self._answered(message.action, payload, call.fake)
            return []
        id = self._same_id(message, payload)
        self._pending[id] = (Own(message.action, payload, now, self._memory, answer=call.answer), payload)
        self._also += call.also
        if not changed and id == message.id:
            return [send]
        return [Send(send.link, ocppj.encode_call(id, call.action, _json(call.payload)))]

    def _same_id(self, message: ocppj.Call, payload: dict[str, Any]) -> str:
        old = self._lost.pop(message.action.encode() + _json(payload), None)
        if old is None or not self._lines.has("same-id-after-reconnect"):
            return message.id
        self._shows("same-id-after-reconnect")
        self._alias[old] = message.id
        return old

    def _remember(self, action: str, payload: dict[str, Any]) -> None:
        if action == "BootNotification":
            self._memory.hello = payload
        elif action == "StartTransaction":
            self._memory.starts[payload["connectorId"]] = dict(payload)

    def _answered(self, action: str, payload: dict[str, Any], answer: dict[str, Any]) -> None:
        memory = self._memory
        if action == "BootNotification":
            memory.accepted = answer.get("status") == "Accepted"
        elif action == "StartTransaction" and payload["connectorId"] in memory.starts:
            memory.starts[payload["connectorId"]]["transactionId"] = answer.get("transactionId")
        elif action == "StopTransaction":
            for connector, start in [*memory.starts.items()]:
                if start.get("transactionId") == payload["transactionId"]:
                    memory.ended[connector] = payload["transactionId"]
                    del memory.starts[connector]

    # -- what the station hears ---------------------------------------------------------------------------------------

    def heard(self, link: LinkId, frame: bytes, now: int) -> list[bytes]:
        """The frames that reach the control unit instead of this one."""
        self._lines.spoke(now)
        try:
            message = ocppj.parse(frame)
        except ocppj.BadFrame:
            return [frame]
        if isinstance(message, ocppj.Call):
            return [frame] if self._hears(link, message, now) else []
        if self._mine.pop(message.id, None) is not None:
            self._next_also(link)
            return []
        own, payload = self._pending.pop(message.id, (None, {}))
        new = self._alias.pop(message.id, message.id)
        if own is not None and isinstance(message, ocppj.Result):
            answer = _read(message.payload) if own.answer is None else own.answer
            self._answered(own.action, payload, answer)
            self._next_also(link)
            if own.answer is not None or new != message.id:
                return [ocppj.encode_result(new, _json(answer))]
        return [frame]

    def _hears(self, link: LinkId, message: ocppj.Call, now: int) -> bool:
        request = Asked(message.action, _read(message.payload), now, self._memory)
        for name in self._quirks:
            actions, quirk = ASKED.get(name, (("",), None))
            if quirk is not None and (not actions or message.action in actions):
                quirk(request)
                if request.acted:
                    request.acted = False
                    self._shows(name)
        if request.hang:
            self._lines.hang(now + request.hang)
        self.reboot = self.reboot or request.reboot
        for action, payload in request.also:
            self._say(link, action, payload)
        if request.silent:
            return False
        if request.code:
            self.sends.append(Send(link, ocppj.encode_error(message.id, request.code)))
        elif request.reply is not None:
            self.sends.append(Send(link, ocppj.encode_result(message.id, _json(request.reply))))
        else:
            self._asked[message.id] = (message.action, request.payload)
            self._memory.remote = self._memory.remote or message.action == "RemoteStartTransaction"
            return True
        return False

    def _reply(self, send: Send, message: ocppj.Result) -> Send:
        action, asked = self._asked.pop(message.id)
        reply = Reply(action, asked, _read(message.payload), self._memory)
        changed = False
        for name in self._quirks:
            actions, quirk = REPLIES.get(name, (("",), None))
            if quirk is not None and (not actions or action in actions):
                quirk(reply)
                if reply.acted:
                    changed, reply.acted = True, False
                    self._shows(name)
        if not changed:
            return send
        frame = ocppj.encode_result(message.id, _json(reply.payload))
        return Send(send.link, frame[: len(frame) - reply.cut])

    # -- calls of the edge's own --------------------------------------------------------------------------------------

    def _next_also(self, link: LinkId) -> None:
        if self._also:
            self._say(link, *self._also.pop(0))

    def _say(self, link: LinkId, action: str, payload: dict[str, Any]) -> None:
        self._made += 1
        id = message_id(self._memory.station, "edge", self._made)
        self._mine[id] = action
        self.sends.append(Send(link, ocppj.encode_call(id, action, _json(payload))))
