"""The calls of the wire plane: each CALL paired with its answer, as one row.

Heartbeats are only counted. Of a MeterValues that was answered as usual the transaction is kept and the values are not:
they are most of the traffic, and their rows are packed until somebody reads them. Everything else is kept whole. Whether
a call was well-formed is judged when it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from struct import Struct as Packed

from msgspec import Struct

from sim.evidence.canonical import Scalar
from sim.wire.schema import judge

Where = tuple[str, str, int, str, int, int | None]
"""Station, back-end, link, way, sent and delivered of a frame."""

COUNTED_ONLY = "Heartbeat"
"""The action of which no row is kept."""
_COUNTED_ONLY = COUNTED_ONLY.encode()
_PACKED = "MeterValues"
_NOTHING = b"{}"
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


class Direction:
    """The calls of one direction of one link that still wait for their answer, and how many there were.

    `counts` has for each action how many were called, answered and refused.
    """

    __slots__ = ("counts", "pending")

    def __init__(self) -> None:
        self.pending: dict[bytes, CallRow | list[int]] = {}
        self.counts: dict[bytes, list[int]] = {}


class CallLog:
    """All calls of a run in the order of their delivery."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._names: dict[bytes, str] = {}
        self._number = 0
        self._whole: dict[int, CallRow] = {}
        self._packed = _PackedRows()
        self.answers_to_nothing = 0
        """Answers that no call waited for."""

    def call(self, calls: Direction, id: bytes, action: bytes, payload: bytes, at: Where) -> None:
        """A CALL was delivered, or lost."""
        counts = calls.counts.get(action)
        if counts is None:
            counts = calls.counts[action] = [0, 0, 0]
        counts[0] += 1
        if action == _COUNTED_ONLY:
            if at[-1] is not None:
                calls.pending[id] = counts
            return
        name = self._names.get(action)
        if name is None:
            name = self._names[action] = text(action)
        number = self._number = self._number + 1
        row = calls.pending[id] = CallRow(number, at, id, name, payload, counts)
        if name != _PACKED:
            self._whole[number] = row

    def answer(
        self, calls: Direction, id: bytes, kind: str, answer: bytes, sent_at: int, delivered_at: int | None
    ) -> str | None:
        """The answer to the call of this id was delivered, or lost.

        Returns the action, None if nobody waited for it, or if the call had never arrived.
        """
        row = calls.pending.pop(id, None)
        which = 1 if kind == "result" else 2
        if row is None:
            self.answers_to_nothing += 1
            return None
        if type(row) is list:
            row[which] += 1
            return COUNTED_ONLY
        assert isinstance(row, CallRow)
        row.counts[which] += 1
        if row.action == _PACKED:
            if answer == _NOTHING and delivered_at is not None and self._packed.add(row, sent_at, delivered_at):
                return row.action
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
            whole.update((row.call_no, row) for row in direction.pending.values() if isinstance(row, CallRow))
        rows = [row.columns(self._version) for row in whole.values()]
        rows.extend(self._packed.columns())
        rows.sort(key=_number_of)
        return rows


class _PackedRows:
    """MeterValues that were answered with nothing, as everybody does: numbers and id of each in one run of bytes."""

    _head = Packed("<7qH")

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._places: dict[tuple[str, str, int, str], int] = {}
        self._wheres: list[tuple[str, str, int, str]] = []

    def add(self, row: CallRow, answered_at: int, answer_delivered_at: int) -> bool:
        """Pack this row; False, and nothing done, if there is anything unusual about it."""
        payload, id = row.payload, row.message_id
        at = payload.find(_KEPT)
        transaction = _NONE
        if at >= 0:
            at += len(_KEPT)
            end = payload.find(b",", at)
            digits = payload[at : end if end >= 0 else -1]
            if not digits.isdigit() or len(digits) > _LONGEST:
                return False
            transaction = int(digits)
        station, backend, link, way, sent_at, delivered_at = row.at
        if delivered_at is None or len(id) > 0xFFFF:
            return False
        place = self._place((station, backend, link, way))
        self._bytes += self._head.pack(
            row.call_no, place, sent_at, delivered_at, answered_at, answer_delivered_at, transaction, len(id)
        )
        self._bytes += id
        return True

    def _place(self, where: tuple[str, str, int, str]) -> int:
        place = self._places.get(where)
        if place is None:
            place = self._places[where] = len(self._wheres)
            self._wheres.append(where)
        return place

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
