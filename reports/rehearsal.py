"""Many seeds of one scenario added up to a forecast: what drivers will suffer, when to switch, until when to turn back,
and whether to go at all.

Pure sums over the facts of each seed (`reports.seed`): the same seeds give the same bytes. A percentile is the nearest
rank, so that it is a value that really occurred.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any

from msgspec import Struct

from reports import words
from reports.switching import percentile
from sim import clock
from sim.clock import MINUTE

FORMAT = "chargerig-rehearsal/1"
GO, NO_GO = "go", "no-go"
MEASURES = {
    "interrupted_charges": "interrupted charges",
    "connector_minutes_lost": "connector-minutes lost",
    "refused_starts": "refused starts",
    "stuck_stations": "stuck stations",
}
SHORT = ("interrupted", "minutes lost", "refused", "stuck")
"""The same, as heads of narrow columns."""
"""What is forecast per site, besides the money that is held."""
BUDGET_CHECKS = ("DRV-01", "DRV-02", "DRV-03")
"""Checks that hold one day against the budgets: over many days the percentile decides, so they are named but not counted."""
_COUNTS = ("findings", "not_judged", "failed")


class Seed(Struct, frozen=True):
    """One rehearsed day. `findings` and `not_judged` by check: how many with the first sentence, and why not."""

    seed: int
    digest: str
    facts: dict[str, Any]
    findings: dict[str, tuple[int, str]] = {}
    not_judged: dict[str, str] = {}


def forecast(
    scenario: str,
    title: str,
    budgets: Mapping[str, int],
    seeds: Iterable[Seed],
    *,
    asked: int,
    failed: Mapping[int, str] | None = None,
    only: Sequence[str] = (),
) -> dict[str, Any]:
    """The whole forecast as JSON-able data. `scenario` is what `chargerig run` takes, `asked` how many seeds were wanted.

    `only`: the sites that took part, if not all of the scenario's did. `failed`: seeds of which the run itself failed, and
    how. Raises ValueError if no seed came to its end.
    """
    days = sorted(seeds, key=lambda one: one.seed)
    if not days:
        raise ValueError("no seed came to its end, so there is nothing to forecast from")
    windows: dict[str, Any] = days[0].facts["windows"]
    sites = sorted({site for day in days for site in day.facts["sites"]})
    rolled = sorted(ms for day in days for ms in day.facts["rollbacks_ms"])
    trouble = _trouble(scenario, days, failed or {})
    waves = [
        _wave(number, days, windows, budgets, rolled, trouble)
        for number in sorted({int(window["wave"]) for window in windows.values()})
    ]
    whole = _budgeted(days, sites, budgets)
    go = (
        all(wave["verdict"] == GO for wave in waves)
        and all(one["ok"] for one in whole)
        and not any(trouble[kind] for kind in _COUNTS)
    )
    return {
        "format": FORMAT,
        "scenario": scenario,
        "title": title,
        "only": list(only),
        "verdict": GO if go else NO_GO,
        "asked": asked,
        "seeds": [day.seed for day in days],
        "digests": {str(day.seed): day.digest for day in days},
        "reasons": whole,
        "waves": waves,
        "sites": {site: _site(site, days, windows) for site in sites},
        "hours": {site: _hours(site, days, windows, days[0].facts["zones"][site]) for site in sorted(windows)},
        "rollbacks": {"measured": len(rolled), **_spread(rolled)} if rolled else {"measured": 0},
        **trouble,
        "combinations": _combinations(days),
        "budgets": dict(sorted(budgets.items())),
    }


def dumps(told: Mapping[str, Any]) -> str:
    """A forecast as the text of rehearsal.json."""
    return json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _trouble(scenario: str, days: Sequence[Seed], failed: Mapping[int, str]) -> dict[str, list[dict[str, Any]]]:
    """Seeds with a finding, above a budget, with something not judged, and seeds that failed; each with its replay."""

    def replay(seed: int) -> dict[str, Any]:
        return {"seed": seed, "replay": f"chargerig run {scenario} --seed {seed}"}

    found = [
        {**replay(day.seed), "check": check, "findings": count, "first": first}
        for day in days
        for check, (count, first) in sorted(day.findings.items())
    ]
    return {
        "findings": [one for one in found if one["check"] not in BUDGET_CHECKS],
        "over_budget": [one for one in found if one["check"] in BUDGET_CHECKS],
        "not_judged": [
            {**replay(day.seed), "check": check, "reason": reason}
            for day in days
            for check, reason in sorted(day.not_judged.items())
        ],
        "failed": [{**replay(seed), "problem": problem} for seed, problem in sorted(failed.items())],
    }


def _spread(values: Sequence[int]) -> dict[str, int]:
    return {"p50": percentile(values, 50), "p95": percentile(values, 95), "most": max(values)}


def measure(facts: Mapping[str, Any], site: str, name: str) -> int:
    """One number of one site on one day; time lost in whole minutes, rounded up."""
    found = facts["sites"].get(site, {})
    if name == "connector_minutes_lost":
        return -(-int(found.get("lost_ms", 0)) // MINUTE)
    return int(found.get(name, 0))


def _site(site: str, days: Sequence[Seed], windows: Mapping[str, Any]) -> dict[str, Any]:
    held = [day.facts["sites"].get(site, {}).get("money_held", {}) for day in days]
    currencies = sorted({currency for one in held for currency in one})
    return {
        "wave": windows[site]["wave"] if site in windows else None,
        "stations": max(int(day.facts["sites"].get(site, {}).get("stations", 0)) for day in days),
        **{name: _spread([measure(day.facts, site, name) for day in days]) for name in MEASURES},
        "money_held": {currency: _spread([int(one.get(currency, 0)) for one in held]) for currency in currencies},
        "quarantined_wh": _spread([int(day.facts["sites"].get(site, {}).get("quarantined_wh", 0)) for day in days]),
    }


def _budgeted(days: Sequence[Seed], sites: Sequence[str], budgets: Mapping[str, int]) -> list[dict[str, Any]]:
    """The sums over some sites against each budget, as reasons."""
    reasons = []
    for name in (name for name in MEASURES if name in budgets):
        spread = _total(days, sites, name)
        within = spread["p95"] <= budgets[name]
        says = f"{MEASURES[name]}: p95 {spread['p95']}, {'within' if within else 'above'} the budget of {budgets[name]}"
        reasons.append({"ok": within, "says": says, "measure": name, **spread})
    return reasons


def _total(days: Sequence[Seed], sites: Sequence[str], name: str) -> dict[str, int]:
    if name == "connector_minutes_lost":  # minutes of the sum, as in DRV-03: not the sum of minutes rounded up
        lost = [sum(int(day.facts["sites"].get(site, {}).get("lost_ms", 0)) for site in sites) for day in days]
        return _spread([-(-one // MINUTE) for one in lost])
    return _spread([sum(measure(day.facts, site, name) for site in sites) for day in days])


def _wave(
    number: int,
    days: Sequence[Seed],
    windows: Mapping[str, Any],
    budgets: Mapping[str, int],
    rolled: Sequence[int],
    trouble: Mapping[str, Sequence[Mapping[str, Any]]],
) -> dict[str, Any]:
    sites = [site for site, window in sorted(windows.items()) if window["wave"] == number]
    reasons = _budgeted(days, sites, budgets)
    stuck = _total(days, sites, "stuck_stations")
    reasons.append({"ok": stuck["p95"] == 0, "says": f"stuck stations: p95 {stuck['p95']}, none is allowed"})
    safe = [_last_rollback(site, days, windows[site], rolled) for site in sites]
    last = min(safe, key=lambda one: one["at"]) if rolled else None
    reasons.append(_about_rollback(last, windows))
    for kind, what in zip(_COUNTS, ("with a finding", "not judged in full", "failed"), strict=True):
        named = sorted({int(one["seed"]) for one in trouble[kind]})
        if named:
            reasons.append({"ok": False, "says": f"{words.plural(len(named), 'seed')} {what}: {_listed(named)}"})
    zone = days[0].facts["zones"][sites[0]]
    return {
        "wave": number,
        "date": _local(int(windows[sites[0]]["start"]), zone)[:10],
        "sites": sites,
        "verdict": NO_GO if any(reason["ok"] is False for reason in reasons) else GO,
        "reasons": reasons,
        "last_rollback": last,
        "last_rollbacks": safe if rolled else [],
    }


def _last_rollback(site: str, days: Sequence[Seed], window: Mapping[str, Any], rolled: Sequence[int]) -> dict[str, Any]:
    """The latest instant at which all stations of a site can be sent back, one after the other, and be back in time."""
    stations = max(int(day.facts["sites"].get(site, {}).get("stations", 0)) for day in days)
    room = int(window["deadline"]) - int(window["start"])
    pace = min(int(window["pace"]), room // max(1, stations))
    each = percentile(rolled, 95) if rolled else 0
    at = int(window["deadline"]) - max(0, stations - 1) * pace - each
    zone = days[0].facts["zones"][site]
    told = {"site": site, "stations": stations, "pace_ms": pace, "rollback_p95_ms": each, "measured": len(rolled)}
    return {**told, "at": at, "local": _local(at, zone), "deadline": _local(int(window["deadline"]), zone)}


def _about_rollback(last: Mapping[str, Any] | None, windows: Mapping[str, Any]) -> dict[str, Any]:
    if last is None:
        return {"ok": None, "says": "no rollback was measured in these seeds: the last safe time for one is not known"}
    all_of = f"a rollback of all {last['stations']} stations of {last['site']}"
    if last["at"] < int(windows[last["site"]]["start"]):
        return {"ok": False, "says": f"{all_of} does not end before the deadline, whenever it begins"}
    return {"ok": True, "says": f"{all_of} that begins by {last['local'][11:16]} ends before {last['deadline'][11:16]}"}


def _listed(seeds: Sequence[int], most: int = 8) -> str:
    more = f" and {len(seeds) - most} more" if len(seeds) > most else ""
    return ", ".join(map(str, seeds[:most])) + more


def _local(at: int, zone: str) -> str:
    return f"{clock.to_datetime(at, clock.zone(zone)):%Y-%m-%d %H:%M}"


def _hours(site: str, days: Sequence[Seed], windows: Mapping[str, Any], zone: str) -> dict[str, Any]:
    """Each hour summed over the seeds, and the best one: least time lost, then fewest interrupted, then the earliest."""
    sums: dict[int, list[int]] = {}
    for day in days:
        for row in day.facts["hours"].get(site, []):
            total = sums.setdefault(int(row["hour"]), [0, 0, 0])
            for place, key in enumerate(("switches", "interrupted", "lost_ms")):
                total[place] += int(row[key])
    rows = [
        {
            "hour": hour,
            "switches": switches,
            "interrupted": interrupted,
            "lost_ms": lost,
            "interrupted_per_1000": interrupted * 1000 // switches,
            "lost_ms_per_switch": lost // switches,
        }
        for hour, (switches, interrupted, lost) in sorted(sums.items())
        if switches
    ]
    best = min(
        rows,
        key=lambda row: (
            Fraction(row["lost_ms"], row["switches"]),
            Fraction(row["interrupted"], row["switches"]),
            row["hour"],
        ),
        default=None,
    )
    return {"wave": windows[site]["wave"], "zone": zone, "best": best["hour"] if best else None, "rows": rows}


def _combinations(days: Sequence[Seed]) -> dict[str, Any]:
    """Distinct combinations over all seeds, how many there were after each, and in how many seeds each one occurred."""
    seen: dict[tuple[str, ...], int] = {}
    growth = []
    for day in days:
        for one in day.facts["combinations"]:
            seen[tuple(one)] = seen.get(tuple(one), 0) + 1
        growth.append([day.seed, len(seen)])
    return {"count": len(seen), "growth": growth, "all": [[*one, count] for one, count in sorted(seen.items())]}
