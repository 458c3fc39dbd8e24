"""What is odd about the rows of a session file: one rule for each kind, and who breaks it.

A pure look at the whole file in the file's own time zone. A row may be of several kinds. Nothing is dropped or changed
here; `day` follows the rules, and the report prints them with their counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, time
from zoneinfo import ZoneInfo

from scenarios.workloads.sessions import Row
from sim.clock import DAY, HOUR, SECOND, from_datetime

SHORTEST = 30 * SECOND
"""A visit with no time of its own is plugged in for this long."""
TURNAROUND = 5 * SECOND
"""The least time between one EV's plugging out and the next one's plugging in."""
DEFAULT_POWER_W = 7_400

UNPARSABLE = "unparsable"
DUPLICATE = "duplicate"
NEGATIVE_ENERGY = "negative-energy"
ZERO_ENERGY = "zero-energy"
ZERO_LENGTH = "zero-length"
NEGATIVE_LENGTH = "negative-length"
LONGER_THAN_A_DAY = "longer-than-a-day"
PAST_HORIZON = "past-horizon"
OVERLAP = "overlap"
BACK_TO_BACK = "back-to-back"
TWO_PLACES = "two-places"
BEYOND_POWER = "beyond-power"
TWO_SITES = "two-sites"
ODD_CLOCK = "odd-clock"

RULES: dict[str, str] = {
    UNPARSABLE: (
        "A needed cell is blank, or the row has more cells than the header: counted with its line, not replayed."
    ),
    DUPLICATE: "The same as an earlier row in every cell that is read: not replayed a second time.",
    NEGATIVE_ENERGY: "Energy below zero: replayed plugged in for its time, the EV draws nothing.",
    ZERO_ENERGY: "No energy at all: replayed plugged in for its time, the EV draws nothing.",
    ZERO_LENGTH: "Ends when it starts: replayed as plug in, try, and leave after 30 seconds.",
    NEGATIVE_LENGTH: (
        "Ends before it starts: the start is believed, replayed as plug in, try, and leave after 30 seconds."
    ),
    LONGER_THAN_A_DAY: (
        "Plugged in for more than 24 hours: stays plugged in until its end or the horizon of the replay, whichever "
        "comes first."
    ),
    PAST_HORIZON: (
        "Ends after the horizon of the replay, counted from midnight of its day: leaves at the horizon, with the "
        "energy that fits until then."
    ),
    OVERLAP: (
        "Starts while the row before still holds the connector: waits until that one, if it is replayed, has left, "
        "and is shortened by the wait, with the energy that still fits; if less than 30 seconds are left it is not "
        "replayed."
    ),
    BACK_TO_BACK: (
        "Starts less than 5 seconds after the row before left the connector: plugs in 5 seconds after it and stays "
        "for at least 30 seconds."
    ),
    TWO_PLACES: "The same user is still plugged in elsewhere: the later visit is a guest's.",
    BEYOND_POWER: "More energy than the power of the connector allows in the time: cut down to power times time.",
    TWO_SITES: (
        "The file knows the station at another site as well: all its visits take place at the site of its last row up "
        "to the day."
    ),
    ODD_CLOCK: (
        "A time in the hour that a clock change skips is read as if it had not been skipped, one in the doubled hour "
        "as the first, or as the second where the row would otherwise end before it starts."
    ),
}

_POWER_BY_MODEL = (("raption", 50_000), ("rapid", 50_000), ("22kw", 22_000), ("7kw", 7_000))


def power_limit(model: str, default_w: int = DEFAULT_POWER_W) -> int:
    """What a connector of this model can give, W. An unknown model gives `default_w`."""
    name = model.lower().replace(" ", "")
    return next((watts for word, watts in _POWER_BY_MODEL if word in name), default_w)


def most_wh(power_w: int, duration_ms: int) -> int:
    """The energy that this power gives in this time, whole Wh, never below zero."""
    return max(0, power_w * duration_ms // HOUR)


def examine(
    rows: Sequence[Row],
    zone: ZoneInfo,
    horizon: int,
    default_w: int = DEFAULT_POWER_W,
    site_of: dict[str, str] | None = None,
) -> dict[int, tuple[str, ...]]:
    """The kinds of dirt of each dirty row, by line, in the order of RULES. `horizon` is ms from midnight.

    `site_of` names the site that each station is taken to be at.
    """
    found: dict[int, list[str]] = {row.line: [] for row in rows}
    spans = [_Span(row, zone) for row in sorted(rows, key=lambda row: row.line)]
    alone = []
    seen: set[tuple[object, ...]] = set()
    for span in spans:
        row = span.row
        facts = (row.start, row.start.fold, row.duration_ms, row.station, row.connector, row.energy_wh, row.site)
        key = (*facts, row.model, row.user, row.registered)
        if key in seen:
            found[row.line].append(DUPLICATE)
        else:
            seen.add(key)
            alone.append(span)
        found[row.line] += _kinds_of_one(span, zone, horizon, default_w)
        if site_of is not None and site_of[row.station] != row.site:
            found[row.line].append(TWO_SITES)
    alone.sort(key=lambda span: (span.begin, span.end, span.row.line))
    for line, kind in _connector_clashes(alone):
        found[line].append(kind)
    for line in _in_two_places(alone):
        found[line].append(TWO_PLACES)
    order = tuple(RULES)
    return {line: tuple(sorted(kinds, key=order.index)) for line, kinds in found.items() if kinds}


def count(kinds: Iterable[tuple[str, ...]]) -> dict[str, int]:
    """How many rows are of each kind; every kind of RULES is there."""
    totals = dict.fromkeys(RULES, 0)
    for row_kinds in kinds:
        for kind in row_kinds:
            totals[kind] += 1
    return totals


class _Span:
    """A row with its true begin and end."""

    __slots__ = ("begin", "end", "row")

    def __init__(self, row: Row, zone: ZoneInfo) -> None:
        self.row = row
        self.begin: int = row.begin(zone)
        self.end = self.begin + max(0, row.duration_ms)


def _kinds_of_one(span: _Span, zone: ZoneInfo, horizon: int, default_w: int) -> list[str]:
    row = span.row
    checks = (
        (NEGATIVE_ENERGY, row.energy_wh < 0),
        (ZERO_ENERGY, row.energy_wh == 0),
        (ZERO_LENGTH, row.duration_ms == 0),
        (NEGATIVE_LENGTH, row.duration_ms < 0),
        (LONGER_THAN_A_DAY, row.duration_ms > DAY),
        (BEYOND_POWER, row.energy_wh * HOUR > power_limit(row.model, default_w) * max(0, row.duration_ms)),
        (ODD_CLOCK, row.odd_clock),
    )
    kinds = [kind for kind, hit in checks if hit]
    # the midnight of a row is asked for only where the row may reach that far
    if span.row.duration_ms > horizon - DAY - 2 * HOUR:
        midnight = from_datetime(datetime.combine(row.start.date(), time(), zone))
        if span.end > midnight + horizon:
            kinds.append(PAST_HORIZON)
    return kinds


def _connector_clashes(spans: Sequence[_Span]) -> Iterable[tuple[int, str]]:
    """Rows that begin before, or too soon after, the rows before them on the connector end. `spans` by begin."""
    free_from: dict[tuple[str, int], int] = {}
    for span in spans:
        place = (span.row.station, span.row.connector)
        free = free_from.get(place)
        if free is not None and span.begin < free:
            yield span.row.line, OVERLAP
        elif free is not None and span.begin < free + TURNAROUND:
            yield span.row.line, BACK_TO_BACK
        free_from[place] = max(span.end, free or 0)


def _in_two_places(spans: Sequence[_Span]) -> Iterable[int]:
    """Lines of users who begin at one connector while plugged in at another. `spans` by begin."""
    at_of: dict[str, list[_Span]] = {}
    for span in spans:
        user = span.row.user
        if user is None:
            continue
        still = [other for other in at_of.get(user, []) if other.end > span.begin]
        here = (span.row.station, span.row.connector)
        if any((other.row.station, other.row.connector) != here for other in still):
            yield span.row.line
        at_of[user] = [*still, span]
