"""The fault plan: who is hit, when and for how long, drawn from the seed within what the scenario allows.

Every fault heals before the run ends. Faults that would never meet anything are of no use, so a fault that asks for a busy
station looks for a visit that it can really disturb. Nothing here may look into a back-end or a station.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from msgspec import Struct

from fleet.visits import Visit
from scenarios import nemesis_move
from scenarios.migration.orders import UNDRAINED
from scenarios.model import Fault, Scenario, local_instant
from sim.clock import HOUR, MINUTE, SECOND, Instant, iso, parse_iso
from sim.evidence.canonical import canonical
from sim.machine import Command
from sim.rng import stream
from sim.runtimes.virtual import VirtualWorld
from sim.runtimes.virtual_crash import Crash
from sim.wire import ocppj

FAULTS: dict[str, str] = {
    "link.stall": "nothing gets through between a station and its back-end for a while; nothing is lost",
    "link.reset": "the connection of a station is cut; what is in flight is lost",
    "backend.crash": "a back-end dies before its commit, or between commit and replies, and comes back later",
    "meter.tamper": "one signed end record is altered, by `how` (see `chargerig ocmf tamper --list`): a digit of its value",
    "meter.key-unregistered": "the public key of one meter was never registered at the back-ends",
    "station.stray-stop": "a station sends a StopTransaction with the id of somebody else's running transaction",
    "station.second-stop": "a station ends a transaction a second time, with another time and register",
    "station.withhold": "a station withholds power from a charging EV for a while",
    "station.power-loss": "a station loses mains power and comes back",
    "station.never-redials": "a moving station that lost its connection does not dial again for a while, a reset apart",
    "station.flips-back": "a moved station has its old address again",
    "route.wrong-url": "the address that a moving station is given is mistyped",
    "new.refuses": "the new back-end cannot be reached from a moving station for a while",
    "move.rollback-ordered": "the operator orders a moving station back",
    "tool.crash": "the migration tool dies in mid-wave, and another one goes on with what it wrote down",
    "leftover.zero-profile": "the old back-end leaves a charging profile of 0 A in a moving station",
    "leftover.reservation": "the old back-end leaves a reservation in a moving station",
    "leftover.inoperative": "the old back-end leaves a connector of a moving station Inoperative",
    "leftover.local-list": "the old back-end leaves a local list with a card that nobody knows in a moving station",
}
"""Every kind of fault with what it does."""


SECOND_STOP_LATER = 40 * SECOND
SECOND_STOP_WH = 7
"""How a second stop differs from the first: not so much that its numbers alone would give it away."""


class Place(Struct, frozen=True):
    """What the fault plan knows of a station. `idle_billable`: its clock may serve for idle fees, after `idle_grace` ms."""

    station: str
    site: str
    zone: str
    backend: str
    idle_billable: bool
    idle_grace: int = 0
    turn: Instant | None = None
    carries: bool = False
    route: str = ""


class Blow(Struct, frozen=True):
    """One fault that will happen: to whom, from when to when."""

    fault_id: str
    kind: str
    target: str
    at: Instant
    until: Instant
    data: dict[str, Any] = {}


def plan_faults(scenario: Scenario, seed: int, places: Sequence[Place], visits: Sequence[Visit]) -> tuple[Blow, ...]:
    """Draw every fault of the scenario. A fault that finds nobody it could hit is left out."""
    taken: set[str] = set()
    blows: list[Blow] = []
    for number, fault in enumerate(scenario.fault):
        fault_id = fault.id or f"{fault.kind}-{number + 1}"
        rng = stream(seed, "fault", fault_id)
        if fault.kind == "backend.crash":
            at = _moment(scenario, fault, scenario.day.zone, rng)
            data = {"moment": fault.moment or "before-replies", "on": fault.on, "groups": fault.groups}
            blows.append(Blow(fault_id, fault.kind, fault.where.backend or "new", at, _after(at, fault), data))
            continue
        if fault.kind == "tool.crash":
            at = _moment(scenario, fault, scenario.day.zone, rng)
            if any(
                place.turn is not None for place in places
            ):  # at these sites nothing may move: then there is no tool
                blows.append(Blow(fault_id, fault.kind, "migration", at, _after(at, fault), {"on": fault.on}))
            continue
        if fault.kind in nemesis_move.ON:
            found = _of_the_move(scenario, fault, fault_id, rng, places, visits, taken)
            taken.update(blow.target for blow in found)
            blows += found
            continue
        hits = _candidates(scenario, fault, rng, places, visits, taken)
        for place, at, connector in hits[: _how_many(fault, len(hits))]:
            taken.add(place.station)
            until = _after(at, fault)
            if fault.kind == "meter.key-unregistered":  # nothing that happens: it was so all day
                at, until = scenario.day.start, scenario.day.end
            data = {"connector": connector, "how": fault.how} if fault.how else {"connector": connector}
            blows.append(Blow(fault_id, fault.kind, place.station, at, until, data))
    return tuple(blows)


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
    state = fault.on or nemesis_move.ON[fault.kind]
    fitting = [
        place
        for place in places
        if place.turn is not None
        and not place.carries
        and place.station not in taken
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


def _window(scenario: Scenario, fault: Fault, zone: str) -> tuple[int, int]:
    if fault.at is None:
        return scenario.day.start, scenario.day.settles_at
    date = fault.date or scenario.day.date
    return local_instant(date, fault.at.from_, zone), local_instant(date, fault.at.to, zone)


def _moment(scenario: Scenario, fault: Fault, zone: str, rng: Random) -> Instant:
    begin, end = _window(scenario, fault, zone)
    return Instant(rng.randint(begin, max(begin, end)))


def _candidates(
    scenario: Scenario, fault: Fault, rng: Random, places: Sequence[Place], visits: Sequence[Visit], taken: set[str]
) -> list[tuple[Place, Instant, int]]:
    fitting = [place for place in places if place.station not in taken and _fits(fault, place)]
    rng.shuffle(fitting)
    if not fault.where.busy:
        return [(place, _moment(scenario, fault, place.zone, rng), 1) for place in fitting]
    found: list[tuple[bool, int, Place, Instant, int]] = []
    for order, place in enumerate(fitting):
        window = _window(scenario, fault, place.zone)
        for visit in visits:
            if visit.station == place.station and not visit.refused_by_right:
                at = _disturbs(fault, place, visit, window, rng)
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


def _fits(fault: Fault, place: Place) -> bool:
    where = fault.where
    if where.site and where.site != place.site:
        return False
    if where.backend and where.backend != place.backend:
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


class Nemesis:
    """Carries out a fault plan in a virtual world and writes down what really happened."""

    _ID = re.compile(rb'"transactionId":(\d+)')

    def __init__(self, world: VirtualWorld, blows: Sequence[Blow], note: Callable[[str, dict[str, Any]], None]) -> None:
        self._world = world
        self._note = note
        self._running: dict[str, tuple[str, int]] = {}
        self._ended: dict[str, dict[str, Any]] = {}
        deeds: dict[str, Callable[[Blow], None]] = {
            "link.stall": self._stall,
            "link.reset": self._reset,
            "meter.tamper": self._tamper,
            "station.stray-stop": self._stray_stop,
            "station.second-stop": self._second_stop,
            "station.withhold": self._withhold,
            "station.power-loss": self._power_loss,
        }
        if any(blow.kind in ("station.stray-stop", "station.second-stop") for blow in blows):
            world.links.listeners.append(self._listen)
        for blow in blows:
            if blow.kind == "backend.crash":
                self._arm_crash(blow)
            elif blow.kind == "tool.crash":
                args = {"fault_id": blow.fault_id, "lasts": blow.until - blow.at, **blow.data}
                world.at(max(blow.at, world.now), world.send_command, "migration", Command("crash", args))
            elif blow.kind in nemesis_move.ON:
                continue  # these wait for a state of the move
            elif blow.kind == "meter.key-unregistered":
                self._record(blow, blow.at, blow.until, blow.data)
            else:
                world.at(max(blow.at, world.now), self._strike, deeds[blow.kind], blow)

    def _strike(self, deed: Callable[[Blow], None], blow: Blow) -> None:
        deed(blow)
        self._record(blow, self._world.now, blow.until, blow.data)

    def _record(self, blow: Blow, at: int, until: int, data: dict[str, Any]) -> None:
        row = {"fault_id": blow.fault_id, "kind": blow.kind, "target": blow.target, "at": at, "until": until}
        self._note("faults", {**row, "data": canonical(data)})

    def _rig(self, blow: Blow, name: str, **args: Any) -> None:
        self._world.send_command(f"rig:{blow.target}", Command(name, args))

    def _stall(self, blow: Blow) -> None:
        self._world.uplink(blow.target).stall(blow.until)

    def _reset(self, blow: Blow) -> None:
        self._world.links.reset([blow.target])

    def _tamper(self, blow: Blow) -> None:
        self._rig(blow, "tamper-next-record", **blow.data)

    def _withhold(self, blow: Blow) -> None:
        self._rig(blow, "withhold", connector=blow.data["connector"], on=True)
        self._world.at(
            blow.until, self._rig_later, blow, "withhold", {"connector": blow.data["connector"], "on": False}
        )

    def _rig_later(self, blow: Blow, name: str, args: dict[str, Any]) -> None:
        self._rig(blow, name, **args)

    def _power_loss(self, blow: Blow) -> None:
        self._rig(blow, "power-loss")
        self._world.at(max(blow.until, blow.at + SECOND), self._rig_later, blow, "power-restored", {})

    def _listen(self, station: str, backend: str, frame: bytes, now: int) -> None:
        if b'"MeterValues"' in frame:
            found = self._ID.search(frame)
            if found is not None:
                self._running[station] = (backend, int(found[1]))
        elif b'"StopTransaction"' in frame:
            self._running.pop(station, None)
            message = ocppj.parse(frame)
            if isinstance(message, ocppj.Call):
                self._ended[station] = json.loads(message.payload)

    def _stray_stop(self, blow: Blow) -> None:
        mine = self._running.get(blow.target)
        others = [
            transaction_id
            for station, (backend, transaction_id) in sorted(self._running.items())
            if station != blow.target and (mine is None or backend == mine[0])
        ]
        if others:
            self._rig(blow, "stray-stop", transaction_id=others[0], meter_stop=9_999_999)
        elif blow.until > self._world.now:  # nobody else is charging yet: try again while the fault lasts
            self._world.at(self._world.now + 5 * MINUTE, self._stray_stop, blow)

    def _second_stop(self, blow: Blow) -> None:
        """The stop that the station sent last, again: later, with a little more on the register, for another reason."""
        first = self._ended.get(blow.target)
        if first is not None:
            later = iso(Instant(parse_iso(first["timestamp"]) + SECOND_STOP_LATER))
            other = {"timestamp": later, "meterStop": first["meterStop"] + SECOND_STOP_WH, "reason": "Other"}
            self._rig(blow, "second-stop", payload=canonical({**first, **other}))
        elif blow.until > self._world.now:
            self._world.at(self._world.now + 5 * MINUTE, self._second_stop, blow)

    def _arm_crash(self, blow: Blow) -> None:
        def happened(at: int, until: int) -> None:
            self._record(blow, at, until, blow.data)

        lasts = max(SECOND, blow.until - blow.at)
        data = blow.data
        crash = Crash(blow.at, str(data["moment"]), str(data["on"]), lasts, happened, int(data["groups"]))
        self._world.backends.arm_crash(blow.target, crash)
