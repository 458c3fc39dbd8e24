"""Reading signed meter records (OCMF): text to Record, lenient where meters in the field are sloppy, never judging.

The payload text is kept exactly as it stands between the separating pipes, because that is what is signed. Other rooms
use `sim.wire.ocmf`, which hands all of this on. Source: OCMF 1.4.1.
"""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from msgspec import Struct

from sim.clock import MINUTE, Instant, from_datetime
from sim.wire.keys import DEFAULT_ALGORITHM

HEADER = "OCMF|"
BLANKS = " \t\r\n"
MAX_CHARACTERS = 65_536
"""Longer texts are Malformed unread; the longest record seen in the field has 2,217."""

EVENT = "an error event without a value"
"""The deviation of a reading that reports an error and has no value: it is in the payload and not in `readings`."""

_MAX_PLACES = 64
_OTHER_SPELLINGS = {
    "ECDSA-brainpoolP256r1-SHA256": "ECDSA-brainpool256r1-SHA256",
    "ECDSA-brainpoolP384r1-SHA256": "ECDSA-brainpool384r1-SHA256",
}
_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:[,.](\d{1,9}))?(Z|[+-]\d\d:?\d\d)(?: +([A-Z]))?", re.ASCII
)
_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d{1,3})?", re.ASCII)


class Malformed(Exception):
    """A text that cannot be read as a signed record. `str()` says why, without repeating the text.

    `payload` is kept where only the signature section is at fault: it is evidence all the same.
    """

    payload = ""


class Reading(Struct, frozen=True):
    """One reading of a record.

    `at` in ms with the time `status` (S synchronised, R relative, I informative, U unknown), `mark` is TX (B begin,
    T tariff change, S suspended, C charging, E, L, R, A, P end, X exception, empty if none), `value` in `unit` of the
    OBIS `register`, `state` is ST (G good), `error_flags` EF (E energy, t time), `offset` the zone it was written in
    (minutes east of UTC), `loss` the cumulated loss of the cable (CL) in `unit`, if it is told.
    """

    at: Instant
    status: str
    mark: str
    value: Decimal
    unit: str = "kWh"
    register: str = "1-0:1.8.0"
    state: str = "G"
    error_flags: str = ""
    offset: int = 0
    loss: Decimal | None = None


class Record(Struct, frozen=True):
    """One signed record as it was read, of this format or of another (`format`, see `sim.metering.formats`).

    `payload` is the exact signed text, `message` the signed bytes, `signature` what SD holds (DER), `fields` the
    payload's fields with exact numbers, `algorithm` what the record claims (unsigned!), `pagination` PG like `T12`,
    `deviations` what had to be read leniently. `sent_key` came along and proves nothing; `refused` says why the format
    itself calls a record unverified whatever its signature.
    """

    payload: str
    message: bytes
    signature: bytes
    fields: dict[str, Any]
    readings: tuple[Reading, ...]
    algorithm: str
    pagination: str
    meter_id: str
    station_id: str
    id_tag: str
    text: str
    deviations: tuple[str, ...] = ()
    format: str = "OCMF"
    sent_key: str = ""
    refused: str = ""


@lru_cache(maxsize=512)
def parse(text: str) -> Record:
    """Read a record without judging it; nobody may change its `fields`. Raises Malformed.

    Lenient where meters in the field are sloppy and the meaning is clear (blanks, numbers as texts, no algorithm named,
    a colon in the zone); all of that is named in `deviations`.
    """
    if len(text) > MAX_CHARACTERS:
        raise Malformed("the record is too long")
    deviations: list[str] = []
    body = text.strip(BLANKS)
    if not body.startswith(HEADER):
        raise Malformed("the record does not begin with OCMF and a pipe")
    fields, end = _section(body, len(HEADER))
    if body[end : end + 1] != "|":
        raise Malformed("there is no pipe after the payload")
    payload = body[len(HEADER) : end]
    if "|" in payload:
        deviations.append("pipe inside the payload")
    message = _whole_characters(payload, fields)
    try:
        seal, after = _section(body, end + 1)
        signature, algorithm = _signature(seal), _algorithm(seal, deviations)
    except Malformed as err:
        err.payload = payload
        raise
    sent_key = ""
    if after < len(body):
        if body[after] != "|" or "|" in body[after + 1 :]:
            raise Malformed("something stands behind the signature")
        deviations.append("fourth section")
        sent_key = body[after + 1 :].strip(BLANKS)
    return Record(
        payload=payload,
        message=message,
        signature=signature,
        fields=fields,
        readings=_readings(fields, deviations),
        algorithm=algorithm,
        pagination=_text(fields, "PG"),
        meter_id=_loose_text(fields, "MS", deviations),
        station_id=_loose_text(fields, "GS", deviations),
        id_tag=_loose_text(fields, "ID", deviations),
        text=text,
        deviations=tuple(dict.fromkeys(deviations)),
        sent_key=sent_key,
    )


def _no_constant(name: str) -> Any:
    raise Malformed(f"{name} is no JSON number")


def _pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(found)
    if len(fields) != len(found):
        raise Malformed("an object names the same key twice")
    return fields


_json = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_pairs)
_loose_json = json.JSONDecoder(parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_pairs, strict=False)
"""Control characters inside texts are no JSON, but some meters write and sign them."""


def _section(text: str, start: int) -> tuple[dict[str, Any], int]:
    """The JSON object of the section that begins at `start`, and where the blanks behind it end."""
    while text[start : start + 1] in (" ", "\t", "\r", "\n"):
        start += 1
    try:
        value, end = _json.raw_decode(text, start)
    except (ValueError, RecursionError, InvalidOperation):
        try:
            value, end = _loose_json.raw_decode(text, start)
        except (ValueError, RecursionError, InvalidOperation):
            raise Malformed("a section is no JSON") from None
    if not isinstance(value, dict):
        raise Malformed("a section is no JSON object")
    while text[end : end + 1] in (" ", "\t", "\r", "\n"):
        end += 1
    return value, end


def _whole_characters(payload: str, fields: dict[str, Any]) -> bytes:
    """The signed bytes. Lone surrogates, bare or escaped, are no text: no store and no file could take them."""
    try:
        message = payload.encode()
        if "\\u" in payload:
            json.dumps(fields, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError:
        raise Malformed("the payload is no Unicode text") from None
    return message


def _signature(seal: dict[str, Any]) -> bytes:
    data, encoding = seal.get("SD"), seal.get("SE", "hex")
    if not isinstance(data, str) or not data:
        raise Malformed("the signature section has no SD")
    if seal.get("SM", "application/x-der") != "application/x-der":
        raise Malformed("the signature is of an unknown kind (SM)")
    bare = "".join(data.split())
    try:
        if encoding == "hex":
            return bytes.fromhex(bare)
        if encoding == "base64":
            return base64.b64decode(bare, validate=True)
    except ValueError:
        raise Malformed("the signature is not what its encoding says") from None
    raise Malformed("the signature has an unknown encoding (SE)")


def _algorithm(seal: dict[str, Any], deviations: list[str]) -> str:
    claimed = seal.get("SA", DEFAULT_ALGORITHM)
    if not isinstance(claimed, str):
        raise Malformed("the algorithm is no text (SA)")
    if claimed in _OTHER_SPELLINGS:
        deviations.append("spelling of the algorithm")
        return _OTHER_SPELLINGS[claimed]
    return claimed


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise Malformed(f"{name} is no text")
    return value


def _loose_text(fields: dict[str, Any], name: str, deviations: list[str]) -> str:
    """A text that some meters write as a number or as null."""
    value = fields.get(name, "")
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, int | Decimal) and not isinstance(value, bool)):
        deviations.append(f"{name} is no text")
        return "" if value is None else str(value)
    raise Malformed(f"{name} is no text")


_CARRIED = ("TM", "TX", "RI", "RU", "EF", "ST")


def _readings(fields: dict[str, Any], deviations: list[str]) -> tuple[Reading, ...]:
    rows = fields.get("RD")
    if not isinstance(rows, list) or not rows:
        raise Malformed("there are no readings (RD)")
    carried: dict[str, Any] = {}
    readings = []
    for row in rows:
        if not isinstance(row, dict):
            raise Malformed("a reading is no JSON object")
        # What a reading leaves out is as in the reading before, flags and state too; only the value is never carried.
        carried.update((name, row[name]) for name in _CARRIED if name in row)
        if "RV" not in row and _is_event(row):
            deviations.append(EVENT)
        else:
            readings.append(_reading(carried, row, deviations))
    if not readings:
        raise Malformed("there are no readings with a value (RV)")
    return tuple(readings)


def _is_event(row: dict[str, Any]) -> bool:
    """Whether a reading without a value reports an error and nothing else (table 9, RV)."""
    return row.get("TX") == "X" or row.get("ST", "G") != "G" or bool(row.get("EF"))


def _reading(carried: dict[str, Any], row: dict[str, Any], deviations: list[str]) -> Reading:
    at, status, offset, exact = _time(_text(carried, "TM"))
    if not exact:
        deviations.append("spelling of a time")
    loss = _value(row["CL"], deviations) if row.get("CL") is not None else None
    return Reading(
        at=at,
        status=status,
        mark=_loose_text(carried, "TX", deviations),
        value=_value(row.get("RV"), deviations),
        unit=_loose_text(carried, "RU", deviations),
        register=_loose_text(carried, "RI", deviations),
        state=_loose_text(carried, "ST", deviations),
        error_flags=_loose_text(carried, "EF", deviations),
        offset=offset,
        loss=loss,
    )


def _value(raw: Any, deviations: list[str]) -> Decimal:
    """RV exactly as written. Numbers with more than 64 places are no meter's."""
    value = None
    if isinstance(raw, Decimal | int) and not isinstance(raw, bool):
        value = Decimal(raw)
    elif isinstance(raw, str) and _NUMBER.fullmatch(raw.strip(BLANKS)):
        deviations.append("value as text")
        value = Decimal(raw.strip(BLANKS))
    if value is None:
        raise Malformed("a reading has no value (RV)")
    if abs(value.adjusted()) > _MAX_PLACES or len(value.as_tuple().digits) > _MAX_PLACES:
        raise Malformed("a reading has an impossible value (RV)")
    return value


@lru_cache(maxsize=16384)
def _time(text: str) -> tuple[Instant, str, int, bool]:
    """Instant, time status and offset of a TM, and whether it is written as the format wants it."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise Malformed("a reading has no time (TM)")
    year, month, day, hour, minute, second, fraction, zone, status = found.groups()
    offset = 0 if zone == "Z" else int(zone[1:3]) * 60 + int(zone[-2:])
    offset = -offset if zone[0] == "-" else offset
    try:
        moment = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        raise Malformed("a reading has an impossible time (TM)") from None
    at = from_datetime(moment) + int((fraction or "").ljust(3, "0")[:3]) - offset * MINUTE
    exact = bool(status) and len(zone) == 5 and text[19] == "," and len(fraction) == 3
    return Instant(at), status or "U", offset, exact
