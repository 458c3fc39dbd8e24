"""The meter of one connector: an integer register that is a pure function of time, and the pen that signs it.

Energy is counted in watt-milliseconds (3,600,000 of them are one Wh), so nothing is ever rounded away: the register
shows whole Wh, the rest stays for the next session. The meter never knows prices, transactions ids or the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from sim.clock import Instant
from sim.rng import derive, stream
from sim.wire import ocmf
from sim.wire.ocmf_wrap import oca_key

WMS_PER_WH = 3_600_000
"""Watt-milliseconds in a watt-hour."""


def meter_id_of(station: str, connector: int) -> str:
    """The serial number on the meter of this connector."""
    return f"M-{station}-{connector}"


@cache
def key_of(seed: object, meter_id: str) -> ocmf.PrivateKey:
    """The meter's private key, from the seed alone."""
    return ocmf.private_key(derive(seed, "meter-key", meter_id))


@cache
def public_key_of(seed: object, meter_id: str) -> str:
    """The public key as printed on the meter: SPKI DER in hex."""
    return ocmf.public_key_hex(key_of(seed, meter_id))


def published_key(public_key: str) -> str:
    """The value of the key MeterPublicKey<connectorId> (OCA note §3.2.2)."""
    return oca_key(public_key)


class Meter:
    """One meter. Its register and its page counter outlive every power loss of the station around it."""

    __slots__ = ("_base", "_limit", "_power", "_since", "key", "meter_id", "pagination")

    def __init__(self, meter_id: str, key: ocmf.PrivateKey, register_wh: int, pagination: int = 0) -> None:
        self.meter_id = meter_id
        self.key = key
        self.pagination = pagination
        self._base = register_wh * WMS_PER_WH
        self._since = 0
        self._power = 0
        self._limit = 0

    def flow(self, now: int, power_w: int, limit_wms: int) -> None:
        """From now on this power flows, until `limit_wms` watt-milliseconds have passed or `halt` is called."""
        if self._power:
            raise ValueError(f"{self.meter_id}: power flows already")
        self._since, self._power, self._limit = now, power_w, limit_wms

    def halt(self, now: int) -> int:
        """No power flows from now on. Returns the watt-milliseconds since `flow`."""
        passed = self._passed(now)
        self._base += passed
        self._power = self._limit = 0
        return passed

    def register(self, now: int) -> int:
        """What the display shows, in whole Wh."""
        return (self._base + self._passed(now)) // WMS_PER_WH

    def show(self, now: int) -> tuple[int, int]:
        """The register in whole Wh, and the power that flows at this moment in W."""
        passed = self._power * (now - self._since)
        if passed < self._limit:
            return (self._base + passed) // WMS_PER_WH, self._power
        return (self._base + self._limit) // WMS_PER_WH, 0

    def _passed(self, now: int) -> int:
        passed = self._power * (now - self._since)
        return passed if passed < self._limit else self._limit

    def sign(
        self,
        *,
        station: str,
        connector: int,
        id_tag: str,
        id_type: str,
        letter: str,
        readings: Sequence[tuple[int, str, int]],
        vendor: str = "",
        model: str = "",
    ) -> str:
        """One OCMF record of these readings (instant, mark, Wh). The page counter goes up by one (OCMF §PG)."""
        self.pagination += 1
        return ocmf.build(
            meter_id=self.meter_id,
            station_id=station,
            connector=connector,
            pagination=self.pagination,
            id_tag=id_tag,
            id_type=id_type,
            readings=[ocmf.Reading(Instant(at), letter, mark, ocmf.kwh(wh)) for at, mark, wh in readings],
            key=self.key,
            meter_vendor=vendor,
            meter_model=model,
        )


def first_register(seed: object, meter_id: str) -> int:
    """What the meter showed when the run began, in Wh: it had a life before."""
    return stream(seed, "meter-register", meter_id).randrange(200_000, 60_000_000)
