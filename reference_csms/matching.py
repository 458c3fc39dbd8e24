"""Which session a StopTransaction ends, and whether it was delivered before.

A transaction id alone is never enough: it may be another back-end's, another station's or nobody's (scenarios MF-09). A
stop that fits nothing is answered all the same and goes to the quarantine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from reference_csms.commands import Stop, TransactionId
from reference_csms.quarantine import STRAY_STOP, UNKNOWN_TRANSACTION
from reference_csms.records import HANDED_OVER, OPEN, SESSIONS, Session
from reference_csms.storage.port import Store

CLOSE = "close"
REPEAT = "repeat"
SECOND = "second"


class View(Protocol):
    """What matching may look at."""

    def by_transaction(self, transaction_id: TransactionId) -> Sequence[Session]:
        """All sessions with this transaction id, whoever issued it."""
        ...

    def open_at(self, station: str) -> Sequence[Session]:
        """The open sessions of a station."""
        ...


class SessionView:
    """The sessions of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def by_transaction(self, transaction_id: TransactionId) -> Sequence[Session]:
        """All sessions with this transaction id, whoever issued it."""
        return self._store.find(SESSIONS, "transaction_ref", str(transaction_id))

    def open_at(self, station: str) -> Sequence[Session]:
        """The open sessions of a station."""
        return self._store.find(SESSIONS, "open_at", station)


class Match(Struct, frozen=True):
    """The session of a stop, or why there is none (a quarantine reason and a detail)."""

    session: Session | None
    reason: str = ""
    detail: str = ""


MatchStop = Callable[[View, Stop], Match]
DeduplicateStop = Callable[[Session, Stop], str]


def match_stop(view: View, stop: Stop) -> Match:
    """The session of this station with this transaction id, if the stop lies after its start."""
    if isinstance(stop.transaction_id, int) and stop.transaction_id <= 0:
        return _match_orphan(view, stop)
    candidates = view.by_transaction(stop.transaction_id)
    mine = [session for session in candidates if session.station == stop.station]
    if not mine:
        if candidates:
            return Match(None, STRAY_STOP, f"transaction {stop.transaction_id} runs at another station")
        return Match(
            None, UNKNOWN_TRANSACTION, f"transaction {stop.transaction_id} was never started or handed over here"
        )
    here = [session for session in mine if session.transaction_state != HANDED_OVER]
    if not here:
        return Match(
            None, UNKNOWN_TRANSACTION, f"transaction {stop.transaction_id} was handed over to another back-end"
        )
    fitting = [session for session in here if session.started_at <= stop.at] or [
        session for session in here if _clock_set_back(session, stop)
    ]
    if not fitting:
        return Match(None, UNKNOWN_TRANSACTION, f"the stop lies before the start of transaction {stop.transaction_id}")
    return Match(next((session for session in fitting if session.transaction_state == OPEN), fitting[-1]))


def _clock_set_back(session: Session, stop: Stop) -> bool:
    """Whether this stop ends the session although its time lies before the start.

    Then it comes after the start, and with more on the register. A stop of another back-end with the same id cannot have
    that: it was before, at the same meter.
    """
    running = session.transaction_state == OPEN and session.received_start_at <= stop.received_at
    return running and session.meter_start < stop.meter_stop


def _match_orphan(view: View, stop: Stop) -> Match:
    """A station that never learnt its transaction id uses -1: find the one session it can mean (1.6 errata §3.18)."""
    fitting = [
        session
        for session in view.open_at(stop.station)
        if session.started_at <= stop.at
        and session.meter_start <= stop.meter_stop
        and (stop.id_tag is None or stop.id_tag.upper() == session.id_tag.upper())
    ]
    if len(fitting) == 1:
        return Match(fitting[0])
    return Match(None, UNKNOWN_TRANSACTION, f"a stop without transaction id fits {len(fitting)} open sessions")


def deduplicate_stop(session: Session, stop: Stop) -> str:
    """`close` for the first stop of a session, `repeat` for the same one again, `second` for one with other values."""
    if session.transaction_state == OPEN:
        return CLOSE
    return REPEAT if session.stop_key == stop.key else SECOND
