"""Everything that can be read of a back-end page by page: its books, the rows of its instruction sheet, OCPI objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec.structs import asdict

from reference_csms.books import Bookkeeper
from reference_csms.ocpi import Ocpi
from reference_csms.pricing.tariffs import tariff_to_row
from reference_csms.records import (
    BILLS,
    CDRS,
    JOURNAL,
    METERS,
    OWNERS,
    QUARANTINE,
    SESSIONS,
    SITES,
    STATIONS,
    TARIFFS,
    TOKENS,
    Meter,
    Token,
)
from reference_csms.storage.port import Store
from reference_csms.views import Pairs, View
from sim.backend import Row
from sim.clock import Instant


class Shown:
    """Pages, single rows and counts: `sim.showing.Showing` at an instant."""

    def __init__(self, store: Store, bookkeeper: Bookkeeper, ocpi: Ocpi) -> None:
        self._store = store
        self._bookkeeper = bookkeeper
        self._views: dict[str, View | Pairs] = {
            "owners": View(OWNERS, asdict),
            "sites": View(SITES, asdict),
            "tariffs": View(TARIFFS, tariff_to_row),
            "tokens": View(TOKENS, _token),
            "meters": View(METERS, _meter),
            **ocpi.views(),
        }

    def page(
        self, what: str, after: str | None, limit: int, now: Instant, where: Mapping[str, Any] | None = None
    ) -> list[tuple[str, Row]]:
        """At most `limit` rows above a cursor, each with its own."""
        return self._view(what, now).page(self._store, after, limit, where)

    def row(self, what: str, key: str, now: Instant) -> Row | None:
        """One row by its key; tokens are known in any case (OCPP 1.6 §3.9)."""
        return self._view(what, now).row(self._store, key.upper() if what == "tokens" else key)

    def tally(self) -> dict[str, int]:
        """How many there are of what is asked for often."""
        count = self._store.count
        sessions = count(SESSIONS)
        return {
            "stations": count(STATIONS),
            "sessions": sessions,
            "open_transactions": sessions - self._store.count_where(SESSIONS, "open_at", None),
            "bills": count(BILLS),
            "quarantine": count(QUARANTINE),
            "journal": count(JOURNAL),
            "ocpi_cdrs": count(CDRS),
            "ocpi_sessions": sessions,
            "ocpi_tariffs": count(TARIFFS),
            "ocpi_locations": count(SITES),
        }

    def _view(self, what: str, now: Instant) -> View | Pairs:
        view = self._views.get(what)
        return view if view is not None else self._bookkeeper.views(now)[what]


def _token(row: Token) -> Row:
    shown = asdict(row)
    del shown["key"]
    return shown


def _meter(row: Meter) -> Row:
    shown = asdict(row)
    del shown["key_id"]
    return shown
