"""The books as plain rows: every table of `sim.evidence.schema.BOOKS`, without the column `backend`.

Read-only. Signed records keep their exact text; nothing is summed, rounded or left out on the way.
"""

from __future__ import annotations

from typing import Any

import msgspec
from msgspec import Struct

from reference_csms import records
from reference_csms.authorization import Access
from reference_csms.billing.ledger import journal_row
from reference_csms.money_books import money_books
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
    TRAILS,
    Quarantined,
    Rated,
    Session,
    Station,
    Trail,
)
from reference_csms.stations import Stations
from reference_csms.storage.port import Store
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

    def books(self, now: Instant) -> Books:
        """All tables. `books_access` holds the decisions as they would be now."""
        store = self._store
        sessions = store.rows(SESSIONS)
        return {
            "books_stations": [self._station(row) for row in store.rows(STATIONS) if row.policy != records.FOREIGN],
            "books_transactions": [_transaction(session) for session in sessions],
            "books_events": [_events(trail) for trail in store.rows(TRAILS)],
            "books_sessions": [_session(session) for session in sessions],
            "books_records": [_columns("books_records", row) for row in store.rows(RECORDS)],
            "books_cdrs": [_cdr(cdr) for cdr in store.rows(CDRS)],
            "books_rated": [_rated(row) for row in store.rows(RATED)],
            "books_bills": [_columns("books_bills", bill) for bill in store.rows(BILLS)],
            "books_journal": [journal_row(entry) for entry in store.rows(JOURNAL)],
            "books_quarantine": [_quarantined(row) for row in store.rows(QUARANTINE)],
            "books_corrections": [_columns("books_corrections", row) for row in store.rows(CORRECTIONS)],
            **money_books(store),
            "books_access": self._accesses(now),
        }

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

    def _accesses(self, now: Instant) -> list[Row]:
        sites = [site.site for site in self._store.rows(SITES)]
        return [
            {
                "token": token.token,
                "site": site,
                "grp": token.grp,
                "decision": self._access.decide(token.token, site, now)[0],
            }
            for token in self._store.rows(TOKENS)
            for site in sites
        ]


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
