"""Number circles: counters in the store, so that a number is given out once even across restarts."""

from __future__ import annotations

from collections.abc import Callable

from reference_csms.records import COUNTERS, Counter
from reference_csms.storage.port import Store

TransactionIds = Callable[[int, int], int]


def in_circle(base: int, n: int) -> int:
    """The n-th transaction id (n from 1) of the circle that begins at `base`. Raises OverflowError past 2^31 - 1.

    INV-07: positive, below 2^31, never used again.
    """
    minted = base + n
    if not 0 < minted < 2**31:
        raise OverflowError(f"transaction id {minted} is outside 1 to 2^31 - 1")
    return minted


class Numbers:
    """Counters by name, each from 1 on."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def next(self, name: str) -> int:
        """The next number of this circle; it belongs to the running unit of work."""
        counter = self._store.get(COUNTERS, name)
        if counter is None:
            self._store.insert(COUNTERS, Counter(name, 1))
            return 1
        self._store.update(COUNTERS, Counter(name, counter.value + 1))
        return counter.value + 1
