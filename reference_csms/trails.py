"""Transactions told in numbered events (OCPP 2.0.1), made into the one start and the one stop that a session is.

An event counts once, by station, transaction and number, in whatever order events come: what an event needs and does not
have yet waits in the trail of its transaction. Every event is answered. Business lies elsewhere: `sessions` opens and
closes, the quarantine holds an end without a begin until that comes. Sources: OCPP 2.0.1 E01 to E15; INV-04, INV-05.
"""

from __future__ import annotations

from msgspec.structs import replace

from reference_csms.authorization import Access
from reference_csms.catalogue import Catalogue
from reference_csms.commands import Answer, Start, Stop, Told
from reference_csms.parts import Parts
from reference_csms.quarantine import UNKNOWN_TRANSACTION, Quarantine
from reference_csms.records import Session
from reference_csms.sessions import Sessions
from reference_csms.spans import with_number
from reference_csms.storage.port import Store, put
from reference_csms.trail import TRAILS, Sample, Trail

STARTED, UPDATED, ENDED = "started", "updated", "ended"
MOST_SAMPLES = 2_000
"""Readings that are kept of one transaction for what it has cost so far."""
MOST_VALUES = 2_000
"""Signed values that are kept of one transaction; with more than that its session lacks some and is held."""
LATE_BEGIN = "the begin of its transaction came after it"


class Trails:
    """The events of all transactions of a store."""

    def __init__(
        self,
        store: Store,
        parts: Parts,
        sessions: Sessions,
        access: Access,
        catalogue: Catalogue,
        quarantine: Quarantine,
    ) -> None:
        self._store = store
        self._parts = parts
        self._sessions = sessions
        self._access = access
        self._catalogue = catalogue
        self._quarantine = quarantine

    def take(self, told: Told) -> Answer:
        """Take an event and answer it. One that came before changes nothing and is answered alike."""
        key = f"{told.station}|{told.transaction_id}"
        trail = self._store.get(TRAILS, key)
        if trail is None:
            trail = Trail(key=key, station=told.station, transaction_id=told.transaction_id)
        if self._parts.repeated_event(trail.seen, told.seq):
            put(self._store, TRAILS, replace(trail, repeats=trail.repeats + 1))
            return self._again(trail, told)
        seen = with_number(trail.seen, told.seq)
        trail = replace(
            trail,
            seen=seen,
            missing=tuple(self._parts.missing_events(seen)),
            connector=trail.connector or told.connector,
            id_tag=trail.id_tag or told.id_tag,
            started=trail.started or (told if told.kind == STARTED else None),
            values=tuple(sorted((*trail.values, *((told.seq, value) for value in told.values)))[:MOST_VALUES]),
        )
        if told.end_wh is not None and told.kind != ENDED and len(trail.samples) < MOST_SAMPLES:
            trail = replace(trail, samples=tuple(sorted((*trail.samples, (told.at, told.end_wh)))))
        trail, opened = self._open(trail, told)
        trail, answer = self._end(trail, told, opened)
        put(self._store, TRAILS, trail)
        return replace(answer, connector=trail.connector)

    def samples(self, station: str, transaction_id: str) -> tuple[Sample, ...]:
        """What the register showed in a transaction so far, by time."""
        trail = self._store.get(TRAILS, f"{station}|{transaction_id}")
        return () if trail is None else trail.samples

    def _open(self, trail: Trail, told: Told) -> tuple[Trail, Answer | None]:
        """Begin the session once the begin, the place and the person are known."""
        begin = trail.started
        if trail.session_id is not None or begin is None or trail.connector is None or trail.id_tag is None:
            return trail, None
        start = Start(
            station=trail.station,
            connector=trail.connector,
            id_tag=trail.id_tag,
            meter_start=begin.begin_wh or 0,
            at=begin.at,
            received_at=told.received_at,
            message_id=told.message_id,
            transaction_id=trail.transaction_id,
        )
        answer = self._sessions.start(start)
        session = self._sessions.of_start(start.key)
        return replace(trail, session_id=session.session_id if session is not None else None), answer

    def _end(self, trail: Trail, told: Told, opened: Answer | None) -> tuple[Trail, Answer]:
        """End the session with the event that says so, or with the one that waited for its begin."""
        if told.kind == ENDED:
            if trail.session_id is None:
                trail = replace(trail, ended=trail.ended or told)
            return trail, self._sessions.stop(_stop_of(trail, told))
        waiting = trail.ended
        if waiting is not None and trail.session_id is not None:
            stop = _stop_of(trail, waiting)
            self._sessions.stop(replace(stop, received_at=told.received_at))
            self._quarantine.let_go(stop, UNKNOWN_TRANSACTION, LATE_BEGIN, told.received_at)
            trail = replace(trail, ended=None)
        return trail, self._on_token(trail, told) if opened is None or told.id_tag is None else opened

    def _on_token(self, trail: Trail, told: Told) -> Answer:
        """The word on the token of an event that neither begins nor ends a session: that of its begin lasts."""
        if told.id_tag is None:
            return Answer(None)
        session = self._session(trail)
        if session is not None and told.id_tag.upper() == session.id_tag.upper():
            return Answer(session.token_status, session.grp)
        site = self._catalogue.site_of(told.station)
        status, token = self._access.decide(told.id_tag, site, told.received_at)
        return Answer(status, token.grp if token else None)

    def _again(self, trail: Trail, told: Told) -> Answer:
        """The answer to an event that was taken before."""
        session = self._session(trail)
        if told.kind == ENDED:
            stop = _stop_of(trail, told)
            if session is None or session.stop_key != stop.key:
                return self._sessions.on_token(stop)
            return Answer(session.stop_status, session.grp if session.stop_status else None)
        return self._on_token(trail, told)

    def _session(self, trail: Trail) -> Session | None:
        return self._sessions.of_start(trail.key) if trail.session_id is not None else None


def _stop_of(trail: Trail, told: Told) -> Stop:
    """The stop that an Ended stands for, with all signed values of its transaction in order of their events."""
    return Stop(
        station=told.station,
        transaction_id=told.transaction_id,
        meter_stop=told.end_wh or 0,
        at=told.at,
        id_tag=told.id_tag,
        reason=told.reason,
        values=tuple(value for _, value in trail.values),
        received_at=told.received_at,
        message_id=told.message_id,
    )
