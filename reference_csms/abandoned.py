"""Sessions whose end nobody tells: the station has started anew and knows nothing of them, or begun another one there.

A boot alone ends nothing (a station may boot in mid-charge), and a queued stop may still come: so a session is held only
after a while, and not if its connector says that it is in use. It is never billed; what its readings showed by then is kept.
"""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from reference_csms import records
from reference_csms.commands import Answer, Stop
from reference_csms.metering.check import RecordCheck
from reference_csms.quarantine import NO_STOP, Quarantine
from reference_csms.records import SESSIONS, Session
from reference_csms.stations import Stations
from reference_csms.storage.port import Store
from sim.clock import HOUR, Instant

PATIENCE = HOUR
"""How long a stop may take after the station is back, ms."""
RUNNING = ("Charging", "SuspendedEV", "SuspendedEVSE", "Occupied")
"""What a connector says while a transaction runs at it."""


class _Case(Struct, frozen=True):
    """One session: until when its stop may come, the register that was seen last, and whether it is over for certain."""

    due: Instant
    seen: int
    over: bool


class Abandoned:
    """Sessions that wait for an end that may never come. It forgets with the process; the next boot or begin counts then."""

    def __init__(self, store: Store, stations: Stations, check: RecordCheck, quarantine: Quarantine) -> None:
        self._store = store
        self._stations = stations
        self._check = check
        self._quarantine = quarantine
        self._due: dict[str, _Case] = {}

    def booted(self, station: str, now: Instant) -> None:
        """The station is back: what is open there should be told soon."""
        for session in self._store.find(SESSIONS, "open_at", station):
            case = _Case(Instant(now + PATIENCE), self._seen(session), False)
            self._due.setdefault(session.session_id, case)

    def began(self, started: Session, now: Instant) -> None:
        """Another session began at the connector: what was open there before is over."""
        for session in self._store.find(SESSIONS, "open_at", started.station):
            if session.connector == started.connector and session.started_at < started.started_at:
                known = self._due.get(session.session_id)
                seen = started.meter_start if known is None else known.seen
                self._due[session.session_id] = _Case(Instant(now + PATIENCE), seen, True)

    def next_due(self) -> Instant | None:
        """When the next one has waited long enough."""
        return min((case.due for case in self._due.values()), default=None)

    def step(self, now: Instant) -> None:
        """Hold what has waited long enough."""
        for session_id, case in list(self._due.items()):
            if case.due <= now:
                del self._due[session_id]
                session = self._store.get(SESSIONS, session_id)
                if session is not None and session.open_at is not None and (case.over or not self._runs(session)):
                    self._hold(session, case.seen, now)

    def _runs(self, session: Session) -> bool:
        state = self._stations.find(session.station)
        said = state.statuses.get(session.connector) if state is not None else None
        return said is not None and said[0] in RUNNING

    def _seen(self, session: Session) -> int:
        """The last register of its connector, Wh."""
        state = self._stations.find(session.station)
        return state.registers.get(session.connector, 0) if state is not None else 0

    def _hold(self, session: Session, seen: int, now: Instant) -> None:
        stop = Stop(
            station=session.station,
            transaction_id=session.transaction_id,
            meter_stop=max(session.meter_start, seen),
            at=now,
            id_tag=None,
            reason="Other",
            values=(),
            received_at=now,
            message_id="",
        )
        closed = replace(
            session,
            meter_stop=stop.meter_stop,
            stopped_at=session.started_at,
            stop_reason=stop.reason,
            stop_key=stop.key,
            transaction_state=records.CLOSED,
            state=records.QUARANTINED,
            reason=NO_STOP,
        )
        detail = "its station is back, and nobody has told its end"
        judgement = self._check.unmatched((), NO_STOP)
        self._quarantine.hold(NO_STOP, detail, stop, judgement, closed, closed.energy_wh, Answer(None))
        self._store.update(SESSIONS, closed)
