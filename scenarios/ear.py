"""Listens at the wire on its way into the record, for what the record itself does not keep: heartbeats and odd frames.

The record keeps no row of a Heartbeat and only counts what it cannot read. Each frame goes on to the recorder unchanged;
what is odd about one that a back-end sent becomes a row of `wire_oddities`. Judging it is the business of the checks.
"""

from __future__ import annotations

import json
from typing import Any

from sim.backend import Row
from sim.clock import SECOND, parse_iso
from sim.evidence.wire import WireRecorder
from sim.wire import ocppj
from sim.wire.schema import judge

TIME_TOLERANCE = SECOND
"""How far a currentTime may be from the moment at which its answer was sent, in ms (INV-17)."""
_HEARTBEAT = b"Heartbeat"


class Ear:
    """A wire sink in front of another one."""

    def __init__(self, recorder: WireRecorder) -> None:
        self._recorder = recorder
        self._asked: dict[int, dict[bytes, bytes]] = {}
        self.rows: list[Row] = []

    def frame(
        self, sent_at: int, delivered_at: int | None, station: str, backend: str, link: int, way: str, frame: bytes
    ) -> None:
        """One frame reached the other side, or was lost."""
        self._recorder.frame(sent_at, delivered_at, station, backend, link, way, frame)
        if way == "down":
            action, problem = self._heard(link, sent_at, frame)
            if problem:
                row = {"at": sent_at, "station": station, "backend": backend, "link": link, "action": action}
                self.rows.append({**row, "problem": problem, "frame": frame.decode("utf-8", "backslashreplace")})
        elif delivered_at is not None and frame.startswith(b'[2,"'):
            parts = frame.split(b'"', 4)
            if len(parts) == 5:
                self._asked.setdefault(link, {})[parts[1]] = parts[3]

    def link_opened(self, at: int, station: str, backend: str, link: int) -> None:
        """A handshake succeeded."""
        self._recorder.link_opened(at, station, backend, link)

    def link_closed(self, at: int, link: int, closed_by: str, reason: str) -> None:
        """A connection ended."""
        self._recorder.link_closed(at, link, closed_by, reason)

    def _heard(self, link: int, sent_at: int, frame: bytes) -> tuple[str, str]:
        """The action that a frame of a back-end belongs to, and what is odd about it ("" for nothing)."""
        if frame.startswith(b'[3,"'):  # most frames: no need to read more of them than the id
            id, quote, rest = frame[4:].partition(b'"')
            if quote and rest.startswith(b",") and b"\\" not in id:
                return self._answer(link, id, rest[1:-1], sent_at)
        try:
            message = ocppj.parse(frame)
        except ocppj.BadFrame as bad:
            return "", f"no frame of OCPP-J: {bad.why}"
        if isinstance(message, ocppj.Call):
            return message.action, ""
        payload = message.payload if isinstance(message, ocppj.Result) else None
        return self._answer(link, message.id.encode(), payload, sent_at)

    def _answer(self, link: int, id: bytes, payload: bytes | None, sent_at: int) -> tuple[str, str]:
        action = self._asked.get(link, {}).pop(id, None)
        if action is None:
            return "", f"an answer to {id.decode('utf-8', 'backslashreplace')!r}, which nobody waits for"
        if action != _HEARTBEAT or payload is None:
            return action.decode("utf-8", "backslashreplace"), ""
        violation = judge("1.6", "Heartbeat", "response", payload)
        if violation is not None:
            return "Heartbeat", f"{violation.path} {violation.problem}".strip()
        return "Heartbeat", time_problem(json.loads(payload).get("currentTime"), sent_at)


def time_problem(told: Any, sent_at: int) -> str:
    """What is wrong with a currentTime that was sent at this instant; "" if nothing is."""
    if not isinstance(told, str) or not told.endswith("Z"):
        return f"currentTime {told!r} is not UTC with Z"
    try:
        off = parse_iso(told) - sent_at
    except ValueError:
        return f"currentTime {told!r} is no instant"
    return f"currentTime is {off:+d} ms off" if abs(off) >= TIME_TOLERANCE else ""
