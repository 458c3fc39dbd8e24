"""Books in the words of OCPI 2.2.1: sessions, charge detail records, and the signed values and totals inside of these.

The fields are those of mod_sessions and mod_cdrs; a target file may name others. Numbers are read as decimals, never as
binary floats. What OCPI has no field for (lines of a rating, who was held and why) is a gap and not empty.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from scenarios.targets.cells import Rows, Shape, Unreadable
from scenarios.targets.model import Book, Column
from scenarios.targets.sources import Sources, look
from sim.clock import parse_iso
from sim.evidence.canonical import canonical

_OK = range(1000, 2000)
_STATES = {
    "ACTIVE": "open",
    "PENDING": "open",
    "RESERVATION": "open",
    "COMPLETED": "billed",
    "COMPLETED AT NO COST": "free",
    "INVALID": "quarantined",
}
_STATION = Column(source="cdr_location.evse_uid")

FIELDS: dict[str, dict[str, Column]] = {
    "books_sessions": {
        "session_id": Column(source="id"),
        "station": Column(source="evse_uid"),
        "connector": Column(source="connector_id"),
        "site": Column(source="location_id"),
        "id_tag": Column(source="cdr_token.uid"),
        "customer": Column(source="cdr_token.contract_id"),
        "started_at": Column(source="start_date_time"),
        "stopped_at": Column(source="end_date_time", optional=True),
        "energy_wh": Column(source="kwh", unit="kWh"),
        "state": Column(source="derived.status", values=_STATES),
    },
    "books_cdrs": {
        "cdr_id": Column(source="id"),
        "session_id": Column(source="session_id"),
        "station": _STATION,
        "connector": Column(source="cdr_location.connector_id"),
        "id_tag": Column(source="cdr_token.uid"),
        "tariff_id": Column(source="tariffs.0.id"),
        "currency": Column(source="currency"),
        "started_at": Column(source="start_date_time"),
        "stopped_at": Column(source="end_date_time"),
        "kwh": Column(source="total_energy"),
        "idle_seconds": Column(source="derived.idle_seconds"),
        "periods": Column(source="derived.periods"),
        "corrects": Column(source="credit_reference_id", optional=True),
        "credit": Column(source="derived.credit"),
    },
    "books_rated": {
        "rated_id": Column(source="id"),
        "cdr_id": Column(source="id"),
        "version": Column(value="1"),
        "effective": Column(value="1"),
        "currency": Column(source="currency"),
        "gross": Column(source="total_cost.incl_vat"),
        "net": Column(source="total_cost.excl_vat"),
        "vat": Column(source="derived.vat"),
    },
    "books_bills": {
        "number": Column(source="invoice_reference_id"),
        "session_id": Column(source="session_id"),
        "cdr_id": Column(source="id"),
        "rated_id": Column(source="id"),
        "customer": Column(source="cdr_token.contract_id"),
        "currency": Column(source="currency"),
        "gross": Column(source="total_cost.incl_vat"),
        "net": Column(source="total_cost.excl_vat"),
        "vat": Column(source="derived.vat"),
    },
    "books_records": {
        "session_id": Column(source="session_id"),
        "station": _STATION,
        "meter_id": Column(source="meter_id"),
        "text": Column(source="derived.text"),
    },
}
"""Which field of OCPI each column comes from, by table."""


def read_ocpi(book: Book, table: str, columns: tuple[str, ...], sources: Sources) -> Rows:
    """The rows of one table, of all pages. Raises Unreadable with address or file, object and field."""
    if table not in FIELDS:
        raise Unreadable(
            f"OCPI has no such object; allowed: {', '.join(name.removeprefix('books_') for name in FIELDS)}"
        )
    pages = sources.pages(book.url, book.page_size) if book.url else sources.texts(book)
    derive = _DERIVED.get(table, lambda one: iter([one]))
    raw = []
    where = book.url or book.path
    for name, text in pages:
        for number, one in enumerate(_objects(name, text), 1):
            place = f"{name}, object {one.get('id', number)}"
            try:
                raw += [(place, look(row)) for row in derive(one)]
            except (KeyError, TypeError, ValueError, ArithmeticError, AttributeError) as err:
                raise Unreadable(f"{place}: its fields are not those of OCPI ({type(err).__name__}: {err})") from None
    return Shape(book, table, columns, FIELDS[table]).read(where, raw)


def _objects(name: str, text: str) -> list[dict[str, Any]]:
    """The objects of a list, or of an OCPI answer around it."""
    try:
        data = json.loads(text, parse_float=Decimal)
    except ValueError as err:
        raise Unreadable(f"{name} is no JSON ({err})") from None
    if isinstance(data, dict):
        status = data.get("status_code")
        if status not in _OK:
            raise Unreadable(f"{name} answers status_code {status!r}: {data.get('status_message') or 'no message'}")
        data = data.get("data")
    if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
        raise Unreadable(f"{name} holds no list of objects")
    return data


def _session(one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A session; one that ended and costs nothing is told apart, because OCPI has no status of its own for it."""
    cost = one.get("total_cost")
    free = one["status"] == "COMPLETED" and cost is not None and not cost["excl_vat"]
    yield {**one, "derived": {"status": "COMPLETED AT NO COST" if free else one["status"]}}


def _cdr(one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A charge detail record with its periods as the evidence has them."""
    starts = [period["start_date_time"] for period in one.get("charging_periods", ())]
    ends = [*starts[1:], one["end_date_time"]]
    periods, idle = [], 0
    for period, start, end in zip(
        one.get("charging_periods", ()), map(parse_iso, starts), map(parse_iso, ends), strict=False
    ):
        volumes = {dimension["type"]: dimension["volume"] for dimension in period["dimensions"]}
        resting = "PARKING_TIME" in volumes
        idle += end - start if resting else 0
        energy = format(Decimal(str(volumes.get("ENERGY", 0))), "f")
        periods.append({"start": start, "end": end, "energy_kwh": energy, "idle": resting})
    derived: dict[str, Any] = {"credit": int(bool(one.get("credit", False)))}
    if "charging_periods" in one:
        derived |= {"periods": canonical(periods), "idle_seconds": idle // 1000}
    yield {**one, "derived": derived}


def _totals(one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    cost = one["total_cost"]
    derived = {"vat": cost["incl_vat"] - cost["excl_vat"]} if "incl_vat" in cost else {}
    yield {**one, "derived": derived}


def _billed(one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The bill of a record that names one. A credit, or the record after it, names the bill that it corrects."""
    if one.get("invoice_reference_id") and not one.get("credit") and not one.get("credit_reference_id"):
        yield from _totals(one)


def _values(one: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each signed value of a record."""
    for value in (one.get("signed_data") or {}).get("signed_values", ()):
        yield {**one, "derived": {"text": value["signed_data"]}}


_DERIVED: dict[str, Callable[[dict[str, Any]], Iterator[dict[str, Any]]]] = {
    "books_sessions": _session,
    "books_cdrs": _cdr,
    "books_rated": _totals,
    "books_bills": _billed,
    "books_records": _values,
}
