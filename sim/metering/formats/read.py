"""Any signed meter value to its records, told by what it looks like and not by what somebody calls it.

One text may hold several records (begin and end of a charging process). What cannot be read is Malformed, what is known
and cannot be done is Unsupported; nothing else is ever raised.
"""

from __future__ import annotations

import base64

from sim.metering.formats import alfen, edl_sml, edl_xml, pcdf, sml
from sim.metering.formats.xml_text import looks_like_xml, parse_xml
from sim.wire.ocmf_parse import BLANKS, HEADER, Malformed, Record, parse

FORMATS = ("OCMF", alfen.ALFEN, edl_sml.EDL40, edl_xml.EDL40_SIG, edl_xml.EDL40_MENNEKES, edl_sml.ISA_EDL40, pcdf.PCDF)
"""What can be read here."""
_SML_HEX = sml.ESCAPE.hex()
_SML_BASE64 = "GxsbG"
_MOST = 1_000_000


class Unsupported(Exception):
    """A signed value of a kind that is known and cannot be verified here. `str()` says which."""


def read(text: str) -> tuple[Record, ...]:
    """The records of one signed value. Raises Malformed and Unsupported."""
    if len(text) > _MOST:
        raise Malformed("the signed value is too long")
    bare = text.strip(BLANKS)
    if bare.startswith(HEADER):
        return (parse(text),)
    if bare.startswith(alfen.HEADER):
        return (alfen.read(text),)
    if pcdf.HEADER in bare[:16]:
        return (pcdf.read(text),)
    if looks_like_xml(bare):
        return _from_xml(text)
    data = _sml_bytes(bare)
    if data is not None:
        return (edl_sml.read(data, text),)
    if bare.startswith("{"):
        raise Unsupported("the signed value is JSON of a kind that is not supported (chargeIT, PTB)")
    raise Malformed("the signed value is of no format that is known here")


def _from_xml(text: str) -> tuple[Record, ...]:
    root = parse_xml(text)
    if root.tag == "signedMeterValue":
        return (edl_xml.read_signed_value(root, text),)
    if root.tag in ("ChargingProcess", "Billing"):
        return edl_xml.read_charging(root, text)
    raise Malformed("the XML document is no signed value")


def _sml_bytes(text: str) -> bytes | None:
    """The bytes of an SML file in hex or base64, None if the text is none."""
    bare = "".join(text.split())
    try:
        if bare[:8].lower() == _SML_HEX:
            return bytes.fromhex(bare)
        if bare.startswith(_SML_BASE64):
            return base64.b64decode(bare, validate=True)
    except ValueError:
        raise Malformed("the SML file is neither hex nor base64") from None
    return None
