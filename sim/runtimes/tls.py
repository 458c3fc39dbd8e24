"""SSL contexts as OCPP wants them: TLS 1.2 or later, the four cipher suites, client certificates for profile 3.

Sources: OCPP 1.6 security whitepaper §3.2; OCPP 2.0.1 Part 2 A00.FR.309 to FR.318.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from pathlib import Path

from sim.errors import BadInput

CIPHERS = "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:AES128-GCM-SHA256:AES256-GCM-SHA384"
"""What a back-end must offer; TLS 1.3 has suites of its own."""
MORE_CIPHERS = "ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"


def server_context(pairs: Sequence[tuple[Path, Path]], client_ca: Path | None, required: bool) -> ssl.SSLContext:
    """For a server with these certificates and keys. With `client_ca` stations are asked for theirs.

    `required`: a station without one cannot connect. Raises BadInput naming the file.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{CIPHERS}:{MORE_CIPHERS}")
    context.options |= ssl.OP_NO_COMPRESSION
    for certificate, key in pairs:
        _load(context, certificate, key)
    if client_ca is not None:
        _trust(context, client_ca)
        context.verify_mode = ssl.CERT_REQUIRED if required else ssl.CERT_OPTIONAL
    return context


def client_context(ca: Path | None, pair: tuple[Path, Path] | None) -> ssl.SSLContext:
    """For stations that trust this authority (None: the system's) and show this certificate. Raises BadInput."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca is not None:
        _trust(context, ca)
    if pair is not None:
        _load(context, *pair)
    return context


def _load(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    for file in (certificate, key):
        if not file.is_file():
            raise BadInput(str(file), None, "there is no such file", "a PEM file")
    try:
        context.load_cert_chain(certificate, key)
    except (ssl.SSLError, OSError) as err:
        raise BadInput(
            str(certificate), None, f"it cannot be used with {key}: {err}", "PEM, and the key of it"
        ) from None


def _trust(context: ssl.SSLContext, ca: Path) -> None:
    try:
        context.load_verify_locations(ca)
    except (ssl.SSLError, OSError) as err:
        raise BadInput(str(ca), None, f"no certificates can be read from it: {err}", "PEM certificates") from None
