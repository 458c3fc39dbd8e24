"""XML out of foreign hands: elements without namespaces, and nothing that a document type could do.

A DOCTYPE is refused unread, so no entity is ever expanded and nothing is fetched; the XML declaration is left out,
because what it says of the encoding is not true any more once the text is a string.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from xml.etree.ElementTree import Element

from sim.wire.ocmf_parse import Malformed

MOST = 16_000_000
"""Longer documents are refused unread."""
_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


def looks_like_xml(text: str) -> bool:
    """Whether a text begins as an XML document does."""
    return text.lstrip("\ufeff \t\r\n").startswith("<")


def parse_xml(text: str) -> Element:
    """The root element, names without their namespaces. Raises Malformed."""
    if len(text) > MOST:
        raise Malformed("the XML document is too long")
    body = _DECLARATION.sub("", text.lstrip("\ufeff"), count=1)
    if "<!DOCTYPE" in body or "<!ENTITY" in body:
        raise Malformed("the XML document has a document type, which is refused")
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError, RecursionError):
        raise Malformed("the text is no XML document") from None
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = element.tag.rpartition("}")[2]
    return root


def text_in(element: Element | None, name: str) -> str:
    """The text of a child, stripped; empty if there is none."""
    child = None if element is None else element.find(name)
    return "" if child is None or child.text is None else child.text.strip()
