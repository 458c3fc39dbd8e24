"""Signed meter records (OCMF): build, parse, verify over the exact bytes, and their wrapping in OCPP 1.6.

The signature covers the payload text exactly as it stands between the first and the second separating pipe. So nothing
here may ever write a parsed payload again before verifying it. What a valid signature is worth (is the key registered,
may this session be billed) is the back-end's verdict, not ours.

Sources: OCMF 1.4.1 (written in versions 1.0 and 1.1, because its reference tool refuses 1.4), OCA application note
"Signed Meter Values in OCPP" 1.0 §3.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from decimal import Decimal

import msgspec

from sim.clock import MINUTE, iso
from sim.wire import keys
from sim.wire.keys import ALGORITHMS, DEFAULT_ALGORITHM, BadKey, PrivateKey, private_key, public_key_hex
from sim.wire.ocmf_parse import BLANKS, HEADER, MAX_CHARACTERS, Malformed, Reading, Record, parse

__all__ = [
    "ALGORITHMS",
    "DEFAULT_ALGORITHM",
    "ID_TYPES",
    "MAX_CHARACTERS",
    "Malformed",
    "PrivateKey",
    "Reading",
    "Record",
    "build",
    "digest",
    "explain",
    "kwh",
    "parse",
    "private_key",
    "public_key_hex",
    "tamper",
    "unwrap",
    "verify",
    "wrap",
]

ID_TYPES = (
    "NONE",
    "DENIED",
    "UNDEFINED",
    "ISO14443",
    "ISO15693",
    "EMAID",
    "EVCCID",
    "EVCOID",
    "ISO7812",
    "CARD_TXN_NR",
    "CENTRAL",
    "CENTRAL_1",
    "CENTRAL_2",
    "LOCAL",
    "LOCAL_1",
    "LOCAL_2",
    "PHONE_NUMBER",
    "KEY_CODE",
)
"""Kinds of identification (OCMF 1.4.1, field IT)."""

_encode_text = msgspec.json.Encoder().encode
_STATUSES = frozenset("UISR")
_LEVELS = {"ISO14443": ("HEARSAY", "RFID_PLAIN"), "CENTRAL": ("TRUSTED", "OCPP_RS")}
"""How sure the station is of the person, and how it knows: a card number read in plain, a start by the back-end."""

_LAST_VALUE = re.compile(r'.*"RV"\s*:\s*"?\s*[+-]?(\d+(?:\.\d+)?)', re.ASCII | re.DOTALL)


def kwh(wh: int) -> Decimal:
    """Whole watt-hours as kWh with three decimals, exactly."""
    return Decimal(wh).scaleb(-3)


def build(
    *,
    meter_id: str,
    station_id: str,
    connector: int,
    pagination: int,
    id_tag: str,
    id_type: str,
    readings: Sequence[Reading],
    key: PrivateKey,
    meter_vendor: str = "",
    meter_model: str = "",
    firmware: str = "",
    tariff_text: str = "",
    current: str = "AC",
) -> str:
    """The text of a new record of a transaction, signed.

    `id_type` is one of ID_TYPES, `current` AC or DC. Raises ValueError for what no meter would write: no readings, a
    value that is no number, an unknown time status, a pipe in a text.
    """
    if not readings or pagination < 1:
        raise ValueError("a record has readings and a page number from 1 on")
    if id_type not in ID_TYPES:
        raise ValueError(f"{id_type!r} is no kind of identification (IT)")
    level, flag = _LEVELS.get(id_type, ("NONE", ""))
    parts = [f'{{"FV":"{"1.1" if tariff_text else "1.0"}","GS":{_quoted(station_id)},"PG":"T{pagination}"']
    for name, text in (("MV", meter_vendor), ("MM", meter_model), ("MS", meter_id), ("MF", firmware)):
        if text:
            parts.append(f'"{name}":{_quoted(text)}')
    known = "false" if level == "NONE" else "true"
    flags = f'["{flag}"]' if flag else "[]"
    parts.append(f'"IS":{known},"IL":"{level}","IF":{flags},"IT":"{id_type}","ID":{_quoted(id_tag)}')
    if tariff_text:
        parts.append(f'"TT":{_quoted(tariff_text)}')
    parts.append(f'"CT":"EVSEID","CI":{_quoted(f"{station_id}*{connector}")}')
    parts.append(f'"RD":[{",".join(_written(one, current) for one in readings)}]}}')
    payload = ",".join(parts)
    if "|" in payload:
        raise ValueError("the format forbids pipes inside a section")
    algorithm = keys.algorithm_of(key)
    claim = "" if algorithm == DEFAULT_ALGORITHM else f'"SA":"{algorithm}",'
    return f'{HEADER}{payload}|{{{claim}"SD":"{keys.sign(key, payload.encode()).hex()}"}}'


def verify(record: Record, public_key_hex: str) -> bool:
    """Whether the holder of this key signed exactly these bytes. Never raises; `explain` says why not."""
    return explain(record, public_key_hex) is None


def explain(record: Record, public_key_hex: str) -> str | None:
    """None if the signature is good, else why not.

    `unknown-algorithm` (what the record claims is not in the table), `bad-key` (the key cannot be read or its curve is
    not supported), `key-mismatch` (the record claims another curve than the key has), `wrong-signature`.
    """
    if record.algorithm not in ALGORITHMS:
        return "unknown-algorithm"
    try:
        key = keys.public_key(public_key_hex, record.algorithm)
    except BadKey:
        return "bad-key"
    if keys.algorithm_of(key) != record.algorithm:
        return "key-mismatch"
    return None if keys.verify(key, record.payload.encode(), record.signature) else "wrong-signature"


def digest(record: Record) -> str:
    """The identity of a record: SHA-256 of the signed bytes in hex. (A signature can be written in two ways.)"""
    return hashlib.sha256(record.payload.encode()).hexdigest()


def wrap(text: str) -> str:
    """The `value` of an OCPP 1.6 sampledValue of format SignedData: a SignedMeterValueType as JSON (OCA note §3.1)."""
    data = base64.b64encode(text.encode()).decode()
    return f'{{"signedMeterData":"{data}","signingMethod":"","encodingMethod":"OCMF","publicKey":""}}'


def unwrap(value: str) -> str:
    """The record inside a sampledValue. Raises Malformed.

    Reads the OCA form, the same with `signedMeterValue` for `signedMeterData`, and the record itself, which many
    stations send instead.
    """
    if len(value) > 2 * MAX_CHARACTERS:
        raise Malformed("the signed value is too long")
    bare = value.strip(BLANKS)
    if bare.startswith(HEADER):
        return value
    try:
        outer = json.loads(bare)
    except (ValueError, RecursionError):
        raise Malformed("the signed value is neither a record nor a JSON object") from None
    if not isinstance(outer, dict):
        raise Malformed("the signed value is no JSON object")
    data = outer.get("signedMeterData", outer.get("signedMeterValue"))
    if not isinstance(data, str):
        raise Malformed("the signed value has no signedMeterData")
    if data.strip(BLANKS).startswith(HEADER):
        return data
    try:
        return base64.b64decode("".join(data.split()), validate=True).decode()
    except (binascii.Error, ValueError):
        raise Malformed("signedMeterData is no base64 of a text") from None


def tamper(text: str) -> str:
    """The same record with one digit of its last value raised and the signature left as it is: a forgery.

    The last digit that can be raised is taken, so that the value stays plausible and only the signature can tell.
    """
    end = text.rindex("|")
    found = _LAST_VALUE.match(text, 0, end)
    if found is None:
        raise ValueError("the record has no value to tamper with")
    first, last = found.span(1)
    place = next((n for n in range(last - 1, first - 1, -1) if text[n] not in "9."), first)
    digit = "8" if text[place] == "9" else str(int(text[place]) + 1)
    return text[:place] + digit + text[place + 1 :]


def _quoted(text: str) -> str:
    return _encode_text(text).decode()


def _written(reading: Reading, current: str) -> str:
    if reading.status not in _STATUSES:
        raise ValueError(f"{reading.status!r} is no time status (S, R, I, U)")
    if not reading.value.is_finite():
        raise ValueError("a reading is a number")
    local = iso(reading.at + reading.offset * MINUTE)
    sign, east = ("-", -reading.offset) if reading.offset < 0 else ("+", reading.offset)
    stamp = f"{local[:19]},{local[20:23]}{sign}{east // 60:02d}{east % 60:02d} {reading.status}"
    mark = f'"TX":{_quoted(reading.mark)},' if reading.mark else ""
    return (
        f'{{"TM":"{stamp}",{mark}"RV":{reading.value:f},"RI":{_quoted(reading.register)},"RU":{_quoted(reading.unit)},'
        f'"RT":"{current}","EF":{_quoted(reading.error_flags)},"ST":{_quoted(reading.state)}}}'
    )
