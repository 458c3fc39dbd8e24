"""What a request says, read strictly: query and body as typed structs. Every mistake names the field and what is allowed.

Nothing that comes from outside reaches a room behind the API before it has its type and its bounds.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request

from reference_csms.web.answers import JSON, Problem, wrong
from sim.errors import unknown

MOST_ROWS = 10_000
LATEST = 32_503_679_999_999
"""The last millisecond of the year 2999: every zone still has a local time for it."""
PLAIN = r"^[^\x00-\x1f\x7f]*$"

Text = Annotated[str, Meta(min_length=1, max_length=200, pattern=PLAIN)]
Limit = Annotated[int, Meta(ge=1, le=1000, description="how many rows at most")]
Whole = Annotated[int, Meta(ge=-(2**53), le=2**53)]
Ms = Annotated[int, Meta(ge=0, le=LATEST, description="milliseconds since 1970 UTC")]
_RFC3339 = r"(19|2\d)\d\d-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)"
Rfc3339 = Annotated[
    str, Meta(max_length=40, pattern=f"^{_RFC3339}$", description="an RFC 3339 text such as 2026-06-10T12:00:00Z")
]
Moment = Ms | Rfc3339
"""An instant in a body: milliseconds since 1970 UTC, or an RFC 3339 text."""
When = Annotated[
    str,
    Meta(
        max_length=40,
        pattern=rf"^(\d{{1,14}}|{_RFC3339})$",
        description="milliseconds since 1970 UTC, or an RFC 3339 text",
    ),
]
"""An instant in a query, where everything is text."""

_WHERE = re.compile(r"(.*?)(?: - at `\$\.?(.*)`)?", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)


class NoQuery(Struct, forbid_unknown_fields=True):
    """A route without query parameters."""


def query_of(request: Request, kind: type[Struct]) -> Struct:
    """The query parameters. Raises Problem 422 for one that is unknown, wrong or given twice."""
    names = [field.encode_name for field in msgspec.structs.fields(kind)]
    given: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in names:
            problem, allowed = unknown("query parameter", name[:100], names)
            raise wrong("query", problem, allowed)
        if name in given:
            raise wrong(f"query.{name}", "is given twice", "once")
        if re.match(PLAIN, value) is None:
            raise wrong(f"query.{name}", "holds a control character", "printable text")
        given[name] = value
    try:
        read: Struct = msgspec.convert(given, kind, strict=False)
    except msgspec.ValidationError as err:
        raise _explained("query", str(err), kind) from None
    return read


async def raw_body(request: Request, limit: int) -> bytes:
    """The bytes of a JSON body. Raises Problem 413 before more than the limit is kept, and 415."""
    raw = await _bytes(request, limit)
    told = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if raw and told != JSON:
        raise wrong("Content-Type", f"{told[:100]!r} is not supported", JSON, 415)
    return raw


async def _bytes(request: Request, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    told = request.headers.get("content-length", "0")
    if told.isascii() and told.isdecimal() and int(told[:20]) > limit:
        raise wrong("body", f"has {told[:20]} bytes", f"at most {limit}", 413)
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise wrong("body", "is too large", f"at most {limit} bytes", 413)
        chunks.append(chunk)
    return b"".join(chunks)


def decoded(raw: bytes, kind: Any) -> Any:
    """JSON bytes as `kind`. Raises Problem 422."""
    if b"\\u0000" in raw:
        raise wrong("body", "holds the character U+0000", "text without it")
    try:
        return msgspec.json.decode(raw, type=kind)
    except msgspec.ValidationError as err:
        raise _explained("body", str(err), kind) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as err:
        raise wrong("body", f"is no readable JSON ({str(err)[:120]})", "one JSON value in UTF-8") from None


def converted(value: Any, kind: Any, place: str) -> Any:
    """A decoded value as `kind`. Raises Problem 422."""
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as err:
        raise _explained(place, str(err), kind) from None


def _explained(place: str, message: str, kind: Any) -> Problem:
    """The sentence of msgspec as a problem that names the field and, by the schema, what is allowed there."""
    found = _WHERE.fullmatch(message)
    assert found is not None
    said, path = found[1], found[2] or ""
    strange, missing = _UNKNOWN.fullmatch(said), _MISSING.fullmatch(said)
    schema = _schema_at(kind, path)
    known = schema.get("properties", {})
    if strange is not None:
        problem, allowed = unknown("field", strange[1][:100], known)
        return wrong(_dotted(place, path), problem, allowed)
    if missing is not None:
        return wrong(_dotted(place, path, missing[1]), "is missing", in_words(known.get(missing[1], {})))
    return wrong(_dotted(place, path), f"is wrong: {said[:1].lower()}{said[1:200]}", in_words(schema))


def _dotted(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def _schema_at(kind: Any, path: str) -> dict[str, Any]:
    whole = msgspec.json.schema(kind)
    node = _resolved(whole, whole)
    for step in re.findall(r"\[\.\.\.\]|\[\d+\]|[^.\[\]]+", path):
        branches = [_resolved(one, whole) for one in node.get("anyOf", (node,))]
        following: dict[str, Any] = {}
        for branch in branches:
            if step.startswith("["):
                following = branch.get("items") or branch.get("additionalProperties") or following
            else:
                following = branch.get("properties", {}).get(step) or following
        node = _resolved(following, whole) if isinstance(following, dict) else {}
    return node


def _resolved(node: Mapping[str, Any], whole: Mapping[str, Any]) -> dict[str, Any]:
    reference = node.get("$ref")
    return dict(whole["$defs"][str(reference).rsplit("/", 1)[-1]] if reference else node)


def in_words(schema: Mapping[str, Any]) -> str:
    """What a schema allows, for a person."""
    if "anyOf" in schema:
        return " or ".join(in_words(one) for one in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(str(one) for one in schema["enum"])
    if "description" in schema and schema.get("pattern", PLAIN) != PLAIN:
        return str(schema["description"])
    bounds = [
        f"{word} {schema[key]}"
        for key, word in (
            ("minimum", "from"),
            ("exclusiveMinimum", "above"),
            ("maximum", "to"),
            ("minLength", "of at least"),
            ("maxLength", "of at most"),
            ("minItems", "of at least"),
            ("maxItems", "of at most"),
        )
        if key in schema
    ]
    names = {
        "integer": "a whole number",
        "number": "a number",
        "string": "a text",
        "boolean": "true or false",
        "array": "a list",
        "object": "an object",
        "null": "null",
    }
    words = [names.get(str(schema.get("type")), "a value"), *bounds]
    if "maxLength" in schema:
        words.append("characters")
    return " ".join(words)
