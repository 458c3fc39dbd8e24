"""The books of a finished run as somebody else would get them: OCPI CDRs as JSON, all other books as CSV, and a target file.

The shapes are those of the reference CSMS behind its API: EVSE `station*connector`, tariff `id@version`, money in major
units in OCPI and in minor units in the CSV export.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Collection
from decimal import Decimal
from pathlib import Path
from typing import Any

from sim.clock import iso
from sim.evidence.reader import Evidence
from sim.evidence.schema import BOOKS, PARTNERS

HEAD = """[{role}.ocpp]
url = "ws://127.0.0.1:9/{role}/{{station}}"
"""
OCPI_CDRS = """
[{role}.books.cdrs]
kind = "ocpi"
path = "{role}/cdrs-*.json"

[{role}.books.cdrs.columns]
station = {{ from = "cdr_location.evse_uid", pattern = '^(.*)\\*' }}
connector = {{ from = "cdr_location.evse_uid", pattern = '\\*(\\d+)$' }}
tariff_id = {{ from = "tariffs.0.id", pattern = '^(.*)@' }}
tariff_version = {{ from = "tariffs.0.id", pattern = '@(\\d+)$' }}
grp = {{ from = "cdr_token.group_id", optional = true }}
"""
CSV_BOOK = """
[{role}.{group}.{name}]
kind = "csv"
path = "{role}/{name}{said}.csv"
money = "minor"
"""
OCPI_PAGE = 50
EVERY_BOOK = [name.removeprefix("books_") for name in BOOKS if name != "books_cdrs"]
"""All books but the CDRs, which come by OCPI."""


def export(evidence: Evidence, folder: Path, books: Collection[str], statements: bool = False) -> Path:
    """Write these books (names without `books_`) of both back-ends as CSV, CDRs as OCPI, and the target file.

    With `statements` also those of all partners, which stand beside the books of the old back-end.
    """
    parts = []
    for role in ("legacy", "new"):
        (folder / role).mkdir(parents=True, exist_ok=True)
        parts.append(HEAD.format(role=role))
        parts.append(OCPI_CDRS.format(role=role))
        write_cdrs(evidence, folder / role, role)
        for name in books:
            parts.append(CSV_BOOK.format(role=role, group="books", name=name, said=""))
            rows = evidence.rows(f"SELECT * FROM books_{name} WHERE backend = ? ORDER BY rowid", role)
            write_csv(rows, folder / role / f"{name}.csv", BOOKS[f"books_{name}"])
    for table, columns in PARTNERS.items() if statements else ():
        name = table.removeprefix("partner_")
        parts.append(CSV_BOOK.format(role="legacy", group="statements", name=name, said="-said"))
        write_csv(
            evidence.rows(f"SELECT * FROM {table} ORDER BY rowid"), folder / "legacy" / f"{name}-said.csv", columns
        )
    file = folder / "target.toml"
    file.write_text("\n".join(parts))
    return file


def write_csv(rows: list[dict[str, Any]], file: Path, columns: tuple[str, ...]) -> None:
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        writer.writerows([row[column] for column in columns] for row in rows)


def write_cdrs(evidence: Evidence, folder: Path, role: str) -> None:
    cdrs = [ocpi_cdr(evidence, row) for row in evidence.rows("SELECT * FROM books_cdrs WHERE backend = ?", role)]
    for number in range(max(1, -(-len(cdrs) // OCPI_PAGE))):
        page = cdrs[number * OCPI_PAGE : (number + 1) * OCPI_PAGE]
        data = {"data": page, "status_code": 1000, "timestamp": "2019-06-13T00:00:00Z"}
        (folder / f"cdrs-{number}.json").write_text(_json(data))


def ocpi_cdr(evidence: Evidence, row: dict[str, Any]) -> dict[str, Any]:
    key = (row["backend"], row["cdr_id"])
    rated = evidence.rows("SELECT * FROM books_rated WHERE backend = ? AND cdr_id = ? AND effective = 1", *key)[0]
    signed = evidence.rows(
        "SELECT * FROM books_records WHERE backend = ? AND session_id = ?", key[0], row["session_id"]
    )
    digits = Decimal("0.01")
    return {
        "country_code": "NO",
        "party_id": "CRG",
        "id": row["cdr_id"],
        "start_date_time": iso(row["started_at"]),
        "end_date_time": iso(row["stopped_at"]),
        "session_id": row["session_id"],
        "cdr_token": {"uid": row["id_tag"], "type": "RFID", "contract_id": row["id_tag"]}
        | ({"group_id": row["grp"]} if row["grp"] else {}),
        "auth_method": "WHITELIST",
        "cdr_location": {"evse_uid": f"{row['station']}*{row['connector']}", "connector_id": "1"},
        "currency": row["currency"],
        "tariffs": [{"id": f"{row['tariff_id']}@{row['tariff_version']}"}],
        "charging_periods": [ocpi_period(one) for one in json.loads(row["periods"])],
        "signed_data": {
            "encoding_method": "OCMF",
            "signed_values": [{"nature": "End", "plain_data": "", "signed_data": one["text"]} for one in signed],
        },
        "total_cost": {"excl_vat": rated["net"] * digits, "incl_vat": rated["gross"] * digits},
        "total_energy": Decimal(row["kwh"]),
        "credit": bool(row["credit"]),
        **({"credit_reference_id": row["corrects"]} if row["corrects"] else {}),
        "last_updated": iso(row["stopped_at"]),
    }


def ocpi_period(period: dict[str, Any]) -> dict[str, Any]:
    hours = Decimal(period["end"] - period["start"]) / 3_600_000
    kind = "PARKING_TIME" if period["idle"] else "TIME"
    dimensions = [
        {"type": kind, "volume": hours.quantize(Decimal("0.0001"))},
        {"type": "ENERGY", "volume": Decimal(period["energy_kwh"])},
    ]
    return {"start_date_time": iso(period["start"]), "dimensions": dimensions}


def _json(value: Any) -> str:
    """JSON with decimals as they are: 7.310 stays 7.310."""
    text = json.dumps(value, indent=1, default=lambda one: f"<{one:f}>")
    return re.sub(r'"<(-?[0-9.]+)>"', r"\1", text)
