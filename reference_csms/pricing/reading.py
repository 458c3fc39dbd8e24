"""Reading what others wrote as JSON: exact numbers, and one sentence for whatever does not fit. Used by all importers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from sim.clock import Instant, parse_iso
from sim.errors import BadInput

_MOST = Decimal(10**9)


class Reader:
    """One JSON object of a file, and where it is in it."""

    def __init__(self, row: Any, file: str, place: str = "") -> None:
        if not isinstance(row, Mapping):
            raise BadInput(file, place, f"is {_kind(row)}", "an object")
        self.row = row
        self.file = file
        self.place = place

    def at(self, name: str) -> str:
        """The place of a field."""
        return f"{self.place}.{name}" if self.place else name

    def wrong(self, name: str, problem: str, allowed: str) -> BadInput:
        """What to raise about a field."""
        return BadInput(self.file, self.at(name), problem, allowed)

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self.row.get(name) is not None

    def text(self, name: str, default: str | None = None) -> str:
        """A text; numbers are taken as texts, since ids are often written so."""
        value = self.row.get(name)
        if value is None:
            if default is None:
                raise self.wrong(name, "is missing", "a text")
            return default
        if isinstance(value, bool) or not isinstance(value, (str, int, Decimal)):
            raise self.wrong(name, f"is {_kind(value)}", "a text")
        return str(value)

    def number(self, name: str, default: Decimal | None = None) -> Decimal:
        """A number of 0 or more; also a decimal text."""
        found = self.maybe(name)
        if found is None:
            if default is None:
                raise self.wrong(name, "is missing", "a number of 0 or more")
            return default
        return found

    def maybe(self, name: str, least: Decimal | None = Decimal(0)) -> Decimal | None:
        """A number of `least` or more, None if it is not there."""
        value = self.row.get(name)
        if value is None:
            return None
        allowed = "a number" if least is None else "a number of 0 or more"
        if isinstance(value, bool) or not isinstance(value, (int, Decimal, str)):
            raise self.wrong(name, f"is {_kind(value)}", allowed)
        try:
            number = Decimal(value)
        except InvalidOperation:
            raise self.wrong(name, f"{value!r} is no number", allowed) from None
        if not number.is_finite() or abs(number) > _MOST or (least is not None and number < least):
            raise self.wrong(name, f"{value} is out of range", f"{allowed}, at most {_MOST}")
        return number

    def whole(self, name: str) -> int | None:
        """A whole number of 0 or more, None if it is not there."""
        found = self.maybe(name)
        if found is None:
            return None
        if found != int(found):
            raise self.wrong(name, f"{found} is no whole number", "a whole number of 0 or more")
        return int(found)

    def instant(self, name: str) -> Instant | None:
        """An RFC 3339 time; OCPI allows the `Z` of UTC to be left out. None if it is not there."""
        value = self.row.get(name)
        if value is None:
            return None
        try:
            text = str(value)
            zoned = text[-1:] in "zZ" or "+" in text[10:] or "-" in text[10:]
            return parse_iso(text if zoned else f"{text}Z")
        except ValueError:
            raise self.wrong(name, f"{value!r} is no time", "such as 2026-12-01T18:00:00Z") from None

    def day(self, name: str) -> date | None:
        """A local day, None if it is not there."""
        value = self.row.get(name)
        if value is None:
            return None
        try:
            return date.fromisoformat(str(value))
        except ValueError:
            raise self.wrong(name, f"{value!r} is no day", "such as 2026-12-24") from None

    def minute(self, name: str) -> int | None:
        """The minute of the day of `HH:MM`, None if it is not there."""
        value = self.row.get(name)
        if value is None:
            return None
        parts = str(value).split(":")
        if len(parts) in (2, 3) and all(len(part) == 2 and part.isdecimal() for part in parts):
            minute = int(parts[0]) * 60 + int(parts[1])
            if int(parts[1]) < 60 and minute <= 24 * 60 and parts[2:] in ([], ["00"]):
                return minute
        raise self.wrong(name, f"{value!r} is no time of day", "HH:MM from 00:00 to 24:00")

    def one_of(self, name: str, known: Mapping[str, Any], value: Any = None) -> Any:
        """What a word stands for; raises BadInput naming all that there are."""
        word = self.row.get(name) if value is None else value
        if not isinstance(word, str) or word not in known:
            raise self.wrong(name, f"{word!r} is unknown", ", ".join(known))
        return known[word]

    def many(self, name: str) -> list[Reader]:
        """The objects of a list, none if it is not there."""
        value = self.row.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise self.wrong(name, f"is {_kind(value)}", "a list of objects")
        return [Reader(one, self.file, f"{self.at(name)}[{n}]") for n, one in enumerate(value)]

    def inner(self, name: str) -> Reader | None:
        """An object inside, None if it is not there."""
        value = self.row.get(name)
        return None if value is None else Reader(value, self.file, self.at(name))


def read_json(file: Path) -> Any:
    """What a JSON file holds, its decimals exact. Raises BadInput."""
    try:
        data = file.read_bytes()
    except OSError as err:
        raise BadInput(file, "", err.strerror or "cannot be read", "a JSON file") from None
    try:
        return json.loads(data, parse_float=Decimal, parse_constant=_no_number)
    except json.JSONDecodeError as err:
        raise BadInput(file, f"line {err.lineno} column {err.colno}", "is no JSON", "a JSON file") from None
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise BadInput(file, "", "is no JSON", "a JSON file in UTF-8") from None


def _no_number(word: str) -> Any:
    raise ValueError(f"{word} is no number")


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "a text", bool: "true or false", type(None): "null"}
    return kinds.get(type(value), "a number")
