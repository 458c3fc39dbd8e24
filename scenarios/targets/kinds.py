"""What kind of value each column of books and statements holds, so that foreign texts are read alike everywhere.

Follows `sim.evidence.schema`. A column that is named nowhere here is text and is taken as it is.
"""

from __future__ import annotations

from typing import Literal

Kind = Literal["text", "instant", "energy", "kwh", "money", "whole", "flag", "json", "seconds", "either", "decimal"]

_INSTANTS = ("at", "until", "first_seen", "last_seen", "deadline")
_ENERGY = ("energy_wh", "meter_start", "meter_stop")
_MONEY = (
    "gross", "net", "vat", "amount", "paid", "refunded", "credited", "hold_amount", "held", "rounding_difference", "fee",
    "balance",
)  # fmt: skip
_WHOLE = (
    "connector", "seq", "version", "position", "tries", "times", "journal_seq", "done", "status", "note",
    "copy", "events", "repeats",
)  # fmt: skip
_FLAGS = (
    "effective", "credit", "time_billable", "final", "charges_enabled", "payouts_enabled", "details_submitted",
    "connected", "executed",
)  # fmt: skip
_JSON = (
    "periods", "lines", "postings", "items", "evidence", "todo", "currently_due", "past_due", "pending_verification",
    "errors", "attachments", "meta", "attempts",
)  # fmt: skip
_SIDES = ("net", "vat", "gross")
_OWN: dict[tuple[str, str], Kind] = {
    ("books_cdrs", "kwh"): "kwh",
    ("books_cdrs", "idle_seconds"): "seconds",
    ("books_contracts", "vat"): "json",
    ("books_contracts", "terms"): "json",
    ("books_contracts", "billed_until"): "text",
    ("books_sessions", "tariff_version"): "either",
    ("books_cdrs", "tariff_version"): "either",
    ("books_events", "transaction_id"): "text",
    ("books_events", "missing"): "json",
    ("books_runs", "until"): "text",
    ("partner_payments", "data"): "json",
    ("partner_faults", "extra"): "whole",
    ("audit_cdrs", "kwh"): "kwh",
    ("audit_cdrs", "charging_seconds"): "decimal",
    ("audit_cdrs", "idle_seconds"): "decimal",
    ("audit_sessions", "kwh"): "kwh",
    **{
        (f"audit_{table}", f"total_{side}"): "decimal"
        for table in ("cdrs", "invoices", "invoice_lines")
        for side in _SIDES
    },
}
UNITS_OF: dict[str, tuple[str, ...]] = {
    "energy": ("Wh", "kWh"),
    "kwh": ("kWh", "Wh"),
    "money": ("major", "minor"),
    "instant": ("ms", "s"),
    "seconds": ("s", "h"),
}
"""The units in which a value of a kind may come; the first is taken where none is named."""


def kind_of(table: str, column: str) -> Kind:
    """The kind of a column of the evidence, or of an export that is audited (`audit_...`, amounts as they are)."""
    own = _OWN.get((table, column))
    if own is not None:
        return own
    if column == "transaction_id":
        return "either"
    if column in _INSTANTS or column.endswith("_at"):
        return "instant"
    named: tuple[tuple[tuple[str, ...], Kind], ...] = (
        (_ENERGY, "energy"), (_MONEY, "money"), (_WHOLE, "whole"), (_FLAGS, "flag"), (_JSON, "json"),
    )  # fmt: skip
    return next((kind for columns, kind in named if column in columns), "text")


DECIMALS = {
    "BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0,
    "VND": 0, "VUV": 0, "XAF": 0, "XOF": 0, "XPF": 0, "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3,
    "CLF": 4, "UYW": 4,
}  # fmt: skip
"""How many decimals a currency has where it is not two (ISO 4217)."""
