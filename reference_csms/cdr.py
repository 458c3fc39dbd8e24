"""From signed readings to a charge detail record: periods between consecutive readings, and which of them were idle.

Idle time begins when the EV stops drawing while power is offered (S) and ends when it draws again or power is
withheld (C), or at the end. A withheld minute is never idle (INV-35). Energies are exact differences of signed values
(INV-31).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise

from msgspec.structs import replace

from reference_csms.pricing.rating import Cdr, Period
from reference_csms.pricing.tariffs import Tariff
from reference_csms.records import Session
from sim.clock import Instant
from sim.metering.rules import END_MARKS
from sim.wire.ocmf import Reading

IdleIntervals = Callable[[Sequence[Reading]], Sequence[tuple[int, int]]]
TimeBillable = Callable[[str, Sequence[Reading]], bool]
StopTime = Callable[[Instant, Instant], Instant]
Energy = Callable[[Decimal, Decimal], Decimal]


def as_claimed(claimed: Instant, received: Instant) -> Instant:
    """The default for the part `stop_time`: the station's own time counts, not that of the delivery."""
    return claimed


def between(begin: Decimal, end: Decimal) -> Decimal:
    """The default for the part `energy`: the exact difference of the signed decimals (INV-31)."""
    return end - begin


def idle_intervals(readings: Sequence[Reading]) -> list[tuple[int, int]]:
    """From each S to the next C or end, in ms. Tariff changes in between end nothing."""
    intervals: list[tuple[int, int]] = []
    since: int | None = None
    for reading in readings:
        if reading.mark == "S":
            since = reading.at if since is None else since
        elif since is not None and (reading.mark == "C" or reading.mark in END_MARKS):
            intervals.append((since, reading.at))
            since = None
    return intervals


def build_cdr(
    cdr_id: str,
    session: Session,
    tariff: Tariff,
    zone: str,
    readings: Sequence[Reading],
    billable_time: bool,
    idle: Sequence[tuple[int, int]],
    energy: Energy = between,
) -> Cdr:
    """The CDR of a closed session. `readings` in order, in kWh, at least two."""
    assert session.stopped_at is not None
    return Cdr(
        cdr_id=cdr_id,
        session_id=session.session_id,
        station=session.station,
        connector=session.connector,
        site=session.site,
        id_tag=session.id_tag,
        grp=session.grp,
        tariff_id=tariff.tariff_id,
        tariff_version=tariff.version,
        currency=tariff.currency,
        zone=zone,
        started_at=session.started_at,
        stopped_at=session.stopped_at,
        kwh=energy(readings[0].value, readings[-1].value),
        time_billable=billable_time,
        periods=_periods(readings, idle, energy),
    )


def at_stop_time(readings: Sequence[Reading], stop_time: StopTime, received: Instant) -> list[Reading]:
    """The readings with the time of the last one as the rule `stop_time` wants it."""
    last = readings[-1]
    return [*readings[:-1], replace(last, at=stop_time(last.at, received))]


def _periods(readings: Sequence[Reading], idle: Sequence[tuple[int, int]], energy: Energy) -> tuple[Period, ...]:
    periods = []
    for before, after in pairwise(readings):
        resting = any(since <= before.at and after.at <= until for since, until in idle)
        periods.append(Period(before.at, after.at, energy(before.value, after.value), resting))
    return tuple(periods)
