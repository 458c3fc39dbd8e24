"""The key registry: which public key a meter signs with, at which connector, in which time.

A key that arrives in a message is never trusted; only what an operator registered counts (OCMF back-end duties: key by
meter and time, compared with the connector that the session ran on).
"""

from __future__ import annotations

from reference_csms.records import METERS, Meter
from reference_csms.storage.port import Store


class KeyRegistry:
    """Look-ups in the registered meters of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, meter_id: str, station: str, connector: int, at: int) -> Meter | None:
        """The entry of this meter at this connector valid at an instant (`valid_to` exclusive), None if none is."""
        for meter in reversed(self._store.find(METERS, "meter_id", meter_id)):
            here = meter.station == station and meter.connector == connector
            if here and meter.valid_from <= at and (meter.valid_to is None or at < meter.valid_to):
                return meter
        return None

    def why_not(self, meter_id: str, station: str, connector: int) -> str:
        """Why `find` found nothing, for the quarantine: a sentence for an operator."""
        entries = self._store.find(METERS, "meter_id", meter_id)
        if not entries:
            return f"no key is registered for meter {meter_id or '(none named)'}"
        if any(meter.station == station and meter.connector == connector for meter in entries):
            return f"no key of meter {meter_id} is valid at that time"
        places = ", ".join(f"{meter.station}*{meter.connector}" for meter in entries)
        return f"meter {meter_id} is registered at {places}, not at {station}*{connector}"
