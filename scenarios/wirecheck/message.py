"""One frame on the wire as rules see it: read leniently, with what is wrong about its form written down.

Never raises for what a peer sent. Knows the frames of all OCPP-J versions (types 2 to 6); whether a payload fits its
schema is for the rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from scenarios.wirecheck.lines import Line
from sim.clock import parse_iso
from sim.wire.ocppj import MAX_ID

CALL, RESULT, ERROR, RESULT_ERROR, SEND = 2, 3, 4, 5, 6
_LENGTHS = {CALL: 4, RESULT: 3, ERROR: 5, RESULT_ERROR: 5, SEND: 4}
_MOST_SHOWN = 240
_SECRET = re.compile(r'("(?:AuthorizationKey|BasicAuthPassword)",\s*"value":\s*")[^"]*|("attributeValue":\s*")[^"]*')
_TOKEN = re.compile(r'("(?:idTag|parentIdTag|idToken)":\s*")([^"]+)(")')

_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_any = msgspec.json.Decoder().decode
_Id = Annotated[str, Meta(max_length=MAX_ID)]
_usual_call = msgspec.json.Decoder(tuple[Literal[2], _Id, Annotated[str, Meta(min_length=1)], msgspec.Raw]).decode
_usual_result = msgspec.json.Decoder(tuple[Literal[3], _Id, msgspec.Raw]).decode


class Message(Struct, gc=True):
    """A frame. `sent` and `delivered` in ms (`delivered` None: lost on the way); `kind` 0 if it is no frame at all.

    `raw` is the payload as it stood there, `payload` the same decoded ({} if it is no object), `code` of a CALLERROR.
    `wrong` says what is wrong with the form. Of an answer, `call` is the CALL that it answers, `late` that it was overdue.
    Of a CALL of the station, `transaction` is what it is about (None: not known), `repeat` that it was heard before.
    `kept` holds what was worked out once for all rules.
    """

    place: str
    sent: int
    delivered: int | None
    station: str
    backend: str
    link: str
    up: bool
    text: str
    kind: int = 0
    id: str = ""
    action: str = ""
    raw: bytes = b""
    payload: dict[str, Any] = {}
    code: str = ""
    wrong: str = ""
    call: Message | None = None
    transaction: Any = None
    repeat: bool = False
    late: bool = False
    kept: dict[str, Any] | None = None

    @property
    def arrived(self) -> int:
        """When it reached the other side; when it was sent, if that is not known."""
        return self.sent if self.delivered is None else self.delivered

    @property
    def sender(self) -> str:
        """Who is to be judged for it."""
        return "station" if self.up else "back-end"

    def shown(self) -> str:
        """The frame for people: short, without passwords and without whole tokens."""
        text = _TOKEN.sub(_part, _SECRET.sub(r"\1\2…", self.text))
        return text if len(text) <= _MOST_SHOWN else text[: _MOST_SHOWN - 1] + "…"


def _part(found: re.Match[str]) -> str:
    """A token of which at most half and four characters are shown."""
    head, token, tail = found.groups()
    return f"{head}{token[: min(4, len(token) // 2)]}…{tail}"


def message(line: Line) -> Message:
    """The frame of a line whose way is up or down."""
    one = Message(
        line.place, line.sent, line.delivered, line.station, line.backend, line.link, line.way == "up", line.text
    )
    try:  # the usual frames, in as few steps as possible
        if line.text.startswith("[2,"):
            one.kind, one.id, one.action, raw = _usual_call(line.text)
        else:
            one.kind, one.id, raw = _usual_result(line.text)
        payload = _any(raw)
        if isinstance(payload, dict):
            one.payload, one.raw = payload, bytes(raw)
            return one
    except (ValueError, RecursionError):
        pass
    return _slowly(one, line)


def _slowly(one: Message, line: Line) -> Message:
    """Frames that are odd in any way: what can be read, and what is wrong with them."""
    one.kind, one.id, one.action = 0, "", ""
    try:
        parts = _raws(line.text)
    except (ValueError, RecursionError):
        one.wrong = "it is no JSON array"
        return one
    kind = _value(parts[0]) if parts else None
    if type(kind) is not int or kind not in _LENGTHS:
        one.wrong = "its message type is none of 2 to 6"
        return one
    id = _value(parts[1]) if len(parts) > 1 else None
    if not isinstance(id, str):
        one.wrong = "it has no readable id"
        return one
    one.kind, one.id = kind, id
    one.wrong = _fill(one, parts)
    if not one.wrong and len(id) > MAX_ID:
        one.wrong = f"its id has {len(id)} characters, {MAX_ID} are allowed"
    return one


def _fill(one: Message, parts: list[msgspec.Raw]) -> str:
    """Set what follows the id; returns what is wrong with it."""
    wrong = "" if len(parts) == _LENGTHS[one.kind] else f"it has {len(parts)} elements instead of {_LENGTHS[one.kind]}"
    if one.kind in (ERROR, RESULT_ERROR):
        code = _value(parts[2]) if len(parts) > 2 else None
        one.code = code if isinstance(code, str) else ""
        if not isinstance(code, str):
            return wrong or "its error code is no text"
        if len(parts) > 3 and not isinstance(_value(parts[3]), str):
            return wrong or "its error description is no text"
        return wrong or ("" if isinstance(_value(parts[4]), dict) else "its error details are no object")
    if one.kind in (CALL, SEND):
        action = _value(parts[2]) if len(parts) > 2 else None
        if not isinstance(action, str) or not action:
            return wrong or "its action is no name"
        one.action = action
    at = _LENGTHS[one.kind] - 1
    if len(parts) <= at:
        return wrong
    one.raw = bytes(parts[at])
    payload = _value(parts[at])
    if not isinstance(payload, dict):
        return wrong or "its payload is no object"
    one.payload = payload
    return wrong


def _value(raw: msgspec.Raw) -> Any:
    try:
        return _any(raw)
    except (ValueError, RecursionError):
        return None


def once(one: Message, name: str, work: Callable[[], Any]) -> Any:
    """What this work gives for a frame; done once, however many rules ask."""
    kept = one.kept
    if kept is None:
        kept = one.kept = {}
    if name not in kept:
        kept[name] = work()
    return kept[name]


# -- careful looks into payloads that may hold anything --------------------------------------------------------------


def whole(value: Any) -> int | None:
    """The value if it is a whole number."""
    return value if type(value) is int else None


def text_of(value: Any) -> str:
    """The value if it is a text, "" otherwise."""
    return value if isinstance(value, str) else ""


def time_of(value: Any) -> int | None:
    """The instant (ms) of an RFC 3339 text, None if it is none."""
    if not isinstance(value, str):
        return None
    try:
        return parse_iso(value)
    except ValueError:
        return None


def inside(value: Any) -> dict[str, Any]:
    """The value if it is an object, an empty one otherwise."""
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[dict[str, Any]]:
    """The objects of a list; nothing if it is no list."""
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []
