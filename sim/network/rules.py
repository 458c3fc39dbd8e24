"""Link rules as a TOML file: which stations, when, and what happens to their connections.

Strict: a key that a rule does not know is a mistake, and every mistake is one sentence with its key path. What a rule
does to a connection stands in `sim.network.faults`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from msgspec import Struct

from sim.clock import parse_duration
from sim.errors import BadInput, unknown

Way = Literal["up", "down"]
WAYS: tuple[Way, ...] = ("up", "down")

_COMMON = ("what", "station", "share")
_KEYS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "latency": (("latency",), ("jitter", "way", "action", "after", "at", "lasts")),
    "bandwidth": (("rate",), ("way", "at", "lasts")),
    "stall": (("lasts",), ("way", "action", "after", "at", "times")),
    "reset": ((), ("way", "action", "after", "at", "times")),
    "refuse": ((), ("at", "lasts", "status")),
    "slow-close": (("lasts",), ("way", "at")),
    "flap": (("up", "down"), ("at", "times")),
}
"""Of each kind: the keys that it needs, and those that it may have besides the common ones."""
KINDS = tuple(_KEYS)
_DURATIONS = ("latency", "jitter", "at", "lasts", "up", "down")
_NUMBERS = {"after": (0, 10**9), "times": (1, 10**9), "rate": (1, 10**12), "status": (400, 599)}
_DURATION = 'a duration in quotes such as "90s", "5m" or "250ms"'


class Rule(Struct, frozen=True, kw_only=True):
    """One rule; times in ms from the beginning of the recording, `rate` in bits a second.

    `station` is a pattern, `action` the action of a call and of its answer ("" for any), `way` "" for both. `share` of
    the frames, triggers, handshakes or closes are hit, of the stations if the rule goes by time alone.
    """

    what: str
    station: str = "*"
    share: float = 1.0
    way: str = ""
    action: str = ""
    after: int = 0
    at: int | None = None
    lasts: int | None = None
    times: int | None = None
    latency: int = 0
    jitter: int = 0
    rate: int = 0
    status: int = 0
    up: int = 0
    down: int = 0

    @property
    def by_time(self) -> bool:
        """Whether a stall or reset comes at a moment, and not with a frame."""
        return self.at is not None and not self.action and not self.after


class Rules(Struct, frozen=True):
    """All rules of a file, and the seed of their draws."""

    seed: int = 0
    rules: tuple[Rule, ...] = ()


def load_rules(path: Path) -> Rules:
    """The rules in this file. Raises BadInput."""
    try:
        data = tomllib.loads(path.read_text("utf-8"))
    except OSError as err:
        raise BadInput(path, None, f"cannot be read ({err.strerror})", "link rules in TOML") from None
    except UnicodeDecodeError as err:
        raise BadInput(path, f"byte {err.start}", "the file is not UTF-8", "link rules in TOML, in UTF-8") from None
    except tomllib.TOMLDecodeError as err:
        raise BadInput(path, None, f"not TOML: {err}", "TOML 1.0") from None
    return make_rules(data, str(path))


def make_rules(data: Mapping[str, Any], file: str) -> Rules:
    """Rules from parsed TOML; `file` is named in complaints. Raises BadInput."""
    for key in data:
        if key not in ("seed", "rule"):
            raise BadInput(file, key, *unknown("key", key, ("seed", "rule")))
    seed, rows = data.get("seed", 0), data.get("rule", [])
    if type(seed) is not int or seed < 0:
        raise BadInput(file, "seed", f"{seed!r} is no seed", "a whole number, 0 or more")
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise BadInput(file, "rule", "there is no rule", "at least one table [[rule]]")
    return Rules(seed, tuple(_rule(row, file, f"rule[{number}]") for number, row in enumerate(rows)))


def _rule(row: dict[str, Any], file: str, place: str) -> Rule:
    what = row.get("what")
    if what not in KINDS:
        raise BadInput(file, f"{place}.what", *unknown("kind of rule", str(what or ""), KINDS))
    needed, allowed = _KEYS[what]
    keys = (*_COMMON, *needed, *allowed)
    for key in row:
        if key not in keys:
            raise BadInput(file, f"{place}.{key}", *unknown(f"key of a {what} rule", key, keys))
    for key in needed:
        if key not in row:
            raise BadInput(file, f"{place}.{key}", f"is missing from a {what} rule", _allowed(key))
    values = {key: _value(key, value, file, f"{place}.{key}") for key, value in row.items()}
    if what == "flap" and not (values["up"] and values["down"]):
        raise BadInput(file, f"{place}.up", "a connection that flaps is up and down for a while", "more than 0s")
    if values.get("way") == "both":
        values["way"] = ""
    return Rule(**values)


def _value(key: str, value: Any, file: str, place: str) -> Any:
    if key in _DURATIONS:
        if not isinstance(value, str):
            raise BadInput(file, place, f"{value!r} is no duration", _DURATION)
        try:
            return parse_duration(value)
        except ValueError:
            raise BadInput(file, place, f"{value!r} is no duration", _DURATION) from None
    if key in _NUMBERS:
        least, most = _NUMBERS[key]
        good = type(value) is int and least <= value <= most
    elif key == "share":
        good = type(value) in (int, float) and 0 <= value <= 1
    elif key == "way":
        good = value in (*WAYS, "both")
    else:
        good = isinstance(value, str) and bool(value)
    if not good:
        raise BadInput(file, place, f"{value!r} is not usable here", _allowed(key))
    return value


def _allowed(key: str) -> str:
    if key in _DURATIONS:
        return _DURATION
    if key in _NUMBERS:
        least, most = _NUMBERS[key]
        unit = {"rate": " (bits a second)", "status": " (a status of HTTP)"}.get(key, "")
        return f"a whole number from {least} to {most:,}{unit}"
    return {"share": "a number from 0 to 1", "way": "up, down or both"}.get(key, "a text in quotes")
