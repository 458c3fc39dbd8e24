"""A good request for every POST of the API, and payloads made from the shipped schemas of OCPP."""

from __future__ import annotations

from typing import Any

from sim.wire.schema import document

ROWS: dict[str, dict[str, Any]] = {
    "owners": {"owner": "o", "currency": "EUR", "zone": "Europe/Berlin", "name": "O", "country": "DE"},
    "sites": {"site": "s", "owner": "city", "tariff_id": "ac"},
    "tariffs": {
        "tariff_id": "t",
        "version": 1,
        "currency": "EUR",
        "vat_percent": "19",
        "energy": [{"from": "00:00", "to": "24:00", "price": "0.40"}],
        "group_discounts": {"staff": "10"},
        "valid_from": "2026-01-01T00:00:00+01:00",
    },
    "stations": {
        "station": "N-1",
        "site": "hall",
        "power_w": 11_000,
        "password": "0123456789abcdef0123",
        "configuration": {"HeartbeatInterval": "60"},
    },
    "meters": {"meter_id": "m", "station": "N-1", "connector": 1, "public_key": "3059", "valid_from": 0},
    "tokens": {"token": "N", "expires_at": 1_900_000_000_000, "sites": ["hall"], "single": True},
    "sellers": {"seller": "op", "accounts": [{"value": "NO93", "from": "2026-01-01"}], "due_days": 14},
    "contracts": {
        "contract": "k1",
        "seller": "city",
        "customer": "port",
        "currency": "EUR",
        "period": "month",
        "start": "2026-05-01",
        "items": [{"text": "fee", "net": 1000, "quantity": 2}],
        "vat_percent": "25",
    },
    "driver-terms": {"customer": "cust-a", "pays": "contract", "email": "a@example.org"},
    "accounts": {"account": "acct_1", "owner": "city"},
    "prepaid": {
        "prepaid_id": "v1",
        "contract_id": "k0",
        "seller": "op",
        "customer": "port",
        "currency": "EUR",
        "net": 100,
        "start": "2026-06-01",
        "until": "2026-07-01",
        "invoice": "I-1",
    },
    "open-transactions": {
        "transaction_id": 77,
        "issuer": "old",
        "station": "CS-2",
        "connector": 1,
        "site": "hall",
        "id_tag": "TOK-A",
        "token_status": "Accepted",
        "meter_start": 5,
        "started_at": 1_780_000_000_000,
        "received_start_at": 1_780_000_000_000,
        "start_key": "k",
        "state": "open",
    },
}

BODIES: dict[str, Any] = {
    **{f"/{what}": {"rows": [row]} for what, row in ROWS.items()},
    "/operations/{station}/app-start": {"mobile": "+49170", "connector": 1},
    "/operations/{station}/app-stop": {"mobile": "+49170", "connector": 1},
    "/operations/{station}/accept-station": {},
    "/operations/{station}/hold-station": {},
    "/operations/{station}/close-station": {},
    "/operations/import": {"what": "tokens", "rows": [ROWS["tokens"]]},
    "/operations/export": {"what": "station", "station": "CS-1"},
    "/operations/release-quarantine": {"quarantine_id": "legacy-q-000001", "actor": "ann", "reason": "why"},
    "/operations/correct-session": {
        "session_id": "legacy-s-000001",
        "actor": "ann",
        "reason": "why",
        "terms": {"grp": "staff", "tariff_version": 1},
    },
    "/operations/run-billing": {"kind": "drivers", "owner": "city", "until": "2026-07-01T00:00:00Z"},
    "/operations/end-contract": {"contract": "k1", "end": "2026-07-01"},
    "/operations/refund": {"claim": "legacy-k-000001", "amount": 100},
    "/operations/cancel-invoice": {"number": "I-1"},
    "/operations/webhook": {"partner": "stripe", "payload": "{}", "signature": "t=1,v1=00"},
}

PARTS = {
    "station": "CS-1",
    "session_id": "legacy-s-000001",
    "cdr_id": "legacy-c-000001",
    "rated_id": "legacy-r-000001",
    "number": "CITY-legacy-000001",
    "seq": "1",
    "quarantine_id": "legacy-q-000001",
    "correction_id": "legacy-k-000001",
    "token": "TOK-A",
    "owner": "city",
    "site": "hall",
    "tariff": "ac@1",
    "book": "bills",
}
"""What stands in the path of an example, by the name of the part."""


def payload(action: str, answer: bool = False, version: str = "1.6") -> Any:
    """The smallest payload of an action that fits its schema."""
    whole = document(version, action, "response" if answer else "request")
    return _least(whole, whole)


def _least(node: dict[str, Any], whole: dict[str, Any]) -> Any:
    if "$ref" in node:
        return _least(whole["definitions"][node["$ref"].rsplit("/", 1)[-1]], whole)
    if "enum" in node:
        return node["enum"][0]
    kind = node.get("type")
    if kind == "object":
        return {name: _least(node["properties"][name], whole) for name in node.get("required", ())}
    if kind == "array":
        return [_least(node["items"], whole)] * node.get("minItems", 0)
    if kind == "string":
        return "2026-06-10T10:00:00Z" if node.get("format") == "date-time" else "x"
    return {"integer": 1, "number": 1, "boolean": True}.get(str(kind))
