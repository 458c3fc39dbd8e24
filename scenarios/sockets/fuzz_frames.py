"""Frames that a bad station might send, each with what OCPP-J 1.6 allows as its answer: known by how it was made.

A valid CALL is drawn from the schema of its action and broken in one known way, so the expectation does not come from any
parser of ours. The seed alone decides. Sources: OCPP-J 1.6 §4; its errata 2025-04 §3.2, §5.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from random import Random
from typing import Any

from msgspec import Struct

from reference_csms.handlers.v16 import HANDLERS
from sim.rng import stream
from sim.wire.schema import actions, document

_FORMATION = ("FormationViolation", "FormatViolation", "ProtocolError")
_MISSING = ("ProtocolError", "OccurenceConstraintViolation", "OccurrenceConstraintViolation")
_TYPE = ("TypeConstraintViolation",)
_VALUE = ("PropertyConstraintViolation",)
ANY = ("*",)
"""Stands for every code."""
_TIMES = ("2026-06-01T12:00:00Z", "2026-06-01T12:00:00.123Z", "2026-06-01T14:00:00+02:00", "1999-12-31T23:59:59Z")
_ODD_TIMES = ("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "2026-06-30T23:59:60Z", "2026-06-01t12:00:00z")
_NO_TIMES = ("yesterday", "2026-13-01T00:00:00Z", "2026-06-01", "", "2026-06-01T12:00:00", "12:00")
_ODD_TEXTS = (
    "\x00",
    "\x7f",
    "\u202e",
    "\ufeff",
    "\U0001d518",
    "\u00e9",
    "\uffff",
    "'; DROP TABLE x;--",
    "{{7*7}}",
    "%s%n",
    "../..",
)
_ODD_NUMBERS = (
    "1e2",
    "1.0",
    "-0",
    "1e400",
    "99999999999999999999",
    "-9223372036854775809",
    "1E+2",
    "0.1e1",
    "2147483648",
)


class Probe(Struct, frozen=True):
    """One frame. `codes`: the CALLERRORs that are right ((), none; ANY, all), `result` and `silence`: whether these are.

    `id` is None where no id can be read. `ends`: closing the connection is right too.
    """

    kind: str
    frame: bytes
    id: str | None
    codes: tuple[str, ...] = ()
    result: bool = False
    silence: bool = False
    ends: bool = False


class _Made(Struct):
    """A CALL to be broken."""

    id: str
    action: str
    payload: dict[str, Any]
    schema: dict[str, Any]
    rng: Random

    def frame(self) -> bytes:
        return _written([2, self.id, self.action, self.payload])


Breaker = Callable[[_Made], "Probe | None"]


def probes(seed: int, count: int, begin: int = 0) -> Iterator[Probe]:
    """So many probes, the same for the same seed; `begin` numbers the first one."""
    rng = stream(seed, "fuzz-frames", begin)
    for number in range(begin, begin + count):
        probe = None
        while probe is None:
            action = rng.choice(_ACTIONS)
            schema = _schema(action)
            made = _Made(f"z{seed}-{number}", action, _value(schema, rng), schema, rng)
            probe = rng.choice(BREAKERS)(made)
        yield probe


_ACTIONS = tuple(HANDLERS)
_NOT_FOR_A_BACK_END = tuple(name for name in actions("1.6") if name not in HANDLERS)


@cache
def _schema(action: str) -> dict[str, Any]:
    """The schema of a request, its references replaced by what they mean."""
    whole = document("1.6", action, "request")

    def plain(node: Any) -> Any:
        if isinstance(node, list):
            return [plain(one) for one in node]
        if not isinstance(node, dict):
            return node
        if "$ref" in node:
            return plain(whole["definitions"][str(node["$ref"]).rpartition("/")[2]])
        return {name: plain(inner) for name, inner in node.items() if name != "definitions"}

    return dict(plain(whole))


def _written(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _value(schema: dict[str, Any], rng: Random) -> Any:
    """Something that this schema accepts."""
    kind = schema.get("type")
    if kind == "object":
        needed = schema.get("required", ())
        named = schema.get("properties", {}).items()
        return {name: _value(inner, rng) for name, inner in named if name in needed or rng.random() < 0.4}
    if kind == "array":
        return [_value(schema["items"], rng) for _ in range(max(schema.get("minItems", 0), rng.randint(1, 3)))]
    if kind == "string":
        if "enum" in schema:
            return rng.choice(schema["enum"])
        if schema.get("format") == "date-time":
            return rng.choice(_TIMES)
        text = rng.choice(("1", "T1", "abc", rng.choice(_ODD_TEXTS), "x" * min(20, schema.get("maxLength", 20))))
        return text[: schema.get("maxLength", 100)]
    if kind == "integer":
        return rng.choice((0, 1, 2, -1, 1_000_000, rng.randint(0, 2**31 - 1)))
    return rng.random() < 0.5


def _places(schema: dict[str, Any], value: Any) -> Iterator[tuple[Any, Any, dict[str, Any]]]:
    """(container, key, schema) of everything inside a value."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield value, name, schema["properties"][name]
            yield from _places(schema["properties"][name], inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield value, number, schema["items"]
            yield from _places(schema["items"], inner)


def _objects(schema: dict[str, Any], value: Any) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    if isinstance(value, dict):
        yield value, schema
    for container, key, inner in _places(schema, value):
        if isinstance(container[key], dict):
            yield container[key], inner


def _place(made: _Made, want: Callable[[dict[str, Any]], bool]) -> tuple[Any, Any, dict[str, Any]] | None:
    found = [one for one in _places(made.schema, made.payload) if want(one[2])]
    return made.rng.choice(found) if found else None


# -- one known mistake each -----------------------------------------------------------------------------------------------


def _nothing(made: _Made) -> Probe:
    return Probe("valid", made.frame(), made.id, result=True)


def _spaced(made: _Made) -> Probe:
    blank = made.rng.choice((" ", "\n", "\t", " \r\n "))
    text = json.dumps([2, made.id, made.action, made.payload], ensure_ascii=made.rng.random() < 0.5, indent=blank)
    return Probe("valid-spaced", (blank + text + blank).encode("utf-8", "replace"), made.id, result=True)


def _extra(made: _Made) -> Probe:
    value, _ = made.rng.choice(list(_objects(made.schema, made.payload)))
    value[made.rng.choice(("zzz", "customData", "", "__proto__", "$ref"))] = made.rng.choice((1, None, {}, "x", [[]]))
    return Probe("extra-property", made.frame(), made.id, _FORMATION)


def _lacking(made: _Made) -> Probe | None:
    found = [
        (value, name) for value, schema in _objects(made.schema, made.payload) for name in schema.get("required", ())
    ]
    if not found:
        return None
    value, name = made.rng.choice(found)
    del value[name]
    return Probe("missing", made.frame(), made.id, _MISSING)


def _wrong_type(made: _Made) -> Probe | None:
    place = _place(made, lambda schema: True)
    if place is None:
        return None
    container, key, schema = place
    wrong: dict[str, Any] = {
        "string": (1, True, 1.5, [], {}),
        "integer": ("1", True, 0.5, [], {}),
        "boolean": (0, "true", []),
        "array": ({}, "x", 1),
        "object": ([], "x", 1),
    }
    container[key] = made.rng.choice(wrong[schema["type"]])
    return Probe("wrong-type", made.frame(), made.id, _TYPE + (_VALUE if "enum" in schema else ()))


def _null(made: _Made) -> Probe | None:
    place = _place(made, lambda schema: True)
    if place is None:
        return None
    place[0][place[1]] = None
    return Probe("null", made.frame(), made.id, ANY, result=True)


def _too_long(made: _Made) -> Probe | None:
    place = _place(made, lambda schema: "maxLength" in schema and "enum" not in schema)
    if place is None:
        return None
    place[0][place[1]] = made.rng.choice(("x", "\u00e9", "\U0001d518")) * (
        place[2]["maxLength"] + made.rng.choice((1, 2, 5000))
    )
    return Probe("too-long", made.frame(), made.id, _TYPE + _VALUE)


def _enum(made: _Made) -> Probe | None:
    place = _place(made, lambda schema: "enum" in schema)
    if place is None:
        return None
    known = place[0][place[1]]
    place[0][place[1]] = made.rng.choice(("Celcius2", "", known.lower() + "!", known + " ", "\x00"))
    return Probe("enum", made.frame(), made.id, _VALUE)


def _no_time(made: _Made) -> Probe | None:
    place = _place(made, lambda schema: schema.get("format") == "date-time")
    if place is None:
        return None
    place[0][place[1]] = made.rng.choice(_NO_TIMES)
    return Probe("no-time", made.frame(), made.id, _VALUE + _TYPE + _FORMATION)


def _odd_time(made: _Made) -> Probe | None:
    place = _place(made, lambda schema: schema.get("format") == "date-time")
    if place is None:
        return None
    place[0][place[1]] = made.rng.choice(_ODD_TIMES)
    return Probe("odd-time", made.frame(), made.id, ANY, result=True)


def _odd_text(made: _Made) -> Probe | None:
    place = _place(made, lambda schema: schema["type"] == "string" and "enum" not in schema and "format" not in schema)
    if place is None:
        return None
    mark = "@@odd@@"
    place[0][place[1]] = mark
    written = made.rng.choice(("\\u0000", "\\ud800", "\\udc00x", "\\ud83d\\ude00", "\\/", "\\u007f", "\\ud800\\ud800"))
    return Probe("odd-text", made.frame().replace(mark.encode(), written.encode()), made.id, ANY, True, silence=True)


def _odd_number(made: _Made) -> Probe | None:
    place = _place(made, lambda schema: schema["type"] == "integer")
    if place is None:
        return None
    place[0][place[1]] = mark = 424242424242
    written = made.rng.choice(_ODD_NUMBERS)
    silent = written == "1e400"  # a reader may say that this is no number at all
    frame = made.frame().replace(str(mark).encode(), written.encode())
    return Probe("odd-number", frame, made.id, ANY, True, silence=silent)


def _twice(made: _Made) -> Probe | None:
    if not made.payload:
        return None
    name = made.rng.choice(list(made.payload))
    head = _written({name: made.rng.choice((made.payload[name], 1, "x", None))})[:-1]
    body = head + b"," + _written(made.payload)[1:]
    return Probe("twice", b"[2,%b,%b,%b]" % (_written(made.id), _written(made.action), body), made.id, ANY, True)


def _many(made: _Made) -> Probe | None:
    place = _place(made, lambda schema: schema["type"] == "array")
    if place is None or not place[0][place[1]]:
        return None
    one = place[0][place[1]][0]
    place[0][place[1]] = [deepcopy(one) for _ in range(made.rng.choice((0, 100, 1000)))]
    return Probe("many", made.frame()[:900_000], made.id, ANY, True, silence=len(made.frame()) > 900_000)


def _count(made: _Made) -> Probe:
    whole: list[Any] = [2, made.id, made.action, made.payload]
    wrong = made.rng.choice((whole[:2], whole[:3], [*whole, {}], [*whole, None, 1], [2, made.id, made.payload]))
    return Probe("element-count", _written(wrong), made.id, (*_FORMATION, "RpcFrameworkError"))


def _no_object(made: _Made) -> Probe:
    payload = made.rng.choice(([], "x", 1, True, [made.payload]))
    codes = (*_FORMATION, *_TYPE)
    return Probe("no-object", _written([2, made.id, made.action, payload]), made.id, codes)


def _long_id(made: _Made) -> Probe:
    id = (made.id + made.rng.choice(("x", "\u00e9")) * made.rng.choice((37, 300, 20_000)))[:20_000]
    codes = (*_FORMATION, "GenericError")
    return Probe("long-id", _written([2, id, made.action, made.payload]), id, codes)


def _no_id(made: _Made) -> Probe:
    id: Any = made.rng.choice((1, None, True, [], {}, 1.5))
    return Probe("no-id", _written([2, id, made.action, made.payload]), None, silence=True, ends=True)


def _unknown(made: _Made) -> Probe:
    action = made.rng.choice(
        ("Fly", made.action.lower(), made.action + "Request", made.action + "\x00", "\u00e9" * 300, " ")
    )
    return Probe("unknown-action", _written([2, made.id, action, made.payload]), made.id, ("NotImplemented",))


def _not_here(made: _Made) -> Probe:
    frame = _written([2, made.id, made.rng.choice(_NOT_FOR_A_BACK_END), {}])
    return Probe("not-for-a-back-end", frame, made.id, ("NotSupported", "NotImplemented"))


def _kind(made: _Made) -> Probe:
    kind = made.rng.choice((0, 1, 5, 6, 7, -2, 2.5, "2", None, True, [2], 2**70))
    return Probe("message-type", _written([kind, made.id, made.action, made.payload]), None, silence=True, ends=True)


def _answer(made: _Made) -> Probe:
    wrong = made.rng.choice(
        ([3, made.id, made.payload], [4, made.id, "Fly", "", {}], [3, made.id], [4], [3, made.id, [], 1])
    )
    return Probe("answer-to-nothing", _written(wrong), None, silence=True)


def _cut(made: _Made) -> Probe:
    frame = made.frame()
    return Probe("cut", frame[: made.rng.randrange(1, len(frame))], None, silence=True, ends=True)


def _flipped(made: _Made) -> Probe:
    frame = bytearray(made.frame())
    label = range(
        3, 5 + len(made.id)
    )  # with its quotation marks: under another id nobody could tell whose answer it is
    places = [at for at in range(len(frame)) if at not in label]
    for _ in range(made.rng.randint(1, 4)):
        frame[made.rng.choice(places)] = made.rng.randrange(1, 128)
    return Probe("flipped", bytes(frame), made.id, ANY, True, silence=True, ends=True)


def _broken_text(made: _Made) -> Probe:
    frame = made.frame()
    at = made.rng.randrange(len(frame))
    broken = frame[:at] + made.rng.choice((b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf8")) + frame[at:]
    return Probe("no-utf8", broken, made.id, ANY, silence=True, ends=True)


def _deep(made: _Made) -> Probe:
    depth = made.rng.choice((50, 1_000, 100_000))
    nested = b"[" * depth + b"]" * depth if made.rng.random() < 0.5 else b'{"a":' * depth + b"1" + b"}" * depth
    frame = b'[2,%b,"DataTransfer",{"vendorId":"x","data":%b}]' % (_written(made.id), nested)
    return Probe("deep", frame, made.id, ANY, silence=True, ends=True)


def _no_json(made: _Made) -> Probe:
    frame = made.rng.choice(
        (b"", b"[]", b"{}", b"null", b"hello", b"2", b'"2"', b"[[[[", b"[2]", b"\x00", b"[2,]", b" ")
    )
    return Probe("no-message", frame, None, silence=True, ends=True)


BREAKERS: tuple[Breaker, ...] = (
    _nothing, _nothing, _spaced, _extra, _lacking, _wrong_type, _null, _too_long, _enum, _no_time, _odd_time, _odd_text,
    _odd_number, _twice, _many, _count, _no_object, _long_id, _no_id, _unknown, _not_here, _kind, _answer, _cut, _flipped,
    _broken_text, _deep, _no_json,
)  # fmt: skip
