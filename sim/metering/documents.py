"""Any file with signed values to sessions that can be judged: bare records, XML containers, frames and payloads of OCPP.

What a document says of contexts, transactions, persons and registers is handed on as facts; nothing is judged here. A
document in which nothing can be found is Malformed. Sources: OCA application note "Signed Meter Values in OCPP" 1.0;
OCPP 1.6 and 2.0.1; reference ocmf §2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from sim.clock import Instant, parse_iso
from sim.metering.container import read_container
from sim.metering.facts import SessionFacts
from sim.metering.formats.read import Unsupported, read
from sim.metering.formats.xml_text import looks_like_xml, parse_xml
from sim.metering.judge import Value
from sim.metering.rules import END_MARKS
from sim.wire.ocmf_parse import BLANKS, HEADER, Malformed
from sim.wire.ocmf_wrap import open_value

MOST = 16_000_000
"""Characters of a document; longer ones are refused unread."""
_NEXT_RECORD = re.compile(r"\n(?=[ \t]*OCMF\|)")
_CALL, _RESULT = 2, 3
_DEEPEST = 12


class Sheet(Struct, frozen=True):
    """One session of a document: what is known of it, and its signed values in the order in which they stand there."""

    facts: SessionFacts
    values: tuple[Value, ...]


class _Open(Struct):
    """A session that is being read out of messages."""

    values: list[Value] = []
    known: dict[str, Any] = {}


def read_document(text: str) -> tuple[Sheet, ...]:
    """The sessions of a document. Raises Malformed."""
    if len(text) > MOST:
        raise Malformed("the document is too long")
    bare = text.strip(BLANKS)
    if not bare:
        raise Malformed("the document is empty")
    if looks_like_xml(bare):
        return _from_xml(text)
    if bare[0] in "[{":
        return _from_json(bare)
    if bare.startswith(HEADER):
        return _from_records([part for part in _NEXT_RECORD.split(text.strip("\n")) if part.strip()])
    lines = [line for line in bare.splitlines() if line.strip()]
    if len(lines) > 1 and all(line.lstrip()[:1] in ("[", "{") or line.startswith(HEADER) for line in lines):
        return _from_json(bare)
    try:
        return _from_records([open_value(bare).text])
    except Malformed:
        return _from_records([text.strip("\n")])


def _from_xml(text: str) -> tuple[Sheet, ...]:
    root = parse_xml(text)
    if root.tag not in ("values", "value"):
        return _from_records([text])
    groups: dict[str, list[Value]] = {}
    for number, one in enumerate(read_container(text)):
        value = Value(
            text=one.text,
            context=one.context,
            transaction=one.transaction,
            sent_key=one.public_key,
            where=f"value {number + 1}",
        )
        whole = not one.transaction or not one.context or _is_whole(one.text)
        groups.setdefault(f"value {number + 1}" if whole else one.transaction, []).append(value)
    return tuple(Sheet(SessionFacts(session=name), tuple(values)) for name, values in groups.items())


def _is_whole(text: str) -> bool:
    """Whether a value is a whole session by itself, whatever the container calls it."""
    marks = _marks(text)
    return "B" in marks and any(mark in END_MARKS for mark in marks)


def _marks(text: str) -> list[str]:
    try:
        return [reading.mark for record in read(text) for reading in record.readings]
    except (Malformed, Unsupported):
        return []


def _from_records(texts: Sequence[str]) -> tuple[Sheet, ...]:
    """Bare records one after the other: a begin opens a session, an end closes it."""
    groups: list[list[Value]] = []
    running = False
    for number, text in enumerate(texts, start=1):
        value = Value(text=text, where=f"record {number}")
        marks = _marks(text)
        begins, ends = "B" in marks, any(mark in END_MARKS for mark in marks)
        if groups and running and not begins:
            groups[-1].append(value)
        else:
            groups.append([value])
        running = (running or begins) and not ends and bool(marks)
    return tuple(
        Sheet(SessionFacts(session=f"session {number}"), tuple(values)) for number, values in enumerate(groups, start=1)
    )


def _from_json(text: str) -> tuple[Sheet, ...]:
    try:
        documents = [json.loads(text)]
    except (ValueError, RecursionError):
        documents = []
        for number, line in enumerate(text.splitlines(), start=1):
            if line.strip():
                try:
                    documents.append(json.loads(line))
                except (ValueError, RecursionError):
                    raise Malformed(f"line {number} is no JSON") from None
    if len(documents) == 1 and isinstance(documents[0], list) and not _is_frame(documents[0]):
        documents = documents[0]
    sessions: dict[str, _Open] = {}
    starts: dict[str, dict[str, Any]] = {}
    for document in documents:
        _one_document(document, sessions, starts)
    if not sessions:
        raise Malformed("the JSON document holds no signed value and no end of a transaction")
    return tuple(
        Sheet(SessionFacts(session=name, transaction=name, **one.known), tuple(one.values))
        for name, one in sessions.items()
    )


def _is_frame(document: Any) -> bool:
    return isinstance(document, list) and len(document) >= 3 and document[0] in (_CALL, _RESULT)


def _one_document(document: Any, sessions: dict[str, _Open], starts: dict[str, dict[str, Any]]) -> None:
    if _is_frame(document):
        if document[0] == _RESULT:
            _answered(document, sessions, starts)
        elif len(document) >= 4 and isinstance(document[3], dict):
            if document[2] == "StartTransaction":
                starts[str(document[1])] = document[3]
            else:
                _payload(str(document[2]), document[3], sessions)
    elif isinstance(document, dict) and ("signedMeterData" in document or "signedMeterValue" in document):
        name = f"value {len(sessions) + 1}"
        sessions.setdefault(name, _Open()).values.append(Value(text="", inside=document))
    elif isinstance(document, dict):
        _payload("", document, sessions)


def _answered(frame: list[Any], sessions: dict[str, _Open], starts: dict[str, dict[str, Any]]) -> None:
    """The answer to a StartTransaction gives the transaction its id."""
    start = starts.pop(str(frame[1]), None)
    number = frame[2].get("transactionId") if isinstance(frame[2], dict) else None
    if start is None or number is None:
        return
    known = sessions.setdefault(str(number), _Open()).known
    known.update(id_tag=_text(start, "idTag"), started=_moment(start), meter_start=_number(start, "meterStart"))


def _payload(action: str, payload: dict[str, Any], sessions: dict[str, _Open]) -> None:
    info = payload.get("transactionInfo")
    number = info.get("transactionId") if isinstance(info, dict) else payload.get("transactionId")
    values = [*_signed(payload, str(number or ""), 0)]
    ends = action == "StopTransaction" or "transactionData" in payload or payload.get("eventType") == "Ended"
    if not values and not ends:
        return
    session = sessions.setdefault(str(number or f"message {len(sessions) + 1}"), _Open())
    session.values += values
    if action == "StopTransaction" or "meterStop" in payload:
        session.known.update(stopped=_moment(payload), meter_stop=_number(payload, "meterStop"))
        if not session.known.get("id_tag"):
            session.known["id_tag"] = _text(payload, "idTag")
    elif isinstance(payload.get("idToken"), dict):
        session.known["id_tag"] = _text(payload["idToken"], "idToken")


def _signed(node: Any, transaction: str, depth: int) -> Iterator[Value]:
    """Every signed value anywhere in a payload, wherever a station has put it."""
    if depth > _DEEPEST:
        return
    if isinstance(node, list):
        for item in node:
            yield from _signed(item, transaction, depth + 1)
    elif isinstance(node, dict):
        context = node.get("context") if isinstance(node.get("context"), str) else ""
        inside, value = node.get("signedMeterValue"), node.get("value")
        if isinstance(inside, dict):
            yield Value(text="", inside=inside, context=str(context), transaction=transaction)
        elif isinstance(value, str) and (node.get("format") == "SignedData" or value.lstrip(BLANKS).startswith(HEADER)):
            yield Value(text=value, context=str(context), transaction=transaction, wrapped=True)
        else:
            for item in node.values():
                yield from _signed(item, transaction, depth + 1)


def _text(row: dict[str, Any], name: str) -> str:
    value = row.get(name)
    return value if isinstance(value, str) else ""


def _number(row: dict[str, Any], name: str) -> int | None:
    value = row.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _moment(row: dict[str, Any]) -> Instant | None:
    try:
        return parse_iso(_text(row, "timestamp"))
    except ValueError:
        return None
