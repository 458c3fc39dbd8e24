"""Which price counts at a moment: the first element that has the dimension and whose restrictions all hold.

A tariff is compiled once into small functions of a `Moment`. No money is calculated here.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from msgspec import Struct

from reference_csms.pricing.model import (
    DIMENSIONS,
    FLAT,
    NO_TAX,
    RESERVATION,
    RESERVATION_FLAT,
    Charge,
    Component,
    Local,
    Period,
    Restrictions,
    Tariff,
)
from reference_csms.pricing.rounding import factor_of
from sim.clock import MINUTE

_DAY_MINUTES = 24 * 60


class Moment:
    """What restrictions look at: local time (`into`: ms into the minute), what was used so far, and the period it is in."""

    __slots__ = (
        "charging",
        "day",
        "elapsed",
        "expired",
        "holiday",
        "idle",
        "into",
        "kwh",
        "minute",
        "period",
        "weekday",
    )

    def __init__(self) -> None:
        self.day = 0
        self.minute = 0
        self.into = 0
        self.weekday = 0
        self.holiday = False
        self.elapsed = 0
        self.kwh = Decimal(0)
        self.charging = Decimal(0)
        self.idle = Decimal(0)
        self.expired = False
        self.period: Period | None = None


def enter(moment: Moment, here: Local, at: int) -> None:
    """Sets a moment to a local time."""
    moment.day, moment.minute = here
    moment.into = at % MINUTE
    moment.weekday = (moment.day - 1) % 7 + 1


Holds = Callable[[Moment], bool]
LocalAt = Callable[[int, str], Local]


class Entry(NamedTuple):
    """A component of an element, what must hold for it, and by what its tax multiplies a net price.

    Entries of one price and tax have the same `group`.
    """

    group: int

    element: int
    component: Component
    holds: Holds | None
    restrictions: Restrictions
    factor: Decimal


class Compiled(Struct, frozen=True):
    """A tariff made ready for one kind of charge: elements that its place or customer rules out are gone.

    `edges`: local minutes at which something may change; thresholds in ms, kWh and seconds.
    """

    entries: dict[str, tuple[Entry, ...]]
    edges: tuple[int, ...]
    elapsed: tuple[int, ...]
    kwh: tuple[Decimal, ...]
    charging: tuple[int, ...]
    idle: tuple[int, ...]
    changes: bool
    """Whether any price depends on time or on what was used."""
    fees: tuple[str, ...]
    """Which fixed fees there are."""


Place = tuple[str, str, str, str, str, str]
"""Location, EVSE, power class, group, payment brand, payment recognition."""


def place_of(charge: Charge) -> Place:
    """What does not change during a charge."""
    return (charge.location, charge.evse, charge.power_class, charge.group, charge.brand, charge.recognition)


@lru_cache(maxsize=8192)
def compiled(tariff: Tariff, place: Place) -> Compiled:
    """The tariff for charges at this place by this customer."""
    found: dict[str, list[Entry]] = {dimension: [] for dimension in DIMENSIONS}
    edges: list[int] = []
    elapsed: list[int] = []
    kwh: list[Decimal] = []
    charging: list[int] = []
    idle: list[int] = []
    for number, element in enumerate(tariff.elements, 1):
        only = element.restrictions
        if not _fits(only, place):
            continue
        holds = _all(_conditions(only))
        for component in element.components:
            group = _group(found[component.dimension], component)
            factor = Decimal(1) if tariff.tax == NO_TAX else factor_of(component.taxes)
            found[component.dimension].append(Entry(group, number, component, holds, only, factor))
        edges += [minute % _DAY_MINUTES for minute in (only.start_minute, only.end_minute) if minute is not None]
        half_open = (only.start_minute is None) != (only.end_minute is None)
        if half_open or only.start_date or only.end_date or only.weekdays or only.holiday is not None:
            edges.append(0)
        elapsed += [1000 * value for value in (only.min_duration, only.max_duration) if value]
        kwh += [value for value in (only.min_kwh, only.max_kwh) if value]
        charging += [value for value in (only.min_charging, only.max_charging) if value]
        idle += [value for value in (only.min_idle, only.max_idle) if value]
    return Compiled(
        {dimension: tuple(entries) for dimension, entries in found.items() if entries},
        tuple(sorted(set(edges))),
        tuple(sorted(set(elapsed))),
        tuple(sorted(set(kwh))),
        tuple(sorted(set(charging))),
        tuple(sorted(set(idle))),
        bool(edges or elapsed or kwh or charging or idle),
        tuple(dimension for dimension in (FLAT, RESERVATION_FLAT) if found[dimension]),
    )


def pick(ready: Compiled, dimension: str, moment: Moment) -> Entry | None:
    """The entry that counts for a dimension at a moment, None if that is free."""
    entries = ready.entries.get(dimension, ())
    if dimension in (RESERVATION, RESERVATION_FLAT):
        return _reserved(entries, moment)
    for entry in entries:
        if entry.holds is None or entry.holds(moment):
            return entry
    return None


def may_change(ready: Compiled, moment: Moment, ends: Local, length: int, used: Period, idle_s: Decimal) -> bool:
    """Whether a change of price may lie inside a period of `length` ms that begins at this moment and ends at `ends`.

    Cheap, and never misses one; a night in which clocks change counts as one.
    """
    if ready.edges:
        minutes = (length + moment.into) // MINUTE
        if minutes >= _DAY_MINUTES or (ends.minute - moment.minute - minutes) % _DAY_MINUTES:
            return True
        n = bisect_right(ready.edges, moment.minute)
        ahead = ready.edges[n] if n < len(ready.edges) else ready.edges[0] + _DAY_MINUTES
        if (ahead - moment.minute) * MINUTE < length + moment.into:
            return True
    return bool(
        (ready.elapsed and _between(ready.elapsed, moment.elapsed, length))
        or (ready.kwh and _between(ready.kwh, moment.kwh, used.kwh))
        or (ready.charging and _between(ready.charging, moment.charging, used.charging_s))
        or (ready.idle and _between(ready.idle, moment.idle, idle_s))
    )


def _between(edges: Sequence[int | Decimal], before: int | Decimal, amount: int | Decimal) -> bool:
    return any(before < edge < before + amount for edge in edges)


def changes_in(
    ready: Compiled, moment: Moment, start: int, used: Period, idle_s: Decimal, at: LocalAt, zone: str
) -> list[Decimal]:
    """Where inside a period, as parts of its length from 0 to 1, a price may change: more than needed, and never less.

    What is used in a period is taken as used evenly over it.
    """
    length = used.end - start
    if length <= 0:
        return []
    found: list[Decimal] = []
    if ready.edges:
        found += [Decimal(one - start) / length for one in _edges_in(ready.edges, start, used.end, at, zone)]
    found += [Decimal(edge - moment.elapsed) / length for edge in ready.elapsed]
    for edges, before, amount in (
        (ready.kwh, moment.kwh, used.kwh),
        (ready.charging, moment.charging, used.charging_s),
        (ready.idle, moment.idle, idle_s),
    ):
        if amount:
            found += [(Decimal(edge) - before) / amount for edge in edges]
    return sorted({part for part in found if 0 < part < 1})


def _edges_in(edges: tuple[int, ...], start: int, end: int, at: LocalAt, zone: str) -> list[int]:
    """Instants inside (start, end) at which the local clock passes an edge or jumps."""
    found: list[int] = []
    now = start
    while True:
        here = at(now, zone)
        into = now % MINUTE
        n = bisect_right(edges, here.minute)
        ahead = edges[n] if n < len(edges) else edges[0] + _DAY_MINUTES
        then = now - into + (ahead - here.minute) * MINUTE
        last = min(then, end)
        if _runs_on(here, now - into, at(last, zone), last):
            if then >= end:
                return found
        else:
            then = _jump(here, now - into, last, at, zone)
            if then >= end:
                return found
        found.append(then)
        now = then


def _runs_on(here: Local, since: int, there: Local, then: int) -> bool:
    """Whether the local clock ran evenly between two instants."""
    return (there.day - here.day) * _DAY_MINUTES + there.minute - here.minute == (then - since) // MINUTE


def _jump(here: Local, since: int, last: int, at: LocalAt, zone: str) -> int:
    """The first minute in which the clock no longer runs on evenly from `here`."""
    low, high = 0, -(-(last - since) // MINUTE)
    while high - low > 1:
        middle = (low + high) // 2
        if _runs_on(here, since, at(since + middle * MINUTE, zone), since + middle * MINUTE):
            low = middle
        else:
            high = middle
    return since + high * MINUTE


def _reserved(entries: tuple[Entry, ...], moment: Moment) -> Entry | None:
    """For an expired reservation, what holds for expired ones goes before what holds for all (OCPI 2.2.1 §11.4.5)."""
    for wanted in (True, False) if moment.expired else (False,):
        for entry in entries:
            if bool(entry.restrictions.expired) == wanted and (entry.holds is None or entry.holds(moment)):
                return entry
    return None


def _group(before: list[Entry], component: Component) -> int:
    for entry in before:
        if (entry.component.price, entry.component.taxes) == (component.price, component.taxes):
            return entry.group
    return len(before)


def _fits(only: Restrictions, place: Place) -> bool:
    wanted = (only.locations, only.evses, only.power_classes, only.groups, only.brands, only.recognitions)
    return all(not allowed or value in allowed for allowed, value in zip(wanted, place, strict=True))


def _all(conditions: tuple[Holds, ...]) -> Holds | None:
    """One function for all of them."""
    if len(conditions) < 2:
        return conditions[0] if conditions else None
    if len(conditions) == 2:
        first, second = conditions
        return lambda moment: first(moment) and second(moment)
    return lambda moment: all(holds(moment) for holds in conditions)


def _conditions(only: Restrictions) -> tuple[Holds, ...]:
    """Small functions, the cheap and telling ones first."""
    found: list[Holds] = [*_calendar(only)]
    if only.min_duration or only.max_duration is not None:
        found.append(_span("elapsed", 1000 * (only.min_duration or 0), _ms(only.max_duration)))
    if only.min_kwh or only.max_kwh is not None:
        found.append(_span("kwh", only.min_kwh or Decimal(0), only.max_kwh))
    if only.min_charging or only.max_charging is not None:
        found.append(_span("charging", only.min_charging or 0, only.max_charging))
    if only.min_idle or only.max_idle is not None:
        found.append(_span("idle", only.min_idle or 0, only.max_idle))
    if only.min_current is not None or only.max_current is not None:
        found.append(_flow(only.min_current, only.max_current, "min_current", "max_current"))
    if only.min_power is not None or only.max_power is not None:
        found.append(_flow(only.min_power, only.max_power, "min_power", "max_power"))
    return tuple(found)


def _calendar(only: Restrictions) -> list[Holds]:
    found: list[Holds] = []
    start, end = only.start_minute, only.end_minute
    if start is not None or end is not None:
        begin, until = (start or 0) % _DAY_MINUTES, _DAY_MINUTES if end is None else end % _DAY_MINUTES
        if begin < until:
            found.append(lambda moment: begin <= moment.minute < until)
        elif begin > until or start is None or end is None:
            found.append(lambda moment: moment.minute >= begin or moment.minute < until)
    if only.weekdays:
        days = frozenset(only.weekdays)
        found.append(lambda moment: moment.weekday in days)
    if only.start_date is not None or only.end_date is not None:
        first = only.start_date.toordinal() if only.start_date else 0
        last = only.end_date.toordinal() if only.end_date else 10**9
        found.append(lambda moment: first <= moment.day < last)
    if only.holiday is not None:
        wanted = only.holiday
        found.append(lambda moment: moment.holiday is wanted)
    return found


def _ms(seconds: int | None) -> int | None:
    return None if seconds is None else 1000 * seconds


def _span(name: str, least: int | Decimal, most: int | Decimal | None) -> Holds:
    def holds(moment: Moment) -> bool:
        value = getattr(moment, name)
        return bool(least <= value and (most is None or value < most))

    return holds


def _flow(least: Decimal | None, most: Decimal | None, low_name: str, high_name: str) -> Holds:
    """A least or highest current or power against what was measured in the period: the lowest and the highest of it."""

    def holds(moment: Moment) -> bool:
        period = moment.period
        if period is None:
            return False
        low, high = getattr(period, low_name), getattr(period, high_name)
        low, high = (high if low is None else low), (low if high is None else high)
        if low is None or high is None:
            return False
        return bool((least is None or low >= least) and (most is None or high < most))

    return holds
