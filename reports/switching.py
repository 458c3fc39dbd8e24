"""What switching a station costs its drivers, by the hour of the working day: from the truth of who charged when.

A station that switches drains first: it takes nobody new until the running session ends or the patience is over, and is
then away for a while. Asked of every ten minutes of every working day on which the site did not move (of the day of the
move if there is no other), as if each station of the site had its turn then.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from reports.day import drawing
from reports.run import Row, by
from sim import clock
from sim.clock import DAY, HOUR, MINUTE, Instant
from sim.evidence.reader import Evidence

STEP = 10 * MINUTE
_SATURDAY = 5
_ARRIVED = ("SEEN_AT_NEW", "PROVISIONED")


class Hour(Struct, frozen=True):
    """One local hour, summed over `switches` imagined ones.

    `interrupted`: sessions that still drew power when the patience was over. `lost_ms`: the time for which those, and
    whoever arrived meanwhile, had to wait for the station to be back.
    """

    hour: int
    switches: int
    interrupted: int
    lost_ms: int


class _Use(Struct):
    """What happened at one station: arrivals, and sessions with their end and the times in which they drew power."""

    arrivals: list[int]
    starts: list[int]
    sessions: list[tuple[int, int, list[tuple[int, int]]]]


def hours_of(evidence: Evidence, site: str, zone: str, window: Mapping[str, Any]) -> list[Hour]:
    """Every hour of the window of a site in which a switch can begin and still end before the deadline.

    `window`: start, deadline and drain_timeout in ms, as in the plan's move.
    """
    stations = [str(row["station"]) for row in evidence.plan("stations", []) if row["site"] == site]
    use = _use(evidence, site)
    away, patience = away_ms(evidence, site), int(window["drain_timeout"])
    sums: dict[int, list[int]] = {}
    for midnight in _days(evidence, zone, int(window["start"])):
        for at in _moments(midnight, zone, int(window["start"]), int(window["deadline"]) - patience - away):
            total = sums.setdefault(clock.to_datetime(Instant(at), clock.zone(zone)).hour, [0, 0, 0])
            for station in stations:
                total[0] += 1
                if station in use:
                    interrupted, lost = _switch(use[station], at, patience, away)
                    total[1] += interrupted
                    total[2] += lost
    return [Hour(hour, *total) for hour, total in sorted(sums.items())]


def away_ms(evidence: Evidence, site: str) -> int:
    """How long a switch took at a site at worst, from the order to go until it was set up at the new back-end.

    The 95th percentile of the run's own moves, of all sites if none of this one came through; 0 if none did at all.
    """
    taken: dict[str, list[int]] = {}
    for rows in by(evidence.rows("SELECT * FROM truth_migration ORDER BY at, rowid"), "station").values():
        times = {str(row["state"]): int(row["at"]) for row in reversed(rows)}
        back = max((times[state] for state in _ARRIVED if state in times), default=None)
        if "SWITCH_SENT" in times and back is not None:
            taken.setdefault(str(rows[0]["site"]), []).append(back - times["SWITCH_SENT"])
    mine = taken.get(site) or [one for some in taken.values() for one in some]
    return percentile(mine, 95) if mine else 0


def percentile(values: Iterable[int], percent: int) -> int:
    """The nearest-rank percentile: the least value that at least so many percent do not exceed. Raises if there is none."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


def _days(evidence: Evidence, zone: str, moved_at: int) -> list[int]:
    """Local midnights of the working days (Monday to Friday) of the run without that of the move, or that one alone."""
    window = evidence.plan("window") or {}
    begin, end = int(window.get("start", moved_at)), int(window.get("end", moved_at + 1))
    its_own = _midnight(moved_at, zone)
    days = dict.fromkeys(_midnight(at, zone) for at in range(begin, end, 12 * HOUR))
    weekdays = [day for day in days if clock.to_datetime(Instant(day), clock.zone(zone)).weekday() < _SATURDAY]
    visited = _visited(evidence, zone)
    return [day for day in weekdays if day != its_own and day in visited] or [its_own]


def _visited(evidence: Evidence, zone: str) -> frozenset[int]:
    """Days on which anybody came: what lies beyond the session file says nothing about the use of a site."""
    rows = evidence.rows("SELECT arrive FROM truth_visits WHERE arrive IS NOT NULL")
    return evidence.keep(f"visited {zone}", lambda _: frozenset(_midnight(int(row["arrive"]), zone) for row in rows))


def _midnight(at: int, zone: str) -> int:
    local = clock.to_datetime(Instant(at), clock.zone(zone))
    return clock.from_datetime(local.replace(hour=0, minute=0, second=0, microsecond=0))


def _moments(midnight: int, zone: str, start: int, deadline: int) -> Iterable[int]:
    """Every ten minutes of a day between the wall clock times of the window, its first one in any case."""
    begin = start - _midnight(start, zone)
    yield from range(midnight + begin, midnight + max(begin + 1, begin + deadline - start), STEP)


def _use(evidence: Evidence, site: str) -> dict[str, _Use]:
    found: dict[str, _Use] = {}
    end = evidence.ended_at()
    visits = evidence.rows("SELECT * FROM truth_visits WHERE site = ? AND arrive IS NOT NULL ORDER BY arrive", site)
    for visit in visits:
        found.setdefault(str(visit["station"]), _Use([], [], [])).arrivals.append(int(visit["arrive"]))
    sessions = evidence.rows("SELECT * FROM truth_sessions WHERE site = ? ORDER BY started_at", site)
    for session in sessions:
        use = found.setdefault(str(session["station"]), _Use([], [], []))
        use.starts.append(int(session["started_at"]))
        use.sessions.append((*_span(session, end), list(drawing(session, end))))
    return found


def _span(session: Row, end: int) -> tuple[int, int]:
    return int(session["started_at"]), end if session["stopped_at"] is None else int(session["stopped_at"])


def _switch(use: _Use, at: int, patience: int, away: int) -> tuple[int, int]:
    """One imagined switch: interrupted charges, and the time lost by all, ms."""
    running = _running(use, at)
    drained = at + min(max((until - at for _, until, _ in running), default=0), patience)
    back = drained + away
    interrupted = lost = 0
    for _, until, spans in running:
        left = sum(max(0, min(end, back) - max(begin, drained)) for begin, end in spans)
        if until > drained and any(end > drained for _, end in spans):
            interrupted += 1
            lost += left
    first, last = bisect_left(use.arrivals, at), bisect_left(use.arrivals, back)
    return interrupted, lost + sum(back - arrived for arrived in use.arrivals[first:last])


def _running(use: _Use, at: int) -> Sequence[tuple[int, int, list[tuple[int, int]]]]:
    """Sessions that run at an instant: begun less than two days before, so that few are looked at."""
    first, last = bisect_left(use.starts, at - 2 * DAY), bisect_left(use.starts, at)
    return [session for session in use.sessions[first:last] if session[1] > at]
