"""What the instruction sheet says about places: site, owner, zone and the tariff in force for a station.

Look-ups only. An unknown tariff or zone is None, never a default: a price may not be guessed (B11).
"""

from __future__ import annotations

from reference_csms.pricing.tariffs import ChangeTimes, Tariff, VersionAt, change_times, version_at
from reference_csms.records import OWNERS, SITES, STATIONS, TARIFFS, Owner
from reference_csms.storage.port import Store
from sim.clock import DAY


class Catalogue:
    """Places and their prices."""

    def __init__(self, store: Store, changes: ChangeTimes = change_times, in_force: VersionAt = version_at) -> None:
        self._store = store
        self._changes = changes
        self._in_force = in_force

    def site_of(self, station: str) -> str:
        """The site of a station, empty for an unknown one."""
        row = self._store.get(STATIONS, station)
        return row.site if row else ""

    def site_name(self, site: str) -> str:
        """What people call a site."""
        row = self._store.get(SITES, site)
        return row.name if row else site

    def owner_of(self, site: str) -> Owner | None:
        """Who sells at a site."""
        row = self._store.get(SITES, site)
        return self._store.get(OWNERS, row.owner) if row else None

    def tariff_id_for(self, site: str, station: str | None = None) -> str | None:
        """The tariff of a station: its own, else that of its site, else that of the owner."""
        station_row = self._store.get(STATIONS, station) if station else None
        site_row = self._store.get(SITES, site)
        owner = self.owner_of(site)
        named = (station_row and station_row.tariff_id, site_row and site_row.tariff_id, owner and owner.tariff_id)
        return next((tariff_id for tariff_id in named if tariff_id), None)

    def tariff_version(self, tariff_id: str | None, at: int) -> Tariff | None:
        """The version of a tariff that is in force at an instant."""
        return self._in_force(self._store.find(TARIFFS, "tariff_id", tariff_id), at) if tariff_id else None

    def tariff_for(self, site: str, station: str | None, at: int) -> Tariff | None:
        """The tariff version in force at a station at an instant."""
        return self.tariff_version(self.tariff_id_for(site, station), at)

    def change_times(self, station: str, now: int) -> tuple[str, ...]:
        """UTC times `HH:MM` of the present UTC day at which the energy price at this station changes."""
        site = self.site_of(station)
        tariff, owner = self.tariff_for(site, station, now), self.owner_of(site)
        return self._changes(tariff.bands, owner.zone, now // DAY) if tariff and owner else ()
