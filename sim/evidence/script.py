"""A trace as a script for stations: who connected when, asked what, was answered what, and answered what itself.

Reads what was recorded and judges nothing. What was never delivered is not repeated: the back-end of the trace has not
seen it either, and a station that sent it again has the second frame in the trace.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from msgspec import Struct

from sim.errors import BadInput
from sim.evidence.wire import WireLine, read_wire
from sim.wire.ocppj import BadFrame, Call, Error, Result, parse

VERSION_OF = {"ocpp1.6": "1.6", "ocpp2.0.1": "2.0.1", "ocpp2.1": "2.1"}
"""Subprotocols and the versions that schemas know."""
_USUAL = "ocpp1.6"


class Answer(Struct, frozen=True):
    """What came back to a call: the payload of a result, or the code of an error (then `payload` is "{}"); when, in ms."""

    at: int
    payload: str
    code: str = ""


class Ask(Struct):
    """A call, by line number `n` of the trace; `answer` is None if none was recorded."""

    n: int
    at: int
    id: str
    action: str
    payload: str
    answer: Answer | None = None


class Talk(Struct):
    """One connection of a station: what it said in its handshake, asked, and when it ended (0: not in the trace)."""

    station: str
    link: int
    n: int
    at: int
    subprotocols: list[str]
    query: str = ""
    authorization: str = ""
    asks: list[Ask] = []
    closed_n: int = 0
    closed_at: int = 0
    code: int = 1000


class Script(Struct):
    """All connections in the order of their opening. `told` are calls of the back-end by station, with its answers.

    `lost` counts frames of stations that never arrived, `unreadable` those that are no OCPP-J; `whole` is False if the
    trace was cut off; `began` is the instant of its first line.
    """

    talks: list[Talk]
    told: dict[str, list[Ask]]
    began: int
    lost: int
    unreadable: int
    whole: bool
    pseudonymised: bool

    @property
    def asked(self) -> int:
        """How many calls the stations have to make."""
        return sum(len(talk.asks) for talk in self.talks)


def read_script(path: Path, station: str | None = None) -> Script:
    """The script in this trace, of one station alone if one is named. Raises BadInput.

    A trace whose recording was killed is read as far as it goes.
    """
    reader = _Reader(station)
    whole = True
    try:
        for line in read_wire(path):
            reader.line(line)
    except BadInput:
        if not reader.lines:
            raise
        whole = False
    if station is not None and station not in reader.stations:
        names = sorted(reader.stations)
        shown = ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
        raise BadInput(path, "--station", f"there is no station {station!r} in the trace", shown or "nothing")
    if reader.form and not reader.ended:
        whole = False
    return Script(
        talks=sorted(reader.talks, key=lambda talk: talk.n),
        told=dict(reader.told),
        began=reader.began,
        lost=reader.lost,
        unreadable=reader.unreadable,
        whole=whole,
        pseudonymised=reader.pseudonymised,
    )


class _Reader:
    """Line by line; `form` says that the trace is a recording, which has an end."""

    def __init__(self, station: str | None) -> None:
        self._only = station
        self._open: dict[tuple[str, int], Talk] = {}
        self._asked: dict[int, dict[str, Any]] = {}
        self._pending: dict[tuple[str, int, str], dict[str, Ask]] = defaultdict(dict)
        self.talks: list[Talk] = []
        self.told: dict[str, list[Ask]] = defaultdict(list)
        self.stations: Counter[str] = Counter()
        self.lines = self.began = self.lost = self.unreadable = 0
        self.form = self.ended = self.pseudonymised = False

    def line(self, line: WireLine) -> None:
        self.lines += 1
        self.began = self.began or line.t
        if line.w == "head":
            self.form, self.pseudonymised = True, bool(_facts(line.f).get("pseudonymised"))
        elif line.w == "foot":
            self.ended = True
        if not line.s or line.w in ("head", "foot", "refused"):
            return
        self.stations[line.s] += 1
        if self._only not in (None, line.s):
            return
        if line.w == "asked":
            self._asked[line.l] = _facts(line.f)
        elif line.w == "open":
            self._opened(line)
        elif line.w == "close":
            self._closed(line)
        else:
            self._frame(line)

    def _opened(self, line: WireLine) -> Talk:
        facts = self._asked.pop(line.l, {})
        chosen = line.f if line.w == "open" else ""
        talk = Talk(line.s, line.l, line.n, line.t, [str(one) for one in facts.get("offered", ())])
        talk.subprotocols = talk.subprotocols or [chosen or _USUAL]
        talk.query = str(facts.get("path", "")).partition("?")[2]
        talk.authorization = str(facts.get("authorization", ""))
        self._open[line.b, line.l] = talk
        self.talks.append(talk)
        return talk

    def _closed(self, line: WireLine) -> None:
        talk = self._open.pop((line.b, line.l), None)
        if talk is None:
            return
        talk.closed_n, talk.closed_at = line.n, line.t
        by, _, reason = line.f.partition(": ")
        with contextlib.suppress(ValueError):
            code = int(reason.split(" ")[0] or 0)
            # Codes that stand for something other than a closing frame cannot be sent.
            talk.code = code if by == "station" and (code in (1000, 1001) or 3000 <= code < 5000) else 1000

    def _frame(self, line: WireLine) -> None:
        talk = self._open.get((line.b, line.l)) or self._opened(line)
        try:
            frame = parse(line.f.encode("utf-8", "surrogatepass"))
        except BadFrame:
            self.unreadable += 1
            return
        if isinstance(frame, Call):
            if line.d is None:
                self.lost += line.w == "up"
                return
            ask = Ask(line.n, line.t, frame.id, frame.action, frame.payload.decode())
            self._pending[line.b, line.l, line.w][frame.id] = ask
            (talk.asks if line.w == "up" else self.told[line.s]).append(ask)
            return
        other = "down" if line.w == "up" else "up"
        asked = self._pending[line.b, line.l, other].pop(frame.id, None)
        if asked is None:
            return
        at = line.t if line.d is None else line.d
        match frame:
            case Result():
                asked.answer = Answer(at, frame.payload.decode())
            case Error():
                asked.answer = Answer(at, "{}", frame.code)


def _facts(text: str) -> dict[str, Any]:
    try:
        facts = json.loads(text)
    except ValueError:
        return {}
    return facts if isinstance(facts, dict) else {}
