"""The generated payload structs against the schemas they come from."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sim.wire import generate, schema
from sim.wire.payloads import v16
from sim.wire.schema import Direction

DIRECTIONS: tuple[Direction, ...] = ("request", "response")
MESSAGES = [(action, direction) for action in schema.actions("1.6") for direction in DIRECTIONS]
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
DATES = st.datetimes().map(lambda moment: moment.isoformat() + "Z")


def instances(node: dict[str, Any], root: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that fit a schema of OCPP 1.6."""
    if "$ref" in node:
        return instances(root["definitions"][node["$ref"].rsplit("/", 1)[-1]], root)
    if "enum" in node:
        return st.sampled_from(node["enum"])
    kind = node["type"]
    if kind == "object":
        fields = {name: instances(child, root) for name, child in node.get("properties", {}).items()}
        required = {name: fields.pop(name) for name in node.get("required", [])}
        return st.fixed_dictionaries(required, optional=fields)
    if kind == "array":
        least = node.get("minItems", 0)
        return st.lists(instances(node["items"], root), min_size=least, max_size=max(least, 2))
    if kind == "string":
        if node.get("format") == "date-time":
            return DATES
        return TEXT.map(lambda text: text[: node.get("maxLength", len(text))])
    if kind == "integer":
        return st.integers(-(1 << 63), (1 << 63) - 1)
    if kind == "number":
        return st.integers(-100_000, 100_000) | st.integers(-100_000, 100_000).map(lambda tenths: tenths / 10)
    assert kind == "boolean"
    return st.booleans()


def decode(action: str, direction: Direction, raw: bytes) -> Any:
    return v16.decode_request(action, raw) if direction == "request" else v16.decode_response(action, raw)


@pytest.mark.parametrize(("action", "direction"), MESSAGES)
@settings(deadline=None, max_examples=12, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_what_fits_the_schema_survives_the_struct(action: str, direction: Direction, data: st.DataObject) -> None:
    document = schema.document("1.6", action, direction)
    value = data.draw(instances(document, document))
    raw = json.dumps(value).encode()
    assert schema.judge("1.6", action, direction, raw) is None
    again = v16.encode(decode(action, direction, raw))
    assert json.loads(again) == value
    assert schema.judge("1.6", action, direction, again) is None


@settings(deadline=None, max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(MESSAGES), st.data())
def test_what_is_broken_is_judged_as_the_reference_validator_judges_it(
    message: tuple[str, Direction], data: st.DataObject
) -> None:
    action, direction = message
    document = schema.document("1.6", action, direction)
    value = data.draw(instances(document, document))
    wrong = st.none() | st.integers(0, 9) | TEXT | st.just(1.0) | st.just([]) | st.just({})
    name = data.draw(st.sampled_from([*document.get("properties", {}), "free"]))
    if data.draw(st.booleans()):
        value[name] = data.draw(wrong)
    else:
        value.pop(name, None)
    reference = jsonschema.Draft4Validator(document).is_valid(value)
    breach = schema.judge("1.6", action, direction, json.dumps(value).encode())
    if breach is None or breach.problem == "is no RFC 3339 date-time":
        assert reference or "limit" in json.dumps(value)  # the reference miscounts tenths in binary floats
    else:
        assert not reference


def test_generating_again_gives_the_same_bytes() -> None:
    for version, target in generate.TARGETS.items():
        assert generate.render(version) == target.read_text(encoding="utf-8")
    assert generate.main(["--check"]) == 0


def test_a_stale_module_is_noticed_and_written_again(tmp_path: Any, monkeypatch: Any, capsys: Any) -> None:
    stale = tmp_path / "v16.py"
    stale.write_text("old")
    monkeypatch.setattr(generate, "TARGETS", {"1.6": stale})
    assert generate.main(["--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


def test_all_messages_have_a_struct_each() -> None:
    assert tuple(v16.REQUESTS) == tuple(v16.RESPONSES) == schema.actions("1.6")
    assert v16.REQUESTS["StartTransaction"] is v16.StartTransaction
    assert v16.RESPONSES["StartTransaction"] is v16.StartTransactionResult


def test_no_multiple_of_gets_into_a_struct() -> None:
    for target in generate.TARGETS.values():
        assert "multiple_of" not in target.read_text(encoding="utf-8")
    raw = b'{"startPeriod":0,"limit":0.3}'
    assert msgspec.json.decode(raw, type=v16.ChargingSchedulePeriod).limit == 0.3


def test_absent_fields_stay_absent() -> None:
    stop = v16.StopTransaction(meter_stop=5, timestamp="2019-06-12T07:00:00Z", transaction_id=7)
    assert v16.encode(stop) == b'{"meterStop":5,"timestamp":"2019-06-12T07:00:00Z","transactionId":7}'


def test_the_values_of_an_enumeration_are_listed() -> None:
    assert "SignedData" in v16.SAMPLED_VALUE_FORMAT
    assert sorted(v16.BOOT_NOTIFICATION_RESULT_STATUS) == ["Accepted", "Pending", "Rejected"]


def test_unknown_fields_and_values_are_tolerated() -> None:
    reset = v16.decode_request("Reset", b'{"type":"Medium","free":1}')
    assert reset == v16.Reset(type="Medium")


@pytest.mark.parametrize(
    "raw", [b"", b"{", b"[]", b"{}", b'{"type":7}', b'{"type":"\xff"}', b'{"type":' + b"[" * 50_000, b'{"a":1e999}']
)
def test_bad_bytes_are_a_validation_error_and_nothing_else(raw: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        v16.decode_request("Reset", raw)


def test_an_unknown_action_is_our_own_mistake() -> None:
    with pytest.raises(KeyError):
        v16.decode_response("StartFire", b"{}")
