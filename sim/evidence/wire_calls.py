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


Reading = tuple[int, list[int], Entry]
"""A MeterValues that waits for its answer: call number, counts, and the line of its frame."""
Waiting = CallRow | Reading | list[int]
"""A call that waits for its answer; of one that is only counted, the counts."""


class Direction:
    """The calls of one direction of one link that still wait for their answer, and how many there were.

    `counts` has for each action how many were called, answered and refused; `place` stands for the direction in packed
    rows.
    """

    __slots__ = ("counts", "pending", "place")

    def __init__(self, place: int) -> None:
        self.pending: dict[bytes, Waiting] = {}
        self.counts: dict[bytes, list[int]] = {}
        self.place = place


class CallLog:
    """All calls of a run in the order of their delivery."""

    def __init__(self, versions: Mapping[int, str]) -> None:
        """`versions` has the OCPP version of each link, by the time that rows are asked for."""
        self._versions = versions
        self._names: dict[bytes, str] = {}
        self._whole: dict[int, CallRow] = {}
        self.next_number = count(1).__next__
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
        number = self.next_number()
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

    _head = Packed("<7qH")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._wheres: list[tuple[str, str, int, str]] = []

    def place(self, where: tuple[str, str, int, str]) -> int:
        """What stands for this direction of a link in a row."""
        self._wheres.append(where)
        return len(self._wheres) - 1

    def add(self, reading: Reading, place: int, id: bytes, answered_at: int, answer_delivered_at: int | None) -> bool:
        """Pack this row; False, and nothing done, if there is anything unusual about it."""
        number, _, (_, sent_at, delivered_at, _, _, _, _, frame) = reading
        at = frame.find(_KEPT)
        transaction = _NONE
        if at >= 0:
            end = frame.find(b",", at)
            digits = frame[at + len(_KEPT) : end if end >= 0 else -2]
            if not digits.isdigit() or len(digits) > _LONGEST:
                return False
            transaction = int(digits)
        if answer_delivered_at is None or len(id) > 0xFFFF:
            return False
        self._bytes += self._head.pack(
            number, place, sent_at, delivered_at, answered_at, answer_delivered_at, transaction, len(id)
        )
        self._bytes += id
        return True

    def columns(self) -> Iterator[tuple[Scalar, ...]]:
        """The rows as they go into `wire_calls`."""
        data, at, size = self._bytes, 0, self._head.size
        while at < len(data):
            number, place, sent, delivered, answered, back, transaction, length = self._head.unpack_from(data, at)
            at += size + length
            id = text(bytes(data[at - length : at]))
            payload = "{}" if transaction == _NONE else f'{{"transactionId":{transaction}}}'
            head = (number, *self._wheres[place], id, _PACKED, payload, None)
            yield (*head, sent, delivered, "result", "{}", answered, back)


def _unpacked(reading: Reading, id: bytes) -> CallRow:
    """The row of a MeterValues that is to be kept whole after all."""
    number, counts, (_, sent_at, delivered_at, station, backend, link, way, frame) = reading
    payload = frame[frame.index(_PAYLOAD) + len(_PAYLOAD) : -1]
    return CallRow(number, (station, backend, link, way, sent_at, delivered_at), id, _PACKED, payload, counts)


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
