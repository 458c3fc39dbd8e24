"""A rig: one station with its meters and the EVs at it, coupled as they are in the world, as one Machine.

It owns the station's flash and its power supply and passes on what people do, the network brings and the station moves.
It never looks at what the station says on the wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from fleet.edge.edge import NAMES as AT_THE_EDGE
from fleet.edge.edge import Edge
from fleet.ev import Ev
from fleet.outlet import Outlet
from fleet.quirks import FORGETS_TRANSACTION, NO_REDIAL_AFTER_POWER_LOSS, QUIRK_SHOWN
from fleet.station.assemblies import ControlUnit, station_of
from fleet.station.timers import NEVER, Timers
from fleet.switchboard import RigConfig, Switchboard, meters_of
from sim.clock import SECOND, Instant
from sim.machine import (
    Actuate,
    Answered,
    Close,
    Closed,
    Command,
    Effect,
    Event,
    LinkId,
    Note,
    Open,
    Opened,
    Persist,
    Received,
    Send,
    Settle,
    Tell,
    Tick,
)

__all__ = ["Rig", "RigConfig", "meters_of"]

_TICK, _to_json = Tick(), msgspec.json.Encoder(order="sorted").encode
_FOR_THE_STATION = ("stray-stop", "second-stop", "set-url", "stay-away", "reboot", "clock-step", "register-reset")


class Rig:
    """Machine `rig:<station>`; its power comes on at `power_on_at`.

    Commands: plug{connector, visit_id, energy_wh, power_w, driver}, unplug{connector}, swipe{connector, token},
    withhold{connector, on}, tamper-next-record{connector}, power-loss{}, switch-off{} (the same, wanted),
    power-restored{}, stray-stop{transaction_id, meter_stop}, second-stop{payload}, set-url{url, reboot}, stay-away{on},
    reboot{}, clock-step{ms}, register-reset{connector}, wipe-settings{}, restore-settings{}, flash-loss{} (in the dark).
    The driver named by `plug` is told what the display shows: display{connector, text}, with `wh` when finished (energy of
    the session), `by` when suspended (ev or evse), `occupied` when somebody else's EV holds the connector.
    """

    def __init__(self, config: RigConfig, power_on_at: Instant) -> None:
        self.config = config
        self.flash: dict[str, Any] = {}
        self.station: ControlUnit | None = None
        self._timers: Timers | None = None
        self._station_config = config.of_station()
        self.board = Switchboard(config)
        self._powered = True
        self._starts_at: int = power_on_at
        self._physical: int = power_on_at
        self._dials = 0
        self._orphans = 0
        self._link: LinkId | None = None
        self._links: set[LinkId] = set()
        self._waiting: list[Command] = []
        self._own_url = config.url
        self._now: Instant = power_on_at
        self._untold = list(config.given)
        quirks = [choice.name for choice in config.profile.quirks if choice.name in AT_THE_EDGE]
        self._edge = Edge(config.station, quirks, self._shows) if quirks else None
        self._out: list[Effect] = []

    # -- the contract -------------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """React to one event."""
        kind = type(event)
        station = self.station
        if self._edge is None and station is not None and (kind is Received or (kind is Tick and self._physical > now)):
            effects = station.handle(event, now)
            if not effects or (len(effects) == 1 and type(effects[0]) is Send):
                return effects  # the usual case: words on the wire and nothing else
            out = self._out = []
            self._perform(effects, now)
            return out
        out = self._out = []
        if self._edge is not None:
            self._at_the_edge(event, self._edge, now)
        elif kind is Tick:
            self._tick(now)
        elif isinstance(event, Command):
            self._command(event, now)
        elif isinstance(event, Opened | Closed):
            self._link_event(event, now)
        return out

    # -- the edge -----------------------------------------------------------------------------------------------------

    def _at_the_edge(self, event: Event, edge: Edge, now: Instant) -> None:
        """As `handle`, for a station with quirks at the wire."""
        self._now = now
        if isinstance(event, Received):
            for frame in edge.heard(event.link, event.frame, now):
                self._hear(frame, event.link, now)
        elif type(event) is Tick:
            edge.tick(now)
            self._tick(now)
        elif isinstance(event, Command):
            self._command(event, now)
        elif isinstance(event, Opened | Closed):
            edge.link_event(event, now)
            self._link_event(event, now)
        while edge.inbox and self._link is not None:
            self._hear(edge.inbox.pop(0), self._link, now)
        self._out += [send for send in edge.unsent() if send.link == self._link]
        if edge.hang_up:
            self._hang_up(edge.hang_up, now)
            edge.hang_up = ""
        if edge.stay_away is not None:
            self._to_station(Command("stay-away", {"on": edge.stay_away}), now)
            edge.stay_away = None
        if edge.reboot:
            edge.reboot = False
            self._to_station(Command("reboot"), now)

    def _hear(self, frame: bytes, link: LinkId, now: Instant) -> None:
        if self.station is not None:
            self._perform(self.station.handle(Received(link, frame), now), now)

    def _hang_up(self, reason: str, now: Instant) -> None:
        """The firmware gives its connection up, and its control unit finds it gone."""
        link, self._link = self._link, None
        if link is None or self._edge is None:
            return
        self._links.discard(link)
        self._edge.gone()
        self._out.append(Close(link, reason))
        if self.station is not None:
            self._perform(self.station.handle(Closed(link, reason), now), now)

    def _shows(self, quirk: str) -> None:
        """A quirk acts: told the first time, if it was given to this very station."""
        if quirk in self._untold:
            self._untold.remove(quirk)
            self._note(self._now, QUIRK_SHOWN, name=quirk)

    def next_deadline(self) -> Instant | None:
        """When the station wants to wake, an EV is full, or the power comes back on."""
        earliest = self._physical
        if self._edge is not None:
            earliest = min(earliest, self._edge.deadline())
        timers = self._timers
        if timers is not None:
            if timers.least < earliest:
                earliest = timers.least
            if timers.answer < earliest:
                earliest = timers.answer
        return earliest if earliest < NEVER else None  # type: ignore[return-value]

    def waiting(self) -> int:
        """How many messages of transactions are still to be delivered; 0 while it is dark."""
        return 0 if self.station is None else self.station.outbox.waiting

    def final_notes(self, now: Instant) -> list[Note]:
        """At harvest: the sessions that still run, and every meter."""
        return self.board.final_notes(now)

    # -- time and links -----------------------------------------------------------------------------------------------

    def _tick(self, now: Instant) -> None:
        if self._physical <= now:
            for outlet in self.board.fill(now):
                self._settle(outlet, now)
            if self._starts_at <= now:
                self._starts_at = NEVER
                self._start(now)
            self._rearm()
        if self.station is not None:
            self._perform(self.station.handle(_TICK, now), now)

    def _rearm(self) -> None:
        """The next moment at which an EV is full or the station starts."""
        self._physical = min(self.board.full_at(), self._starts_at)

    def _link_event(self, event: Opened | Closed, now: Instant) -> None:
        """Answers to dials of a station that has lost power since, and late words about its links, belong to nobody."""
        if event.link in self._links:
            self._links.discard(event.link)
            if event.link != self._link:
                return
        else:
            self._dials -= 1
            if isinstance(event, Opened):
                self._links.add(event.link)
            if self._orphans > 0:
                self._orphans -= 1
                if isinstance(event, Opened):
                    self._out.append(Close(event.link, "power"))
                return
            if isinstance(event, Opened):
                self._link = event.link
        if self.station is not None:
            self._perform(self.station.handle(event, now), now)

    # -- power --------------------------------------------------------------------------------------------------------

    def _start(self, now: Instant) -> None:
        if self.config.profile.has(FORGETS_TRANSACTION) and self.board.charging:
            self._now, self.flash = now, {key: row for key, row in self.flash.items() if not key.startswith("tx/")}
            self._out += self.board.untold(now)
            self._shows(FORGETS_TRANSACTION)
        self.station = station_of(self._station_config, self.flash, self.board)
        self._timers = self.station.desk.timers
        self._perform(self.station.handle(Command("power-up"), now), now)
        waiting, self._waiting = self._waiting, []
        for command in waiting:
            self._to_station(command, now)

    def _dark(self, now: Instant) -> None:
        """The control unit is gone; its contactors fall open."""
        self.station = self._timers = None
        if self._edge is not None:
            self._edge.dark()
        self._orphans = self._dials
        self._link = None
        self.board.fall_open(now)
        self._rearm()

    def _power_loss(self, now: Instant, why: str) -> None:
        if not self._powered:
            return
        self._powered, self._starts_at = False, NEVER
        self._note(now, why)
        station, link = self.station, self._link
        if station is not None:
            self._perform(station.last_gasp(now), now)
            if link is not None and station.desk.link == link:
                self._out.append(Close(link, "power"))
        self._dark(now)

    def _power_restored(self, now: Instant) -> None:
        if not self._powered:
            self._powered = True
            self._note(now, "power-restored")
            self.flash.pop("shy", None)
            if self.config.profile.has(NO_REDIAL_AFTER_POWER_LOSS):
                self._now, self.flash["shy"] = now, True
                self._shows(NO_REDIAL_AFTER_POWER_LOSS)
            self._starts_at = now + self.config.profile.boot.reboot_s * SECOND
            self._rearm()

    def _flash_loss(self, now: Instant) -> None:
        """The memory is empty, as it came from the factory: nobody will ever tell the end of what ran."""
        if self._powered:
            raise ValueError(f"{self.config.station} has power: nothing makes it forget")
        self.flash.clear()
        self._note(now, "flash-loss")
        self._out += self.board.untold(now)

    # -- effects of the station ---------------------------------------------------------------------------------------

    def _perform(self, effects: Sequence[Effect], now: Instant) -> None:
        touched: list[Outlet] = []
        for effect in effects:
            kind = type(effect)
            if kind is Send:
                if self._edge is None:
                    self._out.append(effect)
                else:
                    self._out += self._edge.out(effect, now)  # type: ignore[arg-type]
            elif kind is Persist:
                self._store(effect)  # type: ignore[arg-type]
            elif kind is Actuate:
                self._actuate(effect, now, touched)  # type: ignore[arg-type]
            else:
                self._dials += kind is Open
                if kind is Close and self._edge is not None:
                    self._edge.gone()
                self._out.append(effect)
        for outlet in touched:
            self._settle(outlet, now)

    def _store(self, effect: Persist) -> None:
        if effect.value is None:
            self.flash.pop(effect.key, None)
        else:
            self.flash[effect.key] = effect.value

    def _actuate(self, effect: Actuate, now: Instant, touched: list[Outlet]) -> None:
        if effect.what == "restart":
            self._starts_at = now + effect.value
            self._dark(now)
            return
        outlet = self.board.actuate(effect, now, self._out)
        if outlet is not None and outlet not in touched:
            touched.append(outlet)

    def _settle(self, outlet: Outlet, now: Instant) -> None:
        """Something changed at this outlet: mark it, and let the station sense it while a session runs."""
        outlet.observe(now)
        self._rearm()
        seen = (outlet.offering, outlet.drawing)
        if outlet.session is not None and seen != outlet.told:
            outlet.told = seen
            self._sense("sense", outlet, now, offered=seen[0], drawing=seen[1])

    def _sense(self, name: str, outlet: Outlet, now: Instant, **what: Any) -> None:
        """What the control unit notices at an outlet, if it is on."""
        if self.station is not None:
            self._perform(self.station.handle(Command(name, {"connector": outlet.number, **what}), now), now)

    # -- people and faults --------------------------------------------------------------------------------------------

    def _command(self, command: Command, now: Instant) -> None:
        name, args = command.name, command.args
        if name == "plug":
            self._plug(args, now)
        elif name == "unplug":
            self._unplug(self.board.outlets[args["connector"]], now)
        elif name == "swipe":
            self._swipe(self.board.outlets[args["connector"]], args["token"], now)
        elif name == "withhold":
            self._withhold(self.board.outlets[args["connector"]], bool(args["on"]), now)
        elif name == "tamper-next-record":
            self.board.outlets[args["connector"]].tamper_next = True
        elif name in ("power-loss", "switch-off"):
            self._power_loss(now, name)
        elif name == "power-restored":
            self._power_restored(now)
        elif name == "flash-loss":
            self._flash_loss(now)
        elif name == "wipe-settings":
            self._own_url = self.flash.get("accepted-url") or self.config.url
            self._to_station(command, now)
        elif name == "restore-settings":
            self._to_station(Command("set-url", {"url": self._own_url, "reboot": True}), now)
        elif name in _FOR_THE_STATION:
            if name in ("register-reset", "clock-step"):
                self.board.harm(name, args.get("connector"))
            self._to_station(command, now)
        else:
            raise ValueError(f"a rig knows no command {name!r}")
        if "call_id" in args:
            self._out.append(Settle(args["call_id"], Answered({})))

    def _to_station(self, command: Command, now: Instant) -> None:
        """While the control unit is dark the command waits."""
        if self.station is None:
            self._waiting.append(command)
        else:
            self._perform(self.station.handle(command, now), now)

    def _plug(self, args: dict[str, Any], now: Instant) -> None:
        outlet = self.board.outlets[args["connector"]]
        if outlet.ev is not None:
            words = {"connector": outlet.number, "text": "unavailable", "occupied": True}
            self._out.append(Tell(args["driver"], Command("display", words)))
            return
        outlet.ev = Ev(args["energy_wh"], args["power_w"])
        outlet.driver, outlet.visit_id = args["driver"], args["visit_id"]
        self._note(now, "plug", outlet.number, visit_id=outlet.visit_id)
        outlet.flow(now)
        self._sense("plug", outlet, now)
        self._settle(outlet, now)

    def _unplug(self, outlet: Outlet, now: Instant) -> None:
        if outlet.ev is None:
            return
        outlet.stop(now)
        self._note(now, "unplug", outlet.number, visit_id=outlet.visit_id, delivered_wh=outlet.ev.delivered_wh)
        outlet.ev = None
        self._sense("unplug", outlet, now)
        self._settle(outlet, now)
        outlet.driver = outlet.visit_id = None

    def _swipe(self, outlet: Outlet, token: str, now: Instant) -> None:
        if self.station is None:
            self.board.show_text(outlet, {"text": "unavailable"}, self._out)
        else:
            self._sense("swipe", outlet, now, token=token)

    def _withhold(self, outlet: Outlet, on: bool, now: Instant) -> None:
        outlet.withheld = on
        self._note(now, "withhold", outlet.number, on=on)
        outlet.flow(now)
        self._settle(outlet, now)

    def _note(self, now: Instant, kind: str, connector: int | None = None, **data: Any) -> None:
        text = _to_json(data).decode()
        row = {"at": now, "station": self.config.station, "connector": connector, "kind": kind, "data": text}
        self._out.append(Note("events", row))
