"""Faults of the move: what goes wrong when a station of a wave reaches a certain state, and what the old back-end leaves.

They are triggered by the migration tool's own transitions, since what disturbs a switch has to happen in it. Nothing here
may look into a back-end or a station; what was left behind is written down once the station took it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Any

from msgspec import Struct

from scenarios.faults.network import strand
from sim.clock import HOUR, MINUTE, SECOND, Instant, iso
from sim.evidence.canonical import canonical
from sim.machine import Answered, Command, Effect, Event, Note, Settled, Tell
from sim.runtimes.virtual import TruthSink, VirtualWorld

ON: dict[str, str] = {
    "station.never-redials": "DRAINING",
    "station.flips-back": "PROVISIONED",
    "route.wrong-url": "SWITCH_SENT",
    "new.refuses": "DRAINING",
    "move.rollback-ordered": "PROVISIONED",
    "move.rollback-aborted": "PROVISIONED",
    "link.stale-name": "DRAINING",
    "leftover.zero-profile": "PLANNED",
    "leftover.reservation": "PLANNED",
    "leftover.inoperative": "PLANNED",
    "leftover.local-list": "PLANNED",
}
"""The faults that wait for a state, and the one they wait for if the scenario names no other."""

IN_MID_CHARGE = ("station.flips-back", "move.rollback-ordered", "move.rollback-aborted")
"""The faults that are to meet a session which began before the move and is carried along."""

ROUTES: dict[str, tuple[str, ...]] = {
    "leftover.reservation": ("vendor_cloud",),  # elsewhere the drain ends it (OCPP 1.6 §5.13)
    "leftover.inoperative": ("vendor_cloud",),  # elsewhere the drain sets the flag anyway
    "route.wrong-url": ("vendor_key", "network_profile"),
    "station.never-redials": ("vendor_key", "network_profile", "firmware"),
}
"""The routes at which a fault can bite; others can be hit anywhere."""

WRONG_URL = "ws://nwe/ocpp/1.6"
"""An address that somebody mistyped: nobody is there."""
GHOST = "GHOST-CARD"
"""A card that the old back-end still lists at the station and nobody knows any more (MF-16)."""
RESERVED_FOR = "RESERVED-GUEST"
_PROFILE = {
    "chargingProfileId": 4711,
    "stackLevel": 0,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 0}]},
}
_TRIES = 20


def fits_route(kind: str, route: str) -> bool:
    """Whether a station of this route can be hit by this kind of fault."""
    return route in ROUTES.get(kind, (route,))


def delay(kind: str, probation: int, rng: Random) -> int:
    """How long after the state it strikes, ms: within the probation where there is one."""
    if kind in IN_MID_CHARGE:
        return rng.randint(SECOND, max(2 * SECOND, min(probation // 2, 5 * MINUTE)))
    return 0


class Overheard:
    """The truth on its way to the recorder, with somebody listening."""

    def __init__(self, truth: TruthSink) -> None:
        self._truth = truth
        self.listeners: list[Callable[[str, Mapping[str, Any]], None]] = []

    def note(self, kind: str, fields: dict[str, Any]) -> None:
        """Pass it on, then tell whoever listens."""
        self._truth.note(kind, fields)
        for listener in self.listeners:
            listener(kind, fields)


class Strike(Struct, frozen=True):
    """One fault of the move: at which station, in which state, how long after it."""

    fault_id: str
    kind: str
    station: str
    connectors: tuple[int, ...]
    state: str
    delay: int
    lasts: int
    old_url: str


class MoveNemesis:
    """Strikes when the tool writes down that a station has reached the state that a fault waits for, once each."""

    def __init__(self, world: VirtualWorld, strikes: Sequence[Strike], overheard: Overheard) -> None:
        self._world = world
        self._note = overheard.note
        self._waiting = list(strikes)
        if strikes:
            world.add("old-habits", OldHabits())
            overheard.listeners.append(self._listen)

    def _listen(self, kind: str, fields: Mapping[str, Any]) -> None:
        if kind != "migration":
            return
        due = [one for one in self._waiting if (one.station, one.state) == (fields["station"], fields["state"])]
        for one in due:
            self._waiting.remove(one)
            self._world.at(self._world.now + one.delay, self._strike, one)

    def _strike(self, one: Strike) -> None:
        world, rig = self._world, f"rig:{one.station}"
        if one.kind.startswith("leftover."):
            args = {"station": one.station, "kind": one.kind, "connectors": one.connectors, "fault_id": one.fault_id}
            world.send_command("old-habits", Command("give", args))
            return  # written down once it is there
        if one.kind == "station.never-redials":
            world.send_command(rig, Command("stay-away", {"on": True}))
            world.at(world.now + one.lasts, world.send_command, rig, Command("stay-away", {"on": False}))
        elif one.kind == "station.flips-back":
            world.send_command(rig, Command("set-url", {"url": one.old_url, "reboot": False}))
        elif one.kind == "new.refuses":
            world.uplink(one.station).refuse(world.now + one.lasts, "new")
        elif one.kind in ("move.rollback-ordered", "move.rollback-aborted"):
            aborted = one.kind == "move.rollback-aborted"
            if aborted:
                crash = {"fault_id": one.fault_id, "lasts": one.lasts, "on": "ROLLBACK"}
                world.send_command("migration", Command("crash", crash))
            world.send_command("migration", Command("roll-back", {"station": one.station}))
            if aborted:
                return  # the tool writes its death down
        elif one.kind == "link.stale-name":
            told = partial(self._told, one, world.now)
            strand(world, one.station, "new", "legacy", one.lasts, told)
            return  # written down once the station was led astray
        self._told(one, world.now)

    def _told(self, one: Strike, at: int) -> None:
        row = {"fault_id": one.fault_id, "kind": one.kind, "target": one.station, "at": at, "until": at + one.lasts}
        self._note("faults", {**row, "data": canonical({"state": one.state})})


class OldHabits:
    """Machine `old-habits`: whoever ran the old back-end by hand. Command give{station, kind, connectors, fault_id}:
    lets the old back-end put something into a station, and tries again for a while if the station does not answer.
    """

    def __init__(self) -> None:
        self._asked: dict[str, dict[str, Any]] = {}
        self._again: list[tuple[Instant, dict[str, Any]]] = []
        self._count = 0

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """Ask, or hear what came of it."""
        out: list[Effect] = []
        if isinstance(event, Command):
            self._ask({**event.args, "tries": 0}, now, out)
        elif isinstance(event, Settled):
            self._heard(event, now, out)
        due = [job for at, job in self._again if at <= now]
        self._again = [(at, job) for at, job in self._again if at > now]
        for job in due:
            self._ask(job, now, out)
        return out

    def next_deadline(self) -> Instant | None:
        """The next try."""
        return min((at for at, _ in self._again), default=None)

    def _ask(self, job: dict[str, Any], now: Instant, out: list[Effect]) -> None:
        self._count += 1
        call_id = f"old-habits/{self._count}"
        self._asked[call_id] = job
        action, payload = _left_over(job["kind"], job["connectors"], now)
        args = {"station": job["station"], "action": action, "payload": payload}
        out.append(Tell("legacy", Command("call", args), call_id))

    def _heard(self, event: Settled, now: Instant, out: list[Effect]) -> None:
        job = self._asked.pop(event.call_id)
        outcome = event.outcome
        if isinstance(outcome, Answered) and outcome.payload.get("status") in ("Accepted", "Scheduled"):
            row = {"fault_id": job["fault_id"], "kind": job["kind"], "target": job["station"], "at": now, "until": now}
            out.append(Note("faults", {**row, "data": canonical({"status": outcome.payload["status"]})}))
        elif job["tries"] < _TRIES and not isinstance(outcome, Answered):
            self._again.append((Instant(now + 5 * SECOND), {**job, "tries": job["tries"] + 1}))


def _left_over(kind: str, connectors: Sequence[int], now: Instant) -> tuple[str, dict[str, Any]]:
    if kind == "leftover.zero-profile":
        return "SetChargingProfile", {"connectorId": 0, "csChargingProfiles": _PROFILE}
    if kind == "leftover.reservation":
        reserve = {"connectorId": connectors[0], "reservationId": 4711, "idTag": RESERVED_FOR}
        return "ReserveNow", {**reserve, "expiryDate": iso(now + 48 * HOUR)}
    if kind == "leftover.inoperative":
        return "ChangeAvailability", {"connectorId": connectors[0], "type": "Inoperative"}
    entries = [{"idTag": GHOST, "idTagInfo": {"status": "Accepted"}}]
    return "SendLocalList", {"listVersion": 17, "updateType": "Full", "localAuthorizationList": entries}
