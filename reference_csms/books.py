"""The books as plain rows: every table of `sim.evidence.schema.BOOKS`, without the column `backend`.

Read-only. Signed records keep their exact text; nothing is summed, rounded or left out on the way.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import msgspec
from msgspec import Struct

from reference_csms import records
from reference_csms.authorization import Access
from reference_csms.billing.ledger import journal_row
from reference_csms.money_books import money_views
from reference_csms.pricing.rating import Cdr
from reference_csms.records import (
    BILLS,
    CDRS,
    CORRECTIONS,
    JOURNAL,
    QUARANTINE,
    RATED,
    RECORDS,
    SESSIONS,
    SITES,
    STATIONS,
    TOKENS,
    Quarantined,
    Rated,
    Session,
    Site,
    Station,
    Token,
)
from reference_csms.stations import Stations
from reference_csms.storage.port import Store
from reference_csms.trail import TRAILS, Trail
from reference_csms.views import Pairs, View
from sim.backend import Books, Row
from sim.clock import Instant
from sim.evidence import schema

_encode = msgspec.json.Encoder(order="sorted").encode


class Bookkeeper:
    """Shows the books of a store."""

    def __init__(self, store: Store, stations: Stations, access: Access) -> None:
        self._store = store
        self._stations = stations
        self._access = access
        self._views: dict[str, View | Pairs] = {
            "books_stations": View(STATIONS, self._station, keep=lambda row: row.policy != records.FOREIGN),
            "books_transactions": View(SESSIONS, _transaction),
            "books_events": View(TRAILS, _events),
            "books_sessions": View(SESSIONS, _session),
            "books_records": View(RECORDS, partial(_columns, "books_records")),
            "books_cdrs": View(CDRS, _cdr),
            "books_rated": View(RATED, _rated),
            "books_bills": View(BILLS, partial(_columns, "books_bills")),
            "books_journal": View(JOURNAL, journal_row),
            "books_quarantine": View(QUARANTINE, _quarantined),
            "books_corrections": View(CORRECTIONS, partial(_columns, "books_corrections")),
            **money_views(),
        }

    def views(self, now: Instant) -> dict[str, View | Pairs]:
        """Each book by its name. `books_access` holds the decisions as they would be now."""
        return {**self._views, "books_access": Pairs(TOKENS, SITES, partial(self._decided, now))}

    def books(self, now: Instant) -> Books:
        """All tables as they stand."""
        return {name: view.rows(self._store) for name, view in self.views(now).items()}

    def _station(self, row: Station) -> Row:
        state = self._stations.find(row.station)
        assert state is not None
        life = self._stations.life(state)
        data = {
            "boots": row.boots,
            "boot": row.boot,
            "messages": life.messages,
            "statuses": {str(connector): list(status) for connector, status in sorted(life.statuses.items())},
            "registers": {str(connector): wh for connector, wh in sorted(life.registers.items())},
            "configuration": life.configuration,
        }
        return {
            "station": row.station,
            "site": row.site,
            "registration": "closed" if row.policy == records.CLOSE else row.registration,
            "connected": int(state.connection is not None),
            "first_seen": row.first_seen,
            "last_seen": state.last_seen,
            "data": _encode(data).decode(),
        }

    def _decided(self, now: Instant, token: Token, site: Site) -> Row:
        decision = self._access.decide(token.token, site.site, now)[0]
        return {"token": token.token, "site": site.site, "grp": token.grp, "decision": decision}


def _columns(table: str, row: Struct) -> Row:
    """The columns of a table from the attributes of the same names."""
    return {name: getattr(row, name) for name in schema.BOOKS[table]}


def _transaction(session: Session) -> Row:
    row = _some(session, "books_transactions", state=session.transaction_state, reason=session.stop_reason)
    return row


def _events(trail: Trail) -> Row:
    return _some(trail, "books_events", missing=_encode(trail.missing).decode())


def _session(session: Session) -> Row:
    tariff = session.tariff
    return _some(
        session,
        "books_sessions",
        tariff_id=tariff.tariff_id if tariff else None,
        tariff_version=tariff.version if tariff else None,
    )


def _cdr(cdr: Cdr) -> Row:
    periods = [
        {"start": p.start, "end": p.end, "energy_kwh": format(p.energy_kwh, "f"), "idle": p.idle} for p in cdr.periods
    ]
    return _some(
        cdr,
        "books_cdrs",
        kwh=format(cdr.kwh, "f"),
        time_billable=int(cdr.time_billable),
        credit=int(cdr.credit),
        periods=_encode(periods).decode(),
    )


def _rated(row: Rated) -> Row:
    lines = _encode([line.as_row() for line in row.rated.lines]).decode()
    own = {"rated_id": row.rated_id, "version": row.version, "effective": int(row.effective), "lines": lines}
    return _some(row.rated, "books_rated", **own)


def _quarantined(row: Quarantined) -> Row:
    """A row of the quarantine; a released one shows who released it, and why (INV-40)."""
    shown = _columns("books_quarantine", row)
    if row.released_by is not None:
        shown |= {"actor": row.released_by, "detail": f"{row.detail}; released: {row.released_because}"}
    return shown


def _some(struct: Struct, table: str, **own: Any) -> Row:
    """The columns of a table, some of them given and the others attributes of the same names."""
    return {name: own[name] if name in own else getattr(struct, name) for name in schema.BOOKS[table]}
