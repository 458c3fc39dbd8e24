"""ECDSA keys of meters: from a seed, to and from text, sign, verify. The only module that imports `cryptography`.

Signing is deterministic (RFC 6979), so that the same run gives the same bytes. The curve belongs to the key; what a
record says about its algorithm is not signed and is only ever compared with it (OCMF 1.4.1, table 22). All seven curves
of that table; secp192k1 comes from `sim.wire.secp192k1`.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from sim.wire import der, secp192k1
from sim.wire.key_texts import readings_of

PrivateKey = ec.EllipticCurvePrivateKey | secp192k1.PrivateKey
PublicKey = ec.EllipticCurvePublicKey | secp192k1.PublicKey

DEFAULT_ALGORITHM = "ECDSA-secp256r1-SHA256"


class Algorithm(Struct, frozen=True):
    """One row of OCMF table 22. `order` is the number of points of the curve, `size` the bytes of a coordinate, `oid` the
    content of the curve's object identifier, `curve` None for the one that `cryptography` does not have.
    """

    name: str
    curve: ec.EllipticCurve | None
    order: int
    size: int
    oid: bytes


class BadKey(ValueError):
    """A text that is no public key, or one of a kind that cannot be used here."""


class WrongCurve(BadKey):
    """A bare point that does not lie on the curve it was looked for on."""


class UnsupportedKey(BadKey):
    """A key of a kind or curve that is not in the table, or whose package is not installed."""


_ROWS = (
    (
        "secp256r1",
        ec.SECP256R1(),
        "2a8648ce3d030107",
        "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551",
    ),
    ("secp192k1", None, "2b8104001f", f"{secp192k1.ORDER:X}"),
    ("secp256k1", ec.SECP256K1(), "2b8104000a", "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141"),
    ("secp192r1", ec.SECP192R1(), "2a8648ce3d030101", "FFFFFFFFFFFFFFFFFFFFFFFF99DEF836146BC9B1B4D22831"),
    (
        "brainpool256r1",
        ec.BrainpoolP256R1(),
        "2b2403030208010107",
        "A9FB57DBA1EEA9BC3E660A909D838D718C397AA3B561A6F7901E0E82974856A7",
    ),
    (
        "secp384r1",
        ec.SECP384R1(),
        "2b81040022",
        "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973",
    ),
    (
        "brainpool384r1",
        ec.BrainpoolP384R1(),
        "2b240303020801010b",
        "8CB91E82A3386D280F5D6F7E50E641DF152F7109ED5456B31F166E6CAC0425A7CF3AB6AF6B7FC3103B883202E9046565",
    ),
)
ALGORITHMS: dict[str, Algorithm] = {
    f"ECDSA-{name}-SHA256": Algorithm(
        f"ECDSA-{name}-SHA256", curve, int(order, 16), len(order) // 2, bytes.fromhex(oid)
    )
    for name, curve, oid, order in _ROWS
}
"""What can be signed and verified here. Every algorithm of the format hashes with SHA-256, whatever the curve."""
_BY_OID = {row.oid: row for row in ALGORITHMS.values()}
_BY_CURVE = {secp192k1.NAME if row.curve is None else row.curve.name: row for row in ALGORITHMS.values()}

# RFC 6979 A.2.5, message "sample" with SHA-256.
_PROBE_KEY = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721
_PROBE_R = 0xEFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716
_PROBE_S = 0xF7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8


def private_key(seed: bytes, algorithm: str = DEFAULT_ALGORITHM) -> PrivateKey:
    """The key of this seed (32 bytes, from `sim.rng.derive`): same seed, same key.

    Raises KeyError on an unknown algorithm.
    """
    row = ALGORITHMS[algorithm]
    name = secp192k1.NAME if row.curve is None else row.curve.name
    wide = hashlib.shake_256(name.encode() + b"\x1f" + seed).digest(row.size + 8)
    secret = int.from_bytes(wide, "big") % (row.order - 1) + 1
    return secp192k1.PrivateKey(secret) if row.curve is None else ec.derive_private_key(secret, row.curve)


def algorithm_of(key: PrivateKey | PublicKey) -> str:
    """The algorithm that goes with the curve of this key. Raises BadKey for a curve not in the table."""
    return _row_of(key).name


def public_key_hex(key: PrivateKey) -> str:
    """The public half as SubjectPublicKeyInfo DER in lower-case hex, as printed on meters."""
    if isinstance(key, secp192k1.PrivateKey):
        row = _row_of(key)
        return der.write_public_key(row.oid, secp192k1.write_point(key.public_key())).hex()
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex()


def point_of(key: PublicKey, compressed: bool = False) -> bytes:
    """The point of a public key (SEC 1 §2.3.3)."""
    if isinstance(key, secp192k1.PublicKey):
        whole = secp192k1.write_point(key)
        return bytes((2 + key.y % 2,)) + whole[1 : 1 + secp192k1.SIZE] if compressed else whole
    shape = PublicFormat.CompressedPoint if compressed else PublicFormat.UncompressedPoint
    return key.public_bytes(Encoding.X962, shape)


@lru_cache(maxsize=65536)
def public_key(text: str, algorithm: str = DEFAULT_ALGORITHM) -> PublicKey:
    """The key of a text: SubjectPublicKeyInfo (DER or PEM) or a bare point, in hex, base64 or base32, or behind `oca:`.

    A bare point (with or without its leading 04, or compressed) names no curve: it is taken to lie on that of
    `algorithm`. Raises WrongCurve if it does not, UnsupportedKey for another kind of key, BadKey for what is no key (OCA
    note on signed values §3.2.2).
    """
    refusals: list[BadKey] = []
    for data in readings_of(text):
        try:
            return _key_of(data, algorithm)
        except BadKey as err:
            refusals.append(err)
    telling = next((err for err in refusals if isinstance(err, WrongCurve | UnsupportedKey)), None)
    raise telling or BadKey("the text is no public key" if refusals else "the public key is neither hex nor base64")


def same_key(one: str, other: str, algorithm: str = DEFAULT_ALGORITHM) -> bool:
    """Whether two texts are the same key, however they are written; two that are no keys are not."""
    try:
        first, second = public_key(one, algorithm), public_key(other, algorithm)
        return algorithm_of(first) == algorithm_of(second) and point_of(first) == point_of(second)
    except BadKey:
        return False


def sign(key: PrivateKey, message: bytes) -> bytes:
    """The DER signature of the SHA-256 of `message`; same key and message, same bytes."""
    if isinstance(key, secp192k1.PrivateKey):
        return encode_dss_signature(*secp192k1.sign(key, message))
    _probe()
    return key.sign(message, _deterministic())


def verify(key: PublicKey, message: bytes, signature: bytes) -> bool:
    """Whether this is a signature of the SHA-256 of `message`. It is read leniently: meters write it sloppily."""
    return judge(key, message, signature) is not None


def judge(key: PublicKey, message: bytes, signature: bytes) -> tuple[str, ...] | None:
    """None for a wrong signature, else what was lenient in reading a good one (mostly nothing).

    Raises UnsupportedKey for a key of secp192k1 where its package is missing.
    """
    if isinstance(key, ec.EllipticCurvePublicKey):
        try:
            key.verify(signature, message, _PLAIN)
            return ()  # strict DER, which is what most meters write
        except InvalidSignature:
            pass
    row = _row_of(key)
    found = der.numbers(signature, row.size)
    if found is None or not (0 < found.r < row.order and 0 < found.s < row.order):
        return None
    if isinstance(key, secp192k1.PublicKey):
        try:
            return found.lenient if secp192k1.verify(key, message, found.r, found.s) else None
        except ImportError as err:
            raise UnsupportedKey("the package ecdsa for the curve secp192k1 is not installed") from err
    strict = encode_dss_signature(found.r, found.s)
    if strict == signature:
        return None
    try:
        key.verify(strict, message, _PLAIN)
    except InvalidSignature:
        return None
    return found.lenient


_PLAIN = ec.ECDSA(SHA256())


def _key_of(data: bytes, algorithm: str) -> PublicKey:
    if data[:1] == b"\x30":
        parts = der.public_key(data)
        if parts is None:
            raise BadKey("the text is no public key")
        kind, curve, point = parts
        if kind != der.EC_PUBLIC_KEY:
            raise UnsupportedKey("the public key is none for ECDSA")
        if curve not in _BY_OID:
            raise UnsupportedKey("the curve of the public key is not supported")
        return _point(_BY_OID[curve], point)
    for row in sorted(ALGORITHMS.values(), key=lambda row: row.name != algorithm):
        bare = len(data) == 2 * row.size
        if not bare and len(data) not in (row.size + 1, 2 * row.size + 1):
            continue
        try:
            key = _point(row, b"\x04" + data if bare else data)
        except BadKey:
            continue
        if row.name != algorithm:
            raise WrongCurve("the public key is a point of another curve")
        return key
    raise BadKey("the text is no public key")


def _point(row: Algorithm, point: bytes) -> PublicKey:
    try:
        if row.curve is None:
            return secp192k1.read_point(point)
        return ec.EllipticCurvePublicKey.from_encoded_point(row.curve, point)
    except UnsupportedAlgorithm as err:
        raise UnsupportedKey("the curve of the public key is not supported") from err
    except ValueError as err:
        raise BadKey("the public key is no point of its curve") from err


def _row_of(key: PrivateKey | PublicKey) -> Algorithm:
    name = secp192k1.NAME if isinstance(key, secp192k1.PrivateKey | secp192k1.PublicKey) else key.curve.name
    try:
        return _BY_CURVE[name]
    except KeyError:
        raise UnsupportedKey(f"the curve {name} is not supported") from None


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
