"""One day, or several, cut out of a session file, re-dated and made replayable by the rules of `dirt`.

All stations of the whole file exist on the day, also those that nobody visits. What is not replayed is listed with its
reason; nothing may disappear in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct
from msgspec.structs import replace

from fleet.visits import RawVisit
from scenarios.workloads import dirt
from scenarios.workloads.sessions import Row, SessionFile, read_sessions, redate
from sim.clock import DAY, HOUR, MINUTE, Instant, from_datetime
from sim.errors import BadInput

WallClock = Literal["site", "file"]


class Workload(Struct, frozen=True):
    """What a scenario needs of its session file.

    `visits` in order of arrival; `stations` maps a station to {site, connectors, power_w}; `sites` are sorted.
    `day_start` is the earliest midnight of the day over all sites, `horizon` the instant by which every visit has left.
    `input_report` is the JSON of the plan key `input`.
    """

    visits: tuple[RawVisit, ...]
    stations: dict[str, dict[str, Any]]
    sites: tuple[str, ...]
    day: date
    day_start: Instant
    horizon: Instant
    input_report: dict[str, Any]


def load_day(
    path: Path,
    zone: str,
    day: date,
    sites_zone: Callable[[str], ZoneInfo],
    *,
    days: int = 1,
    columns: Mapping[str, str] | None = None,
    sites: Sequence[str] = (),
    only: Sequence[int] = (),
    horizon: int = 36 * HOUR,
    wall_clock: WallClock = "site",
    default_power_w: int = dirt.DEFAULT_POWER_W,
) -> Workload:
    """The visits of `day`, or of so many `days` from it on, from the session file at `path` with wall clock of `zone`.

    `sites` are those of the file that take part, none for all; `only` the lines of the file that are replayed, and then no
    other station exists than theirs. `sites_zone` gives the time zone that a site lies in. With
    `wall_clock` "site" 08:00 of the file is 08:00 at the site, with "file" it is the instant that it was in the file's zone.
    `horizon` is ms from the day's first midnight.
    Raises BadInput for whatever the file or the wishes lack.
    """
    if horizon < days * DAY + MINUTE:
        raise BadInput(
            None, "horizon", f"is too short for {days} days", "more than 24 hours a day after the first start"
        )
    file = _of_sites(path, read_sessions(path, zone, columns), sites)
    rows, weeks = _redated(path, file, day, days)
    todays = [row for row in rows if day <= row.start.date() < day + timedelta(days=days)]
    if not todays:
        span = f"a day with sessions, the file holds {file.first_day} to {file.last_day}"
        raise BadInput(path, f"day {day}", "has no session", span)
    stations = _stations(rows, day, default_power_w)
    site_of = {station: entry["site"] for station, entry in stations.items()}
    zones = {site: sites_zone(site) if wall_clock == "site" else file.zone for site in sorted(set(site_of.values()))}
    start = min(from_datetime(datetime.combine(day, time(), one)) for one in zones.values())
    kinds = dirt.examine(file.rows, file.zone, horizon, default_power_w, site_of)
    replay = _Replay(kinds, site_of, zones, start + horizon, default_power_w)
    visits = replay.run(todays)
    if only:
        visits = _only(path, visits, only)
        stations = {name: stations[name] for name in sorted({visit.station for visit in visits})}
        zones = {site: zones[site] for site in sorted({entry["site"] for entry in stations.values()})}
    source_day = day - timedelta(weeks=weeks)
    report = _report(file, kinds, source_day, days, todays, visits, replay.left_out) | {
        "day": day.isoformat(),
        "days": days,
        "source_day": source_day.isoformat(),
        "weeks_shifted": weeks,
        "wall_clock": wall_clock,
        "horizon_ms": horizon,
        "stations": len(stations),
        "sites": len(zones),
    }
    return Workload(visits, stations, tuple(zones), day, start, Instant(start + horizon), report)


def _of_sites(path: Path, file: SessionFile, sites: Sequence[str]) -> SessionFile:
    """The file with the rows of these sites only. Raises BadInput for a site that it does not have."""
    there = sorted({row.site for row in file.rows})
    for site in sites:
        if site not in there:
            raise BadInput(path, f"site {site!r}", "is not in the file", there)
    return replace(file, rows=tuple(row for row in file.rows if row.site in sites)) if sites else file


def _only(path: Path, visits: tuple[RawVisit, ...], lines: Sequence[int]) -> tuple[RawVisit, ...]:
    """The visits on these lines; each as it is when all of them happen. Raises BadInput for a line without one."""
    there = {visit.line for visit in visits}
    for line in lines:
        if line not in there:
            raise BadInput(
                path, f"line {line}", "no visit of this day and these sites", "sessions.rows: lines with one"
            )
    return tuple(visit for visit in visits if visit.line in lines)


def _redated(path: Path, file: SessionFile, day: date, days: int) -> tuple[tuple[Row, ...], int]:
    try:
        return redate(file.rows, day, days)
    except BadInput as err:
        raise BadInput(path, err.place, err.problem, err.allowed) from err


def _stations(rows: Sequence[Row], day: date, default_w: int) -> dict[str, dict[str, Any]]:
    """Every station of the file: its site by its last row up to the day, else by its first row; connectors; power."""
    site_of: dict[str, str] = {}
    power: dict[str, int] = {}
    connectors: dict[str, int] = {}
    for row in sorted(rows, key=lambda row: (row.start, row.line)):
        if row.station not in site_of or row.start.date() <= day:
            site_of[row.station] = row.site
        power[row.station] = max(power.get(row.station, 0), dirt.power_limit(row.model, default_w))
        connectors[row.station] = max(connectors.get(row.station, 0), row.connector)
    return {
        station: {"site": site_of[station], "connectors": connectors[station], "power_w": power[station]}
        for station in sorted(site_of)
    }


class _Replay:
    """Turns the day's rows into visits that can happen, one connector and one user after the other."""

    def __init__(
        self,
        kinds: dict[int, tuple[str, ...]],
        site_of: Mapping[str, str],
        zones: Mapping[str, ZoneInfo],
        horizon: int,
        default_w: int,
    ) -> None:
        self._kinds = kinds
        self._site_of = site_of
        self._zones = zones
        self._horizon = horizon
        self._default_w = default_w
        self._free_from: dict[tuple[str, int], int] = {}
        self._user_until: dict[str, int] = {}
        self.left_out: list[dict[str, Any]] = []

    def run(self, rows: Sequence[Row]) -> tuple[RawVisit, ...]:
        timed = [(row.begin(self._zones[self._site_of[row.station]]), row) for row in rows]
        timed.sort(key=lambda pair: (pair[0], max(0, pair[1].duration_ms), pair[1].line))
        made = [visit for begin, row in timed if (visit := self._visit(begin, row)) is not None]
        made.sort(key=lambda visit: (visit.arrive, visit.station, visit.connector))
        return tuple(replace(visit, visit_id=f"v{number:04d}") for number, visit in enumerate(made, 1))

    def _visit(self, begin: int, row: Row) -> RawVisit | None:
        kinds = self._kinds.get(row.line, ())
        if dirt.DUPLICATE in kinds:
            self._leave_out(row, dirt.DUPLICATE, "the same row was replayed already")
            return None
        ends = begin + (row.duration_ms if row.duration_ms > 0 else dirt.SHORTEST)
        leave = min(ends, self._horizon)
        if leave < ends:
            self._add(row, dirt.PAST_HORIZON)
        place = (row.station, row.connector)
        arrive = max(begin, self._free_from.get(place, 0))
        if arrive > begin and dirt.OVERLAP not in kinds:
            self._add(row, dirt.BACK_TO_BACK)
        if leave - arrive < dirt.SHORTEST and (arrive > begin or leave < ends):
            if dirt.OVERLAP in kinds:
                self._leave_out(row, dirt.OVERLAP, "nothing was left once the connector was free")
                return None
            leave = arrive + dirt.SHORTEST
            if leave > self._horizon:
                self._leave_out(row, dirt.PAST_HORIZON, "there was no time left before the horizon")
                return None
        self._free_from[place] = leave + dirt.TURNAROUND
        if row.user is not None and arrive < self._user_until.get(row.user, 0):
            self._add(row, dirt.TWO_PLACES)
        kinds = self._kinds.get(row.line, ())
        guest = dirt.TWO_PLACES in kinds
        if row.user is not None and not guest:
            self._user_until[row.user] = leave
        power = dirt.power_limit(row.model, self._default_w)
        return RawVisit(
            visit_id="",
            line=row.line,
            site=self._site_of[row.station],
            station=row.station,
            connector=row.connector,
            arrive=Instant(arrive),
            leave=Instant(leave),
            energy_wh=min(max(0, row.energy_wh), dirt.most_wh(power, leave - arrive)),
            limit_w=power,
            registered=row.registered and not guest,
            user=None if guest else row.user,
            kinds=kinds,
        )

    def _add(self, row: Row, kind: str) -> None:
        """A kind that shows only once the day is laid out; counted like the others."""
        kinds = {*self._kinds.get(row.line, ()), kind}
        self._kinds[row.line] = tuple(one for one in dirt.RULES if one in kinds)

    def _leave_out(self, row: Row, kind: str, reason: str) -> None:
        place = {"line": row.line, "station": row.station, "connector": row.connector}
        self.left_out.append({**place, "kind": kind, "reason": reason})


def _report(
    file: SessionFile,
    kinds: Mapping[int, tuple[str, ...]],
    source_day: date,
    days: int,
    todays: Sequence[Row],
    visits: Sequence[RawVisit],
    left_out: list[dict[str, Any]],
) -> dict[str, Any]:
    """What the file held and what became of it; `kinds` lists every rule, also those that no row breaks."""
    of_file = dirt.count(kinds.values())
    of_file[dirt.UNPARSABLE] = len(file.unparsable)
    of_day = dirt.count(kinds.get(row.line, ()) for row in todays)
    dates = tuple((source_day + timedelta(days=number)).isoformat() for number in range(days))
    of_day[dirt.UNPARSABLE] = sum(1 for _, start in file.unparsable if start.startswith(dates))
    return {
        "file": file.name,
        "sha256": file.sha256,
        "zone": file.zone_name,
        "first_day": file.first_day.isoformat(),
        "last_day": file.last_day.isoformat(),
        "rows_read": file.rows_read,
        "rows_day": len(todays),
        "visits": len(visits),
        "not_replayed": left_out,
        "unparsable_lines": [line for line, _ in file.unparsable],
        "kinds": [
            {"kind": kind, "rule": rule, "count_file": of_file[kind], "count_day": of_day[kind]}
            for kind, rule in dirt.RULES.items()
        ],
    }
