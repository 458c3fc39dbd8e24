"""Signed values of the EDL family in XML: `signedMeterValue` (EDL40_SIG) and the billing file of Mennekes.

What the file says of encodings is a hint and no more. Nothing is judged here. Source: reference ocmf §3.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import datetime
from xml.etree.ElementTree import Element

from sim.metering.formats import edl
from sim.metering.formats.edl import Block
from sim.metering.formats.xml_text import text_in
from sim.wire.ocmf_parse import Malformed, Record

EDL40_SIG, EDL40_MENNEKES = "EDL40_SIG", "EDL40_MENNEKES"
_METHODS = {"ECDSA192SHA256": "ECDSA-secp192r1-SHA256", "ECDSA256SHA256": "ECDSA-secp256r1-SHA256"}
_OBIS = bytes.fromhex("0100011100ff")
"""The register of Mennekes' files, which do not name one."""


def read_signed_value(root: Element, text: str) -> Record:
    """The record of a `signedMeterValue`. Raises Malformed."""
    data = _bytes(root.find("encodedMeterValue"), (edl.SIZE,))
    signature = _bytes(root.find("meterValueSignature"), (50, 66, 48, 64))
    deviations = []
    if text_in(root, "encodingMethod") != "EDL":
        deviations.append("encodingMethod is not EDL")
    _, algorithm = edl.signature_of(signature)
    if _METHODS.get(text_in(root, "signatureMethod")) != algorithm:
        deviations.append("signatureMethod is not that of the signature")
    key = "".join(text_in(root, "publicKey").split())
    record = edl.record_of(EDL40_SIG, text, edl.read_block(data), data, signature, "", key, tuple(deviations))
    return record


def read_charging(root: Element, text: str) -> tuple[Record, ...]:
    """The begin and the end of each `ChargingProcess` in a file of Mennekes. Raises Malformed."""
    processes = [root] if root.tag == "ChargingProcess" else list(root.iter("ChargingProcess"))
    found = [
        record
        for process in processes
        for name, mark in (("MeasurementStart", "B"), ("MeasurementEnd", "E"))
        for record in _measurement(process, name, mark, text)
    ]
    if not found:
        raise Malformed("there is no measurement of a charging process")
    return tuple(found)


def _measurement(process: Element, name: str, mark: str, text: str) -> Sequence[Record]:
    row = process.find(name)
    if row is None:
        return ()
    signature = _hex(text_in(row, "Signature"))
    time, offset = _time(text_in(row, "Timestamp"))
    contract_time, _ = _time(text_in(row, "TimestampCustomerIdent") or text_in(process, "TimestampCustomerIdent"))
    logbook = signature[-2:] if len(signature) > 48 else (_int(row, "EventCounter") & 0xFFFF).to_bytes(2, "big")
    block = Block(
        server_id=_hex(text_in(process, "ServerId")),
        time=time,
        status=_int(row, "MeterStatus"),
        seconds_index=_int(row, "SecondIndex"),
        pagination=_int(row, "Pagination"),
        obis=_OBIS,
        unit=edl.WH,
        scaler=_int(row, "Scaler"),
        value=_int(row, "Value"),
        logbook=logbook,
        contract=_hex(text_in(process, "CustomerIdent")),
        contract_time=contract_time,
        offset=offset,
    )
    key = "".join(text_in(process, "PublicKey").split())
    return (edl.record_of(EDL40_MENNEKES, text, block, block.written(), signature, mark, key),)


def _bytes(element: Element | None, sizes: Sequence[int]) -> bytes:
    """The content, decoded as it makes one of these lengths, whatever its attribute says."""
    bare = "".join((element.text or "").split()) if element is not None else ""
    for decode in (bytes.fromhex, lambda text: base64.b64decode(text, validate=True)):
        try:
            data = decode(bare)
        except ValueError:
            continue
        if len(data) in sizes:
            return data
    raise Malformed("a part of the signed value is missing or has a wrong length")


def _hex(text: str) -> bytes:
    try:
        return bytes.fromhex("".join(text.split()))
    except ValueError:
        raise Malformed("a part of the charging process is no hex") from None


def _int(row: Element, name: str) -> int:
    text = text_in(row, name)
    if not (text.lstrip("-").isdecimal() and text.isascii() and len(text) < 20 and text.count("-") < 2):
        raise Malformed(f"{name} is no number")
    try:
        return int(text)
    except ValueError:
        raise Malformed(f"{name} is no number") from None


def _time(text: str) -> tuple[int, int]:
    """Local seconds since 1970, and how far the local time is ahead of UTC (minutes)."""
    try:
        told = datetime.fromisoformat(text)
        ahead = told.utcoffset()
        if ahead is None:
            raise ValueError("no zone")
        offset = int(ahead.total_seconds()) // 60
        return int(told.timestamp()) + 60 * offset, offset
    except (ValueError, OverflowError):
        raise Malformed("a time of the charging process is none") from None
