"""Meters of other makes for tests: they write and sign ALFEN, EDL40, ISA-EDL40, Mennekes and PCDF, byte for byte.

Written from the layouts of reference ocmf §3, and held against public records of real meters by `test_vectors`.
"""

from __future__ import annotations

import base64
from typing import Any

from msgspec.structs import replace

from sim.metering.formats.edl import Block
from sim.wire import der, keys

K192, P256 = "ECDSA-secp192r1-SHA256", "ECDSA-secp256r1-SHA256"
SERVER = bytes.fromhex("0901454d480000112233")
TIME, CONTRACT_TIME = 1_772_438_400, 1_772_438_390


def key_of(algorithm: str, name: bytes = b"\x07") -> keys.PrivateKey:
    """The key of a meter."""
    return keys.private_key(name * 32, algorithm)


def bare_key(key: keys.PrivateKey) -> str:
    """X and Y in hex, as these meters print it."""
    return keys.point_of(keys.public_key(keys.public_key_hex(key)))[1:].hex()


def bare_signature(key: keys.PrivateKey, message: bytes) -> bytes:
    """r and s side by side."""
    size = keys.ALGORITHMS[keys.algorithm_of(key)].size
    found = der.numbers(keys.sign(key, message), size)
    assert found is not None
    return found.r.to_bytes(size, "big") + found.s.to_bytes(size, "big")


def block(**changes: Any) -> Block:
    """A block of an honest meter."""
    plain: dict[str, Any] = {
        "server_id": SERVER, "time": TIME + 3600, "status": 0x08, "seconds_index": 123_456, "pagination": 77,
        "obis": bytes.fromhex("0100011100ff"), "unit": 30, "scaler": -1, "value": 99_000, "logbook": b"\x00\x42",
        "contract": b"TAG-1", "contract_time": CONTRACT_TIME,
    }  # fmt: skip
    return Block(**(plain | changes))


def tlv(kind: int, content: bytes) -> bytes:
    """One element of SML that is no list."""
    size = len(content) + 1
    if size < 16:
        return bytes((kind << 4 | size,)) + content
    size += 1
    return bytes((0x80 | kind << 4 | size >> 4, size & 0x0F)) + content


def octets(data: bytes | None) -> bytes:
    """Octets, or nothing."""
    return b"\x01" if data is None else tlv(0, data)


def number(value: int, size: int, signed: bool = False) -> bytes:
    """A number of this many bytes."""
    return tlv(5 if signed else 6, value.to_bytes(size, "big", signed=signed))


def items(*parts: bytes) -> bytes:
    """A list."""
    return bytes((0x70 | len(parts),)) + b"".join(parts)


def local(seconds: int, offset: int) -> bytes:
    """A local time: UTC seconds and what local time is ahead."""
    return items(number(3, 1), items(number(seconds, 4), number(offset, 2, True), number(0, 2, True)))


def row(name: str, *, status: bytes = b"\x01", time: bytes = b"\x01", unit: int | None = None, scaler: int | None = None,
        value: bytes = b"\x01", signature: bytes | None = None) -> bytes:  # fmt: skip
    """One row of a list of values."""
    return items(
        octets(bytes.fromhex(name)), status, time,
        b"\x01" if unit is None else number(unit, 1), b"\x01" if scaler is None else number(scaler, 1, True),
        value, octets(signature),
    )  # fmt: skip


def sml_file(server: bytes, list_name: bytes, rows: list[bytes], signature: bytes) -> bytes:
    """A whole file with one signed list."""
    content = items(b"\x01", octets(server), octets(list_name), b"\x01", items(*rows), octets(signature), b"\x01")
    message = items(
        number(1, 4), number(0, 1), number(0, 1), items(number(0x0701, 2), content), number(0xABCD, 2), b"\x00"
    )
    body = message.replace(b"\x1b\x1b\x1b\x1b", b"\x1b" * 8)
    fill = -len(body) % 4
    return b"\x1b\x1b\x1b\x1b\x01\x01\x01\x01" + body + bytes(fill) + b"\x1b\x1b\x1b\x1b\x1a" + bytes((fill, 0, 0))


def edl40(key: keys.PrivateKey, **changes: Any) -> bytes:
    """An SML file of an EMH eHZ; of the newer kind for a key of P-256."""
    newer = keys.algorithm_of(key) == P256
    more = {"history": 5, "compensated": 98_000, "resistance": 1000, "stopwatch": 9, "price": 3} if newer else {}
    one = block(**({"status": 0x88 if newer else 0x08} | more | changes))
    word = (1 << 31 | 1 << 8) if newer else 0x00010108
    rows = [
        row("8182815401ff", time=local(one.contract_time - 3600, 60), value=octets(one.contract)),
        row("0100011100ff", status=number(word, 4), time=local(one.time - 3600, 60), unit=one.unit, scaler=one.scaler,
            value=number(one.value, 8, True)),
        row("810060080001", value=items(number(1, 1), items(number(1, 1), number(one.seconds_index, 4)))),
        row("8180817101ff", value=number(one.pagination, 4)),
    ]  # fmt: skip
    if newer:
        rows += [
            row("010001110064", value=number(one.history, 4)),
            row("0100011100c8", value=number(one.compensated, 4)),
            row("00af6c6c72ff", value=number(one.resistance, 2)),
            row("00af647572ff", value=number(one.stopwatch, 2)),
            row("00af707263ff", value=number(one.price, 2)),
        ]
    signature = bare_signature(key, one.written()) + one.logbook
    return sml_file(one.server_id, bytes.fromhex("8180817103ff"), rows, signature)


def isa(key: keys.PrivateKey, context: int = 2, end: int = 257_000, page: int = 24) -> bytes:
    """An SML file of an Isabellenhütte IEM-DCR."""
    logbook, housing, contract, value_seal = b"\x00\x4a", bytes(range(20)), b"CONTRACT", bytes(64) + b"\x00\x4a"
    list_name = bytes.fromhex("8180816202ff")[:4] + bytes((context, 0xFF))
    obis, start_obis = bytes.fromhex("0100010800ff"), bytes.fromhex("010001080080")

    def told(at: int, status: int, name: bytes, value: int) -> bytes:
        head = at.to_bytes(4, "little") + bytes((status,))
        return head + name + bytes((30, 0xFF)) + value.to_bytes(8, "little", signed=True)

    start = told(TIME, 0x18, start_obis, 250_000)
    message = (
        SERVER + told(TIME + 3600, 0x18, obis, end) + logbook + value_seal + contract.ljust(128, b"\0")
        + start[:4] + housing + start[4:] + list_name + page.to_bytes(4, "little")
    ).ljust(320, b"\0")  # fmt: skip
    utc = lambda at: items(number(2, 1), number(at, 4))  # noqa: E731
    rows = [
        row("8182815401ff", time=utc(TIME), value=octets(contract)),
        row("010001080080", status=number(0x0400000018, 8), time=utc(TIME), unit=30, scaler=-1,
            value=number(250_000, 8, True)),
        row("8180c7f040ff", value=number(page, 4)),
        row("8180816101ff", value=octets(housing)),
        row("0100010800ff", status=number(0x04C00000_18, 8), time=utc(TIME + 3600), unit=30, scaler=-1,
            value=number(end, 8, True), signature=value_seal),
    ]  # fmt: skip
    return sml_file(SERVER, list_name, rows, bare_signature(key, message) + logbook)


def signed_value(key: keys.PrivateKey, method: str = "EDL", **changes: Any) -> str:
    """A `signedMeterValue` in XML."""
    data = block(**changes).written()
    words = {"data": data, "seal": bare_signature(key, data) + b"\x00\x42", "key": bytes.fromhex(bare_key(key))}
    told = {name: base64.b64encode(value).decode() for name, value in words.items()}
    kind = "ECDSA192SHA256" if len(words["key"]) == 48 else "ECDSA256SHA256"
    return (
        f'<?xml version="1.0" encoding="UTF-8" ?><signedMeterValue><publicKey encoding="base64">{told["key"]}</publicKey>'
        f'<meterValueSignature encoding="base64">{told["seal"]}</meterValueSignature><signatureMethod>{kind}'
        f"</signatureMethod><encodingMethod>{method}</encodingMethod>"
        f'<encodedMeterValue encoding="base64">{told["data"]}</encodedMeterValue></signedMeterValue>'
    )


def mennekes(key: keys.PrivateKey, end: int = 99_500) -> str:
    """A billing file with one charging process."""
    parts = []
    for name, value, page, after in (("Start", 99_000, 77, 0), ("End", end, 78, 600)):
        one = block(value=value, pagination=page, time=TIME + 3600 + after, status=136)
        one = replace(one, contract=b"\x04\x73\xa4", contract_time=TIME + 3590)
        parts.append(
            f"<Measurement{name}><Timestamp>2026-03-02T09:{after // 60:02d}:00+01:00</Timestamp><Signature>"
            f"{bare_signature(key, one.written()).hex().upper()}</Signature><EventCounter>66</EventCounter><MeterStatus>136"
            f"</MeterStatus><Value>{value}</Value><Scaler>-1</Scaler><Pagination>{page}</Pagination><SecondIndex>123456"
            f"</SecondIndex></Measurement{name}>"
        )
    return (
        f'<Billing xmlns="http://www.mennekes.de/Mennekes.EdlVerification.xsd"><BillingPeriod><ChargingProcess>'
        f"<ServerId>{SERVER.hex()}</ServerId><PublicKey>{bare_key(key)}</PublicKey><CustomerIdent>0473A4</CustomerIdent>"
        f"<TimestampCustomerIdent>2026-03-02T08:59:50+01:00</TimestampCustomerIdent>{''.join(parts)}</ChargingProcess>"
        f"</BillingPeriod></Billing>"
    )


def alfen(key: keys.PrivateKey, kind: int = 0, value: int = 15_762, page: int = 17) -> str:
    """A text of an Alfen station."""
    data = (
        b"\x0aTestDev\x00\x11v013\x2d\xa6" + b"\x0a\x01DZG\x00\x33\x00\x01\x40" + bytes(4)
        + (2_523_271).to_bytes(4, "little")
        + (TIME + 600 * kind).to_bytes(4, "little") + bytes.fromhex("0100010800ff") + b"\x1e\x00"
        + value.to_bytes(8, "little") + b"TAG-1".ljust(20, b"\0") + (18).to_bytes(4, "little") + page.to_bytes(4, "little")
    )  # fmt: skip
    assert len(data) == 82
    public = keys.point_of(keys.public_key(keys.public_key_hex(key)), compressed=True)
    told = [base64.b32encode(part).decode() for part in (public, data, bare_signature(key, data))]
    return f"AP;{kind};3;{';'.join(told)};"


def pcdf(key: keys.PrivateKey, **changes: str) -> str:
    """A text of a Porsche charger."""
    point = keys.point_of(keys.public_key(keys.public_key_hex(key))).hex()
    fields = {
        "ST": "260302080000", "CT": "260302090000", "CD": "010000", "TV": "1", "BV": "1", "CSC": "5", "SP": "1",
        "RV": "0003.276*kWh", "SI": "55*1*959bff1e", "CS": "513f627b", "HW": "12345678901", "DT": "0", "PK": point,
    } | changes  # fmt: skip
    body = "128.8.0" + "".join(f"({name}:{value})" for name, value in fields.items())
    return f"{body}(SG:{keys.sign(key, body.encode()).hex()})"
