"""Named random streams and ids from one seed.

One stream per actor and purpose, so that one more draw in one place moves nothing elsewhere. No global randomness, no
`uuid4`, nothing that depends on hash order may ever enter here.
"""

from __future__ import annotations

import hashlib
import random


def derive(salt: object, *names: object) -> bytes:
    """32 bytes that depend on the salt and the names only."""
    text = "\x1f".join(str(part) for part in (salt, *names))
    return hashlib.sha256(text.encode()).digest()


def stream(seed: object, *names: object) -> random.Random:
    """The random stream of this name: `stream(seed, "station", "CA-305", "latency")`."""
    return random.Random(int.from_bytes(derive(seed, *names), "big"))


def message_id(salt: object, owner: str, counter: int) -> str:
    """A UUID-shaped message id of at most 36 characters, unique per (salt, owner, counter) (OCPP-J §4.1.4)."""
    h = hashlib.blake2b(f"{salt}\x1f{owner}\x1f{counter}".encode(), digest_size=16).hexdigest()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"
