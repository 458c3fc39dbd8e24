"""Times of a pricing matrix: `Mon-Fri 06:00-22:00`, `Sat,Sun`, `holidays`, `2024-06-01..2024-08-31`, `*`; `;` joins several.

A window counts on each calendar day that it names: `22:00-06:00` is from midnight to six and from ten to midnight of each of
them, as a restriction of OCPI 2.2.1 §11.4.6 does. Nothing here knows prices.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from typing import NamedTuple

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
HOLIDAY = 8
"""The number of a public holiday, beside those of the weekdays from 1 (Monday) to 7."""
DAY_MINUTES = 24 * 60
ALLOWED = "* or windows such as Mon-Fri 06:00-22:00; Sat,Sun; holidays; 2024-06-01..2024-08-31 22:00-06:00"

FIRST, LAST = 1, date.max.toordinal() + 1
_DATES = re.compile(r"(\d{4}-\d{2}-\d{2})\.\.(\d{4}-\d{2}-\d{2})")
_CLOCK = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})")


class Box(NamedTuple):
    """One rectangle of time: local days from `first` up to `last` (exclusive ordinals), kinds of day, minutes of the day.

    `days` holds weekdays 1 to 7 and `HOLIDAY`; `end` is exclusive, at most 1440.
    """

    first: int
    last: int
    days: tuple[int, ...]
    start: int
    end: int

    def text(self) -> str:
        """As a matrix would say it."""
        parts = []
        if (self.first, self.last) != (FIRST, LAST):
            since = "" if self.first == FIRST else date.fromordinal(self.first).isoformat()
            until = "" if self.last == LAST else date.fromordinal(self.last - 1).isoformat()
            parts.append(f"{since}..{until}")
        parts.append(days_text(self.days))
        if (self.start, self.end) != (0, DAY_MINUTES):
            parts.append(f"{clock_text(self.start)}-{clock_text(self.end)}")
        return " ".join(part for part in parts if part) or "any time"


class Window(NamedTuple):
    """What one row covers, and whether it speaks of holidays: if no row does, a holiday is a day like any other."""

    boxes: tuple[Box, ...]
    text: str

    @property
    def knows_holidays(self) -> bool:
        """Whether a window of it names holidays."""
        return any(HOLIDAY in box.days for box in self.boxes)


def parse_window(text: str) -> Window:
    """The window of a cell of the column `time`. Raises ValueError saying what is wrong."""
    boxes: list[Box] = []
    for part in text.split(";"):
        boxes += _boxes(part.strip())
    return Window(tuple(boxes), text.strip() or "*")


def _boxes(part: str) -> Iterator[Box]:
    first, last = FIRST, LAST
    days: tuple[int, ...] | None = None
    start, end = 0, DAY_MINUTES
    if not part:
        raise ValueError("an empty window")
    for word in part.split():
        if word == "*":
            continue
        if found := _DATES.fullmatch(word):
            first, last = _dates(*found.groups())
        elif found := _CLOCK.fullmatch(word):
            start, end = _clock(word, [int(number) for number in found.groups()])
        elif days is None:
            days = _days(word)
        else:
            raise ValueError(f"{word!r} is no window")
    kinds = tuple(range(1, 8)) if days is None else days
    if start < end:
        yield Box(first, last, kinds, start, end)
        return
    if end:
        yield Box(first, last, kinds, 0, end)
    yield Box(first, last, kinds, start, DAY_MINUTES)


def _dates(since: str, until: str) -> tuple[int, int]:
    try:
        first, last = date.fromisoformat(since), date.fromisoformat(until)
    except ValueError as err:
        raise ValueError(f"{since}..{until} holds no date of the calendar") from err
    if last < first or not first.year >= 1971 or not last.year < 2200:
        raise ValueError(f"{since}..{until} ends before it begins, or lies outside of 1971 to 2199")
    return first.toordinal(), (last + timedelta(days=1)).toordinal()


def _clock(word: str, numbers: Sequence[int]) -> tuple[int, int]:
    hour, minute, until_hour, until_minute = numbers
    start, end = hour * 60 + minute, until_hour * 60 + until_minute
    if minute > 59 or until_minute > 59 or start >= DAY_MINUTES or end > DAY_MINUTES or start == end:
        raise ValueError(f"{word} is no span of a day")
    return start, end


def _days(word: str) -> tuple[int, ...]:
    found: list[int] = []
    for one in word.split(","):
        low = one.strip().lower()
        if low in ("holiday", "holidays"):
            found.append(HOLIDAY)
            continue
        begin, dash, until = low.partition("-")
        first, last = _day(begin, word), _day(until, word) if dash else _day(begin, word)
        found += [(first - 1 + n) % 7 + 1 for n in range((last - first) % 7 + 1)]
    if len(set(found)) != len(found):
        raise ValueError(f"{word!r} names a day twice")
    return tuple(sorted(found))


def _day(text: str, word: str) -> int:
    for number, name in enumerate(DAYS, 1):
        if text == name.lower():
            return number
    raise ValueError(f"{word!r} is no window")


def days_text(days: Sequence[int]) -> str:
    """`Mon-Fri`, `Sat,Sun`, `holidays`; nothing for every day of the week."""
    week = [day for day in days if day != HOLIDAY]
    parts: list[str] = []
    if len(week) < 7:
        run: list[int] = []
        for day in [*week, 0]:
            if run and day != run[-1] + 1:
                names = [DAYS[one - 1] for one in run]
                parts.append(f"{names[0]}-{names[-1]}" if len(names) > 2 else ",".join(names))
                run = []
            run.append(day)
    if HOLIDAY in days:
        parts.append("holidays")
    return ",".join(parts)


def clock_text(minute: int) -> str:
    """`06:00`; the end of the day is `24:00`."""
    return f"{minute // 60:02}:{minute % 60:02}"


def pieces(windows: Iterable[Window]) -> list[Box]:
    """The smallest boxes that the windows cut time into: one day kind, no border inside. Together they are all of time."""
    every = [box for window in windows for box in window.boxes]
    cuts = sorted({FIRST, LAST, *(day for box in every for day in (box.first, box.last))})
    minutes = sorted({0, DAY_MINUTES, *(minute for box in every for minute in (box.start, box.end))})
    kinds = [*range(1, 8), *([HOLIDAY] if any(HOLIDAY in box.days for box in every) else [])]
    return [
        Box(first, last, (kind,), start, end)
        for first, last in itertools.pairwise(cuts)
        for kind in kinds
        for start, end in itertools.pairwise(minutes)
    ]


def covers(window: Window, piece: Box) -> bool:
    """Whether a piece lies inside the window; of a window that cut it, all of it does or nothing."""
    return any(
        box.first <= piece.first < box.last and box.start <= piece.start < box.end and piece.days[0] in box.days
        for box in window.boxes
    )


def joined(found: Sequence[Box]) -> list[Box]:
    """Pieces put together again for a reader: neighbouring minutes first, then days with the same minutes, then dates."""
    rows: list[Box] = []
    for box in sorted(found, key=lambda one: (one.first, one.days, one.start)):
        if rows and (rows[-1].first, rows[-1].days, rows[-1].end) == (box.first, box.days, box.start):
            rows[-1] = rows[-1]._replace(end=box.end)
        else:
            rows.append(box)
    by_day: dict[tuple[int, int, int, int], list[int]] = {}
    for box in rows:
        by_day.setdefault((box.first, box.last, box.start, box.end), []).extend(box.days)
    spans: list[Box] = []
    for (first, last, start, end), days in by_day.items():
        made = Box(first, last, tuple(sorted(days)), start, end)
        before = [
            n for n, one in enumerate(spans) if one._replace(first=first, last=last) == made and one.last == first
        ]
        if before:
            spans[before[0]] = spans[before[0]]._replace(last=made.last)
        else:
            spans.append(made)
    return spans
