"""What was used in each piece of a charge, and which price of the tariff counts there."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

from scenarios.tariff_oracle.plain import Row, clock, day_of, days, nearest, number


class Use(NamedTuple):
    """Something used in a piece of a period, and the component that prices it (None: nothing does)."""

    dimension: str
    amount: Fraction
    component: Row | None
    piece: int
    at: int


def uses_of(tariff: Row, charge: Row, policy: Row) -> Iterator[Use]:
    """Everything that was used, in order."""
    so_far = {"kwh": Fraction(0), "charging": Fraction(0), "idle": Fraction(0)}
    fees: set[str] = set()
    piece = 0
    periods = charge["periods"] or [dict.fromkeys(_EMPTY, "0") | {"start": charge["start"], "end": charge["end"]}]
    for period in periods:
        amounts = _amounts(period, tariff)
        cuts = [Fraction(0), Fraction(1)]
        if policy["unsplit"] == "split":
            cuts = sorted({*cuts, *_cuts(tariff, charge, period, amounts, so_far)})
        for begin, end in pairwise(cuts):
            piece += 1
            state = _state(charge, period, amounts, so_far, begin)
            reserving = amounts["reservation"] > 0
            only_reserving = reserving and not any(number(period[name]) for name in _CHARGING)
            for fee, due in (("flat", not only_reserving), ("reservation-flat", reserving)):
                if due and fee not in fees and any(True for _ in _offers(tariff, charge, fee)):
                    found = _first(tariff, charge, fee, state)
                    if found is not None or policy["flat"] == "at-start":
                        fees.add(fee)
                    if found is not None:
                        yield Use(fee, Fraction(1), found, piece, state["at"])
            part = end - begin
            until = period["start"] + int((period["end"] - period["start"]) * end)
            for dimension, amount in amounts.items():
                if amount and (dimension == "energy" or charge["time_billable"]):
                    component = _first(tariff, charge, dimension, state)
                    yield Use(dimension, amount if part == 1 else amount * part, component, piece, until)
        so_far["kwh"] += amounts["energy"]
        so_far["charging"] += amounts["time"]
        so_far["idle"] += amounts["idle"]


_CHARGING = ("kwh", "charging_s", "idle_s", "withheld_s")
_EMPTY = (*_CHARGING, "reserved_s", "min_power", "max_power", "min_current", "max_current")


def _amounts(period: Row, tariff: Row) -> dict[str, Fraction]:
    idle = number(period["idle_s"])
    starts = tariff["idle"]["starts"]
    reserved = number(period["reserved_s"])
    if starts == "evse-too":
        idle += number(period["withheld_s"])
    elif starts == "connected":
        alone = reserved and not any(number(period[name]) for name in _CHARGING)
        idle = Fraction(0) if alone else Fraction(period["end"] - period["start"], 1000)
    charging = number(period["charging_s"])
    return {"energy": number(period["kwh"]), "time": charging, "idle": idle, "reservation": reserved}


def _state(charge: Row, period: Row, amounts: Row, so_far: Row, part: Fraction) -> dict[str, Any]:
    """What restrictions are asked about, at a part of a period."""
    at = period["start"] + (nearest((period["end"] - period["start"]) * part) if part else 0)
    day, minute = clock(charge["zone"], at // 60_000)
    return {
        "at": at,
        "day": day,
        "minute": minute,
        "weekday": (day + 6) % 7 + 1,
        "holiday": day in days(tuple(charge["holidays"])),
        "seconds": Fraction(max(0, at - charge["start"]), 1000),
        "kwh": so_far["kwh"] + amounts["energy"] * part if part else so_far["kwh"],
        "charging": so_far["charging"] + amounts["time"] * part if part else so_far["charging"],
        "idle": so_far["idle"] + amounts["idle"] * part if part else so_far["idle"],
        "period": period,
    }


def _offers(tariff: Row, charge: Row, dimension: str) -> Iterator[tuple[Row, Row]]:
    """Every component of a dimension that this place and customer can have, in order."""
    for element in tariff["elements"]:
        only = element["restrictions"]
        for names, value in _STATIC:
            if only[names] and charge[value] not in only[names]:
                break
        else:
            for component in element["components"]:
                if component["dimension"] == dimension:
                    yield component, only


_STATIC = (
    ("locations", "location"),
    ("evses", "evse"),
    ("power_classes", "power_class"),
    ("groups", "group"),
    ("brands", "brand"),
    ("recognitions", "recognition"),
)


def _first(tariff: Row, charge: Row, dimension: str, state: Row) -> Row | None:
    fitting = [(component, only) for component, only in _offers(tariff, charge, dimension) if _holds(only, state)]
    if dimension.startswith("reservation"):
        expiring = [component for component, only in fitting if only["expired"]]
        if charge["reservation_expired"] and expiring:
            return expiring[0]
        fitting = [(component, only) for component, only in fitting if not only["expired"]]
    return fitting[0][0] if fitting else None


def _holds(only: Row, state: Row) -> bool:
    return _calendar_holds(only, state["day"], state["minute"], state["weekday"], state["holiday"]) and (
        _inside(only["min_kwh"], only["max_kwh"], state["kwh"])
        and _inside(only["min_duration"], only["max_duration"], state["seconds"])
        and _inside(only["min_charging"], only["max_charging"], state["charging"])
        and _inside(only["min_idle"], only["max_idle"], state["idle"])
        and _flows(only, state["period"], "power")
        and _flows(only, state["period"], "current")
    )


def _calendar_holds(only: Row, day: int, minute: int, weekday: int, holiday: bool) -> bool:
    start, end = only["start_minute"], only["end_minute"]
    if start is not None or end is not None:
        first, last = (0 if start is None else start) % 1440, (0 if end is None else end) % 1440
        if first < last or (last == 0 and (start is not None and first > 0)):
            if not first <= minute < (last or 1440):
                return False
        elif first > last and last <= minute < first:
            return False
    if only["weekdays"] and weekday not in only["weekdays"]:
        return False
    if only["start_date"] is not None and day < day_of(only["start_date"]):
        return False
    if only["end_date"] is not None and day >= day_of(only["end_date"]):
        return False
    return only["holiday"] is None or only["holiday"] == holiday


def _inside(least: Any, most: Any, value: Fraction) -> bool:
    return (least is None or value >= number(least)) and (most is None or value < number(most))


def _flows(only: Row, period: Row, what: str) -> bool:
    least, most = only[f"min_{what}"], only[f"max_{what}"]
    if least is None and most is None:
        return True
    told = [period[name] for name in (f"min_{what}", f"max_{what}") if period[name] is not None]
    if not told:
        return False
    return (least is None or number(told[0]) >= number(least)) and (most is None or number(told[-1]) < number(most))


def _cuts(tariff: Row, charge: Row, period: Row, amounts: Row, so_far: Row) -> Iterator[Fraction]:
    """Parts of a period at which a restriction may begin or end to hold."""
    start, end = period["start"], period["end"]
    if end <= start:
        return
    rules = [element["restrictions"] for element in tariff["elements"]]
    dated = [only for only in rules if any(only[name] not in (None, []) for name in _CALENDAR)]
    if dated:
        before: list[bool] | None = None
        for minute in range(start // 60_000, -(-end // 60_000)):
            day, of_day = clock(charge["zone"], minute)
            holiday = day in days(tuple(charge["holidays"]))
            now = [_calendar_holds(only, day, of_day, (day + 6) % 7 + 1, holiday) for only in dated]
            if before is not None and now != before:
                yield Fraction(minute * 60_000 - start, end - start)
            before = now
    lasted = Fraction(end - start, 1000)
    elapsed = Fraction(start - charge["start"], 1000)
    for names, done, amount in (
        (("min_kwh", "max_kwh"), so_far["kwh"], amounts["energy"]),
        (("min_duration", "max_duration"), elapsed, lasted),
        (("min_charging", "max_charging"), so_far["charging"], amounts["time"]),
        (("min_idle", "max_idle"), so_far["idle"], amounts["idle"]),
    ):
        for only in rules:
            for name in names:
                if only[name] is not None and amount:
                    part = (number(only[name]) - done) / amount
                    if 0 < part < 1:
                        yield part


_CALENDAR = ("start_minute", "end_minute", "weekdays", "start_date", "end_date", "holiday")
