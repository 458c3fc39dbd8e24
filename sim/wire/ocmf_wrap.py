"""How a signed record travels in OCPP: as the OCA note says, and as stations of the field send it instead.

Opening says what was not as the note wants it; making is for virtual stations. A key that came along is handed on and
never trusted here. Sources: OCA application note "Signed Meter Values in OCPP" 1.0 §3; OCPP 1.6 and 2.0.1.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable
from typing import Any

from msgspec import Struct

from sim.wire.ocmf_parse import BLANKS, HEADER, MAX_CHARACTERS, Malformed

_HEX_HEADER = HEADER.encode().hex()

_SML = b"\x1b\x1b\x1b\x1b"
_MOST = 2 * MAX_CHARACTERS


class Opened(Struct, frozen=True):
    """A record out of its wrapping: its text, the key that came along, what the note would not have."""

    text: str
    sent_key: str = ""
    deviations: tuple[str, ...] = ()


def wrap(text: str, public_key: str = "") -> str:
    """The `value` of an OCPP 1.6 sampledValue of format SignedData: a SignedMeterValueType as JSON (OCA note §3.1).

    `public_key` is the string of the note (§3.2.2), for stations that send it along.
    """
    data = base64.b64encode(text.encode()).decode()
    return f'{{"signedMeterData":"{data}","signingMethod":"","encodingMethod":"OCMF","publicKey":"{public_key}"}}'


def wrap_as(way: str, text: str) -> str:
    """The `value` as this kind of station sends it. Raises KeyError for a way that is not in WAYS."""
    return WAYS[way](text)


def oca_key(public_key_hex: str) -> str:
    """The string that the note wants for a public key: base64 over its kind and itself (§3.2.2)."""
    return base64.b64encode(f"oca:base16:asn1:{public_key_hex}".encode()).decode()


def _other_name(text: str) -> str:
    return wrap(text).replace("signedMeterData", "signedMeterValue", 1)


def _plain_inside(text: str) -> str:
    return json.dumps({"signedMeterData": text, "signingMethod": "", "encodingMethod": "OCMF", "publicKey": ""})


WAYS: dict[str, Callable[[str], str]] = {
    "oca": wrap,
    "raw": str,
    "hex": lambda text: text.encode().hex(),
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "other-name": _other_name,
    "plain-inside": _plain_inside,
}
"""Ways to send a record as the value of a SampledValue in 1.6; the first is that of the note (reference ocmf §2.4)."""


def unwrap(value: str) -> str:
    """The record inside a sampledValue. Raises Malformed."""
    return open_value(value).text


def open_value(value: str) -> Opened:
    """The record inside a sampledValue of 1.6, however it was wrapped. Raises Malformed.

    Reads the OCA form, the same with `signedMeterValue` for `signedMeterData` or with the bare record inside, and the
    record itself, bare or in hex or base64.
    """
    if len(value) > _MOST:
        raise Malformed("the signed value is too long")
    bare = value.strip(BLANKS)
    if bare.startswith(HEADER):
        return Opened(value, "", ("the record itself instead of a signed value",))
    if not bare.startswith("{"):
        text = _coded(bare)
        if text is None:
            raise Malformed("the signed value is neither a record nor a JSON object")
        return Opened(text, "", ("the record itself instead of a signed value",))
    try:
        outer = json.loads(bare)
    except (ValueError, RecursionError):
        raise Malformed("the signed value is neither a record nor a JSON object") from None
    return open_object(outer)


def open_object(outer: Any) -> Opened:
    """The record inside a SignedMeterValueType, which in 2.0.1 and 2.1 is an object of the message. Raises Malformed."""
    if not isinstance(outer, dict):
        raise Malformed("the signed value is no JSON object")
    deviations = []
    data = outer.get("signedMeterData")
    if data is None and "signedMeterValue" in outer:
        deviations.append("signedMeterValue for signedMeterData")
        data = outer["signedMeterValue"]
    if not isinstance(data, str):
        raise Malformed("the signed value has no signedMeterData")
    key = outer.get("publicKey", "")
    sent = key if isinstance(key, str) else ""
    if data.strip(BLANKS).startswith(HEADER):
        return Opened(data, sent, (*deviations, "signedMeterData is the bare record"))
    text = _coded(data)
    if text is None:
        raise Malformed("signedMeterData is no base64 of a text")
    if data.strip(BLANKS)[: len(_HEX_HEADER)].lower() == _HEX_HEADER:
        deviations.append("signedMeterData is hex")
    return Opened(text, sent, tuple(deviations))


def _coded(data: str) -> str | None:
    """The text in hex or base64; a binary record (SML) as its hex; None if it is neither."""
    bare = "".join(data.split())
    try:
        raw = (
            bytes.fromhex(bare)
            if bare[: len(_HEX_HEADER)].lower() == _HEX_HEADER
            else base64.b64decode(bare, validate=True)
        )
    except (binascii.Error, ValueError):
        return None
    if raw.startswith(_SML):
        return raw.hex()
    try:
        return raw.decode() or None
    except UnicodeDecodeError:
        return None
