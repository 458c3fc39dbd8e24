"""Writing signed meter records (OCMF): a payload from readings, and the seal around any payload.

Written in the lowest version that has the fields (1.0 to 1.3), because the reference tool refuses 1.4; the text that is
signed is the text that is sent. Other rooms use `sim.wire.ocmf`. Source: OCMF 1.4.1.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from decimal import Decimal
from typing import Literal

import msgspec
from msgspec import Struct

from sim.clock import MINUTE, iso
from sim.wire import keys
from sim.wire.keys import DEFAULT_ALGORITHM, PrivateKey
from sim.wire.ocmf_parse import HEADER, Reading

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


class CableLoss(Struct, frozen=True):
    """The loss compensation that a meter was set to (LC): resistance of the cable in `unit` (mOhm or uOhm)."""

    resistance: Decimal
    unit: Literal["mOhm", "uOhm"] = "mOhm"
    name: str = ""
    number: int | None = None


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
    controller_firmware: str = "",
    cable_loss: CableLoss | None = None,
    encoding: str = "hex",
) -> str:
    """The text of a new record of a transaction, signed.

    `id_type` is one of ID_TYPES, `current` AC or DC, `encoding` that of the signature (hex or base64). Raises ValueError
    for what no meter would write: no readings, a value that is no number, an unknown time status, a pipe in a text, a
    text that is too long.
    """
    if not readings or pagination < 1:
        raise ValueError("a record has readings and a page number from 1 on")
    if id_type not in ID_TYPES:
        raise ValueError(f"{id_type!r} is no kind of identification (IT)")
    if len(tariff_text) > 250 or len(controller_firmware) > 25:
        raise ValueError("a tariff text has at most 250 characters (TT), a controller's firmware 25 (CF)")
    level, flag = _LEVELS.get(id_type, ("NONE", ""))
    version = _version(readings, tariff_text, controller_firmware, cable_loss)
    parts = [f'{{"FV":"{version}","GS":{_quoted(station_id)},"PG":"T{pagination}"']
    for name, text in (("MV", meter_vendor), ("MM", meter_model), ("MS", meter_id), ("MF", firmware)):
        if text:
            parts.append(f'"{name}":{_quoted(text)}')
    known = "false" if level == "NONE" else "true"
    flags = f'["{flag}"]' if flag else "[]"
    parts.append(f'"IS":{known},"IL":"{level}","IF":{flags},"IT":"{id_type}","ID":{_quoted(id_tag)}')
    for name, text in (("TT", tariff_text), ("CF", controller_firmware)):
        if text:
            parts.append(f'"{name}":{_quoted(text)}')
    if cable_loss is not None:
        parts.append(f'"LC":{_loss(cable_loss)}')
    parts.append(f'"CT":"EVSEID","CI":{_quoted(f"{station_id}*{connector}")}')
    parts.append(f'"RD":[{",".join(_written(one, current) for one in readings)}]}}')
    payload = ",".join(parts)
    if "|" in payload:
        raise ValueError("the format forbids pipes inside a section")
    return seal(payload, key, encoding=encoding)


def seal(payload: str, key: PrivateKey, *, encoding: str = "hex", claim: str | None = None) -> str:
    """A record around any payload text, signed for real, whatever the payload says.

    `claim` is what SA says: None for the key's own algorithm, which is left out where it is the default; empty for no SA
    at all. Raises ValueError for an encoding other than hex and base64.
    """
    signature = keys.sign(key, payload.encode("utf-8", "surrogatepass"))
    if claim is None:
        algorithm = keys.algorithm_of(key)
        claim = "" if algorithm == DEFAULT_ALGORITHM else algorithm
    said = f'"SA":"{claim}",' if claim else ""
    if encoding == "hex":
        return f'{HEADER}{payload}|{{{said}"SD":"{signature.hex()}"}}'
    if encoding == "base64":
        return f'{HEADER}{payload}|{{{said}"SE":"base64","SD":"{base64.b64encode(signature).decode()}"}}'
    raise ValueError(f"{encoding!r} is no encoding of a signature (SE: hex, base64)")


def _version(readings: Sequence[Reading], tariff_text: str, firmware: str, loss: CableLoss | None) -> str:
    """The first version that has these fields: CF came with 1.3, LC and CL with 1.2, TT with 1.1."""
    if firmware:
        return "1.3"
    if loss is not None or any(one.loss is not None for one in readings):
        return "1.2"
    return "1.1" if tariff_text else "1.0"


def _loss(loss: CableLoss) -> str:
    if len(loss.name) > 20:
        raise ValueError("the name of a loss compensation has at most 20 characters (LN)")
    name = f'"LN":{_quoted(loss.name)},' if loss.name else ""
    number = "" if loss.number is None else f'"LI":{loss.number},'
    return f'{{{name}{number}"LR":{loss.resistance:f},"LU":"{loss.unit}"}}'


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
    loss = "" if reading.loss is None else f'"CL":{reading.loss:f},'
    return (
        f'{{"TM":"{stamp}",{mark}"RV":{reading.value:f},"RI":{_quoted(reading.register)},"RU":{_quoted(reading.unit)},'
        f'"RT":"{current}",{loss}"EF":{_quoted(reading.error_flags)},"ST":{_quoted(reading.state)}}}'
    )
