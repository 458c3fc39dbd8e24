"""The control unit of a station that speaks OCPP 1.6J: the assembly of its parts.

A pure state machine over (event, now). A power loss drops the object; the next one is built from what Persist effects
put into flash. Whatever a back-end sends, `handle` does not raise. It must never learn whether its time is virtual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from fleet.meter import published_key
from fleet.station.availability import Availability, is_operative
from fleet.station.bay import Bay
from fleet.station.boot import REJECTED, Boot, Liveness
from fleet.station.calls import Calls, Careless, message_ids
from fleet.station.charging import Charging
from fleet.station.clock import StationClock
from fleet.station.commands import HANDLERS, Refusal
from fleet.station.config import StationConfig
from fleet.station.connection import Connection
from fleet.station.desk import Desk
from fleet.station.firmware import Firmware
from fleet.station.hardware import Hardware
from fleet.station.keys import STANDARD, Configuration, fixed_keys, route_keys
from fleet.station.metering import Metering
from fleet.station.outbox import OPEN_ID, Outbox
from fleet.station.reservations import Reservations
from fleet.station.restart import Restart
from fleet.station.smart_charging import SmartCharging
from fleet.station.status import StatusTable
from fleet.station.timers import NEVER
from fleet.station.tokens import Tokens
from fleet.station.use import Use
from sim.clock import SECOND, Instant
from sim.machine import Closed, Command, Effect, Event, Opened, Received, Send, Tick
from sim.rng import stream
from sim.wire import ocppj, schema
from sim.wire.payloads import v16

_LEFT_OVERS = {"profiles": "profile", "reservations": "reservation", "list": "list", "availability": "inoperative"}
"""What each part of the flash is called in the truth."""


class Station:
    """One station between power-up and power-down.

    Commands: power-up, plug, unplug, swipe{token}, sense{offered, drawing} (all with `connector`), stray-stop,
    second-stop{payload}, set-url, stay-away{on}.
    The first event must be power-up.
    """

    __slots__ = (
        "_boots",
        "_flash",
        "_forgotten",
        "availability",
        "bays",
        "boot",
        "calls",
        "charging",
        "connection",
        "desk",
        "firmware",
        "liveness",
        "metering",
        "outbox",
        "reservations",
        "restart",
        "smart_charging",
        "statuses",
        "tokens",
        "use",
    )

    def __init__(self, config: StationConfig, flash: Mapping[str, Any], hardware: Hardware) -> None:
        forgotten = [key for key in flash if key.split("/")[0] in config.profile.memory.volatile]
        flash = {key: value for key, value in flash.items() if key not in forgotten}
        self._flash = dict(flash)
        self._forgotten = forgotten
        boots = self._boots = flash.get("boots", 0) + 1
        offset = flash.get("clock", config.profile.clock.factory_offset_s * SECOND)
        desk = self.desk = Desk(config, _configuration(config, flash, hardware), StationClock(offset), hardware)
        rng = stream(config.seed, "station", config.station, "back-off", boots)
        self.bays = tuple(Bay(n, is_operative(flash, n), hardware.plugged(n)) for n in config.connectors)
        self.calls = Calls(desk, message_ids(config.salt, config.station, boots))
        self.outbox = Outbox(desk, self.calls, flash)
        self.tokens = Tokens(desk, flash)
        self.statuses = StatusTable(desk, self.calls, self.bays)
        self.smart_charging = SmartCharging(desk, self.bays, flash)
        self.metering = Metering(desk, self.outbox, self.bays, self.smart_charging.offered)
        self.charging = Charging(
            desk, self.bays, self.outbox, self.statuses, self.metering, self.tokens, self.smart_charging, flash
        )
        self.reservations = Reservations(desk, self.bays, self.statuses, flash)
        accepted_url = flash.get("accepted-url", "")
        self.connection = Connection(desk, rng, self._addresses(), accepted_url)
        self.connection.shy = bool(flash.get("shy"))
        self.boot = Boot(desk, self.calls, self.connection, accepted_url)
        self.liveness = Liveness(desk, self.calls)
        self.use = Use(
            desk, self.bays, self.calls, self.tokens, self.statuses, self.charging, self.boot, self.reservations
        )
        self.availability = Availability(desk, self.bays, self.statuses, is_operative(flash, 0))
        self.firmware = Firmware(desk, self.calls)
        self.restart = Restart(desk, self.bays, self.charging, self.outbox, self.calls, self.connection)
        self._wire()

    def _wire(self) -> None:
        self.connection.on_up = self.boot.up
        self.connection.on_down = self._down
        self.boot.on_online = self._online
        self.boot.on_accepted = self.statuses.forget_reports
        self.calls.on_stuck = lambda: self.connection.drop("no answer")
        self.calls.on_forgotten = self.boot.forgotten
        self.outbox.on_confirmed = self.charging.confirmed
        self.metering.on_tariff_change = self.charging.tariff_change
        self.availability.on_usable = self.use.begin_use
        self.availability.on_changed = self.reservations.unavailable
        self.reservations.on_usable = self.use.begin_use
        self.smart_charging.giver = self.reservations.giver = self._giver
        self.availability.giver = self.tokens.giver = self._giver
        self.firmware.on_installed = self._into_image
        self.restart.on_decided = self._closing
        self.desk.clock_set = self.metering.arm

    # -- the contract -------------------------------------------------------------------------------------------------

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        """React to one event."""
        desk = self.desk
        desk.now = now
        out = desk.out = []
        kind = type(event)
        if kind is Tick:
            desk.timers.fire(now)
        elif kind is not Received:
            self._other(event)
        elif event.link == desk.link and not self.calls.quick(event.frame):  # type: ignore[union-attr]
            self._received(event.frame)  # type: ignore[union-attr]
        if self.availability.waiting:
            self.availability.settle()
        if self.restart.decided:
            self.restart.consider()
        return out

    def _other(self, event: Event) -> None:
        """What is neither a frame nor a deadline."""
        if isinstance(event, Command):
            self._command(event)
        elif isinstance(event, Opened):
            self.connection.opened(event.link, event.subprotocol)
        elif isinstance(event, Closed):
            self.connection.closed(event.link, event.reason)

    def next_deadline(self) -> Instant | None:
        """The earliest wish of any part."""
        earliest = self.desk.timers.earliest()
        return Instant(earliest) if earliest < NEVER else None

    def last_gasp(self, now: Instant) -> Sequence[Effect]:
        """Power is failing: the last thing this object does."""
        self.desk.now = now
        out = self.desk.out = []
        self.charging.last_gasp()
        for message in self.outbox.unsaved():
            self.desk.note("discarded", **self.outbox.described(message), why="power-loss")
        return out

    # -- wire ---------------------------------------------------------------------------------------------------------

    def _received(self, frame: bytes) -> None:
        try:
            message = ocppj.parse(frame)
        except ocppj.BadFrame as bad:
            self.desk.note("ignored-frame" if bad.id is None else "bad-frame", why=bad.why, id=bad.id)
            if bad.settles is not None:
                self.calls.unreadable(bad.settles)
            if bad.id is not None and self.boot.state != REJECTED:
                self._send(ocppj.encode_error(bad.id, bad.code, bad.why))
            return
        if isinstance(message, ocppj.Result):
            self.calls.result(message)
        elif isinstance(message, ocppj.Error):
            self.calls.error(message)
        elif self.boot.state != REJECTED:  # OCPP 1.6 §4.2: a rejected station is silent
            self._answer(message)

    def _answer(self, call: ocppj.Call) -> None:
        breach = schema.judge("1.6", call.action, "request", call.payload)
        if breach is not None:
            self._send(ocppj.encode_error(call.id, breach.code, f"{breach.path} {breach.problem}".strip()))
            return
        handler = HANDLERS.get(call.action)
        if handler is None:
            self._send(ocppj.encode_error(call.id, "NotSupported", "not supported by this station"))
            return
        try:
            answer, then = handler(self, v16.decode_request(call.action, call.payload))
        except Refusal as refusal:
            self._send(ocppj.encode_error(call.id, refusal.code, refusal.why))
            return
        except msgspec.MsgspecError:  # fits the schema and still cannot be: a number beyond 64 bits
            self._send(ocppj.encode_error(call.id, "PropertyConstraintViolation", "a value is out of range"))
            return
        self._send(ocppj.encode_result(call.id, v16.encode(answer)))
        if then is not None:
            then()

    def _send(self, frame: bytes) -> None:
        if self.desk.link is not None:
            self.desk.out.append(Send(self.desk.link, frame))

    def send_values(self, bay: Bay, value: v16.MeterValue) -> None:
        """MeterValues that were asked for: at once, but behind a Start whose answer is still awaited."""
        running = bay.transaction
        known = None if running is None else self.outbox.ids.get(running.number)
        if running is not None and known is None:
            late = v16.MeterValues(connector_id=bay.number, transaction_id=OPEN_ID, meter_value=[value])
            self.outbox.push("MeterValues", running.number, late)
            return
        values = v16.MeterValues(connector_id=bay.number, transaction_id=known, meter_value=[value])
        self.calls.ask("MeterValues", values, Careless())

    # -- connection ---------------------------------------------------------------------------------------------------

    def _down(self) -> None:
        self.calls.drop()
        self.boot.down()
        self.outbox.save_all()

    def _online(self) -> None:
        self.statuses.report_changed()
        self.liveness.arm()
        self.outbox.pump()

    def key_changed(self, name: str) -> None:
        """A configuration key has a new value: schedules follow."""
        self.metering.key_changed(name)
        migration = self.desk.profile.migration
        if name == migration.url_key and migration.applies == "at_once":
            self.desk.note("set-url", url=self.desk.keys[name], reboot=False)
            self.connection.repoint([self.desk.keys[name]])
        if name == "HeartbeatInterval":
            self.liveness.arm()

    def running(self, transaction_id: int) -> Bay | None:
        """The connector at which the transaction with this id of the back-end runs."""
        for bay in self.bays:
            if bay.transaction is not None and self.outbox.ids.get(bay.transaction.number) == transaction_id:
                return bay
        return None

    def _addresses(self) -> list[str]:
        migration, keys = self.desk.profile.migration, self.desk.keys
        if migration.route == "vendor_key":
            return [keys[migration.url_key]]
        if migration.route == "network_profile":
            urls = [keys[f"NetworkConnectionProfile{slot}"] for slot in keys["NetworkConfigurationPriority"]]
            return [url for url in urls if url] or [self.desk.config.url]
        url: str = self._flash.get("url", self.desk.config.url)
        return [url]

    # -- people and hardware ------------------------------------------------------------------------------------------

    def _command(self, command: Command) -> None:
        name, args = command.name, command.args
        if name == "power-up":
            self._power_up()
        elif name == "set-url":
            self._set_url(args["url"], bool(args.get("reboot")))
        elif name == "stay-away":
            self.desk.persist("shy", True if args["on"] else None)
            self.connection.stay_away(bool(args["on"]))
        elif name == "stray-stop":
            self.charging.stray_stop(args["transaction_id"], args["meter_stop"])
        elif name == "second-stop":
            self.charging.second_stop(args["payload"])
        else:
            self._at_connector(name, args)

    def _at_connector(self, name: str, args: Mapping[str, Any]) -> None:
        bay = self.use.bay(args["connector"])
        if bay is None:
            raise ValueError(f"{self.desk.station} has no connector {args['connector']}")
        if name == "plug":
            self.use.plug(bay)
        elif name == "unplug":
            self.use.unplug(bay)
        elif name == "swipe":
            self.use.swipe(bay, args["token"])
        elif name == "sense":
            self.charging.sense(bay, args["offered"], args["drawing"])
        else:
            raise ValueError(f"a station knows no command {name!r}")

    def _power_up(self) -> None:
        desk = self.desk
        desk.persist("boots", self._boots)
        desk.note("power-up", boots=self._boots)
        for key in self._forgotten:
            desk.persist(key, None)
            desk.note("left-over-gone", what=_LEFT_OVERS[key.split("/")[0]], why="forgotten at the reboot")
        self.charging.restore(self._flash)
        for bay in self.bays:
            if bay.plugged and bay.operative and not bay.finishing and bay.reservation is None:
                bay.preparing = True
            self.statuses.begin(bay.number, bay.status())
            if bay.preparing:
                self.use.begin_use(bay)
        self._flash.clear()
        self.reservations.settle()
        self.smart_charging.settle()
        self.metering.arm()
        self.connection.dial()

    def _set_url(self, url: str, reboot: bool) -> None:
        """The maker's cloud or a technician points the station elsewhere; the configuration follows."""
        desk, migration = self.desk, self.desk.profile.migration
        if reboot:
            self.connection.shy = False  # whoever restarts it on site sees to it that it dials
            desk.persist("shy", None)
        if migration.route not in ("vendor_key", "network_profile"):
            desk.persist("url", url)
        else:
            slot = "" if migration.route == "vendor_key" else desk.keys["NetworkConfigurationPriority"][0]
            name = migration.url_key if migration.route == "vendor_key" else f"NetworkConnectionProfile{slot}"
            desk.keys.change(name, url)
            desk.persist(f"config/{name}", desk.keys.text(name))
        desk.note("set-url", url=url, reboot=reboot)
        if reboot:
            self.restart.begin("Own")
        else:
            self.connection.repoint([url])

    def _into_image(self, url: str) -> None:
        """A new image is installed: its address counts from the restart on."""
        self.desk.persist("url", url)
        self.desk.note("set-url", url=url, reboot=True)
        self.restart.begin("Own")

    def _giver(self) -> str:
        """Who gave what is taken down now: the address of the back-end."""
        return self.connection.url

    def _closing(self) -> None:
        self.use.closed = True


def _configuration(config: StationConfig, flash: Mapping[str, Any], hardware: Hardware) -> Configuration:
    migration = config.profile.migration
    meters = {number: published_key(hardware.public_key(number)) for number in config.connectors}
    keys = {
        **STANDARD,
        **fixed_keys(len(config.connectors), meters),
        **route_keys(
            migration.route, migration.url_key, config.url, migration.attempts, migration.applies == "at_once"
        ),
    }
    saved = {key[7:]: text for key, text in flash.items() if key.startswith("config/")}
    return Configuration(keys, config.profile.configuration, saved)
