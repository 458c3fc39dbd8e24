"""Gives every visit of the day its driver: who it is, what they hold, what their EV draws, how they like to start.

Users of the file stay themselves; registered visits without a user go to drivers with habits; the rest are guests. All
of it depends on the visits, the groups and the seed only. Nobody may be in two places at once, and at least a quarter
of the visits must start from an app: both are asserted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from fleet.people import Driver, Registry
from fleet.visits import BLOCKED_TOKEN, RawVisit, Visit, assert_nowhere_twice
from sim.backend import Row
from sim.clock import DAY, HOUR, MINUTE, SECOND, Instant
from sim.errors import BadInput
from sim.rng import stream

LEAST_POWER_W = 3_300
"""An EV draws at least this much, less only where the connector cannot give it."""
LEAST_APP_PERCENT = 25
TRAVEL = 10 * MINUTE
"""A drawn driver needs this long from one visit to the next."""
AWAY_FROM_HOME = 3 * HOUR
"""How much a driver dislikes another site than the usual one, in time off the usual hour."""
GUEST_GROUP = "none"


class Population(Struct, frozen=True):
    """All visits of the day in order of arrival, and everybody who holds a token, with those who never come."""

    visits: tuple[Visit, ...]
    people: tuple[Driver, ...]

    @property
    def app_visits(self) -> int:
        """Visits that start from an app."""
        return sum(visit.channel == "app" for visit in self.visits)


def populate(
    raw: Sequence[RawVisit],
    seed: int,
    *,
    groups: Mapping[str, float],
    country_of: Callable[[str], str] = lambda site: "DE",
    app_percent: int = LEAST_APP_PERCENT,
    blocked_visits: int = 2,
    idle_tokens: int = 6,
) -> Population:
    """The day's people and visits.

    `groups` maps a group to its share of the contract drivers (shares are weights), `country_of` a site to the ISO code
    of its country (for the numbers of phones). `blocked_visits` more visits, not of the file, are made by drivers whose
    token is blocked: they try, are refused by right, and leave. `idle_tokens` more tokens, blocked or expired, are held
    by people who never come. Raises BadInput for groups without a share.
    """
    if not groups or any(share < 0 for share in groups.values()) or sum(groups.values()) <= 0:
        raise BadInput(None, "groups", "have no usable shares", "names with positive shares, such as staff = 0.25")
    people = Registry(seed, groups)
    ordered = sorted(raw, key=lambda v: (v.arrive, v.visit_id))
    holders = _holders(ordered, seed, people, country_of)
    visits = [_visit(one, holders[one.visit_id], seed) for one in ordered]
    visits += _blocked_visits(ordered, seed, people, country_of, blocked_visits)
    least = max(LEAST_APP_PERCENT, app_percent)
    visits = _fill_up_apps(sorted(visits, key=lambda v: (v.arrive, v.visit_id)), seed, least)
    countries = [country_of(one.site) for one in ordered] or ["DE"]
    for number in range(idle_tokens):
        status = ("Blocked", "Expired")[number % 2]
        people.contract(f"absent-{number + 1}", countries[number * 7 % len(countries)], status)
    assert_nowhere_twice(visits)
    population = Population(tuple(visits), people.everybody())
    if population.app_visits * 100 < LEAST_APP_PERCENT * len(visits):
        raise AssertionError(f"only {population.app_visits} of {len(visits)} visits start from an app")
    return population


def tokens(population: Population) -> list[Row]:
    """The rows of `Setup.provision["tokens"]`: {token, status, group, customer, mobile, contract}, sorted by token."""
    return [
        {
            "token": one.token,
            "status": one.status,
            "group": one.group,
            "customer": one.customer,
            "mobile": one.mobile,
            "contract": one.contract,
        }
        for one in sorted(population.people, key=lambda one: one.token)
    ]


def _holders(
    raw: Sequence[RawVisit], seed: int, people: Registry, country_of: Callable[[str], str]
) -> dict[str, Driver]:
    """Who makes which visit, by visit id. `raw` in order of arrival."""
    holders: dict[str, Driver] = {}
    by_user: dict[str, Driver] = {}
    habits = _Regulars(seed, [one for one in raw if one.user is None and one.registered])
    for one in raw:
        country = country_of(one.site)
        if one.user is not None:
            name = f"user-{one.user}"
            if name not in by_user:
                by_user[name] = people.contract(name, country)
            holders[one.visit_id] = by_user[name]
        elif one.registered:
            name = habits.assign(one)
            if name not in by_user:
                by_user[name] = people.contract(name, country)
            holders[one.visit_id] = by_user[name]
        else:
            holders[one.visit_id] = people.guest(f"guest-{one.visit_id}", country, GUEST_GROUP)
    return holders


class _Regular:
    """A drawn driver's habits, and until when they are busy."""

    __slots__ = ("free_from", "home", "name", "usual")

    def __init__(self, number: int, home: str, usual: int) -> None:
        self.name = f"driver-{number}"
        self.home = home
        self.usual = usual
        self.free_from = 0


class _Regulars:
    """Drivers with a usual site and a usual hour; a visit goes to the free one whom it suits best."""

    def __init__(self, seed: int, visits: Sequence[RawVisit]) -> None:
        self._chance = stream(seed, "population", "regulars")
        self._all: list[_Regular] = []
        for _ in range(len(visits) * 85 // 100):
            self._draw(visits[self._chance.randrange(len(visits))])

    def _draw(self, like: RawVisit) -> _Regular:
        usual = (like.arrive + self._chance.randrange(-30 * MINUTE, 30 * MINUTE)) % DAY
        one = _Regular(len(self._all) + 1, like.site, usual)
        self._all.append(one)
        return one

    def assign(self, visit: RawVisit) -> str:
        """The name of the driver who makes this visit. Visits must come in order of arrival."""
        best: _Regular | None = None
        least = 0
        for one in self._all:
            if one.free_from > visit.arrive:
                continue
            dislike = _off_hours(one.usual, visit.arrive) + (0 if one.home == visit.site else AWAY_FROM_HOME)
            if best is None or dislike < least:
                best, least = one, dislike
        best = best or self._draw(visit)
        best.free_from = visit.leave + TRAVEL
        return best.name


def _off_hours(usual: int, arrive: int) -> int:
    """How far an arrival is from a usual time of the day, ms, around midnight too."""
    off = (arrive - usual) % DAY
    return min(off, DAY - off)


def _visit(raw: RawVisit, person: Driver, seed: int) -> Visit:
    chance = stream(seed, "population", "channel", raw.visit_id)
    return Visit(
        visit_id=raw.visit_id,
        site=raw.site,
        station=raw.station,
        connector=raw.connector,
        driver=person.driver,
        token=person.token,
        mobile=person.mobile,
        group=person.group,
        customer=person.customer,
        contract=person.contract,
        channel="app" if chance.randrange(100) < person.app_percent else "rfid",
        arrive=raw.arrive,
        leave=raw.leave,
        energy_wh=raw.energy_wh,
        power_w=ev_power(person.draws(raw.limit_w), raw),
        note=",".join(raw.kinds),
    )


def ev_power(wish_w: int, raw: RawVisit) -> int:
    """What the EV draws, W: its own power, raised until the energy fits 9/10 of the time, within the connector's."""
    most_time = max(1, raw.leave - raw.arrive) * 9
    needed = -(-raw.energy_wh * HOUR * 10 // most_time)
    return min(raw.limit_w, max(wish_w, needed, LEAST_POWER_W))


def _blocked_visits(
    raw: Sequence[RawVisit], seed: int, people: Registry, country_of: Callable[[str], str], wanted: int
) -> list[Visit]:
    """Short visits in gaps of the file's, by drivers whose token is blocked. Fewer than wanted if there is no gap."""
    made: list[Visit] = []
    if not raw:
        return made
    busy: dict[tuple[str, int], list[RawVisit]] = {}
    for one in raw:
        busy.setdefault((one.station, one.connector), []).append(one)
    for number in range(1, wanted + 1):
        gap = _gap(raw, busy, stream(seed, "population", "blocked", number))
        if gap is None:
            break
        del busy[gap.station, gap.connector]
        person = people.contract(f"blocked-{number}", country_of(gap.site), "Blocked")
        visit = _visit(replace(gap, visit_id=f"blocked-{number}"), person, seed)
        made.append(replace(visit, channel="rfid", note=BLOCKED_TOKEN))
    return made


def _gap(raw: Sequence[RawVisit], busy: Mapping[tuple[str, int], list[RawVisit]], chance: Random) -> RawVisit | None:
    """A few minutes in the busy half of the day at a connector that is free then and a while around it."""
    early, late = raw[len(raw) // 4].arrive, raw[len(raw) * 3 // 4].arrive
    for _ in range(200):
        like = raw[chance.randrange(len(raw))]
        arrive = early + chance.randrange((late - early) // SECOND + 1) * SECOND
        leave = arrive + chance.randrange(240, 480) * SECOND
        others = busy.get((like.station, like.connector))
        if others is None:
            continue
        if all(one.leave + 5 * MINUTE < arrive or leave + 5 * MINUTE < one.arrive for one in others):
            energy = 1000 * chance.randrange(5, 15)
            return replace(like, arrive=Instant(arrive), leave=Instant(leave), energy_wh=energy, user=None, kinds=())
    return None


def _fill_up_apps(visits: Sequence[Visit], seed: int, percent: int) -> list[Visit]:
    """Let more drivers take the app today until the least share is reached. `visits` stay in their order."""
    missing = -(-percent * len(visits) // 100) - sum(visit.channel == "app" for visit in visits)
    if missing <= 0:
        return list(visits)
    willing = [visit.visit_id for visit in visits if visit.channel != "app" and not visit.refused_by_right]
    stream(seed, "population", "fill-up").shuffle(willing)
    today = frozenset(willing[:missing])
    return [replace(visit, channel="app") if visit.visit_id in today else visit for visit in visits]
