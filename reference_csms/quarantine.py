"""The quarantine: what was accepted on the wire and must not be billed, with reason, evidence and energy.

Nothing is thrown away and nothing is priced 0. The vocabulary of reasons is fixed; a new one needs an agreement with
the checks first.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import msgspec
from msgspec.structs import replace

from reference_csms.commands import Answer, Stop
from reference_csms.metering.check import Judgement
from reference_csms.numbers import Numbers
from reference_csms.records import HELD, QUARANTINE, RECORDS, RELEASED, Quarantined, Session, SignedRecord
from reference_csms.storage.port import Store
from sim.clock import Instant

UNKNOWN_TRANSACTION = "unknown-transaction"
UNKNOWN_TOKEN = "unknown-token"
UNKNOWN_TARIFF = "unknown-tariff"
IMPLAUSIBLE = "implausible"
SECOND_STOP = "second-stop"
STRAY_STOP = "stray-stop"
NO_STOP = "no-stop"
REASONS = (
    "wrong-signature",
    "key-unknown",
    "malformed-record",
    "record-missing",
    "not-billable",
    "replay",
    UNKNOWN_TRANSACTION,
    UNKNOWN_TOKEN,
    UNKNOWN_TARIFF,
    IMPLAUSIBLE,
    SECOND_STOP,
    STRAY_STOP,
    NO_STOP,
)
ACTOR = "billing-gate"

HoldSession = Callable[[Session, Instant], Session]


def as_closed(session: Session, received: Instant) -> Session:
    """The default for the part `hold_session`: what is held keeps the times of its own start and stop."""
    return session


class Quarantine:
    """Writes quarantine rows and the signed records that belong to them."""

    def __init__(self, store: Store, numbers: Numbers, backend: str) -> None:
        self._store = store
        self._numbers = numbers
        self._backend = backend

    def hold(
        self,
        reason: str,
        detail: str,
        stop: Stop,
        judgement: Judgement,
        session: Session | None,
        energy_wh: int | None,
        answer: Answer,
    ) -> Quarantined:
        """Hold a stop, or the session it closed. The same thing delivered again finds its row (INV-04, INV-40)."""
        if reason not in REASONS:
            raise ValueError(f"{reason!r} is no reason for a quarantine")
        session_id = session.session_id if session else None
        fingerprint = _fingerprint(reason, session_id, stop)
        known = self._store.find(QUARANTINE, "fingerprint", fingerprint)
        if known:
            return known[0]
        row = Quarantined(
            quarantine_id=f"{self._backend}-q-{self._numbers.next('quarantine'):06d}",
            fingerprint=fingerprint,
            session_id=session_id,
            station=stop.station,
            transaction_id=stop.transaction_id,
            reason=reason,
            detail=detail,
            energy_wh=energy_wh,
            evidence=_evidence(stop, judgement),
            actor=ACTOR,
            at=stop.received_at,
            stop_key=stop.key,
            stop_status=answer.status,
            grp=answer.parent,
            values=stop.values,
        )
        self._store.insert(QUARANTINE, row)
        return row

    def let_go(self, stop: Stop, reason: str, because: str, at: Instant) -> None:
        """A stop that was held as nobody's has found its session after all: its case is closed."""
        for row in self._store.find(QUARANTINE, "fingerprint", _fingerprint(reason, None, stop)):
            if row.state == HELD:
                gone = replace(row, state=RELEASED, released_by=ACTOR, released_because=because, released_at=at)
                self._store.update(QUARANTINE, gone)

    def keep_records(self, judgement: Judgement, session_id: str | None, station: str, received_at: Instant) -> None:
        """Keep every signed record exactly as it came, once per session."""
        for found in judgement.found:
            key = f"{found.digest}/{session_id or '-'}"
            if self._store.get(RECORDS, key) is not None:
                continue
            record = SignedRecord(
                key=key,
                digest=found.digest,
                session_id=session_id,
                station=station,
                meter_id=found.record.meter_id if found.record else None,
                key_id=found.meter.key_id if found.meter else None,
                verdict=found.verdict,
                reason=found.reason,
                text=found.text,
                received_at=received_at,
            )
            self._store.insert(RECORDS, record)

    def judge_again(self, judgement: Judgement, session_id: str) -> None:
        """A released session: what its records are worth now. Their text stays as it came."""
        for found in judgement.found:
            kept = self._store.get(RECORDS, f"{found.digest}/{session_id}")
            assert kept is not None
            key_id = found.meter.key_id if found.meter else None
            self._store.update(RECORDS, replace(kept, key_id=key_id, verdict=found.verdict, reason=found.reason))

    def seen_elsewhere(self, digest: str, session_id: str) -> bool:
        """Whether another session brought this record before."""
        return any(row.session_id not in (None, session_id) for row in self._store.find(RECORDS, "digest", digest))


def _fingerprint(reason: str, session_id: str | None, stop: Stop) -> str:
    parts: Sequence[object] = (reason, session_id, stop.station, stop.transaction_id, stop.key)
    return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()


def _evidence(stop: Stop, judgement: Judgement) -> str:
    evidence = {
        "message_id": stop.message_id,
        "digests": [found.digest for found in judgement.found],
        "meter_stop": stop.meter_stop,
        "timestamp": int(stop.at),
        "stop_reason": stop.reason,
    }
    return msgspec.json.encode(evidence, order="sorted").decode()
