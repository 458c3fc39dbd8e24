"""The content of a bill as canonical JSON: what the journal hashes and what every rendering shows.

Plain values only: integers for money and instants, texts for decimals. Identification is masked, except inside the
signed records, which would not verify any more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from reference_csms.pricing.rating import Cdr, Line, RatedCdr
from reference_csms.records import Meter, Owner, Session, SignedRecord
from sim.backend import Row
from sim.clock import Instant, iso, to_datetime, zone
from sim.metering.formats.read import read
from sim.metering.reasons import MALFORMED, UNSUPPORTED
from sim.wire import ocmf

_encode = msgspec.json.Encoder(order="sorted").encode


def bill_data(
    number: str,
    issued_at: Instant,
    owner: Owner,
    customer: str,
    place: str,
    session: Session,
    cdr: Cdr,
    rated: RatedCdr,
    signed: Sequence[SignedRecord],
    meter: Meter | None,
) -> str:
    """The canonical JSON (sorted keys, no blanks) of a bill."""
    content: Row = {
        "number": number,
        "issued": _moment(issued_at, cdr.zone),
        "seller": {"id": owner.owner, "name": owner.name, "address": owner.address, "country": owner.country},
        "customer": {"id": masked(customer), "token": masked(session.id_tag), "group": session.grp},
        "session": {"place": place, **_session_data(session, cdr)},
        "tariff": {"id": cdr.tariff_id, "version": cdr.tariff_version, "policy": rated.policy},
        "lines": [{**line.as_row(), "during": _during(line, cdr.zone)} for line in rated.lines],
        "currency": rated.currency,
        "gross": rated.gross,
        "net": rated.net,
        "vat": rated.vat,
        "vat_percent": rated.vat_percent,
        "verification": _verification(signed, meter),
    }
    return _encode(content).decode()


def data_hash(text: str) -> str:
    """sha256 in hex of the canonical JSON; it stands in the bill and in the journal."""
    return hashlib.sha256(text.encode()).hexdigest()


def masked(identification: str) -> str:
    """An identification with all but its last four characters hidden, or all of it if it is that short."""
    visible = identification[-4:] if len(identification) > 6 else ""
    return "•" * 6 + visible


def _session_data(session: Session, cdr: Cdr) -> dict[str, Any]:
    return {
        "id": session.session_id,
        "transaction": session.transaction_id,
        "issuer": session.issuer,
        "site": session.site,
        "station": session.station,
        "connector": session.connector,
        "started": _moment(cdr.started_at, cdr.zone),
        "stopped": _moment(cdr.stopped_at, cdr.zone),
        "zone": cdr.zone,
        "kwh": format(cdr.kwh, "f"),
        "idle_seconds": cdr.idle_seconds,
        "time_billable": cdr.time_billable,
    }


def _during(line: Line, zone_name: str) -> str:
    """From when to when a line counts, in local time; one moment only once."""
    begin, end = (to_datetime(at, zone(zone_name)) for at in (line.start, line.end))
    if line.start == line.end:
        return f"{begin:%H:%M}"
    return f"{begin:%H:%M} to {end:%H:%M}" if begin.date() == end.date() else f"{begin:%H:%M} to {end:%Y-%m-%d %H:%M}"


def _moment(instant: Instant, zone_name: str) -> dict[str, Any]:
    local = to_datetime(instant, zone(zone_name))
    return {"utc": iso(instant), "local": f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()}"}


def _verification(signed: Sequence[SignedRecord], meter: Meter | None) -> dict[str, Any]:
    """What a customer needs to check the bill: meter, key, exact records, and the signed values in them."""
    readable = [row for row in signed if row.verdict not in (MALFORMED, UNSUPPORTED)]
    records = [(row, one) for row in readable for one in read(row.text) if ocmf.digest(one) == row.digest]
    records.sort(key=lambda pair: (pair[1].readings[0].at, pair[0].digest))
    readings = [
        {"local": _local(reading), "mark": reading.mark, "value": format(reading.value, "f"), "unit": reading.unit}
        for _, record in records
        for reading in record.readings
    ]
    return {
        "meter_id": meter.meter_id if meter else None,
        "public_key": meter.public_key if meter else None,
        "records": [{"text": row.text, "sha256": row.digest} for row, _ in records],
        "readings": readings,
    }


def _local(reading: ocmf.Reading) -> str:
    """The time of a reading as the meter wrote it, with its clock status."""
    shown = iso(reading.at + reading.offset * 60_000)[:19].replace("T", " ")
    sign = "-" if reading.offset < 0 else "+"
    return f"{shown} {sign}{abs(reading.offset) // 60:02d}:{abs(reading.offset) % 60:02d} {reading.status}"
