"""Transactions as the station reports them: start, stop, and both again.

Every start and stop gets an answer, whatever it contains (INV-05); what cannot be billed is held by the quarantine.
The same start or stop delivered n times is one row with equal answers (INV-04), and a closed session never changes
(INV-06).
"""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from reference_csms.authorization import Access
from reference_csms.catalogue import Catalogue
from reference_csms.commands import Answer, Start, Stop, TransactionId
from reference_csms.matching import CLOSE, REPEAT, Match, SessionView
from reference_csms.metering.check import RecordCheck
from reference_csms.numbers import Numbers
from reference_csms.parts import Parts
from reference_csms.quarantine import SECOND_STOP, UNKNOWN_TRANSACTION, Quarantine
from reference_csms.records import FOREIGN_STOPS, SESSIONS, ForeignStop, Session
from reference_csms.settlement import Settlement
from reference_csms.storage.port import Store


class Sessions:
    """Opens and closes sessions in a store."""

    def __init__(
        self,
        store: Store,
        parts: Parts,
        access: Access,
        catalogue: Catalogue,
        numbers: Numbers,
        check: RecordCheck,
        quarantine: Quarantine,
        settlement: Settlement,
        backend: str,
        transaction_base: int,
        started: Callable[[Session], None] | None = None,
    ) -> None:
        self._store = store
        self._parts = parts
        self._access = access
        self._catalogue = catalogue
        self._numbers = numbers
        self._check = check
        self._quarantine = quarantine
        self._settlement = settlement
        self._backend = backend
        self._base = transaction_base
        self._started = started
        self._view = SessionView(store)

    def start(self, start: Start) -> Answer:
        """Open a session, or find the one that this start opened before."""
        known = self._store.find(SESSIONS, "start_key", start.key)
        for told in () if known else self._store.find(FOREIGN_STOPS, "start_key", start.key):
            return Answer(told.start_status, told.grp, told.transaction_id)  # begun and ended at another back-end
        session = known[0] if known else self._open(start)
        return Answer(session.token_status, session.grp, session.transaction_id)

    def _open(self, start: Start) -> Session:
        site = self._catalogue.site_of(start.station)
        status, token = self._access.decide_start(start.id_tag, site, start.received_at)
        own = start.transaction_id
        session = Session(
            session_id=self.next_id(),
            transaction_id=self._parts.transaction_ids(self._base, self._numbers.next("transaction"))
            if own is None
            else own,
            issuer=self._backend if own is None else start.station,
            station=start.station,
            connector=start.connector,
            site=site,
            id_tag=start.id_tag,
            token_status=status,
            customer=token.customer if token else None,
            grp=token.grp if token else None,
            meter_start=start.meter_start,
            started_at=start.at,
            received_start_at=start.received_at,
            tariff=self._catalogue.tariff_for(site, start.station, start.at),
            start_key=start.key,
        )
        self._store.insert(SESSIONS, session)
        if self._started is not None:
            self._started(session)
        return session

    def next_id(self) -> str:
        """A new session id."""
        return f"{self._backend}-s-{self._numbers.next('session'):06d}"

    def stop(self, stop: Stop) -> Answer:
        """Close the session that this stop belongs to, or hold the stop."""
        match = self._parts.match_stop(self._view, stop)
        session = match.session
        if session is None:
            return self._unmatched(stop, match)
        verdict = self._parts.deduplicate_stop(session, stop)
        if verdict == REPEAT:
            return Answer(session.stop_status, session.grp if session.stop_status else None)
        answer = self.on_token(stop)
        if verdict == CLOSE:
            self._settlement.close(session, stop, answer)
            return replace(answer, connector=session.connector)
        self._hold(stop, SECOND_STOP, f"session {session.session_id} was closed with other values", session, answer)
        return answer

    def _unmatched(self, stop: Stop, match: Match) -> Answer:
        """Answer a stop of no session here. One that another back-end booked before is its row, not ours (INV-04)."""
        foreign = self._foreign(stop)
        if foreign is not None and foreign.stop_key == stop.key:
            return Answer(foreign.stop_status, foreign.grp if foreign.stop_status else None)
        answer = self.on_token(stop)
        if foreign is not None:
            detail = f"transaction {foreign.transaction_id} was closed at {foreign.issuer} with other values"
            self._hold(stop, SECOND_STOP, detail, None, answer)
        else:
            self._hold(stop, match.reason, match.detail, None, answer)
        return answer

    def _foreign(self, stop: Stop) -> ForeignStop | None:
        """What another back-end said of this transaction. Without an id (1.6 errata §3.18) only an equal stop is it.

        Neither is more than an equal stop the same as one that the other back-end could not match and holds.
        """
        closed = None
        for known in self._store.find(FOREIGN_STOPS, "station", stop.station):
            same = known.transaction_id == stop.transaction_id
            if known.stop_key == stop.key and (same or _without_id(stop)):
                return known
            if same and not known.held:
                closed = closed or known
        return closed

    def _hold(self, stop: Stop, reason: str, detail: str, session: Session | None, answer: Answer) -> None:
        """Hold a stop that closes nothing. Only one of an unknown transaction stands for energy of its own."""
        judgement = self._check.unmatched(stop.values, reason)
        energy = judgement.energy_kwh if reason == UNKNOWN_TRANSACTION else None
        energy_wh = None if energy is None else int(energy * 1000)
        self._quarantine.hold(reason, detail, stop, judgement, session, energy_wh, answer)
        self._quarantine.keep_records(judgement, None, stop.station, stop.received_at)

    def on_token(self, stop: Stop) -> Answer:
        """The word on the idTag of a stop, if it names one."""
        if stop.id_tag is None:
            return Answer(None)
        site = self._catalogue.site_of(stop.station)
        status, token = self._access.decide(stop.id_tag, site, stop.received_at)
        return Answer(status, token.grp if token else None)

    def of_start(self, key: str) -> Session | None:
        """The session that a start with this business key opened."""
        return next(iter(self._store.find(SESSIONS, "start_key", key)), None)

    def find_open(self, station: str, connector: int) -> Session | None:
        """The open session at a connector, the latest if an older one never ended."""
        found = [
            session for session in self._store.find(SESSIONS, "open_at", station) if session.connector == connector
        ]
        return max(found, key=lambda session: (session.started_at, session.session_id), default=None)

    def open_transactions(self, station: str) -> list[TransactionId]:
        """The transaction ids that are open at a station."""
        return [session.transaction_id for session in self._store.find(SESSIONS, "open_at", station)]


def _without_id(stop: Stop) -> bool:
    """Whether the station never learnt the id of this transaction (1.6 errata §3.18)."""
    return isinstance(stop.transaction_id, int) and stop.transaction_id <= 0
