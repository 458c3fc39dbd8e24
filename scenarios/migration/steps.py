"""What the migration tool does in each state of a station's move, as short stories of asking and waiting.

A step yields `Ask` (its outcome is sent back in) or `Wait`, and returns the next state with a detail. Every step can be
begun again from its first line without harm, so that a tool that died goes on from the last state written down. No step
may look at a rig: the tool knows only what back-ends and the vendor's cloud tell it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from typing import Any

from msgspec import Struct

from sim.clock import MINUTE, SECOND, Instant
from sim.machine import Answered, Command, Outcome


class Ask(Struct, frozen=True):
    """Hand a command to somebody and wait for the outcome."""

    to: str
    command: Command


class Inform(Struct, frozen=True):
    """Hand a command to somebody without waiting."""

    to: str
    command: Command


class Wait(Struct, frozen=True):
    """Let this many milliseconds pass."""

    ms: int


Step = Generator[Ask | Inform | Wait, Any, tuple[str, str]]
Clock = Callable[[], Instant]


class StationOrder(Struct, frozen=True):
    """One station to move: its route (`vendor_key`, `network_profile`, `vendor_cloud`), and what new must know of it."""

    station: str
    route: str
    url_key: str
    begin: Instant
    station_row: Mapping[str, Any]
    meter_rows: tuple[Mapping[str, Any], ...]
    configuration: Mapping[str, str]
    local_list: tuple[Mapping[str, Any], ...]


class MoveOrder(Struct, frozen=True):
    """The move of one site. Times in ms."""

    site: str
    old: str
    new: str
    new_url: str
    stations: tuple[StationOrder, ...]
    drain_timeout: int
    stuck_after: int


class StationMove:
    """The steps for one station. `memory` holds what a later step needs of an earlier one; it is plain data."""

    def __init__(self, order: MoveOrder, station: StationOrder, now: Clock) -> None:
        self._order = order
        self._station = station
        self._now = now
        self.memory: dict[str, Any] = {}

    def step(self, state: str) -> Step:
        """The story of this state. Raises KeyError for a final one."""
        return {
            "PLANNED": self._preflight,
            "PREFLIGHT_OK": self._notify,
            "NOTIFIED": self._begin_drain,
            "DRAINING": self._drain_and_switch,
            "SWITCH_SENT": self._leave_old,
            "OFFLINE_WINDOW": self._await_new,
            "SEEN_AT_NEW": self._provision,
            "PROVISIONED": self._verify,
            "VERIFIED": self._close_old,
            "STUCK": self._look_again,
        }[state]()

    @property
    def may_come_back(self) -> bool:
        """Whether a stuck station may still turn up at the new back-end: the switch was sent and not refused."""
        return bool(self.memory.get("switched"))

    # -- asking -------------------------------------------------------------------------------------------------------

    def _operate(self, backend: str, kind: str, **args: Any) -> Generator[Ask | Inform | Wait, Any, Outcome]:
        outcome: Outcome = yield Ask(backend, Command(kind, args))
        return outcome

    def _call(self, backend: str, action: str, **payload: Any) -> Generator[Ask | Inform | Wait, Any, Outcome]:
        return (
            yield from self._operate(backend, "call", station=self._station.station, action=action, payload=payload)
        )

    def _insist(self, backend: str, kind: str, **args: Any) -> Generator[Ask | Inform | Wait, Any, Any]:
        """Ask until answered; None once the patience for a stuck station is used up."""
        until = self._now() + self._order.stuck_after
        while self._now() < until:
            outcome = yield from self._operate(backend, kind, **args)
            if isinstance(outcome, Answered):
                return outcome.payload
            yield Wait(20 * SECOND)
        return None

    def _insist_call(self, backend: str, action: str, **payload: Any) -> Generator[Ask | Inform | Wait, Any, Any]:
        station = self._station.station
        return (yield from self._insist(backend, "call", station=station, action=action, payload=payload))

    def _snapshot(self, backend: str) -> Generator[Ask | Inform | Wait, Any, dict[str, Any]]:
        outcome = yield from self._operate(backend, "export", what="station", station=self._station.station)
        return dict(outcome.payload) if isinstance(outcome, Answered) else {}

    # -- states -------------------------------------------------------------------------------------------------------

    def _preflight(self) -> Step:
        order, station = self._order, self._station
        row = dict(station.station_row)
        for what, rows in (("stations", [row]), ("meters", [dict(meter) for meter in station.meter_rows])):
            if (yield from self._insist(order.new, "import", what=what, rows=rows)) is None:
                return "STUCK", f"{order.new} took no {what}"
        if (yield from self._insist(order.new, "hold-station", station=station.station)) is None:
            return "STUCK", f"{order.new} could not hold the station"
        snapshot = yield from self._snapshot(order.old)
        self.memory["registers"] = snapshot.get("registers", {})
        known = "connected" if snapshot.get("connected") else "not connected at the moment"
        if station.route != "vendor_cloud":
            begun = self._now()
            while not snapshot.get("connected"):
                if self._now() - begun > order.stuck_after:
                    return "STUCK", f"never connected to {order.old}"
                yield Wait(MINUTE)
                snapshot = yield from self._snapshot(order.old)
            configuration = yield from self._insist_call(order.old, "GetConfiguration")
            keys = {entry["key"] for entry in (configuration or {}).get("configurationKey", [])}
            if station.url_key not in keys:
                return "STUCK", f"the station shows no key {station.url_key}"
        return "PREFLIGHT_OK", f"{known} at {order.old}, known at {order.new}"

    def _notify(self) -> Step:
        yield Wait(0)
        return "NOTIFIED", "owner and drivers had been told beforehand"

    def _begin_drain(self) -> Step:
        if self._station.route == "vendor_cloud":
            yield Wait(0)
            return "DRAINING", "the route carries running transactions along: nothing to drain"
        answer = yield from self._insist_call(self._order.old, "ChangeAvailability", connectorId=0, type="Inoperative")
        return "DRAINING", f"ChangeAvailability answered {(answer or {}).get('status', 'never')}"

    def _drain_and_switch(self) -> Step:
        waited = 0
        if self._station.route != "vendor_cloud":
            waited = yield from self._drain()
        switched = yield from self._switch()
        if switched is None:
            return "STUCK", "the switch was not accepted"
        return "SWITCH_SENT", f"drained for {waited // MINUTE} min; {switched}"

    def _drain(self) -> Generator[Ask | Inform | Wait, Any, int]:
        begun = self._now()
        while self._now() - begun < self._order.drain_timeout:
            snapshot = yield from self._snapshot(self._order.old)
            if snapshot and not snapshot.get("open_transactions"):
                break
            yield Wait(MINUTE)
        return self._now() - begun

    def _switch(self) -> Generator[Ask | Inform | Wait, Any, str | None]:
        order, station = self._order, self._station
        snapshot = yield from self._snapshot(order.old)
        self.memory["registers"] = snapshot.get("registers", self.memory.get("registers", {}))
        if station.route == "vendor_cloud":
            self.memory["switched"] = True
            command = Command("set-url", {"url": order.new_url, "reboot": False})
            yield Inform(f"rig:{station.station}", command)
            return "vendor cloud pointed the station at the new back-end"
        settings = [(station.url_key, order.new_url)]
        if station.route == "network_profile":
            settings.append(("NetworkConfigurationPriority", "2,1"))
        self.memory["switched"] = True  # an answer that was lost may have been a yes
        for key, value in settings:
            answer = yield from self._insist_call(order.old, "ChangeConfiguration", key=key, value=value)
            if answer is None:
                return None
            if answer["status"] not in ("Accepted", "RebootRequired"):
                self.memory["switched"] = False
                return None
        read = yield from self._insist_call(order.old, "GetConfiguration", key=[station.url_key])
        values = [entry.get("value") for entry in (read or {}).get("configurationKey", [])]
        if values != [order.new_url]:
            return None
        reset = yield from self._insist_call(order.old, "Reset", type="Soft")
        return f"Reset answered {reset['status']}" if reset else None

    def _leave_old(self) -> Step:
        begun = self._now()
        while self._now() - begun < self._order.stuck_after:
            old = yield from self._snapshot(self._order.old)
            if old and not old.get("connected"):
                return "OFFLINE_WINDOW", f"gone from {self._order.old}"
            yield Wait(2 * SECOND)
        return "STUCK", f"still at {self._order.old}"

    def _await_new(self) -> Step:
        begun = self._now()
        while self._now() - begun < self._order.stuck_after:
            new = yield from self._snapshot(self._order.new)
            if _is_there(new):
                return "SEEN_AT_NEW", f"seen at {self._order.new} after {(self._now() - begun) // SECOND} s"
            yield Wait(5 * SECOND)
        return "STUCK", "seen nowhere"

    def _look_again(self) -> Step:
        """A stuck station comes when its network does: look every minute, for as long as the day lasts."""
        begun = self._now()
        while True:
            yield Wait(MINUTE)
            new = yield from self._snapshot(self._order.new)
            if _is_there(new):
                minutes = (self._now() - begun) // MINUTE
                return "SEEN_AT_NEW", f"stuck for {minutes} min, then seen at {self._order.new}"

    def _provision(self) -> Step:
        order, station = self._order, self._station
        # whoever asks from now on must ask where the station is, even if the answer is that it is not accepted yet
        yield Inform("app", Command("redirect", {"station": station.station, "backend": order.new}))
        entries = list(station.local_list)
        if entries:  # the door must be shut: nobody may start at a station that is not accepted yet
            yield from self._call(order.new, "RemoteStartTransaction", idTag=entries[0]["idTag"], connectorId=1)
        if not (yield from self._hand_over()):
            return "STUCK", "the transactions could not be handed over"
        version = yield from self._insist_call(order.new, "GetLocalListVersion")
        version = max(0, int((version or {}).get("listVersion", 0))) + 1
        steps: list[tuple[str, dict[str, Any]]] = [
            ("ClearCache", {}),
            ("SendLocalList", {"listVersion": version, "updateType": "Full", "localAuthorizationList": entries}),
            *(("ChangeConfiguration", {"key": key, "value": value}) for key, value in station.configuration.items()),
            ("ChangeAvailability", {"connectorId": 0, "type": "Operative"}),
        ]
        for action, payload in steps:
            if (yield from self._insist_call(order.new, action, **payload)) is None:
                return "STUCK", f"{action} was never answered"
        if (yield from self._insist(order.new, "accept-station", station=station.station)) is None:
            return "STUCK", "the station was never accepted"
        begun = self._now()
        while self._now() - begun < order.stuck_after:
            new = yield from self._snapshot(order.new)
            if new.get("registration") == "accepted" and new.get("connected"):
                return "PROVISIONED", f"{len(entries)} tokens in the local list, operative again"
            yield Wait(5 * SECOND)
        return "STUCK", "provisioned, but the station did not come back"

    def _hand_over(self) -> Generator[Ask | Inform | Wait, Any, bool]:
        """Open transactions and the stops closed lately, in one batch of rows as the old back-end gives them."""
        order, station = self._order, self._station.station
        rows = yield from self._insist(order.old, "export", what="open-transactions", station=station)
        if rows is None:
            return False
        rows = rows["rows"]
        if not rows:
            return True
        return (yield from self._insist(order.new, "import", what="open-transactions", rows=rows)) is not None

    def _verify(self) -> Step:
        order = self._order
        begun = self._now()
        before = {str(key): value for key, value in self.memory.get("registers", {}).items()}
        while self._now() - begun < order.stuck_after:
            yield from self._call(order.new, "TriggerMessage", requestedMessage="MeterValues")
            yield Wait(10 * SECOND)
            new = yield from self._snapshot(order.new)
            after = {str(key): value for key, value in new.get("registers", {}).items()}
            if after and all(after.get(key, -1) >= value for key, value in before.items()):
                return "VERIFIED", "registers go on where the old back-end last saw them"
            yield Wait(30 * SECOND)
        return "STUCK", f"registers were {before} and are not shown to go on from there"

    def _close_old(self) -> Step:
        station = self._station.station
        yield from self._insist(self._order.old, "close-station", station=station)
        url = self._order.new_url.replace(f"//{self._order.new}/", f"//{self._order.old}/")
        yield Inform(station, Command("knock", {"url": url, "backend": self._order.old}))
        return "CLOSED_AT_OLD", "identity refused at the old back-end from now on"


def _is_there(snapshot: Mapping[str, Any]) -> bool:
    """Whether a station is connected where this snapshot was taken, and has booted there."""
    return bool(snapshot.get("connected")) and snapshot.get("boots", 0) > 0
