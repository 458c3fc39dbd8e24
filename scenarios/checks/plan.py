"""What the scenario promised, as the checks need it: who sells where at what price, who may charge, which meter counts.

Read from the plan of the evidence only. A row that lacks what it must hold raises, and the check is UNKNOWN.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from sim.evidence.reader import Evidence

GUEST = "GUEST-"
"""Prefix of the tokens of guests, who need no contract."""


class PlannedMeter(Struct, frozen=True):
    """A meter as the back-ends were, or were not, told of it."""

    meter_id: str
    station: str
    connector: int
    public_key: str
    registered: bool
    time_billing: str
    letter: str | None


class PlannedToken(Struct, frozen=True):
    """A token with its group and what the back-ends are to answer for it."""

    token: str
    group: str | None
    status: str
    free: bool
    customer: str | None = None
    sites: tuple[str, ...] | None = None


class Plan(Struct, frozen=True):
    """The plan of one run, by key."""

    tariffs: dict[str, list[Mapping[str, Any]]]
    tariff_of_site: dict[str, str]
    zone_of_site: dict[str, str]
    owner_of_site: dict[str, str]
    tokens: dict[str, PlannedToken]
    meters: dict[tuple[str, int], PlannedMeter]

    def tariff(self, site: str, at: int = 0) -> Mapping[str, Any]:
        """The tariff row in force at a site at an instant. Raises KeyError if the plan names none."""
        versions = self.tariffs[self.tariff_of_site[site]]
        valid = [row for row in versions if int(row.get("valid_from", 0)) <= at] or versions
        return max(valid, key=lambda row: (int(row.get("valid_from", 0)), int(row.get("version", 1))))

    def minimum_wh(self, site: str, at: int = 0) -> int:
        """Below this energy a session is free."""
        return int(self.tariff(site, at).get("minimum_wh", 0))

    def knows_token(self, token: str | None) -> bool:
        """Whether anybody was told of this token; guests are known by their prefix."""
        name = (token or "").upper()
        return name in self.tokens or name.startswith(GUEST)

    def token(self, token: str | None) -> PlannedToken | None:
        """The plan's row of a token, letters of either case."""
        return self.tokens.get((token or "").upper())

    def customer(self, token: str | None) -> str | None:
        """Who pays for this token: the plan's customer, a guest for itself, None if nobody was told of it."""
        planned = self.token(token)
        if planned is not None:
            return planned.customer or planned.token
        return token if (token or "").upper().startswith(GUEST) else None

    def status(self, token: str | None, site: str) -> str:
        """What a back-end is to answer for this token at a site: unknown is Invalid, for others only is Blocked."""
        planned = self.token(token)
        if planned is not None:
            elsewhere = planned.sites is not None and site not in planned.sites
            return "Blocked" if planned.status == "Accepted" and elsewhere else planned.status
        return "Accepted" if self.knows_token(token) else "Invalid"


def plan_of(evidence: Evidence) -> Plan:
    """The plan of this evidence, read once."""
    return evidence.keep("plan", _read)


def _read(evidence: Evidence) -> Plan:
    owners = {row["owner"]: row for row in evidence.plan("owners", [])}
    sites = {row["site"]: row for row in evidence.plan("sites", [])}
    tariffs: dict[str, list[Mapping[str, Any]]] = {}
    for row in evidence.plan("tariffs", []):
        tariffs.setdefault(row["tariff_id"], []).append(row)
    tokens = [_token(row) for row in evidence.plan("tokens", [])]
    meters = [_meter(row) for row in evidence.plan("meters", [])]
    return Plan(
        tariffs=tariffs,
        tariff_of_site={name: row.get("tariff_id") or owners[row["owner"]]["tariff_id"] for name, row in sites.items()},
        zone_of_site={name: owners[row["owner"]]["zone"] for name, row in sites.items()},
        owner_of_site={name: row["owner"] for name, row in sites.items()},
        tokens={token.token.upper(): token for token in tokens},
        meters={(meter.station, meter.connector): meter for meter in meters},
    )


def _token(row: Mapping[str, Any]) -> PlannedToken:
    group = row.get("grp", row.get("group"))
    status, free = str(row.get("status", "Accepted")), bool(row.get("free", False))
    sites = row.get("sites")
    return PlannedToken(row["token"], group, status, free, row.get("customer"), None if sites is None else tuple(sites))


def _meter(row: Mapping[str, Any]) -> PlannedMeter:
    return PlannedMeter(
        meter_id=row["meter_id"],
        station=row["station"],
        connector=row["connector"],
        public_key=row["public_key"],
        registered=bool(row["registered"]),
        time_billing=row["time_billing"],
        letter=row.get("time_status", row.get("letter")),
    )
