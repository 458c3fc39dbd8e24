"""Transactions from one back-end to the next, when a station moves in the middle of a charge or soon after one.

The old back-end gives an open transaction away and will not bill it any more; the new one takes it with the id that the
station knows, the issuer of that id and the tariff as frozen at the start (M04). Of a transaction that the old one closed
lately only the knowledge travels: the station may send its start or stop again, and the new back-end must recognise it
and book nothing (INV-04); so it is with stops that the old one holds in its quarantine. Both steps can be repeated without
harm, since the tool that asks for them may lose an answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec.structs import asdict, replace

from reference_csms import records
from reference_csms.pricing.tariffs import tariff_from_row, tariff_to_row
from reference_csms.quarantine import SECOND_STOP
from reference_csms.records import FOREIGN_STOPS, QUARANTINE, SESSIONS, ForeignStop, Quarantined, Session
from reference_csms.sessions import Sessions
from reference_csms.storage.port import Store
from sim.backend import Row
from sim.clock import DAY, Instant
from sim.errors import BadInput

RECENT = DAY
"""How long after its closing a transaction is still told to the next back-end, in ms."""

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
_CLOSED = tuple(name for name in ForeignStop.__struct_fields__ if name not in ("key", "held"))
_OPTIONAL = ("customer", "grp", "stop_status", "start_key", "start_status")
_INSTANTS = ("started_at", "received_start_at", "closed_at")


class HandOver:
    """Export and import of open transactions, and of the stops of those closed lately."""

    def __init__(
        self, store: Store, sessions: Sessions, left: Callable[[Session, Instant], None] | None = None
    ) -> None:
        self._store = store
        self._left = left
        self._sessions = sessions

    def export(self, station: str, now: Instant) -> list[Row]:
        """Give away the open transactions of a station, and tell the stops of the last 24 hours.

        Open ones given away before are named again. What was closed (`state` "closed") or held because no session was
        its own (`state` "held") stays as it is here: the next back-end only has to recognise it.
        """
        opened: list[Row] = []
        closed: list[ForeignStop] = []
        for session in self._store.find(SESSIONS, "station", station):
            if session.transaction_state == records.OPEN:
                given = replace(session, transaction_state=records.HANDED_OVER, state=records.HANDED_OVER)
                self._store.update(SESSIONS, given)
                if self._left is not None:
                    self._left(given, now)
                opened.append(self._row(session))
            elif session.transaction_state == records.HANDED_OVER:
                opened.append(self._row(session))
            else:
                closed.append(_stop_of(session))
        closed += [_held(row) for row in self._store.find(QUARANTINE, "station", station) if _is_extra(row)]
        closed += self._store.find(FOREIGN_STOPS, "station", station)
        return opened + [_closed_row(stop) for stop in closed if stop.closed_at >= now - RECENT]

    def take(self, rows: Sequence[Row]) -> int:
        """Take transactions over; returns how many are new or open again here. Raises BadInput."""
        read = [_read_closed(row, n) if _is_closed(row) else _read(row, n) for n, row in enumerate(rows)]
        return sum(self._learn(row) if isinstance(row, ForeignStop) else self._take(row) for row in read)

    def _take(self, row: dict[str, Any]) -> bool:
        for known in self._store.find(SESSIONS, "transaction_ref", str(row["transaction_id"])):
            if known.issuer == row["issuer"] and known.station == row["station"]:
                if known.transaction_state != records.HANDED_OVER:
                    return False
                self._store.update(SESSIONS, replace(known, transaction_state=records.OPEN, state=records.OPEN))
                return True
        self._store.insert(SESSIONS, Session(session_id=self._sessions.next_id(), **row))
        return True

    def _learn(self, stop: ForeignStop) -> bool:
        """Keep a stop that was booked elsewhere. The first that was told stays, as with any stop (INV-06)."""
        if self._store.get(FOREIGN_STOPS, stop.key) is not None:
            return False
        self._store.insert(FOREIGN_STOPS, stop)
        return True

    @staticmethod
    def _row(session: Session) -> Row:
        row: Row = {name: getattr(session, name) for name in _PLAIN}
        row["state"] = records.OPEN
        row["tariff"] = tariff_to_row(session.tariff) if session.tariff else None
        return row


def _stop_of(session: Session) -> ForeignStop:
    """What another back-end must know of a closed session."""
    assert session.received_stop_at is not None and session.stop_key is not None
    return ForeignStop(
        key=f"{session.issuer}|{session.station}|{session.transaction_id}",
        transaction_id=session.transaction_id,
        issuer=session.issuer,
        station=session.station,
        grp=session.grp,
        closed_at=session.received_stop_at,
        stop_key=session.stop_key,
        stop_status=session.stop_status,
        start_key=session.start_key,
        start_status=session.token_status,
    )


def _is_extra(row: Quarantined) -> bool:
    """Whether a held stop closed no session: a stop of nobody, of somebody else, or a second one."""
    return row.session_id is None or row.reason == SECOND_STOP


def _held(row: Quarantined) -> ForeignStop:
    """What another back-end must know of a stop that is held here. Its id is not one that anybody here gave out."""
    return ForeignStop(
        key=f"held|{row.station}|{row.transaction_id}|{row.stop_key}",
        transaction_id=row.transaction_id,
        issuer="",
        station=row.station,
        grp=row.grp,
        closed_at=row.at,
        stop_key=row.stop_key,
        stop_status=row.stop_status,
        held=True,
    )


def _closed_row(stop: ForeignStop) -> Row:
    row: Row = asdict(stop)
    del row["key"]
    row["state"] = records.HELD if row.pop("held") else records.CLOSED
    return row


def _is_closed(row: Row) -> bool:
    return row.get("state") in (records.CLOSED, records.HELD)


def _values(row: Row, n: int, names: Sequence[str]) -> dict[str, Any]:
    """The named values of a row, instants as such. Raises BadInput."""
    missing = [name for name in names if name not in _OPTIONAL and row.get(name) is None]
    if missing:
        raise BadInput("open-transactions", f"[{n}].{missing[0]}", "is missing", names)
    return {name: Instant(row[name]) if name in _INSTANTS else row.get(name) for name in names}


def _read(row: Row, n: int) -> dict[str, Any]:
    """The fields of a session. Raises BadInput."""
    values = _values(row, n, _PLAIN)
    values["tariff"] = tariff_from_row(row["tariff"], "open-transactions") if row.get("tariff") else None
    return values


def _read_closed(row: Row, n: int) -> ForeignStop:
    """The stop of a closed or held row. Raises BadInput."""
    values = _values(row, n, _CLOSED)
    place = f"{values['station']}|{values['transaction_id']}"
    held = row.get("state") == records.HELD
    key = f"held|{place}|{values['stop_key']}" if held else f"{values['issuer']}|{place}"
    return ForeignStop(key=key, held=held, **values)
