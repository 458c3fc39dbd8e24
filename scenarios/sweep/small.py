"""A scenario as the few lines of TOML by which it differs from another one, for a person to read and to run.

What is written must read back as the very same scenario; if it does not, that is our own mistake and raises.
"""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from scenarios.load import is_path, load_scenario, make_scenario
from scenarios.model import Scenario, duration_text, hhmm
from scenarios.model_types import Duration, LocalTime, Window
from scenarios.strict import parse_toml


def small_toml(scenario: Scenario, base: str, comment: str, place: Path) -> str:
    """The text of a file at `place` that extends the scenario that a user calls `base`. The comment is its first line.

    Raises RuntimeError if it would not be the same scenario again.
    """
    name = os.path.relpath(base, place.parent) if is_path(base) else base
    name = name if is_path(name) or not is_path(base) else f"./{name}"
    lines = [
        f"# {' '.join(comment.split())}",
        f"extends = {_value(name)}",
        *_differences(load_scenario(base), scenario),
    ]
    text = "\n".join(lines) + "\n"
    again = make_scenario(parse_toml(text, str(place)), str(place))
    if again != scenario:
        raise RuntimeError(f"the small scenario does not read back as what it was written from:\n{text}")
    return text


def _differences(base: Scenario, scenario: Scenario) -> Iterator[str]:
    for field in msgspec.structs.fields(Scenario):
        before, now = getattr(base, field.name), getattr(scenario, field.name)
        if before == now:
            continue
        if not isinstance(now, Struct) or type(before) is not type(now):
            yield f"{field.encode_name} = {_value(now, apart=True)}"
            continue
        for inner in msgspec.structs.fields(type(now)):
            if getattr(before, inner.name) != getattr(now, inner.name):
                yield f"{field.encode_name}.{inner.encode_name} = {_value(getattr(now, inner.name))}"


def _value(value: Any, *, apart: bool = False) -> str:
    """A value as TOML has it; `apart`: each table of a list on a line of its own."""
    if isinstance(value, Window) and value.from_ == value.to:
        return _value(value.from_)
    if isinstance(value, Duration):
        return f'"{duration_text(value)}"'
    if isinstance(value, LocalTime):
        return f'"{hhmm(value)}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, datetime.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(one)}" for key, one in value.items()) + "}"
    if isinstance(value, tuple | list):
        if apart and len(value) > 1 and isinstance(value[0], Struct):
            return "[\n" + "".join(f"  {_value(one)},\n" for one in value) + "]"
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, Struct):
        return "{" + ", ".join(_keys(value)) + "}"
    raise RuntimeError(f"no TOML is known for {value!r}")


def _keys(value: Struct) -> Iterator[str]:
    """The keys of a table that are not as they would be without being said."""
    for field in msgspec.structs.fields(type(value)):
        now = getattr(value, field.name)
        if now is not None and now != field.default:
            yield f"{field.encode_name} = {_value(now)}"
