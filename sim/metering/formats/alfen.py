"""Signed values of Alfen: `AP;type;version;key;data;signature;`, the last three in base32.

The signature covers the 82 bytes of data. Nothing is judged here. Source: reference ocmf §3; numbers are little-endian.
"""

from __future__ import annotations

import base64
import binascii

from sim.clock import SECOND, Instant
from sim.metering.formats import edl
from sim.wire.ocmf_parse import Malformed, Reading, Record

ALFEN = "ALFEN"
HEADER = "AP;"
_SIZE = 82
_SIGNATURE = 48
_MARKS = {"0": "B", "1": "E", "2": "C"}


def read(text: str) -> Record:
    """The record of such a text. Raises Malformed."""
    parts = text.strip().removesuffix(";").split(";")
    if len(parts) != 6 or parts[0] != "AP" or parts[1] not in _MARKS or len(parts[2]) != 1:
        raise Malformed("the record is not AP and five parts behind it")
    data, signature = _base32(parts[4]), _base32(parts[5])
    if len(data) != _SIZE or len(signature) != _SIGNATURE:
        raise Malformed("the data or the signature of the record have a wrong length")
    unit, scaler = data[44], int.from_bytes(data[45:46], "little", signed=True)
    if unit != edl.WH:
        raise Malformed("the unit of the record is not Wh")
    value = edl.exact(int.from_bytes(data[46:54], "little", signed=True), scaler)
    at = Instant(int.from_bytes(data[34:38], "little") * SECOND)
    page, session = (int.from_bytes(data[start : start + 4], "little") for start in (78, 74))
    return Record(
        payload=parts[4],
        message=data,
        signature=signature,
        fields={
            "adapter": edl.name_of(data[:10]),
            "firmware": data[10:14].hex().upper(),
            "checksum": data[14:16].hex().upper(),
            "status": data[26:30].hex().upper(),
            "secondsIndex": int.from_bytes(data[30:34], "little"),
            "session": session,
        },
        readings=(Reading(at, "I", _MARKS[parts[1]], value, "Wh", edl.register_name(data[38:44])),),
        algorithm="ECDSA-secp192r1-SHA256",
        pagination=f"T{page}",
        meter_id=data[16:26].hex().upper(),
        station_id="",
        id_tag=edl.name_of(data[54:74]),
        text=text,
        format=ALFEN,
        sent_key=parts[3],
    )


def _base32(text: str) -> bytes:
    bare = "".join(text.split()).rstrip("=")
    try:
        return base64.b32decode(bare + "=" * (-len(bare) % 8))
    except (binascii.Error, ValueError):
        raise Malformed("a part of the record is no base32") from None
