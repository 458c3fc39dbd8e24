"""Logs that others wrote: JSON lines and plain text lines with OCPP-J frames in them, under the usual names.

The names understood (upper and lower case, `_` and `-` do not matter):

    time       ts time timestamp @timestamp datetime date t    RFC 3339, or seconds, ms, us or ns since 1970
    direction  direction dir way flow                          up down; in out recv send rx tx; CS->CSMS and the like
    station    station stationId cpId cp chargePointId chargePoint chargingStationId chargeBoxId identity charger
    frame      frame raw message msg payload ocpp data text    the array, or a text that holds it
    link       link connection connectionId socket session     one number or text for each connection
    back-end   backend csms centralSystem
    event      event                                           open, connect(ed), close(d), disconnect(ed)
    version    version protocol subprotocol ocppVersion        1.6, ocpp2.0.1 and the like

In a text line the time leads, the frame is the first `[2,"...` (3 to 6), and words or arrows before it tell the way.
A time without a zone counts as UTC. Nothing is judged here; what cannot be read is handed on as Unread.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from scenarios.wirecheck.lines import Line, Unread, own_line
from sim.clock import parse_iso
from sim.evidence.wire import ASIDE

TIME = ("ts", "time", "timestamp", "@timestamp", "datetime", "date", "t")
WAY = ("direction", "dir", "way", "flow")
STATION = (
    "station", "stationid", "cpid", "cp", "chargepointid", "chargepoint", "chargingstationid", "chargingstation",
    "chargeboxid", "identity", "charger", "chargerid",
)  # fmt: skip
FRAME = ("frame", "raw", "message", "msg", "payload", "ocpp", "data", "text")
LINK = ("link", "connection", "connectionid", "socket", "session")
BACKEND = ("backend", "csms", "centralsystem")
VERSION = ("version", "protocol", "subprotocol", "ocppversion")
EVENTS = {
    "open": "open", "opened": "open", "connect": "open", "connected": "open",
    "close": "close", "closed": "close", "disconnect": "close", "disconnected": "close",
}  # fmt: skip
NOBODY = "(unnamed)"
"""The station of a log that names none."""

_STATIONS = ("cp", "station", "charger", "chargepoint", "chargingstation", "evse")
_BACKENDS = ("csms", "central", "centralsystem", "server", "backend")
_RELATIVE = {
    "in": ("in", "incoming", "inbound", "recv", "receive", "received", "receiving", "rx", "<", "<-", "<<", "<=", "←"),
    "out": ("out", "outgoing", "outbound", "send", "sent", "sending", "tx", ">", "->", ">>", "=>", "→"),
    "up": ("up", "upstream", "fromstation", "fromcp", "tocsms", "requestfromcp"),
    "down": ("down", "downstream", "fromcsms", "tostation", "tocp", "requestfromcsms"),
}
_WORDS = {word: way for way, words in _RELATIVE.items() for word in words}
_PAIR = re.compile(r"([a-z]+)\s*(?:->|=>|→|>>|>|_to_|\bto\b)\s*([a-z]+)")
_TOKEN = re.compile(r"[a-z]+|<[-<=]?|[-=]?>>?|←|→")
_FRAME = re.compile(r'\[\s*[2-6]\s*,\s*"')
_CLOCK = re.compile(r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:[.,](\d{1,9}))?\s?(Z|[+-]\d\d:?\d\d)?", re.IGNORECASE)
_NAMED = re.compile(
    r"\b(?:station|charger|charge ?point|cp|cpid|chargePointId|identity)(?:\s*[=:]\s*|\s)\"?([\w*|@.:+-]+)", re.I
)
_PREFIX = re.compile(r"\b([\w*|@.+-]+):\s*(?:receive|send|recv|sent|received)\b[^:]*$", re.I)
_SPLIT = re.compile(r"(?<=charge) (?=point)|(?<=charging) (?=station)|(?<=central) (?=system)|(?<=back)-(?=end)")
_MOST_AHEAD = 60
_raw_decode = json.JSONDecoder().raw_decode
_loads = msgspec.json.Decoder().decode
_again = msgspec.json.encode


def read(lines: Iterable[tuple[str, bytes] | Unread]) -> Iterator[Line | Unread]:
    """Every line of a file as a Line or an Unread, whatever form it has."""
    for one in lines:
        if isinstance(one, Unread):
            yield one
            continue
        place, raw = one
        line = own_line(raw, place) or _foreign(place, raw)
        if isinstance(line, Unread) or line.way not in ASIDE:  # what a recording says of itself is no traffic
            yield line


def _foreign(place: str, raw: bytes) -> Line | Unread:
    raw = raw.strip().removeprefix(b"\xef\xbb\xbf")
    if raw.startswith(b"{"):
        try:
            data = _loads(raw)
        except (ValueError, RecursionError):
            return Unread(place, "the line is no JSON")
        return _from_keys(place, data)
    text = raw.decode("utf-8", "replace")
    found = find_frame(text)
    if found is None:
        return Unread(place, "there is no OCPP-J frame in the line")
    head, frame = found
    at = leading_time(head)
    if at is None:
        return Unread(place, "no time stands before the frame")
    named = _NAMED.search(head) or _PREFIX.search(head)
    return Line(place, at, at, named[1] if named else NOBODY, "", "0", way_of(head), frame)


def _from_keys(place: str, data: dict[str, Any]) -> Line | Unread:
    keys = {key.lower().replace("_", "").replace("-", ""): value for key, value in data.items()}
    at = instant(_first(keys, TIME))
    station, link = str(_first(keys, STATION) or NOBODY), str(_first(keys, LINK) or "0")
    backend, version = str(_first(keys, BACKEND) or ""), str(_first(keys, VERSION) or "")
    told = str(_first(keys, WAY) or "")
    event = EVENTS.get(str(keys.get("event", told)).lower())
    found = _frame_of(keys, bool(told))
    if found is None and event is None:
        return Unread(place, f"no OCPP-J frame under any of the names {', '.join(FRAME)}")
    if at is None:
        return Unread(place, f"no time under any of the names {', '.join(TIME)}")
    if found is None or (event is not None and not _FRAME.match(found[1])):
        return Line(place, at, at, station, backend, link, str(event), found[1] if found else "", version)
    head, frame = found
    return Line(place, at, at, station, backend, link, way_of(told) or way_of(head), frame, version)


def _frame_of(keys: Mapping[str, Any], told: bool) -> tuple[str, str] | None:
    """What stands before the frame, and the frame. `told`: the line names a way, so that any text must be meant as one."""
    texts = []
    for name in FRAME:
        value = keys.get(name)
        if isinstance(value, list) and value and isinstance(value[0], int):
            return "", _again(value).decode()
        if isinstance(value, str):
            found = find_frame(value)
            if found is not None:
                return found
            texts.append(value)
    return ("", texts[0]) if told and texts else None


def find_frame(text: str) -> tuple[str, str] | None:
    """What stands before the first OCPP-J frame in a text, and the frame; None if there is none that can be read."""
    begin = _FRAME.search(text)
    if begin is None:
        return None
    try:
        _, end = _raw_decode(text, begin.start())
    except (ValueError, RecursionError):
        return None
    return text[: begin.start()], text[begin.start() : end]


def way_of(text: str) -> str:
    """The way that words or arrows tell: up, down, in, out, or "" if they tell none (the last one counts)."""
    low = _SPLIT.sub("", text.lower())
    for left, right in _PAIR.findall(low):
        if left in _STATIONS or (left == "cs" and right in _BACKENDS):
            if right in _BACKENDS or right == "cs":
                return "up"
        elif (left in _BACKENDS or left == "cs") and right in (*_STATIONS, "cs"):
            return "down"
    whole = _WORDS.get(re.sub(r"[^a-z<>=←→-]|(?<=[a-z])-(?=[a-z])", "", low))
    if whole:
        return whole
    told = [_WORDS[token] for token in _TOKEN.findall(low) if token in _WORDS]
    return told[-1] if told else ""


def leading_time(head: str) -> int | None:
    """The instant that stands near the beginning of a text, in ms; None if none does."""
    found = _CLOCK.search(head[:_MOST_AHEAD])
    if found is None:
        return None
    day, clock, fraction, zone = found.groups()
    zone = (zone or "Z").upper()
    if len(zone) == 5:
        zone = f"{zone[:3]}:{zone[3:]}"
    try:
        return parse_iso(f"{day}T{clock}.{(fraction or '0')[:6]}{zone}")
    except ValueError:
        return None


def instant(value: Any) -> int | None:
    """An instant in ms from a text or a number: seconds, ms, us or ns since 1970 by their size. None if it is none."""
    if isinstance(value, str):
        found = leading_time(value)
        if found is not None:
            return found
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e20:
        return None
    for least, per_ms in ((1e17, 1e6), (1e14, 1e3), (1e11, 1.0)):
        if value >= least:
            return int(value / per_ms)
    return int(value * 1000)


def _first(keys: Mapping[str, Any], names: Iterable[str]) -> Any:
    """The first value there is under these names; objects and lists do not count."""
    values = (keys.get(name) for name in names)
    return next((one for one in values if one is not None and not isinstance(one, dict | list)), None)
