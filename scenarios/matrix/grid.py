"""Compiles a matrix to tariffs, one per location and group, after proving that each moment has exactly one price there.

A gap or an overlap is an error that names the cell; nothing falls through to a default.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import product
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from reference_csms.pricing.model import (
    FLAT,
    NO_TAX,
    RESERVATION_FLAT,
    TAX_EXCLUDED,
    BasicFee,
    Component,
    Element,
    Idle,
    Limit,
    Restrictions,
    Tariff,
    Tax,
)
from scenarios.matrix.table import ANY, OTHER, PRICES, SETTINGS, STEPS, WHOLE, Line, Table
from scenarios.matrix.windows import DAY_MINUTES, FIRST, HOLIDAY, LAST, Box, covers, joined, pieces
from sim.errors import BadInput

_ONCE = (FLAT, RESERVATION_FLAT)
"""Dimensions that are due once: where they are the same at all times they stand in an element of their own."""


class Field(Struct, frozen=True):
    """A location and a group of a matrix, the rows that price them, and the tariff made of these."""

    location: str
    group: str
    lines: tuple[Line, ...]
    tariff: Tariff
    zone: str
    holidays: str

    @property
    def name(self) -> str:
        """`location oslo, group residents`."""
        return f"location {self.location}, group {self.group}"


class Matrix(Struct, frozen=True):
    """A matrix that has been proved to be whole."""

    table: Table
    fields: tuple[Field, ...]

    @property
    def cells(self) -> int:
        """How many cells it has: location, group and time."""
        return sum(len(field.lines) for field in self.fields)


def compile_table(table: Table) -> Matrix:
    """The tariffs of a matrix. Raises BadInput naming the first cell that has no price or several, and how many more."""
    locations, groups = _axis(table, "locations"), _axis(table, "groups")
    by_field: dict[tuple[str, str], list[Line]] = {cell: [] for cell in product(locations, groups)}
    for line in table.lines:
        wide = locations if line.locations == (ANY,) else line.locations
        for cell in product(wide, groups if line.groups == (ANY,) else line.groups):
            by_field[cell].append(line)
    wrong: list[tuple[str, str]] = []
    fields: list[Field] = []
    for (location, group), lines in by_field.items():
        name = f"location {location}, group {group}"
        found = _holes(name, lines)
        wrong += found
        if not found:
            fields.append(_field(table, location, group, lines))
    if wrong:
        place, problem = wrong[0]
        more = f", and {len(wrong) - 1} more cells are wrong" if len(wrong) > 1 else ""
        raise BadInput(table.file, place, problem + more, "each location, group and time in exactly one row")
    return Matrix(table, tuple(fields))


def _axis(table: Table, axis: str) -> tuple[str, ...]:
    """The values of an axis in the order of the file. Somebody of no group may always come; no location need be unknown."""
    named = list(
        dict.fromkeys(name for line in table.lines for name in getattr(line, axis) if name not in (ANY, OTHER))
    )
    if axis == "groups" or not named or any(OTHER in getattr(line, axis) for line in table.lines):
        named.append(OTHER)
    return tuple(named)


def _holes(name: str, lines: Sequence[Line]) -> list[tuple[str, str]]:
    """Place and problem of each time without a price, or with several."""
    if not lines:
        return [(name, "has no price")]
    twice: dict[tuple[str, ...], list[Box]] = {}
    for piece in pieces(line.window for line in lines):
        found = tuple(line.place for line in lines if covers(line.window, piece))
        if len(found) != 1:
            twice.setdefault(found, []).append(piece)
    return [
        (
            f"{name}, {box.text()}",
            f"is priced {len(places)} times, in {' and '.join(places)}" if places else "has no price",
        )
        for places, boxes in twice.items()
        for box in joined(boxes)
    ]


def _field(table: Table, location: str, group: str, lines: Sequence[Line]) -> Field:
    first = lines[0]
    for line in lines[1:]:
        for column in (*WHOLE, *SETTINGS):
            mine, theirs = _said(line, column), _said(first, column)
            if mine != theirs:
                where = f"location {location}, group {group}"
                problem = f"says {_shown(mine)} where {first.place} says {_shown(theirs)} for {where}"
                raise BadInput(table.file, f"{line.place}, column {column}", problem, "one value at all times")
    tariff = Tariff(
        tariff_id=f"{table.name}/{location}/{group}",
        currency=first.currency,
        elements=tuple(_elements(lines)),
        tax=first.tax,
        min_price=_limit(first, "min_price"),
        max_price=_limit(first, "max_price"),
        idle=Idle(grace_s=int(first.whole.get("idle_grace_minutes", 0) * 60)),
        basic_fee=BasicFee(first.whole["monthly_fee"], _taxes(first)) if "monthly_fee" in first.whole else None,
    )
    return Field(location, group, tuple(lines), tariff, first.zone or "UTC", first.holidays)


def _said(line: Line, column: str) -> Any:
    if column in WHOLE:
        return line.whole.get(column)
    return line.vat if column == "vat_percent" else getattr(line, column)


def _shown(value: Any) -> str:
    return "nothing" if value is None or value == "" else str(value)


def _limit(line: Line, column: str) -> Limit | None:
    """A limit is gross for prices with tax and net for prices without, as the prices beside it."""
    value = line.whole.get(column)
    if value is None:
        return None
    return Limit(net=value) if line.tax == TAX_EXCLUDED else Limit(gross=value)


def _taxes(line: Line) -> tuple[Tax, ...]:
    return () if line.tax == NO_TAX or line.vat is None else (Tax(line.vat),)


def _elements(lines: Sequence[Line]) -> list[Element]:
    """What is the same at all times first and without restrictions, then an element per row and rectangle of time."""
    same = [
        column for column in PRICES if PRICES[column] in _ONCE and len({line.prices.get(column) for line in lines}) == 1
    ]
    whole = [
        component
        for component in _components(lines[0])
        if any(PRICES[column] == component.dimension for column in same)
    ]
    made = [Element(tuple(whole))] if whole else []
    holidays = any(line.window.knows_holidays for line in lines)
    for line in lines:
        rest = tuple(component for component in _components(line) if component not in whole)
        if rest:
            made += [Element(rest, only) for box in line.window.boxes for only in _restrictions(box, holidays)]
    return made


def _components(line: Line) -> list[Component]:
    steps = {STEPS[name]: step for name, step in line.steps.items()}
    return [
        Component(PRICES[column], price, _taxes(line), steps.get(column, 0)) for column, price in line.prices.items()
    ]


def _restrictions(box: Box, holidays: bool) -> list[Restrictions]:
    """The restrictions of a rectangle; weekdays and holidays need one each, if holidays are told apart at all."""
    week = tuple(day for day in box.days if day != HOLIDAY)
    whole_day = (box.start, box.end) == (0, DAY_MINUTES)
    common = Restrictions(
        start_minute=None if whole_day else box.start,
        end_minute=None if whole_day else box.end % DAY_MINUTES,
        start_date=None if box.first == FIRST else date.fromordinal(box.first),
        end_date=None if box.last == LAST else date.fromordinal(box.last),
    )
    made = []
    if week:
        days = () if len(week) == 7 else week
        made.append(replace(common, weekdays=days, holiday=False if holidays else None))
    if HOLIDAY in box.days:
        made.append(replace(common, holiday=True))
    return made
