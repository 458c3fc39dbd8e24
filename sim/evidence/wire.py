"""The wire plane: every frame in delivery order, as a file, a running digest, and one row per call.

Pairs each CALL with its answer by link, direction and message id while the run goes on, so that nothing has to be read
twice. It never changes, drops or judges a frame on its way; whether a call was well-formed is judged at the end only.
This is the only importer of zstandard.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal

import msgspec
import zstandard
from msgspec import Struct

from sim.errors import BadInput
from sim.evidence.canonical import Scalar
from sim.evidence.schema import WIRE
from sim.wire.schema import judge

Policy = Literal["whole", "index", "off"]
POLICIES: tuple[str, ...] = ("whole", "index", "off")

_BATCH = 512
_LEVEL = 1
_COUNTED_ONLY = b"Heartbeat"
_THINNED = "MeterValues"
_NOTHING = b"{}"
_KEPT = b'"transactionId":'
_Where = tuple[str, str, int, str, int, int | None]
"""Station, back-end, link, way, sent and delivered of a frame."""
_Entry = tuple[int, int, int | None, str, str, int, str, bytes]
"""What becomes a line: number, sent, delivered, station, back-end, link, way, frame."""
_pack = msgspec.msgpack.Encoder().encode
_lines = msgspec.json.Encoder().encode_lines
_LOOSE = msgspec.json.Decoder(list[Any])


class WireLine(Struct, frozen=True, gc=False):
    """One line of `wire.jsonl.zst`: number, sent, delivered (null: never), station, back-end, link, way, frame text.

    `w` is `up` or `down` for a frame, `open` or `close` for a connection; then `f` holds the reason.
    """

    n: int
    t: int
    d: int | None
    s: str
    b: str
    l: int  # noqa: E741 - one letter per field: the file holds millions of lines
    w: str
    f: str


class CallRow(Struct, gc=False):
    """One CALL as it is kept while the run goes on; the columns of `wire_calls`, payloads still bytes."""

    call_no: int
    station: str
    backend: str
    link: int
    way: str
    message_id: bytes
    action: str
    payload: bytes
    sent_at: int
    delivered_at: int | None
    counts: list[int]
    answer_kind: str | None = None
    answer: bytes | None = None
    answered_at: int | None = None
    answer_delivered_at: int | None = None
    thinned: bool = False

    def columns(self, version: str) -> tuple[Scalar, ...]:
        """The row as it goes into `wire_calls`. `well_formed` is NULL where the payload was not kept."""
        good = None if self.thinned else int(judge(version, self.action, "request", self.payload) is None)
        answer = None if self.answer is None else _text(self.answer)
        head = (self.call_no, self.station, self.backend, self.link, self.way, _text(self.message_id), self.action)
        times = (self.answer_kind, answer, self.answered_at, self.answer_delivered_at)
        return (*head, _text(self.payload), good, self.sent_at, self.delivered_at, *times)


class _Direction:
    """The calls of one direction of one link that still wait for their answer, and how many there were."""

    __slots__ = ("counts", "pending")

    def __init__(self) -> None:
        self.pending: dict[bytes, CallRow | list[int]] = {}
        self.counts: dict[bytes, list[int]] = {}


class _Link:
    """One connection while it is recorded."""

    __slots__ = ("closed", "down", "frames_down", "frames_up", "last", "opened", "up")

    def __init__(self, opened: tuple[int, str, str, int | None]) -> None:
        self.opened = opened
        self.closed: tuple[int, str, str] | None = None
        self.up = _Direction()
        self.down = _Direction()
        self.frames_up = 0
        self.frames_down = 0
        self.last: int | None = None


class WireRecorder:
    """Records frames as the runtime delivers them.

    `policy`: `whole` writes the file (if there is a path), keeps rows and digest; `index` leaves the file out; `off`
    keeps connections only. `salt` goes into the digest first. Times are instants in ms.
    """

    def __init__(
        self, path: Path | None = None, salt: str = "", policy: Policy = "whole", version: str = "1.6"
    ) -> None:
        if policy not in POLICIES:
            raise BadInput(None, "wire", f"{policy!r} is no policy for the wire evidence", POLICIES)
        self.policy = policy
        self._on = policy != "off"
        self._version = version
        self._digest = hashlib.blake2b(salt.encode(), digest_size=32)
        self._waiting: list[_Entry] = []
        self._links: dict[int, _Link] = {}
        self._calls: list[CallRow] = []
        self._names: dict[bytes, str] = {}
        self._number = 0
        self._unreadable = 0
        self._file: IO[bytes] | None = None
        self._sink: Any = None
        if path is not None and policy == "whole":
            self._file = path.open("wb")
            self._sink = zstandard.ZstdCompressor(level=_LEVEL).stream_writer(self._file, closefd=False)

    # -- what the runtime reports ----------------------------------------------------------------------------------

    def frame(
        self, sent_at: int, delivered_at: int | None, station: str, backend: str, link: int, way: str, frame: bytes
    ) -> None:
        """One frame reached the other side, or was lost (`delivered_at` None)."""
        if self._on:
            self._number += 1
            self._waiting.append((self._number, sent_at, delivered_at, station, backend, link, way, frame))
            if len(self._waiting) >= _BATCH:
                self._spill()

    def link_opened(self, at: int, station: str, backend: str, link: int) -> None:
        """A handshake succeeded."""
        self._spill()
        self._links[link] = _Link((at, station, backend, at))
        if self._on:
            self._line(at, station, backend, link, "open", "")

    def link_closed(self, at: int, link: int, closed_by: str, reason: str) -> None:
        """A connection ended. An attempt that never opened leaves no trace."""
        self._spill()
        state = self._links.get(link)
        if state is None or state.closed is not None:
            return
        state.closed = (at, closed_by, reason)
        if self._on:
            self._line(at, state.opened[1], state.opened[2], link, "close", f"{closed_by}: {reason}")

    # -- what is left at the end ------------------------------------------------------------------------------------

    def close(self) -> str:
        """Finish the file; returns the digest. Closing twice is harmless."""
        self._spill()
        if self._sink is not None and self._file is not None:
            self._sink.close()
            self._file.close()
            self._sink = self._file = None
        return self._digest.hexdigest()

    @property
    def digest(self) -> str:
        """BLAKE2b-256 over salt and all entries so far: half the cost of SHA-256 on the hot path."""
        self._spill()
        return self._digest.hexdigest()

    @property
    def frames(self) -> int:
        """How many lines there are: frames, openings and closings."""
        return self._number

    @property
    def unreadable(self) -> int:
        """How many frames could not be read, or answered nothing."""
        self._spill()
        return self._unreadable

    def rows(self) -> dict[str, list[tuple[Scalar, ...]]]:
        """All rows of the wire tables, columns in the order of the schema."""
        self._spill()
        calls = [call.columns(self._version) for call in self._calls]
        links = [self._link_row(link, state) for link, state in self._links.items()]
        rows: dict[str, list[tuple[Scalar, ...]]] = {"wire_calls": calls, "wire_links": links}
        rows["wire_counts"] = self.counts()
        assert rows.keys() == WIRE.keys()
        return rows

    # -- inside -----------------------------------------------------------------------------------------------------

    def _line(self, at: int, station: str, backend: str, link: int, what: str, text: str) -> None:
        """An entry for what is no frame."""
        self._number += 1
        self._write([(self._number, at, at, station, backend, link, what, text.encode())])

    def _write(self, entries: list[_Entry]) -> None:
        """Into the digest as MessagePack without the head of the list, so that it does not matter what came together."""
        packed = _pack(entries)
        self._digest.update(memoryview(packed)[1 if len(entries) < 16 else 3 :])
        if self._sink is not None:
            self._sink.write(_lines([WireLine(*entry[:-1], _text(entry[-1])) for entry in entries]))

    def _spill(self) -> None:
        """Write down what has piled up. Many frames at once cost less than one by one, even without a file."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        self._write(waiting)
        links = self._links
        for _, sent_at, delivered_at, station, backend, link, way, frame in waiting:
            state = links.get(link)
            if state is None:
                state = links[link] = _Link((sent_at, station, backend, None))
            if delivered_at is not None:
                state.last = delivered_at
            if way == "up":
                state.frames_up += 1
                calls, answers = state.up, state.down
            else:
                state.frames_down += 1
                calls, answers = state.down, state.up
            if frame.startswith(b'[2,"'):
                parts = frame.split(b'"', 4)
                if len(parts) == 5 and parts[2] == b"," and parts[4].startswith(b",") and b"\\" not in parts[1]:
                    at = (station, backend, link, way, sent_at, delivered_at)
                    self._call(calls, parts[1], parts[3], parts[4][1:-1], at)
                    continue
            elif frame.startswith(b'[3,"'):
                id, _, rest = frame[4:].partition(b'"')
                if rest.startswith(b",") and b"\\" not in id:
                    answer = _NOTHING if rest == b",{}]" else rest[1:-1]  # one object for most answers
                    self._answer(answers, id, "result", answer, sent_at, delivered_at)
                    continue
            self._unusual(frame, calls, answers, (station, backend, link, way, sent_at, delivered_at))

    def _call(self, calls: _Direction, id: bytes, action: bytes, payload: bytes, at: _Where) -> None:
        counts = calls.counts.get(action)
        if counts is None:
            counts = calls.counts[action] = [0, 0, 0]
        counts[0] += 1
        if action == _COUNTED_ONLY:
            calls.pending[id] = counts
            return
        name = self._names.get(action)
        if name is None:
            name = self._names[action] = _text(action)
        station, backend, link, way, sent_at, delivered_at = at
        number = len(self._calls) + 1
        row = CallRow(number, station, backend, link, way, id, name, payload, sent_at, delivered_at, counts)
        self._calls.append(row)
        calls.pending[id] = row

    def _answer(
        self, calls: _Direction, id: bytes, kind: str, answer: bytes, sent_at: int, delivered_at: int | None
    ) -> None:
        row = calls.pending.pop(id, None)
        which = 1 if kind == "result" else 2
        if row is None:
            self._unreadable += 1
        elif isinstance(row, list):
            row[which] += 1
        else:
            row.counts[which] += 1
            row.answer_kind = kind
            row.answer = answer
            row.answered_at = sent_at
            row.answer_delivered_at = delivered_at
            if row.action == _THINNED and which == 1:
                row.payload = _id_only(row.payload)
                row.thinned = True

    def _unusual(
        self,
        frame: bytes,
        calls: _Direction,
        answers: _Direction,
        at: _Where,
    ) -> None:
        """A CALLERROR, a frame with blanks or escapes in it, or no OCPP-J frame at all."""
        try:
            parts = _LOOSE.decode(frame)
        except (msgspec.MsgspecError, RecursionError):
            parts = []
        again = msgspec.json.encode
        match parts:
            case [2, str() as id, str() as action, payload]:
                self._call(calls, id.encode(), action.encode(), again(payload), at)
            case [3, str() as id, payload]:
                self._answer(answers, id.encode(), "result", again(payload), at[4], at[5])
            case [4, str() as id, code, *rest]:
                error = {"code": code, "description": rest[0] if rest else "", "details": rest[1] if rest[1:] else {}}
                self._answer(answers, id.encode(), "error", again(error), at[4], at[5])
            case _:
                self._unreadable += 1

    def _link_row(self, link: int, state: _Link) -> tuple[Scalar, ...]:
        _, station, backend, opened_at = state.opened
        closed = state.closed or (None, None, None)
        return (link, station, backend, opened_at, *closed, state.frames_up, state.frames_down, state.last)

    def counts(self) -> list[tuple[Scalar, ...]]:
        """The rows of `wire_counts`, without judging or building any other."""
        self._spill()
        total: dict[tuple[str, str, str, str], list[int]] = {}
        for state in self._links.values():
            _, station, backend, _ = state.opened
            for way, direction in (("up", state.up), ("down", state.down)):
                for action, counts in direction.counts.items():
                    have = total.setdefault((station, backend, way, _text(action)), [0, 0, 0])
                    have[:] = [a + b for a, b in zip(have, counts, strict=True)]
        return [(*key, calls, good, bad, calls - good - bad) for key, (calls, good, bad) in sorted(total.items())]


def read_wire(path: Path) -> Iterator[WireLine]:
    """The lines of a `wire.jsonl.zst` in order. Raises BadInput if it is none, or was cut off."""
    decode = msgspec.json.Decoder(WireLine).decode
    try:
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
            rest = b""
            while chunk := stream.read(1 << 20):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from map(decode, lines)
    except (OSError, zstandard.ZstdError, msgspec.MsgspecError) as err:
        raise BadInput(path, None, f"is no readable wire file ({err})", "a wire.jsonl.zst of a run folder") from err
    if rest or not path.stat().st_size:
        raise BadInput(path, None, "ends before its time", "a wire.jsonl.zst of a finished run")


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data.decode("utf-8", "backslashreplace")


def _id_only(payload: bytes) -> bytes:
    """A MeterValues payload cut down to its transactionId: all that joins need of it."""
    at = payload.find(_KEPT)
    if at < 0:
        return b"{}"
    end = payload.find(b",", at)
    return b"{" + payload[at : end if end >= 0 else -1] + b"}"
