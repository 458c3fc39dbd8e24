"""Writes the modules of `sim/wire/payloads` from the JSON schemas: `python -m sim.wire.generate [--check]`.

The structs are tolerant and fast, the judgement of `sim.wire.schema` is strict. So enumerations become `str`, lengths
are not checked, and `multipleOf` must never get into a struct (binary floats make it reject valid decimals). Same
schemas, same bytes: nothing here may depend on anything else.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sim.wire import schema
from sim.wire.schema import Direction

_FOLDER = Path(__file__).parent / "payloads"
TARGETS = {"1.6": _FOLDER / "v16.py", "2.0.1": _FOLDER / "v201.py"}

_SPOKEN = (
    "Authorize",
    "BootNotification",
    "ChangeAvailability",
    "ClearCache",
    "DataTransfer",
    "FirmwareStatusNotification",
    "GetBaseReport",
    "GetVariables",
    "Heartbeat",
    "LogStatusNotification",
    "MeterValues",
    "NotifyEvent",
    "NotifyReport",
    "RequestStartTransaction",
    "RequestStopTransaction",
    "Reset",
    "SecurityEventNotification",
    "SetNetworkProfile",
    "SetVariables",
    "StatusNotification",
    "TransactionEvent",
    "TriggerMessage",
)
"""The actions of 2.0.1 that this house speaks so far; the schemas know all of them."""
_NOTHING_SAID = "customData"
"""A field of every object of 2.0.1, for vendors: nobody here reads it, and structs drop what they do not know."""

_TYPE_NAMES = {
    "configurationKey": "KeyValue",
    "csChargingProfiles": "ChargingProfile",
    "localAuthorizationList": "AuthorizationData",
    "transactionData": "MeterValue",
}
"""Field names whose nested object has another name in OCPP 1.6 §7."""

_PLAIN = {"string": "str", "integer": "int", "number": "int | float", "boolean": "bool"}

_HEAD = '''"""OCPP {version} payloads as structs, requests by action name, answers by action name + "Result".

Written by `python -m sim.wire.generate` from the JSON schemas. Do not edit: change the generator. Tolerant on purpose
(unknown fields are dropped, enumerations are texts); `sim.wire.schema.judge` is the strict one. Encoding order is
field order.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

'''

_TAIL = '''
_encoder = msgspec.json.Encoder()
_request_decoders: dict[str, msgspec.json.Decoder[Any]] = {}
_response_decoders: dict[str, msgspec.json.Decoder[Any]] = {}


def encode(obj: Struct) -> bytes:
    """The JSON bytes of a payload, without blanks, absent fields left out."""
    return _encoder.encode(obj)


def decode_request(action: str, raw: bytes) -> Any:
    """The request struct of this action. Raises msgspec.ValidationError on bad input, KeyError on an unknown action."""
    return _decode(_request_decoders, REQUESTS, action, raw)


def decode_response(action: str, raw: bytes) -> Any:
    """The answer struct of this action. Raises msgspec.ValidationError on bad input, KeyError on an unknown action."""
    return _decode(_response_decoders, RESPONSES, action, raw)


def _decode(
    cache: dict[str, msgspec.json.Decoder[Any]], types: dict[str, type[Struct]], action: str, raw: bytes
) -> Any:
    decoder = cache.get(action)
    if decoder is None:
        decoder = cache[action] = msgspec.json.Decoder(types[action])
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError:
        raise
    except (ValueError, RecursionError):
        raise msgspec.ValidationError("the payload is no readable JSON") from None
'''


class _Module:
    """The module in the making: classes in the order they are needed, enumerations by class and field."""

    def __init__(self) -> None:
        self.classes: dict[str, dict[str, tuple[str, str, bool]]] = {}
        self.values: dict[str, set[str]] = {}

    def add(self, name: str, node: dict[str, Any], root: dict[str, Any]) -> str:
        """Take in one object; a second object of the same name must have the same fields."""
        required = node.get("required", [])
        fields = {}
        for wire, child in node.get("properties", {}).items():
            if wire == _NOTHING_SAID:
                continue
            fields[_snake(wire)] = (wire, self._type(name, wire, child, root), wire in required)
        known = self.classes.setdefault(name, fields)
        if known != fields:
            raise AssertionError(f"two different objects would be called {name}")
        return name

    def _type(self, owner: str, wire: str, node: dict[str, Any], root: dict[str, Any]) -> str:
        type_name = _TYPE_NAMES.get(wire, wire[0].upper() + wire[1:])
        if "$ref" in node:
            definition = str(node["$ref"]).rsplit("/", 1)[-1]
            node, type_name = root["definitions"][definition], definition.removesuffix("Type")
        kind = node.get("type")
        if kind is None:  # whatever a vendor likes
            return "Any"
        if kind == "array":
            return f"list[{self._type(owner, wire, node['items'], root)}]"
        if kind == "object":
            return self.add(type_name, node, root)
        if "enum" in node:
            self.values.setdefault(f"{_snake(owner)}_{_snake(wire)}".upper(), set()).update(node["enum"])
        return _PLAIN[kind]


def render(version: str = "1.6") -> str:
    """The text of the module of a version."""
    module = _Module()
    directions: tuple[tuple[Direction, str], ...] = (("request", ""), ("response", "Result"))
    actions = _actions(version)
    for action in actions:
        for direction, suffix in directions:
            document = schema.document(version, action, direction)
            module.add(action + suffix, document, document)
    parts = [_HEAD.format(version=version)]
    parts += [_values(name, values) for name, values in sorted(module.values.items())]
    parts += [_class(name, fields) for name, fields in _needed_first(module.classes)]
    parts += ["\n", _table("REQUESTS", actions, ""), _table("RESPONSES", actions, "Result"), _TAIL]
    return "".join(parts)


def _actions(version: str) -> tuple[str, ...]:
    return schema.actions(version) if version == "1.6" else _SPOKEN


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the module, or with --check say whether it is up to date (0) or not (1)."""
    parser = argparse.ArgumentParser(prog="python -m sim.wire.generate", description="Write the payload structs.")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if the file is out of date")
    options = parser.parse_args(arguments)
    stale = []
    for version, target in TARGETS.items():
        text = render(version)
        if not options.check:
            target.write_text(text, encoding="utf-8")
        elif not target.exists() or target.read_text(encoding="utf-8") != text:
            stale.append(target.name)
    if stale:
        print(f"out of date: {', '.join(stale)}. Run python -m sim.wire.generate", file=sys.stderr)
    return 1 if stale else 0


def _needed_first(
    classes: dict[str, dict[str, tuple[str, str, bool]]],
) -> list[tuple[str, dict[str, tuple[str, str, bool]]]]:
    """Nested objects before those that hold them, by name otherwise."""
    done: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        for _, annotation, _ in classes[name].values():
            inner = annotation.removeprefix("list[").removesuffix("]")
            if inner in classes:
                visit(inner)
        done.append(name)

    for name in sorted(classes):
        visit(name)
    return [(name, classes[name]) for name in done]


def _class(name: str, fields: dict[str, tuple[str, str, bool]]) -> str:
    options = 'Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False'
    head = f"class {name}({options}):\n"
    if len(head) > 121:
        head = f"class {name}(\n    {options}\n):\n"
    text = "\n\n" + head
    if not fields:
        return text + "    pass\n"
    for field, (wire, annotation, required) in fields.items():
        if _camel(field) != wire:  # capitals in a row, which no rule brings back
            default = f'msgspec.field(name="{wire}"{"" if required else ", default=None"})'
            text += f"    {field}: {annotation}{'' if required else ' | None'} = {default}\n"
        else:
            text += f"    {field}: {annotation}\n" if required else f"    {field}: {annotation} | None = None\n"
    return text


def _values(name: str, values: set[str]) -> str:
    return f"{name} = frozenset(\n    (\n" + "".join(f'        "{value}",\n' for value in sorted(values)) + "    )\n)\n"


def _table(name: str, actions: Sequence[str], suffix: str) -> str:
    rows = "".join(f'    "{action}": {action}{suffix},\n' for action in actions)
    return f"\n{name}: dict[str, type[Struct]] = {{\n{rows}}}\n"


def _snake(wire: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", wire).lower()


def _camel(field: str) -> str:
    """What msgspec's `rename="camel"` makes of a field name."""
    first, *others = field.split("_")
    return first + "".join(other.capitalize() for other in others)


if __name__ == "__main__":
    raise SystemExit(main())
