"""The door to the `ocpp` package: its JSON schemas, compiled by jsonschema-rs.

Judges payload bytes strictly and says which OCPP-J error code a breach deserves. Nothing else in the house may import
`ocpp` or `jsonschema_rs` (the benchmark measures the library itself and is the one exception). The library's own engine
is not used: it stays silent on malformed frames and mixes up error codes.

The shipped schemas are read as draft 4 whatever they declare, as the library does, because later drafts accept `1.0`
for an integer. They do not look at date-times; `judge` does (RFC 3339, OCPP 1.6 §3.15).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any, Literal

import jsonschema_rs
import msgspec
import ocpp
from msgspec import Struct

from sim.wire.quick import quick_yes

Direction = Literal["request", "response"]

_FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
VERSIONS = tuple(_FOLDERS)

_CODES = {
    "type": "TypeConstraintViolation",
    "required": "OccurenceConstraintViolation",
    "minItems": "OccurenceConstraintViolation",
    "maxItems": "OccurenceConstraintViolation",
    "additionalProperties": "FormationViolation",
    "additionalItems": "OccurenceConstraintViolation",
}
_BAD_VALUE = "PropertyConstraintViolation"
_TWO_DOT = {"FormationViolation": "FormatViolation", "OccurenceConstraintViolation": "OccurrenceConstraintViolation"}

_decode = msgspec.json.Decoder().decode

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)


class Violation(Struct, frozen=True):
    """What is wrong with a payload: the wire `code`, the `path` (`meterValue/0/timestamp`), the `problem` in few words.

    `problem` never repeats what the peer sent: it may hold a password.
    """

    code: str
    path: str
    problem: str


@cache
def actions(version: str) -> tuple[str, ...]:
    """All actions that have a schema, sorted. Raises ValueError for an unknown version."""
    suffix = "" if version == "1.6" else "Request"
    names = [entry.name.removesuffix(".json") for entry in _folder(version).iterdir() if entry.name.endswith(".json")]
    requests = [name.removesuffix(suffix) for name in names if name.endswith(suffix) and not name.endswith("Response")]
    return tuple(sorted(requests))


@cache
def known_actions(version: str) -> frozenset[str]:
    """All actions that have a schema, for membership tests; `actions` is the sorted tuple."""
    return frozenset(actions(version))


def document(version: str, action: str, direction: Direction) -> dict[str, Any]:
    """The JSON schema of one message, as shipped. Raises KeyError for an unknown action."""
    if action not in known_actions(version):
        raise KeyError(action)
    suffix = "Response" if direction == "response" else "" if version == "1.6" else "Request"
    loaded: dict[str, Any] = json.loads(_folder(version).joinpath(f"{action}{suffix}.json").read_bytes())
    return loaded


def judge(version: str, action: str, direction: Direction, raw: bytes) -> Violation | None:
    """The first breach of the schema in a payload, None if there is none.

    An unknown action is `NotImplemented`. Raises for what is our own mistake only (an unknown version or direction).
    """
    compiled = _compiled(version, action, direction)
    if compiled is None:
        return Violation("NotImplemented", "", "the action is unknown")
    if compiled.quick is not None:
        try:
            compiled.quick(raw)
            return None
        except (ValueError, RecursionError):
            pass  # says nothing: only the schema itself may refuse
    breach = compiled.judge(raw)
    if breach is None or version == "1.6":
        return breach
    return msgspec.structs.replace(breach, code=_TWO_DOT.get(breach.code, breach.code))


def is_date_time(text: str) -> bool:
    """Whether a text is an RFC 3339 date-time that names an instant (no leap seconds: they have no POSIX instant)."""
    if _RFC3339.fullmatch(text) is None:
        return False
    try:
        moment = datetime.fromisoformat(text if text.isupper() else text.upper())
        if not 1 < moment.year < 9999:
            moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return False
    return True


def _is_64_bit(number: int) -> bool:
    """Whether a store can hold the number. OCPP itself names no bounds; larger ones come from broken stations only."""
    return -(1 << 63) <= number < 1 << 63


_CHECKS: dict[str, tuple[Callable[[Any], bool], str, str]] = {
    "date-time": (is_date_time, _BAD_VALUE, "is no RFC 3339 date-time"),
    "integer": (_is_64_bit, "TypeConstraintViolation", "is too large for an integer"),
}
"""What the shipped schemas do not look at: whether a value is good, the code and the text of a breach."""


class _Compiled:
    """One schema, ready to judge: by the schema itself, then by all of the checks for what schemas do not look at."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._validator = jsonschema_rs.Draft4Validator(document, validate_formats=False)
        self._paths = tuple(_checked_paths(document, document))
        self._checks = tuple(_check(path, _CHECKS[kind][0]) for kind, path in self._paths)
        self.quick = quick_yes(document)

    def judge(self, raw: bytes) -> Violation | None:
        """The first breach in the words of 1.6, None if there is none. Exact; `quick` is not asked."""
        try:
            payload = _decode(raw)
            if self._validator.is_valid(payload) and all(check(payload) for check in self._checks):
                return None
            return self._explain(payload)
        except (ValueError, RecursionError):
            return Violation("FormationViolation", "", "the payload is no readable JSON")

    def _explain(self, payload: Any) -> Violation:
        """The first breach of a payload that has one."""
        for error in self._validator.iter_errors(payload):
            keyword = str(error.kind.name)
            path = "/".join(str(part) for part in error.instance_path)
            problem = _PROBLEMS.get(keyword, f"breaks the rule {keyword}")
            return Violation(_CODES.get(keyword, _BAD_VALUE), path, problem)
        for kind, way in self._paths:
            good, code, problem = _CHECKS[kind]
            for place in _places(payload, way, good):
                return Violation(code, place, problem)
        raise AssertionError("a rejected payload without a breach")


_PROBLEMS = {
    "type": "has the wrong type",
    "required": "lacks a required field",
    "minItems": "has too few items",
    "maxItems": "has too many items",
    "additionalProperties": "has a field that is not allowed",
    "enum": "is none of the allowed values",
    "maxLength": "is too long",
    "minLength": "is too short",
    "multipleOf": "has too many decimals",
}


def _folder(version: str) -> Any:
    if version not in _FOLDERS:
        raise ValueError(f"{version!r} is no OCPP version known here ({', '.join(VERSIONS)})")
    return resources.files(ocpp).joinpath(_FOLDERS[version], "schemas")  # no more of it is imported: 0.2 s a process


@cache
def _compiled(version: str, action: str, direction: Direction) -> _Compiled | None:
    if direction not in ("request", "response"):
        raise ValueError(f"{direction!r} is neither request nor response")
    if action not in known_actions(version):
        return None
    return _Compiled(document(version, action, direction))


def _checked_paths(
    node: dict[str, Any], root: dict[str, Any], seen: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Kind of check and way to every field that needs one; `[]` on the way stands for the items of a list."""
    reference = node.get("$ref")
    if reference is not None:
        name = str(reference).rsplit("/", 1)[-1]
        if name in seen:
            raise AssertionError(f"the schema is recursive at {name}")
        yield from _checked_paths(root["definitions"][name], root, (*seen, name))
        return
    for kind in (node.get("format"), node.get("type")):
        if kind in _CHECKS:
            yield kind, ()
    for key, child in node.get("properties", {}).items():
        for kind, rest in _checked_paths(child, root, seen):
            yield kind, (key, *rest)
    if "items" in node:
        for kind, rest in _checked_paths(node["items"], root, seen):
            yield kind, ("[]", *rest)


def _check(path: tuple[str, ...], good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Whether all values on this way are good, in a payload that fits its schema."""
    if not path:
        return good
    head, inner = path[0], _check(path[1:], good)

    def each(value: Any) -> bool:
        return all(map(inner, value))

    def field(value: Any) -> bool:
        found = value.get(head)
        return found is None or inner(found)

    return each if head == "[]" else field


def _places(value: Any, path: tuple[str, ...], good: Callable[[Any], bool]) -> list[str]:
    """Where on this way values are not good."""
    if not path:
        return [] if good(value) else [""]
    if path[0] == "[]":
        inner = [(str(n), one) for n, one in enumerate(value)]
    else:
        inner = [(path[0], value[path[0]])] if path[0] in value else []
    return [f"{name}/{rest}".rstrip("/") for name, one in inner for rest in _places(one, path[1:], good)]
