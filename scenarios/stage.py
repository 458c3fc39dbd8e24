"""Sets the stage: from a scenario and a seed to everybody and everything that takes part in the run, as plain data.

Owners, sites, stations with their profiles, people and visits, faults, the move, what each back-end is told, and the plan
that checks and oracle judge by. Nothing runs here, and nothing here may depend on a target.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict

from fleet.population import GUEST_GROUP as NO_GROUP
from fleet.population import Population, populate, tokens
from fleet.profile import load_profile, profile_names
from fleet.rig import RigConfig, meters_of
from fleet.visits import Visit
from scenarios.migration import MoveOrder, StationOrder
from scenarios.model import Scenario, Site, local_instant
from scenarios.nemesis import Blow, Place, plan_faults
from scenarios.workloads import Workload, load_day
from sim.backend import Row
from sim.clock import MINUTE, SECOND, Instant, zone
from sim.rng import stream

ENDPOINT = "ws://{backend}/ocpp/1.6"
LOCAL_LIST_ENTRIES = 48


class StationPlan(Struct, frozen=True):
    """One station: where it stands, what it is, and which back-end it is at when the day begins."""

    station: str
    site: str
    zone: str
    backend: str
    profile: str
    connectors: tuple[int, ...]
    power_w: int
    config: RigConfig
    meters: tuple[Row, ...]
    turn: Instant | None = None
    carries: bool = False


class Stage(Struct, frozen=True):
    """Everything that takes part in one run."""

    scenario: Scenario
    seed: int
    start: Instant
    end: Instant
    stations: tuple[StationPlan, ...]
    visits: tuple[Visit, ...]
    blows: tuple[Blow, ...]
    move: MoveOrder | None
    provision: dict[str, list[Row]]
    plan: dict[str, Any]


def set_stage(scenario: Scenario, seed: int, sessions: Path) -> Stage:
    """Draw the whole cast. Raises BadInput for what the session file or the scenario lacks."""
    workload = _workload(scenario, sessions)
    sites = scenario.sites_for(workload.sites)
    counts = {site: sum(entry["site"] == site for entry in workload.stations.values()) for site in workload.sites}
    moving = scenario.moving_site(counts)
    country = {site: scenario.owners[plan.owner].country for site, plan in sites.items()}
    people = populate(
        workload.visits,
        seed,
        groups=_groups(scenario),
        country_of=lambda site: country[site],
        app_percent=round(scenario.app.share * 100),
    )
    plans = _stations(scenario, seed, workload, sites, moving, people.visits)
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
        )
        for plan in plans
    ]
    blows = plan_faults(scenario, seed, places, people.visits)
    provision = _provision(scenario, sites, plans, blows, _tokens(people))
    return Stage(
        scenario=scenario,
        seed=seed,
        start=workload.day_start,
        end=Instant(workload.horizon + int(scenario.day.settle)),
        stations=plans,
        visits=people.visits,
        blows=blows,
        move=_move(scenario, moving, plans, provision, people.visits) if moving else None,
        provision=provision,
        plan=_plan(scenario, workload, plans, provision, moving),
    )


def _idle_billable(scenario: Scenario, site: Site, plan: StationPlan) -> bool:
    certified = load_profile(plan.profile).clock.time_billing != "none"
    return certified and scenario.tariff_of(site).idle_per_minute.value > 0


def _workload(scenario: Scenario, sessions: Path) -> Workload:
    default = scenario.default_owners[0] if scenario.default_owners else next(iter(scenario.owners))

    def zone_of(site: str) -> Any:
        known = scenario.sites.get(site)
        return zone(scenario.owners[known.owner if known else default].zone)

    return load_day(
        sessions,
        scenario.sessions.zone,
        scenario.day.date,
        zone_of,
        columns=scenario.sessions.columns,
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


# -- stations -----------------------------------------------------------------------------------------------------------


def _stations(
    scenario: Scenario,
    seed: int,
    workload: Workload,
    sites: Mapping[str, Site],
    moving: str | None,
    visits: tuple[Visit, ...],
) -> tuple[StationPlan, ...]:
    carried = _carried(scenario, seed, workload, moving, visits)
    profiles = _profiles(scenario, seed, workload, sites, moving)
    if carried is not None and load_profile(profiles[carried.station]).migration.route != "vendor_cloud":
        routes = [name for name in profile_names() if load_profile(name).migration.route == "vendor_cloud"]
        profiles[carried.station] = routes[0]
    turns = _turns(scenario, seed, workload, moving, carried)
    plans = []
    for station, entry in workload.stations.items():
        site = str(entry["site"])
        backend = "new" if sites[site].backend == "new" and site != moving else "legacy"
        connectors = tuple(range(1, max(int(entry["connectors"]), scenario.fleet.connectors) + 1))
        profile = load_profile(profiles[station])
        config = RigConfig(
            station=station,
            site=site,
            profile=profile,
            connectors=connectors,
            url=ENDPOINT.format(backend=backend),
            seed=seed,
            max_power_w=int(entry["power_w"]),
        )
        plan = StationPlan(
            station=station,
            site=site,
            zone=scenario.owners[sites[site].owner].zone,
            backend=backend,
            profile=profile.name,
            connectors=connectors,
            power_w=int(entry["power_w"]),
            config=config,
            meters=tuple(meters_of(config)),
            turn=turns.get(station),
            carries=carried is not None and station == carried.station,
        )
        plans.append(plan)
    return tuple(plans)


def _profiles(
    scenario: Scenario, seed: int, workload: Workload, sites: Mapping[str, Site], moving: str | None
) -> dict[str, str]:
    """The vendor profile of each station. The moving site gets every profile in turn, so that every route is walked."""
    names = sorted(scenario.fleet.profiles)
    weights = [scenario.fleet.profiles[name] for name in names]
    chosen: dict[str, str] = {}
    for station, entry in workload.stations.items():
        site = str(entry["site"])
        own = sites[site].profile
        chosen[station] = own or stream(seed, "profile", station).choices(names, weights)[0]
    if moving is not None and not sites[moving].profile:
        there = [station for station, entry in workload.stations.items() if entry["site"] == moving]
        stream(seed, "moving-profiles").shuffle(there)
        for number, station in enumerate(there):
            chosen[station] = names[number % len(names)]
    return chosen


def _turns(
    scenario: Scenario, seed: int, workload: Workload, moving: str | None, carried: Visit | None
) -> dict[str, Instant]:
    """When each station of the moving site has its turn; the carrier's comes just before its EV leaves."""
    if scenario.move is None or moving is None:
        return {}
    begin, end = _working_time(scenario, moving, workload)
    there = [station for station, entry in workload.stations.items() if entry["site"] == moving]
    stream(seed, "turns").shuffle(there)
    pace = min(int(scenario.move.pace), (end - begin) // max(1, len(there)))
    turns = {station: Instant(begin + number * pace) for number, station in enumerate(there)}
    if carried is not None:
        turns[carried.station] = Instant(carried.leave - 2 * MINUTE)
    return turns


def _working_time(scenario: Scenario, moving: str, workload: Workload) -> tuple[int, int]:
    """From the first turn to the last: what is begun later could not be finished by the deadline."""
    assert scenario.move is not None
    name = scenario.owners[scenario.sites_for(workload.sites)[moving].owner].zone
    begin = local_instant(scenario.day.date, scenario.move.start, name)
    end = local_instant(scenario.day.date, scenario.move.deadline, name) - int(scenario.move.stuck_after)
    return begin, max(begin, end)


def _carried(
    scenario: Scenario, seed: int, workload: Workload, moving: str | None, visits: tuple[Visit, ...]
) -> Visit | None:
    """The visit whose end is to wait in an offline queue while its station changes back-ends, None if none fits.

    Its station gets a profile whose route needs no OCPP link, so that it can be moved while its uplink is dead.
    """
    if scenario.move is None or moving is None:
        return None
    begin, end = _working_time(scenario, moving, workload)
    fitting = [
        visit
        for visit in visits
        if visit.site == moving
        and begin + 10 * MINUTE < visit.leave < end
        and visit.leave - visit.arrive > 30 * MINUTE
        and visit.energy_wh > 1_000
        and not visit.refused_by_right
    ]
    return stream(seed, "carrier").choice(fitting) if fitting else None


# -- what back-ends are told ----------------------------------------------------------------------------------------------


def _provision(
    scenario: Scenario,
    sites: Mapping[str, Site],
    plans: tuple[StationPlan, ...],
    blows: tuple[Blow, ...],
    token_rows: list[Row],
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
        "stations": stations,
        "meters": meters,
        "tokens": token_rows,
    }


# -- the move -------------------------------------------------------------------------------------------------------------


def _move(
    scenario: Scenario,
    site: str,
    plans: tuple[StationPlan, ...],
    provision: Mapping[str, list[Row]],
    visits: tuple[Visit, ...],
) -> MoveOrder:
    assert scenario.move is not None
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
        if plan.turn is None:
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
        )
        stations.append(order)
    return MoveOrder(
        site=site,
        old="legacy",
        new="new",
        new_url=ENDPOINT.format(backend="new"),
        stations=tuple(stations),
        drain_timeout=int(scenario.move.drain_timeout),
        stuck_after=int(scenario.move.stuck_after),
    )


# -- what checks and oracle judge by ----------------------------------------------------------------------------------------


def _plan(
    scenario: Scenario,
    workload: Workload,
    plans: tuple[StationPlan, ...],
    provision: Mapping[str, list[Row]],
    moving: str | None,
) -> dict[str, Any]:
    move = None
    if scenario.move is not None and moving is not None:
        move = {"site": moving, "old": "legacy", "new": "new"}
        move["stations"] = [plan.station for plan in plans if plan.turn is not None]  # type: ignore[assignment]
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
        "tariffs": provision["tariffs"],
        "tokens": provision["tokens"],
        "meters": provision["meters"],
        "budgets": asdict(scenario.budgets),
        "window": {"start": workload.day_start, "end": workload.horizon},
        "move": move,
        "checks": list(scenario.checks.all_of),
        "input": workload.input_report,
        "scenario": {"name": scenario.name, "title": scenario.title},
    }
