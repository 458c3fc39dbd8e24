"""The quick yes never says yes where the schema says no, and says it to everything usual."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.wire import schema
from sim.wire.quick import quick_yes

QUICK = [
    (version, action, direction)
    for version in schema.VERSIONS
    for action in schema.actions(version)
    for direction in ("request", "response")
    if quick_yes(schema.document(version, action, direction)) is not None  # type: ignore[arg-type]
]
TIMES = st.sampled_from(
    [
        "2026-06-10T10:00:00.123Z", "2026-06-10T10:00:00Z", "2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z",
        "2026-04-31T00:00:00Z", "2026-12-31T23:59:59.999999Z", "2026-06-10T24:00:00Z", "2026-06-10T10:00:60Z",
        "2026-06-10 10:00:00Z", "2026-06-10T10:00:00Z\n", "2026-06-10T10:00:00", "0000-01-01T00:00:00Z",
        "2026-06-10T10:00:00+02:00", "\uff12026-06-10T10:00:00Z", "2026-6-1T10:00:00Z", "", "now",
    ]
)  # fmt: skip
NUMBERS = st.sampled_from([0, 1, -1, 1.0, 0.5, True, (1 << 63) - 1, 1 << 63, -(1 << 63), -(1 << 63) - 1, 1 << 70])
TEXTS = st.one_of(
    TIMES, st.text(max_size=3), st.integers(0, 600).map("ä".__mul__), st.sampled_from(["\U0001f600" * 20])
)
JUNK = st.one_of(st.none(), NUMBERS, TEXTS, st.just([]), st.just({}), st.just([{}]))


def about(node: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that mostly look like what this schema wants, right or wrong in all the small ways."""
    kind = node.get("type")
    if kind == "object":
        fields = {name: about(child) for name, child in node.get("properties", {}).items()}
        wanted = {name: values for name, values in fields.items() if name in node.get("required", ())}
        rest = {name: values for name, values in fields.items() if name not in wanted}
        good: st.SearchStrategy[Any] = st.fixed_dictionaries(wanted, optional=rest)
        if fields:
            lacking = good.flatmap(lambda one: st.sampled_from([*one, "x"]).map(lambda gone: without(one, gone)))
            return often(good, st.one_of(lacking, good.map(lambda one: {**one, "unheardOf": 1}), JUNK))
        return often(good, st.one_of(good.map(lambda one: {**one, "unheardOf": 1}), JUNK))
    if kind == "array":
        return often(st.lists(about(node["items"]), min_size=1, max_size=2), st.one_of(st.just([]), JUNK))
    if kind == "string" and "enum" in node:
        return often(st.sampled_from(node["enum"]), JUNK)
    if kind == "string":
        return often(TIMES if "format" in node else st.text(max_size=int(node.get("maxLength", 20))), JUNK)
    if kind == "integer":
        return often(st.integers(-5, 5), JUNK)
    return often(st.booleans(), JUNK)


def often(usual: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda dice: odd if dice == 0 else usual)


def without(one: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in one.items() if key != name}


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_what_the_quick_way_accepts_the_schema_accepts_too(data: st.DataObject) -> None:
    version, action, direction = data.draw(st.sampled_from(QUICK))
    compiled = schema._compiled(version, action, direction)  # type: ignore[arg-type]
    assert compiled is not None and compiled.quick is not None
    payload = data.draw(about(schema.document(version, action, direction)))  # type: ignore[arg-type]
    raw = json.dumps(payload, ensure_ascii=data.draw(st.booleans())).encode()
    assert schema.judge(version, action, direction, raw) == compiled.judge(raw)  # type: ignore[arg-type]
    try:
        compiled.quick(raw)
    except ValueError:
        return
    assert compiled.judge(raw) is None


@pytest.mark.parametrize(
    ("action", "raw", "fits"),
    [
        ("Heartbeat", b"{}", True),
        ("Heartbeat", b'{"x":1}', False),
        ("StatusNotification", b'{"connectorId":1,"errorCode":"NoError","status":"Available"}', True),
        ("StatusNotification", b'{"connectorId":1,"errorCode":"NoError","status":"Asleep"}', False),
        (
            "StatusNotification",
            b'{"connectorId":1,"connectorId":"1","errorCode":"NoError","status":"Available"}',
            False,
        ),
        ("Authorize", b'{"idTag":"\xff"}', False),
        ("Authorize", b'{"idTag":"A"} x', False),
        ("Authorize", b'{"idTag":null}', False),
        ("Authorize", b"[" * 5_000, False),
    ],
)
def test_the_usual_frames_pass_at_once_and_wrong_ones_never(action: str, raw: bytes, fits: bool) -> None:
    compiled = schema._compiled("1.6", action, "request")
    assert compiled is not None and compiled.quick is not None
    try:
        compiled.quick(raw)
        quick = True
    except (ValueError, RecursionError):
        quick = False
    assert quick is fits is (schema.judge("1.6", action, "request", raw) is None)


def test_all_that_a_fleet_sends_in_1_6_has_a_quick_way() -> None:
    quick = {action for version, action, direction in QUICK if version == "1.6" and direction == "request"}
    core = {"Authorize", "BootNotification", "DataTransfer", "Heartbeat", "MeterValues", "StartTransaction"}
    assert quick >= core | {"StatusNotification", "StopTransaction", "ChangeConfiguration", "RemoteStopTransaction"}


@pytest.mark.parametrize(
    "hard",
    [
        {"type": "number"},
        {"type": "object", "properties": {}},
        {"type": "object", "additionalProperties": False, "properties": {}, "required": ["x"]},
        {"type": "string", "format": "uri"},
        {"type": "string", "pattern": "x"},
        {"type": "array", "items": {"$ref": "#/definitions/X"}},
    ],
)
def test_a_schema_with_words_that_it_lacks_has_no_quick_way(hard: dict[str, Any]) -> None:
    assert quick_yes(hard) is None
