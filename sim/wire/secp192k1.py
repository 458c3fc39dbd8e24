"""The curve secp192k1, which `cryptography` does not have: points, signatures, verification. The one door to `ecdsa`.

Pure Python and slow, for this one curve only; everybody else goes through `sim.wire.keys`. The package is imported when
a key of this curve turns up, so that all others work without it. Sources: SEC 2 §2.2.1 (numbers), RFC 6979 (signing).
"""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from typing import Any

from msgspec import Struct

NAME = "secp192k1"
SIZE = 24
ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFE26F2FC170F69466A74DEFD8D
_P = 2**192 - 2**32 - 2**12 - 2**8 - 2**7 - 2**6 - 2**3 - 1
_B = 3
_X = 0xDB4FF10EC057E9AE26B07D0280B7F4341DA5D1B1EAE06C7D
_Y = 0x9B2F2F6D9C5628A7844163D015BE86344082AA88D95E2F9D


class PublicKey(Struct, frozen=True):
    """A point of the curve."""

    x: int
    y: int


class PrivateKey(Struct, frozen=True):
    """A number from 1 to ORDER - 1."""

    secret: int

    def public_key(self) -> PublicKey:
        """The public half. Raises ImportError without the package."""
        point = (_generator() * self.secret).to_affine()
        return PublicKey(int(point.x()), int(point.y()))


def read_point(data: bytes) -> PublicKey:
    """A point of SEC 1 §2.3.4, compressed or not. Raises ValueError if it is none of this curve."""
    x = int.from_bytes(data[1 : 1 + SIZE], "big")
    square = (x**3 + _B) % _P
    if len(data) == 1 + SIZE and data[0] in (2, 3):
        y = pow(square, (_P + 1) // 4, _P)
        y = y if y % 2 == data[0] % 2 else _P - y
    elif len(data) == 1 + 2 * SIZE and data[0] == 4:
        y = int.from_bytes(data[1 + SIZE :], "big")
    else:
        raise ValueError("this is no point of a curve of 192 bits")
    if x >= _P or y >= _P or (y * y - square) % _P:
        raise ValueError("the point does not lie on the curve")
    return PublicKey(x, y)


def write_point(key: PublicKey) -> bytes:
    """The point uncompressed."""
    return b"\x04" + key.x.to_bytes(SIZE, "big") + key.y.to_bytes(SIZE, "big")


def sign(key: PrivateKey, message: bytes) -> tuple[int, int]:
    """r and s over the SHA-256 of the message, cut to 192 bits; deterministic. Raises ImportError without the package."""
    from ecdsa import SigningKey
    from ecdsa.util import sigencode_strings

    signer = SigningKey.from_secret_exponent(key.secret, _curve(), hashlib.sha256)
    digest = hashlib.sha256(message).digest()
    r, s = signer.sign_digest_deterministic(
        digest, hashfunc=hashlib.sha256, sigencode=sigencode_strings, allow_truncate=True
    )
    return int.from_bytes(r, "big"), int.from_bytes(s, "big")


def verify(key: PublicKey, message: bytes, r: int, s: int) -> bool:
    """Whether r and s, both inside the group, sign this message. Raises ImportError without the package."""
    from ecdsa.ecdsa import Signature

    digest = int.from_bytes(hashlib.sha256(message).digest()[:SIZE], "big")
    return bool(_verifier(key).verifies(digest, Signature(r, s)))


@lru_cache(maxsize=256)
def _verifier(key: PublicKey) -> Any:
    from ecdsa.ecdsa import Public_key
    from ecdsa.ellipticcurve import Point

    generator = _generator()
    return Public_key(generator, Point(generator.curve(), key.x, key.y, ORDER))


@cache
def _generator() -> Any:
    from ecdsa.ellipticcurve import CurveFp, PointJacobi

    return PointJacobi(CurveFp(_P, 0, _B, 1), _X, _Y, 1, ORDER, generator=True)


@cache
def _curve() -> Any:
    from ecdsa.curves import Curve

    generator = _generator()
    return Curve("SECP192k1", generator.curve(), generator, (1, 3, 132, 0, 31))
