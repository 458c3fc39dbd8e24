"""Equal bytes as one object.

A fleet says the same over and over. What is held for each station, and compared or copied with every frame, then lies in
the processor's cache once and not a thousand times. It must never change what is said.
"""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=4096)
def same(data: bytes) -> bytes:
    """These bytes: the object that was the first to hold them, if it is still known."""
    return data
