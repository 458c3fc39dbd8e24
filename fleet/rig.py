"""A rig: one station with its meters and the EVs at it, coupled as they are in the world, as one Machine.

It owns the station's flash and its power supply, carries out what the station actuates, tells people what the display
shows, and writes down the truth. It never looks at what the station says on the wire.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import Struct

from fleet.ev import Ev
from fleet.meter import Meter, first_register, key_of, meter_id_of, public_key_of
from fleet.outlet import Outlet
from fleet.profile import StationProfile
from fleet.station.config import StationConfig
from fleet.station.timers import NEVER
from fleet.station.v16 import Station
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
from sim.wire import ocmf

_TICK = Tick()
_to_json = msgspec.json.Encoder(order="sorted").encode


class RigConfig(Struct, frozen=True, kw_only=True):
    """One station to put up: where, what kind, which connectors, which back-end first (`url` without the identity).

    `max_power_w` holds for each connector. `salt` goes into message ids; empty means the seed.
    """

    station: str
    site: str
    profile: StationProfile
    connectors: tuple[int, ...]
    url: str
    seed: int
    max_power_w: int
    salt: str = ""


def meters_of(config: RigConfig) -> list[dict[str, Any]]:
    """What a key registry is told of the meters: meter_id, connector, public_key (SPKI DER in hex), time_billing."""
    ids = [(number, meter_id_of(config.station, number)) for number in config.connectors]
    return [
        {
            "meter_id": meter_id,
            "connector": number,
            "public_key": public_key_of(config.seed, meter_id),
            "time_billing": config.profile.clock.time_billing,
        }
        for number, meter_id in ids
    ]


class Rig:
    """Machine `rig:<station>`; its power comes on at `power_on_at`.

    Commands: plug{connector, visit_id, energy_wh, power_w, driver}, unplug{connector}, swipe{connector, token},
    withhold{connector, on}, tamper-next-record{connector}, power-loss{}, power-restored{}, stray-stop{transaction_id,
    meter_stop}, set-url{url, reboot}. The driver named by `plug` is told what the display shows: display{connector,
    text}, with `wh` when finished (energy of the session), `by` when suspended (ev or evse), `occupied` when somebody
    else's EV holds the connector.
    """

    def __init__(self, config: RigConfig, power_on_at: Instant) -> None:
        self.config = config
        self.flash: dict[str, Any] = {}
        self.station: Station | None = None
        self._station_config = StationConfig(
            station=config.station,
            profile=config.profile,
            connectors=config.connectors,
            url=config.url,
            seed=config.seed,
            salt=config.salt or str(config.seed),
            max_power_w=config.max_power_w,
        )
        self._outlets = {number: self._outlet(number) for number in config.connectors}
        self._registers = {number: outlet.meter.register(0) for number, outlet in self._outlets.items()}
        self._powered = True
        self._starts_at: int | None = power_on_at
        self._physical: int = power_on_at
        self._dials = 0
        self._orphans = 0
        self._link: LinkId | None = None
        self._links: set[LinkId] = set()
        self._sessions = 0
        self._waiting: list[Command] = []
        self._out: list[Effect] = []

    def _outlet(self, number: int) -> Outlet:
        meter_id = meter_id_of(self.config.station, number)
        seed = self.config.seed
        return Outlet(
            number, Meter(meter_id, key_of(seed, meter_id), first_register(seed, meter_id)), self.config.max_power_w
        )

    # -- the contract -------------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """React to one event."""
        out = self._out = []
        kind = type(event)
        if kind is Received:
            if self.station is not None:
                effects = self.station.handle(event, now)
                if effects:
                    self._perform(effects, now)
        elif kind is Tick:
            self._tick(now)
        elif isinstance(event, Command):
            self._command(event, now)
        elif isinstance(event, Opened | Closed):
            self._link_event(event, now)
        return out

    def next_deadline(self) -> Instant | None:
        """When the station wants to wake, an EV is full, or the power comes back on."""
        earliest = self._physical if self.station is None else min(self._physical, self.station.desk.timers.first())
        return Instant(earliest) if earliest < NEVER else None

    def final_notes(self, now: Instant) -> list[Note]:
        """At harvest: the sessions that still run, and every meter."""
        site, station = self.config.site, self.config.station
        running = [
            outlet.row(site, station, None, None) for outlet in self._outlets.values() if outlet.session is not None
        ]
        meters = [
            {
                "meter_id": outlet.meter.meter_id,
                "station": station,
                "connector": number,
                "public_key": self.public_key(number),
                "register_start": self._registers[number],
                "register_stop": outlet.meter.register(now),
            }
            for number, outlet in self._outlets.items()
        ]
        return [Note("sessions", row) for row in running] + [Note("meters", row) for row in meters]

    # -- time and links -----------------------------------------------------------------------------------------------

    def _tick(self, now: Instant) -> None:
        if self._physical <= now:
            for outlet in self._outlets.values():
                if outlet.full_at is not None and outlet.full_at <= now:
                    outlet.stop(now)
                    self._settle(outlet, now)
            if self._starts_at is not None and self._starts_at <= now:
                self._starts_at = None
                self._start(now)
            self._rearm()
        if self.station is not None:
            self._perform(self.station.handle(_TICK, now), now)

    def _rearm(self) -> None:
        """The next moment at which an EV is full or the station starts."""
        full = [outlet.full_at for outlet in self._outlets.values() if outlet.full_at is not None]
        self._physical = min([*full, NEVER if self._starts_at is None else self._starts_at])

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
        self.station = Station(self._station_config, self.flash, self)
        self._perform(self.station.handle(Command("power-up"), now), now)
        waiting, self._waiting = self._waiting, []
        for command in waiting:
            self._to_station(command, now)

    def _dark(self, now: Instant) -> None:
        """The control unit is gone; its contactors fall open."""
        self.station = None
        self._orphans = self._dials
        self._link = None
        for outlet in self._outlets.values():
            outlet.contactor = False
            outlet.flow(now)
            outlet.observe(now)
        self._rearm()

    def _power_loss(self, now: Instant) -> None:
        if not self._powered:
            return
        self._powered, self._starts_at = False, None
        self._note(now, "power-loss")
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
            self._starts_at = now + self.config.profile.boot.reboot_s * SECOND
            self._rearm()

    # -- effects of the station ---------------------------------------------------------------------------------------

    def _perform(self, effects: Sequence[Effect], now: Instant) -> None:
        touched: list[Outlet] = []
        for effect in effects:
            kind = type(effect)
            if kind is Send:
                self._out.append(effect)
            elif kind is Persist:
                self._store(effect)  # type: ignore[arg-type]
            elif kind is Actuate:
                self._actuate(effect, now, touched)  # type: ignore[arg-type]
            else:
                if kind is Open:
                    self._dials += 1
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
        outlet = self._outlets[effect.connector]
        if effect.what == "display":
            self._show(outlet, effect.value)
        elif effect.what == "contactor":
            outlet.contactor = effect.value
            outlet.flow(now)
            if outlet not in touched:
                touched.append(outlet)
        elif effect.what == "transaction":
            self._transaction(outlet, effect.value, now)

    def _transaction(self, outlet: Outlet, what: dict[str, Any], now: Instant) -> None:
        if "begin" in what:
            self._sessions += 1
            outlet.begin(now, f"{self.config.station}/{self._sessions}", what["token"])
        elif "mark" in what:
            outlet.mark(now, what["mark"])
        else:
            self._out.append(Note("sessions", outlet.end(now, self.config.site, self.config.station, what["end"])))

    def _settle(self, outlet: Outlet, now: Instant) -> None:
        """Something changed at this outlet: mark it, and let the station sense it while a session runs."""
        outlet.observe(now)
        self._rearm()
        seen = (not outlet.withheld, outlet.drawing)
        if outlet.session is not None and self.station is not None and seen != outlet.told:
            outlet.told = seen
            sense = {"connector": outlet.number, "offered": seen[0], "drawing": seen[1]}
            self._perform(self.station.handle(Command("sense", sense), now), now)

    def _show(self, outlet: Outlet, value: dict[str, Any]) -> None:
        if outlet.driver is not None:
            words = {"connector": outlet.number, **value}
            if value["text"] == "finished":
                words["wh"] = outlet.last_wh
            self._out.append(Tell(outlet.driver, Command("display", words)))

    # -- people and faults --------------------------------------------------------------------------------------------

    def _command(self, command: Command, now: Instant) -> None:
        name, args = command.name, command.args
        if name == "plug":
            self._plug(args, now)
        elif name == "unplug":
            self._unplug(self._outlets[args["connector"]], now)
        elif name == "swipe":
            self._swipe(self._outlets[args["connector"]], args, now)
        elif name == "withhold":
            self._withhold(self._outlets[args["connector"]], bool(args["on"]), now)
        elif name == "tamper-next-record":
            self._outlets[args["connector"]].tamper_next = True
        elif name == "power-loss":
            self._power_loss(now)
        elif name == "power-restored":
            self._power_restored(now)
        elif name in ("stray-stop", "set-url"):
            self._to_station(command, now)
        else:
            raise ValueError(f"a rig knows no command {name!r}")
        if "call_id" in args:
            self._out.append(Settle(args["call_id"], Answered({})))

    def _to_station(self, command: Command, now: Instant) -> None:
        """For the control unit; while it is dark the command waits."""
        if self.station is None:
            self._waiting.append(command)
        else:
            self._perform(self.station.handle(command, now), now)

    def _plug(self, args: dict[str, Any], now: Instant) -> None:
        outlet = self._outlets[args["connector"]]
        if outlet.ev is not None:
            words = {"connector": outlet.number, "text": "unavailable", "occupied": True}
            self._out.append(Tell(args["driver"], Command("display", words)))
            return
        outlet.ev = Ev(args["energy_wh"], args["power_w"])
        outlet.driver, outlet.visit_id = args["driver"], args["visit_id"]
        self._note(now, "plug", outlet.number, visit_id=outlet.visit_id)
        outlet.flow(now)
        if self.station is not None:
            self._perform(self.station.handle(Command("plug", {"connector": outlet.number}), now), now)
        self._settle(outlet, now)

    def _unplug(self, outlet: Outlet, now: Instant) -> None:
        if outlet.ev is None:
            return
        outlet.stop(now)
        self._note(now, "unplug", outlet.number, visit_id=outlet.visit_id, delivered_wh=outlet.ev.delivered_wh)
        outlet.ev = None
        if self.station is not None:
            self._perform(self.station.handle(Command("unplug", {"connector": outlet.number}), now), now)
        self._settle(outlet, now)
        outlet.driver = outlet.visit_id = None

    def _swipe(self, outlet: Outlet, args: dict[str, Any], now: Instant) -> None:
        if self.station is None:
            self._show(outlet, {"text": "unavailable"})
        else:
            swipe = Command("swipe", {"connector": outlet.number, "token": args["token"]})
            self._perform(self.station.handle(swipe, now), now)

    def _withhold(self, outlet: Outlet, on: bool, now: Instant) -> None:
        outlet.withheld = on
        self._note(now, "withhold", outlet.number, on=on)
        outlet.flow(now)
        self._settle(outlet, now)

    def _note(self, now: Instant, kind: str, connector: int | None = None, **data: Any) -> None:
        text = _to_json(data).decode()
        row = {"at": now, "station": self.config.station, "connector": connector, "kind": kind, "data": text}
        self._out.append(Note("events", row))

    # -- what the station asks of its hardware ------------------------------------------------------------------------

    def register(self, connector: int, now: int) -> int:
        """The meter's register in Wh."""
        return self._outlets[connector].meter.register(now)

    def show(self, connector: int, now: int) -> tuple[int, int]:
        """The register in Wh, and the power that flows now in W."""
        return self._outlets[connector].meter.show(now)

    def plugged(self, connector: int) -> bool:
        """Whether an EV's cable is in."""
        return self._outlets[connector].ev is not None

    def public_key(self, connector: int) -> str:
        """The meter's public key, SPKI DER in hex."""
        return public_key_of(self.config.seed, self._outlets[connector].meter.meter_id)

    def sign(
        self, connector: int, id_tag: str, id_type: str, letter: str, readings: Sequence[tuple[int, str, int]]
    ) -> str:
        """One signed record; a fault that was asked for alters the end record after signing."""
        outlet = self._outlets[connector]
        profile = self.config.profile.meter
        text = outlet.meter.sign(
            station=self.config.station,
            connector=connector,
            id_tag=id_tag,
            id_type=id_type,
            letter=letter,
            readings=readings,
            vendor=profile.vendor,
            model=profile.model,
        )
        if outlet.tamper_next and any(mark == "E" for _, mark, _ in readings):
            outlet.tamper_next = False
            if outlet.session is not None:
                outlet.session.harm.append("tampered")
            return ocmf.tamper(text)
        return text
