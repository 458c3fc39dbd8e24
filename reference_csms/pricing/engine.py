"""The one function that prices: a charge by a tariff under a policy, with every line explained.

Pure: it looks nothing up, asks no clock and books nothing. What is shown before, runs along, stands in a CDR and on a bill
all comes from here. A price that cannot be known raises `Unrated`; it is never 0 by default.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from reference_csms.pricing.lines import Taken, by_policy, discount_for, lines_of
from reference_csms.pricing.model import (
    CONNECTED,
    ENERGY,
    EV_STOPS,
    FLAT,
    IDLE,
    RESERVATION,
    RESERVATION_FLAT,
    TIME,
    Charge,
    Discount,
    Local,
    Period,
    Policy,
    Rated,
    Tariff,
)
from reference_csms.pricing.picking import (
    Compiled,
    Entry,
    Moment,
    changes_in,
    compiled,
    enter,
    may_change,
    pick,
    place_of,
)
from reference_csms.pricing.quantities import bill_quantities
from sim.clock import SECOND, Instant

ZERO = Decimal(0)
ONE = Decimal(1)
BELOW_MINIMUM = "below-minimum"
_FINE = Decimal("1e-16")
_EVERY = (ENERGY, TIME, IDLE, RESERVATION)


class Unrated(ValueError):
    """A charge that has no price: its tariff is unknown, or tariff and charge do not fit. The text is a sentence."""


def rate(tariff: Tariff, charge: Charge, policy: Policy, others: Mapping[str, Tariff] | None = None) -> Rated:
    """The price of a charge. `others`: tariffs by id, for periods that name one of their own. Raises Unrated."""
    if charge.currency != tariff.currency:
        raise Unrated(f"the charge is in {charge.currency}, and tariff {tariff.tariff_id} in {tariff.currency}")
    free = _free(tariff, charge)
    run = _Run(tariff, charge, policy, others or {})
    if not free:
        run.walk()
        bill_quantities(run.taken, run.idle, tariff.idle.grace_s, policy)
    return by_policy(tariff, charge, policy, lines_of(run.taken, charge, policy), free, tuple(run.notes))


def _free(tariff: Tariff, charge: Charge) -> str:
    """Why nothing is due: below every minimum that the tariff names."""
    if not tariff.minimum_wh and not tariff.minimum_s:
        return ""
    kwh = charge.kwh if charge.kwh is not None else sum((period.kwh for period in charge.periods), ZERO)
    if tariff.minimum_wh and kwh * 1000 >= tariff.minimum_wh:
        return ""
    if tariff.minimum_s and charge.end - charge.start >= tariff.minimum_s * SECOND:
        return ""
    return BELOW_MINIMUM


class _Run:
    """One walk through the periods of a charge."""

    def __init__(self, tariff: Tariff, charge: Charge, policy: Policy, others: Mapping[str, Tariff]) -> None:
        self.tariff = tariff
        self.charge = charge
        self.policy = policy
        self.others = others
        self.place = place_of(charge)
        self.taken: list[Taken] = []
        self.idle: list[tuple[Taken | None, Decimal]] = []
        self.notes: list[str] = []
        self._by: dict[tuple[str, str, int], Taken] = {}
        self._discounts: dict[tuple[str, str], Discount | None] = {}
        self._moment = Moment()
        self._moment.expired = charge.reservation_expired
        self._holidays = frozenset(day.toordinal() for day in charge.holidays)
        self._fees: dict[str, bool] = {}
        self._fees_done: tuple[str, ...] | None = None
        self._ready: Compiled = compiled(tariff, self.place)
        self._compiled_of = tariff
        self._ended = -1
        self._ends = Local(0, 0)

    def walk(self) -> None:
        """Every period in its order; a charge without any still has its fixed fees."""
        charge = self.charge
        before: Instant | None = None
        for number, period in enumerate(charge.periods, 1):
            if before is not None and period.start < before:
                self._note(f"period {number} begins before the one before it")
            elif period.start < charge.start:
                self._note(f"period {number} begins before the charge does")
            before = period.start
            named = period.tariff_id
            self._period(number, period, self._tariff_of(named) if named else self.tariff)
        if not charge.periods:
            self._period(0, Period(start=charge.start, end=charge.end), self.tariff)
        if not charge.time_billable and any(one.charging_s or one.idle_s or one.reserved_s for one in charge.periods):
            self._note("no time is billed: the clock may not be billed by")

    def _tariff_of(self, name: str) -> Tariff:
        if name == self.tariff.tariff_id:
            return self.tariff
        found = self.others.get(name)
        if found is None:
            raise Unrated(f"a period is priced by tariff {name}, which is not there")
        if found.currency != self.tariff.currency:
            raise Unrated(
                f"tariff {name} is in {found.currency}, and {self.tariff.tariff_id} in {self.tariff.currency}"
            )
        return found

    def _period(self, number: int, period: Period, tariff: Tariff) -> None:
        if tariff is not self._compiled_of:
            self._ready, self._compiled_of = compiled(tariff, self.place), tariff
        ready, moment, policy = self._ready, self._moment, self.policy
        idle_s = period.idle_s if tariff.idle.starts == EV_STOPS else _idle_of(period, tariff)
        self._enter(period, period.start)
        length = period.end - period.start
        cuts: list[Decimal] = []
        if ready.changes and length > 0 and (policy.watch or policy.unsplit == "split"):
            zone = self.charge.zone
            self._ended, self._ends = period.end, policy.local(period.end, zone)
            if may_change(ready, moment, self._ends, length, period, idle_s):
                cuts = changes_in(ready, moment, period.start, period, idle_s, policy.local, zone)
        if cuts and policy.unsplit == "split":
            self._pieces(number, period, tariff, idle_s, cuts)
        else:
            if cuts:
                self._watch(number, period, idle_s, cuts)
                self._enter(period, period.start)
            used = (period.kwh, period.charging_s, idle_s, period.reserved_s)
            self._piece(number, period, tariff, used, period.start, period.end)
        moment.kwh += period.kwh
        moment.charging += period.charging_s
        moment.idle += idle_s

    def _enter(self, period: Period, at: int) -> None:
        """Sets the moment to an instant of a period. The end of a period mostly is the start of the next."""
        moment = self._moment
        enter(moment, self._ends if at == self._ended else self.policy.local(at, self.charge.zone), at)
        moment.holiday = moment.day in self._holidays if self._holidays else False
        moment.elapsed = max(0, at - self.charge.start)
        moment.period = period

    def _pieces(self, number: int, period: Period, tariff: Tariff, idle_s: Decimal, cuts: list[Decimal]) -> None:
        """Prices a period cut where prices change."""
        moment, length = self._moment, period.end - period.start
        first = (moment.kwh, moment.charging, moment.idle)
        whole = (period.kwh, period.charging_s, idle_s, period.reserved_s)
        done, begin = (ZERO, ZERO, ZERO, ZERO), period.start
        for part in [*cuts, Decimal(1)]:
            until = whole if part == 1 else tuple((one * part).quantize(_FINE) for one in whole)
            end = Instant(period.start + int((length * part).quantize(Decimal(1), ROUND_HALF_UP)))
            self._enter(period, begin)
            moment.kwh, moment.charging, moment.idle = (a + b for a, b in zip(first, done, strict=False))
            used = (until[0] - done[0], until[1] - done[1], until[2] - done[2], until[3] - done[3])
            self._piece(number, period, tariff, used, begin, end)
            done, begin = (until[0], until[1], until[2], until[3]), end
        moment.kwh, moment.charging, moment.idle = first

    def _piece(
        self,
        number: int,
        period: Period,
        tariff: Tariff,
        used: tuple[Decimal, Decimal, Decimal, Decimal],
        start: Instant,
        end: Instant,
    ) -> None:
        kwh, charging, idle, reserved = used
        if self._ready.fees is not self._fees_done:
            self._fixed(number, period, tariff, start)
        if kwh:
            self._take(ENERGY, kwh, number, tariff, start, end)
        if not self.charge.time_billable:
            return
        if charging:
            self._take(TIME, charging, number, tariff, start, end)
        if idle:
            self.idle.append((self._take(IDLE, idle, number, tariff, start, end), idle))
        if reserved:
            self._take(RESERVATION, reserved, number, tariff, start, end)

    def _fixed(self, number: int, period: Period, tariff: Tariff, at: Instant) -> None:
        """Fixed fees, each once: where its element first holds, or never after the start if the policy says so."""
        only_reserved = _only_reserved(period)
        for dimension, due in ((FLAT, not only_reserved), (RESERVATION_FLAT, bool(period.reserved_s))):
            if not due or dimension in self._fees or dimension not in self._ready.entries:
                continue
            taken = self._take(dimension, ONE, number, tariff, at, at)
            if taken is not None or self.policy.flat == "at-start":
                self._fees[dimension] = True
        if all(one in self._fees for one in self._ready.fees):
            self._fees_done = self._ready.fees

    def _take(
        self, dimension: str, quantity: Decimal, number: int, tariff: Tariff, start: Instant, end: Instant
    ) -> Taken | None:
        entry = pick(self._ready, dimension, self._moment)
        if entry is None:
            return None
        key = (tariff.tariff_id, dimension, entry.group)
        taken = self._by.get(key)
        if taken is None:
            discount = self._discount(tariff, dimension) if tariff.discounts else None
            taken = self._by[key] = Taken(dimension, tariff, entry, discount, start)
            self.taken.append(taken)
        taken.add(quantity, entry.element, entry.component.step, number, end)
        return taken

    def _discount(self, tariff: Tariff, dimension: str) -> Discount | None:
        key = (tariff.tariff_id, dimension)
        if key not in self._discounts:
            self._discounts[key] = discount_for(tariff, self.charge, dimension)
        return self._discounts[key]

    def _watch(self, number: int, period: Period, idle_s: Decimal, cuts: list[Decimal]) -> None:
        """Notes a period that outlasts its price: it is priced as it began, and nothing in it says how to part it."""
        moment, ready = self._moment, self._ready
        used = {ENERGY: period.kwh, TIME: period.charging_s, IDLE: idle_s, RESERVATION: period.reserved_s}
        dimensions = [dimension for dimension in _EVERY if used[dimension]]
        first: dict[str, Entry | None] = {one: pick(ready, one, moment) for one in dimensions}
        before = (moment.kwh, moment.charging, moment.idle)
        for part in cuts:
            self._enter(period, period.start + int((period.end - period.start) * part))
            amounts = (period.kwh, period.charging_s, idle_s)
            moment.kwh, moment.charging, moment.idle = (
                (a + b * part).quantize(_FINE) for a, b in zip(before, amounts, strict=True)
            )
            for one in dimensions:
                if pick(ready, one, moment) != first[one]:
                    self._note(f"period {number} outlasts its price of {one}: all of it is priced as it began")
                    dimensions.remove(one)
                    break
        moment.kwh, moment.charging, moment.idle = before

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


def _idle_of(period: Period, tariff: Tariff) -> Decimal:
    """The idle seconds of a period where more than the EV's own rest counts."""
    if tariff.idle.starts == CONNECTED:
        return ZERO if _only_reserved(period) else Decimal(period.end - period.start) / SECOND
    return period.idle_s + period.withheld_s


def _only_reserved(period: Period) -> bool:
    return bool(period.reserved_s) and not (period.kwh or period.charging_s or period.idle_s or period.withheld_s)
