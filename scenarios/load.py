"""TOML to a Scenario, strictly: every mistake of a user is one sentence with file, key path and what is allowed.

Nothing here may guess, fill in or ignore: a key that we do not know is a mistake. What the values mean together is
judged in `scenarios.load_rules`.
"""

from __future__ import annotations

import datetime
import re
import tomllib
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import NODEFAULT, Struct

from scenarios import catalogue, load_rules
from scenarios.load_text import parse_decimal, parse_local_time
from scenarios.model import Claim, DecimalText, Duration, LocalTime, Scenario, Sessions, ZoneName
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
}


def load_scenario(name: str) -> Scenario:
    """The scenario of this name, or of this TOML file if the name is a path. Raises BadInput."""
    if name.endswith(".toml") or "/" in name or "\\" in name:
        return make_scenario(_parse(_read(Path(name)), name), name)
    known = catalogue.scenarios()
    name = catalogue.ALIASES.get(name, name)
    if name not in known:
        problem, allowed = unknown("scenario", name, known, "`chargerig list scenarios`", "the path of a .toml file")
        raise BadInput("command line", "SCENARIO", problem, allowed)
    text = catalogue.scenario_file(name).read_text("utf-8")
    return make_scenario(_parse(text, f"{name}.toml"), f"{name}.toml")


def make_scenario(data: Mapping[str, Any], file: str) -> Scenario:
    """A Scenario from parsed TOML. `file` is named in complaints. Raises BadInput."""
    scenario: Scenario = _Reader(file).struct(Scenario, _with_shorthands(data), "")
    load_rules.judge(scenario, file)
    return scenario


def with_sessions(scenario: Scenario, file: str, zone: str | None) -> Scenario:
    """The same scenario with another session file, its columns under their usual names. Raises BadInput."""
    if zone is None:
        raise BadInput(
            "command line", "--sessions", "the file has local times and no zone is given", "--zone Area/City"
        )
    path = Path(file)
    if not path.is_file():
        raise BadInput("command line", "--sessions", f"there is no file {file}", "a CSV file with a header line")
    sessions = Sessions(file=str(path.resolve()), zone=_zone(zone, "command line", "--zone"))
    return msgspec.structs.replace(scenario, sessions=sessions)


def sessions_path(scenario: Scenario) -> Path:
    """Where the session file lies: in the package, or where the user said. Raises BadInput if it is nowhere."""
    name = scenario.sessions.file
    if name in catalogue.session_files():
        return catalogue.session_file(name)
    if not Path(name).is_file():
        raise BadInput(scenario.name, "sessions.file", f"there is no session file {name!r}", "the path of a CSV file")
    return Path(name)


def _zone(name: str, file: str, place: str) -> ZoneName:
    try:
        clock.zone(name)
    except ValueError:
        raise BadInput(file, place, f"{name!r} is no time zone", "an IANA name such as Europe/London") from None
    return ZoneName(name)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise BadInput(path, None, "there is no such file", "a scenario in TOML") from None
    except UnicodeDecodeError as err:
        raise BadInput(path, f"byte {err.start}", "the file is not UTF-8", "a scenario in TOML, in UTF-8") from None
    except OSError as err:
        raise BadInput(path, None, f"cannot be read ({err.strerror})", "a scenario in TOML") from None


def _parse(text: str, file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as err:
        problem, place = str(err), None
        if found := re.search(r"\s*\(at (line \d+, column \d+|end of document)\)$", problem):
            problem, place = problem[: found.start()], found[1]
        raise BadInput(file, place, f"not TOML: {problem}", "TOML 1.0") from None


def _with_shorthands(data: Mapping[str, Any]) -> dict[str, Any]:
    """A claim may be only its sentence, and a moment may be one time: both are written out here."""
    full = dict(data)
    if isinstance(full.get("claims"), list):
        full["claims"] = [{"says": claim} if isinstance(claim, str) else claim for claim in full["claims"]]
    for faults in ("fault", "partner_fault"):
        if isinstance(full.get(faults), list):
            full[faults] = [_with_window(fault) for fault in full[faults]]
    return full


def _with_window(fault: Any) -> Any:
    if isinstance(fault, dict) and isinstance(fault.get("at"), str):
        return {**fault, "at": {"from": fault["at"], "to": fault["at"]}}
    return fault


class _Reader:
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
