"""What happens to a session when it closes: check the records, then CDR, rating and the outbox, or quarantine.

All of it belongs to the unit of work of the stop, so a reply to the station means that all of it lasts. Billing itself
comes later, in units of work of its own. A session that may not be billed is held with a reason, never priced 0.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from msgspec.structs import replace

from reference_csms import records
from reference_csms.authorization import ACCEPTED, INVALID
from reference_csms.billing.run import Outbox
from reference_csms.catalogue import Catalogue
from reference_csms.cdr import at_stop_time, build_cdr
from reference_csms.commands import Answer, Stop
from reference_csms.metering.check import NOT_BILLABLE, Judgement, RecordCheck
from reference_csms.numbers import Numbers
from reference_csms.parts import Parts
from reference_csms.pricing.rating import RatingPolicy
from reference_csms.pricing.tariffs import Tariff
from reference_csms.quarantine import IMPLAUSIBLE, UNKNOWN_TARIFF, UNKNOWN_TOKEN, Quarantine
from reference_csms.records import CDRS, RATED, SESSIONS, STATIONS, Rated, Session
from reference_csms.storage.port import Store
from sim.clock import HOUR, Instant, parse_iso
from sim.wire.ocmf import Reading

_POWER_LIMIT_W = 400_000
_SLACK_WH = 100
_RAW_TOLERANCE_WH = 10
_CLOCK_WAS_SET = parse_iso("2010-01-01T00:00:00Z")


class Settlement:
    """Settles closed sessions of one back-end."""

    def __init__(
        self,
        store: Store,
        parts: Parts,
        catalogue: Catalogue,
        check: RecordCheck,
        quarantine: Quarantine,
        numbers: Numbers,
        outbox: Outbox,
        backend: str,
        closed: Callable[[Session, Instant], None] | None = None,
    ) -> None:
        self._store = store
        self._parts = parts
        self._catalogue = catalogue
        self._check = check
        self._quarantine = quarantine
        self._numbers = numbers
        self._outbox = outbox
        self._backend = backend
        self._closed = closed
        self._policy = RatingPolicy(local_minute=parts.local_time)

    def close(self, session: Session, stop: Stop, answer: Answer) -> Session:
        """Close a session with its stop and settle it. `answer` is what is said on the stop's idTag."""
        closed = replace(
            session,
            meter_stop=stop.meter_stop,
            stopped_at=self._parts.stop_time(stop.at, stop.received_at),
            received_stop_at=stop.received_at,
            stop_reason=stop.reason,
            stop_key=stop.key,
            stop_status=answer.status,
            transaction_state=records.CLOSED,
            state=records.OPEN,
            reason=None,
        )
        judgement = self._check.judge(stop.values, closed)
        reason, detail = self.objection(closed, judgement)
        self._quarantine.keep_records(judgement, closed.session_id, closed.station, stop.received_at)
        held = self._parts.gate(reason)
        settled = self.bill(closed, judgement, stop.received_at) if held is None else None
        if settled is None:
            settled = replace(sane(closed, judgement), state=records.QUARANTINED, reason=held or reason)
            settled = self._parts.hold_session(settled, stop.received_at)
            because = held or reason or NOT_BILLABLE
            self._quarantine.hold(because, detail, stop, judgement, settled, settled.energy_wh, answer)
        self._store.update(SESSIONS, settled)
        if self._closed is not None:
            self._closed(settled, stop.received_at)
        return settled

    def bill(self, session: Session, judgement: Judgement, now: Instant) -> Session | None:
        """Rate a closed session and put it in line for its bill; None if it lacks what a price needs."""
        zone = self._zone(session)
        if session.tariff is None or zone is None or len(judgement.readings) < 2:
            return None
        return self._rate(session, session.tariff, zone, judgement, now)

    def objection(self, session: Session, judgement: Judgement) -> tuple[str | None, str]:
        """Why this session must not be billed, None if it may be."""
        if session.token_status == INVALID:
            return UNKNOWN_TOKEN, "the token is unknown here"
        if session.token_status != ACCEPTED:
            return NOT_BILLABLE, f"the token was {session.token_status} at the start"
        if session.tariff is None or self._zone(session) is None:
            return UNKNOWN_TARIFF, "no tariff was in force at this station when the session began"
        if judgement.reason is not None:
            return judgement.reason, judgement.detail
        absurd = self._absurd(session, judgement)
        return (IMPLAUSIBLE, absurd) if absurd else (None, "")

    def _absurd(self, session: Session, judgement: Judgement) -> str | None:
        """What no honest session can show (INV-08), None if there is nothing."""
        assert session.energy_wh is not None and session.stopped_at is not None and judgement.energy_kwh is not None
        if session.energy_wh < 0:
            return "the register is lower at the stop than at the start"
        station = self._store.get(STATIONS, session.station)
        power = (station.power_w if station else None) or _POWER_LIMIT_W
        signed_wh = judgement.energy_kwh * 1000
        limit = Decimal(power) * 11 * (session.stopped_at - session.started_at) / (10 * HOUR) + _SLACK_WH
        if signed_wh > limit:
            return f"{signed_wh:f} Wh are more than {power} W can deliver in that time"
        if abs(signed_wh - session.energy_wh) > max(_RAW_TOLERANCE_WH, session.energy_wh // 100):
            return f"signed registers say {signed_wh:f} Wh, the messages say {session.energy_wh} Wh"
        other = self._overlapped(session)
        if other is not None:
            return f"it would begin before session {other.session_id} at the same connector was over"
        if any(reading.at < _CLOCK_WAS_SET for reading in judgement.readings):
            return "the meter's clock was not set"
        return None

    def _overlapped(self, session: Session) -> Session | None:
        """A settled session of this connector that covers the begin of this one, by clock and register: nothing is billed
        twice (INV-02). A register that goes on where the other one ended tells of a clock that was set back.
        """
        for other in self._store.find(SESSIONS, "station", session.station):
            before = other.connector == session.connector and other.started_at < session.started_at
            billed = before and other.session_id != session.session_id and other.state != records.QUARANTINED
            covers = other.stopped_at is not None and other.stopped_at > session.started_at
            if billed and covers and other.meter_stop is not None and other.meter_stop > session.meter_start:
                return other
        return None

    def _zone(self, session: Session) -> str | None:
        owner = self._catalogue.owner_of(session.site)
        return owner.zone if owner else None

    def _rate(self, session: Session, tariff: Tariff, zone: str, judgement: Judgement, now: Instant) -> Session:
        """CDR, rated CDR and a place in the outbox; below the minimum the session is free, with that reason (B12)."""
        cdr_id = f"{self._backend}-c-{self._numbers.next('cdr'):06d}"
        readings = at_stop_time(judgement.readings, self._parts.stop_time, session.received_stop_at or now)
        billable_time = self._time_billable(judgement, readings)
        idle = self._parts.idle_intervals(readings)
        cdr = build_cdr(cdr_id, session, tariff, zone, readings, billable_time, idle, self._parts.energy)
        rated = self._parts.rate(cdr, tariff, self._policy)
        rated_id = f"{self._backend}-r-{self._numbers.next('rated'):06d}"
        self._store.insert(CDRS, cdr)
        self._store.insert(RATED, Rated(rated_id=rated_id, version=1, effective=True, rated=rated))
        if rated.free is not None:
            return replace(session, state=records.FREE, reason=rated.free, cdr_id=cdr_id)
        self._outbox.add(session.session_id, rated_id, now)
        return replace(session, cdr_id=cdr_id)

    def _time_billable(self, judgement: Judgement, readings: list[Reading]) -> bool:
        return self._parts.time_billable(judgement.meter.time_billing if judgement.meter else "none", readings)


def sane(session: Session, judgement: Judgement) -> Session:
    """A held session whose counter is not what its meter signed, with the energy of the meter: it was delivered, and nothing
    is booked below zero (B-22). What the station said stays in the evidence of the case.
    """
    signed = judgement.energy_kwh
    if session.energy_wh is None or judgement.reason is not None or signed is None:
        return session
    off = abs(signed * 1000 - session.energy_wh)
    return (
        session if off <= _RAW_TOLERANCE_WH else replace(session, meter_stop=session.meter_start + int(signed * 1000))
    )
