"""Foreign values to the values of the evidence: minor units, Wh, instants, numbers. Exact, or refused with the column.

Nothing is guessed: a time of no zone, an amount of no currency, or a fraction of a cent is `Unreadable`, so that nobody is
blamed for what was read wrongly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from msgspec import Struct

from scenarios.targets.kinds import DECIMALS, UNITS_OF, kind_of
from scenarios.targets.model import Book, Column
from sim.backend import Row
from sim.clock import from_datetime, parse_iso, zone
from sim.evidence.canonical import Scalar, canonical, scalar

_FLAGS = {"1": 1, "true": 1, "yes": 1, "0": 0, "false": 0, "no": 0}
_EARLIEST = 100_000_000_000
"""Before this many ms after 1970 (1973) nothing was charged: such a number is in seconds."""

_MOST_WHOLE_DIGITS = 15
_MOST_DECIMALS = 40
"""A binary float printed in full has up to 17 digits and leading zeros: the checks must see it. More is no amount."""


class _Absent:
    """What a row has nothing of; a value of None is something else."""


ABSENT = _Absent()
Get = Callable[[str], Any]
"""The raw value of a row under a header or path, ABSENT if the row has no such thing."""


class Unreadable(Exception):
    """A book, or a row of it, that cannot be read. `str()` names file or URL, row, column and problem."""


class Rows(Struct):
    """What was read of one book: its rows, and the columns that it does not hold, each with the reason."""

    rows: list[Row]
    gaps: dict[str, str]


class Shape:
    """How the rows of one book become rows of one table."""

    def __init__(self, book: Book, table: str, columns: tuple[str, ...], defaults: Mapping[str, Column]) -> None:
        self._book = book
        self._table = table
        self._columns = columns
        self._specs = {**defaults, **book.columns}

    def read(self, where: str, raw: list[tuple[str, Get]]) -> Rows:
        """All rows; `raw` holds where each stands and how to look into it. Raises Unreadable."""
        specs = {name: self._specs[name] for name in self._columns if name in self._specs}
        gaps = {name: "the target file maps nothing to it" for name in self._columns if name not in specs}
        there: dict[str, None] = {name: None for name, spec in specs.items() if spec.value is not None or spec.optional}
        rows = []
        for place, get in raw:
            if all(str(get(source)) == wanted for source, wanted in self._book.only.items()):
                rows.append(self._row(place, get, specs, there))
        if rows:
            gaps |= {name: f"{where} has no {spec.source}" for name, spec in specs.items() if name not in there}
        return Rows([{name: row[name] for name in row if name not in gaps} for row in rows], gaps)

    def columns_of(self, where: str, headers: list[str]) -> dict[str, str]:
        """The gaps that show in the headers alone, for a book whose rows all have the same ones."""
        absent = {name: spec for name, spec in self._specs.items() if spec.value is None and spec.source not in headers}
        return {
            name: f"{where} has no column {absent[name].source!r}"
            for name in self._columns
            if name in absent and not absent[name].optional
        }

    def _row(self, place: str, get: Get, specs: Mapping[str, Column], there: dict[str, None]) -> Row:
        texts: dict[str, Any] = {}
        for name, spec in specs.items():
            raw = spec.value if spec.value is not None else get(spec.source)
            if raw is not ABSENT:
                there[name] = None
            texts[name] = self._worded(None if raw is ABSENT or raw == "" else raw, spec)
        told = texts.get("currency") or get("currency")
        currency = told if isinstance(told, str) and told else self._book.currency
        row: Row = {}
        for name, value in texts.items():
            try:
                row[name] = None if value is None else self._value(name, value, specs[name], currency)
            except (ValueError, InvalidOperation, OverflowError) as err:
                problem = "is no number" if isinstance(err, InvalidOperation) else str(err)
                source = specs[name].source or name
                raise Unreadable(f"{place}, {source} (for {name}): {str(value)[:60]!r} {problem}") from None
        return row

    def _worded(self, raw: Any, spec: Column) -> Any:
        """The value after the pattern and the words of the user."""
        if raw is None:
            return None
        if spec.pattern:
            found = re.search(spec.pattern, str(raw))
            raw = found[1] if found else None
        if spec.values and raw is not None:
            raw = spec.values.get(str(raw), spec.values.get("*", raw))
        return None if raw == "" else raw

    def _value(self, name: str, value: Any, spec: Column, currency: str) -> Scalar:
        kind = kind_of(self._table, name)
        unit = spec.unit or (self._book.money if kind == "money" else UNITS_OF.get(kind, ("",))[0])
        if kind == "instant":
            return self._instant(value, spec, unit)
        if kind == "money":
            return _whole(
                self._decimal(value).scaleb(_decimals(currency) if unit == "major" else 0), spec, "minor unit"
            )
        if kind == "energy":
            return _whole(self._decimal(value).scaleb(3 if unit == "kWh" else 0), spec, "Wh")
        if kind == "kwh":
            return format(self._decimal(value).scaleb(-3 if unit == "Wh" else 0), "f")
        if kind == "decimal":
            return format(self._decimal(value), "f")
        if kind == "seconds":
            return _whole(self._decimal(value) * (3600 if unit == "h" else 1), spec, "second")
        if kind == "whole":
            return _whole(self._decimal(value), Column(), "number")
        if kind == "flag":
            return _flag(value)
        if kind == "json":
            return _json(value)
        return _text(value, number=kind == "either")

    def _decimal(self, value: Any) -> Decimal:
        text = str(value).strip()
        if self._book.decimal == "," and isinstance(value, str):
            text = text.replace(",", ".") if "." not in text else "?"
        made = Decimal(text)
        if not made.is_finite():
            raise ValueError("is no number")
        if made.adjusted() >= _MOST_WHOLE_DIGITS or int(made.as_tuple().exponent) < -_MOST_DECIMALS:
            raise ValueError(f"has more than {_MOST_WHOLE_DIGITS} digits before or {_MOST_DECIMALS} behind the point")
        return made

    def _instant(self, value: Any, spec: Column, unit: str) -> int:
        local = spec.zone or self._book.zone
        if isinstance(value, datetime):
            moment = value
        elif isinstance(value, int | Decimal) or str(value).isdecimal():
            made = _whole(Decimal(str(value)) * (1000 if unit == "s" else 1), Column(round=True), "ms")
            if made < _EARLIEST:
                raise ValueError('lies before 1973; allowed: ms since 1970, or unit = "s"')
            return made
        elif spec.format:
            moment = datetime.strptime(str(value), spec.format)
        else:
            text = str(value).strip()
            if local is None:
                return parse_iso(text)
            moment = datetime.fromisoformat(text)
        return _aware(moment, local)


def _aware(moment: datetime, local: str | None) -> int:
    """The instant of a time, local if it names no zone itself. Raises ValueError where a clock change leaves it open."""
    if moment.tzinfo is None:
        if local is None:
            raise ValueError("names no time zone, and the target file gives none")
        first, second = (moment.replace(tzinfo=zone(local), fold=fold) for fold in (0, 1))
        if first.astimezone(UTC) != second.astimezone(UTC):
            raise ValueError(f"happens twice or never in {local}, because of a clock change")
        moment = first
    return from_datetime(moment)


def _whole(value: Decimal, spec: Column, unit: str) -> int:
    if spec.round:
        value = value.quantize(Decimal(1), ROUND_HALF_UP)
    if value != value.to_integral_value():
        raise ValueError(f"is no whole {unit}")
    return int(value)


def _decimals(currency: str) -> int:
    if not re.fullmatch("[A-Z]{3}", currency):
        raise ValueError('is an amount of no currency; allowed: a column for currency, `currency`, or money = "minor"')
    return DECIMALS.get(currency, 2)


def _flag(value: Any) -> int:
    known = _FLAGS.get(str(value).lower())
    if known is None:
        raise ValueError(f"is neither true nor false; allowed: {', '.join(_FLAGS)}")
    return known


def _json(value: Any) -> str:
    if not isinstance(value, str):
        return canonical(value)
    try:
        json.loads(value)
    except ValueError:
        raise ValueError("is no JSON") from None
    return value


def _text(value: Any, *, number: bool) -> Scalar:
    if number and str(value).isdecimal():
        return int(str(value))
    if isinstance(value, datetime):
        return value.isoformat()
    made = scalar(value)
    return str(made) if isinstance(made, int) else made
