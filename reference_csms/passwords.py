"""Passwords of stations (OCPP security profiles 1 and 2): kept as a digest, compared in constant time, never shown.

A plain keyed digest and no slow one: these passwords are long and random by the standard (AuthorizationKey, at least 16
bytes), and 5,000 stations that come back at once must not wait for 5,000 slow ones.
"""

from __future__ import annotations

import hashlib
import hmac


def sealed(station: str, password: str) -> str:
    """What is kept of the password of a station. A hexadecimal text stands for its bytes, in either case."""
    return _digest(station, _bytes(password))


def opens(kept: str, station: str, given: bytes) -> bool:
    """Whether the password sent by a station is the one kept: its bytes, or the hexadecimal text of them."""
    as_text = _bytes(given.decode("utf-8", "replace"))
    fits = [hmac.compare_digest(kept, _digest(station, one)) for one in (given, as_text)]
    return any(fits)


def _bytes(password: str) -> bytes:
    try:
        return bytes.fromhex(password) if not any(char.isspace() for char in password) else password.encode()
    except ValueError:
        return password.encode()


def _digest(station: str, password: bytes) -> str:
    return hmac.new(station.encode(), password, hashlib.sha256).hexdigest()
