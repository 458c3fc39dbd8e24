"""Reads a pricing matrix: one row per price, axes `location`, `group` and `time`, components as columns; CSV or TOML.

Whatever is wrong is one sentence naming file, row and column. Nothing here is repaired, rounded or guessed: a blank cell is
a component that there is not, and a row without any component is refused, since a price of nothing must be said as 0.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from msgspec import Struct

from reference_csms.pricing.model import (
    ENERGY,
    FLAT,
    IDLE,
    NO_TAX,
    RESERVATION,
    RESERVATION_FLAT,
    TAX_EXCLUDED,
    TAX_INCLUDED,
    TIME,
)
from reference_csms.pricing.policies import DEFAULT, POLICIES
from scenarios.matrix.windows import ALLOWED, Window, parse_window
from scenarios.working_days import known
from scenarios.workloads.sessions import csv_cells
from sim.clock import zone
from sim.errors import BadInput, unknown

OTHER = "other"
"""The group of everybody, or the location of everything, that no row names."""
ANY = "*"

PRICES = {
    "energy_per_kwh": ENERGY,
    "start_fee": FLAT,
    "charging_per_hour": TIME,
    "idle_per_hour": IDLE,
    "reservation_fee": RESERVATION_FLAT,
    "reservation_per_hour": RESERVATION,
}
"""Columns of prices, in major units of the currency, and the dimension of the tariff that each becomes."""
STEPS = {"energy_step_wh": "energy_per_kwh", "charging_step_s": "charging_per_hour", "idle_step_s": "idle_per_hour"}
WHOLE = ("min_price", "max_price", "monthly_fee", "idle_grace_minutes")
"""Columns that hold for a location and group at all times."""
SETTINGS = ("currency", "vat_percent", "tax", "zone", "holidays")
AXES = ("location", "group", "time")
COLUMNS = (*AXES, *PRICES, *STEPS, *WHOLE, *SETTINGS)
TAXES = (TAX_INCLUDED, TAX_EXCLUDED, NO_TAX)
_MOST = Decimal(1_000_000)
_SETTING = re.compile(r"#\s*([a-z_]+)\s*=\s*(.*)")
_CURRENCY = re.compile(r"[A-Z]{3}")


class Line(Struct, frozen=True, kw_only=True):
    """One row. `place` is where it stands in the file; prices are decimals by column, absent if the cell was blank."""

    place: str
    locations: tuple[str, ...]
    groups: tuple[str, ...]
    window: Window
    prices: Mapping[str, Decimal]
    steps: Mapping[str, int]
    whole: Mapping[str, Decimal]
    currency: str
    zone: str
    tax: str
    vat: Decimal | None
    holidays: str


class Table(Struct, frozen=True):
    """A matrix as its file says it. `policy` is the name of the rule for rounding and steps."""

    file: str
    name: str
    policy: str
    lines: tuple[Line, ...]


def read_table(path: Path) -> Table:
    """The matrix of a file whose name ends in .csv or .toml. Raises BadInput, one sentence each."""
    try:
        data = path.read_bytes()
    except OSError as err:
        raise BadInput(path, None, f"cannot be read ({err.strerror})", "a pricing matrix as .csv or .toml") from err
    if path.suffix.lower() == ".toml":
        settings, rows = _toml(path, data)
    elif path.suffix.lower() == ".csv":
        settings, rows = _csv(path, data)
    else:
        raise BadInput(path, None, "is no pricing matrix by its name", "a file that ends in .csv or .toml")
    for key in settings:
        if key not in ("name", "policy", *SETTINGS):
            problem, allowed = unknown("setting", key, ("name", "policy", *SETTINGS))
            raise BadInput(path, key, problem, allowed)
    policy = settings.get("policy", DEFAULT)
    if policy not in POLICIES:
        problem, allowed = unknown("policy", policy, POLICIES)
        raise BadInput(path, "policy", problem, allowed)
    lines = tuple(_line(path, place, {**settings, **cells}) for place, cells in rows)
    if not lines:
        raise BadInput(path, None, "holds no row", "a row per price")
    return Table(path.name, settings.get("name", path.stem), policy, lines)


def _toml(path: Path, data: bytes) -> tuple[dict[str, str], list[tuple[str, dict[str, str]]]]:
    try:
        read = tomllib.loads(data.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as err:
        raise BadInput(path, None, f"is no TOML ({err})", "a TOML file in UTF-8") from err
    rows = read.pop("row", None)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise BadInput(path, "row", "is no list of rows", "[[row]] tables, one per price")
    settings = {key: _cell(path, key, value) for key, value in read.items()}
    return settings, [
        (f"row {n}", {key: _cell(path, f"row {n}, {key}", value) for key, value in row.items()})
        for n, row in enumerate(rows, 1)
    ]


def _cell(path: Path, place: str, value: Any) -> str:
    """The text of a TOML value. A float is none: it may not be the decimal that stands in the file."""
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return "|".join(value)
    if isinstance(value, str) or type(value) is int:
        return str(value).strip()
    raise BadInput(path, place, f"{value!r} is no text", 'a text such as "2.49", a whole number, or a list of names')


def _csv(path: Path, data: bytes) -> tuple[dict[str, str], list[tuple[str, dict[str, str]]]]:
    """Lines `# currency = NOK` before the header are settings."""
    settings: dict[str, str] = {}
    lines = data.splitlines(keepends=True)
    skipped = 0
    while skipped < len(lines) and lines[skipped].lstrip(b"\xef\xbb\xbf").startswith(b"#"):
        found = _SETTING.fullmatch(lines[skipped].decode("utf-8-sig", "replace").strip().rstrip(",;"))
        if found:
            settings[found[1]] = found[2].strip()
        skipped += 1
    cells = csv_cells(path, b"".join(lines[skipped:]), skipped)
    header = next(cells, (0, []))[1]
    for name in header:
        if name not in COLUMNS:
            problem, allowed = unknown("column", name, COLUMNS)
            raise BadInput(path, "header", problem, allowed)
        if header.count(name) > 1:
            raise BadInput(path, "header", f"names the column {name!r} twice", "each column once")
    if not header:
        raise BadInput(path, None, "is empty", "a header line and a row per price")
    return settings, list(_rows(path, header, cells))


def _rows(
    path: Path, header: list[str], cells: Iterator[tuple[int, list[str]]]
) -> Iterator[tuple[str, dict[str, str]]]:
    for number, row in cells:
        if len(row) > len(header):
            raise BadInput(path, f"line {number}", f"has {len(row)} cells", f"{len(header)}, as the header")
        yield f"line {number}", {name: cell for name, cell in zip(header, row, strict=False) if cell}


def _line(path: Path, place: str, cells: Mapping[str, str]) -> Line:
    for key in cells:
        if key not in ("name", "policy", *COLUMNS):
            problem, allowed = unknown("column", key, COLUMNS)
            raise BadInput(path, place, problem, allowed)
    numbers = {name: _number(path, place, name, cells[name]) for name in (*PRICES, *WHOLE) if name in cells}
    prices = {name: numbers[name] for name in PRICES if name in numbers}
    if not prices:
        raise BadInput(path, place, "has no price", f"at least one of {', '.join(PRICES)}; 0 where nothing is due")
    steps = {name: _step(path, place, name, cells) for name in STEPS if name in cells}
    try:
        window = parse_window(cells.get("time", ANY))
    except ValueError as err:
        raise BadInput(path, f"{place}, column time", str(err), ALLOWED) from err
    line = Line(
        place=place,
        locations=_names(path, place, "location", cells),
        groups=_names(path, place, "group", cells),
        window=window,
        prices=prices,
        steps=steps,
        whole={name: numbers[name] for name in WHOLE if name in numbers},
        currency=cells.get("currency", ""),
        zone=cells.get("zone", ""),
        tax=cells.get("tax", TAX_INCLUDED if "vat_percent" in cells else NO_TAX),
        vat=_number(path, place, "vat_percent", cells["vat_percent"]) if "vat_percent" in cells else None,
        holidays=cells.get("holidays", ""),
    )
    _judge(path, line)
    return line


def _judge(path: Path, line: Line) -> None:
    """What a row must say so that its price is one."""
    if not _CURRENCY.fullmatch(line.currency):
        said = f"{line.currency!r} is no currency" if line.currency else "names no currency"
        raise BadInput(path, f"{line.place}, column currency", said, "three letters of ISO 4217 such as NOK")
    if line.tax not in TAXES:
        raise BadInput(path, f"{line.place}, column tax", f"{line.tax!r} is unknown", TAXES)
    if (line.vat is None) != (line.tax == NO_TAX):
        said = "names no VAT" if line.vat is None else "names a VAT where there is no tax"
        raise BadInput(path, f"{line.place}, column vat_percent", said, "a percentage with tax included or excluded")
    if line.vat is not None and line.vat > 100:
        raise BadInput(path, f"{line.place}, column vat_percent", f"{line.vat} is no percentage", "0 to 100")
    if line.zone:
        try:
            zone(line.zone)
        except ValueError as err:
            raise BadInput(path, f"{line.place}, column zone", str(err), "an IANA name such as Europe/Oslo") from err
    elif line.window.text != ANY:
        raise BadInput(path, f"{line.place}, column zone", "is missing", "an IANA name such as Europe/Oslo")
    if line.holidays and not known(line.holidays):
        raise BadInput(
            path, f"{line.place}, column holidays", f"{line.holidays!r} is unknown", "a region such as NO or DE-BY"
        )
    if line.window.knows_holidays and not line.holidays:
        raise BadInput(path, f"{line.place}, column holidays", "names no region", "a region such as NO or DE-BY")


def _names(path: Path, place: str, axis: str, cells: Mapping[str, str]) -> tuple[str, ...]:
    names = tuple(name.strip() for name in cells.get(axis, ANY).split("|"))
    if not all(names) or len(set(names)) != len(names) or (ANY in names and len(names) > 1):
        allowed = f"names joined by |, {OTHER} for those that no row names, or * alone"
        raise BadInput(path, f"{place}, column {axis}", f"{cells[axis]!r} is no {axis}", allowed)
    return names


def _number(path: Path, place: str, name: str, cell: str) -> Decimal:
    try:
        value = Decimal(cell)
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 <= value <= _MOST or int(value.as_tuple().exponent) < -10:
        allowed = f"a decimal from 0 to {_MOST} with a point and at most 10 decimals, such as 2.49"
        raise BadInput(path, f"{place}, column {name}", f"{cell!r} is no amount", allowed)
    return value


def _step(path: Path, place: str, name: str, cells: Mapping[str, str]) -> int:
    cell = cells[name]
    if not cell.isdecimal() or not 1 <= int(cell) <= 1_000_000:
        raise BadInput(path, f"{place}, column {name}", f"{cell!r} is no step", "a whole number from 1 to 1000000")
    if STEPS[name] not in cells:
        raise BadInput(path, f"{place}, column {name}", "is the step of no price", f"a price in {STEPS[name]}")
    return int(cell)
