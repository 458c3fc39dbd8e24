"""The wire plane: every frame in delivery order, as a file, a running digest, and one row per call.

Pairs each CALL with its answer by link, direction and message id while the run goes on, so that nothing has to be read
twice. It never changes, drops or judges a frame on its way; whether a call was well-formed is judged at the end only.
This is the only importer of zstandard.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Any, Literal

import msgspec
import zstandard
from msgspec import Struct

from sim.backend import DEFAULT_SUBPROTOCOL, Row
from sim.clock import iso_bytes
from sim.errors import BadInput
from sim.evidence.canonical import Scalar
from sim.evidence.oddities import Oddities
from sim.evidence.schema import WIRE
from sim.evidence.wire_calls import (
    COUNTED_ONLY,
    ID_LENGTH,
    MOSTLY,
    READING,
    CallLog,
    Direction,
    Entry,
    Where,
    WireLink,
    pack_usual,
    text,
)
from sim.wire.dialect import version_of

Policy = Literal["whole", "index", "off"]
POLICIES: tuple[str, ...] = ("whole", "index", "off")

_ALLOWED = "a wire.jsonl.zst of a run folder"
_BATCH, _LEVEL = 512, 1
_NOTHING, _NOTHING_MORE = b"{}", b",{}]"
_EMPTY_ANSWER, _BEAT, _BEAT_ANSWER = b'",{}]', b'","Heartbeat",{}]', b'",{"currentTime":"%b"}]'
_HEARTBEAT = COUNTED_ONLY.encode()
_ID_ENDS = 4 + ID_LENGTH  # in a CALL and in an answer
_KIND, _ID, _BEHIND_ID = slice(4), slice(4, _ID_ENDS), slice(_ID_ENDS, None)
_QUOTE, _ESCAPE = b'"\\'
_CALL, _RESULT = b'[2,"', b'[3,"'
_pack, _lines = msgspec.msgpack.Encoder().encode, msgspec.json.Encoder().encode_lines
_LOOSE = msgspec.json.Decoder(list[Any])


class WireLine(Struct, frozen=True, gc=False):
    """One line of `wire.jsonl.zst`: number, sent, delivered (null: never), station, back-end, link, way, frame text.

    `w` is `up` or `down` for a frame, `open` or `close` for a connection; then `f` holds the reason of a close, and of an
    opening the subprotocol where it is not that of OCPP 1.6 (of a real one always). Other lines (ASIDE) are no traffic.
    """

    n: int
    t: int
    d: int | None
    s: str
    b: str
    l: int  # noqa: E741 - one letter per field: the file holds millions of lines
    w: str
    f: str


ASIDE: tuple[str, ...] = ("head", "asked", "refused", "foot")
"""Lines of a recording that are no traffic: what it is, what a handshake asked for, one that failed, what was counted."""


class WireFile:
    """A `wire.jsonl.zst` while it is written. Raises BadInput if the file cannot be made."""

    def __init__(self, path: Path, private: bool = False) -> None:
        """`private`: nobody but its owner may read it, because passwords may stand in it."""
        self._path = path
        try:
            path.touch(0o600 if private else 0o666)
            self._file = path.open("wb")
        except OSError as err:
            raise BadInput(path, None, f"cannot be written ({err.strerror})", "the path of a new file") from None
        self._sink: Any = zstandard.ZstdCompressor(level=_LEVEL).stream_writer(self._file, closefd=False)

    def write(self, entries: Iterable[Entry]) -> None:
        """One line for each entry."""
        self._sink.write(_lines([WireLine(*entry[:-1], text(entry[-1])) for entry in entries]))

    def flush(self) -> None:
        """Hand all lines so far to the system, so that they outlive this process."""
        self._sink.flush(zstandard.FLUSH_BLOCK)
        self._file.flush()

    def discard(self) -> None:
        """Close and remove the file: there was nothing to write."""
        self.close()
        self._path.unlink()

    def close(self) -> None:
        """Finish the file. Closing twice is harmless."""
        if not self._file.closed:
            try:
                self._sink.close()
            finally:
                self._file.close()


class WireRecorder:
    """Records frames as the runtime delivers them.

    `policy`: `whole` writes the file (if there is a path), keeps rows and digest; `index` leaves the file out; `off`
    keeps connections only. `salt` goes into the digest first. Times are instants in ms.
    """

    def __init__(self, path: Path | None = None, salt: str = "", policy: Policy = "whole") -> None:
        if policy not in POLICIES:
            raise BadInput(None, "wire", f"{policy!r} is no policy for the wire evidence", POLICIES)
        self.policy = policy
        self._on = policy != "off"
        self._digest = hashlib.sha256(salt.encode())
        self._waiting: list[Entry] = []
        self._written = 0
        self.numbers: Iterator[int] = chain.from_iterable(self._batches())
        """Numbers the lines; asking for the next number after a batch of lines writes the batch down."""
        self.line: Callable[[Entry], None] = self._waiting.append if self._on else deque[Entry](maxlen=0).append
        """Takes the next line whole, its number first: as `frame`, for who has everything at hand."""
        self._links: dict[int, WireLink] = {}
        versions: dict[int, str] = {}
        self._versions = versions
        self._calls = CallLog(versions)
        self._oddities = Oddities(versions)
        self._unreadable = 0
        self._file = WireFile(path) if path is not None and policy == "whole" else None

    # -- what the runtime reports ----------------------------------------------------------------------------------

    def frame(
        self, sent_at: int, delivered_at: int | None, station: str, backend: str, link: int, way: str, frame: bytes
    ) -> None:
        """One frame reached the other side, or was lost (`delivered_at` None)."""
        self.line((next(self.numbers), sent_at, delivered_at, station, backend, link, way, frame))

    def link_opened(
        self, at: int, station: str, backend: str, link: int, subprotocol: str | None = DEFAULT_SUBPROTOCOL
    ) -> None:
        """A handshake succeeded; the frames of the link are judged by the version of its `subprotocol`."""
        self._spill()
        version = self._versions[link] = version_of(subprotocol)
        self._link((at, station, backend, at), link)
        if self._on:
            told = "" if version == version_of(DEFAULT_SUBPROTOCOL) else subprotocol or ""
            self._line(at, station, backend, link, "open", told)

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
        if self._file is not None:
            self._file.close()
        return self._digest.hexdigest()

    @property
    def digest(self) -> str:
        """SHA-256 over salt and all entries so far."""
        self._spill()
        return self._digest.hexdigest()

    @property
    def frames(self) -> int:
        """How many lines there are: frames, openings and closings."""
        return self._written + len(self._waiting)

    @property
    def unreadable(self) -> int:
        """How many frames could not be read, or answered nothing."""
        self._spill()
        return self._unreadable + self._calls.answers_to_nothing

    @property
    def oddities(self) -> list[Row]:
        """What was odd about the frames of back-ends: rows of `wire_oddities`."""
        self._spill()
        return self._oddities.rows

    def rows(self) -> dict[str, list[tuple[Scalar, ...]]]:
        """All rows of the wire tables, columns in the order of the schema."""
        self._spill()
        directions = [one for state in self._links.values() for one in (state.up, state.down)]
        calls = self._calls.rows(directions)
        links = [state.row(link) for link, state in self._links.items()]
        rows: dict[str, list[tuple[Scalar, ...]]] = {"wire_calls": calls, "wire_links": links}
        rows["wire_counts"] = self.counts()
        assert rows.keys() == WIRE.keys()
        return rows

    # -- inside -----------------------------------------------------------------------------------------------------

    def _link(self, opened: tuple[int, str, str, int | None], link: int) -> WireLink:
        """Begin to record a connection."""
        _, station, backend, _ = opened
        up, down = [self._calls.direction(station, backend, link, way) for way in ("up", "down")]
        version = self._versions.setdefault(link, version_of(DEFAULT_SUBPROTOCOL))
        state = self._links[link] = WireLink(opened, version, up, down)
        return state

    def _line(self, at: int, station: str, backend: str, link: int, what: str, text: str) -> None:
        """An entry for what is no frame."""
        self._write([(next(self.numbers), at, at, station, backend, link, what, text.encode())])

    def _batches(self) -> Iterator[range]:
        """1, 2, 3 and so on by batches, so that a line costs no look at how many wait."""
        first = 1
        while True:
            yield range(first, first + _BATCH)
            first += _BATCH
            self._spill()

    def _write(self, entries: list[Entry]) -> None:
        """Into the digest as MessagePack without the head of the list, so that it does not matter what came together."""
        self._written += len(entries)
        packed = _pack(entries)
        self._digest.update(memoryview(packed)[1 if len(entries) < 16 else 3 :])
        if self._file is not None:
            self._file.write(entries)

    def _spill(self) -> None:
        """Write down what has piled up. Many frames at once cost less than one by one, even without a file."""
        if not self._waiting:
            return
        waiting = self._waiting[:]
        self._waiting.clear()  # and never another list: `line` appends to this one
        self._write(waiting)
        links, packed, numbers = self._links, self._calls.packed.data, self._calls.numbers
        for entry in waiting:
            _, sent_at, delivered_at, station, backend, link, way, frame = entry
            state = links.get(link) or self._link((sent_at, station, backend, None), link)
            if way == "up":
                state.frames_up += 1
                calls, answers = state.up, state.down
            else:
                state.frames_down += 1
                calls, answers = state.down, state.up
            if delivered_at is not None:
                state.last = delivered_at
                # Nearly all there is: readings that go on like one before, heartbeats, and the plain answers to both.
                kind, id = frame[_KIND], frame[_ID]
                if kind == _RESULT:
                    pending = answers.pending
                    row = pending.get(id)
                    if type(row) is tuple:
                        number, counts, call, running = row
                        if running is not None and frame[_BEHIND_ID] == _EMPTY_ANSWER:
                            del pending[id]
                            counts[1] += 1
                            packed += pack_usual(
                                number, answers.place, call[1], call[2], sent_at, delivered_at, running, ID_LENGTH, id
                            )
                            continue
                    elif type(row) is list and frame[_BEHIND_ID] == _BEAT_ANSWER % iso_bytes(sent_at):
                        del pending[id]
                        row[1] += 1
                        continue
                elif kind == _CALL and _QUOTE not in id and _ESCAPE not in id:
                    transaction = calls.heads.get(frame[calls.head])
                    if transaction is not None:
                        counts = calls.readings
                        counts[0] += 1
                        calls.pending[id] = (next(numbers), counts, entry, transaction)
                        continue
                    if frame[_BEHIND_ID] == _BEAT and (beats := calls.counts.get(_HEARTBEAT)) is not None:
                        beats[0] += 1
                        calls.pending[id] = beats
                        continue
            self._ordinary(entry, calls, answers)

    def _ordinary(self, entry: Entry, calls: Direction, answers: Direction) -> None:
        """Any line of a frame."""
        _, sent_at, delivered_at, station, backend, link, way, frame = entry
        kind = frame[:4]
        if kind == _CALL:
            try:
                _, id, comma, action, rest = frame.split(b'"', 4)
            except ValueError:
                id = comma = action = rest = b""
            if comma == b"," and rest[:1] == b"," and _ESCAPE not in id:
                counts = calls.counts.get(action)
                if counts is None or delivered_at is None or action not in MOSTLY:
                    self._calls.call(
                        calls, id, action, rest[1:-1], (station, backend, link, way, sent_at, delivered_at)
                    )
                else:  # as `call`, for what is only counted or packed
                    counts[0] += 1
                    calls.pending[id] = counts
                    if action == READING:
                        calls.pending[id] = (next(self._calls.numbers), counts, entry, calls.learn(frame, len(id)))
                return
        elif kind == _RESULT:
            end = frame.find(b'"', 4)
            id, rest = frame[4:end], frame[end + 1 :]
            if rest[:1] == b"," and _ESCAPE not in id:
                row = answers.pending.pop(id, None)
                empty, add = rest == _NOTHING_MORE, self._calls.packed.add
                if empty and type(row) is tuple and add(row, answers.place, id, sent_at, delivered_at):
                    row[1][1] += 1
                    return
                answer = _NOTHING if empty else rest[1:-1]  # one object for most answers
                known = self._calls.answer(row, id, "result", answer, sent_at, delivered_at)
                if way == "down" and (known is None or known == COUNTED_ONLY):
                    self._oddities.answered(id, known, answer, (station, backend, link, sent_at, frame))
                return
        self._unusual(frame, calls, answers, (station, backend, link, way, sent_at, delivered_at))

    def _unusual(
        self,
        frame: bytes,
        calls: Direction,
        answers: Direction,
        at: Where,
    ) -> None:
        """A CALLERROR, a frame with blanks or escapes in it, or no OCPP-J frame at all."""
        try:
            parts = _LOOSE.decode(frame)
        except (msgspec.MsgspecError, RecursionError):
            parts = []
        again = msgspec.json.encode
        station, backend, link, way, sent_at, delivered_at = at
        sent = (station, backend, link, sent_at, frame)
        heard = way == "down" and not self._oddities.unreadable(sent)
        match parts:
            case [2, str() as id, str() as action, payload]:
                self._calls.call(calls, id.encode(), action.encode(), again(payload), at)
            case [3, str() as id, payload]:
                raw = again(payload)
                row = answers.pending.pop(id.encode(), None)
                answered = self._calls.answer(row, id.encode(), "result", raw, sent_at, delivered_at)
                if heard:
                    self._oddities.answered(id.encode(), answered, raw, sent)
            case [4, str() as id, code, *rest]:
                error = {"code": code, "description": rest[0] if rest else "", "details": rest[1] if rest[1:] else {}}
                row = answers.pending.pop(id.encode(), None)
                answered = self._calls.answer(row, id.encode(), "error", again(error), sent_at, delivered_at)
                if heard:
                    self._oddities.answered(id.encode(), answered, None, sent)
            case _:
                self._unreadable += 1

    def counts(self) -> list[tuple[Scalar, ...]]:
        """The rows of `wire_counts`, without judging or building any other."""
        self._spill()
        total: dict[tuple[str, str, str, str], list[int]] = {}
        for state in self._links.values():
            _, station, backend, _ = state.opened
            for way, direction in (("up", state.up), ("down", state.down)):
                for action, counts in direction.counts.items():
                    have = total.setdefault((station, backend, way, text(action)), [0, 0, 0])
                    have[:] = [a + b for a, b in zip(have, counts, strict=True)]
        return [(*key, calls, good, bad, calls - good - bad) for key, (calls, good, bad) in sorted(total.items())]


def read_wire(path: Path) -> Iterator[WireLine]:
    """The lines of a `wire.jsonl.zst` in order. Raises BadInput if it is none, or was cut off."""
    decode = msgspec.json.Decoder(WireLine).decode
    try:
        yield from map(decode, wire_lines(path))
    except msgspec.MsgspecError as err:
        raise BadInput(path, None, f"is no readable wire file ({err})", _ALLOWED) from err


def wire_lines(path: Path) -> Iterator[bytes]:
    """The lines of a zstd-compressed file as they are. Raises BadInput if it cannot be read, or was cut off."""
    try:
        with path.open("rb") as file, zstandard.ZstdDecompressor().stream_reader(file) as stream:
            rest = b""
            while chunk := stream.read(1 << 20):
                *lines, rest = (rest + chunk).split(b"\n")
                yield from lines
    except (OSError, zstandard.ZstdError) as err:
        raise BadInput(path, None, f"is no readable wire file ({err})", _ALLOWED) from err
    if rest or not path.stat().st_size:
        raise BadInput(path, None, "ends before its time", "a wire.jsonl.zst of a finished run")
