"""The plain frame of RFC 6455 §5.2 by its bytes: one whole text message below 64 KiB, which nearly all of OCPP-J are.

A short cut past the protocol of `websockets` for what is plain; it judges nothing. Whatever else comes, and everything
that breaks a rule, is cut out whole (`plain_end`) and left to that protocol.
"""

from __future__ import annotations

from collections.abc import Iterator

from websockets.frames import apply_mask

from sim.runtimes.entropy import random_bytes

PLAIN = 0x81
"""The first byte: the end of a message, no extension, text."""
_MASKED = 0x80
_MEDIUM, _LARGE = 126, 127
TOO_LONG = -1
UNFINISHED = 0
_MASKS_AT_ONCE = 4096


def _masks() -> Iterator[bytes]:
    """Masking keys that nobody can guess (RFC 6455 §10.3), without asking the system for each."""
    while True:
        pool = random_bytes(4 * _MASKS_AT_ONCE)
        for at in range(0, len(pool), 4):
            yield pool[at : at + 4]


_next_mask = _masks().__next__


def text_frame(message: bytes, masked: bool) -> bytes | None:
    """The frame of a text message, None for one that is too long to be plain. Clients mask, servers do not."""
    size = len(message)
    flag = _MASKED if masked else 0
    if size < _MEDIUM:
        head = bytes((PLAIN, flag | size))
    elif size < 1 << 16:
        head = bytes((PLAIN, flag | _MEDIUM, size >> 8, size & 0xFF))
    else:
        return None
    if not masked:
        return head + message
    mask = _next_mask()
    return head + mask + apply_mask(message, mask)


def plain_end(data: bytes, begin: int, most: int) -> int:
    """Where the frame that begins there ends. UNFINISHED: not all of it is there; TOO_LONG: over `most` bytes or 64 KiB."""
    have = len(data) - begin
    if have < 2:
        return UNFINISHED
    flags = data[begin + 1]
    size = flags & 0x7F
    head = 6 if flags & _MASKED else 2
    if size == _MEDIUM:
        if have < 4:
            return UNFINISHED
        size = data[begin + 2] << 8 | data[begin + 3]
        head += 2
    elif size == _LARGE:
        return TOO_LONG
    if size > most:
        return TOO_LONG
    return begin + head + size if have >= head + size else UNFINISHED


def plain_text(data: bytes, begin: int, end: int, masked: bool) -> bytes | None:
    """The message of the whole frame between two places, None if it is not plain or not masked as it must be."""
    flags = data[begin + 1]
    if data[begin] != PLAIN or (flags >= _MASKED) != masked:
        return None
    at = begin + (4 if flags & 0x7F == _MEDIUM else 2)
    if not masked:
        return data[at:end]
    return apply_mask(data[at + 4 : end], data[at : at + 4])
