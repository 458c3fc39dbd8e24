"""Who may connect: the OCPP security profiles 0 to 3, and stations on first contact.

It decides about handshakes only. Sources: OCPP 1.6 security whitepaper §2; OCPP 2.0.1 Part 2 A00.
"""

from __future__ import annotations

import re

from msgspec import Struct

from reference_csms import records
from reference_csms.passwords import opens
from reference_csms.records import STATIONS, Station
from reference_csms.storage.port import Store
from sim.backend import Proof, Refusal
from sim.clock import Instant

UNSECURED, BASIC, TLS_BASIC, TLS_CLIENT = range(4)
_IDENTITY = re.compile(r"[!-~]([ -~]{0,46}[!-~])?")
_NO_TLS = Refusal(403, "this station has to connect by TLS")
_NOT_BASIC = Refusal(401, "Basic authentication with the station's identity as the user")
_WRONG = Refusal(401, "wrong user or password")
_NO_CERTIFICATE = Refusal(401, "a client certificate with the station's identity as common name")


class FirstContact(Struct, frozen=True):
    """Stations that nobody announced are taken in at this site."""

    site: str


class Guard:
    """Judges handshakes. `least` is the lowest security profile that this house takes."""

    def __init__(self, store: Store, least: int = UNSECURED, first: FirstContact | None = None) -> None:
        self._store = store
        self._least = least
        self._first = first

    def authenticate(self, identity: str, proof: Proof, now: Instant) -> Refusal | None:
        """None, or why not. A station with a password has to show it whatever its profile says."""
        row = self._store.get(STATIONS, identity)
        profile = max(self._least, row.security_profile if row is not None else UNSECURED)
        if profile >= TLS_BASIC and not proof.secure:
            return _NO_TLS
        if profile == TLS_CLIENT:
            return None if proof.certificate == identity else _NO_CERTIFICATE
        if proof.malformed is not None:
            return Refusal(401, f"the Authorization header is wrong: {proof.malformed}")
        secret = row.secret if row is not None else None
        if profile < BASIC and secret is None:
            return None
        if proof.user is None or proof.password is None:
            return _NOT_BASIC
        if proof.user != identity or secret is None or not opens(secret, identity, proof.password):
            return _WRONG
        return None

    def meet(self, identity: str) -> bool:
        """Whether a station that nobody announced is taken in; then it has a row from now on."""
        if self._first is None or not _IDENTITY.fullmatch(identity) or self._store.get(STATIONS, identity) is not None:
            return False
        row = Station(
            station=identity,
            site=self._first.site,
            policy=records.ACCEPT,
            registration=records.UNKNOWN,
            tariff_id=None,
            configuration={},
            power_w=None,
            heartbeat_s=None,
        )
        self._store.insert(STATIONS, row)
        return True
