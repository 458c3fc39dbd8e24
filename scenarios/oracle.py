"""A second opinion on every bill: the price of a true session, from the meter's points and the plan alone.

Exact at the break-points, in fractions, with its own reading of tariffs and local times. `second_by_second` prices the
same session in steps of a second and proves the exact one on a sample. No back-end may import it, nor it a back-end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct

SIGNED = ("B", "T", "S", "C", "E")
"""Marks of points that the meter signs; W and w (the EVSE withholds power, and offers it again) are truth only."""
CHANGE_SLACK = 2_000
"""A tariff-change reading is priced as taken just after the change, though the clock may be this much early, in ms."""
_MINOR = {"JPY": 0, "KRW": 0, "CLP": 0, "ISK": 0, "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "TND": 3}
_MAY_BILL_TIME = {"none": "", "duration": "SR", "absolute": "S"}


class Point(Struct, frozen=True):
    """What the register showed at an instant (ms), and why it was read."""

    at: int
    wh: int
    mark: str


class Terms(Struct, frozen=True):
    """On which terms a session is sold: tariff row of the plan, owner's zone, customer's group, and the clock's use."""

    tariff: Mapping[str, Any]
    zone: str
    group: str | None
    idle_billable: bool


class OracleLine(Struct, frozen=True):
    """One line: component, quantity (Wh, seconds or 1), price in major units, amount in minor units."""

    component: str
    quantity: int
    price: str
    amount: int


class Opinion(Struct, frozen=True):
    """What a session should cost, in minor units. `free`: below the minimum, no bill is due."""

    currency: str
    free: bool
    gross: int
    net: int
    vat: int
    lines: tuple[OracleLine, ...]


class NoOpinion(Exception):
    """The plan or the points do not say what this session costs."""


def may_bill_time(time_billing: str, letter: str | None) -> bool:
    """Whether idle may be billed from a meter of this approval with this time status letter (OCMF TM)."""
    return bool(letter) and str(letter) in _MAY_BILL_TIME[time_billing]


def opinion(points: Sequence[Point], terms: Terms) -> Opinion:
    """The price of a session that ended. Raises NoOpinion if it has no begin and end, or its tariff no price."""
    signed = [point for point in points if point.mark in SIGNED]
    complete(signed)
    energy: dict[Fraction, int] = {}
    for here, there in pairwise(signed):
        price = energy_price(terms, here.at + (CHANGE_SLACK if here.mark == "T" else 0))
        energy[price] = energy.get(price, 0) + there.wh - here.wh
    return _sum_up(terms, {price: Fraction(wh) for price, wh in energy.items()}, idle_ms(points))


def second_by_second(points: Sequence[Point], terms: Terms) -> Opinion:
    """The same price, found by walking through the session in steps of a second.

    Differs from the exact one only if the price changed where the meter signed nothing.
    """
    complete(points)
    energy: dict[Fraction, Fraction] = {}
    idle, resting, withheld = 0, False, False
    for here, there in pairwise(points):
        resting = {"S": True, "C": False, "E": False}.get(here.mark, resting)
        withheld = {"W": True, "w": False}.get(here.mark, withheld)
        lengths: dict[int, int] = {}  # by minute: bands and offsets of zones are whole minutes
        for at, length in _steps(here.at, there.at):
            minute = (at + (CHANGE_SLACK if here.mark == "T" and at == here.at else 0)) // 60_000
            lengths[minute] = lengths.get(minute, 0) + length
            idle += length if resting and not withheld else 0
        for minute, length in lengths.items():
            price = energy_price(terms, minute * 60_000)
            energy[price] = energy.get(price, Fraction(0)) + Fraction((there.wh - here.wh) * length, there.at - here.at)
        if here.at == there.at and here.wh != there.wh:
            raise NoOpinion("energy flowed in no time")
    return _sum_up(terms, energy, idle)


def idle_ms(points: Sequence[Point]) -> int:
    """How long the EV drew nothing by its own choice: from S to the next C or E, without what the EVSE withheld."""
    total, since, withheld = 0, None, False
    for point in points:
        if since is not None and not withheld:
            total += point.at - since
        if point.mark in ("W", "w"):
            withheld = point.mark == "W"
        if point.mark == "S" or (since is not None and point.mark not in ("C", "E")):
            since = point.at
        elif point.mark in ("C", "E"):
            since = None
    return total


def changes_signed(points: Sequence[Point], terms: Terms) -> bool:
    """Whether the meter signed a reading wherever the energy price changes inside the session."""
    signed = [point for point in points if point.mark in SIGNED]
    for here, there in pairwise(signed):
        price = energy_price(terms, here.at + (CHANGE_SLACK if here.mark == "T" else 0))
        first = -(-(here.at + CHANGE_SLACK) // 60_000)
        minutes = range(first, -(-(there.at - CHANGE_SLACK) // 60_000))
        if any(energy_price(terms, minute * 60_000) != price for minute in minutes):
            return False
    return True


def changes_missed(points: Sequence[Point], terms: Terms) -> list[int]:
    """Instants inside the session at which the energy price changes, energy flows, and the meter signed nothing."""
    signed = [point for point in points if point.mark in SIGNED]
    missed = []
    price_at = _prices_of(terms)
    for here, there in pairwise(signed):
        if here.wh == there.wh:
            continue
        first = (here.at + CHANGE_SLACK) // 60_000 + 1
        before = price_at(first - 1)
        for minute in range(first, -(-(there.at - CHANGE_SLACK) // 60_000)):
            price = price_at(minute)
            if price is not before and price != before:
                missed.append(minute * 60_000)
            before = price
    return missed


def idle_cost(terms: Terms, seconds: int) -> int:
    """What this many seconds of idle time cost, grace included in them, in minor units."""
    billed = seconds - int(terms.tariff.get("idle_grace_s", 0))
    if billed <= 0 or not terms.idle_billable:
        return 0
    return half_up(billed * Fraction(terms.tariff["idle_per_minute"]) / 60 * _minor(terms))


def half_up(amount: Fraction) -> int:
    """Rounded half up to a whole number."""
    return (2 * amount.numerator + amount.denominator) // (2 * amount.denominator)


def complete(points: Sequence[Point]) -> None:
    """Raises NoOpinion if a session has no begin and end."""
    if len(points) < 2 or points[0].mark != "B" or points[-1].mark != "E":
        raise NoOpinion("the session has no begin and end")


def _steps(start: int, end: int) -> Iterator[tuple[int, int]]:
    at = start
    while at < end:
        length = min(1_000, end - at)
        yield at, length
        at += length


def _sum_up(terms: Terms, energy: Mapping[Fraction, Fraction], idle: int) -> Opinion:
    tariff = terms.tariff
    if tariff.get("prices_include_vat", True) is not True:
        raise NoOpinion("prices without VAT are not for consumers")
    if sum(energy.values()) < int(tariff.get("minimum_wh", 0)):
        return Opinion(tariff["currency"], True, 0, 0, 0, ())
    off = Fraction(tariff.get("group_discounts", {}).get(terms.group or "", "0"))
    lines = []
    for price, wh in energy.items():
        amount = half_up(wh / 1000 * price * (1 - off / 100) * _minor(terms))
        lines.append(OracleLine("energy", half_up(wh), str(price), amount))
    fee = Fraction(tariff.get("start_fee", "0"))
    lines.append(OracleLine("start", 1, str(fee), half_up(fee * _minor(terms))))
    lines.append(OracleLine("idle", idle // 1000, tariff.get("idle_per_minute", "0"), idle_cost(terms, idle // 1000)))
    gross = sum(line.amount for line in lines)
    net = half_up(gross / (1 + Fraction(tariff["vat_percent"]) / 100))
    due = tuple(line for line in lines if line.quantity and line.amount)
    return Opinion(tariff["currency"], False, gross, net, gross - net, due)


def _minor(terms: Terms) -> int:
    return int(10 ** _MINOR.get(terms.tariff["currency"], 2))


def energy_price(terms: Terms, at: int) -> Fraction:
    """The price per kWh at an instant, before any discount. Raises NoOpinion if the tariff has none or several."""
    return _prices_of(terms)(at // 60_000)


def _prices_of(terms: Terms) -> Callable[[int], Fraction]:
    """The price at each minute since 1970 UTC, for whoever asks for many of them."""
    bands = tuple((band["from"], band["to"], band["price"]) for band in terms.tariff["energy"])

    def price(minute: int) -> Fraction:
        local = _local_minute(terms.zone, minute)
        prices = _prices(bands, local)
        if len(prices) != 1:
            clock = f"{local // 60:02}:{local % 60:02}"
            raise NoOpinion(f"tariff {terms.tariff['tariff_id']} has {len(prices)} energy prices at {clock}")
        return prices[0]

    return price


@lru_cache(maxsize=131_072)
def _local_minute(zone: str, minute: int) -> int:
    """The minute of the local day at a minute since 1970 UTC: offsets of zones are whole minutes."""
    clock = datetime.fromtimestamp(minute * 60, ZoneInfo(zone))
    return clock.hour * 60 + clock.minute


@lru_cache(maxsize=65_536)
def _prices(bands: tuple[tuple[str, str, str], ...], minute: int) -> tuple[Fraction, ...]:
    """All prices in force in a minute of the local day; a minute is asked for in session after session."""
    return tuple(_fraction(price) for begin, end, price in bands if _within(begin, end, minute))


@lru_cache(maxsize=1_024)
def _fraction(price: str) -> Fraction:
    """One object for each price: that the same one is still in force is then seen without comparing numbers."""
    return Fraction(price)


def _within(begin_text: str, end_text: str, minute: int) -> bool:
    begin, end = (int(text[:2]) * 60 + int(text[3:5]) for text in (begin_text, end_text))
    if begin < end:
        return begin <= minute < end
    return minute >= begin or minute < end
