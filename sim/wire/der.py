"""DER as far as keys and signatures of meters need it: read as meant, with a report of what was not as it should be.

Meters write it sloppily and strict libraries call such signatures wrong, though they are authentic. Nothing here judges,
and nothing raises. Sources: X.690; SEC 1 §C.
"""

from __future__ import annotations

from typing import NamedTuple

SEQUENCE, INTEGER, BITS, OID = 0x30, 0x02, 0x03, 0x06
EC_PUBLIC_KEY = bytes.fromhex("2a8648ce3d0201")
"""The object identifier id-ecPublicKey (RFC 5480)."""

RAW = "signature as bare r and s"
LONG_LENGTH = "length of the signature in long form"
NO_PAD = "number of the signature without its leading 00"
TOO_MANY_ZEROS = "number of the signature with a superfluous 00"


class Numbers(NamedTuple):
    """The two numbers of a signature, and what was lenient in reading them."""

    r: int
    s: int
    lenient: tuple[str, ...]


def numbers(signature: bytes, size: int) -> Numbers | None:
    """The numbers of an ECDSA signature, None if there are none. `size` is that of the curve's numbers in bytes."""
    whole = _element(signature, SEQUENCE)
    r = None if whole is None or whole.rest else _element(whole.content, INTEGER)
    s = None if r is None else _element(r.rest, INTEGER)
    if whole is None or r is None or s is None or s.rest:
        if len(signature) != 2 * size:
            return None
        return Numbers(int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big"), (RAW,))
    lenient = []
    if whole.long or r.long or s.long:
        lenient.append(LONG_LENGTH)
    if any(part.content[:1] >= b"\x80" for part in (r, s)):
        lenient.append(NO_PAD)
    if any(part.content[:1] == b"\0" and part.content[1:2] < b"\x80" for part in (r, s)):
        lenient.append(TOO_MANY_ZEROS)
    return Numbers(int.from_bytes(r.content, "big"), int.from_bytes(s.content, "big"), tuple(lenient))


def public_key(data: bytes) -> tuple[bytes, bytes, bytes] | None:
    """Kind of key, curve (both as OID contents) and point of a SubjectPublicKeyInfo, None if it is none."""
    whole = _element(data, SEQUENCE)
    if whole is None or whole.rest:
        return None
    about = _element(whole.content, SEQUENCE)
    if about is None:
        return None
    kind = _element(about.content, OID)
    bits = _element(about.rest, BITS)
    if kind is None or bits is None or bits.rest or bits.content[:1] != b"\0":
        return None
    curve = _element(kind.rest, OID)
    return kind.content, b"" if curve is None else curve.content, bits.content[1:]


def write_public_key(curve: bytes, point: bytes) -> bytes:
    """A SubjectPublicKeyInfo of a curve that the usual library cannot write."""
    about = _written(SEQUENCE, _written(OID, EC_PUBLIC_KEY) + _written(OID, curve))
    return _written(SEQUENCE, about + _written(BITS, b"\0" + point))


def _written(tag: int, content: bytes) -> bytes:
    size = len(content)
    return bytes((tag, size) if size < 0x80 else (tag, 0x81, size)) + content


class _Element(NamedTuple):
    content: bytes
    rest: bytes
    long: bool


def _element(data: bytes, tag: int) -> _Element | None:
    """The first element, which must have this tag; `long` if its length is written longer than need be."""
    if len(data) < 2 or data[0] != tag:
        return None
    start, length, long = 2, data[1], False
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
        long = length < 0x80 or data[2:3] == b"\0"
    if data[1] == 0x80 or start > 6 or len(data) < start + length:
        return None
    return _Element(data[start : start + length], data[start + length :], long)
