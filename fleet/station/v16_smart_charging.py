"""Charging profiles of a station: installed, persisted, merged into the power that each connector offers.

It decides how much may flow, never who may charge. Profiles survive reboot and power loss (OCPP 1.6 errata §3.37), which
is why one that an old back-end left behind goes on limiting. Sources: OCPP 1.6 §3.13 (smart charging), §5.5, §5.7, §5.16;
the merge is that of the reference pages (§6.2), whose two vectors the tests hold it to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

import msgspec
from msgspec import Struct

from fleet.station.bay import Bay
from fleet.station.desk import Desk
from fleet.station.timers import NEVER
from sim.clock import DAY, SECOND, parse_iso
from sim.wire.payloads.v16 import ChargingProfile, ChargingSchedule, ChargingSchedulePeriod, ClearChargingProfile

MAXIMUM, DEFAULT, TRANSACTION = "ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"
LEAST_AMPERE = 6
"""Less than this per phase cannot be offered to an EV (IEC 61851-1): then nothing is offered."""
_RECURRENCE = {"Daily": DAY, "Weekly": 7 * DAY}
_MOST_CHANGES = 200
"""How many entries a composite schedule may have before it is cut off."""


class Installed(Struct, frozen=True):
    """One profile in the station: for which connector (0: all), and from which back-end it came. `transaction` is the
    station's own number of the transaction that a TxProfile belongs to; `begun` the instant that a schedule without a
    start counts from."""

    connector: int
    profile: ChargingProfile
    giver: str
    transaction: int = 0
    begun: int = 0

    @property
    def purpose(self) -> str:
        """The purpose of the profile."""
        return self.profile.charging_profile_purpose


class SmartCharging:
    """All charging profiles of one station, and what follows from them."""

    def __init__(self, desk: Desk, bays: Sequence[Bay], flash: Mapping[str, Any]) -> None:
        self._desk = desk
        self._bays = bays
        self._profiles = [msgspec.convert(row, Installed) for row in flash.get("profiles", ())]
        self._slot = desk.timers.slot(self.settle)
        self._offers: dict[int, int | None] = {}
        self.giver: Callable[[], str] = lambda: ""

    # -- installing ---------------------------------------------------------------------------------------------------

    def install(self, connector: int, profile: ChargingProfile, running: int | None) -> str:
        """Take a profile: Accepted or Rejected (OCPP 1.6 §5.16). `running` is the station's own number of the transaction
        that the profile may be for. Raises ValueError for an instant that is none.
        """
        if not self._may_stand(connector, profile, running):
            return "Rejected"
        fresh = Installed(connector, profile, self.giver(), running or 0, self._desk.time())
        kept = [one for one in self._profiles if not _replaces(fresh, one)]
        if len(kept) >= self._desk.keys["MaxChargingProfilesInstalled"]:
            return "Rejected"
        self._keep([*kept, fresh])
        self._desk.note("left-over", connector, what="profile", id=profile.charging_profile_id, giver=fresh.giver)
        return "Accepted"

    def _may_stand(self, connector: int, profile: ChargingProfile, running: int | None) -> bool:
        keys, schedule = self._desk.keys, profile.charging_schedule
        starts = [period.start_period for period in schedule.charging_schedule_period]
        for text in (profile.valid_from, profile.valid_to, schedule.start_schedule):
            if text is not None:
                parse_iso(text)
        places = {MAXIMUM: connector == 0, TRANSACTION: connector > 0 and running is not None}
        return (
            places.get(profile.charging_profile_purpose, True)
            and 0 <= profile.stack_level <= keys["ChargeProfileMaxStackLevel"]
            and 0 < len(starts) <= keys["ChargingScheduleMaxPeriods"]
            and starts[0] == 0
            and starts == sorted(set(starts))
            and (profile.charging_profile_kind != "Recurring" or profile.recurrency_kind in _RECURRENCE)
        )

    def clear(self, request: ClearChargingProfile) -> str:
        """Remove what matches: Accepted, or Unknown if nothing did (OCPP 1.6 §5.5). An id excludes the other fields."""
        gone = [one for one in self._profiles if _matches(request, one)]
        if not gone:
            return "Unknown"
        self._remove(gone)
        return "Accepted"

    def end_transaction(self, number: int) -> None:
        """The TxProfiles of a transaction go with it."""
        gone = [one for one in self._profiles if one.transaction == number and one.purpose == TRANSACTION]
        if gone:
            self._remove(gone)

    def _remove(self, gone: Iterable[Installed]) -> None:
        gone = list(gone)
        self._keep([one for one in self._profiles if one not in gone])
        for one in gone:
            self._desk.note("left-over-gone", one.connector, what="profile", id=one.profile.charging_profile_id)

    def _keep(self, profiles: list[Installed]) -> None:
        self._profiles = profiles
        self._desk.persist("profiles", [msgspec.to_builtins(one) for one in profiles] or None)

    # -- what follows -------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Offer every connector what the profiles allow now, and look again when that may change."""
        desk = self._desk
        desk.timers.set(self._slot, NEVER)
        if not self._profiles and not self._offers:
            return
        now = desk.time()
        for bay in self._bays:
            limit = self._limit(bay, now)
            offer = None if limit is None else self._offerable(limit)
            if offer != self._offers.get(bay.number):
                self._offers[bay.number] = offer
                desk.actuate(bay.number, "offer", offer)
        changes = [when for one in self._profiles for when in _edges(one, now) if when > now]
        if changes:
            desk.timers.set(self._slot, desk.now + min(changes) - now)

    def offered(self, connector: int) -> int | None:
        """The most that a connector may deliver by its profiles now, in W; None for no limit."""
        return self._offers.get(connector)

    def _offerable(self, limit: Fraction) -> int:
        meter = self._desk.profile.meter
        return int(limit) if limit >= LEAST_AMPERE * meter.voltage * meter.phases else 0

    def _limit(self, bay: Bay, at: int) -> Fraction | None:
        """The limit of a connector in W at an instant of the station's own time, None if nothing limits it."""
        own = [one for one in self._profiles if one.purpose == TRANSACTION and one.connector == bay.number]
        own = [one for one in own if bay.transaction is not None and one.transaction == bay.transaction.number]
        own = [one for one in own if _valid(one.profile, at)]
        if own:
            base = self._leading(own, at)
        else:
            default = [one for one in self._profiles if one.purpose == DEFAULT]
            base = self._leading([one for one in default if one.connector == bay.number], at)
            if base is None:
                base = self._leading([one for one in default if one.connector == 0], at)
        most = self._leading([one for one in self._profiles if one.purpose == MAXIMUM], at)
        if most is not None:  # the station's maximum is for all connectors that charge together
            most /= max(1, sum(other.transaction is not None for other in self._bays))
        return min([limit for limit in (base, most) if limit is not None], default=None)

    def _leading(self, profiles: list[Installed], at: int) -> Fraction | None:
        for one in sorted(profiles, key=lambda one: -one.profile.stack_level):
            period = _period(one, at)
            if period is not None:
                return self._watts(one.profile.charging_schedule, period)
        return None

    def _watts(self, schedule: ChargingSchedule, period: ChargingSchedulePeriod) -> Fraction:
        limit = Fraction(str(period.limit))
        if schedule.charging_rate_unit == "W":
            return limit
        meter = self._desk.profile.meter
        return limit * meter.voltage * min(period.number_phases or 3, meter.phases)

    # -- composite schedule -------------------------------------------------------------------------------------------

    def composite(self, connector: int, duration: int, unit: str | None) -> ChargingSchedule:
        """The merged schedule from now on for `duration` seconds (OCPP 1.6 §5.7), in the unit asked for, else in A."""
        now, unit = self._desk.time(), unit or "A"
        end = now + duration * SECOND
        edges = sorted({now, *(when for one in self._profiles for when in _edges(one, now, end) if now < when < end)})
        periods: list[ChargingSchedulePeriod] = []
        for at in edges[:_MOST_CHANGES]:
            limit = self._told(self._sum(connector, at), unit)
            if not periods or periods[-1].limit != limit:
                periods.append(ChargingSchedulePeriod(start_period=(at - now) // SECOND, limit=limit))
        return ChargingSchedule(duration=duration, charging_rate_unit=unit, charging_schedule_period=periods)

    def _sum(self, connector: int, at: int) -> Fraction:
        bays = [bay for bay in self._bays if connector in (0, bay.number)]
        most = Fraction(self._desk.config.max_power_w)
        limits = [self._limit(bay, at) for bay in bays]
        total = sum((most if limit is None else min(limit, most) for limit in limits), Fraction(0))
        station = self._leading([one for one in self._profiles if one.purpose == MAXIMUM], at)
        return total if station is None or connector else min(total, station)

    def _told(self, watts: Fraction, unit: str) -> int | float:
        """A limit as it travels: at most one decimal (OCPP 1.6 §7.14), whole where it is."""
        meter = self._desk.profile.meter
        tenths = int(watts * 10 / (1 if unit == "W" else meter.voltage * meter.phases))
        return tenths // 10 if tenths % 10 == 0 else float(f"{tenths // 10}.{tenths % 10}")


def _replaces(fresh: Installed, old: Installed) -> bool:
    """The same id, or the same purpose, level and connector (OCPP 1.6 §5.16)."""
    new, known = fresh.profile, old.profile
    same = (fresh.purpose, new.stack_level, fresh.connector) == (old.purpose, known.stack_level, old.connector)
    return new.charging_profile_id == known.charging_profile_id or same


def _matches(request: ClearChargingProfile, one: Installed) -> bool:
    if request.id is not None:
        return one.profile.charging_profile_id == request.id
    wanted = (
        (request.connector_id, one.connector),
        (request.charging_profile_purpose, one.purpose),
        (request.stack_level, one.profile.stack_level),
    )
    return all(asked is None or asked == has for asked, has in wanted)


def _valid(profile: ChargingProfile, at: int) -> bool:
    begins = parse_iso(profile.valid_from) if profile.valid_from else at
    ends = parse_iso(profile.valid_to) if profile.valid_to else at + 1
    return begins <= at < ends


def _start(one: Installed) -> int:
    start = one.profile.charging_schedule.start_schedule
    relative = one.profile.charging_profile_kind == "Relative"
    return one.begun if start is None or relative else parse_iso(start)


def _period(one: Installed, at: int) -> ChargingSchedulePeriod | None:
    """The period that holds at this instant, None if the profile says nothing then."""
    if not _valid(one.profile, at):
        return None
    schedule = one.profile.charging_schedule
    into = at - _start(one)
    if one.profile.charging_profile_kind == "Recurring":
        into %= _RECURRENCE[one.profile.recurrency_kind or "Daily"]
    if into < 0 or (schedule.duration is not None and into >= schedule.duration * SECOND):
        return None
    begun = [period for period in schedule.charging_schedule_period if period.start_period * SECOND <= into]
    return begun[-1] if begun else None


def _edges(one: Installed, now: int, until: int | None = None) -> list[int]:
    """Instants at which what this profile says may change: about now and, of a recurring one, up to `until`."""
    profile, schedule = one.profile, one.profile.charging_schedule
    inner = [period.start_period * SECOND for period in schedule.charging_schedule_period]
    inner += [schedule.duration * SECOND] if schedule.duration is not None else []
    starts = [_start(one)]
    if profile.charging_profile_kind == "Recurring":
        every = _RECURRENCE[profile.recurrency_kind or "Daily"]
        first = now - (now - starts[0]) % every
        rounds = 2 + ((until or now) - now) // every
        starts = [first + number * every for number in range(rounds)]
    edges = [start + offset for start in starts for offset in inner]
    return edges + [parse_iso(text) for text in (profile.valid_from, profile.valid_to) if text]
