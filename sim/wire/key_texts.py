"""The bytes that a text of a public key may mean: hex, base64, base32, PEM, or the string of the OCA note.

Which of them is a key is tried by `sim.wire.keys`; nothing here knows curves, and nothing raises. Source: OCA application
note "Signed Meter Values in OCPP" 1.0 §3.2.2, and what stations send instead.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from contextlib import suppress

_MOST = 4096
_PEM = re.compile(r"-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]*)-----END PUBLIC KEY-----")
_NOT_HEX = re.compile(r"0[xX]|[^0-9A-Fa-f]")
_BETWEEN = re.compile(r"^0[xX]|[\s:\-]+")


def readings_of(text: str, depth: int = 0) -> Iterator[bytes]:
    """All bytes that the text may mean, the likeliest first. What is longer than any key means nothing."""
    text = text.strip()
    if not text or len(text) > _MOST or not text.isascii():
        return
    parts = text.split(":", 3)
    if len(parts) == 4 and parts[0].lower() == "oca":
        if parts[1].lower() == "base16":
            digits = _NOT_HEX.sub("", parts[3])
            yield from [bytes.fromhex(digits)] if len(digits) % 2 == 0 else []
        else:
            yield from _decoded(parts[3], depth)
        return
    pem = _PEM.search(text)
    yield from _decoded(pem[1] if pem else text, depth)


def _decoded(text: str, depth: int) -> Iterator[bytes]:
    with suppress(ValueError):
        yield bytes.fromhex(_BETWEEN.sub("", text))
        return
    bare = "".join(text.split()).rstrip("=")
    with suppress(ValueError):
        data = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
        if depth < 2 and data.isascii():  # the note's string, or hex, once more in base64: what stations publish
            yield from readings_of(data.decode("ascii"), depth + 1)
        yield data
    with suppress(ValueError):
        yield base64.b32decode(bare + "=" * (-len(bare) % 8))
