"""The words of a fault that say when it strikes, how it is released, and how often it comes again.

Texts of a user, read strictly: each raises ValueError with what is allowed. Nothing here knows a scenario or a clock.
"""

from __future__ import annotations

import re

from msgspec import Struct

from scenarios.load_text import parse_local_time
from sim.clock import HOUR, parse_duration

STATES = ("sent", "committed", "answered")
"""What may be waited for of a message: a back-end has it, has written it down, or its answer has reached the station."""
_WHEN = (
    '"12:30", "10:00-12:00", "35 %", "30-60 %", "+2h", "+2h-3h", "in DRAINING", '
    '"after the 3rd StopTransaction committed"'
)
_RELEASE = '"at once", "staggered over 5m" or "swizzled over 5m"'
_REPEAT = '"3 times every 1h"'
_EVENT = re.compile(
    r"after the (?:(\d+)(?:st|nd|rd|th) )?([A-Z][A-Za-z]+)(?: (sent|committed|answered))?(?: at (legacy|new))?"
)
_STAGGER = re.compile(r"(staggered|swizzled) over (\S+)")
_TIMES = re.compile(r"(\d+) times every (\S+)")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)(?:\s*-\s*(\d+(?:\.\d+)?))?\s*%")
MOST_REPEATS = 100


class Event(Struct, frozen=True):
    """What a fault waits for: the `count`-th message of this action, in this state, at this back-end (empty: any)."""

    action: str
    count: int = 1
    state: str = "committed"
    backend: str = ""


class Timing(Struct, frozen=True):
    """When a fault strikes. `local`: ms after local midnight; `offset`: ms after the day begins; `share`: parts of the
    day in [0, 1]; `event`; `state`: of a move. Exactly one of them is there.
    """

    local: tuple[int, int] | None = None
    offset: tuple[int, int] | None = None
    share: tuple[float, float] | None = None
    event: Event | None = None
    state: str = ""


class When(str):
    """When a fault strikes, as a user writes it."""

    @property
    def timing(self) -> Timing:
        """What it means."""
        return parse_when(self)


class Release(str):
    """How the stations of one fault are let go: at once, staggered over a while, or swizzled (struck one by one and let
    go one by one, in another order)."""

    @property
    def how(self) -> str:
        """`at once`, `staggered` or `swizzled`."""
        return parse_release(self)[0]

    @property
    def over(self) -> int:
        """How long it takes from the first to the last, ms."""
        return parse_release(self)[1]


class Repeat(str):
    """How often a fault comes, and in what distance."""

    @property
    def times(self) -> int:
        """How often in all."""
        return parse_repeat(self)[0]

    @property
    def every(self) -> int:
        """From one to the next, ms."""
        return parse_repeat(self)[1]


class Shift(str):
    """A step of a clock: a duration with a sign, such as `-2h` or `+90s`."""

    @property
    def ms(self) -> int:
        """Milliseconds, negative for a clock that is set back."""
        return parse_shift(self)


def parse_when(text: str) -> Timing:
    """Raises ValueError."""
    words = " ".join(text.split())
    if words.startswith("in ") and re.fullmatch(r"[A-Z_]+", words[3:]):
        return Timing(state=words[3:])
    if found := _EVENT.fullmatch(words):
        count, action, state, backend = found.groups()
        if count == "0":
            raise ValueError(f"there is no 0th message in {text!r}; allowed: the 1st or a later one")
        return Timing(event=Event(action, int(count or 1), state or "committed", backend or ""))
    if found := _PERCENT.fullmatch(words):
        low = float(found[1]) / 100
        high = float(found[2]) / 100 if found[2] else low
        if not 0 <= low <= high <= 1:
            raise ValueError(f"{text!r} is no part of a day; allowed: from 0 % to 100 %, the smaller one first")
        return Timing(share=(low, high))
    try:
        if words.startswith("+"):
            begin, _, end = words[1:].partition("-")
            span = parse_duration(begin), parse_duration(end or begin)
            timing = Timing(offset=span)
        else:
            begin, _, end = words.partition("-")
            span = parse_local_time(begin.strip()), parse_local_time((end or begin).strip())
            timing = Timing(local=span)
    except ValueError:
        raise ValueError(f"{text!r} says no moment; allowed: {_WHEN}") from None
    if span[0] > span[1]:
        raise ValueError(f"{text!r} runs backwards; allowed: the earlier one first")
    return timing


def parse_release(text: str) -> tuple[str, int]:
    """How, and over which time in ms. Raises ValueError."""
    words = " ".join(text.split())
    if words == "at once":
        return words, 0
    found = _STAGGER.fullmatch(words)
    try:
        over = parse_duration(found[2]) if found else 0
    except ValueError:
        over = 0
    if found is None or over <= 0:
        raise ValueError(f"{text!r} is no way to release a fault; allowed: {_RELEASE}")
    return found[1], over


def parse_repeat(text: str) -> tuple[int, int]:
    """How often in all, and in what distance in ms. Raises ValueError."""
    found = _TIMES.fullmatch(" ".join(text.split()))
    try:
        every = parse_duration(found[2]) if found else 0
    except ValueError:
        every = 0
    if found is None or every <= 0 or not 2 <= int(found[1]) <= MOST_REPEATS:
        raise ValueError(f"{text!r} does not say how often; allowed: {_REPEAT}, from 2 to {MOST_REPEATS} times")
    return int(found[1]), every


def parse_shift(text: str) -> int:
    """Signed ms, not 0. Raises ValueError."""
    sign = -1 if text.startswith("-") else 1
    try:
        ms = sign * parse_duration(text.lstrip("+-"))
    except ValueError:
        ms = 0
    if ms == 0 or abs(ms) > 24 * 365 * HOUR:
        raise ValueError(
            f'{text!r} is no step of a clock; allowed: a signed duration such as "-2h" or "+90s", up to a year'
        )
    return ms


def parse_share(text: str) -> float:
    """A share of stations, `2 %`, as a number above 0 and up to 1. Raises ValueError."""
    found = _PERCENT.fullmatch(" ".join(text.split()))
    if found is None or found[2] or not 0 < float(found[1]) <= 100:
        raise ValueError(f'{text!r} is no share; allowed: a text such as "2 %", or a number above 0 and up to 1')
    return float(found[1]) / 100


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `3rd`, `11th`."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"
