"""ECDSA keys of meters: reproducible, bound to their curve, read in all shapes seen in the field."""

from __future__ import annotations

import base64
import sys

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.wire import der as wire_der
from sim.wire import keys

KEY = keys.private_key(b"\x01" * 32)
HEX = keys.public_key_hex(KEY)
PUBLIC = keys.public_key(HEX)
ORDER = keys.ALGORITHMS[keys.DEFAULT_ALGORITHM].order
CURVES = list(keys.ALGORITHMS)


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
    other_curve = ec.derive_private_key(7, ec.SECP521R1())
    other_kind = ed25519.Ed25519PrivateKey.from_private_bytes(b"\x01" * 32).public_key()
    for public in (other_curve.public_key(), other_kind):
        with pytest.raises(keys.UnsupportedKey):
            keys.public_key(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo).hex())
    with pytest.raises(keys.UnsupportedKey):
        keys.algorithm_of(other_curve)


def test_there_are_the_seven_curves_of_the_format() -> None:
    assert len(CURVES) == 7
    for name, row in keys.ALGORITHMS.items():
        if row.curve is not None:
            assert (row.order, row.curve.key_size) == (row.curve.group_order, 8 * row.size), name


@pytest.mark.parametrize("curve", CURVES)
def test_every_curve_signs_verifies_and_is_told_by_its_key(curve: str) -> None:
    key, other = keys.private_key(b"\x01" * 32, curve), keys.private_key(b"\x02" * 32, curve)
    public = keys.public_key(keys.public_key_hex(key))
    assert keys.algorithm_of(public) == keys.algorithm_of(key) == curve
    signature = keys.sign(key, b"message")
    assert signature == keys.sign(key, b"message")
    assert keys.judge(public, b"message", signature) == ()
    assert not keys.verify(public, b"another", signature)
    assert not keys.verify(keys.public_key(keys.public_key_hex(other)), b"message", signature)


@pytest.mark.parametrize("curve", CURVES)
def test_every_shape_of_a_key_is_the_same_key(curve: str) -> None:
    text = keys.public_key_hex(keys.private_key(b"\x01" * 32, curve))
    public, spki = keys.public_key(text), bytes.fromhex(text)
    body = base64.encodebytes(spki).decode()
    oca = f"oca:base16:asn1:{text}"
    shapes = [f"-----BEGIN PUBLIC KEY-----\n{body}-----END PUBLIC KEY-----\n", base64.b64encode(oca.encode()).decode()]
    shapes += [base64.b64encode(text.encode()).decode(), base64.b32encode(spki).decode(), f"0x{text}"]
    for point in (keys.point_of(public), keys.point_of(public)[1:], keys.point_of(public, compressed=True)):
        shapes += [point.hex(), base64.b64encode(point).decode(), base64.b32encode(point).decode()]
    for shape in shapes:
        assert keys.same_key(shape, text, curve), shape


def test_a_bare_point_of_another_curve_is_told_apart_from_rubbish() -> None:
    for curve in CURVES[1:]:
        point = keys.point_of(keys.public_key(keys.public_key_hex(keys.private_key(b"\x01" * 32, curve)))).hex()
        with pytest.raises(keys.WrongCurve):
            keys.public_key(point)
    with pytest.raises(keys.BadKey) as found:
        keys.public_key("04" + "11" * 64)
    assert not isinstance(found.value, keys.WrongCurve)


@pytest.mark.parametrize("curve", CURVES)
def test_what_was_lenient_is_reported(curve: str) -> None:
    key, size = keys.private_key(b"\x01" * 32, curve), keys.ALGORITHMS[curve].size
    public = keys.public_key(keys.public_key_hex(key))
    seen = set()
    for number in range(60):
        message = bytes((number,))
        r, s = (one.to_bytes(size, "big") for one in numbers_of(keys.sign(key, message)))
        fixed, padded = der(r, s), der(b"\0\0" + r, s)
        for sloppy in (fixed, padded, r + s, b"\x30\x81" + fixed[1:]):
            lenient = keys.judge(public, message, sloppy)
            assert lenient is not None
            seen.update(lenient)
        if len(seen) == 4:
            break
    assert seen == {wire_der.RAW, wire_der.NO_PAD, wire_der.TOO_MANY_ZEROS, wire_der.LONG_LENGTH}


def test_a_build_without_the_package_says_so_and_keeps_the_other_curves(monkeypatch: pytest.MonkeyPatch) -> None:
    curve = "ECDSA-secp192k1-SHA256"
    key = keys.private_key(b"\x01" * 32, curve)
    public, signature = keys.public_key(keys.public_key_hex(key)), keys.sign(key, b"message")
    monkeypatch.setitem(sys.modules, "ecdsa.ecdsa", None)
    with pytest.raises(keys.UnsupportedKey):
        keys.judge(public, b"message", signature)
    assert keys.verify(PUBLIC, b"message", keys.sign(KEY, b"message"))
