"""Proves that two matrices ask the same price for everything, or names each cell that does not and its smallest example.

The proof is of the tariffs, not of a sample: a price depends on the components that hold at each moment and on
what holds for the whole field, so fields whose components are the same in every piece of time ask the same. Examples are
rated by the one rating function; what no example shows is told as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from msgspec import Struct

from reference_csms.pricing.engine import rate
from reference_csms.pricing.model import TAX_EXCLUDED, Charge, Period
from reference_csms.pricing.policies import policy_named
from scenarios.matrix.grid import Field, Matrix
from scenarios.matrix.table import PRICES, SETTINGS, STEPS, WHOLE, Line
from scenarios.matrix.windows import FIRST, HOLIDAY, LAST, Box, covers, joined, pieces
from scenarios.working_days import is_holiday
from sim.clock import SECOND, Instant, from_datetime, iso, zone

_MOST_WH = 1_000_000
_MOST_S = 172_800
_OLDEST = date(2024, 1, 1)
_SHOWN = {
    "energy_per_kwh": "energy",
    "charging_per_hour": "charging",
    "idle_per_hour": "idle",
    "start_fee": "energy",
    "reservation_fee": "reserved",
    "reservation_per_hour": "reserved",
    "energy_step_wh": "energy",
    "charging_step_s": "charging",
    "idle_step_s": "idle",
    "min_price": "energy",
    "max_price": "energy",
    "idle_grace_minutes": "idle",
}
"""Which kind of use shows that a column differs."""


class Example(Struct, frozen=True):
    """The smallest use found that costs something else: when, what (kWh or seconds), and both prices, gross."""

    start: str
    what: str
    old: str
    new: str


class Changed(Struct, frozen=True):
    """A cell whose price is not the same: where, when, which columns with old and new values, and an example."""

    location: str
    group: str
    time: str
    columns: dict[str, tuple[str, str]]
    example: Example | None

    def as_data(self) -> dict[str, Any]:
        """As --json tells it."""
        example = None
        if self.example is not None:
            example = {name: getattr(self.example, name) for name in self.example.__struct_fields__}
        columns = {name: {"old": old, "new": new} for name, (old, new) in self.columns.items()}
        return {
            "location": self.location,
            "group": self.group,
            "time": self.time,
            "columns": columns,
            "example": example,
        }


class Diff(Struct, frozen=True):
    """What became of a matrix: fields in both, fields only in one (location, group), cells that changed.

    `pieces`: how many pieces of time were compared in all.
    """

    fields: int
    pieces: int
    gone: tuple[tuple[str, str], ...]
    came: tuple[tuple[str, str], ...]
    changed: tuple[Changed, ...]

    @property
    def same(self) -> bool:
        """Whether it is proved that no price changes."""
        return not (self.gone or self.came or self.changed)


def diff_of(old: Matrix, new: Matrix) -> Diff:
    """Compare two matrices. Groups and locations that one of them does not name are those of its `other`."""
    olds, news = _by_name(old), _by_name(new)
    names = list(dict.fromkeys([*olds, *news]))
    gone: list[tuple[str, str]] = []
    came: list[tuple[str, str]] = []
    changed: list[Changed] = []
    count = fields = 0
    for name in names:
        before, after = _found(olds, name), _found(news, name)
        if before is None or after is None:
            (came if before is None else gone).append(name)
            continue
        fields += 1
        found, compared = _field(name, before, after, old.table.policy, new.table.policy)
        count += compared
        changed += found
    return Diff(fields, count, tuple(gone), tuple(came), tuple(changed))


def _by_name(matrix: Matrix) -> dict[tuple[str, str], Field]:
    return {(field.location, field.group): field for field in matrix.fields}


def _found(fields: dict[tuple[str, str], Field], name: tuple[str, str]) -> Field | None:
    """The field that prices this location and group: its own, or one of `other`."""
    location, group = name
    for place in (location, "other"):
        for who in (group, "other"):
            if (place, who) in fields:
                return fields[place, who]
    return None


def _field(
    name: tuple[str, str], before: Field, after: Field, old_policy: str, new_policy: str
) -> tuple[list[Changed], int]:
    """The cells of a field that changed, and how many pieces of time were compared."""
    first_old, first_new = before.lines[0], after.lines[0]
    always = _whole(first_old, first_new, before, after, old_policy, new_policy)
    differing: dict[tuple[tuple[str, str, str], ...], list[Box]] = {}
    rows: dict[tuple[tuple[str, str, str], ...], tuple[Line, Line]] = {}
    compared = pieces([line.window for line in (*before.lines, *after.lines)])
    for piece in compared:
        was, now = _row(before, piece), _row(after, piece)
        columns = tuple(
            (column, shown_of(was, column), shown_of(now, column))
            for column in (*PRICES, *STEPS)
            if _said(was, column) != _said(now, column)
        )
        if columns or always:
            differing.setdefault(columns, []).append(piece)
            rows[columns] = (was, now)
    found = []
    for columns, boxes in differing.items():
        said = {column: (was, now) for column, was, now in (*always, *columns)}
        for box in joined(boxes):
            example = _example(before, after, box, list(said), old_policy, new_policy)
            found.append(Changed(*name, box.text(), said, example))
    return found, len(compared)


def _whole(
    was: Line, now: Line, before: Field, after: Field, old_policy: str, new_policy: str
) -> tuple[tuple[str, str, str], ...]:
    """What differs at all times. Zone and holidays count only where a price depends on them, and whether prices are with or
    without tax only where a policy rounds parts of the total."""
    found = []
    for column in (*WHOLE, *SETTINGS):
        if column in ("zone", "holidays") and len(before.lines) == len(after.lines) == 1:
            continue
        if column == "tax" and {policy_named(name).per for name in (old_policy, new_policy)} == {"invoice"}:
            continue
        if _said(was, column) != _said(now, column):
            found.append((column, shown_of(was, column), shown_of(now, column)))
    if old_policy != new_policy:
        found.append(("policy", old_policy, new_policy))
    return tuple(found)


def _said(line: Line, column: str) -> Any:
    """What a row says, as a price counts it: amounts with tax, no price as 0, no step as a step of one."""
    if column in STEPS:
        return line.steps.get(column, 1)
    if column == "vat_percent":
        return line.vat or Decimal(0)
    if column == "idle_grace_minutes":
        return line.whole.get(column, Decimal(0))
    if column not in PRICES and column not in WHOLE:
        return getattr(line, column)
    amount = (line.prices if column in PRICES else line.whole).get(column)
    if amount is None:
        return None if column == "max_price" else Fraction(0)
    return Fraction(amount) * (1 + Fraction(line.vat or 0) / 100 if line.tax == TAX_EXCLUDED else 1)


def shown_of(line: Line, column: str) -> str:
    """What a row says, for a reader."""
    money = column in PRICES or column in WHOLE
    value = (line.prices if column in PRICES else line.whole).get(column) if money else _said(line, column)
    if value is None or value == "":
        return "none"
    text = format(value, "f") if isinstance(value, Decimal) else str(value)
    return f"{text} without tax" if money and line.tax == TAX_EXCLUDED and column != "idle_grace_minutes" else text


def _row(field: Field, piece: Box) -> Line:
    """The row that holds in a piece of time. A holiday is a weekday to a field that does not tell them apart."""
    kinds = [piece.days[0]]
    if piece.days[0] == HOLIDAY and not any(line.window.knows_holidays for line in field.lines):
        kinds = [1]
    return next(line for line in field.lines for kind in kinds if covers(line.window, piece._replace(days=(kind,))))


def _example(
    before: Field, after: Field, box: Box, columns: Sequence[str], old_policy: str, new_policy: str
) -> Example | None:
    """The smallest use in a piece of time for which both ask something else. None if none up to 1,000 kWh or two days."""
    start = _moment(box, after)
    if start is None:
        return None
    best: tuple[int, Example] | None = None
    kinds = dict.fromkeys(_SHOWN.get(column, "energy") for column in columns)
    for kind in kinds:
        size = _smallest(before, after, start, kind, old_policy, new_policy)
        if size is not None and (best is None or size < best[0]):
            old, new = _both(before, after, start, kind, size, old_policy, new_policy)
            what = f"{Decimal(size) / 1000:.3f} kWh" if kind == "energy" else f"{size} s of {kind}"
            best = size, Example(iso(start), what, " ".join(old), " ".join(new))
    return None if best is None else best[1]


def _smallest(before: Field, after: Field, start: int, kind: str, old_policy: str, new_policy: str) -> int | None:
    """The least Wh or seconds that show it: doubled until it shows, then halved as long as it does."""
    most = _MOST_WH if kind == "energy" else _MOST_S

    def differs(size: int) -> bool:
        old, new = _both(before, after, start, kind, size, old_policy, new_policy)
        return old != new

    high = 1
    while not differs(high):
        if high >= most:
            return None
        high = min(most, high * 2)
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if differs(middle):
            high = middle
        else:
            low = middle
    return high


def _both(
    before: Field, after: Field, start: int, kind: str, size: int, old_policy: str, new_policy: str
) -> tuple[tuple[str, str], tuple[str, str]]:
    """Gross price and currency of one use by both."""
    found = []
    for field, policy in ((before, old_policy), (after, new_policy)):
        rated = rate(field.tariff, _charge(field, start, kind, size), policy_named(policy))
        found.append((str(rated.gross), rated.currency))
    return found[0], found[1]


def _charge(field: Field, start: int, kind: str, size: int) -> Charge:
    """One period of one kind of use. Energy comes in no time that is billed: the smallest example has one cause."""
    seconds = Decimal(size)
    length = SECOND if kind == "energy" else size * SECOND
    holds = Period(
        start=Instant(start),
        end=Instant(start + length),
        kwh=seconds / 1000 if kind == "energy" else Decimal(0),
        charging_s=seconds if kind == "charging" else Decimal(0),
        idle_s=seconds if kind == "idle" else Decimal(0),
        reserved_s=seconds if kind == "reserved" else Decimal(0),
    )
    day = datetime.fromtimestamp(start / 1000, zone(field.zone)).date()
    off = (day,) if field.holidays and is_holiday(day, field.holidays) else ()
    return Charge(
        start=holds.start,
        end=holds.end,
        periods=(holds,),
        currency=field.tariff.currency,
        zone=field.zone,
        holidays=off,
    )


def _moment(box: Box, field: Field) -> int | None:
    """An instant at the beginning of a piece of time, None if there is no such day in the years looked at."""
    for day in _candidates(box):
        kind = HOLIDAY if field.holidays and is_holiday(day, field.holidays) else day.isoweekday()
        if kind in box.days or (kind == HOLIDAY and HOLIDAY not in box.days and not field.holidays):
            wall = datetime(day.year, day.month, day.day, *divmod(box.start, 60), tzinfo=zone(field.zone))
            return from_datetime(wall)
    return None


def _candidates(box: Box) -> Iterator[date]:
    first = _OLDEST if box.first == FIRST else date.fromordinal(box.first)
    if box.last != LAST and box.first == FIRST:
        first = min(first, date.fromordinal(box.last) - timedelta(days=400))
    last = min(date.fromordinal(box.last - 1) if box.last != LAST else date.max, first + timedelta(days=400))
    return (first + timedelta(days=n) for n in range((last - first).days + 1))
