"""The instruction sheet of a server: rows of a TOML or JSON file by kind, or a small one of our own. It guesses nothing."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import msgspec

from reference_csms.provision import WHATS
from sim.backend import Row
from sim.errors import BadInput, unknown

SITE = "site"
_ALLOWED = f"tables of rows by kind ({', '.join(WHATS)}), as TOML or JSON"


def default_sheet() -> dict[str, list[Row]]:
    """One owner in Germany with one site and one tariff: enough for stations that nobody announced."""
    bands = [{"from": "06:00", "to": "22:00", "price": "0.49"}, {"from": "22:00", "to": "06:00", "price": "0.39"}]
    tariff = {
        "tariff_id": "standard",
        "version": 1,
        "currency": "EUR",
        "vat_percent": "19",
        "prices_include_vat": True,
        "energy": bands,
        "start_fee": "0",
        "idle_per_minute": "0",
        "idle_grace_s": 0,
        "group_discounts": {},
        "minimum_wh": 0,
    }
    owner = {"owner": "operator", "name": "Operator", "country": "DE", "currency": "EUR", "zone": "Europe/Berlin"}
    return {
        "owners": [owner],
        "tariffs": [tariff],
        "sites": [{"site": SITE, "owner": "operator", "tariff_id": "standard"}],
    }


def read_sheet(path: Path) -> dict[str, list[Row]]:
    """The rows of a file, by kind. Raises BadInput naming file and place; single rows are judged by the back-end."""
    try:
        raw = path.read_bytes()
    except OSError as err:
        raise BadInput(str(path), "", f"it cannot be read: {err.strerror}", _ALLOWED) from None
    try:
        text = raw.decode()
        data: Any = msgspec.json.decode(raw) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, msgspec.DecodeError) as err:
        raise BadInput(str(path), "", f"it is neither TOML nor JSON: {err}", _ALLOWED) from None
    if not isinstance(data, dict):
        raise BadInput(str(path), "", "it is no table", _ALLOWED)
    for kind, rows in data.items():
        if kind not in WHATS:
            problem, allowed = unknown("kind of rows", kind, WHATS)
            raise BadInput(str(path), kind, problem, allowed)
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise BadInput(str(path), kind, "it is no list of rows", f"[[{kind}]] ... in TOML")
    return {kind: data[kind] for kind in WHATS if kind in data}
