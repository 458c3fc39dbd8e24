"""A second opinion on the price of a stay, from the rows of the matrix alone, in whole numbers.

It shares no code with the compiler or the rating: it looks up each local minute in the rows by itself, adds Wh and
milliseconds per row, and rounds once at the end. It may never see a tariff.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from zoneinfo import ZoneInfo

from scenarios.matrix.charges import Stay
from scenarios.matrix.table import Line
from scenarios.matrix.windows import HOLIDAY, Box, Window
from scenarios.working_days import is_holiday

_HOUR_MS = 3_600_000
_SCALE = 10**10
"""Prices have at most ten decimals (`table._number`)."""
_UNIT = _SCALE * _HOUR_MS
"""What one major unit of the currency is in the sums below."""
_MINOR = {"JPY": 1, "KRW": 1, "CLP": 1, "ISK": 1, "KWD": 1000, "BHD": 1000, "OMR": 1000, "JOD": 1000, "TND": 1000}
JUDGED = ("ocpi", "per-invoice")
"""Policies that it knows: steps by the session (OCPI 2.2.1 §11.4.3) or none, money rounded half up once, at the total."""
_PRICED = ("energy_per_kwh", "charging_per_hour", "idle_per_hour")
_STEPS = ("energy_step_wh", "charging_step_s", "idle_step_s")
_ENERGY, _CHARGING, _IDLE = range(3)
_PER = (3_600, 1, 1)
"""A Wh at a price per kWh, and a ms at a price per hour, in parts of `_UNIT`."""


class Used(NamedTuple):
    """What a stay used while one row held: its index, Wh, ms of charging, ms idle. In the order of time."""

    row: int
    wh: int
    charging: int
    idle: int


class Price(NamedTuple):
    """Gross and net in minor units."""

    gross: int
    net: int


def used_of(stay: Stay, lines: Sequence[Line]) -> tuple[Used, ...]:
    """What the stay used under each row, minute by minute of the local clock. Rows must cover all of time once."""
    cut = [(0, stay.start, stay.end)] if len(lines) == 1 else list(_spans(stay, lines, ZoneInfo(lines[0].zone)))
    found: list[Used] = []
    full = min(stay.full, stay.end)
    for row, start, end in cut:
        wh = stay.taken(end) - stay.taken(start)
        charging = max(0, min(end, full) - start) if start < full else 0
        found.append(Used(row, wh, charging, end - start - charging))
    return tuple(found)


def _spans(stay: Stay, lines: Sequence[Line], zone: ZoneInfo) -> Iterator[tuple[int, int, int]]:
    """Row, start and end (ms) of each stretch under one row; looks at the clock every quarter of an hour, or
    every minute if a row begins or ends between two quarters."""
    every = 15 if all(_on_quarters(line.window) for line in lines) else 1
    at: int = stay.start
    row, begun = _row_at(at, lines, zone), at
    while True:
        at = (at // 60_000 // every + 1) * every * 60_000
        if at >= stay.end:
            break
        now = _row_at(at, lines, zone)
        if now != row:
            yield row, begun, at
            row, begun = now, at
    yield row, begun, stay.end


def _on_quarters(window: Window) -> bool:
    return all(box.start % 15 == 0 and box.end % 15 == 0 for box in window.boxes)


def _row_at(at: int, lines: Sequence[Line], zone: ZoneInfo) -> int:
    local = datetime.fromtimestamp(at // 1000, zone)
    day, minute = local.toordinal(), local.hour * 60 + local.minute
    told_apart = any(line.window.knows_holidays for line in lines)
    kind = HOLIDAY if told_apart and is_holiday(local.date(), lines[0].holidays) else local.isoweekday()
    rows = [n for n, line in enumerate(lines) if any(_inside(box, day, kind, minute) for box in line.window.boxes)]
    if len(rows) != 1:
        raise AssertionError(f"{len(rows)} rows hold at {local} of {lines[0].place} and its neighbours")
    return rows[0]


def _inside(box: Box, day: int, kind: int, minute: int) -> bool:
    return box.first <= day < box.last and kind in box.days and box.start <= minute < box.end


class Terms(NamedTuple):
    """The rows of a field in whole numbers: per row the prices of `_PRICED` times `_SCALE`, None where there is none."""

    lines: Sequence[Line]
    rows: tuple[tuple[int | None, ...], ...]
    fees: tuple[int | None, ...]
    grace_ms: int


def terms_of(lines: Sequence[Line]) -> Terms:
    """What is needed of the rows again and again."""
    rows = tuple(tuple(_maybe(line.prices.get(column)) for column in _PRICED) for line in lines)
    fees = tuple(_maybe(line.prices.get("start_fee")) for line in lines)
    return Terms(lines, rows, fees, int(lines[0].whole.get("idle_grace_minutes", Decimal(0)) * 60_000))


def price_of(used: Sequence[Used], terms: Terms, steps: bool) -> Price:
    """The price of what was used under these rows; `steps` as OCPI rounds quantities up, once for the session.

    A start fee is due once: that of the first row the stay came to that has one.
    """
    grace = terms.grace_ms
    total = next((fee for one in used if (fee := terms.fees[one.row]) is not None), 0) * _HOUR_MS
    totals, last = [0, 0, 0], [-1, -1, -1]
    for row, wh, charging, idle in used:
        free = min(grace, idle)
        grace -= free
        for n, amount in enumerate((wh, charging, idle - free)):
            price = terms.rows[row][n]
            if price is not None and amount:
                total += price * amount * _PER[n]
                totals[n] += amount
                last[n] = row
    if steps:
        total += _steps(terms, totals, last)
    return _rounded(total, terms.lines[0])


def _steps(terms: Terms, totals: Sequence[int], last: Sequence[int]) -> int:
    """What rounding up adds, at the price of the last row that priced it. Idle time goes before charging time."""
    added = 0
    for n, column in enumerate(_STEPS):
        if last[n] < 0 or (n == _CHARGING and last[_IDLE] >= 0):
            continue
        step = terms.lines[last[n]].steps.get(column)
        if step is None:
            continue
        unit = 1 if n == _ENERGY else 1000
        counted = (2 * totals[n] + unit) // (2 * unit)
        more = max(0, -(-counted // step) * step * unit - totals[n])
        added += (terms.rows[last[n]][n] or 0) * more * _PER[n]
    return added


def _rounded(total: int, line: Line) -> Price:
    """Limits, then the other side of the tax, each rounded once, half up."""
    least, most = line.whole.get("min_price"), line.whole.get("max_price")
    if least is not None:
        total = max(total, _whole(least) * _HOUR_MS)
    if most is not None:
        total = min(total, _whole(most) * _HOUR_MS)
    minor = _MINOR.get(line.currency, 100)
    share = 0 if line.vat is None else _whole(line.vat)
    above, below = 100 * _SCALE + share, 100 * _SCALE
    if line.tax == "excluded":
        return Price(_half_up(total * minor * above, _UNIT * below), _half_up(total * minor, _UNIT))
    return Price(_half_up(total * minor, _UNIT), _half_up(total * minor * below, _UNIT * above))


def _half_up(above: int, below: int) -> int:
    return (2 * above + below) // (2 * below)


def _whole(price: Decimal) -> int:
    return int(price * _SCALE)


def _maybe(price: Decimal | None) -> int | None:
    return None if price is None else _whole(price)
