"""What was promised about an upgrade, as the checks need it, and how a day or an account stands in a text.

Read from the plan row `upgrade` only. Days are ISO texts; the writing of days and accounts is done here once more, so that
a letter is judged by its words and not by what its writer says about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from msgspec import Struct

from sim.clock import from_datetime, to_datetime, zone
from sim.evidence.reader import Evidence

_MONTHS = {
    "nb": "januar februar mars april mai juni juli august september oktober november desember",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "en": "January February March April May June July August September October November December",
}
OTHERWISE = "en"
"""The language of those whose own is not written."""


class PlannedOwner(Struct, frozen=True):
    """An owner: where mail reaches them, and what they have contracts for."""

    owner: str
    zone: str
    language: str
    addresses: tuple[str, ...]
    sites: tuple[str, ...]
    contract_old: Mapping[str, Any] | None
    contract_new: Mapping[str, Any] | None


class PlannedWave(Struct, frozen=True):
    """A wave: `announced` are pairs of day and instant of decision, the last one holds."""

    wave: int
    sites: tuple[str, ...]
    owners: tuple[str, ...]
    announced: tuple[tuple[str, int], ...]
    begins_at: int

    @property
    def day(self) -> str:
        """The day that holds."""
        return self.announced[-1][0]


class PlannedUpgrade(Struct, frozen=True):
    """The whole upgrade, by key; `cut_over` is the ISO day of an owner, None for one who never moves."""

    least_days: int
    most_days: int
    old_seller: str
    new_seller: str
    portal: str
    sellers: dict[str, Mapping[str, Any]]
    owners: dict[str, PlannedOwner]
    waves: tuple[PlannedWave, ...]
    drivers: tuple[Mapping[str, Any], ...]

    @property
    def sites(self) -> tuple[str, ...]:
        """Every site of every owner."""
        return tuple(site for owner in self.owners.values() for site in owner.sites)

    def cut_over(self, owner: str) -> str | None:
        """The day of the first wave with a site of this owner."""
        return min((wave.day for wave in self.waves if owner in wave.owners), default=None)

    def accounts(self, seller: str) -> tuple[str, ...]:
        """Every account that a seller has or had, without blanks."""
        rows = self.sellers.get(seller, {}).get("accounts") or ()
        return tuple(compact(str(row["value"])) for row in rows)

    def account(self, seller: str, day: str) -> str | None:
        """The account of a seller in force on a day, without blanks."""
        found = in_force(self.sellers.get(seller, {}).get("accounts") or (), day)
        return compact(found) if found else None

    def terms(self, owner: PlannedOwner, day: str, seller: str | None = None) -> str | None:
        """The version of the terms that an owner's contract with a seller, by default the new one, has on a day."""
        seller = self.new_seller if seller is None else seller
        contract = owner.contract_old if seller == self.old_seller else owner.contract_new
        return in_force((contract or {}).get("terms") or self.sellers.get(seller, {}).get("terms") or (), day)


def upgrade_of(evidence: Evidence) -> PlannedUpgrade | None:
    """The upgrade of this evidence, read once; None where there is none."""
    return evidence.keep("upgrade", _read)


def in_force(rows: Iterable[Mapping[str, Any]], day: str) -> str | None:
    """The value of the latest row that has begun on a day; rows {value, from}, without `from` it always held."""
    begun = [row for row in rows if str(row.get("from") or "") <= day]
    return str(max(begun, key=lambda row: str(row.get("from") or ""))["value"]) if begun else None


def local_day(instant: int, zone_name: str) -> str:
    """The ISO day of an instant by the clocks of a zone."""
    return to_datetime(instant, zone(zone_name)).date().isoformat()


def midnight(day: str, zone_name: str, later: int = 0) -> int:
    """The instant at which a day begins in a zone, or one so many days later."""
    moment = date.fromisoformat(day) + timedelta(days=later)
    start = to_datetime(0, zone(zone_name)).replace(
        year=moment.year, month=moment.month, day=moment.day, hour=0, minute=0, second=0, microsecond=0, fold=0
    )
    return int(from_datetime(start))


def days_between(earlier: str, later: str) -> int:
    """Calendar days from one ISO day to another."""
    return (date.fromisoformat(later) - date.fromisoformat(earlier)).days


def written(language: str) -> str:
    """The language that somebody is written to in."""
    return language if language in _MONTHS else OTHERWISE


def says_day(text: str, day: str, language: str) -> bool:
    """Whether a text names this day, written out as in its language."""
    moment, tongue = date.fromisoformat(day), written(language)
    month = _MONTHS[tongue].split()[moment.month - 1]
    dot = "" if tongue == "en" else r"\."
    return re.search(rf"(?<!\d){moment.day}{dot} {month} {moment.year}(?!\d)", flat(text)) is not None


def says_word(text: str, word: str) -> bool:
    """Whether a text has this word or address, whole."""
    return re.search(rf"(?<![\w-]){re.escape(word)}(?![\w/-])", flat(text)) is not None


def says_account(text: str, iban: str) -> bool:
    """Whether a text names this account, in groups or in one piece."""
    spaced = " ?".join(re.escape(char) for char in compact(iban))
    return re.search(rf"(?<!\w){spaced}(?!\w)", flat(text)) is not None


def flat(text: str) -> str:
    """A text with single blanks, and no line ends."""
    return " ".join(text.split())


def compact(iban: str) -> str:
    """An account without blanks, in capitals."""
    return "".join(iban.split()).upper()


def _read(evidence: Evidence) -> PlannedUpgrade | None:
    row = evidence.plan("upgrade")
    if row is None:
        return None
    return PlannedUpgrade(
        least_days=row["least_days"],
        most_days=row["most_days"],
        old_seller=row["old_seller"],
        new_seller=row["new_seller"],
        portal=row["portal"],
        sellers={one["seller"]: one for one in row["sellers"]},
        owners={one["owner"]: _owner(one) for one in row["owners"]},
        waves=tuple(_wave(one) for one in row["waves"]),
        drivers=tuple(row["drivers"]),
    )


def _owner(row: Mapping[str, Any]) -> PlannedOwner:
    addresses: Sequence[str] = [row["email"], *(one["email"] for one in row.get("officials") or ())]
    return PlannedOwner(
        owner=row["owner"],
        zone=row["zone"],
        language=row["language"],
        addresses=tuple(dict.fromkeys(addresses)),
        sites=tuple(row["sites"]),
        contract_old=row.get("contract_old"),
        contract_new=row.get("contract_new"),
    )


def _wave(row: Mapping[str, Any]) -> PlannedWave:
    return PlannedWave(
        wave=row["wave"],
        sites=tuple(row["sites"]),
        owners=tuple(row["owners"]),
        announced=tuple((one["day"], one["decided_at"]) for one in row["announced"]),
        begins_at=row["begins_at"],
    )
