"""Prices without booking anything: what charging costs somewhere at an instant, and what another's CDR costs here.

Both use the very rating that bills use, so a price shown and a price billed cannot differ. An unknown place or tariff
is said so and never quoted as 0.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec

from reference_csms.catalogue import Catalogue
from reference_csms.pricing.model import ENERGY, FLAT, IDLE, Charge
from reference_csms.pricing.offer import offers_at
from reference_csms.pricing.rating import Cdr, Period, RatedCdr, RatingPolicy, full_policy, full_tariff
from reference_csms.pricing.tariffs import LocalMinute, Tariff
from sim.backend import Row
from sim.clock import Instant

GRID = "grid"
CDR = "cdr"
_COMPONENTS = {ENERGY: "energy", FLAT: "start", IDLE: "idle"}


class Quotes:
    """Answers price questions from a catalogue."""

    def __init__(
        self, catalogue: Catalogue, rate: Callable[[Cdr, Tariff, RatingPolicy], RatedCdr], local_time: LocalMinute
    ) -> None:
        self._catalogue = catalogue
        self._rate = rate
        self._policy = RatingPolicy(local_minute=local_time)

    def quote(self, request: Row, now: Instant) -> Row:
        """The answer to `{"kind": "grid", site, grp, at}` or `{"kind": "cdr", "cdr": row}`. Else raises ValueError."""
        kind = request.get("kind")
        if kind == GRID:
            return self._grid(str(request["site"]), request.get("grp"), int(request.get("at", now)))
        if kind == CDR:
            return self._cdr(request["cdr"], request.get("site"))
        raise ValueError(f"{kind!r} is no kind of quote ({GRID}, {CDR})")

    def _grid(self, site: str, group: str | None, at: int) -> Row:
        """The components in force at a site for a group at an instant, each with its price as decimal text."""
        tariff, owner = self._catalogue.tariff_for(site, None, at), self._catalogue.owner_of(site)
        if tariff is None or owner is None:
            return {"site": site, "grp": group, "at": at, "problem": "unknown-tariff", "components": []}
        charge = Charge(
            start=Instant(at),
            end=Instant(at),
            periods=(),
            currency=tariff.currency,
            zone=owner.zone,
            location=site,
            group=group or "",
        )
        prices = {name: Decimal(0) for name in _COMPONENTS.values()}
        for offer in offers_at(full_tariff(tariff), charge, full_policy(self._policy)):
            per = 60 if offer.dimension == IDLE else 1
            prices[_COMPONENTS[offer.dimension]] = offer.reduced / per
        vat = format(tariff.vat_percent, "f")
        rows = [
            {"component": name, "price": _text(value), "currency": tariff.currency, "vat_percent": vat}
            for name, value in prices.items()
        ]
        return {"site": site, "grp": group, "at": at, "tariff_id": tariff.tariff_id, "components": rows}

    def _cdr(self, row: Row, site: str | None) -> Row:
        """A row of `books_cdrs`, of any back-end, priced with the tariff in force here."""
        station = str(row["station"])
        place = site or row.get("site") or self._catalogue.site_of(station)
        owner = self._catalogue.owner_of(place)
        tariff = self._catalogue.tariff_version(row.get("tariff_id"), int(row["started_at"]))
        if owner is None or tariff is None:
            return {"cdr_id": row["cdr_id"], "problem": "unknown-tariff"}
        rated = self._rate(cdr_from_row(row, place, owner.zone), tariff, self._policy)
        return {
            "cdr_id": row["cdr_id"],
            "currency": rated.currency,
            "gross": rated.gross,
            "net": rated.net,
            "vat": rated.vat,
            "lines": [line.as_row() for line in rated.lines],
        }


def cdr_from_row(row: Row, site: str, zone_name: str) -> Cdr:
    """The CDR of a row of `books_cdrs`."""
    periods: list[dict[str, Any]] = row["periods"]
    if isinstance(periods, (str, bytes)):
        periods = msgspec.json.decode(periods)
    return Cdr(
        cdr_id=row["cdr_id"],
        session_id=row["session_id"],
        station=row["station"],
        connector=row["connector"],
        site=site,
        id_tag=row["id_tag"],
        grp=row["grp"],
        tariff_id=row["tariff_id"],
        tariff_version=row["tariff_version"],
        currency=row["currency"],
        zone=zone_name,
        started_at=Instant(row["started_at"]),
        stopped_at=Instant(row["stopped_at"]),
        kwh=Decimal(row["kwh"]),
        time_billable=bool(row["time_billable"]),
        periods=tuple(
            Period(Instant(p["start"]), Instant(p["end"]), Decimal(p["energy_kwh"]), bool(p["idle"])) for p in periods
        ),
        corrects=row.get("corrects"),
    )


def _text(value: Decimal) -> str:
    """A price without superfluous zeros, so that equal prices are equal texts."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
