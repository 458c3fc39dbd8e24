"""The quick yes: a second reading of a JSON schema that decodes a payload in one step and may only ever agree.

What it accepts, the schema accepts too (a test holds it to that); about what it does not accept it says nothing, and
`sim.wire.schema` judges slowly and exactly. It must never be the one that refuses.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, Union

import msgspec
from msgspec import Meta, UnsetType, defstruct

Quick = Callable[[bytes], Any]

USUAL_TIME = (
    r"(?a)\A[12]\d{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
    r"T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,6})?Z\Z"
)
"""The usual notation of an instant, 29 February left out. Others are for the slow way."""
_INTEGER = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_KNOWN = {
    "object": {"type", "properties", "required", "additionalProperties"},
    "array": {"type", "items", "minItems", "maxItems"},
    "string": {"type", "enum", "maxLength", "minLength", "format", "additionalProperties"},
    "integer": {"type"},
    "boolean": {"type"},
}
_NOTES = {"$schema", "$id", "id", "title", "description", "comment", "javaType", "definitions"}


class _TooHard(Exception):
    """The schema says something that this module has no words for."""


def quick_yes(document: Mapping[str, Any]) -> Quick | None:
    """A function that raises ValueError for bytes about which it has nothing to say; None if the schema is too hard."""
    kind = quick_type(document)
    return None if kind is None else msgspec.json.Decoder(kind).decode


def quick_type(document: Mapping[str, Any]) -> Any:
    """The type that the quick way decodes into, None if the schema is too hard.

    Its structs have the fields of those in `sim.wire.payloads`, None where nothing was said.
    """
    try:
        return _type(document)
    except _TooHard:
        return None


def _type(node: Mapping[str, Any]) -> Any:
    kind = node.get("type")
    if kind not in _KNOWN or not node.keys() <= _KNOWN[kind] | _NOTES:
        raise _TooHard
    if kind == "object":
        return _object(node)
    if kind == "array":
        items: Any = list.__class_getitem__(_type(node["items"]))
        return Annotated[items, Meta(min_length=node.get("minItems"), max_length=node.get("maxItems"))]
    if kind == "string":
        return _string(node)
    return _INTEGER if kind == "integer" else bool


def _object(node: Mapping[str, Any]) -> Any:
    if node.get("additionalProperties") is not False:
        raise _TooHard
    wanted = node.get("required", ())
    fields: list[Any] = []
    names = {_attribute(name): name for name in node.get("properties", {})}
    for attribute, name in names.items():
        kind = _type(node["properties"][name])
        # None stands for nothing said, and is still no value that a payload may hold.
        fields.append((attribute, kind) if name in wanted else (attribute, Union[kind, UnsetType], None))  # noqa: UP007
    if not set(wanted) <= set(names.values()):
        raise _TooHard
    return defstruct(
        "Quick",
        fields,
        rename=names,
        forbid_unknown_fields=True,
        omit_defaults=True,
        kw_only=True,
        frozen=True,
        gc=False,
    )


def _attribute(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _string(node: Mapping[str, Any]) -> Any:
    if "enum" in node:
        if not node.keys() <= {"type", "enum", "additionalProperties"} | _NOTES:
            raise _TooHard
        return Literal[tuple(node["enum"])]
    if node.get("format", "date-time") != "date-time":
        raise _TooHard
    pattern = USUAL_TIME if "format" in node else None
    return Annotated[str, Meta(min_length=node.get("minLength"), max_length=node.get("maxLength"), pattern=pattern)]
