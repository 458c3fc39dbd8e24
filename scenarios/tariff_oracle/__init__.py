"""A second opinion on any price of the whole tariff model: fractions, its own reading of rules, calendars and policies.

It reads plain rows (texts and numbers), never the structs of a back-end, and shares no code with rating. Where rating looks
for edges, this walks over minutes; where rating keeps lines, this keeps a list of what was used, piece by piece.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct

from scenarios.tariff_oracle.billed import OneLine, lines_of
from scenarios.tariff_oracle.plain import TIMED, Row, clock, day_of, number
from scenarios.tariff_oracle.uses import uses_of

_DIGITS = {"JPY": 0, "KRW": 0, "CLP": 0, "ISK": 0, "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "TND": 3}


class Verdict(Struct, frozen=True):
    """What a charge should cost in major units, exactly as it is rounded by the policy, and before."""

    net: Fraction
    gross: Fraction
    exact_net: Fraction
    exact_gross: Fraction
    free: bool
    billed: dict[str, Fraction]


def verdict(tariff: Row, charge: Row, policy: Row) -> Verdict:
    """The price of a charge; all three as rows of plain data."""
    if _below_minimum(tariff, charge):
        zero = Fraction(0)
        return Verdict(*_limited(tariff, zero, zero, zero, zero, policy, True), zero, zero, True, {})
    lines = lines_of(tariff, list(uses_of(tariff, charge, policy)), policy)
    return _sums(tariff, charge, lines, policy)


def _below_minimum(tariff: Row, charge: Row) -> bool:
    wh, seconds = tariff["minimum_wh"], tariff["minimum_s"]
    if not wh and not seconds:
        return False
    kwh = sum(number(period["kwh"]) for period in charge["periods"])
    if charge["kwh"] is not None:
        kwh = number(charge["kwh"])
    little = not wh or kwh * 1000 < wh
    short = not seconds or charge["end"] - charge["start"] < seconds * 1000
    return bool(little and short)


def _sums(tariff: Row, charge: Row, lines: Sequence[OneLine], policy: Row) -> Verdict:
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


def _unit_price(tariff: Row, charge: Row, line: OneLine) -> Fraction:
    """The price of a kWh, a second or a fee after its discount."""
    price = number(line.component["price"])
    for discount in tariff["discounts"]:
        groups, least = discount["groups"], discount["from_kwh"]
        if line.dimension in discount["dimensions"] and (not groups or charge["group"] in groups):
            if least is not None and number(charge["month_kwh"]) < number(least):
                continue
            price = max(Fraction(0), price * (1 - number(discount["percent"]) / 100) - number(discount["off"]))
            break
    return price / 3600 if line.dimension in TIMED else price


def _taxes(tariff: Row, charge: Row, taxes: Sequence[Row] | None) -> list[tuple[int, Fraction]]:
    """Stack and percentage of each tax on the day of supply, which is the last local day of the charge."""
    if tariff["tax"] == "none" or not taxes:
        return []
    day, _ = clock(charge["zone"], charge["end"] // 60_000)
    found = []
    for tax in taxes:
        percent, since = number(tax["percent"]), -1
        for change in tariff["tax_changes"]:
            first = day_of(change["since"])
            if change["name"] == tax["name"] and since < first <= day:
                percent, since = number(change["percent"]), first
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
        times = _times([(tax["stack"], number(tax["percent"])) for tax in taxes])
    for name, worse in (("min_price", lambda a, b: a < b), ("max_price", lambda a, b: a > b)):
        limit = tariff[name]
        if limit is None:
            continue
        low = None if limit["net"] is None else number(limit["net"])
        high = None if limit["gross"] is None else number(limit["gross"])
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
