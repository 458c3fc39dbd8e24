"""Signed meter records (OCMF): build, parse, verify over the exact bytes, and their wrapping in OCPP.

The signature covers the payload text exactly as it stands between the first and the second separating pipe. So nothing
here may ever write a parsed payload again before verifying it. What a valid signature is worth (is the key registered,
may this session be billed) is the back-end's verdict, not ours.

Sources: OCMF 1.4.1, OCA application note "Signed Meter Values in OCPP" 1.0 §3.
"""

from __future__ import annotations

import hashlib
import re

from sim.wire import keys
from sim.wire.keys import ALGORITHMS, DEFAULT_ALGORITHM, BadKey, PrivateKey, WrongCurve, private_key, public_key_hex
from sim.wire.ocmf_parse import MAX_CHARACTERS, Malformed, Reading, Record, parse
from sim.wire.ocmf_wrap import unwrap, wrap
from sim.wire.ocmf_write import ID_TYPES, CableLoss, build, kwh, seal

__all__ = [
    "ALGORITHMS",
    "DEFAULT_ALGORITHM",
    "ID_TYPES",
    "MAX_CHARACTERS",
    "CableLoss",
    "Malformed",
    "PrivateKey",
    "Reading",
    "Record",
    "build",
    "digest",
    "examine",
    "explain",
    "kwh",
    "parse",
    "private_key",
    "public_key_hex",
    "seal",
    "tamper",
    "unwrap",
    "verify",
    "wrap",
]

_LAST_VALUE = re.compile(r'.*"RV"\s*:\s*"?\s*[+-]?(\d+(?:\.\d+)?)', re.ASCII | re.DOTALL)


def verify(record: Record, public_key_hex: str) -> bool:
    """Whether the holder of this key signed exactly these bytes. Never raises; `explain` says why not."""
    return examine(record, public_key_hex)[0] is None


def explain(record: Record, public_key_hex: str) -> str | None:
    """None if the signature is good, else why not.

    `unknown-algorithm` (what the record claims is not in the table, or cannot be done in this build), `bad-key` (the key
    cannot be read or its curve is not supported), `key-mismatch` (the record claims another curve than the key has),
    `wrong-signature`, `refused` (the format calls it unverified whatever its signature: `Record.refused`).
    """
    return examine(record, public_key_hex)[0]


def examine(record: Record, public_key: str, curve: str = "") -> tuple[str | None, tuple[str, ...]]:
    """What `explain` says, and what was lenient in reading the signature of a good record.

    `curve` is the algorithm that a registry knows of a key that is a bare point and so names none itself.
    """
    if record.algorithm not in ALGORITHMS:
        return "unknown-algorithm", ()
    try:
        key = keys.public_key(public_key, curve or record.algorithm)
    except WrongCurve:
        return "key-mismatch", ()
    except BadKey:
        return "bad-key", ()
    if keys.algorithm_of(key) != record.algorithm:
        return "key-mismatch", ()
    try:
        lenient = keys.judge(key, record.message, record.signature)
    except BadKey:
        return "unknown-algorithm", ()
    if lenient is None:
        return "wrong-signature", ()
    return ("refused" if record.refused else None), lenient


def digest(record: Record) -> str:
    """The identity of a record: SHA-256 of the signed bytes in hex. (A signature can be written in two ways.)"""
    return hashlib.sha256(record.message).hexdigest()


def tamper(text: str) -> str:
    """The same record with one digit of its last value raised and the signature left as it is: a forgery.

    The last digit that can be raised is taken, so that the value stays plausible and only the signature can tell.
    """
    end = text.rindex("|")
    found = _LAST_VALUE.match(text, 0, end)
    if found is None:
        raise ValueError("the record has no value to tamper with")
    first, last = found.span(1)
    place = next((n for n in range(last - 1, first - 1, -1) if text[n] not in "9."), first)
    digit = "8" if text[place] == "9" else str(int(text[place]) + 1)
    return text[:place] + digit + text[place + 1 :]
