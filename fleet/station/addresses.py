"""Where a station finds its back-end: the addresses it dials, in order, and how another one is written down.

By the route of its kind (`migration`): own configuration keys, network profiles with a priority, or a place that only the
maker or a technician reaches. It dials nothing. Source: OCPP 2.0.1 B09, B10 for network profiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.station.desk import Desk


class Addresses:
    """The addresses of one station, as its flash and its configuration have them."""

    def __init__(self, desk: Desk, flash: Mapping[str, Any]) -> None:
        self._desk = desk
        self._own: str = flash.get("url", desk.config.url)

    def urls(self) -> list[str]:
        """What to dial, the first one first; never empty."""
        migration, keys = self._desk.profile.migration, self._desk.keys
        if migration.route == "vendor_key":
            return [keys[migration.url_key]]
        if migration.route == "network_profile":
            urls = [keys[f"NetworkConnectionProfile{slot}"] for slot in keys["NetworkConfigurationPriority"]]
            return [url for url in urls if url] or [self._desk.config.url]
        return [self._own]

    def write(self, url: str) -> None:
        """Somebody on site, or the maker, writes down another address; the configuration follows."""
        desk, migration = self._desk, self._desk.profile.migration
        if migration.route not in ("vendor_key", "network_profile"):
            desk.persist("url", url)
            return
        slot = "" if migration.route == "vendor_key" else desk.keys["NetworkConfigurationPriority"][0]
        name = migration.url_key if migration.route == "vendor_key" else f"NetworkConnectionProfile{slot}"
        desk.keys.change(name, url)
        desk.persist(f"config/{name}", desk.keys.text(name))
