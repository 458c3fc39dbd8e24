"""Time as whole milliseconds since 1970-01-01T00:00Z, and its texts.

Everything that lives in virtual time is handed its `now`; nothing here may ever ask a wall clock.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NewType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

Instant = NewType("Instant", int)

MILLISECOND = 1
SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


_SECONDS = tuple(f"{second:02d}" for second in range(60))
_MILLISECONDS = tuple(f".{millisecond:03d}Z" for millisecond in range(1000))
_SECONDS_BYTES = tuple(text.encode() for text in _SECONDS)
_MILLISECONDS_BYTES = tuple(text.encode() for text in _MILLISECONDS)
_SECOND_OF = {f"{text}.": second * SECOND for second, text in enumerate(_SECONDS)}
_MILLISECOND_OF = {text[1:]: millisecond for millisecond, text in enumerate(_MILLISECONDS)}


@lru_cache(maxsize=65536)
def _minute_prefix(minute: int) -> str:
    return (_EPOCH + timedelta(minutes=minute)).isoformat()[:17]


@lru_cache(maxsize=65536)
def _minute_bytes(minute: int) -> bytes:
    return _minute_prefix(minute).encode()


def iso_bytes(instant: int) -> bytes:
    """As `iso`, as bytes: for frames that are filled in and not encoded."""
    minute, rest = divmod(instant, MINUTE)
    return _minute_bytes(minute) + _SECONDS_BYTES[rest // 1000] + _MILLISECONDS_BYTES[rest % 1000]


def iso(instant: int) -> str:
    """RFC 3339 in UTC with milliseconds and `Z`: `2019-06-12T07:00:00.000Z`."""
    minute, rest = divmod(instant, MINUTE)
    return _minute_prefix(minute) + _SECONDS[rest // 1000] + _MILLISECONDS[rest % 1000]


@lru_cache(maxsize=65536)
def _minute_of(prefix: str) -> int:
    return from_datetime(datetime.fromisoformat(prefix.upper() + "00Z"))


def parse_iso(text: str) -> Instant:
    """The instant of an RFC 3339 text; offsets and any number of fraction digits are accepted (OCPP 1.6 §3.15).

    Raises ValueError for anything else, a missing zone included.
    """
    if text[10:17:3] == "T::" and text.isascii():
        seconds, milliseconds = _SECOND_OF.get(text[17:20]), _MILLISECOND_OF.get(text[20:])
        if seconds is not None and milliseconds is not None:  # as `iso` writes it
            return _minute_of(text[:17]) + seconds + milliseconds  # type: ignore[return-value]
    moment = datetime.fromisoformat(text.upper())  # RFC 3339 allows `t` and `z`
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} names no time zone")
    try:
        return from_datetime(moment)
    except OverflowError as err:
        raise ValueError(f"{text!r} lies outside the years 1 to 9999") from err


def from_datetime(moment: datetime) -> Instant:
    """The instant of an aware datetime, cut to the millisecond."""
    delta = moment.astimezone(UTC) - _EPOCH
    return Instant((delta.days * 86_400 + delta.seconds) * 1000 + delta.microseconds // 1000)


def to_datetime(instant: int, zone: ZoneInfo | None = None) -> datetime:
    """The aware datetime of an instant, in UTC or in `zone`."""
    return (_EPOCH + timedelta(milliseconds=instant)).astimezone(zone or UTC)


@lru_cache(maxsize=256)
def zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises ValueError for an unknown one."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as err:
        raise ValueError(f"{name!r} is no IANA time zone (an example is Europe/Berlin)") from err


def parse_duration(text: str) -> int:
    """Milliseconds of `90s`, `5m`, `1h30m`, `2d` or `250ms`. Raises ValueError for anything else."""
    units = {"ms": 1, "s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}
    total, number = 0, ""
    rest = text.strip()
    if not rest:
        raise ValueError('an empty text is no duration; allowed: a duration such as "90s", "5m" or "1h30m"')
    while rest:
        number = ""
        while rest and (rest[0].isdigit() or rest[0] == "."):
            number, rest = number + rest[0], rest[1:]
        unit = "ms" if rest.startswith("ms") else rest[:1]
        if not number or unit not in units or number.count(".") > 1 or number == ".":
            raise ValueError(f'{text!r} is no duration; allowed: a duration such as "90s", "5m" or "1h30m"')
        total += round(float(number) * units[unit])
        rest = rest[len(unit) :]
    return total
