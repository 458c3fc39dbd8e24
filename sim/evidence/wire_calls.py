"""The calls of the wire plane: each CALL paired with its answer, as one row.

Heartbeats are only counted. Of a MeterValues that was answered as usual the transaction is kept and the values are not:
they are most of the traffic, and their rows are packed until somebody reads them. Everything else is kept whole. Whether
a call was well-formed is judged when it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from struct import Struct as Packed

from msgspec import Struct

from sim.evidence.canonical import Scalar
from sim.wire.schema import judge

Where = tuple[str, str, int, str, int, int | None]
"""Station, back-end, link, way, sent and delivered of a frame."""

Entry = tuple[int, int, int | None, str, str, int, str, bytes]
"""What becomes a line: number, sent, delivered, station, back-end, link, way, frame."""

COUNTED_ONLY = "Heartbeat"
"""The action of which no row is kept."""
READING = b"MeterValues"
"""The action whose rows are packed."""
MOSTLY = (READING, COUNTED_ONLY.encode())
_PACKED = READING.decode()
_PAYLOAD = b'"%b",' % READING
_KEPT = b'"transactionId":'
_NONE = -(1 << 63)
_ROW = Packed("7qH")
"""Of a packed row: call number, place, sent, delivered, answered, answer delivered, transaction, length of the id."""
ID_LENGTH, _HEAD_LENGTH = 36, len(b'[2,"')
pack_usual = Packed(f"{_ROW.format}{ID_LENGTH}s").pack
"""A packed row with an id of the usual length."""
_MOST_HEADS = 8
_LONGEST = 18
"""Digits of a number that surely fits into 63 bits."""


class CallRow(Struct, gc=False):
    """One CALL as it is kept while the run goes on; the columns of `wire_calls`, payloads still bytes.

    `thinned`: the payload was cut down to its transactionId.
    """

    call_no: int
    at: Where
    message_id: bytes
    action: str
    payload: bytes
    counts: list[int]
    answer_kind: str | None = None
    answer: bytes | None = None
    answered_at: int | None = None
    answer_delivered_at: int | None = None
    thinned: bool = False

    def columns(self, version: str) -> tuple[Scalar, ...]:
        """The row as it goes into `wire_calls`. `well_formed` is NULL where the payload was not kept."""
        good = None if self.thinned else int(judge(version, self.action, "request", self.payload) is None)
        answer = None if self.answer is None else text(self.answer)
        station, backend, link, way, sent_at, delivered_at = self.at
        head = (self.call_no, station, backend, link, way, text(self.message_id), self.action, text(self.payload), good)
        return (*head, sent_at, delivered_at, self.answer_kind, answer, self.answered_at, self.answer_delivered_at)


Reading = tuple[int, list[int], Entry, int | None]
"""A MeterValues that waits for its answer: call number, counts, the line of its frame, and its transaction as packed rows
have it; None if its row is to be kept whole."""
Waiting = CallRow | Reading | list[int]
"""A call that waits for its answer; of one that is only counted, the counts."""


class Direction:
    """The calls of one direction of one link that still wait for their answer, and how many there were.

    `counts` has for each action how many were called, answered and refused; `place` stands for the direction in packed
    rows. `heads` has the transaction of each MeterValues by how its frame goes on behind the id to the end of the
    transaction id, which is where `head` cuts it; `readings` are the counts of those.
    """

    __slots__ = ("counts", "head", "heads", "pending", "place", "readings")

    def __init__(self, place: int) -> None:
        self.pending: dict[bytes, Waiting] = {}
        self.counts: dict[bytes, list[int]] = {}
        self.place = place
        self.heads: dict[bytes, int] = {}
        self.head = slice(0)
        self.readings: list[int] = []

    def learn(self, frame: bytes, length: int) -> int | None:
        """The transaction of a MeterValues whose id is so long; what comes next is compared with it."""
        found = transaction_in(frame)
        if found is None:
            return None
        transaction, end = found
        if end >= 0 and length == ID_LENGTH:
            head = slice(_HEAD_LENGTH + ID_LENGTH, end + 1)
            if head != self.head or len(self.heads) >= _MOST_HEADS:
                self.heads.clear()
                self.head = head
            self.heads[frame[head]] = transaction
            self.readings = self.counts[READING]
        return transaction


class WireLink:
    """One connection while it is recorded."""

    __slots__ = ("closed", "down", "frames_down", "frames_up", "last", "opened", "up", "version")

    def __init__(self, opened: tuple[int, str, str, int | None], version: str, up: Direction, down: Direction) -> None:
        self.opened = opened
        self.version = version
        self.closed: tuple[int, str, str] | None = None
        self.up = up
        self.down = down
        self.frames_up = 0
        self.frames_down = 0
        self.last: int | None = None

    def row(self, link: int) -> tuple[Scalar, ...]:
        """The row of `wire_links`."""
        _, station, backend, opened_at = self.opened
        closed = self.closed or (None, None, None)
        counted = (self.frames_up, self.frames_down, self.last, self.version)
        return (link, station, backend, opened_at, *closed, *counted)


class CallLog:
    """All calls of a run in the order of their delivery."""

    def __init__(self, versions: Mapping[int, str]) -> None:
        """`versions` has the OCPP version of each link, by the time that rows are asked for."""
        self._versions = versions
        self._names: dict[bytes, str] = {}
        self._whole: dict[int, CallRow] = {}
        self.numbers = count(1)
        self.packed = PackedRows()
        self.answers_to_nothing = 0
        """Answers that no call waited for."""

    def direction(self, station: str, backend: str, link: int, way: str) -> Direction:
        """A new direction of a link."""
        return Direction(self.packed.place((station, backend, link, way)))

    def call(self, calls: Direction, id: bytes, action: bytes, payload: bytes, at: Where) -> None:
        """A CALL was delivered, or lost."""
        counts = calls.counts.get(action)
        if counts is None:
            counts = calls.counts[action] = [0, 0, 0]
        counts[0] += 1
        name = self._names.get(action)
        if name is None:
            name = self._names[action] = text(action)
        if name == COUNTED_ONLY:
            if at[-1] is not None:
                calls.pending[id] = counts
            return
        number = next(self.numbers)
        row = calls.pending[id] = CallRow(number, at, id, name, payload, counts)
        if name != _PACKED:
            self._whole[number] = row

    def answer(
        self, row: Waiting | None, id: bytes, kind: str, answer: bytes, sent_at: int, delivered_at: int | None
    ) -> str | None:
        """The answer to the call that waited under this id (None: no call did) was delivered, or lost.

        Returns the action, None if nobody waited for it, or if the call had never arrived.
        """
        which = 1 if kind == "result" else 2
        if row is None:
            self.answers_to_nothing += 1
            return None
        if isinstance(row, list):
            row[which] += 1
            return COUNTED_ONLY
        if isinstance(row, tuple):
            row = _unpacked(row, id)
        row.counts[which] += 1
        if row.action == _PACKED:
            self._whole[row.call_no] = row
            if which == 1:
                row.payload = _id_only(row.payload)
                row.thinned = True
        row.answer_kind = kind
        row.answer = answer
        row.answered_at = sent_at
        row.answer_delivered_at = delivered_at
        return None if row.at[-1] is None else row.action

    def rows(self, directions: Iterable[Direction]) -> list[tuple[Scalar, ...]]:
        """All rows of `wire_calls`; `directions` are those of all links, whose calls may still wait."""
        whole = dict(self._whole)
        for direction in directions:
            for id, row in direction.pending.items():
                if not isinstance(row, list):
                    known = _unpacked(row, id) if isinstance(row, tuple) else row
                    whole[known.call_no] = known
        rows = [row.columns(self._versions[row.at[2]]) for row in whole.values()]
        rows.extend(self.packed.columns())
        rows.sort(key=_number_of)
        return rows


class PackedRows:
    """MeterValues that were answered with nothing, as everybody does: numbers and id of each in one run of bytes."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._wheres: list[tuple[str, str, int, str]] = []

    def place(self, where: tuple[str, str, int, str]) -> int:
        """What stands for this direction of a link in a row."""
        self._wheres.append(where)
        return len(self._wheres) - 1

    def add(self, reading: Reading, place: int, id: bytes, answered_at: int, answer_delivered_at: int | None) -> bool:
        """Pack this row; False, and nothing done, if there is anything unusual about it."""
        number, _, (_, sent_at, delivered_at, _, _, _, _, _), transaction = reading
        if transaction is None or answer_delivered_at is None or len(id) > 0xFFFF:
            return False
        row = (number, place, sent_at, delivered_at, answered_at, answer_delivered_at, transaction, len(id))
        self.data += _ROW.pack(*row) + id
        return True

    def columns(self) -> Iterator[tuple[Scalar, ...]]:
        """The rows as they go into `wire_calls`."""
        data, at, size = self.data, 0, _ROW.size
        while at < len(data):
            number, place, sent, delivered, answered, back, transaction, length = _ROW.unpack_from(data, at)
            at += size + length
            id = text(bytes(data[at - length : at]))
            payload = "{}" if transaction == _NONE else f'{{"transactionId":{transaction}}}'
            head = (number, *self._wheres[place], id, _PACKED, payload, None)
            yield (*head, sent, delivered, "result", "{}", answered, back)


def _unpacked(reading: Reading, id: bytes) -> CallRow:
    """The row of a MeterValues that is to be kept whole after all."""
    number, counts, (_, sent_at, delivered_at, station, backend, link, way, frame), _ = reading
    payload = frame[frame.index(_PAYLOAD) + len(_PAYLOAD) : -1]
    return CallRow(number, (station, backend, link, way, sent_at, delivered_at), id, _PACKED, payload, counts)


def transaction_in(frame: bytes) -> tuple[int, int] | None:
    """The transaction id of a MeterValues and where the comma behind it stands, -1 if there is none; None if it is no
    plain number.
    """
    at = frame.find(_KEPT)
    if at < 0:
        return _NONE, -1
    end = frame.find(b",", at)
    digits = frame[at + len(_KEPT) : end if end >= 0 else -2]
    if not digits.isdigit() or len(digits) > _LONGEST:
        return None
    return int(digits), end


def text(data: bytes) -> str:
    """Bytes of a peer as text, whatever they are."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "backslashreplace")


def _number_of(row: tuple[Scalar, ...]) -> int:
    assert isinstance(row[0], int)
    return row[0]


def _id_only(payload: bytes) -> bytes:
    """A MeterValues payload cut down to its transactionId: all that joins need of it."""
    at = payload.find(_KEPT)
    if at < 0:
        return b"{}"
    end = payload.find(b",", at)
    return b"{" + payload[at : end if end >= 0 else -1] + b"}"
