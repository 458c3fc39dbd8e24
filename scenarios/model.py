"""A scenario as frozen data: what happens on the day, to whom, and what is claimed about it.

The seed, the target and the runtime are not part of it. Nothing here may read a file, draw a number or run anything;
`scenarios.load` makes these from TOML and the Python API may make them directly.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
from msgspec import Struct

from scenarios.model_faults import Fault as Fault
from scenarios.model_faults import Where as Where
from scenarios.model_types import DecimalText as DecimalText
from scenarios.model_types import Duration as Duration
from scenarios.model_types import LocalTime as LocalTime
from scenarios.model_types import Part
from scenarios.model_types import Window as Window
from scenarios.model_types import ZoneName as ZoneName
from scenarios.model_upgrade import Company, Onboarding, PartnerFault, Reschedule, Seller, Upgrade
from sim import clock
from sim.clock import DAY, HOUR, MINUTE, Instant

Backend = Literal["legacy", "new", "move"]
LARGEST = "largest-of-legacy"
ALWAYS = Instant(-(2**53))


class Claim(Part, frozen=True, kw_only=True):
    """One sentence that the run is to prove, and the checks that prove it."""

    says: str
    checks: tuple[str, ...] = ()


class Day(Part, frozen=True, kw_only=True):
    """The virtual day, or `days` of them. `zone` is the one of times that belong to no site (faults of back-ends, midnight).

    The run goes from local midnight of `date` for `horizon`, by the end of which every EV has left, and then for
    `settle`, in which everything that is still open has to come to rest.
    """

    date: datetime.date
    days: int = 1
    zone: ZoneName
    horizon: Duration
    settle: Duration

    @property
    def start(self) -> Instant:
        """Local midnight."""
        return local_instant(self.date, 0, self.zone)

    @property
    def settles_at(self) -> Instant:
        """When the last EV has left."""
        return Instant(self.start + self.horizon)

    @property
    def end(self) -> Instant:
        """When the run is over."""
        return Instant(self.start + self.horizon + self.settle)


class Sessions(Part, frozen=True, kw_only=True):
    """The real sessions that are replayed.

    `file` is the name of a packaged file or a path; `zone` is that of its local times. Wall clocks are kept: 09:00 in
    the file is 09:00 at the site. `columns` says which column holds what where it is not the usual name. A file that
    does not hold the date of the day is shifted onto it by whole weeks. `sites` are those of the file that take part, none
    for all of them; `rows` are the lines of the file that are replayed, none for all, and then only their stations exist.
    """

    file: str
    zone: ZoneName
    columns: dict[str, str] = {}
    sites: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()


class Owner(Part, frozen=True, kw_only=True):
    """Who sells the charging at some sites. `tariff` is for sites that name none; the rest is for an [upgrade]."""

    name: str
    country: str
    currency: str
    vat_percent: DecimalText
    zone: ZoneName
    tariff: str
    company: Company | None = None
    onboarding: Onboarding | None = None


class EnergyBand(Part, frozen=True, kw_only=True, rename={"from_": "from"}):
    """A price per kWh for a part of the local day; the end is exclusive and the band may wrap midnight."""

    from_: LocalTime
    to: LocalTime
    price: DecimalText


class Tariff(Part, frozen=True, kw_only=True):
    """One version of what is charged. Prices are gross for all consumers; discounts are percent on energy only.

    `valid_from`: the instant from which this version is in force; without it, from the beginning.
    """

    tariff_id: str
    version: int
    valid_from: datetime.datetime | None = None
    currency: str
    vat_percent: DecimalText
    prices_include_vat: bool = True
    energy: tuple[EnergyBand, ...]
    start_fee: DecimalText = DecimalText("0")
    idle_per_minute: DecimalText = DecimalText("0")
    idle_grace_s: int = 0
    group_discounts: dict[str, DecimalText] = {}
    minimum_wh: int = 100

    @property
    def begins(self) -> Instant:
        """From when on this version is in force, in ms; without `valid_from` before any day."""
        return ALWAYS if self.valid_from is None else clock.from_datetime(self.valid_from)

    def row(self) -> dict[str, Any]:
        """As it goes into `Setup.provision["tariffs"]`: decimals as text, bands as `HH:MM`."""
        bands = [{"from": hhmm(b.from_), "to": hhmm(b.to), "price": str(b.price)} for b in self.energy]
        discounts = {group: str(percent) for group, percent in sorted(self.group_discounts.items())}
        row = {name: getattr(self, name) for name in self.__struct_fields__}
        for name in ("vat_percent", "start_fee", "idle_per_minute"):
            row[name] = str(row[name])
        return {**row, "valid_from": max(0, self.begins), "energy": bands, "group_discounts": discounts}


class Site(Part, frozen=True, kw_only=True):
    """A site: who owns it, where it is at the start of the day, and what it charges."""

    owner: str
    backend: Backend
    tariff: str = ""
    profile: str = ""


class Fleet(Part, frozen=True, kw_only=True):
    """What stands at the sites. `profiles` are shares by vendor profile for sites that name none.

    `power_w` is the power of a connector of which the file does not tell more, `connectors` the least number that a
    station has. `rest_after` is how long after the horizon all stations are switched off, for days on which only
    bills are written; without it they stay on to the end.
    """

    profiles: dict[str, float]
    heartbeat_s: int = 300
    sample_s: int = 300
    aligned_s: int = 0
    connectors: int = 1
    power_w: int = 7400
    rest_after: Duration | None = None


class App(Part, frozen=True, kw_only=True):
    """The share of visits that start from the app (RemoteStart by mobile number) instead of a card."""

    share: float


class Move(Part, frozen=True, kw_only=True):
    """The move of one site. `start` and `deadline` are local times of the site.

    A station's turn comes `pace` after the one before; it waits at most `drain_timeout` for running transactions and
    then switches with them. `otherwise` says which site moves when the session file has no such site.
    """

    site: str
    start: LocalTime
    deadline: LocalTime
    pace: Duration
    drain_timeout: Duration
    stuck_after: Duration
    otherwise: Literal["", "largest-of-legacy"] = "largest-of-legacy"
    probation: Duration = Duration(0)
    technician: bool = False


class Wave(Part, frozen=True, kw_only=True):
    """The move of some sites on one working day; times are local to each site.

    A moved station stays at the new back-end for `probation` before it is closed at the old one; what is not verified by
    the `deadline` is sent back. `technician`: whether somebody may be sent to stations that cannot be reached.
    `rescheduled` tells of another day that was announced before.
    """

    sites: tuple[str, ...]
    date: datetime.date
    rescheduled: Reschedule | None = None
    start: LocalTime
    deadline: LocalTime
    pace: Duration
    drain_timeout: Duration
    stuck_after: Duration
    probation: Duration = Duration(0)
    technician: bool = False


class Network(Part, frozen=True, kw_only=True):
    """Latencies in ms: each frame takes a draw from between the two."""

    latency_ms: tuple[int, int]


class Budgets(Part, frozen=True, kw_only=True):
    """What drivers may suffer at most on this day."""

    refused_starts: int
    interrupted_charges: int
    connector_minutes_lost: int


class Checks(Part, frozen=True, kw_only=True):
    """The checks that must all pass."""

    all_of: tuple[str, ...]


class Scenario(Part, frozen=True, kw_only=True):
    """The whole day."""

    name: str
    title: str
    claims: tuple[Claim, ...]
    story: str
    default_owners: tuple[str, ...] = ()
    default_backends: tuple[Literal["legacy", "new"], ...] = ("legacy",)
    day: Day
    sessions: Sessions
    owners: dict[str, Owner]
    tariff: tuple[Tariff, ...]
    sites: dict[str, Site]
    fleet: Fleet
    groups: dict[str, float]
    app: App = App(share=0.25)
    move: Move | None = None
    wave: tuple[Wave, ...] = ()
    network: Network
    fault: tuple[Fault, ...] = ()
    sellers: dict[str, Seller] = {}
    upgrade: Upgrade | None = None
    partner_fault: tuple[PartnerFault, ...] = ()
    budgets: Budgets
    checks: Checks
    id: str = ""
    """Its number in the plan of scenarios, such as O-03."""
    price: Literal["smoke", "fast", "slow", "rare"] = "fast"
    """What it costs: smoke seconds, fast less than a minute, slow minutes, rare more."""
    source: str = ""
    """Where the trouble was seen, or which rule of the specification it is about."""

    def tariff_of(self, site: Site) -> Tariff:
        """The tariff of a site, its own or that of its owner, in the version in force when the day begins."""
        wanted = site.tariff or self.owners[site.owner].tariff
        versions = [one for one in self.tariff if one.tariff_id == wanted and one.begins <= self.day.start]
        return max(versions, key=lambda one: one.begins)

    def sites_for(self, names: Sequence[str]) -> dict[str, Site]:
        """Every site of the session file, in the order of the names; unknown ones go round the default owners.

        Raises KeyError for an unknown site where the scenario has no default owners.
        """
        unknown = sorted({name for name in names if name not in self.sites})
        if unknown and not self.default_owners:
            raise KeyError(unknown[0])
        spread = {
            name: Site(
                owner=self.default_owners[number % len(self.default_owners)],
                backend=self.default_backends[number % len(self.default_backends)],
            )
            for number, name in enumerate(unknown)
        }
        return {name: self.sites.get(name) or spread[name] for name in dict.fromkeys(names)}

    def moving_site(self, stations: Mapping[str, int]) -> str | None:
        """The site that moves, given the number of stations of each site in the file; None if none can."""
        if self.move is None:
            return None
        if self.move.site in stations:
            return self.move.site
        if self.move.site != LARGEST and self.move.otherwise != LARGEST:
            return None
        plan = self.sites_for(sorted(stations))
        legacy = [name for name in sorted(stations) if plan[name].backend != "new"]
        return max(legacy, key=lambda name: stations[name], default=None)

    def waves(self, stations: Mapping[str, int]) -> dict[str, Wave]:
        """The wave of each site that moves and is in the file; a single [move] is a wave on the day itself."""
        moves = {site: wave for wave in self.wave for site in wave.sites if site in stations}
        site = self.moving_site(stations)
        if self.move is not None and site is not None:
            names = [name for name in Wave.__struct_fields__ if name not in ("sites", "date", "rescheduled")]
            same = {name: getattr(self.move, name) for name in names}
            moves[site] = Wave(sites=(site,), date=self.day.date, **same)
        return moves

    def at_sites(self, *sites: str) -> Scenario:
        """The same day at some of its sites only."""
        return msgspec.structs.replace(self, sessions=msgspec.structs.replace(self.sessions, sites=sites))

    def without_faults(self, *kinds: str) -> Scenario:
        """The same day without the faults of these kinds, also of partners: a day with its baits removed."""
        fault = tuple(one for one in self.fault if one.kind not in kinds)
        partner_fault = tuple(one for one in self.partner_fault if one.kind not in kinds)
        return msgspec.structs.replace(self, fault=fault, partner_fault=partner_fault)


def local_instant(date: datetime.date, time: int, zone: str) -> Instant:
    """The instant of a local wall clock: `time` is in ms after midnight and may pass 24 hours."""
    days, rest = divmod(int(time), DAY)
    moment = datetime.datetime.combine(date, datetime.time(), clock.zone(zone)) + datetime.timedelta(days=days)
    return clock.from_datetime(moment + datetime.timedelta(milliseconds=rest))


def hhmm(time: int) -> str:
    """`HH:MM` of a local time, with seconds where there are any."""
    text = f"{time // HOUR:02d}:{time % HOUR // MINUTE:02d}"
    return text if time % MINUTE == 0 else f"{text}:{time % MINUTE // 1000:02d}"


def duration_text(ms: int) -> str:
    """A duration as a user writes it: `1h30m`."""
    text = ""
    if ms and ms % DAY == 0:
        return f"{ms // DAY}d"
    for unit, size in (("h", HOUR), ("m", MINUTE), ("s", 1000), ("ms", 1)):
        count, ms = divmod(ms, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"


def plain(value: Any) -> Any:
    """Any part of a scenario as JSON-able data, written as a user would write it in TOML."""
    if isinstance(value, Duration):
        return duration_text(value)
    if isinstance(value, LocalTime):
        return hhmm(value)
    if isinstance(value, Struct):
        names = zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True)
        return {key: plain(getattr(value, name)) for name, key in names if getattr(value, name) is not None}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, datetime.datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, datetime.date):
        return value.isoformat()
    return str(value) if isinstance(value, str) else value
