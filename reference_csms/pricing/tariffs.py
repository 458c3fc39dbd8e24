"""Tariffs: prices as exact decimals, energy prices by local time of day, read from the rows of an instruction sheet.

A tariff is frozen into a session at its start and never looked up again. Nothing here may use a binary float, a
server's time zone, or a default price.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from msgspec import Struct

from sim.backend import Row
from sim.clock import DAY, MINUTE, Instant, parse_iso, to_datetime, zone
from sim.errors import BadInput

LocalMinute = Callable[[int, str], int]
"""(instant, IANA zone) -> minute of the local day, 0 to 1439."""

_DAY_MINUTES = 24 * 60
MINOR_DIGITS = {"JPY": 0, "KRW": 0, "CLP": 0, "ISK": 0, "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "TND": 3}
"""Digits of the minor unit where they are not 2 (ISO 4217)."""


def minor_digits(currency: str) -> int:
    """How many decimals an amount of this currency has."""
    return MINOR_DIGITS.get(currency, 2)


def local_minute(instant: int, zone_name: str) -> int:
    """The minute of the local day in that zone; a repeated autumn hour counts as its clock shows both times."""
    moment = to_datetime(instant, zone(zone_name))
    return moment.hour * 60 + moment.minute


class EnergyBand(Struct, frozen=True):
    """A price per kWh between two minutes of the local day, `end` exclusive; `end` <= `start` wraps midnight."""

    start: int
    end: int
    price: Decimal

    def holds(self, minute: int) -> bool:
        """Whether this minute of the day lies in the band."""
        if self.start < self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


class Tariff(Struct, frozen=True, kw_only=True):
    """One version of a tariff. Prices are gross major units per kWh, per session, per minute; discounts are percent."""

    tariff_id: str
    version: int
    currency: str
    vat_percent: Decimal
    bands: tuple[EnergyBand, ...]
    start_fee: Decimal
    idle_per_minute: Decimal
    idle_grace_s: int
    group_discounts: dict[str, Decimal]
    minimum_wh: int
    valid_from: Instant

    @property
    def key(self) -> str:
        """The key of this version."""
        return f"{self.tariff_id}@{self.version}"


def tariff_from_row(row: Mapping[str, Any], file: str = "tariffs") -> Tariff:
    """The tariff of a row as in the instruction sheet (see `provision`). Raises BadInput naming the place."""
    reader = _Reader(row, file)
    if row.get("prices_include_vat", True) is not True:
        raise reader.wrong("prices_include_vat", "is not true", "true: prices for consumers are gross")
    bands = tuple(reader.band(n, band) for n, band in enumerate(reader.need("energy")))
    _cover_the_day_once(bands, reader)
    discounts = row.get("group_discounts") or {}
    return Tariff(
        tariff_id=str(reader.need("tariff_id")),
        version=reader.whole("version", 1),
        currency=str(reader.need("currency")),
        vat_percent=reader.number("vat_percent", Decimal(10_000)),
        bands=bands,
        start_fee=reader.number("start_fee", default="0"),
        idle_per_minute=reader.number("idle_per_minute", default="0"),
        idle_grace_s=reader.whole("idle_grace_s", 0),
        group_discounts={str(group): reader.percent(group, value) for group, value in discounts.items()},
        minimum_wh=reader.whole("minimum_wh", 0),
        valid_from=reader.instant("valid_from"),
    )


def tariff_to_row(tariff: Tariff) -> Row:
    """The row of a tariff; `tariff_from_row` reads it back without loss."""
    return {
        "tariff_id": tariff.tariff_id,
        "version": tariff.version,
        "currency": tariff.currency,
        "vat_percent": str(tariff.vat_percent),
        "prices_include_vat": True,
        "energy": [{"from": _clock(b.start), "to": _clock(b.end), "price": str(b.price)} for b in tariff.bands],
        "start_fee": str(tariff.start_fee),
        "idle_per_minute": str(tariff.idle_per_minute),
        "idle_grace_s": tariff.idle_grace_s,
        "group_discounts": {group: str(value) for group, value in tariff.group_discounts.items()},
        "minimum_wh": tariff.minimum_wh,
        "valid_from": int(tariff.valid_from),
    }


def version_at(versions: Sequence[Tariff], at: int) -> Tariff | None:
    """The version in force at an instant: the one that became valid last, None before the first."""
    valid = [tariff for tariff in versions if tariff.valid_from <= at]
    return max(valid, key=lambda tariff: (tariff.valid_from, tariff.version), default=None)


VersionAt = Callable[[Sequence[Tariff], int], Tariff | None]
ChangeTimes = Callable[[tuple[EnergyBand, ...], str, int], tuple[str, ...]]


@lru_cache(maxsize=4096)
def change_times(bands: tuple[EnergyBand, ...], zone_name: str, day: int) -> tuple[str, ...]:
    """The UTC times `HH:MM` at which the energy price changes during a UTC day (`day` = days since 1970).

    Found by looking at the price of every minute, so the nights in which clocks change need no rule of their own.
    """
    start = day * DAY
    minutes = [local_minute(start + n * MINUTE, zone_name) for n in range(-1, _DAY_MINUTES)]
    prices = [next(band.price for band in bands if band.holds(minute)) for minute in minutes]
    return tuple(_clock(n) for n in range(_DAY_MINUTES) if prices[n + 1] != prices[n])


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def _cover_the_day_once(bands: tuple[EnergyBand, ...], reader: _Reader) -> None:
    for minute in range(_DAY_MINUTES):
        found = sum(band.holds(minute) for band in bands)
        if found != 1:
            problem = f"{'no price' if not found else 'two prices'} at {_clock(minute)}"
            raise reader.wrong(
                "energy", f"has {problem}", "bands that cover the day once, such as 06:00-22:00 and 22:00-06:00"
            )


class _Reader:
    """Reads one tariff row and says where it is wrong."""

    def __init__(self, row: Mapping[str, Any], file: str) -> None:
        self.row = row
        self.file = file

    def wrong(self, place: str, problem: str, allowed: str) -> BadInput:
        return BadInput(self.file, f"{self.row.get('tariff_id', '?')}.{place}", problem, allowed)

    def need(self, name: str) -> Any:
        value = self.row.get(name)
        if value is None or value in ("", []):
            raise self.wrong(name, "is missing", "a value")
        return value

    def number(self, name: str, top: Decimal = Decimal(1_000_000), default: str | None = None) -> Decimal:
        value = self.row.get(name, default)
        return self._decimal(name, value, top)

    def whole(self, name: str, default: int) -> int:
        value = self.row.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.wrong(name, f"{value!r} is no whole number", "0 or more")
        return value

    def instant(self, name: str) -> Instant:
        value = self.row.get(name, 0)
        try:
            return parse_iso(value) if isinstance(value, str) else Instant(int(value))
        except (TypeError, ValueError):
            raise self.wrong(name, f"{value!r} is no instant", "milliseconds or an RFC 3339 text") from None

    def percent(self, group: str, value: Any) -> Decimal:
        return self._decimal(f"group_discounts.{group}", value, Decimal(100))

    def band(self, n: int, band: Mapping[str, Any]) -> EnergyBand:
        start, end = (self._minute(f"energy[{n}].{name}", band.get(name)) for name in ("from", "to"))
        return EnergyBand(
            start % _DAY_MINUTES, end % _DAY_MINUTES, self._decimal(f"energy[{n}].price", band.get("price"))
        )

    def _minute(self, place: str, value: Any) -> int:
        hours, colon, minutes = str(value).partition(":")
        if colon and len(hours) == 2 and len(minutes) == 2 and (hours + minutes).isdecimal():
            minute = int(hours) * 60 + int(minutes)
            if int(minutes) < 60 and minute <= _DAY_MINUTES:
                return minute
        raise self.wrong(place, f"{value!r} is no time of day", "HH:MM from 00:00 to 24:00")

    def _decimal(self, place: str, value: Any, top: Decimal = Decimal(1_000_000)) -> Decimal:
        allowed = f"a decimal text from 0 to {top}, such as 0.49"
        if isinstance(value, (float, bool)) or value is None:
            raise self.wrong(place, f"{value!r} is no decimal text", allowed)
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            raise self.wrong(place, f"{value!r} is no decimal text", allowed) from None
        if not number.is_finite() or not 0 <= number <= top:
            raise self.wrong(place, f"{value!r} is out of range", allowed)
        return number
