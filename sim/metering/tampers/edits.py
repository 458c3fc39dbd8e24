"""Tamperings with one record: what is done to its text after signing, and to its payload before.

Each takes a record and the key it was signed with and gives another text, so that a station in a scenario can do it as
well as the catalogue. Source: reference ocmf §7, numbers 1 to 34 and 46 to 64.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sim.metering.tampers.scene import payload_of, seal_of
from sim.wire import der, ocmf
from sim.wire.keys import ALGORITHMS, PrivateKey, algorithm_of, private_key, public_key_hex

Tampering = Callable[[str, PrivateKey], str]
HOSTILE = "${jndi:ldap://127.0.0.1/a}&xxe;"


def edited(pattern: str, new: str) -> Tampering:
    """The last place in the payload that fits the pattern is replaced; the signature is left as it was."""
    return lambda text, key: _frame(_last(payload_of(text), pattern, new), seal_of(text))


def resigned(pattern: str, new: str) -> Tampering:
    """The same, and the meter signs what it then says."""
    return lambda text, key: ocmf.seal(_last(payload_of(text), pattern, new), key)


def resigned_everywhere(pattern: str, new: str) -> Tampering:
    """Every place that fits is replaced, and the meter signs what it then says."""
    return lambda text, key: ocmf.seal(re.sub(pattern, new, payload_of(text)), key)


def sealed(**seal: Any) -> Tampering:
    """Other words in the section of the signature, around a good signature."""

    def change(text: str, key: PrivateKey) -> str:
        found = json.loads(seal_of(text))
        for name, value in seal.items():
            if value is None:
                found.pop(name, None)
            else:
                found[name] = value
        return _frame(payload_of(text), json.dumps(found, separators=(",", ":")))

    return change


def signature(remake: Callable[[int, int, int, int], bytes], wanted: str = "") -> Tampering:
    """Another encoding of r and s, or other numbers: `remake(r, s, size, order)`.

    `wanted` is a leniency that the result must need; not every signature can show it, so the payload gets blanks until
    one does.
    """

    def change(text: str, key: PrivateKey) -> str:
        row = ALGORITHMS[algorithm_of(key)]
        payload = payload_of(text)
        for blanks in range(64):
            whole = ocmf.parse(ocmf.seal(payload + " " * blanks, key))
            numbers = der.numbers(whole.signature, row.size)
            assert numbers is not None
            made = remake(numbers.r, numbers.s, row.size, row.order)
            shown = der.numbers(made, row.size)
            if not wanted or (shown is not None and wanted in shown.lenient):
                return sealed(SD=made.hex(), SE=None)(whole.text, key)
        raise ValueError("no signature shows this leniency")

    return change


def raw_numbers(r: int, s: int, size: int, order: int) -> bytes:
    """r and s side by side."""
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def fixed_numbers(r: int, s: int, size: int, order: int) -> bytes:
    """DER whose numbers have a fixed width, as one make of meters writes it."""
    return _sequence(r.to_bytes(size, "big"), s.to_bytes(size, "big"))


def padded_numbers(r: int, s: int, size: int, order: int) -> bytes:
    """DER whose numbers have zeros in front."""
    return _sequence(b"\0\0" + r.to_bytes(size, "big"), b"\0\0" + s.to_bytes(size, "big"))


def long_length(r: int, s: int, size: int, order: int) -> bytes:
    """DER whose length is written in long form without need."""
    short = _sequence(_number(r), _number(s))
    return short[:1] + b"\x81" + short[1:]


def mirrored(r: int, s: int, size: int, order: int) -> bytes:
    """s → n - s, which verifies as well."""
    return _sequence(_number(r), _number(order - s))


def no_numbers(r: int, s: int, size: int, order: int) -> bytes:
    """r = s = 0."""
    return _sequence(b"\0", b"\0")


def too_large(r: int, s: int, size: int, order: int) -> bytes:
    """s beyond the order of the curve."""
    return _sequence(_number(r), _number(order + s))


def truncated(r: int, s: int, size: int, order: int) -> bytes:
    """The last bytes are cut off."""
    return _sequence(_number(r), _number(s))[:-6]


def reserialised(text: str, key: PrivateKey) -> str:
    """The payload read and written again, as a database or a JSON library does."""
    return _frame(json.dumps(json.loads(payload_of(text)), sort_keys=True), seal_of(text))


def carriage_returns(text: str, key: PrivateKey) -> str:
    """A pretty-printed payload whose line ends were converted on the way."""
    pretty = json.dumps(json.loads(payload_of(text)), indent=1)
    return ocmf.seal(pretty, key).replace("\n", "\r\n")


def foreign_signature(text: str, key: PrivateKey) -> str:
    """The signature of another record of the same meter."""
    other = ocmf.seal(_last(payload_of(text), r'"PG":"T\d+"', '"PG":"T1"'), key)
    return _frame(payload_of(text), seal_of(other))


def other_signer(text: str, key: PrivateKey) -> str:
    """Signed with another key of the same curve."""
    return ocmf.seal(payload_of(text), stranger(key))


def stranger(key: PrivateKey) -> PrivateKey:
    """A key of nobody, on the same curve."""
    return private_key(hashlib.sha256(public_key_hex(key).encode()).digest(), algorithm_of(key))


def swapped_marks(text: str, key: PrivateKey) -> str:
    """Begin and end change places after signing."""
    swap = {"B": "E", "E": "B"}
    payload = re.sub(r'"TX":"([BE])"', lambda found: f'"TX":"{swap[found[1]]}"', payload_of(text))
    return _frame(payload, seal_of(text))


def one_digit(text: str, key: PrivateKey) -> str:
    """The last value is a little higher."""
    return ocmf.tamper(text)


def cut(text: str, key: PrivateKey) -> str:
    """The record ends in its middle."""
    return text[: len(text) // 2]


def no_second_pipe(text: str, key: PrivateKey) -> str:
    """Payload and signature in one."""
    return f"OCMF|{payload_of(text)}{seal_of(text)}"


def fourth_section(text: str, key: PrivateKey) -> str:
    """A public key behind the signature, as some once sent it."""
    return f"{text}|{public_key_hex(key)}"


def five_sections(text: str, key: PrivateKey) -> str:
    """Two sections too many."""
    return f"{text}|a|b"


def with_header(header: str) -> Tampering:
    """Another header."""
    return lambda text, key: header + text[len("OCMF|") :]


def array_payload(text: str, key: PrivateKey) -> str:
    """The payload is a list."""
    return ocmf.seal(f"[{payload_of(text)}]", key)


def second_value(text: str, key: PrivateKey) -> str:
    """A reading has two values under one name."""
    return resigned(r'"RV":([0-9.]+)', r'"RV":\1,"RV":9999.999')(text, key)


def extra_reading(reading: str) -> Tampering:
    """One reading more at the end of the list, signed."""

    def change(text: str, key: PrivateKey) -> str:
        payload = payload_of(text)
        at = payload.rindex("]")
        return ocmf.seal(f"{payload[:at]},{reading}{payload[at:]}", key)

    return change


def raised(by: str) -> Tampering:
    """The last value is another one, and signed: an honest signature under an impossible number."""

    def change(text: str, key: PrivateKey) -> str:
        last = ocmf.parse(text).readings[-1].value
        return resigned(r'"RV":[0-9.]+', f'"RV":{last + Decimal(by):f}')(text, key)

    return change


def _sequence(*numbers: bytes) -> bytes:
    inside = b"".join(b"\x02" + bytes((len(number),)) + number for number in numbers)
    head = bytes((len(inside),)) if len(inside) < 0x80 else bytes((0x81, len(inside)))
    return b"\x30" + head + inside


def _number(number: int) -> bytes:
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _frame(payload: str, seal: str) -> str:
    return f"OCMF|{payload}|{seal}"


def _last(payload: str, pattern: str, new: str) -> str:
    """The payload with the last match replaced. Raises ValueError if there is none: such a record cannot be tampered so."""
    found = list(re.finditer(pattern, payload))
    if not found:
        raise ValueError(f"the record has nothing that fits {pattern}")
    begin, end = found[-1].span()
    return payload[:begin] + found[-1].expand(new) + payload[end:]
