"""The kinds of values that a scenario's tables hold: durations, local times, decimals, zones. Only types."""

from __future__ import annotations

from decimal import Decimal

from msgspec import Struct


class Duration(int):
    """Whole milliseconds, written `90s`, `5m`, `1h30m`, `2d` or `250ms`."""


class LocalTime(int):
    """Milliseconds after local midnight, written `HH:MM` or `HH:MM:SS`; `24:00` is not a time of the day."""


class DecimalText(str):
    """A decimal number kept as its text, so that no binary rounding ever touches money: `"0.49"`."""

    @property
    def value(self) -> Decimal:
        """The exact number."""
        return Decimal(self)


class ZoneName(str):
    """An IANA time zone that this machine knows, for instance `Europe/Oslo`."""


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of all tables of a scenario: frozen, and no key that we do not know."""


class Window(Part, frozen=True, kw_only=True, rename={"from_": "from"}):
    """Local times between which the seed draws the moment; both equal: exactly then."""

    from_: LocalTime
    to: LocalTime
