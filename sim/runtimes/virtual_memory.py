"""The garbage collector of a process in which virtual worlds run: when it looks, and at what.

It decides nothing about a world, and no world may notice it.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


class Leftovers:
    """What worlds that are over may have left in this process.

    A world is a circle, and one that is over would lie there while the next one runs. To look for it costs as much as the
    whole process holds, so nobody looks between the steps of one world, nor for worlds in which little happened.
    """

    MANY = 10_000
    """Frames that are worth a look."""
    frames = 0
    """Frames since the last look, of all worlds."""

    @classmethod
    def look(cls) -> None:
        """Collect what is over, if there may be much of it."""
        if cls.frames >= cls.MANY:
            gc.collect()
            cls.frames = 0


@contextmanager
def few_collections() -> Iterator[None]:
    """Nearly nothing in a world is ever garbage in a circle: the collector looks seldom, and never at what was built."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
