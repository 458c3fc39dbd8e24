"""The fault plan: who is hit, when and for how long, drawn from the seed within what the scenario allows.

Every fault heals before the run ends. Faults that would never meet anything are of no use, so a fault that asks for a busy
station looks for a visit that it can really disturb. Nothing here may look into a back-end or a station.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from fnmatch import fnmatchcase
from random import Random
from typing import Any

from msgspec.structs import replace

from fleet.quirks import QUIRKS
from fleet.visits import Visit
from scenarios import nemesis_move
from scenarios.faults.blows import Blow, Place
from scenarios.faults.kinds import KINDS
from scenarios.faults.rules import window
from scenarios.migration.orders import UNDRAINED
from scenarios.model import Fault, Scenario
from sim.clock import HOUR, MINUTE, Instant
from sim.rng import stream

__all__ = ["Blow", "Place", "plan_faults"]


def plan_faults(scenario: Scenario, seed: int, places: Sequence[Place], visits: Sequence[Visit]) -> tuple[Blow, ...]:
    """Draw every fault of the scenario. A fault that finds nobody it could hit is left out."""
    taken: set[str] = set()
    blows: list[Blow] = []
    for number, fault in enumerate(scenario.fault):
        fault_id = fault.id or f"{fault.kind}-{number + 1}"
        rng = stream(seed, "fault", fault_id)
        aims = KINDS[fault.kind].aims
        if aims == "back-end":
            at = _moment(scenario, fault, scenario.day.zone, rng)
            data = params(fault)
            if fault.kind == "backend.crash":
                data = {"moment": fault.moment or "before-replies", "on": fault.on, "groups": fault.groups}
            new = [_blow(fault, fault_id, fault.where.backend or "new", at, data)]
        elif aims == "tool":
            at = _moment(scenario, fault, scenario.day.zone, rng)
            moving = any(place.turn is not None for place in places)  # nothing may move here: then there is no tool
            new = [_blow(fault, fault_id, "migration", at, {"on": fault.on})] if moving else []
        elif aims == "moving":
            new = _of_the_move(scenario, fault, fault_id, rng, places, visits, taken)
            taken.update(blow.target for blow in new)
        elif aims == "partner":
            continue  # their lines have rules of their own
        else:
            new = _at_stations(scenario, fault, fault_id, rng, places, visits, taken)
            taken.update(blow.target for blow in new)
        blows += [again for blow in new for again in _again(fault, blow)]
    return tuple(blows)


def params(fault: Fault) -> dict[str, Any]:
    """What a kind was told besides whom and when: plain numbers in ms, and texts."""
    told: dict[str, Any] = {}
    for name in ("latency", "jitter", "rate", "up", "down", "status", "ppm", "copies", "times"):
        value = getattr(fault, name)
        if value is not None:
            told[name] = int(value)
    if fault.step is not None:
        told["step"] = fault.step.ms
    for name in ("code", "quirk"):
        if getattr(fault, name):
            told[name] = getattr(fault, name)
    if fault.where.action:
        told["action"] = fault.where.action
    if fault.where.share is not None and KINDS[fault.kind].aims == "back-end":
        told["per_mille"] = max(1, round(1000 * fault.where.share))
    return told


def _blow(fault: Fault, fault_id: str, target: str, at: Instant, data: dict[str, Any]) -> Blow:
    timing = fault.timing
    event = None if timing is None else timing.event
    return Blow(fault_id, fault.kind, target, at, _after(at, fault), data, event, fault.where.sender)


def _again(fault: Fault, blow: Blow) -> list[Blow]:
    """A blow with all its repeats."""
    if fault.repeat is None:
        return [blow]
    shifts = [number * fault.repeat.every for number in range(fault.repeat.times)]
    return [replace(blow, at=Instant(blow.at + by), until=Instant(blow.until + by)) for by in shifts]


def _at_stations(
    scenario: Scenario,
    fault: Fault,
    fault_id: str,
    rng: Random,
    places: Sequence[Place],
    visits: Sequence[Visit],
    taken: set[str],
) -> list[Blow]:
    told = params(fault)
    if fault.where.sender:
        return [_blow(fault, fault_id, "", scenario.day.start, {**told, "connector": 1})]
    if fault.release is not None:
        return _together(scenario, fault, fault_id, rng, places, visits, taken)
    hits = _candidates(scenario, fault, rng, places, visits, taken)
    blows = []
    for place, at, connector in hits[: _how_many(fault, len(hits))]:
        blow = _blow(fault, fault_id, place.station, at, {**told, "connector": connector})
        if fault.timing is None:  # nothing that happens: it was so all day
            blow = replace(blow, at=scenario.day.start, until=scenario.day.end)
        blows.append(blow)
    return blows


def _together(
    scenario: Scenario,
    fault: Fault,
    fault_id: str,
    rng: Random,
    places: Sequence[Place],
    visits: Sequence[Visit],
    taken: set[str],
) -> list[Blow]:
    """One blow for many: all at one moment, or one after the other, and let go as the scenario says."""
    assert fault.release is not None
    at = _moment(scenario, fault, scenario.day.zone, rng)
    fitting = [place for place in places if _free(fault, place, taken) and _fits(fault, place)]
    if fault.where.busy and (fault.timing is None or fault.timing.event is None):
        there = {visit.station for visit in visits if visit.arrive <= at < visit.leave}
        fitting = [place for place in fitting if place.station in there]
    rng.shuffle(fitting)
    hit = fitting[: _how_many(fault, len(fitting))]
    order = list(range(len(hit)))
    rng.shuffle(order)
    most, over = max(1, len(hit) - 1), fault.release.over
    blows = []
    for number, place in enumerate(hit):
        blow = _blow(fault, fault_id, place.station, at, {**params(fault), "connector": 1})
        late = over * number // most
        if fault.release.how == "staggered":
            blow = replace(blow, until=Instant(blow.until + late))
        elif fault.release.how == "swizzled":
            ends = blow.until + over + over * order[number] // most
            blow = replace(blow, at=Instant(at + late), until=Instant(ends))
        blows.append(blow)
    return blows


def _of_the_move(
    scenario: Scenario,
    fault: Fault,
    fault_id: str,
    rng: Random,
    places: Sequence[Place],
    visits: Sequence[Visit],
    taken: set[str],
) -> list[Blow]:
    """Faults that wait for a state of the move: at a moving station that no other fault needs.

    Those that send a station back do so in mid-charge where they can: there a session could be lost or billed twice.
    """
    waves = scenario.waves(Counter(place.site for place in places))
    asked = "" if fault.timing is None else fault.timing.state
    state = fault.on or asked or nemesis_move.ON[fault.kind]
    fitting = [
        place
        for place in places
        if place.turn is not None
        and not place.carries
        and _free(fault, place, taken)
        and _fits(fault, place)
        and nemesis_move.fits_route(fault.kind, place.route)
    ]
    rng.shuffle(fitting)
    if fault.kind in nemesis_move.IN_MID_CHARGE:
        fitting.sort(key=lambda place: not (place.route in UNDRAINED and _charging_at_turn(place, visits)))
    blows = []
    for place in fitting[: _how_many(fault, len(fitting))]:
        assert place.turn is not None
        after = nemesis_move.delay(fault.kind, int(waves[place.site].probation), rng)
        data = {"on": state, "delay": after}
        blows.append(Blow(fault_id, fault.kind, place.station, place.turn, _after(place.turn, fault), data))
    return blows


def _charging_at_turn(place: Place, visits: Sequence[Visit]) -> bool:
    """Whether an EV draws power when the turn of the station comes, and for ten minutes more."""
    assert place.turn is not None
    return any(
        visit.station == place.station
        and visit.arrive + 3 * MINUTE < place.turn
        and min(visit.leave, visit.arrive + visit.energy_wh * HOUR // max(1, visit.power_w)) > place.turn + 10 * MINUTE
        and not visit.refused_by_right
        for visit in visits
    )


def _after(at: Instant, fault: Fault) -> Instant:
    return Instant(at + (int(fault.lasts) if fault.lasts is not None else 0))


def _how_many(fault: Fault, available: int) -> int:
    if fault.where.share is not None:
        return max(1, round(fault.where.share * available))
    return 1 if fault.where.count is None else fault.where.count


def _moment(scenario: Scenario, fault: Fault, zone: str, rng: Random) -> Instant:
    begin, end = window(scenario, fault, zone)
    return Instant(rng.randint(begin, max(begin, end)))


def _candidates(
    scenario: Scenario, fault: Fault, rng: Random, places: Sequence[Place], visits: Sequence[Visit], taken: set[str]
) -> list[tuple[Place, Instant, int]]:
    fitting = [place for place in places if _free(fault, place, taken) and _fits(fault, place)]
    rng.shuffle(fitting)
    if not fault.where.busy:
        return [(place, _moment(scenario, fault, place.zone, rng), 1) for place in fitting]
    found: list[tuple[bool, int, Place, Instant, int]] = []
    for order, place in enumerate(fitting):
        between = window(scenario, fault, place.zone)
        for visit in visits:
            if visit.station == place.station and not visit.refused_by_right:
                at = _disturbs(fault, place, visit, between, rng)
                if at is not None:
                    found.append((not place.idle_billable, order, place, at, visit.connector))
                    break
    if (
        fault.kind == "meter.key-unregistered"
    ):  # where people come more than once a held session can be in another's way
        visited = Counter(visit.station for visit in visits)
        found.sort(key=lambda row: (visited[row[2].station] < 2, row[0], row[1]))
        return [(place, at, connector) for _, _, place, at, connector in found]
    found.sort(key=lambda row: row[:2])  # where idle is billed first: there a fault can cost somebody money
    return [(place, at, connector) for _, _, place, at, connector in found]


def _free(fault: Fault, place: Place, taken: set[str]) -> bool:
    """Each station has one fault, so that what came of it can be told; one that is named may have several."""
    return bool(fault.where.station) or place.station not in taken


def _fits(fault: Fault, place: Place) -> bool:
    where = fault.where
    if where.site and where.site != place.site:
        return False
    if where.backend and where.backend != place.backend:
        return False
    if where.station and not fnmatchcase(place.station, where.station):
        return False
    if (where.profile or place.profile) != place.profile or (where.version or place.version) != place.version:
        return False
    if fault.quirk and place.version not in QUIRKS[fault.quirk].versions:
        return False
    return where.moving is None or where.moving == (place.turn is not None)


def _disturbs(fault: Fault, place: Place, visit: Visit, window: tuple[int, int], rng: Random) -> Instant | None:
    """The moment at which this fault would really disturb this visit, None if it would not."""
    lasts = int(fault.lasts or 0)
    full_at = visit.arrive + 2 * MINUTE + visit.energy_wh * HOUR // max(1, visit.power_w)
    if visit.energy_wh < 1_000 or visit.leave - visit.arrive < 20 * MINUTE:
        return None
    if fault.kind == "link.stall":
        if place.turn is not None:  # the queue has to be there when the station's turn comes
            return Instant(place.turn - 2 * MINUTE) if place.carries else None
        at = visit.leave - lasts // 2 - rng.randint(0, lasts // 4)
        return Instant(at) if window[0] <= at <= window[1] and at > visit.arrive + 5 * MINUTE else None
    if fault.kind == "station.withhold":
        if (
            place.idle_billable
        ):  # while the full EV rests: a back-end that counts on would bill minutes that are nobody's
            at = full_at + 10 * MINUTE + rng.randint(0, 10 * MINUTE)
            fits = at + lasts + place.idle_grace + 30 * MINUTE < visit.leave
        else:
            at = visit.arrive + 5 * MINUTE + rng.randint(0, 5 * MINUTE)
            fits = at + 5 * MINUTE < full_at and at + lasts + 10 * MINUTE < visit.leave
        return Instant(at) if fits and window[0] <= at <= window[1] else None
    if fault.kind == "station.second-stop":
        at = visit.leave + 2 * MINUTE + rng.randint(0, 3 * MINUTE)
        return Instant(at) if window[0] <= at <= window[1] else None
    at = visit.arrive + 5 * MINUTE + rng.randint(0, max(1, (visit.leave - visit.arrive) // 2))
    return Instant(at) if window[0] <= at <= window[1] and at < visit.leave - MINUTE else None
