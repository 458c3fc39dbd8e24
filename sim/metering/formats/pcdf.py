"""PCDF, the signed text of Porsche's DC chargers: `128.8.0(ST:…)(CT:…)…(PK:…)(SG:…)`.

The signature covers everything before `(SG:`. The format itself calls a text unverified whose flags say that it may not
be billed (BV) or that it is not the last of its session (SP). Nothing else is judged here. Source: reference ocmf §3.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal

from sim.clock import Instant, from_datetime
from sim.wire.ocmf_parse import Malformed, Reading, Record

PCDF = "PCDF"
HEADER = "128.8.0("
_NEEDED = ("ST", "CT", "CD", "TV", "BV", "CSC", "SP", "RV", "SI", "CS", "HW", "DT", "PK", "SG")
_FIELD = re.compile(r"\(([A-Z]{2,3}):([^()]*)\)")
_MARKS = "\x02\x03 \t\r\n"
_VALUE = re.compile(r"(\d{4}\.\d{3})\*kWh", re.ASCII)
_CLOCK = re.compile(r"(?:[01]\d|2[0-3])[0-5]\d[0-5]\d", re.ASCII)
_DURATION = re.compile(r"\d\d[0-5]\d[0-5]\d", re.ASCII)


def read(text: str) -> Record:
    """The record of such a text, which may stand between STX and ETX. Raises Malformed."""
    body = text.replace("\\u0002", "").replace("\\u0003", "").strip(_MARKS)
    seal = body.find("(SG:")
    if not body.startswith(HEADER) or seal < 0:
        raise Malformed("the record is not 128.8.0, its fields and a signature (SG)")
    found = _FIELD.findall(body)
    fields = dict(found)
    if len(fields) != len(found) or "".join(f"({name}:{value})" for name, value in found) != body[len(HEADER) - 1 :]:
        raise Malformed("the fields of the record are not each a name and a value in brackets, once")
    missing = [name for name in _NEEDED if name not in fields]
    if missing:
        raise Malformed(f"the record lacks {missing[0]}")
    value, parts = _VALUE.fullmatch(fields["RV"]), fields["SI"].split("*")
    if value is None or len(parts) != 3 or not _DURATION.fullmatch(fields["CD"]) or fields["TV"] not in ("0", "1"):
        raise Malformed("a field of the record is not as the format wants it (RV, SI, CD, TV)")
    if not (fields["CSC"].isdecimal() and fields["CSC"].isascii()) or len(fields["CSC"]) > 18:
        raise Malformed("the counter of sessions is no number (CSC)")
    try:
        signature = bytes.fromhex(fields["SG"])
    except ValueError:
        raise Malformed("the signature of the record is no hex (SG)") from None
    status, register = ("S" if fields["TV"] == "1" else "U"), "128.8.0"
    end = "E" if fields["SP"] == "1" else "C"
    return Record(
        payload=body[:seal],
        message=body[:seal].encode("utf-8", "surrogatepass"),
        signature=signature,
        fields=dict(fields),
        readings=(
            Reading(_time(fields["ST"]), status, "B", Decimal("0.000"), "kWh", register),
            Reading(_time(fields["CT"]), status, end, Decimal(value[1]), "kWh", register),
        ),
        algorithm="ECDSA-secp256r1-SHA256",
        pagination=f"T{int(fields['CSC'])}",
        meter_id=fields["HW"],
        station_id="",
        id_tag=parts[0],
        text=text,
        format=PCDF,
        sent_key=fields["PK"],
        refused=_refusal(fields),
    )


def _refusal(fields: dict[str, str]) -> str:
    if fields["BV"] != "1":
        return "the meter says that the values may not be billed (BV)"
    if fields["SP"] != "1":
        return "the meter says that these are not the last values of the session (SP)"
    return ""


def _time(text: str) -> Instant:
    if len(text) != 12 or not _CLOCK.fullmatch(text[6:]):
        raise Malformed("a time of the record is none (ST, CT)")
    try:
        return from_datetime(datetime.strptime(f"20{text}", "%Y%m%d%H%M%S").replace(tzinfo=UTC))
    except ValueError:
        raise Malformed("a time of the record is none (ST, CT)") from None
