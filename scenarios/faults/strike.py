"""Carries out a fault plan in a virtual world and writes down what really happened.

A blow that finds nothing to hit leaves no row: a fault that never happened is to be seen. Nothing here may look into a
back-end or a station.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from msgspec.structs import replace

from fleet.quirks import QUIRK_SHOWN
from scenarios import nemesis_move
from scenarios.faults import backends, stations
from scenarios.faults.blows import Blow, Deed
from scenarios.faults.network import Network
from scenarios.faults.stations import Stations
from scenarios.faults.trigger import Triggers
from scenarios.nemesis_move import Overheard
from sim.clock import SECOND, Instant
from sim.evidence.canonical import canonical
from sim.machine import Command
from sim.runtimes.virtual import VirtualWorld
from sim.runtimes.virtual_crash import Crash

ALL_DAY = ("meter.key-unregistered", "station.quirk")
"""What is so from the beginning: the stage sees to it."""


class Nemesis:
    """Carries out a fault plan in a virtual world and writes down what really happened."""

    def __init__(self, world: VirtualWorld, blows: Sequence[Blow], overheard: Overheard) -> None:
        self._world = world
        self._note = overheard.note
        self._quirks = [blow for blow in blows if blow.kind == "station.quirk"]
        if self._quirks:
            overheard.listeners.append(self._heard)
        self._triggers = Triggers(world)
        at_stations = Stations(world)
        self._deeds: dict[str, Deed] = {**Network(world).deeds(), **at_stations.deeds(), **backends.deeds(world)}
        if any(blow.kind in stations.LISTENS for blow in blows):
            world.links.listeners.append(at_stations.listen)
        for blow in blows:
            self._arm(blow)

    def _arm(self, blow: Blow) -> None:
        world = self._world
        if blow.kind == "backend.crash":
            self._arm_crash(blow)
        elif blow.kind == "tool.crash":
            args = {"fault_id": blow.fault_id, "lasts": blow.until - blow.at, **blow.data}
            world.at(max(blow.at, world.now), world.send_command, "migration", Command("crash", args))
        elif blow.kind == "meter.key-unregistered":
            self._record(blow, blow.at)
        elif blow.kind in ALL_DAY or blow.kind in nemesis_move.ON:
            return  # these are told elsewhere, or wait for a state of the move
        elif blow.event is not None:
            self._triggers.add(blow.event, partial(self._strike_now, blow))
        else:
            world.at(max(blow.at, world.now), self._strike, blow)

    def _strike(self, blow: Blow) -> None:
        self._deeds[blow.kind](blow, partial(self._record, blow, self._world.now))

    def _strike_now(self, blow: Blow, sender: str) -> None:
        """What it waited for has happened, through a message of this station."""
        now = self._world.now
        target = sender if blow.sender else blow.target
        self._strike(replace(blow, target=target, at=now, until=Instant(now + blow.until - blow.at)))

    def _heard(self, kind: str, fields: Mapping[str, Any]) -> None:
        """A station shows a quirk for the first time."""
        if kind != "events" or fields["kind"] != QUIRK_SHOWN:
            return
        for blow in [one for one in self._quirks if one.target == fields["station"]]:
            if canonical({"name": blow.data["quirk"]}) == fields["data"]:
                self._quirks.remove(blow)
                self._record(blow, int(fields["at"]))

    def _record(self, blow: Blow, at: int) -> None:
        row = {"fault_id": blow.fault_id, "kind": blow.kind, "target": blow.target, "at": at, "until": blow.until}
        self._note("faults", {**row, "data": canonical(blow.data)})

    def _arm_crash(self, blow: Blow) -> None:
        data = blow.data

        def happened(at: int, until: int) -> None:
            self._record(replace(blow, until=Instant(until)), at)

        lasts = max(SECOND, blow.until - blow.at)
        crash = Crash(blow.at, str(data["moment"]), str(data["on"]), lasts, happened, int(data["groups"]))
        self._world.backends.arm_crash(blow.target, crash)
