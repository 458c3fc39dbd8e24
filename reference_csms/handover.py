"""Open transactions from one back-end to the next, when a station moves in the middle of a charge.

The old back-end gives a transaction away and will not bill it any more; the new one takes it with the id that the
station knows, the issuer of that id and the tariff as frozen at the start (M04). Both steps can be repeated without
harm, since the tool that asks for them may lose an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec.structs import replace

from reference_csms import records
from reference_csms.pricing.tariffs import tariff_from_row, tariff_to_row
from reference_csms.records import SESSIONS, Session
from reference_csms.sessions import Sessions
from reference_csms.storage.port import Store
from sim.backend import Row
from sim.clock import Instant
from sim.errors import BadInput

_PLAIN = (
    "transaction_id",
    "issuer",
    "station",
    "connector",
    "site",
    "id_tag",
    "token_status",
    "customer",
    "grp",
    "meter_start",
    "started_at",
    "received_start_at",
    "start_key",
)
_OPTIONAL = ("customer", "grp")


class HandOver:
    """Export and import of open transactions."""

    def __init__(self, store: Store, sessions: Sessions) -> None:
        self._store = store
        self._sessions = sessions

    def export(self, station: str) -> list[Row]:
        """Give away the open transactions of a station. Those given away before are named again."""
        rows = []
        for session in self._store.find(SESSIONS, "station", station):
            if session.transaction_state == records.OPEN:
                given = replace(session, transaction_state=records.HANDED_OVER, state=records.HANDED_OVER)
                self._store.update(SESSIONS, given)
            elif session.transaction_state != records.HANDED_OVER:
                continue
            rows.append(self._row(session))
        return rows

    def take(self, rows: Sequence[Row]) -> int:
        """Take open transactions over; returns how many are new or open again here. Raises BadInput."""
        read = [_read(row, n) for n, row in enumerate(rows)]
        return sum(self._take(values) for values in read)

    def _take(self, row: dict[str, Any]) -> bool:
        for known in self._store.find(SESSIONS, "transaction_id", row["transaction_id"]):
            if known.issuer == row["issuer"] and known.station == row["station"]:
                if known.transaction_state != records.HANDED_OVER:
                    return False
                self._store.update(SESSIONS, replace(known, transaction_state=records.OPEN, state=records.OPEN))
                return True
        self._store.insert(SESSIONS, Session(session_id=self._sessions.next_id(), **row))
        return True

    @staticmethod
    def _row(session: Session) -> Row:
        row: Row = {name: getattr(session, name) for name in _PLAIN}
        row["tariff"] = tariff_to_row(session.tariff) if session.tariff else None
        return row


def _read(row: Row, n: int) -> dict[str, Any]:
    """The fields of a session. Raises BadInput."""
    missing = [name for name in _PLAIN if name not in _OPTIONAL and row.get(name) is None]
    if missing:
        raise BadInput("open-transactions", f"[{n}].{missing[0]}", "is missing", _PLAIN)
    values: dict[str, Any] = {name: row.get(name) for name in _PLAIN}
    for name in ("started_at", "received_start_at"):
        values[name] = Instant(values[name])
    values["tariff"] = tariff_from_row(row["tariff"], "open-transactions") if row.get("tariff") else None
    return values
