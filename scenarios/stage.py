"""Sets the stage: from a scenario and a seed to everybody and everything that takes part in the run, as plain data.

Owners, sites, stations with their profiles, people and visits, faults, the move, what each back-end is told, and the plan
that checks and oracle judge by. Nothing runs here, and nothing here may depend on a target.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from fleet.population import GUEST_GROUP as NO_GROUP
from fleet.population import Population, populate, tokens
from fleet.profile import load_profile
from fleet.visits import Visit
from scenarios.cast import ENDPOINT, StationPlan, plan_stations, with_quirks
from scenarios.migration import MoveOrder, StationOrder
from scenarios.model import Scenario, Site, Wave, local_instant
from scenarios.nemesis import Blow, Place, plan_faults
from scenarios.nemesis_move import WRONG_URL, Strike
from scenarios.targets import ROLES
from scenarios.upgrade.casting import cast_upgrade, catch_up_per_day, driver_terms
from scenarios.upgrade.plan import UpgradePlan
from scenarios.workloads import Workload, load_day
from sim.backend import Row
from sim.clock import MINUTE, SECOND, Instant, zone

LOCAL_LIST_ENTRIES = 48
CHANGE_TIMES = "TariffChangeTimes"
"""The key by which a station is told when prices change: another day, another value, whoever tells it."""
TAP_AFTER = 10 * MINUTE
"""How long after the horizon every token is tapped at every back-end, at most, in ms: nothing moves any more."""


class Stage(Struct, frozen=True):
    """Everything that takes part in one run."""

    scenario: Scenario
    seed: int
    start: Instant
    taps_at: Instant
    end: Instant
    stations: tuple[StationPlan, ...]
    visits: tuple[Visit, ...]
    blows: tuple[Blow, ...]
    moves: tuple[MoveOrder, ...]
    strikes: tuple[Strike, ...]
    technician_hours: tuple[tuple[Instant, Instant], ...]
    provision: dict[str, list[Row]]
    plan: dict[str, Any]
    upgrade: UpgradePlan | None = None


def set_stage(scenario: Scenario, seed: int, sessions: Path) -> Stage:
    """Draw the whole cast. Raises BadInput for what the session file or the scenario lacks."""
    workload = workload_of(scenario, sessions)
    sites = scenario.sites_for(workload.sites)
    counts = {site: sum(entry["site"] == site for entry in workload.stations.values()) for site in workload.sites}
    waves = scenario.waves(counts)
    country = {site: scenario.owners[plan.owner].country for site, plan in sites.items()}
    people = populate(
        workload.visits,
        seed,
        groups=_groups(scenario),
        country_of=lambda site: country[site],
        app_percent=round(scenario.app.share * 100),
    )
    plans = plan_stations(scenario, seed, workload, sites, waves, people.visits)
    places = [
        Place(
            station=plan.station,
            site=plan.site,
            zone=plan.zone,
            backend=plan.backend,
            idle_billable=_idle_billable(scenario, sites[plan.site], plan),
            idle_grace=scenario.tariff_of(sites[plan.site]).idle_grace_s * SECOND,
            turn=plan.turn,
            carries=plan.carries,
            route=plan.route,
            profile=plan.profile,
            version=plan.config.profile.version,
        )
        for plan in plans
    ]
    blows = plan_faults(scenario, seed, places, people.visits)
    plans = with_quirks(plans, blows)
    probes = _probes(next(iter(waves), None) or next(iter(sites)), {plan.station for plan in plans})
    token_rows = _tokens(people)
    upgrade = cast_upgrade(scenario, seed, sites, waves, plans, people.visits, token_rows)
    provision = _provision(scenario, sites, plans, blows, token_rows, probes)
    if upgrade is not None:
        provision["sellers"] = [*upgrade.sellers]
        provision["contracts"] = _first_contracts(upgrade)
        provision["driver-terms"] = driver_terms(scenario, seed, token_rows)
    moves = tuple(_move(scenario, site, wave, plans, blows, provision, people.visits) for site, wave in waves.items())
    return Stage(
        scenario=scenario,
        seed=seed,
        start=workload.day_start,
        taps_at=Instant(workload.horizon + min(TAP_AFTER, int(scenario.day.settle) // 4)),
        end=Instant(workload.horizon + int(scenario.day.settle)),
        stations=plans,
        visits=people.visits,
        blows=blows,
        moves=moves,
        strikes=tuple(_strikes(blows, plans)),
        technician_hours=tuple(sorted(_hours(scenario, sites[site], wave) for site, wave in waves.items())),
        provision=provision,
        plan=_plan(scenario, workload, plans, provision, moves, waves, probes, upgrade),
        upgrade=upgrade,
    )


def _first_contracts(upgrade: UpgradePlan) -> list[Row]:
    """The contracts in force when the run begins: an owner whose site moves has the old one still."""
    rows = (owner.contract_old or owner.contract_new for owner in upgrade.owners)
    return [row for row in rows if row is not None]


def _idle_billable(scenario: Scenario, site: Site, plan: StationPlan) -> bool:
    approved = load_profile(plan.profile).clock.time_billing != "none"
    return approved and scenario.tariff_of(site).idle_per_minute.value > 0


def workload_of(scenario: Scenario, sessions: Path) -> Workload:
    """The visits and stations of the session file that take part. Raises BadInput for what the file lacks."""
    default = scenario.default_owners[0] if scenario.default_owners else next(iter(scenario.owners))

    def zone_of(site: str) -> Any:
        known = scenario.sites.get(site)
        return zone(scenario.owners[known.owner if known else default].zone)

    return load_day(
        sessions,
        scenario.sessions.zone,
        scenario.day.date,
        zone_of,
        days=scenario.day.days,
        columns=scenario.sessions.columns,
        sites=scenario.sessions.sites,
        only=scenario.sessions.rows,
        horizon=int(scenario.day.horizon),
        default_power_w=scenario.fleet.power_w,
    )


def _groups(scenario: Scenario) -> dict[str, float]:
    """The shares of the groups; the rest belongs to none."""
    rest = 1.0 - sum(scenario.groups.values())
    return {NO_GROUP: max(0.0, rest), **scenario.groups}


def _tokens(people: Population) -> list[Row]:
    """Everybody's token. Who belongs to no group has none: a common parentIdTag would let strangers stop each other."""
    return [{**row, "group": None if row["group"] == NO_GROUP else row["group"]} for row in tokens(people)]


def _probes(site: str, taken: Container[str]) -> list[Row]:
    """A test station at each back-end, both at the same site, at which every token is tapped after the day (INV-21).

    No station of the session file (`taken`) has the name of one.
    """
    return [{"station": _free(f"tap-{role}", taken), "site": site, "backend": role} for role in ROLES]


def _free(name: str, taken: Container[str]) -> str:
    return name if name not in taken else _free(f"{name}-x", taken)


# -- what back-ends are told ----------------------------------------------------------------------------------------------


def _provision(
    scenario: Scenario,
    sites: Mapping[str, Site],
    plans: tuple[StationPlan, ...],
    blows: tuple[Blow, ...],
    token_rows: list[Row],
    probes: list[Row],
) -> dict[str, list[Row]]:
    unregistered = {blow.target for blow in blows if blow.kind == "meter.key-unregistered"}
    fleet = scenario.fleet
    configuration = {
        "HeartbeatInterval": str(fleet.heartbeat_s),
        "MeterValueSampleInterval": str(fleet.sample_s),
        "ClockAlignedDataInterval": str(fleet.aligned_s),
    }
    owners = [
        {
            "owner": name,
            "name": owner.name,
            "country": owner.country,
            "currency": owner.currency,
            "vat_percent": str(owner.vat_percent),
            "zone": str(owner.zone),
            "tariff_id": owner.tariff,
        }
        for name, owner in scenario.owners.items()
    ]
    site_rows = [
        {"site": name, "owner": site.owner, "tariff_id": scenario.tariff_of(site).tariff_id}
        for name, site in sites.items()
    ]
    stations = [
        {
            "station": plan.station,
            "site": plan.site,
            "backend": plan.backend,
            "power_w": plan.power_w,
            "heartbeat_s": fleet.heartbeat_s,
            "configuration": configuration,
        }
        for plan in plans
    ]
    meters = [
        {**meter, "station": plan.station, "registered": plan.station not in unregistered}
        for plan in plans
        for meter in plan.meters
    ]
    return {
        "owners": owners,
        "sites": site_rows,
        "tariffs": [tariff.row() for tariff in scenario.tariff],
        "stations": [*stations, *probes],
        "meters": meters,
        "tokens": token_rows,
    }


# -- the move -------------------------------------------------------------------------------------------------------------


def _move(
    scenario: Scenario,
    site: str,
    wave: Wave,
    plans: tuple[StationPlan, ...],
    blows: tuple[Blow, ...],
    provision: Mapping[str, list[Row]],
    visits: tuple[Visit, ...],
) -> MoveOrder:
    mistyped = {blow.target for blow in blows if blow.kind == "route.wrong-url"}
    status = {str(row["token"]): str(row["status"]) for row in provision["tokens"]}
    group = {str(row["token"]): row["group"] for row in provision["tokens"]}
    rows = {str(row["station"]): row for row in provision["stations"]}
    known = sorted(
        {visit.token for visit in visits if visit.site == site and visit.contract and status[visit.token] == "Accepted"}
    )
    entries = tuple(
        {"idTag": token, "idTagInfo": {"status": "Accepted"} | ({"parentIdTag": group[token]} if group[token] else {})}
        for token in known[:LOCAL_LIST_ENTRIES]
    )
    stations = []
    for plan in plans:
        if plan.turn is None or plan.site != site:
            continue
        migration = load_profile(plan.profile).migration
        meters = [meter for meter in provision["meters"] if meter["station"] == plan.station]
        order = StationOrder(
            station=plan.station,
            route=migration.route,
            url_key=migration.url_key,
            begin=plan.turn,
            station_row={**rows[plan.station], "backend": "new"},
            meter_rows=tuple(meters),
            configuration=rows[plan.station]["configuration"],
            local_list=entries,
            applies=migration.applies,
            new_url=WRONG_URL if plan.station in mistyped else "",
        )
        stations.append(order)
    return MoveOrder(
        site=site,
        old="legacy",
        new="new",
        new_url=ENDPOINT.format(backend="new"),
        stations=tuple(stations),
        drain_timeout=int(wave.drain_timeout),
        stuck_after=int(wave.stuck_after),
        old_url=ENDPOINT.format(backend="legacy"),
        deadline=_hours(scenario, scenario.sites_for([site])[site], wave)[1],
        probation=int(wave.probation),
        technician=wave.technician,
    )


def _hours(scenario: Scenario, site: Site, wave: Wave) -> tuple[Instant, Instant]:
    """The working day of a wave at a site."""
    zone_name = scenario.owners[site.owner].zone
    return local_instant(wave.date, wave.start, zone_name), local_instant(wave.date, wave.deadline, zone_name)


def _windows(scenario: Scenario, waves: Mapping[str, Wave]) -> dict[str, Row]:
    """When each site moves and at what pace, ms; waves are counted from 1 in the order of the scenario."""
    order = list(dict.fromkeys((wave.date, wave.sites) for wave in waves.values()))
    order.sort(key=lambda one: one[0])
    windows: dict[str, Row] = {}
    for site, wave in waves.items():
        start, deadline = _hours(scenario, scenario.sites_for([site])[site], wave)
        windows[site] = {
            "wave": order.index((wave.date, wave.sites)) + 1,
            "start": start,
            "deadline": deadline,
            "pace": int(wave.pace),
            "drain_timeout": int(wave.drain_timeout),
        }
    return windows


def _strikes(blows: tuple[Blow, ...], plans: tuple[StationPlan, ...]) -> list[Strike]:
    """The faults that wait for a state of the move."""
    connectors = {plan.station: plan.connectors for plan in plans}
    return [
        Strike(
            fault_id=blow.fault_id,
            kind=blow.kind,
            station=blow.target,
            connectors=connectors[blow.target],
            state=str(blow.data["on"]),
            delay=int(blow.data["delay"]),
            lasts=blow.until - blow.at,
            old_url=ENDPOINT.format(backend="legacy"),
        )
        for blow in blows
        if "delay" in blow.data
    ]


# -- what checks and oracle judge by ----------------------------------------------------------------------------------------


def _plan(
    scenario: Scenario,
    workload: Workload,
    plans: tuple[StationPlan, ...],
    provision: Mapping[str, list[Row]],
    moves: tuple[MoveOrder, ...],
    waves: Mapping[str, Wave],
    probes: list[Row],
    upgrade: UpgradePlan | None,
) -> dict[str, Any]:
    move: dict[str, Any] | None = None
    if moves:
        sites = [order.site for order in moves]
        move = {"site": sites[0], "sites": sites, "old": "legacy", "new": "new"}
        move["stations"] = [plan.station for plan in plans if plan.turn is not None]
        move["old_url"], move["new_url"] = (ENDPOINT.format(backend=name) for name in ("legacy", "new"))
        move["windows"] = _windows(scenario, waves)
        move["configuration"] = {one.station: _changes(one, order) for order in moves for one in order.stations}
    return {
        "owners": provision["owners"],
        "sites": provision["sites"],
        "stations": [
            {
                "station": plan.station,
                "site": plan.site,
                "backend": plan.backend,
                "profile": plan.profile,
                "connectors": list(plan.connectors),
                "power_w": plan.power_w,
            }
            for plan in plans
        ],
        "probes": probes,
        "tariffs": provision["tariffs"],
        "tokens": provision["tokens"],
        "meters": provision["meters"],
        "budgets": asdict(scenario.budgets),
        "window": {"start": workload.day_start, "end": workload.horizon},
        "move": move,
        "upgrade": None if upgrade is None else upgrade.row(),
        "catch_up_per_day": catch_up_per_day(scenario.upgrade),
        "checks": list(scenario.checks.all_of),
        "input": workload.input_report,
        "scenario": {"name": scenario.name, "title": scenario.title},
    }


def _changes(station: StationOrder, order: MoveOrder) -> dict[str, list[str] | None]:
    """What the move may change in the configuration of a station: key and values, None for any value.

    The address, as it was written down for this station, and the old one for the way back; what every back-end sets.
    """
    addresses = list(dict.fromkeys(filter(None, (order.new_url, station.new_url, order.old_url))))
    changes: dict[str, list[str] | None] = {key: [value] for key, value in station.configuration.items()}
    changes[CHANGE_TIMES] = None
    if station.url_key:
        changes[station.url_key] = addresses
    if station.route == "network_profile":
        changes |= {"NetworkConnectionProfile1": [order.old_url], "NetworkConfigurationPriority": ["2,1", "1,2"]}
    return changes
