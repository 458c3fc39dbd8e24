"""ECDSA keys of meters: from a seed, to and from text, sign, verify. The only module that imports `cryptography`.

Signing is deterministic (RFC 6979), so that the same run gives the same bytes. The curve belongs to the key; what a
record says about its algorithm is not signed and is only ever compared with it (OCMF 1.4.1, table 22).
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from msgspec import Struct

PrivateKey = ec.EllipticCurvePrivateKey
PublicKey = ec.EllipticCurvePublicKey

DEFAULT_ALGORITHM = "ECDSA-secp256r1-SHA256"


class Algorithm(Struct, frozen=True):
    """One row of OCMF table 22. `order` is the number of points of the curve, `size` the bytes of a coordinate."""

    name: str
    curve: ec.EllipticCurve
    order: int
    size: int


class BadKey(ValueError):
    """A text that is no public key, or one of a kind that cannot be used here."""


_ROWS = (
    Algorithm(
        name="ECDSA-secp256r1-SHA256",
        curve=ec.SECP256R1(),
        order=0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
        size=32,
    ),
)
ALGORITHMS: dict[str, Algorithm] = {row.name: row for row in _ROWS}
"""What can be signed and verified here. Every algorithm of the format hashes with SHA-256, whatever the curve."""

# RFC 6979 A.2.5, message "sample" with SHA-256.
_PROBE_KEY = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
_PROBE_R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
_PROBE_S = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8


def private_key(seed: bytes, algorithm: str = DEFAULT_ALGORITHM) -> PrivateKey:
    """The key of this seed (32 bytes, from `sim.rng.derive`): same seed, same key.

    Raises KeyError on an unknown algorithm.
    """
    row = ALGORITHMS[algorithm]
    wide = hashlib.shake_256(row.curve.name.encode() + b"\x1f" + seed).digest(row.size + 8)
    return ec.derive_private_key(int.from_bytes(wide, "big") % (row.order - 1) + 1, row.curve)


def algorithm_of(key: PrivateKey | PublicKey) -> str:
    """The algorithm that goes with the curve of this key. Raises BadKey for a curve not in the table."""
    return _row_of(key).name


def public_key_hex(key: PrivateKey) -> str:
    """The public half as SubjectPublicKeyInfo DER in lower-case hex, as printed on meters."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()


@lru_cache(maxsize=65536)
def public_key(text: str, algorithm: str = DEFAULT_ALGORITHM) -> PublicKey:
    """The key of a text: SubjectPublicKeyInfo DER or a bare point, as hex (blanks allowed), base64, or behind `oca:`.

    A bare point (with or without its leading 04, or compressed) names no curve: it is taken to lie on that of
    `algorithm`. Raises BadKey for anything else and for curves that are not supported (OCA note on signed values
    §3.2.2).
    """
    data = _key_bytes(text)
    try:
        if data[:1] == b"\x30":
            key = load_der_public_key(data)
        else:
            row = ALGORITHMS[algorithm]
            point = b"\x04" + data if len(data) == 2 * row.size else data
            key = ec.EllipticCurvePublicKey.from_encoded_point(row.curve, point)
    except UnsupportedAlgorithm as err:
        raise BadKey("the curve of the public key is not supported") from err
    except (ValueError, KeyError) as err:
        raise BadKey("the text is no public key") from err
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise BadKey("the public key is none for ECDSA")
    _row_of(key)
    return key


def sign(key: PrivateKey, message: bytes) -> bytes:
    """The DER signature of the SHA-256 of `message`; same key and message, same bytes."""
    _probe()
    return key.sign(message, _deterministic())


def verify(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether this is a signature of the SHA-256 of `message`. It is read leniently: meters write it sloppily."""
    row = _row_of(key)
    numbers = _r_and_s(signature, row.size)
    if numbers is None or not all(0 < number < row.order for number in numbers):
        return False
    try:
        key.verify(encode_dss_signature(*numbers), message, _PLAIN)
    except InvalidSignature:
        return False
    return True


_PLAIN = ec.ECDSA(SHA256())


def _row_of(key: PrivateKey | PublicKey) -> Algorithm:
    for row in ALGORITHMS.values():
        if row.curve.name == key.curve.name:
            return row
    raise BadKey(f"the curve {key.curve.name} is not supported")


@lru_cache(maxsize=1)
def _deterministic() -> ec.ECDSA:
    return ec.ECDSA(SHA256(), deterministic_signing=True)


@lru_cache(maxsize=1)
def _probe() -> None:
    """Fail early and clearly where signatures would not be reproducible (a distribution's OpenSSL before 3.2)."""
    try:
        made = ec.derive_private_key(_PROBE_KEY, ec.SECP256R1()).sign(b"sample", _deterministic())
    except (UnsupportedAlgorithm, TypeError) as err:
        raise RuntimeError(
            "the installed package cryptography cannot sign deterministically (RFC 6979): "
            "install it as a wheel, version 43 or later"
        ) from err
    if decode_dss_signature(made) != (_PROBE_R, _PROBE_S):
        raise RuntimeError("the installed package cryptography signs deterministically, but not as RFC 6979 says")


def _key_bytes(text: str) -> bytes:
    parts = text.strip().split(":", 3)
    if len(parts) == 4 and parts[0].lower() == "oca":
        text = re.sub(r"0[xX]|[^0-9A-Fa-f]", "", parts[3]) if parts[1].lower() == "base16" else parts[3]
    bare = "".join(text.split())
    try:
        return bytes.fromhex(bare)
    except ValueError:
        pass
    try:
        return base64.b64decode(bare, validate=True)
    except ValueError:
        raise BadKey("the public key is neither hex nor base64") from None


def _r_and_s(signature: bytes, size: int) -> tuple[int, int] | None:
    """The two numbers of a signature, None if there are none.

    Read as meant, because meters write them all: DER with a long-form length, with superfluous leading zeros, with a
    missing one; and the two numbers side by side without any DER.
    """
    whole = _element(signature, 0x30)
    if whole is None or whole[1]:
        raw = len(signature) == 2 * size
        return (int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")) if raw else None
    r = _element(whole[0], 0x02)
    s = _element(r[1], 0x02) if r is not None else None
    if r is None or s is None or s[1]:
        return None
    return int.from_bytes(r[0], "big"), int.from_bytes(s[0], "big")


def _element(data: bytes, tag: int) -> tuple[bytes, bytes] | None:
    """Content of the first DER element, which must have this tag, and what follows it."""
    if len(data) < 2 or data[0] != tag:
        return None
    start, length = 2, data[1]
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(data[2:start], "big")
    if len(data) < start + length or start > 6:
        return None
    return data[start : start + length], data[start + length :]
