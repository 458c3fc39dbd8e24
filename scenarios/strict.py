"""TOML to frozen Structs, strictly: every mistake of a user is one sentence with file, key path and what is allowed.

Nothing here may guess, fill in or ignore: a key that a Struct does not have is a mistake. What values mean together is
judged elsewhere.
"""

from __future__ import annotations

import datetime
import re
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct

from scenarios.faults import timing
from scenarios.load_text import parse_decimal, parse_local_time
from scenarios.model import Claim, DecimalText, Duration, LocalTime, ZoneName
from sim import clock
from sim.errors import BadInput, unknown

_DESCRIBED: Mapping[Any, str] = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    datetime.datetime: "a date with time and offset, without quotes, such as 2019-06-12 12:00:00+02:00",
    datetime.date: "a date without quotes such as 2019-06-12",
    Duration: 'a duration in quotes such as "90s", "5m" or "1h30m"',
    LocalTime: 'a time of the day in quotes such as "08:30"',
    DecimalText: 'a decimal in quotes such as "0.49"',
    ZoneName: 'an IANA time zone in quotes such as "Europe/Oslo"',
    timing.When: 'a moment in quotes such as "12:30", "30-60 %" or "after the 3rd StopTransaction committed"',
    timing.Release: '"at once", "staggered over 5m" or "swizzled over 5m"',
    timing.Repeat: 'a text in quotes such as "3 times every 1h"',
    timing.Shift: 'a signed duration in quotes such as "-2h"',
}
_WORDS: Mapping[type, Callable[[str], object]] = {
    timing.When: timing.parse_when,
    timing.Release: timing.parse_release,
    timing.Repeat: timing.parse_repeat,
    timing.Shift: timing.parse_shift,
}
"""Texts that stay as they were written, and what judges them."""


def read_text(path: Path, what: str) -> str:
    """The text of a file that a user named as `what`. Raises BadInput."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise BadInput(path, None, "there is no such file", what) from None
    except UnicodeDecodeError as err:
        raise BadInput(path, f"byte {err.start}", "the file is not UTF-8", f"{what}, in UTF-8") from None
    except OSError as err:
        raise BadInput(path, None, f"cannot be read ({err.strerror})", what) from None


def parse_toml(text: str, file: str) -> dict[str, Any]:
    """The tables of a TOML text. Raises BadInput with the place of what is no TOML."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        problem, place = str(err), None
        if found := re.search(r"\s*\(at (line \d+, column \d+|end of document)\)$", problem):
            problem, place = problem[: found.start()], found[1]
        raise BadInput(file, place, f"not TOML: {problem}", "TOML 1.0") from None


class StrictReader:
    """Walks data and types side by side, so that each complaint can name its key path."""

    def __init__(self, file: str) -> None:
        self._file = file

    def struct(self, kind: type[Struct], value: Any, place: str) -> Any:
        """One table. Unknown and missing keys are complained about first."""
        if not isinstance(value, dict):
            raise self._bad(place, f"{_shown(value)} is not a table", f"a table with {_keys(kind)}")
        fields = {field.encode_name: field for field in msgspec.structs.fields(kind)}
        for key in value:
            if key not in fields:
                problem, allowed = unknown("key", key, fields)
                raise self._bad(_join(place, key), f"{problem} here", f"the keys {allowed}")
        made: dict[str, Any] = {}
        for key, field in fields.items():
            if key in value:
                made[field.name] = self.value(field.type, value[key], _join(place, key))
            elif field.default is NODEFAULT and field.default_factory is NODEFAULT:
                raise self._bad(_join(place, key), "is missing", _describe(field.type))
        return kind(**made)

    def value(self, kind: Any, value: Any, place: str) -> Any:
        """One value of any type that the model uses."""
        if isinstance(kind, types.UnionType):
            kind = next(arm for arm in typing.get_args(kind) if arm is not type(None))
        if isinstance(kind, type) and issubclass(kind, Struct):
            return self.struct(kind, value, place)
        origin, args = typing.get_origin(kind), typing.get_args(kind)
        if origin is dict:
            if not isinstance(value, dict):
                raise self._bad(place, f"{_shown(value)} is not a table", _describe(kind))
            return {key: self.value(args[1], item, _join(place, key)) for key, item in value.items()}
        if origin is tuple and args[-1] is Ellipsis:
            if not isinstance(value, list):
                raise self._bad(place, f"{_shown(value)} is not a list", _describe(kind))
            return tuple(self.value(args[0], item, f"{place}[{number}]") for number, item in enumerate(value))
        return self._scalar(kind, value, place)

    def _scalar(self, kind: Any, value: Any, place: str) -> Any:
        if kind is datetime.date and isinstance(value, datetime.datetime):
            raise self._bad(place, f"{_shown(value)} has a time of the day", _describe(kind))
        try:
            made = msgspec.convert(value, kind, dec_hook=_special)
        except msgspec.ValidationError as err:
            problem = str(err).split(" - at `$")[0]
            if problem.startswith(("Expected", "Invalid")):
                raise self._bad(place, f"{_shown(value)} is not usable here", _describe(kind)) from None
            problem, _, allowed = problem.partition("; allowed: ")
            raise self._bad(place, problem, allowed or _describe(kind)) from None
        if isinstance(made, datetime.datetime) and made.tzinfo is None:
            raise self._bad(place, f"{_shown(value)} is a time of no zone", _describe(kind))
        return made

    def _bad(self, place: str, problem: str, allowed: str) -> BadInput:
        return BadInput(self._file, place or "top level", problem, allowed)


def _special(kind: type, value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError(f"{_shown(value)} is not usable here")
    if kind is Duration:
        return Duration(clock.parse_duration(value))
    if kind is LocalTime:
        return parse_local_time(value)
    if kind is DecimalText:
        return parse_decimal(value)
    if kind is ZoneName:
        clock.zone(value)
        return ZoneName(value)
    if kind in _WORDS:
        _WORDS[kind](value)
        return kind(value)
    raise TypeError(f"no way to make {kind!r} from TOML")


def _shown(value: Any) -> str:
    text = str(value) if isinstance(value, datetime.date) else repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _join(place: str, key: str) -> str:
    shown = key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else f'"{key}"'
    return f"{place}.{shown}" if place else shown


def _keys(kind: type[Struct]) -> str:
    return "the keys " + ", ".join(kind.__struct_encode_fields__)


def _describe(kind: Any) -> str:
    if isinstance(kind, types.UnionType) or typing.get_origin(kind) is typing.Union:
        kind = next(arm for arm in typing.get_args(kind) if arm is not type(None))
    if kind in _DESCRIBED:
        return _DESCRIBED[kind]
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Literal:
        return ", ".join(repr(arm) for arm in args)
    if origin is dict:
        return f"a table of names, each with {_describe(args[1])}"
    if origin is tuple and args[-1] is Ellipsis:
        return "a list of sentences" if args[0] is Claim else f"a list, each item {_describe(args[0])}"
    if origin is tuple:
        return f"a list of {len(args)} items, each {_describe(args[0])}"
    return f"a table with {_keys(kind)}"
