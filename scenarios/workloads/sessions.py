"""Reads session files: any CSV with named columns, its times on the wall clock of a named time zone.

A cell that holds something that is no number or no time is bad input and stops everything with one sentence; a row with
a needed cell left blank is kept as a count. Nothing here may drop or repair a row: what a replay makes of odd rows is
said in `dirt` and done in `day`.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct

from sim.clock import Instant, from_datetime
from sim.clock import zone as named_zone
from sim.errors import BadInput

MAX_CONNECTOR = 99
MAX_KWH = Decimal(1_000_000)
_NEEDED = ("start", "end", "station", "connector", "energy", "site")
_OPTIONAL = ("user", "model", "registered")
_MOST_COLUMNS = 12
_TRUTHS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False, "": False}
_TIME_ALLOWED = "a date and time such as 2019-06-12T08:00:00"


class Columns(Struct, frozen=True):
    """Which column of the file holds what. `user`, `model`, `registered` need not exist under their default names."""

    start: str = "start_local"
    end: str = "end_local"
    station: str = "station"
    connector: str = "connector"
    energy: str = "energy_kwh"
    site: str = "site"
    user: str = "user"
    model: str = "model"
    registered: str = "registered"


class Row(Struct, frozen=True):
    """One session as the file has it.

    `start` is wall clock without a zone (its `fold` tells the doubled hour apart); `duration_ms` is true time, also
    over a clock change, and may be zero or negative. `odd_clock`: start or end lies in an hour that the clock change
    skips or doubles. `registered` is true when the file does not say.
    """

    line: int
    start: datetime
    duration_ms: int
    station: str
    connector: int
    energy_wh: int
    site: str
    model: str = ""
    user: str | None = None
    registered: bool = True
    odd_clock: bool = False

    def begin(self, zone: ZoneInfo) -> Instant:
        """The instant of the start when its wall clock hangs in `zone`."""
        return from_datetime(self.start.replace(tzinfo=zone))


class SessionFile(Struct, frozen=True):
    """A session file, read whole.

    `unparsable` are the rows with a needed cell left blank or cells too many: line and the text of the start cell.
    """

    name: str
    sha256: str
    zone_name: str
    zone: ZoneInfo
    rows: tuple[Row, ...]
    unparsable: tuple[tuple[int, str], ...]
    has_users: bool

    @property
    def rows_read(self) -> int:
        """Rows of the file, those that cannot be used included."""
        return len(self.rows) + len(self.unparsable)

    @property
    def first_day(self) -> date:
        """The local date of the earliest start."""
        return min(row.start for row in self.rows).date()

    @property
    def last_day(self) -> date:
        """The local date of the latest start."""
        return max(row.start for row in self.rows).date()


def read_sessions(path: Path, zone: str, columns: Mapping[str, str] | None = None) -> SessionFile:
    """Read the file whole. `columns` maps names of `Columns` to the file's own. Raises BadInput, one sentence each."""
    hangs_in = _zone(path, zone)
    named = _columns(columns or {})
    try:
        data = path.read_bytes()
    except OSError as err:
        raise BadInput(path, None, f"cannot be read ({err.strerror})", "a CSV file with named columns") from err
    lines = csv_cells(path, data)
    header = next(lines, (0, []))[1]
    where = _places(path, header, named, columns or {})
    rows: list[Row] = []
    unparsable: list[tuple[int, str]] = []
    for line, cells in lines:
        row = _row(path, line, cells, len(header), named, where, hangs_in)
        if row is None:
            start = where["start"]
            unparsable.append((line, cells[start] if start < len(cells) else ""))
        else:
            rows.append(row)
    if not rows:
        raise BadInput(path, None, "holds no session", "a header line and at least one row")
    return SessionFile(
        path.name, hashlib.sha256(data).hexdigest(), zone, hangs_in, tuple(rows), tuple(unparsable), "user" in where
    )


def redate(rows: Sequence[Row], onto: date, count: int = 1) -> tuple[tuple[Row, ...], int]:
    """Shift all rows by the same number of whole weeks so that the date `onto` lies among them; returns the weeks too.

    Weekdays, wall clock and durations stay. A date inside the file shifts nothing; otherwise the file's first full day
    of that weekday (neither its first nor its last date, if another is there) becomes `onto`; of several days (`count`)
    the first one from which the file goes on for so long, if there is one. Raises BadInput when the rows hold no such
    weekday.
    """
    days = sorted({row.start.date() for row in rows})
    if not days or days[0] <= onto <= days[-1]:
        return tuple(rows), 0
    same = [day for day in days if day.weekday() == onto.weekday()]
    if count == 1:
        full = [day for day in same if days[0] < day < days[-1]]
    else:
        full = [day for day in same if day + timedelta(days=count - 1) <= days[-1]]
    if not same:
        found = ", ".join(sorted({f"{day:%A}" for day in days}))
        raise BadInput(None, f"day {onto}", f"is a {onto:%A}, and the session file holds none", f"a {found}")
    weeks = (onto - (full or same)[0]).days // 7
    shift = timedelta(weeks=weeks)
    return tuple(msgspec.structs.replace(row, start=row.start + shift) for row in rows), weeks


def _zone(path: Path, name: str) -> ZoneInfo:
    try:
        return named_zone(name)
    except ValueError as err:
        raise BadInput(path, "time zone", f"{name!r} is unknown", "an IANA name such as Europe/London") from err


def _columns(given: Mapping[str, str]) -> Columns:
    for key in given:
        if key not in Columns.__struct_fields__:
            raise BadInput(None, f"columns.{key}", "is no field of a session", Columns.__struct_fields__)
    return Columns(**given)


def csv_cells(path: Path, data: bytes, skipped: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Line number and stripped cells of each line that is not blank, with commas, semicolons or tabs between cells.

    `skipped`: lines of the file that are not in `data`. Raises BadInput for what is no CSV in UTF-8.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        line = data.count(b"\n", 0, err.start) + 1
        raise BadInput(path, f"line {line + skipped}", "is not UTF-8 text", "a CSV file in UTF-8") from err
    head = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=head.count))
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as err:
            raise BadInput(
                path, f"line {reader.line_num + skipped}", f"is no CSV ({err})", "quoted or plain cells"
            ) from err
        if any(cell.strip() for cell in cells):
            yield reader.line_num + skipped, [cell.strip() for cell in cells]


def _places(path: Path, header: list[str], named: Columns, given: Mapping[str, str]) -> dict[str, int]:
    """Index of each field's column. Optional columns may be missing unless the caller named them."""
    if not header:
        raise BadInput(path, None, "is empty", "a header line and at least one row")
    where: dict[str, int] = {}
    for field in _NEEDED + _OPTIONAL:
        column = getattr(named, field)
        if header.count(column) > 1:
            raise BadInput(path, "header", f"names the column {column!r} twice", "each column once")
        if column in header:
            where[field] = header.index(column)
        elif field in _NEEDED or field in given:
            needed = ", ".join(getattr(named, one) for one in _NEEDED)
            problem = f"has no column {column!r} for the {field}, only {_some(header)}"
            raise BadInput(path, "header", problem, f"{needed}; or other names, told by sessions.columns of a scenario")
    return where


def _some(header: Sequence[str]) -> str:
    more = len(header) - _MOST_COLUMNS
    return ", ".join(map(repr, header[:_MOST_COLUMNS])) + (f" and {more} more" if more > 0 else "")


def _row(
    path: Path, line: int, cells: list[str], width: int, named: Columns, where: dict[str, int], zone: ZoneInfo
) -> Row | None:
    """The row of one line, None when a needed cell is blank or the cells do not fit the header."""
    if len(cells) > width or any(where[field] >= len(cells) or not cells[where[field]] for field in _NEEDED):
        return None
    cell = {field: cells[index] if index < len(cells) else "" for field, index in where.items()}

    def bad(field: str, problem: str, allowed: str) -> BadInput:
        return BadInput(path, f"line {line}, column {getattr(named, field)}", f"{cell[field]!r} {problem}", allowed)

    try:
        connector = int(cell["connector"])
    except ValueError as err:
        raise bad("connector", "is no connector number", f"1 to {MAX_CONNECTOR}") from err
    if not 1 <= connector <= MAX_CONNECTOR:
        raise bad("connector", "is no connector number", f"1 to {MAX_CONNECTOR}")
    try:
        kwh = Decimal(cell["energy"])
    except InvalidOperation as err:
        raise bad("energy", "is no number", "kWh with a decimal point such as 7.25") from err
    if not kwh.is_finite() or abs(kwh) > MAX_KWH:
        raise bad("energy", "is no energy", f"kWh between -{MAX_KWH} and {MAX_KWH}")
    times = []
    for field in ("start", "end"):
        try:
            times.append(_wall_clock(cell[field], zone))
        except (ValueError, OverflowError) as err:
            raise bad(field, "is no possible time", _TIME_ALLOWED) from err
    registered = True
    if "registered" in where:
        try:
            registered = _TRUTHS[cell["registered"].lower()]
        except KeyError as err:
            raise bad("registered", "is neither yes nor no", "yes, no, true, false, 1, 0") from err
    start, (end, odd_end) = times[0][0], times[1]
    begin, until = from_datetime(start.replace(tzinfo=zone)), from_datetime(end.replace(tzinfo=zone))
    if until < begin and odd_end:
        until = from_datetime(end.replace(tzinfo=zone, fold=1))
    return Row(
        line=line,
        start=start,
        duration_ms=until - begin,
        station=cell["station"],
        connector=connector,
        energy_wh=int((kwh * 1000).to_integral_value(ROUND_HALF_UP)),
        site=cell["site"],
        model=cell.get("model", ""),
        user=cell.get("user") or None,
        registered=registered,
        odd_clock=times[0][1] or odd_end,
    )


def _wall_clock(text: str, zone: ZoneInfo) -> tuple[datetime, bool]:
    """The wall clock in `zone` of a cell, and whether the clock change skips or doubles it. An offset is honoured."""
    moment = datetime.fromisoformat(text)
    if not 1970 < moment.year < 2200:
        raise ValueError("outside of 1971 to 2199")
    if moment.tzinfo is not None:
        return moment.astimezone(zone).replace(tzinfo=None), False
    early = moment.replace(tzinfo=zone).utcoffset()
    return moment, early != moment.replace(tzinfo=zone, fold=1).utcoffset()
