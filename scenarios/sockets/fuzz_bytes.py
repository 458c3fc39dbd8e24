"""Bytes below OCPP that a bad client might send: handshakes, and websocket frames that break RFC 6455. Raw sockets only.

Whatever is sent, an HTTP status below 500 (or 505), a close, or the end of the connection has to come in time.
The seed alone decides.
"""

from __future__ import annotations

import asyncio
import base64
import struct
from collections.abc import Iterator
from random import Random
from urllib.parse import urlsplit

from msgspec import Struct

from sim.rng import stream

_KEY = base64.b64encode(b"0123456789abcdef").decode()
_MASK = b"\x11\x22\x33\x44"
_CONT, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0, 1, 2, 8, 9, 10
_INJECTED = "X-Injected"
_BEAT = b'[2,"beat","Heartbeat",{}]'


class Finding(Struct, frozen=True):
    """What was sent, and what was wrong about its answer."""

    kind: str
    frame: str
    problem: str


class Rubbish(Struct, frozen=True):
    """Bytes after a handshake (`shaken`) or instead of one. `ends`: the back-end has to end the connection.

    `lives`: after it a question that is right has to be answered, or the handshake has to succeed.
    """

    kind: str
    data: bytes
    shaken: bool = True
    ends: bool = False
    lives: bool = False


def rubbish(seed: int, count: int) -> Iterator[Rubbish]:
    """So many of them, the same for the same seed; `{id}` in a handshake stands for the path of the fuzzing station."""
    rng = stream(seed, "fuzz-bytes")
    for _ in range(count):
        made = _handshake(rng) if rng.random() < 0.5 else _frames(rng)
        yield made


def request(path: bytes, *headers: bytes, method: bytes = b"GET", version: bytes = b"HTTP/1.1") -> bytes:
    """An HTTP request head with these headers beside Host."""
    return b"\r\n".join([b"%b %b %b" % (method, path, version), b"Host: localhost", *headers, b"", b""])


_UPGRADE = (
    b"Upgrade: websocket",
    b"Connection: Upgrade",
    b"Sec-WebSocket-Key: " + _KEY.encode(),
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Protocol: ocpp1.6",
)


def frame(
    opcode: int, payload: bytes, fin: bool = True, rsv: int = 0, masked: bool = True, size: int | None = None
) -> bytes:
    """One websocket frame; `size` says another length than the payload has."""
    length = len(payload) if size is None else size
    head = bytes([(0x80 if fin else 0) | rsv << 4 | opcode])
    bit = 0x80 if masked else 0
    if length < 126:
        head += bytes([bit | length])
    elif length < 1 << 16:
        head += bytes([bit | 126]) + struct.pack("!H", length)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", length)
    if not masked:
        return head + payload
    return head + _MASK + bytes(byte ^ _MASK[at % 4] for at, byte in enumerate(payload))


def _frames(rng: Random) -> Rubbish:
    beat = frame(_TEXT, _BEAT)
    kind = rng.randrange(16)
    if kind == 0:
        return Rubbish("not-masked", frame(_TEXT, _BEAT, masked=False), ends=True)
    if kind == 1:
        return Rubbish("opcode", frame(rng.choice((3, 4, 5, 6, 7, 11, 12, 15)), b"x"), ends=True)
    if kind == 2:
        return Rubbish("reserved-bits", frame(_TEXT, _BEAT, rsv=rng.choice((1, 2, 3))), ends=True)
    if kind == 3:
        return Rubbish("control-in-pieces", frame(rng.choice((_PING, _CLOSE)), b"", fin=False), ends=True)
    if kind == 4:
        return Rubbish("control-too-long", frame(_PING, b"x" * rng.choice((126, 70_000))), ends=True)
    if kind == 5:
        return Rubbish("continuation-of-nothing", frame(_CONT, b"x"), ends=True)
    if kind == 6:
        return Rubbish("text-in-text", frame(_TEXT, b"a", fin=False) + frame(_TEXT, b"b"), ends=True)
    if kind == 7:
        code = rng.choice((0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535))
        return Rubbish("close-code", frame(_CLOSE, struct.pack("!H", code) + b"bye"), ends=True)
    if kind == 8:
        return Rubbish("close-text", frame(_CLOSE, rng.choice((b"\x03", b"\x03\xe8\xff\xfe"))), ends=True)
    if kind == 9:
        return Rubbish("length", frame(_TEXT, b"x", size=rng.choice((1 << 40, (1 << 63) + 5, 2_000_000))), ends=True)
    if kind == 10:
        pieces = [frame(_TEXT if not n else _CONT, b"%c" % byte, fin=False) for n, byte in enumerate(_BEAT)]
        return Rubbish("many-pieces", b"".join(pieces) + frame(_PING, b"") + frame(_CONT, b""), lives=True)
    if kind == 11:
        return Rubbish("many-pings", frame(_PING, b"x" * 125) * rng.choice((1, 500)), lives=True)
    if kind == 12:
        return Rubbish("pongs", frame(_PONG, b"nobody asked") * 20, lives=True)
    if kind == 13:
        return Rubbish("many-empty-pieces", frame(_TEXT, b"", fin=False) + frame(_CONT, b"", fin=False) * 2_000)
    if kind == 14:
        return Rubbish("cut", beat[: rng.randrange(1, len(beat))])
    return Rubbish("noise", rng.randbytes(rng.choice((1, 10, 300, 3_000))))


def _handshake(rng: Random) -> Rubbish:
    kind = rng.randrange(14)
    path = b"{id}"
    if kind == 0:
        odd = (b"%00", b"%ff", b"%", b"%zz", b"%0d%0aX-Injected:%201", b"\xff\xfe", b"%ed%a0%80", b"%F0%9D%94%98",
               b"a" * 300,
               b"%2e%2e", b"..", b"", b"/", b"?x=1", b"#x", b"%2F", b" x", b"%27%3B--", b"\x00", b"\x7f")  # fmt: skip
        return Rubbish("path", request(b"/ocpp/" + rng.choice(odd), *_UPGRADE), shaken=False)
    if kind == 1:
        targets = (b"*", b"http://other/ocpp/x", b"", b"//", b"/" * 5_000, b"ocpp", b"/\r\n X: y")
        return Rubbish("target", request(rng.choice(targets), *_UPGRADE), shaken=False)
    if kind == 2:
        more = rng.choice(
            (b"X: \r\nX-Injected: 1", b"X\x00: 1", b": x", b"X : 1", b"no colon", b"X: \xff\xfe", b" folded: 1")
        )
        return Rubbish("header", request(path, *_UPGRADE, more), shaken=False)
    if kind == 3:
        return Rubbish(
            "long-header", request(path, *_UPGRADE, b"X: " + b"x" * rng.choice((8_000, 70_000))), shaken=False
        )
    if kind == 4:
        return Rubbish("many-headers", request(path, *_UPGRADE, *[b"X%d: x" % n for n in range(2_000)]), shaken=False)
    if kind == 5:
        names = rng.choice(
            (b", " * 500 + b"ocpp1.6", b"ocpp1.6," * 400, b"ocpp1.6\x00", b"", b"\xff", b"ocpp1.6;q=1", b"a b")
        )
        return Rubbish("subprotocols", request(path, *_UPGRADE[:4], b"Sec-WebSocket-Protocol: " + names), shaken=False)
    if kind == 6:
        words = (b"Basic", b"Basic ====", b"Basic " + base64.b64encode(b"\xff:\xff"), b"Bearer x",
                 b"Basic " + base64.b64encode(b"a" * 5_000), b"Digest " + b"x" * 5_000, b"",
                 b"Basic " + base64.b64encode(b"BAD:\x00"), b"\xff")  # fmt: skip
        headers = [b"Authorization: " + rng.choice(words) for _ in range(rng.choice((1, 1, 2)))]
        return Rubbish("authorization", request(path, *_UPGRADE, *headers), shaken=False)
    if kind == 7:
        lacking = [one for one in _UPGRADE if one != rng.choice(_UPGRADE[:4])]
        return Rubbish("lacks-header", request(path, *lacking), shaken=False)
    if kind == 8:
        return Rubbish("twice", request(path, *_UPGRADE, rng.choice(_UPGRADE)), shaken=False)
    if kind == 9:
        wrong = rng.choice((b"Sec-WebSocket-Key: x", b"Sec-WebSocket-Key: ", b"Sec-WebSocket-Key: \xff"))
        return Rubbish("key", request(path, *_UPGRADE[:2], wrong, *_UPGRADE[3:]), shaken=False)
    if kind == 10:
        version = rng.choice((b"8", b"-1", b"99999999999999999999", b"13, 8", b""))
        return Rubbish("version", request(path, *_UPGRADE[:3], b"Sec-WebSocket-Version: " + version), shaken=False)
    if kind == 11:
        method, http = rng.choice(
            ((b"POST", b"HTTP/1.1"), (b"GET", b"HTTP/1.0"), (b"GET", b"HTTP/9"), (b"", b""), (b"PRI", b"HTTP/2.0"))
        )
        return Rubbish("method", request(path, *_UPGRADE, method=method, version=http), shaken=False)
    if kind == 12:
        whole = request(path, *_UPGRADE)
        return Rubbish("cut-handshake", whole[: rng.randrange(1, len(whole))], shaken=False)
    return Rubbish("noise-at-first", rng.randbytes(rng.choice((1, 100, 5_000))), shaken=False)


# -- sending ------------------------------------------------------------------------------------------------------------


async def throw(url: str, one: Rubbish, patience_s: float = 5.0) -> Finding | None:
    """Send it on a connection of its own, and say what was wrong about what came back."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port)
    try:
        async with asyncio.timeout(patience_s):
            return await _throw(where.path.encode(), one, reader, writer)
    except TimeoutError:
        return Finding(one.kind, repr(one.data[:200]), f"nothing came for {patience_s:g} s")
    except (ConnectionError, asyncio.IncompleteReadError):
        return Finding(one.kind, repr(one.data[:200]), "cut without an answer") if one.lives else None
    finally:
        writer.close()


async def _throw(
    path: bytes, one: Rubbish, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> Finding | None:
    if not one.shaken:
        writer.write(one.data.replace(b"{id}", path))
        if one.kind == "cut-handshake":
            return None  # leaves in the middle of a word; for those who stay there is a time-out
        writer.write_eof()
        head = (await reader.read(65_536)).decode("latin-1")
        status = head[9:12] if head.startswith("HTTP/1.1 ") else ""
        if head and not status.isdigit():
            return Finding(one.kind, repr(one.data[:200]), f"no HTTP answer: {head[:60]!r}")
        if status.startswith("5") and status != "505":  # of HTTP/1.0 and the like
            return Finding(one.kind, repr(one.data[:200]), f"status {status}, as if it were the back-end's fault")
        if f"\n{_INJECTED}".lower() in head.lower():
            return Finding(one.kind, repr(one.data[:200]), "a header of the request came back as one of the answer")
        return None
    writer.write(request(path, *_UPGRADE))
    answer = await reader.readuntil(b"\r\n\r\n")
    if b" 101 " not in answer[:20]:
        return Finding(one.kind, "", f"the handshake was refused: {answer[:60]!r}")
    writer.write(one.data)
    if one.lives:
        writer.write(frame(_TEXT, _BEAT))
        while b'"beat"' not in await reader.read(65_536):
            if reader.at_eof():
                return Finding(one.kind, repr(one.data[:200]), "the connection ended though nothing was wrong")
    elif one.ends:
        while await reader.read(65_536):
            continue
    return None
