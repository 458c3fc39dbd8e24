"""Which numbers of a sequence have come, as spans (first, last), and which are missing between them.

Pure. A transaction of a day has hundreds of events; its spans are one pair as long as nothing is lost.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

Spans = Sequence[tuple[int, int]]
RepeatedEvent = Callable[[Spans, int], bool]
MissingEvents = Callable[[Spans], Sequence[int]]
MOST_MISSING = 1_000
"""More missing numbers than this are not named one by one: a peer may number its events as it likes."""
MOST_SPANS = 500
"""So many spans are told apart; with more holes than that, the oldest ones are given up and count as seen."""


def came_before(seen: Spans, number: int) -> bool:
    """The default for the part `repeated_event`: the number is in a span."""
    return any(first <= number <= last for first, last in seen)


def with_number(seen: Spans, number: int) -> tuple[tuple[int, int], ...]:
    """The spans with one more number, in order and as few as possible."""
    if came_before(seen, number):
        return tuple(seen)
    joined: list[tuple[int, int]] = []
    for first, last in sorted([*seen, (number, number)]):
        if joined and joined[-1][1] + 1 == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    while len(joined) > MOST_SPANS:
        joined[:2] = [(joined[0][0], joined[1][1])]
    return tuple(joined)


def gaps(seen: Spans) -> tuple[int, ...]:
    """The default for the part `missing_events`: what lies before the first span (from 0) and between any two."""
    edges = [(-1, -1), *seen]
    missing: list[int] = []
    for (_, before), (after, _) in pairwise(edges):
        missing += range(before + 1, min(after, before + 1 + MOST_MISSING - len(missing)))
    return tuple(missing)
