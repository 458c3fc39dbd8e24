"""Which OCPP actions a CSMS may start, and the schemas of their payloads for the document of the API.

The shipped schemas are draft 4; what they use means the same in OpenAPI 3.1, but for the places of their definitions.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from sim.wire.schema import Direction, actions, document

_JUDGED = re.compile(r"([\w/]+) (?:is|has|lacks|breaks) ")
_MISSING = re.compile(r"missing required field `(\w+)`")
_TYPED = re.compile(r" - at `\$\.?([^`]*)`")
VERSIONS = {"1.6": "OCPP16", "2.0.1": "OCPP201"}
_BY_STATIONS = frozenset((
    "Authorize", "BootNotification", "ClearedChargingLimit", "DiagnosticsStatusNotification",
    "FirmwareStatusNotification", "Get15118EVCertificate", "GetCertificateStatus", "Heartbeat",
    "LogStatusNotification", "MeterValues", "NotifyChargingLimit", "NotifyCustomerInformation",
    "NotifyDisplayMessages", "NotifyEVChargingNeeds", "NotifyEVChargingSchedule", "NotifyEvent",
    "NotifyMonitoringReport", "NotifyReport", "PublishFirmwareStatusNotification", "ReportChargingProfiles",
    "ReservationStatusUpdate", "SecurityEventNotification", "SignCertificate", "SignedFirmwareStatusNotification",
    "StartTransaction", "StatusNotification", "StopTransaction", "TransactionEvent",
))  # fmt: skip
"""What only stations start (OCPP 1.6 §4, security whitepaper §5; OCPP 2.0.1 part 2). DataTransfer goes both ways."""


@cache
def csms_actions() -> dict[str, tuple[str, ...]]:
    """Every action that a CSMS may start, with the versions that know it, sorted by name."""
    found: dict[str, list[str]] = {}
    for version in VERSIONS:
        for action in actions(version):
            if action not in _BY_STATIONS:
                found.setdefault(action, []).append(version)
    return {action: tuple(versions) for action, versions in sorted(found.items())}


def payload_reference(action: str, versions: tuple[str, ...], direction: Direction) -> dict[str, Any]:
    """A schema that refers to the payload of each version."""
    references = [{"$ref": f"#/components/schemas/{_name(version, action, direction)}"} for version in versions]
    return references[0] if len(references) == 1 else {"anyOf": references}


def payload_schemas() -> dict[str, Any]:
    """All payloads by their names in the document."""
    schemas: dict[str, Any] = {}
    directions: tuple[Direction, ...] = ("request", "response")
    for action, versions in csms_actions().items():
        for version in versions:
            for direction in directions:
                name = _name(version, action, direction)
                whole = document(version, action, direction)
                parts = whole.pop("definitions", {})
                schemas[name] = _moved(whole, name)
                schemas |= {f"{name}.{part}": _moved(schema, name) for part, schema in parts.items()}
    return schemas


def payload_place(action: str, said: str) -> tuple[str, dict[str, Any]]:
    """The field that a sentence on a payload speaks of, and its schema: of the first version that has the field.

    Reads the sentences of `sim.wire.schema` (`a/0/b is too long`) and of msgspec (``... - at `$.a[0].b` ``).
    """
    by_schema, missing, typed = _JUDGED.match(said), _MISSING.search(said), _TYPED.search(said)
    steps = re.findall(r"\w+", by_schema[1] if by_schema else typed[1] if typed else "")
    steps += [missing[1]] if missing else []
    for version in csms_actions()[action]:
        whole = node = document(version, action, "request")
        for step in steps:
            node = node.get("items", {}) if step.isdecimal() else node.get("properties", {}).get(step, {})
            reference = str(node.get("$ref", "")).rsplit("/", 1)[-1]
            node = whole.get("definitions", {}).get(reference, node)
        if node and steps:
            return ".".join(steps), node
    return ".".join(steps), {}


def _name(version: str, action: str, direction: Direction) -> str:
    return f"{VERSIONS[version]}.{action}{'' if direction == 'request' else 'Response'}"


def _moved(node: Any, name: str) -> Any:
    """A schema with its references moved to the components; what is no keyword there is left out."""
    if isinstance(node, list):
        return [_moved(one, name) for one in node]
    if not isinstance(node, dict):
        return node
    moved = {key: _moved(value, name) for key, value in node.items() if key not in ("$schema", "id", "comment")}
    if "properties" in node:
        moved["properties"] = {key: _moved(value, name) for key, value in node["properties"].items()}
    reference = node.get("$ref")
    if isinstance(reference, str):
        moved["$ref"] = f"#/components/schemas/{name}.{reference.rsplit('/', 1)[-1]}"
    return moved
