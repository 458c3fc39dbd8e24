"""What one played day says about the next one: the facts that a rehearsal over many seeds adds up.

Reads evidence only, and counts only. The result is plain data that goes from one process to another as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from reports.combinations import combinations
from reports.facts import by_right
from reports.run import Row, by
from reports.switching import hours_of
from sim.evidence.reader import Evidence

STUCK = ("stuck", "split", "unfinished", "not-begun")
"""Outcomes of a move that leave a station without a certain home; see truth_outcomes."""
_WAITING = "waiting-account"


def facts_of(evidence: Evidence) -> dict[str, Any]:
    """The facts of one seed.

    `sites`: for each site its stations, refused starts, interrupted charges, connector time lost (ms), stuck stations,
    energy in quarantine (Wh), and the most money that was held at once, by currency in minor units. `hours`: what a
    switch costs by the hour at each site that moves (`reports.switching`). `windows`: when sites move, `zones` where.
    `rollbacks_ms`: how long each rollback took. `combinations`: see `reports.combinations`.
    """
    windows = dict((evidence.plan("move") or {}).get("windows", {}))
    zones = zones_of(evidence)
    return {
        "sites": _sites(evidence),
        "windows": windows,
        "zones": zones,
        "hours": {
            site: [msgspec.to_builtins(hour) for hour in hours_of(evidence, site, zones[site], window)]
            for site, window in sorted(windows.items())
        },
        "rollbacks_ms": rollbacks(evidence),
        "combinations": [list(one) for one in sorted(combinations(evidence))],
    }


def zones_of(evidence: Evidence) -> dict[str, str]:
    """The time zone of each site: that of its owner."""
    owners = {str(row["owner"]): str(row["zone"]) for row in evidence.plan("owners", [])}
    return {str(row["site"]): owners.get(str(row["owner"]), "UTC") for row in evidence.plan("sites", [])}


def rollbacks(evidence: Evidence) -> list[int]:
    """How long each rollback took that came to its end, from the decision to the station's being back, ms."""
    taken = []
    for rows in by(evidence.rows("SELECT * FROM truth_migration ORDER BY at, rowid"), "station").values():
        begun = [int(row["at"]) for row in rows if row["state"] == "ROLLBACK"]
        back = [int(row["at"]) for row in rows if row["state"] == "BACK_AT_OLD"]
        if begun and back:
            taken.append(back[-1] - begun[0])
    return sorted(taken)


def _sites(evidence: Evidence) -> dict[str, dict[str, Any]]:
    stations = by(evidence.plan("stations", []), "site")
    visits = by(evidence.rows("SELECT * FROM truth_visits ORDER BY rowid"), "site")
    outcomes = by(evidence.rows("SELECT * FROM truth_outcomes ORDER BY rowid"), "site")
    held_wh, held = _quarantined(evidence), money_held(evidence)
    names = sorted({str(name) for name in (*stations, *visits) if name})
    sites = {}
    for name in names:
        mine = [visit for visit in visits.get(name, []) if not by_right(visit)]
        sites[name] = {
            "stations": len({str(row["station"]) for row in stations.get(name, [])}),
            "visits": len(mine),
            "refused_starts": sum(refused(visit) for visit in mine),
            "interrupted_charges": sum(int(visit["interrupted"] or 0) for visit in mine),
            "lost_ms": sum(int(visit["lost_ms"] or 0) for visit in mine),
            "stuck_stations": sum(row["outcome"] in STUCK for row in outcomes.get(name, [])),
            "quarantined_wh": held_wh.get(name, 0),
            "money_held": dict(sorted(held.get(name, {}).items())),
        }
    return sites


def refused(visit: Row) -> int:
    """How often a driver who may charge was refused; a visit that ended so counts at least once (as in DRV-01)."""
    return max(int(visit["refusals"] or 0), int(visit["outcome"] == "refused"))


def _quarantined(evidence: Evidence) -> dict[str, int]:
    """Energy of the sessions that stay in quarantine, Wh by site."""
    sums: dict[str, int] = {}
    for row in evidence.rows("SELECT site, energy_wh FROM books_sessions WHERE state = 'quarantined'"):
        sums[str(row["site"])] = sums.get(str(row["site"]), 0) + int(row["energy_wh"] or 0)
    return sums


def money_held(evidence: Evidence) -> dict[str, dict[str, int]]:
    """The most money that was held at one instant, by site and currency in minor units.

    Held is what is owed by claims of owners whose account cannot charge, from their beginning until it can, and the
    value of quarantined sessions, at the site's own mean price. Nothing where the books hold no claims.
    """
    claims = evidence.rows("SELECT * FROM books_claims ORDER BY rowid")
    if not claims:
        return {}
    steps: dict[tuple[str, str], list[tuple[int, int]]] = {}
    parts, turned_on = _parts(evidence), _turned_on(evidence)
    for claim in claims:
        begin = int(claim["created_at"])
        until = _held_until(claim, turned_on)
        if until is not None and until <= begin:
            continue
        for site, amount in _spread(claim, parts):
            edges = steps.setdefault((site, str(claim["currency"])), [])
            edges.append((begin, amount))
            if until is not None:
                edges.append((until, -amount))
    for site, currency, at, value in _quarantined_value(evidence):
        steps.setdefault((site, currency), []).append((at, value))
    held: dict[str, dict[str, int]] = {}
    for (site, currency), edges in sorted(steps.items()):
        level = most = 0
        for _, amount in sorted(edges):
            level += amount
            most = max(most, level)
        held.setdefault(site, {})[currency] = most
    return held


def _held_until(claim: Row, turned_on: Mapping[tuple[str, str], list[tuple[int, bool]]]) -> int | None:
    """When a claim stops to be held, None if it never does; its beginning if it never was."""
    begin = int(claim["created_at"])
    if claim["route"] != "stripe":
        return begin
    notes = turned_on.get((str(claim["backend"]), str(claim["seller"])), [])
    able = next((on for at, on in reversed(notes) if at <= begin), False)
    if able and claim["state"] != _WAITING:
        return begin
    opened = next((at for at, on in notes if at > begin and on), None)
    return opened if claim["state"] != _WAITING else None


def _turned_on(evidence: Evidence) -> dict[tuple[str, str], list[tuple[int, bool]]]:
    """Since when each owner's account can charge, as the back-end believed it."""
    found: dict[tuple[str, str], list[tuple[int, bool]]] = {}
    for row in evidence.rows("SELECT * FROM books_accounts ORDER BY at, rowid"):
        able = bool(row["charges_enabled"]) and not row["disabled_reason"]
        found.setdefault((str(row["backend"]), str(row["owner"])), []).append((int(row["at"]), able))
    return found


def _parts(evidence: Evidence) -> dict[str, list[tuple[str, int]]]:
    """By session or document of a claim: its sites, each with what the bills there come to."""
    sites = {(row["backend"], row["session_id"]): str(row["site"]) for row in evidence.rows(_SITES)}
    found: dict[str, list[tuple[str, int]]] = {}
    bills = {}
    for bill in evidence.rows("SELECT backend, number, session_id, gross FROM books_bills"):
        site = sites.get((bill["backend"], bill["session_id"]), "")
        bills[str(bill["number"])] = (site, int(bill["gross"]))
        found[str(bill["number"])] = [(site, int(bill["gross"]))]
    for line in evidence.rows("SELECT number, bill FROM books_invoice_lines WHERE bill IS NOT NULL ORDER BY rowid"):
        if str(line["bill"]) in bills:
            found.setdefault(str(line["number"]), []).append(bills[str(line["bill"])])
    found.update({str(session): [(site, 0)] for (_, session), site in sites.items()})
    return found


_SITES = "SELECT backend, session_id, site FROM books_sessions WHERE site IS NOT NULL"


def _spread(claim: Row, parts: Mapping[str, list[tuple[str, int]]]) -> Iterable[tuple[str, int]]:
    """What is owed of a claim, by site; all of it at the first one if the sites do not share it to the unit."""
    owed = int(claim["amount"]) - int(claim["credited"] or 0)
    mine = parts.get(str(claim["session_id"])) or parts.get(str(claim["document"])) or [("", 0)]
    if sum(amount for _, amount in mine) == owed:
        yield from mine
    else:
        yield mine[0][0], owed


def _quarantined_value(evidence: Evidence) -> Iterable[tuple[str, str, int, int]]:
    """Site, currency, instant and value of each session in quarantine, in minor units, rounded down."""
    sums: dict[str, tuple[int, int, str]] = {}
    sql = (
        "SELECT s.site, s.energy_wh, b.gross, b.currency FROM books_bills b JOIN books_sessions s"
        " ON s.backend = b.backend AND s.session_id = b.session_id"
    )
    for row in evidence.rows(sql):
        wh, gross, _ = sums.get(str(row["site"]), (0, 0, ""))
        sums[str(row["site"])] = (wh + int(row["energy_wh"] or 0), gross + int(row["gross"]), str(row["currency"]))
    sql = (
        "SELECT site, energy_wh, stopped_at FROM books_sessions WHERE state = 'quarantined' AND stopped_at IS NOT NULL"
    )
    for row in evidence.rows(sql):
        wh, gross, currency = sums.get(str(row["site"]), (0, 0, ""))
        if wh:
            yield str(row["site"]), currency, int(row["stopped_at"]), gross * int(row["energy_wh"] or 0) // wh


def dumps(facts: Mapping[str, Any]) -> str:
    """Facts as JSON on one line; the same facts are the same bytes."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":"))
