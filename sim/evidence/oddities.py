"""What is odd about the frames of back-ends: rows of `wire_oddities`, for what the calls of the wire plane do not keep.

Those are frames that cannot be read, answers that nobody waits for, and answers to Heartbeats, of which no row is kept.
Judging what was found is the business of the checks.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sim.backend import Row
from sim.clock import SECOND, parse_iso
from sim.wire import ocppj
from sim.wire.dialect import DIALECTS, V16
from sim.wire.schema import judge

TIME_TOLERANCE = SECOND
"""How far a currentTime may be from the moment at which its answer was sent, in ms (INV-17)."""
HEARTBEAT = "Heartbeat"
_HEAD, _TAIL, _LENGTH = b'{"currentTime":"', b'"}', 42
"""A Heartbeat answer in the usual writing."""

Sent = tuple[str, str, int, int, bytes]
"""Station, back-end, link, when it was sent, and the frame."""


class Oddities:
    """Gathers the rows."""

    def __init__(self, versions: Mapping[int, str]) -> None:
        """`versions` has the OCPP version of each link."""
        self._versions = versions
        self.rows: list[Row] = []

    def answered(self, id: bytes, action: str | None, payload: bytes | None, sent: Sent) -> None:
        """An answer of a back-end: `action` is None if nobody waited for it, `payload` for a CALLERROR."""
        version = self._versions[sent[2]]
        if action is None and version != V16.version and id.decode("utf-8", "replace") == ocppj.NO_ID:
            return  # as 2.0.1 wants it: this is about a frame that could not be read
        if action is None:
            self._keep("", f"an answer to {id.decode('utf-8', 'backslashreplace')!r}, which nobody waits for", sent)
        elif action == HEARTBEAT and payload is not None:
            problem = self._heartbeat(version, payload, sent[3])
            if problem:
                self._keep(HEARTBEAT, problem, sent)

    def unreadable(self, sent: Sent) -> bool:
        """Whether this frame of a back-end, which is not written in the usual way, is no frame at all."""
        try:
            DIALECTS[self._versions[sent[2]]].parse(sent[4])
        except ocppj.BadFrame as bad:
            self._keep("", f"no frame of OCPP-J: {bad.why}", sent)
            return True
        return False

    def _heartbeat(self, version: str, payload: bytes, sent_at: int) -> str:
        if len(payload) == _LENGTH and payload.startswith(_HEAD) and payload.endswith(_TAIL):
            return time_problem(payload[len(_HEAD) : -len(_TAIL)].decode("ascii", "replace"), sent_at)
        violation = judge(version, HEARTBEAT, "response", payload)
        if violation is not None:
            return f"{violation.path} {violation.problem}".strip()
        return time_problem(json.loads(payload).get("currentTime"), sent_at)

    def _keep(self, action: str, problem: str, sent: Sent) -> None:
        station, backend, link, at, frame = sent
        row = {"at": at, "station": station, "backend": backend, "link": link, "action": action}
        self.rows.append({**row, "problem": problem, "frame": frame.decode("utf-8", "backslashreplace")})


def time_problem(told: Any, sent_at: int) -> str:
    """What is wrong with a currentTime that was sent at this instant; "" if nothing is."""
    if not isinstance(told, str) or not told.endswith("Z"):
        return f"currentTime {told!r} is not UTC with Z"
    try:
        off = parse_iso(told) - sent_at
    except ValueError:
        return f"currentTime {told!r} is no instant"
    return f"currentTime is {off:+d} ms off" if abs(off) >= TIME_TOLERANCE else ""
