"""Who may ask: bearer tokens with scopes. Only digests are kept, and all of them are compared in constant time."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from msgspec import Struct

from sim.errors import BadInput

READ = "read"
OPERATE = "operate"
PROVISION = "provision"
SCOPES = (READ, OPERATE, PROVISION)
LEAST = 16
"""Characters of a token. A shorter one could be guessed."""


class ApiToken(Struct, frozen=True):
    """Somebody who may use the API: a name for logs, the digest of the secret, and what it may do. See `api_token`."""

    name: str
    digest: bytes
    scopes: tuple[str, ...]


def api_token(name: str, secret: str, scopes: Sequence[str] = SCOPES) -> ApiToken:
    """The token of a secret. Raises BadInput, which never repeats the secret."""
    for scope in scopes:
        if scope not in SCOPES:
            raise BadInput("token", f"{name}.scopes", f"{scope!r} is unknown", SCOPES)
    if len(secret) < LEAST or not secret.isascii() or not secret.isprintable() or " " in secret:
        allowed = f"{LEAST} or more printable ASCII characters without blanks"
        raise BadInput("token", f"{name}.secret", "cannot be used as a token", allowed)
    return ApiToken(name, _digest(secret.encode()), tuple(scopes))


class Doorkeeper:
    """Tells by the Authorization header who asks."""

    def __init__(self, tokens: Sequence[ApiToken]) -> None:
        self._tokens = tuple(tokens)

    def who(self, header: str | None, also_ocpi: bool = False) -> ApiToken | None:
        """The token of a header, None if there is none or it is unknown.

        `Bearer SECRET`; for OCPI also `Token BASE64` (OCPI 2.2.1 §4.1.1) or, as before 2.2, `Token SECRET`.
        """
        scheme, _, given = (header or "").strip().partition(" ")
        scheme, given = scheme.lower(), given.strip()
        if scheme == "bearer":
            return self._find([given.encode("utf-8", "replace")])
        if scheme == "token" and also_ocpi:
            return self._find([given.encode("utf-8", "replace"), _decoded(given)])
        return None

    def _find(self, candidates: Sequence[bytes]) -> ApiToken | None:
        digests = [_digest(one) for one in candidates if one]
        fits = [token for token in self._tokens for one in digests if hmac.compare_digest(token.digest, one)]
        return fits[0] if fits else None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def _digest(secret: bytes) -> bytes:
    return hashlib.sha256(secret).digest()
