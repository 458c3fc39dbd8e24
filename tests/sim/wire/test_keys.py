"""ECDSA keys of meters: reproducible, bound to their curve, read in all shapes seen in the field."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.wire import keys

KEY = keys.private_key(b"\x01" * 32)
HEX = keys.public_key_hex(KEY)
PUBLIC = keys.public_key(HEX)
ORDER = keys.ALGORITHMS[keys.DEFAULT_ALGORITHM].order
P384 = keys.Algorithm(
    name="ECDSA-secp384r1-SHA256",
    curve=ec.SECP384R1(),
    order=int("FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973", 16),
    size=48,
)


@pytest.fixture
def another_curve(monkeypatch: pytest.MonkeyPatch) -> Iterator[keys.Algorithm]:
    monkeypatch.setitem(keys.ALGORITHMS, P384.name, P384)
    yield P384
    keys.public_key.cache_clear()


def der(*numbers: bytes) -> bytes:
    inside = b"".join(b"\x02" + bytes([len(number)]) + number for number in numbers)
    return b"\x30" + bytes([len(inside)]) + inside


def numbers_of(signature: bytes) -> tuple[int, int]:
    return decode_dss_signature(signature)


def test_the_same_seed_gives_the_same_key_and_another_seed_another() -> None:
    assert keys.public_key_hex(keys.private_key(b"\x01" * 32)) == HEX
    assert keys.public_key_hex(keys.private_key(b"\x02" * 32)) != HEX


def test_signatures_are_those_of_rfc_6979() -> None:
    key = ec.derive_private_key(keys._PROBE_KEY, ec.SECP256R1())
    assert numbers_of(keys.sign(key, b"sample")) == (keys._PROBE_R, keys._PROBE_S)
    assert keys.sign(KEY, b"x") == keys.sign(KEY, b"x")


def test_a_library_that_cannot_sign_reproducibly_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> ec.ECDSA:
        raise UnsupportedAlgorithm("old OpenSSL")

    keys._probe.cache_clear()
    monkeypatch.setattr(keys, "_deterministic", refuse)
    with pytest.raises(RuntimeError, match="RFC 6979"):
        keys.sign(KEY, b"x")


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_a_signature_verifies_with_its_own_key_only(message: bytes) -> None:
    signature = keys.sign(KEY, message)
    other = keys.public_key(keys.public_key_hex(keys.private_key(b"\x02" * 32)))
    assert keys.verify(PUBLIC, message, signature)
    assert not keys.verify(other, message, signature)
    assert not keys.verify(PUBLIC, message + b" ", signature)


@settings(deadline=None)
@given(st.binary(max_size=80))
def test_arbitrary_signature_bytes_are_wrong_and_never_raise(signature: bytes) -> None:
    assert not keys.verify(PUBLIC, b"message", signature)


@settings(deadline=None)
@given(st.integers(0, 69), st.integers(0, 255))
def test_a_damaged_signature_never_raises(place: int, byte: int) -> None:
    signature = bytearray(keys.sign(KEY, b"message"))
    if place < len(signature):
        signature[place] = byte
    assert keys.verify(PUBLIC, b"message", bytes(signature)) in (True, False)


def test_sloppy_der_is_read_as_meant() -> None:
    signature = keys.sign(KEY, b"message")
    r, s = (number.to_bytes(32, "big") for number in numbers_of(signature))
    fixed, padded = der(r, s), der(b"\x00\x00" + r, b"\x00\x00" + s)
    long_form = b"\x30\x81" + fixed[1:]
    for sloppy in (fixed, padded, long_form, r + s):
        assert keys.verify(PUBLIC, b"message", sloppy)
        assert not keys.verify(PUBLIC, b"another", sloppy)


def test_the_mirrored_signature_verifies_too() -> None:
    r, s = numbers_of(keys.sign(KEY, b"message"))
    assert keys.verify(PUBLIC, b"message", r.to_bytes(32, "big") + (ORDER - s).to_bytes(32, "big"))


@pytest.mark.parametrize(("r", "s"), [(0, 0), (0, 1), (1, 0), (ORDER, 1), (1, ORDER), (2**256 - 1, 2**256 - 1)])
def test_numbers_outside_the_group_are_wrong(r: int, s: int) -> None:
    raw = r.to_bytes(32, "big"), s.to_bytes(32, "big")
    assert not keys.verify(PUBLIC, b"message", b"".join(raw))
    assert not keys.verify(PUBLIC, b"message", der(*raw))


def test_a_key_is_read_in_all_its_shapes() -> None:
    spki = bytes.fromhex(HEX)
    point = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    compressed = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    grouped = " ".join(HEX[n : n + 4] for n in range(0, len(HEX), 4))
    printed = ":".join(HEX[n : n + 2] for n in range(0, len(HEX), 2)).upper()
    shapes = [HEX, HEX.upper(), grouped, base64.b64encode(spki).decode(), f"oca:base16:asn1:{printed}"]
    shapes += [f"oca:base16:asn1:0x{HEX}", f"oca:base64:asn1:{base64.b64encode(spki).decode()}"]
    shapes += [point.hex(), point[1:].hex(), compressed.hex()]
    for shape in shapes:
        assert keys.public_key(shape).public_numbers() == PUBLIC.public_numbers()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "00",
        HEX[:-2],
        HEX + "00",
        "04" + "11" * 64,
        "${jndi:ldap://example.org/a}",
        "ä",
        "oca:base16:asn1:",
        "é" * 9,
    ],
)
def test_other_texts_are_no_key(text: str) -> None:
    with pytest.raises(keys.BadKey):
        keys.public_key(text)


def test_keys_of_other_kinds_and_curves_are_refused() -> None:
    other_curve = ec.derive_private_key(7, ec.SECP384R1())
    other_kind = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x01" * 32).public_key()
    for text in (
        keys.public_key_hex(other_curve),
        other_kind.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex(),
    ):
        with pytest.raises(keys.BadKey):
            keys.public_key(text)
    with pytest.raises(keys.BadKey):
        keys.algorithm_of(other_curve)


def test_one_more_row_of_the_table_is_one_more_curve(another_curve: keys.Algorithm) -> None:
    key = keys.private_key(b"\x01" * 32, another_curve.name)
    public = keys.public_key(keys.public_key_hex(key))
    assert keys.algorithm_of(public) == another_curve.name
    assert keys.verify(public, b"message", keys.sign(key, b"message"))
    assert not keys.verify(public, b"another", keys.sign(key, b"message"))
