"""SML, the Smart Message Language, as far as signed meter values need it: the answer to a request for a list.

Reads one file between its escapes into nested lists, and finds the GetList response in it. What cannot be read is
Malformed and nothing else. Source: BSI TR-03109-1, SML 1.04 §5 (messages), §6 (coding), §8 (transport).
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from sim.wire.ocmf_parse import Malformed

ESCAPE = b"\x1b\x1b\x1b\x1b"
_BEGIN = ESCAPE + b"\x01\x01\x01\x01"
_END = ESCAPE + b"\x1a"
_GET_LIST = 0x0701
_DEEPEST = 12


class Moment(Struct, frozen=True):
    """A time: seconds since 1970 UTC, or of the meter's own count (`index`); local time is `offset` minutes ahead."""

    seconds: int
    offset: int = 0
    index: bool = False

    @property
    def local(self) -> int:
        """Seconds as the meter's clock shows them."""
        return self.seconds + 60 * self.offset


class Entry(Struct, frozen=True):
    """One row of the list."""

    name: bytes
    status: int | None
    time: Moment | None
    unit: int | None
    scaler: int
    value: Any
    signature: bytes | None


class Answer(Struct, frozen=True):
    """A GetList response. `signature` is that over the whole list."""

    server_id: bytes
    list_name: bytes
    rows: dict[bytes, Entry]
    signature: bytes


def read_list(data: bytes) -> Answer:
    """The first list in an SML file. Raises Malformed."""
    body = _body(data)
    at = 0
    while at < len(body):
        if body[at] == 0:  # fill bytes, and the end of a message
            at += 1
            continue
        message, at = _value(body, at, 0)
        if isinstance(message, list) and len(message) >= 4:
            content = message[3]
            if isinstance(content, list) and len(content) == 2 and content[0] == _GET_LIST:
                return _answer(content[1])
    raise Malformed("there is no list of values in the SML file")


def moment(value: Any) -> Moment | None:
    """An SML_Time: [1, index], [2, UTC seconds] or [3, [UTC seconds, offset, offset of the season]]; None for another."""
    if not isinstance(value, list) or len(value) != 2:
        return None
    kind, told = value
    if kind in (1, 2) and isinstance(told, int):
        return Moment(told, 0, kind == 1)
    if kind == 3 and isinstance(told, list) and len(told) == 3 and all(isinstance(one, int) for one in told):
        return Moment(told[0], told[1] + told[2])
    return None


def _answer(content: Any) -> Answer:
    if not isinstance(content, list) or len(content) < 6 or not isinstance(content[4], list):
        raise Malformed("the list of values is no GetList response")
    server, name, signature = (content[n] if isinstance(content[n], bytes) else b"" for n in (1, 2, 5))
    rows = {}
    for row in content[4]:
        if not isinstance(row, list) or len(row) != 7 or not isinstance(row[0], bytes):
            raise Malformed("a row of the list of values is none")
        status, unit, scaler = (row[n] if isinstance(row[n], int) else None for n in (1, 3, 4))
        sealed = row[6] if isinstance(row[6], bytes) and row[6] else None
        rows[row[0]] = Entry(row[0], status, moment(row[2]), unit, scaler or 0, row[5], sealed)
    return Answer(server, name, rows, signature)


def _body(data: bytes) -> bytes:
    """What stands between the begin and the end of the file, escapes inside undone."""
    start = data.find(_BEGIN)
    if start < 0:
        raise Malformed("the SML file has no begin")
    at, found = start + len(_BEGIN), b""
    while True:
        stop = data.find(ESCAPE, at)
        if stop < 0:
            raise Malformed("the SML file has no end")
        found += data[at:stop]
        if data[stop : stop + len(_END)] == _END:
            return found
        if data[stop + 4 : stop + 8] != ESCAPE:
            raise Malformed("an escape of the SML file is none")
        found += ESCAPE
        at = stop + 8


def _value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """The element that begins here, and where the next one does. Octets are bytes, an empty one is None."""
    if depth > _DEEPEST:
        raise Malformed("the SML file is nested too deep")
    if data[at : at + 1] == b"\0":  # the end of a message is an item of it
        return None, at + 1
    kind, length, head = _head(data, at)
    if kind == 7:
        items = []
        at += head
        for _ in range(length):
            item, at = _value(data, at, depth + 1)
            items.append(item)
        return items, at
    end = at + length
    content = data[at + head : end]
    if length < head or end > len(data):
        raise Malformed("an element of the SML file is cut off")
    if kind == 0:
        return content or None, end
    if kind == 4:
        return content != b"\0", end
    if kind in (5, 6):
        return int.from_bytes(content, "big", signed=kind == 5), end
    raise Malformed("an element of the SML file is of an unknown kind")


def _head(data: bytes, at: int) -> tuple[int, int, int]:
    """Kind and length of an element, and how many bytes say so. Lengths of lists count items."""
    head, length = 0, 0
    kind = data[at] >> 4 & 7 if at < len(data) else 0
    while True:
        if at + head >= len(data) or head > 3:
            raise Malformed("an element of the SML file is cut off")
        byte = data[at + head]
        length = length << 4 | byte & 0x0F
        head += 1
        if not byte & 0x80:
            return kind, length, head
