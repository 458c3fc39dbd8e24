"""Signed values in SML: EDL40 (EMH eHZ and eMOC) and ISA-EDL40 (Isabellenhütte IEM-DCR).

From the rows of the list to the block that was signed. Nothing is judged here. Sources: reference ocmf §3; the layouts
are those that the S.A.F.E. transparency software verifies.
"""

from __future__ import annotations

from sim.clock import SECOND, Instant
from sim.metering.formats import edl, sml
from sim.metering.formats.edl import Block
from sim.metering.formats.sml import Answer, Entry
from sim.wire.ocmf_parse import Malformed, Reading, Record

EDL40, ISA_EDL40 = "EDL40", "ISA_EDL40"
_CONTRACT = bytes.fromhex("8182815401ff")
_SIGNED = (bytes.fromhex("0100011100ff"), bytes.fromhex("0100010800ff"))
_PAGE = bytes.fromhex("8180817101ff")
_SECONDS = bytes.fromhex("810060080001")
_NEWER = {
    "history": bytes.fromhex("010001110064"),
    "compensated": bytes.fromhex("0100011100c8"),
    "resistance": bytes.fromhex("00af6c6c72ff"),
    "stopwatch": bytes.fromhex("00af647572ff"),
    "price": bytes.fromhex("00af707263ff"),
}
_STATUS_BITS = ((0, 17), (3, 31), (4, 16), (5, 11), (6, 9), (7, 8))
"""Where the bits of the signed status byte stand in the status word of the newer meters (to, from)."""

_ISA_START = bytes.fromhex("010001080080")
_ISA_PAGE = bytes.fromhex("8180c7f040ff")
_ISA_HOUSING = bytes.fromhex("8180816101ff")
_ISA_CONTEXTS = {0: "B", 1: "C", 2: "E"}


def read(data: bytes, text: str) -> Record:
    """The signed value of an SML file, of whichever of the two kinds it is. Raises Malformed."""
    answer = sml.read_list(data)
    if len(answer.signature) < 2:
        raise Malformed("the list of values is not signed")
    return _isa(answer, text) if _ISA_START in answer.rows else _edl(answer, text)


def _edl(answer: Answer, text: str) -> Record:
    row = next((answer.rows[name] for name in _SIGNED if name in answer.rows), None)
    if row is None:
        raise Malformed("the list of values has no signed register")
    newer = len(answer.signature) == 66
    status = row.status or 0
    if newer:
        status = sum((status >> source & 1) << to for to, source in _STATUS_BITS)
    contract = answer.rows.get(_CONTRACT)
    time = row.time
    block = Block(
        server_id=answer.server_id,
        time=time.local if time else 0,
        status=status & 0xFF,
        seconds_index=_index(answer),
        pagination=_number(answer, _PAGE),
        obis=row.name,
        unit=row.unit or 0,
        scaler=row.scaler,
        value=_int(row),
        logbook=answer.signature[-2:],
        contract=contract.value if contract and isinstance(contract.value, bytes) else b"",
        contract_time=contract.time.local if contract and contract.time else 0,
        offset=time.offset if time else 0,
        **({field: _number(answer, name) for field, name in _NEWER.items()} if newer else {}),
    )
    return edl.record_of(EDL40, text, block, block.written(), answer.signature)


def _isa(answer: Answer, text: str) -> Record:
    start, actual = answer.rows[_ISA_START], answer.rows.get(_SIGNED[1])
    if actual is None or actual.time is None or start.time is None:
        raise Malformed("the list of values lacks the register or a time")
    contract, housing = answer.rows.get(_CONTRACT), answer.rows.get(_ISA_HOUSING)
    message = b"".join(
        (
            _fixed(answer.server_id, 10),
            _isa_value(actual),
            answer.signature[-2:],
            _fixed(actual.signature, 66),
            _octets(contract).ljust(128, b"\0"),
            (start.time.local & 0xFFFFFFFF).to_bytes(4, "little"),
            _fixed(_octets(housing), 20),
            _isa_value(start)[4:],
            _fixed(answer.list_name, 6),
            (_number(answer, _ISA_PAGE) & 0xFFFFFFFF).to_bytes(4, "little"),
        )
    ).ljust(edl.SIZE, b"\0")
    if len(message) != edl.SIZE:
        raise Malformed("a field of the record has another length than the format gives it")
    numbers, algorithm = edl.signature_of(answer.signature)
    if actual.unit != edl.WH or start.unit != edl.WH:
        raise Malformed("the unit of the record is not Wh")
    mark = _ISA_CONTEXTS.get(answer.list_name[4], "")
    rows = [start, actual] if mark != "B" else [start]
    marks = ["B", mark] if mark != "B" else ["B"]
    return Record(
        payload=message.hex(),
        message=message,
        signature=numbers,
        fields={"listName": answer.list_name.hex().upper(), "status": f"{actual.status or 0:016X}"},
        readings=tuple(_isa_reading(row, actual.name, mark) for row, mark in zip(rows, marks, strict=True)),
        algorithm=algorithm,
        pagination=f"T{_number(answer, _ISA_PAGE)}",
        meter_id=answer.server_id.hex().upper(),
        station_id="",
        id_tag=edl.name_of(_octets(contract)),
        text=text,
        format=ISA_EDL40,
    )


def _isa_value(row: Entry) -> bytes:
    """Time, low byte of the status, register, unit, scaler and value of a row."""
    time = row.time.local if row.time else 0
    try:
        value = _int(row).to_bytes(8, "little", signed=True)
    except OverflowError:
        raise Malformed("a number of the record is larger than its place") from None
    head = (time & 0xFFFFFFFF).to_bytes(4, "little") + bytes(((row.status or 0) & 0xFF,))
    return head + row.name + bytes(((row.unit or 0) & 0xFF, row.scaler & 0xFF)) + value


def _isa_reading(row: Entry, obis: bytes, mark: str) -> Reading:
    assert row.time is not None
    at = Instant(row.time.seconds * SECOND)
    value = edl.exact(_int(row), row.scaler)
    return Reading(at, "I", mark, value, "Wh", edl.register_name(obis), offset=row.time.offset)


def _index(answer: Answer) -> int:
    row = answer.rows.get(_SECONDS)
    inside = row.value[1] if row and isinstance(row.value, list) and len(row.value) == 2 else None
    found = sml.moment(inside)
    return found.seconds if found else 0


def _int(row: Entry) -> int:
    if not isinstance(row.value, int):
        raise Malformed("a register has no number")
    return row.value


def _number(answer: Answer, name: bytes) -> int:
    row = answer.rows.get(name)
    return row.value if row and isinstance(row.value, int) else 0


def _octets(row: Entry | None) -> bytes:
    return row.value if row and isinstance(row.value, bytes) else b""


def _fixed(data: bytes | None, size: int) -> bytes:
    if data is None or len(data) != size:
        raise Malformed("a field of the record has another length than the format gives it")
    return data
