"""A second opinion on any price of the whole tariff model: fractions, its own reading of rules, calendars and policies.

It reads plain rows (texts and numbers), never the structs of a back-end, and shares no code with rating. Where rating looks
for edges, this walks over minutes; where rating keeps lines, this keeps a list of what was used, piece by piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from msgspec import Struct

Row = Mapping[str, Any]
_TIMED = ("time", "idle", "reservation")
_DIGITS = {"JPY": 0, "KRW": 0, "CLP": 0, "ISK": 0, "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "TND": 3}


class Verdict(Struct, frozen=True):
    """What a charge should cost in major units, exactly as it is rounded by the policy, and before."""

    net: Fraction
    gross: Fraction
    exact_net: Fraction
    exact_gross: Fraction
    free: bool
    billed: dict[str, Fraction]


class _Use(NamedTuple):
    """Something used in a piece of a period, and the component that prices it (None: nothing does)."""

    dimension: str
    amount: Fraction
    component: Row | None
    piece: int
    at: int


def verdict(tariff: Row, charge: Row, policy: Row) -> Verdict:
    """The price of a charge; all three as rows of plain data."""
    if _below_minimum(tariff, charge):
        zero = Fraction(0)
        return Verdict(*_limited(tariff, zero, zero, zero, zero, policy, True), zero, zero, True, {})
    lines = _lines(tariff, list(_uses(tariff, charge, policy)), policy)
    return _sums(tariff, charge, lines, policy)


def _below_minimum(tariff: Row, charge: Row) -> bool:
    wh, seconds = tariff["minimum_wh"], tariff["minimum_s"]
    if not wh and not seconds:
        return False
    kwh = sum(_number(period["kwh"]) for period in charge["periods"])
    if charge["kwh"] is not None:
        kwh = _number(charge["kwh"])
    little = not wh or kwh * 1000 < wh
    short = not seconds or charge["end"] - charge["start"] < seconds * 1000
    return bool(little and short)


# -- what was used, and what prices it ------------------------------------------------------------------------------------


def _uses(tariff: Row, charge: Row, policy: Row) -> Iterator[_Use]:
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
            only_reserving = reserving and not any(_number(period[name]) for name in _CHARGING)
            for fee, due in (("flat", not only_reserving), ("reservation-flat", reserving)):
                if due and fee not in fees and any(True for _ in _offers(tariff, charge, fee)):
                    found = _first(tariff, charge, fee, state)
                    if found is not None or policy["flat"] == "at-start":
                        fees.add(fee)
                    if found is not None:
                        yield _Use(fee, Fraction(1), found, piece, state["at"])
            part = end - begin
            until = period["start"] + int((period["end"] - period["start"]) * end)
            for dimension, amount in amounts.items():
                if amount and (dimension == "energy" or charge["time_billable"]):
                    yield _Use(dimension, amount * part, _first(tariff, charge, dimension, state), piece, until)
        so_far["kwh"] += amounts["energy"]
        so_far["charging"] += amounts["time"]
        so_far["idle"] += amounts["idle"]


_CHARGING = ("kwh", "charging_s", "idle_s", "withheld_s")
_EMPTY = (*_CHARGING, "reserved_s", "min_power", "max_power", "min_current", "max_current")


def _amounts(period: Row, tariff: Row) -> dict[str, Fraction]:
    idle = _number(period["idle_s"])
    starts = tariff["idle"]["starts"]
    reserved = _number(period["reserved_s"])
    if starts == "evse-too":
        idle += _number(period["withheld_s"])
    elif starts == "connected":
        alone = reserved and not any(_number(period[name]) for name in _CHARGING)
        idle = Fraction(0) if alone else Fraction(period["end"] - period["start"], 1000)
    charging = _number(period["charging_s"])
    return {"energy": _number(period["kwh"]), "time": charging, "idle": idle, "reservation": reserved}


def _state(charge: Row, period: Row, amounts: Row, so_far: Row, part: Fraction) -> dict[str, Any]:
    """What restrictions are asked about, at a part of a period."""
    at = period["start"] + _nearest((period["end"] - period["start"]) * part)
    day, minute = _clock(charge["zone"], at // 60_000)
    return {
        "at": at,
        "day": day,
        "minute": minute,
        "weekday": (day + 6) % 7 + 1,
        "holiday": day in _days(tuple(charge["holidays"])),
        "seconds": Fraction(max(0, at - charge["start"]), 1000),
        "kwh": so_far["kwh"] + amounts["energy"] * part,
        "charging": so_far["charging"] + amounts["time"] * part,
        "idle": so_far["idle"] + amounts["idle"] * part,
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
    if only["start_date"] is not None and day < _day(only["start_date"]):
        return False
    if only["end_date"] is not None and day >= _day(only["end_date"]):
        return False
    return only["holiday"] is None or only["holiday"] == holiday


def _inside(least: Any, most: Any, value: Fraction) -> bool:
    return (least is None or value >= _number(least)) and (most is None or value < _number(most))


def _flows(only: Row, period: Row, what: str) -> bool:
    least, most = only[f"min_{what}"], only[f"max_{what}"]
    if least is None and most is None:
        return True
    told = [period[name] for name in (f"min_{what}", f"max_{what}") if period[name] is not None]
    if not told:
        return False
    return (least is None or _number(told[0]) >= _number(least)) and (most is None or _number(told[-1]) < _number(most))


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
            day, of_day = _clock(charge["zone"], minute)
            holiday = day in _days(tuple(charge["holidays"]))
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
                    part = (_number(only[name]) - done) / amount
                    if 0 < part < 1:
                        yield part


_CALENDAR = ("start_minute", "end_minute", "weekdays", "start_date", "end_date", "holiday")

# -- how much of it is billed -----------------------------------------------------------------------------------------


class _Line(Struct):
    """What was used at one price."""

    dimension: str
    component: Row
    billed: Fraction
    last: int
    step: int


def _lines(tariff: Row, uses: Sequence[_Use], policy: Row) -> list[_Line]:
    free = Fraction(tariff["idle"]["grace_s"])
    idle = [n for n, use in enumerate(uses) if use.dimension == "idle"]
    amounts = [use.amount for use in uses]
    for n in idle if policy["grace"] == "start" else reversed(idle):
        off = min(free, amounts[n])
        amounts[n] -= off
        free -= off
    lines: dict[tuple[str, Fraction, str], _Line] = {}
    for use, amount in zip(uses, amounts, strict=True):
        if use.component is None:
            continue
        key = (use.dimension, _number(use.component["price"]), repr(use.component["taxes"]))
        line = lines.setdefault(key, _Line(use.dimension, use.component, Fraction(0), 0, 0))
        line.billed += amount
        line.last, line.step = max(line.last, use.at), use.component["step"]
    found = list(lines.values())
    if policy["seconds"] != "exact":
        for dimension in _TIMED:
            of_kind = [line for line in found if line.dimension == dimension]
            total = sum((line.billed for line in of_kind), Fraction(0))
            whole = total.__floor__() if policy["seconds"] == "floor" else _nearest(total)
            _spread(of_kind, Fraction(whole) - total)
    if policy["steps"] != "none":
        _steps(found, policy)
    return found


def _steps(lines: Sequence[_Line], policy: Row) -> None:
    if policy["step_scope"] == "line":
        for line in lines:
            if "flat" not in line.dimension and line.step:
                line.billed = _whole_steps(line.dimension, line.billed, line.step, policy["steps"])
        return
    idles = sum((line.billed for line in lines if line.dimension == "idle"), Fraction(0)) > 0
    for dimension in ("energy", "idle" if idles else "time", "reservation"):
        of_kind = [line for line in lines if line.dimension == dimension and line.billed]
        if not of_kind:
            continue
        latest = max(line.last for line in of_kind)
        last = next(line for line in of_kind if line.last == latest)
        total = sum((line.billed for line in of_kind), Fraction(0))
        if last.step:
            more = _whole_steps(dimension, total, last.step, policy["steps"]) - total
            if more > 0:
                last.billed += more
            else:
                _spread(of_kind, more)


def _whole_steps(dimension: str, total: Fraction, step: int, way: str) -> Fraction:
    if not total:
        return total
    scale = 1000 if dimension == "energy" else 1
    count = total * scale if dimension == "energy" else Fraction(_nearest(total))
    if way == "up":
        return max(total, Fraction(-(-count // step) * step, scale))
    return Fraction(count // step * step, scale)


def _spread(lines: Sequence[_Line], change: Fraction) -> None:
    for line in sorted(lines, key=lambda line: -line.last):
        here = max(change, -line.billed)
        line.billed += here
        change -= here


# -- money ------------------------------------------------------------------------------------------------------------


def _sums(tariff: Row, charge: Row, lines: Sequence[_Line], policy: Row) -> Verdict:
    gross_first = tariff["tax"] == "included"
    zero = Fraction(0)
    parts: list[tuple[str, str, Fraction, Fraction, Fraction]] = []
    for line in lines:
        taxes = _taxes(tariff, charge, line.component["taxes"])
        times = _times(taxes)
        amount = line.billed * _unit_price(tariff, charge, line)
        net, gross = (amount / times, amount) if gross_first else (amount, amount * times)
        parts.append((line.dimension, repr(taxes), times, net, gross))
    exact_net, exact_gross = sum((part[3] for part in parts), zero), sum((part[4] for part in parts), zero)
    if policy["per"] == "invoice":
        net, gross = _money(exact_net, tariff, policy), _money(exact_gross, tariff, policy)
    else:
        groups: dict[Any, list[tuple[Fraction, Fraction]]] = {}
        for n, (dimension, taxes_text, times, one_net, one_gross) in enumerate(parts):
            key = n if policy["per"] == "line" else (dimension, taxes_text)
            groups.setdefault(key, []).append((times, one_gross if gross_first else one_net))
        given = zero
        by_times: dict[Fraction, Fraction] = {}
        for members in groups.values():
            whole = _money(sum((amount for _, amount in members), zero), tariff, policy)
            given += whole
            by_times[members[0][0]] = by_times.get(members[0][0], zero) + whole
        follow = [whole / times if gross_first else whole * times for times, whole in by_times.items()]
        if policy["tax"] == "rate":
            follow = [_money(amount, tariff, policy) for amount in follow]
        other = _money(sum(follow, zero), tariff, policy)
        net, gross = (other, given) if gross_first else (given, other)
    net, gross = _limited(tariff, net, gross, exact_net, exact_gross, policy, False)
    billed: dict[str, Fraction] = {}
    for line in lines:
        billed[line.dimension] = billed.get(line.dimension, zero) + line.billed
    return Verdict(net, gross, exact_net, exact_gross, False, billed)


def _unit_price(tariff: Row, charge: Row, line: _Line) -> Fraction:
    """The price of a kWh, a second or a fee after its discount."""
    price = _number(line.component["price"])
    for discount in tariff["discounts"]:
        groups, least = discount["groups"], discount["from_kwh"]
        if line.dimension in discount["dimensions"] and (not groups or charge["group"] in groups):
            if least is not None and _number(charge["month_kwh"]) < _number(least):
                continue
            price = max(Fraction(0), price * (1 - _number(discount["percent"]) / 100) - _number(discount["off"]))
            break
    return price / 3600 if line.dimension in _TIMED else price


def _taxes(tariff: Row, charge: Row, taxes: Sequence[Row] | None) -> list[tuple[int, Fraction]]:
    """Stack and percentage of each tax on the day of supply, which is the last local day of the charge."""
    if tariff["tax"] == "none" or not taxes:
        return []
    day, _ = _clock(charge["zone"], charge["end"] // 60_000)
    found = []
    for tax in taxes:
        percent, since = _number(tax["percent"]), -1
        for change in tariff["tax_changes"]:
            first = _day(change["since"])
            if change["name"] == tax["name"] and since < first <= day:
                percent, since = _number(change["percent"]), first
        found.append((tax["stack"], percent))
    return found


def _times(taxes: Sequence[tuple[int, Fraction]]) -> Fraction:
    times = Fraction(1)
    for stack in sorted({stack for stack, _ in taxes}):
        times *= 1 + sum((percent for one, percent in taxes if one == stack), Fraction(0)) / 100
    return times


def _money(amount: Fraction, tariff: Row, policy: Row) -> Fraction:
    digits = policy["digits"] if policy["digits"] is not None else _DIGITS.get(tariff["currency"], 2)
    count = amount * 10**digits
    below = count.__floor__()
    rest = count - below
    ways = {
        "floor": 0,
        "up": int(rest > 0),
        "half-up": int(rest >= Fraction(1, 2)),
        "half-even": int(rest > Fraction(1, 2) or (rest == Fraction(1, 2) and below % 2 == 1)),
    }
    if policy["money"] not in ways:
        return amount
    return Fraction(below + ways[policy["money"]], 10**digits)


def _limited(
    tariff: Row, net: Fraction, gross: Fraction, exact_net: Fraction, exact_gross: Fraction, policy: Row, free: bool
) -> tuple[Fraction, Fraction]:
    if free:
        return net, gross
    if exact_net:
        times = exact_gross / exact_net
    else:
        first = next((one for element in tariff["elements"] for one in element["components"]), None)
        taxes = (first or {}).get("taxes") or []
        times = _times([(tax["stack"], _number(tax["percent"])) for tax in taxes])
    for name, worse in (("min_price", lambda a, b: a < b), ("max_price", lambda a, b: a > b)):
        limit = tariff[name]
        if limit is None:
            continue
        low = None if limit["net"] is None else _number(limit["net"])
        high = None if limit["gross"] is None else _number(limit["gross"])
        alone = policy["limits"] == "carry" and low is not None
        if low is not None and (high is None or alone):
            if worse(net, low):
                net, gross = _money(low, tariff, policy), _money(low * times, tariff, policy)
        elif high is not None and low is None:
            if worse(gross, high):
                net, gross = _money(high / times, tariff, policy), _money(high, tariff, policy)
        elif low is not None and high is not None:
            net = _money(low, tariff, policy) if worse(net, low) else net
            gross = _money(high, tariff, policy) if worse(gross, high) else gross
    return net, gross


# -- reading ----------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=16_384)
def _parsed(text: str) -> Fraction:
    return Fraction(text)


def _number(value: Any) -> Fraction:
    return _parsed(value) if isinstance(value, str) else Fraction(0 if value is None else value)


@lru_cache(maxsize=16_384)
def _day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


@lru_cache(maxsize=1_024)
def _days(texts: tuple[str, ...]) -> frozenset[int]:
    return frozenset(_day(text) for text in texts)


@lru_cache(maxsize=131_072)
def _clock(zone: str, minute: int) -> tuple[int, int]:
    """The local day and minute of a minute since 1970 UTC."""
    clock = datetime.fromtimestamp(minute * 60, ZoneInfo(zone))
    return clock.toordinal(), clock.hour * 60 + clock.minute


def _nearest(amount: Fraction) -> int:
    return (2 * amount.numerator + amount.denominator) // (2 * amount.denominator)
