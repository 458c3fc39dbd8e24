"""A test authority with certificates for a server and for stations (OCPP security profiles 2 and 3), as PEM files.

For tests only: the keys lie unencrypted beside the certificates. Two server certificates, ECDSA and RSA, because a
station may know only one kind (OCPP 2.0.1 Part 2 A00.FR.317). Sources: OCPP 1.6 security whitepaper §3; RFC 5280.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from msgspec import Struct

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
AUTHORITY = "chargerig test authority"
_RSA_BITS = 2048
_SLACK = timedelta(hours=1)


class Authority(Struct, frozen=True):
    """A certificate authority that signs for `days` from `begin` on."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    begin: datetime
    days: int


def authority(organisation: str, begin: datetime, days: int) -> Authority:
    """A new authority. `begin` is an aware datetime."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(AUTHORITY, organisation)
    certificate = (
        _builder(name, name, key, begin, days)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .sign(key, SHA256())
    )
    return Authority(key, certificate, begin, days)


def issue_server(by: Authority, names: Sequence[str], organisation: str, kind: str) -> tuple[Key, x509.Certificate]:
    """A server certificate for these host names and addresses; `kind` is ecdsa or rsa."""
    key: Key = (
        ec.generate_private_key(ec.SECP256R1()) if kind == "ecdsa" else rsa.generate_private_key(65537, _RSA_BITS)
    )
    certificate = (
        _builder(_name(names[0], organisation), by.certificate.subject, key, by.begin, by.days)
        .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(by.key, SHA256())
    )
    return key, certificate


def issue_station(by: Authority, station: str, organisation: str) -> tuple[Key, x509.Certificate]:
    """A client certificate whose common name is the identity of a station."""
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        _builder(_name(station, organisation), by.certificate.subject, key, by.begin, by.days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(by.key, SHA256())
    )
    return key, certificate


def write_pair(folder: Path, stem: str, key: Key, certificate: x509.Certificate) -> tuple[Path, Path]:
    """Write STEM.pem and STEM.key (readable by their owner only); returns both paths."""
    shown, hidden = folder / f"{stem}.pem", folder / f"{stem}.key"
    shown.write_bytes(certificate.public_bytes(Encoding.PEM))
    hidden.touch(mode=0o600)
    hidden.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return shown, hidden


def now_utc(instant_ms: int) -> datetime:
    """The aware datetime of an instant, for `authority`."""
    return datetime.fromtimestamp(instant_ms / 1000, UTC)


def _builder(subject: x509.Name, issuer: x509.Name, key: Key, begin: datetime, days: int) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin - _SLACK)
        .not_valid_after(begin + timedelta(days=days))
    )


def _name(common: str, organisation: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
