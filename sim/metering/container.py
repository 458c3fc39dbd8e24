"""The S.A.F.E. XML container, in which signed values and keys reach a customer and the transparency software.

Written without a blank or newline around the data, since every byte of a record counts; read as files of the field are,
whose attributes often contradict the content. Source: reference ocmf §2.5 (values.xsd of the transparency software).
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree.ElementTree import Element, tostring
from xml.sax.saxutils import escape, quoteattr

from msgspec import Struct

from sim.metering.formats.xml_text import parse_xml, text_in
from sim.wire.ocmf_parse import Malformed

BEGIN, END = "Transaction.Begin", "Transaction.End"
_DATA = ("signedData", "encodedData")


class Contained(Struct, frozen=True):
    """One value of a container: the signed text, its format and key, and which end of which transaction it is."""

    text: str
    public_key: str = ""
    format: str = "OCMF"
    transaction: str = ""
    context: str = ""


def write_container(values: Sequence[Contained]) -> str:
    """The container of these values, empty without any."""
    if not values:
        return ""
    rows = "\n".join(_written(value) for value in values)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<values>\n{rows}\n</values>\n'


def in_one_session(texts: Sequence[str], public_key: str, number: int) -> list[Contained]:
    """The records of one session as the transparency software wants them: one begin, one end.

    A single record stands alone; of several the first is the begin and the last the end, and those between belong to no
    transaction.
    """
    found = []
    for at, text in enumerate(texts):
        context = {0: BEGIN, len(texts) - 1: END}.get(at, "") if len(texts) > 1 else ""
        found.append(Contained(text, public_key, "OCMF", str(number) if context else "", context))
    return found


def read_container(text: str) -> tuple[Contained, ...]:
    """The values of a container. Raises Malformed; one value that lacks its data is left out only if others have some."""
    root = parse_xml(text)
    rows = [root] if root.tag == "value" else list(root.iter("value"))
    found = [one for one in map(_read, rows) if one is not None]
    if not found:
        raise Malformed("the XML document holds no signed value")
    return tuple(found)


def _written(value: Contained) -> str:
    place = ""
    if value.transaction and value.context:
        place = f" transactionId={quoteattr(value.transaction)} context={quoteattr(value.context)}"
    key = f'<publicKey encoding="plain">{escape(value.public_key)}</publicKey>' if value.public_key else ""
    data = f'<signedData format={quoteattr(value.format)} encoding="plain">{escape(value.text)}</signedData>'
    return f"<value{place}>{data}{key}</value>"


def _read(row: Element) -> Contained | None:
    data = next((element for name in _DATA if (element := row.find(name)) is not None), None)
    if data is None:
        return None
    inside = data.text or ""
    if len(data):  # the value of another format lies in it as XML, not as text
        inside = "".join(tostring(child, encoding="unicode") for child in data)
    context = next((known for known in (BEGIN, END) if known in row.get("context", "")), "")
    return Contained(
        text=inside.strip(),
        public_key=text_in(row, "publicKey"),
        format=data.get("format", ""),
        transaction=row.get("transactionId", "").strip(),
        context=context,
    )
