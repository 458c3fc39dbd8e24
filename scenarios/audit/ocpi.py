"""Charge detail records and sessions of OCPI 2.1.1 to 2.3.0 as an audit needs them. Nothing is judged here."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from reference_csms.pricing.from_ocpi import charge_from_ocpi, tariff_from_ocpi
from scenarios.audit.model import Bill, Session
from sim.clock import parse_iso
from sim.errors import BadInput

_PARTS = ("fixed", "energy", "time", "parking", "reservation")


def rows_of(data: Any, file: str, inside: Sequence[str], marks: Sequence[str]) -> list[tuple[str, dict[str, Any]]]:
    """Place and object of each row: one object, a list, an answer with `data`, or an object that names them."""
    if isinstance(data, dict):
        for name in ("data", *inside):
            if name in data and not any(mark in data for mark in marks):
                return rows_of(data[name], file, inside, marks)
        return [("", data)]
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        return [(f"[{n}]", row) for n, row in enumerate(data)]
    raise BadInput(file, None, "holds no objects", "an OCPI object, a list of them, or an answer with `data`")


def bill_of(row: dict[str, Any], file: str, place: str, zone: str, currency: str) -> Bill:
    """The record of an OCPI CDR. A credit is kept as one and not priced. Raises BadInput."""
    credit = row.get("credit") is True
    read = charge_from_ocpi({**row, "credit": False}, file, zone, currency, place)
    spot = row.get("cdr_location") or row.get("location") or {}
    token = row.get("cdr_token") or {}
    signed = row.get("signed_data") or {}
    values = signed.get("signed_values") or []
    tariffs = tuple(tariff_from_ocpi(one, file, f"{place}.tariffs") for one in read.tariffs)
    named = next((one.get("tariff_id") for one in row.get("charging_periods", []) if one.get("tariff_id")), "")
    return Bill(
        place=f"{Path(file).name}{place}",
        cdr_id=str(row.get("id", "")),
        session_id=str(row.get("session_id") or ""),
        station=str(spot.get("evse_id") or spot.get("evse_uid") or ""),
        connector=_number(spot.get("connector_id")),
        token=str(token.get("uid") or row.get("auth_id") or ""),
        charge=read.charge,
        kwh=_decimal(row.get("total_energy", row.get("kwh", 0)), file, f"{place}.total_energy"),
        periods_kwh=sum((period.kwh for period in read.charge.periods), Decimal(0)),
        net=read.said_net,
        gross=read.said_gross,
        parts=tuple(_parts(row, file, place)),
        tariff_id=named or (tariffs[0].tariff.tariff_id if tariffs else ""),
        tariffs=tuple(one.tariff for one in tariffs),
        signed=tuple(
            (str(one.get("signed_data", "")), str(one.get("nature", ""))) for one in values if isinstance(one, dict)
        ),
        sent_key=str(signed.get("public_key") or ""),
        credit=credit,
        notes=read.notes,
    )


def _parts(row: dict[str, Any], file: str, place: str) -> list[tuple[str, Decimal | None, Decimal | None]]:
    """The partial totals: name, net, gross."""
    found = []
    for name in _PARTS:
        key = f"total_{name}_cost"
        cost = row.get(key)
        if isinstance(cost, dict):
            sides = [
                None if cost.get(side) is None else _decimal(cost[side], file, f"{place}.{key}.{side}")
                for side in ("excl_vat", "incl_vat")
            ]
            if cost.get("before_taxes") is not None:
                sides = [_decimal(cost["before_taxes"], file, f"{place}.{key}.before_taxes"), None]
            found.append((name, sides[0], sides[1]))
        elif cost is not None:
            found.append((name, _decimal(cost, file, f"{place}.{key}"), None))
    return found


def session_of(row: dict[str, Any], file: str, place: str) -> Session:
    """A session of OCPI. Raises BadInput."""
    name = row.get("id") or row.get("session_id")
    if not name:
        raise BadInput(file, f"{place}.id", "is missing", "the id of the session")
    times = []
    for key in ("start_date_time", "end_date_time"):
        text = row.get(key)
        try:
            times.append(
                None if text is None else parse_iso(str(text) if "Z" in str(text) or "+" in str(text) else f"{text}Z")
            )
        except ValueError as err:
            raise BadInput(file, f"{place}.{key}", str(err), "a time of RFC 3339") from None
    if times[0] is None:
        raise BadInput(file, f"{place}.start_date_time", "is missing", "a time")
    spot = row.get("location") or {}
    station = row.get("evse_id") or row.get("evse_uid") or spot.get("evse_uid") or ""
    kwh = None if row.get("kwh") is None else _decimal(row["kwh"], file, f"{place}.kwh")
    return Session(
        f"{Path(file).name}{place}", str(name), str(station), _number(row.get("connector_id")), times[0], times[1], kwh
    )


def _decimal(value: Any, file: str, place: str) -> Decimal:
    try:
        made = Decimal(str(value))
    except InvalidOperation:
        made = Decimal("NaN")
    if isinstance(value, bool) or not made.is_finite():
        raise BadInput(file, place, f"{str(value)[:40]!r} is no number", "a number")
    return made


def _number(value: Any) -> int:
    return int(value) if str(value or "").isdecimal() else 0
