"""The books of the money part as plain rows; empty where a back-end handles no money. Read-only, nothing is summed."""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from reference_csms.billing.rows import BILLABLES, CONTRACTS, INVOICE_LINES, INVOICES, PREPAID, RUNS
from reference_csms.payments.rows import (
    ACCOUNT_NOTES,
    ATTEMPTS,
    CLAIMS,
    MOVEMENTS,
    STATEMENT_LINES,
    WEBHOOKS,
)
from reference_csms.storage.port import Table
from reference_csms.views import View
from sim.backend import Row
from sim.evidence import schema

_encode = msgspec.json.Encoder(order="sorted").encode
_TABLES: dict[str, Table[Any]] = {
    "books_contracts": CONTRACTS,
    "books_invoices": INVOICES,
    "books_invoice_lines": INVOICE_LINES,
    "books_billables": BILLABLES,
    "books_prepaid": PREPAID,
    "books_runs": RUNS,
    "books_claims": CLAIMS,
    "books_payments": ATTEMPTS,
    "books_accounts": ACCOUNT_NOTES,
    "books_webhooks": WEBHOOKS,
    "books_movements": MOVEMENTS,
    "books_statement_lines": STATEMENT_LINES,
}
_RENAMED = {"start_day": "start", "end_day": "end", "until_day": "until"}


def money_views() -> dict[str, View]:
    """The tables of contracts, invoices, claims and payments."""
    return {name: View(table, partial(_row, name)) for name, table in _TABLES.items()}


def _row(table: str, row: Struct) -> Row:
    return {column: _plain(getattr(row, _RENAMED.get(column, column))) for column in schema.BOOKS[table]}


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return _encode(value).decode() if isinstance(value, tuple | dict) else value
