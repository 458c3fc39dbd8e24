"""Which way frames went, in a log that tells only `in` and `out`, or nothing at all.

`in` and `out` depend on whose log it is: the first CALL that only one side may make decides, unless the user said it.
Lines are held back until then, and only so many. Frames without any way follow their action, answers their call.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from scenarios.wirecheck.actions import caller
from scenarios.wirecheck.lines import Line, Unread
from sim.errors import BadInput
from sim.wire.schema import VERSIONS, known_actions

LOG_OF = ("csms", "station")
_MOST_HELD = 5_000
_MOST_CALLS = 5_000
_KNOWN = frozenset().union(*(known_actions(version) for version in VERSIONS))
_OTHER = {"up": "down", "down": "up"}
_TURN = {"csms": {"in": "up", "out": "down"}, "station": {"in": "down", "out": "up"}}


class _Orient:
    def __init__(self, log_of: str | None) -> None:
        self.turn = _TURN[log_of] if log_of else None
        self.held: list[Line] = []
        self._calls: dict[tuple[str, str], str] = {}

    def line(self, line: Line) -> Iterator[Line | Unread]:
        """This line, and those held back before it, as soon as their way is known."""
        if line.way not in ("in", "out"):
            if self.held and self.turn is None:
                self.held.append(line)
            else:
                yield self._inferred(line)
            return
        if self.turn is None:
            way = caller(_kind_and_action(line.text)[2], _KNOWN)
            if way:
                self.turn = _TURN["csms" if (line.way == "in") == (way == "up") else "station"]
        if self.turn is None:
            self.held.append(line)
            return
        yield from self.release()
        yield self._turned(line)

    def release(self) -> Iterator[Line | Unread]:
        """The lines held back; without a decision they cannot be read."""
        held, self.held = self.held, []
        for line in held:
            if line.way not in ("in", "out"):
                yield self._inferred(line)
            elif self.turn is None:
                yield Unread(line.place, f"{line.way!r} of whose log? No CALL tells it; use --log-of csms or station")
            else:
                yield self._turned(line)

    def _turned(self, line: Line) -> Line:
        assert self.turn is not None
        return _with(line, self.turn[line.way])

    def _inferred(self, line: Line) -> Line | Unread:
        if line.way:
            return line
        kind, id, action = _kind_and_action(line.text)
        key = (line.station, id)
        if kind == 2:
            way = caller(action, _KNOWN)
            if way:
                if len(self._calls) >= _MOST_CALLS:
                    del self._calls[next(iter(self._calls))]
                self._calls[key] = way
        else:
            way = _OTHER.get(self._calls.pop(key, ""), "")
        return _with(line, way) if way else Unread(line.place, "nothing tells the way of the frame")


def oriented(lines: Iterable[Line | Unread], log_of: str | None = None) -> Iterator[Line | Unread]:
    """The same lines with `up` or `down` where it said `in`, `out` or nothing. `log_of`: csms, station, or not known.

    Raises BadInput for another `log_of`.
    """
    if log_of not in (None, *LOG_OF):
        raise BadInput("command line", "--log-of", f"{log_of!r} is none who keeps a log", LOG_OF)
    state = _Orient(log_of)
    for line in lines:
        if isinstance(line, Unread):
            yield line
            continue
        yield from state.line(line)
        if len(state.held) > _MOST_HELD:
            yield from state.release()
    yield from state.release()


def _kind_and_action(text: str) -> tuple[int, str, str]:
    """Message type, id and action of a frame; 0 and empty texts for what is none."""
    try:
        parts = json.loads(text)
    except (ValueError, RecursionError):
        return 0, "", ""
    match parts:
        case [int() as kind, str() as id, str() as action, *_]:
            return kind, id, action if kind == 2 else ""
        case [int() as kind, str() as id, *_]:
            return kind, id, ""
    return 0, "", ""


def _with(line: Line, way: str) -> Line:
    return Line(
        line.place, line.sent, line.delivered, line.station, line.backend, line.link, way, line.text, line.version
    )
