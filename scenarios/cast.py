"""The stations of a run: what stands where, which vendor profile each has, and when each moving one has its turn.

Plain data drawn from the seed. Nothing here may depend on a target.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from fleet.profile import load_profile, profile_names
from fleet.rig import RigConfig, meters_of
from fleet.visits import Visit
from scenarios.faults.blows import Blow
from scenarios.model import Scenario, Site, Wave, local_instant
from scenarios.workloads import Workload
from sim.backend import Row
from sim.clock import MINUTE, Instant
from sim.rng import stream

ENDPOINT = "ws://{backend}/ocpp/1.6"


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

    @property
    def route(self) -> str:
        """How it is pointed at another back-end."""
        return self.config.profile.migration.route


def plan_stations(
    scenario: Scenario,
    seed: int,
    workload: Workload,
    sites: Mapping[str, Site],
    waves: Mapping[str, Wave],
    visits: tuple[Visit, ...],
) -> tuple[StationPlan, ...]:
    """Every station of the session file, also those that nobody visits, with its profile, back-end, meters and turn."""
    carried = _carried(scenario, seed, workload, waves, visits)
    profiles = _profiles(scenario, seed, workload, sites, waves)
    if carried is not None and load_profile(profiles[carried.station]).migration.route != "vendor_cloud":
        routes = [name for name in profile_names() if load_profile(name).migration.route == "vendor_cloud"]
        profiles[carried.station] = routes[0]
    turns = _turns(scenario, seed, workload, waves, carried)
    plans = []
    for station, entry in workload.stations.items():
        site = str(entry["site"])
        backend = "new" if sites[site].backend == "new" and site not in waves else "legacy"
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


def with_quirks(plans: tuple[StationPlan, ...], blows: Sequence[Blow]) -> tuple[StationPlan, ...]:
    """The same stations, with the quirks that faults give to some of them."""
    given: dict[str, list[str]] = {}
    for blow in blows:
        if blow.kind == "station.quirk":
            given.setdefault(blow.target, []).append(str(blow.data["quirk"]))
    made = []
    for plan in plans:
        profile = plan.config.profile.with_quirks(*given.get(plan.station, ()))
        made.append(
            replace(plan, config=replace(plan.config, profile=profile, given=tuple(given[plan.station])))
            if plan.station in given
            else plan
        )
    return tuple(made)


def _profiles(
    scenario: Scenario, seed: int, workload: Workload, sites: Mapping[str, Site], waves: Mapping[str, Wave]
) -> dict[str, str]:
    """The vendor profile of each station. A moving site gets every profile in turn, so that every route is walked."""
    names = sorted(scenario.fleet.profiles)
    weights = [scenario.fleet.profiles[name] for name in names]
    chosen: dict[str, str] = {}
    for station, entry in workload.stations.items():
        site = str(entry["site"])
        own = sites[site].profile
        chosen[station] = own or stream(seed, "profile", station).choices(names, weights)[0]
    rng = stream(seed, "moving-profiles")
    for moving in waves:
        if not sites[moving].profile:
            there = [station for station, entry in workload.stations.items() if entry["site"] == moving]
            rng.shuffle(there)
            for number, station in enumerate(there):
                chosen[station] = names[number % len(names)]
    return chosen


def _turns(
    scenario: Scenario, seed: int, workload: Workload, waves: Mapping[str, Wave], carried: Visit | None
) -> dict[str, Instant]:
    """When each station of the moving sites has its turn; the carrier's comes just before its EV leaves."""
    turns: dict[str, Instant] = {}
    rng = stream(seed, "turns")
    for moving, wave in waves.items():
        begin, end = _working_time(scenario, moving, wave, workload)
        there = [station for station, entry in workload.stations.items() if entry["site"] == moving]
        rng.shuffle(there)
        pace = min(int(wave.pace), (end - begin) // max(1, len(there)))
        turns |= {station: Instant(begin + number * pace) for number, station in enumerate(there)}
    if carried is not None:
        turns[carried.station] = Instant(carried.leave - 2 * MINUTE)
    return turns


def _working_time(scenario: Scenario, moving: str, wave: Wave, workload: Workload) -> tuple[int, int]:
    """From the first turn to the last: what is begun later could not be finished by the deadline."""
    name = scenario.owners[scenario.sites_for(workload.sites)[moving].owner].zone
    begin = local_instant(wave.date, wave.start, name)
    end = local_instant(wave.date, wave.deadline, name) - int(wave.stuck_after) - int(wave.probation)
    return begin, max(begin, end)


def _carried(
    scenario: Scenario, seed: int, workload: Workload, waves: Mapping[str, Wave], visits: tuple[Visit, ...]
) -> Visit | None:
    """The visit whose end is to wait in an offline queue while its station changes back-ends, None if none fits.

    Its station gets a profile whose route needs no OCPP link, so that it can be moved while its uplink is dead.
    """
    spans = {site: _working_time(scenario, site, wave, workload) for site, wave in waves.items()}
    fitting = [
        visit
        for visit in visits
        if visit.site in spans
        and spans[visit.site][0] + 10 * MINUTE < visit.leave < spans[visit.site][1]
        and visit.leave - visit.arrive > 30 * MINUTE
        and visit.energy_wh > 1_000
        and not visit.refused_by_right
    ]
    return stream(seed, "carrier").choice(fitting) if fitting else None
