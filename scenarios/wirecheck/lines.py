"""What a trace is made of, and how its files are opened: our own wire lines, or a log that `logs` makes sense of.

Reads line by line, so that a trace may be larger than the memory. A line that cannot be read becomes an Unread with its
place and the reason; nothing is dropped in silence, and nothing about the content of frames is judged here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct

from sim.errors import BadInput
from sim.evidence.wire import ASIDE, WireLine, wire_lines

ALLOWED = "a wire.jsonl.zst of a run, the same as plain .jsonl, or a log with one frame a line"
WAYS = ("up", "down", "open", "close")


class Line(Struct, frozen=True, gc=False):
    """One line of a trace that could be read.

    `place` names it for people. `sent` and `delivered` in ms since 1970 (the same in a log that knows one time only;
    `delivered` None: the frame was lost). `way` is up (from the station), down, open or close; of a log that tells only
    `in` or `out`, one of these until it is known whose log it is, and "" if it tells nothing. `version` is what the log
    says of the OCPP version, mostly nothing. `text` is the frame, or why a connection ended.
    """

    place: str
    sent: int
    delivered: int | None
    station: str
    backend: str
    link: str
    way: str
    text: str
    version: str = ""


class Unread(Struct, frozen=True):
    """A line that could not be read: where, and why."""

    place: str
    why: str


_ours = msgspec.json.Decoder(WireLine).decode


def own_line(raw: bytes, place: str) -> Line | Unread | None:
    """A line of our own recorder; None if it is none of ours, so that another reader may try."""
    try:
        row = _ours(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    return own_row(row, place)


def own_row(row: WireLine, place: str) -> Line | Unread:
    """A row of our own recorder, or of the records API, as a line; lines ASIDE are for whoever reads on to leave out."""
    if row.w not in (*WAYS, *ASIDE):
        return Unread(place, f"{row.w!r} is no way ({', '.join(WAYS)})")
    return Line(place, row.t, row.d, row.s, row.b, str(row.l), row.w, row.f)


def raw_lines(path: Path) -> Iterator[tuple[str, bytes] | Unread]:
    """Place and bytes of every line of a file that is not blank.

    Raises BadInput if the file cannot be opened. A compressed trace that was cut off is read as far as it goes, and ends
    with an Unread that says so.
    """
    number = 0
    try:
        with path.open("rb") as file:
            packed = file.read(4) == b"\x28\xb5\x2f\xfd"
    except OSError as err:
        raise BadInput(path, None, f"cannot be read ({err.strerror})", ALLOWED) from err
    try:
        for raw in wire_lines(path) if packed else _plain(path):
            number += 1
            if raw.strip():
                yield f"line {number}", raw
    except BadInput as bad:
        if not number:
            raise
        yield Unread(f"line {number + 1}", f"the file {bad.problem}")


def _plain(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file
