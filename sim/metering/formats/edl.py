"""The block of 320 bytes that meters of the EDL family sign, and what it says.

A block is built from what a message tells (SML, Mennekes) or comes ready (EDL40_SIG); the signature covers it whole, by
SHA-256 cut to the curve. Nothing is judged here. Source: FNN Lastenheft EDL §5 as the S.A.F.E. transparency software
reads it (reference ocmf §3); numbers are little-endian.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from msgspec import Struct

from sim.clock import SECOND, Instant
from sim.wire.ocmf_parse import Malformed, Reading, Record

SIZE = 320
WH = 30
"""The unit Wh (DLMS)."""
_ALGORITHMS = {48: "ECDSA-secp192r1-SHA256", 64: "ECDSA-secp256r1-SHA256"}
_LOGBOOK = 2
_COMPENSATED = 0xC8


class Block(Struct, frozen=True, kw_only=True):
    """What stands in a block. Times are local seconds since 1970, as the meter's clock shows them; `status` is one byte.

    `history`, `compensated`, `resistance`, `stopwatch` and `price` belong to the newer meters with P-256 and are 0 at
    others. `offset` (minutes east of UTC) is not signed and only known where a message tells it.
    """

    server_id: bytes
    time: int
    status: int
    seconds_index: int
    pagination: int
    obis: bytes
    unit: int
    scaler: int
    value: int
    logbook: bytes
    contract: bytes
    contract_time: int
    history: int = 0
    compensated: int = 0
    resistance: int = 0
    stopwatch: int = 0
    price: int = 0
    offset: int = 0

    def written(self) -> bytes:
        """The signed bytes. Raises Malformed if something does not fit its place."""
        if len(self.server_id) != 10 or len(self.obis) != 6 or len(self.logbook) != 2 or len(self.contract) > 128:
            raise Malformed("a field of the record has another length than the format gives it")
        try:
            parts = (
                self.server_id,
                (self.time & 0xFFFFFFFF).to_bytes(4, "little"),
                bytes((self.status & 0xFF,)),
                (self.seconds_index & 0xFFFFFFFF).to_bytes(4, "little"),
                (self.pagination & 0xFFFFFFFF).to_bytes(4, "little"),
                self.obis,
                bytes((self.unit & 0xFF, self.scaler & 0xFF)),
                self.value.to_bytes(8, "little", signed=True),
                self.logbook,
                self.contract.ljust(128, b"\0"),
                (self.contract_time & 0xFFFFFFFF).to_bytes(4, "little"),
                self.history.to_bytes(8, "little", signed=True),
                self.compensated.to_bytes(8, "little", signed=True),
                (self.resistance & 0xFFFF).to_bytes(2, "little"),
                (self.stopwatch & 0xFFFFFFFF).to_bytes(4, "little"),
                (self.price & 0xFFFF).to_bytes(2, "big"),
            )
        except OverflowError:
            raise Malformed("a number of the record is larger than its place") from None
        return b"".join(parts).ljust(SIZE, b"\0")


def read_block(data: bytes) -> Block:
    """What a ready block says. Raises Malformed for another length."""
    if len(data) != SIZE:
        raise Malformed(f"the signed block has {len(data)} bytes instead of {SIZE}")
    return Block(
        server_id=data[:10],
        time=int.from_bytes(data[10:14], "little"),
        status=data[14],
        seconds_index=int.from_bytes(data[15:19], "little"),
        pagination=int.from_bytes(data[19:23], "little"),
        obis=data[23:29],
        unit=data[29],
        scaler=int.from_bytes(data[30:31], "little", signed=True),
        value=int.from_bytes(data[31:39], "little", signed=True),
        logbook=data[39:41],
        contract=data[41:169],
        contract_time=int.from_bytes(data[169:173], "little"),
        history=int.from_bytes(data[173:181], "little", signed=True),
        compensated=int.from_bytes(data[181:189], "little", signed=True),
        resistance=int.from_bytes(data[189:191], "little"),
        stopwatch=int.from_bytes(data[191:195], "little"),
        price=int.from_bytes(data[195:197], "big"),
    )


def record_of(
    format: str,
    text: str,
    block: Block,
    message: bytes,
    signature: bytes,
    mark: str = "",
    sent_key: str = "",
    deviations: tuple[str, ...] = (),
) -> Record:
    """The record of one block. Its signature is bare r and s, as a rule with two bytes of the logbook behind them.

    Raises Malformed for a signature of another length and for a unit other than Wh.
    """
    numbers, algorithm = signature_of(signature)
    if block.unit != WH:
        raise Malformed("the unit of the record is not Wh")
    readings = [_reading(block, mark, block.value, block.obis)]
    if block.compensated:
        readings.append(_reading(block, mark, block.compensated, block.obis[:5] + bytes((_COMPENSATED,))))
    return Record(
        payload=message.hex(),
        message=message,
        signature=numbers,
        fields=facts(block),
        readings=tuple(readings),
        algorithm=algorithm,
        pagination=f"T{block.pagination}",
        meter_id=block.server_id.hex().upper(),
        station_id="",
        id_tag=name_of(block.contract),
        text=text,
        deviations=deviations,
        format=format,
        sent_key=sent_key,
    )


def signature_of(signature: bytes) -> tuple[bytes, str]:
    """r and s without the bytes of the logbook, and the algorithm that goes with their length. Raises Malformed."""
    for size, algorithm in _ALGORITHMS.items():
        if len(signature) in (size, size + _LOGBOOK):
            return signature[:size], algorithm
    raise Malformed(f"a signature has {len(signature)} bytes instead of 48 or 64 and two of the logbook")


def facts(block: Block) -> dict[str, Any]:
    """What a person may want to see of a block."""
    return {
        "serverId": block.server_id.hex().upper(),
        "status": f"{block.status:02X}",
        "secondsIndex": block.seconds_index,
        "pagination": block.pagination,
        "logbook": block.logbook.hex().upper(),
        "contract": name_of(block.contract),
        "contractTime": block.contract_time,
    }


def register_name(obis: bytes) -> str:
    """An OBIS code of six bytes as text."""
    a, b, c, d, e, f = obis
    return f"{a}-{b}:{c:X}.{d}.{e}*{f:02X}"


def name_of(contract: bytes) -> str:
    """An identification filled up with zeros: as text where it is one, else in hex."""
    bare = contract.rstrip(b"\0")
    return bare.decode() if bare.isascii() and bare.decode().isprintable() else bare.hex().upper()


def exact(value: int, scaler: int) -> Decimal:
    """A number with its power of ten. Raises Malformed for a power that no meter has."""
    if not -9 <= scaler <= 9:
        raise Malformed("the scaler of the record is absurd")
    return Decimal(value).scaleb(scaler)


def _reading(block: Block, mark: str, value: int, obis: bytes) -> Reading:
    at = Instant((block.time - block.offset * 60) * SECOND)
    return Reading(at, "I", mark, exact(value, block.scaler), "Wh", register_name(obis), offset=block.offset)
