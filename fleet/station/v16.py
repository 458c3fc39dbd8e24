"""The control unit of a station that speaks OCPP 1.6J: the assembly of its parts.

A pure state machine over (event, now). A power loss drops the object; the next one is built from what Persist effects
put into flash. Whatever a back-end sends, `handle` does not raise. It must never learn whether its time is virtual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from fleet.station import v16_words as words
from fleet.station.addresses import Addresses
from fleet.station.availability import Availability, is_operative
from fleet.station.bay import Bay
from fleet.station.body import Body, bays_of, desk_of, remembered
from fleet.station.boot import Boot, Liveness
from fleet.station.calls import Calls, Careless, message_ids
from fleet.station.charging import Charging
from fleet.station.config import StationConfig
from fleet.station.connection import Connection
from fleet.station.ears import Ears
from fleet.station.hardware import Hardware
from fleet.station.keys import STANDARD
from fleet.station.metering import Metering
from fleet.station.outbox import OPEN_ID, Outbox
from fleet.station.restart import Restart
from fleet.station.status import StatusTable
from fleet.station.timers import NEVER
from fleet.station.tokens import Tokens
from fleet.station.use import Authority, Use
from fleet.station.v16_commands import HANDLERS
from fleet.station.v16_firmware import Firmware
from fleet.station.v16_reservations import Reservations
from fleet.station.v16_smart_charging import SmartCharging
from fleet.station.v16_teller import Teller16
from sim.clock import Instant
from sim.machine import Closed, Command, Effect, Event, LinkId, Opened, Received, Tick
from sim.rng import stream
from sim.wire.dialect import V16
from sim.wire.payloads import v16


class Station:
    """One station between power-up and power-down.

    Commands: power-up, plug, unplug, swipe{token}, sense{offered, drawing} (all with `connector`), stray-stop,
    second-stop{payload}, set-url, stay-away{on}.
    The first event must be power-up.
    """

    __slots__ = (
        "_flash",
        "addresses",
        "availability",
        "bays",
        "body",
        "boot",
        "calls",
        "charging",
        "connection",
        "desk",
        "ears",
        "firmware",
        "liveness",
        "metering",
        "outbox",
        "reservations",
        "restart",
        "smart_charging",
        "statuses",
        "teller",
        "tokens",
        "use",
    )

    def __init__(self, config: StationConfig, flash: Mapping[str, Any], hardware: Hardware) -> None:
        flash, forgotten = remembered(config.profile, flash)
        self._flash = dict(flash)
        boots = flash.get("boots", 0) + 1
        desk = self.desk = desk_of(config, flash, hardware, STANDARD)
        rng = stream(config.seed, "station", config.station, "back-off", boots)
        self.bays = bays_of(config, flash, hardware)
        self.calls = Calls(desk, message_ids(config.salt, config.station, boots), V16)
        self.outbox = Outbox(desk, self.calls, flash)
        self.tokens = Tokens(desk, flash)
        self.statuses = StatusTable(desk, self.calls, self.bays, partial(words.status, desk))
        self.smart_charging = SmartCharging(desk, self.bays, flash)
        self.metering = Metering(desk, self.outbox, self.bays, self.smart_charging.offered)
        self.teller = Teller16(desk, self.outbox, self.metering, self.tokens, self._numbers)
        self.charging = Charging(desk, self.bays, self.statuses, self.metering, self.teller, flash)
        self.reservations = Reservations(desk, self.bays, self.statuses, flash)
        accepted_url = flash.get("accepted-url", "")
        self.addresses = Addresses(desk, flash)
        self.connection = Connection(desk, rng, self.addresses.urls(), accepted_url, V16.subprotocol)
        self.connection.shy = bool(flash.get("shy"))
        hello, eager = partial(words.hello, desk), partial(words.status, desk, 0, "Available", "")
        self.boot = Boot(desk, self.calls, self.connection, accepted_url, hello, eager)
        self.liveness = Liveness(desk, self.calls)
        self.use = Use(
            desk,
            self.bays,
            self.calls,
            self.tokens,
            self.statuses,
            self.charging,
            self.boot,
            Authority(words.question, words.verdict),
            self.reservations.use,
        )
        self.availability = Availability(desk, self.bays, self.statuses, is_operative(flash, 0))
        self.firmware = Firmware(desk, self.calls)
        self.restart = Restart(desk, self.bays, self.charging, self.outbox, self.calls, self.connection)
        self.body = Body(
            desk,
            self.bays,
            self.charging,
            self.statuses,
            self.use,
            self.connection,
            self.restart,
            self.addresses,
            boots,
            forgotten,
        )
        self.ears = Ears(desk, self.calls, self.boot, HANDLERS, self)  # OCPP 1.6 §4.2: a rejected station is silent
        self._wire()

    def _wire(self) -> None:
        self.connection.on_up = self.boot.up
        self.connection.on_down = self._down
        self.boot.on_online = self._online
        self.boot.on_accepted = self.statuses.forget_reports
        self.calls.on_stuck = lambda: self.connection.drop("no answer")
        self.calls.on_forgotten = self.boot.forgotten
        self.outbox.on_confirmed = self.teller.confirmed
        self.charging.on_begun = self.smart_charging.settle
        self.charging.on_ended = self._ended
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
        if isinstance(event, Received):
            return self.hear(event.link, event.frame, now)
        if isinstance(event, Tick):
            return self.wake(now)
        desk = self.desk
        desk.now = now
        out = desk.out = []
        if isinstance(event, Command):
            self._command(event)
        elif isinstance(event, Opened):
            self.connection.opened(event.link, event.subprotocol)
        elif isinstance(event, Closed):
            self.connection.closed(event.link, event.reason)
        self._rest()
        return out

    def hear(self, link: LinkId, frame: bytes, now: Instant) -> Sequence[Effect]:
        """As `handle`, for a frame."""
        desk = self.desk
        desk.now = now
        out = desk.out = []
        if link == desk.link and not self.calls.quick(frame):
            self.ears.received(frame)
        if self.availability.waiting or self.restart.decided:
            self._rest()
        return out

    def wake(self, now: Instant) -> Sequence[Effect]:
        """As `handle`, for a Tick."""
        desk = self.desk
        desk.now = now
        out = desk.out = []
        desk.timers.fire(now)
        if self.availability.waiting or self.restart.decided:
            self._rest()
        return out

    def _rest(self) -> None:
        """What waits for a moment of rest looks whether it has come."""
        if self.availability.waiting:
            self.availability.settle()
        if self.restart.decided:
            self.restart.consider()

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

    def _numbers(self) -> list[int]:
        """The numbers of the transactions that run now."""
        return [bay.transaction.number for bay in self.bays if bay.transaction is not None]

    def _ended(self, number: int) -> None:
        self.smart_charging.end_transaction(number)
        self.smart_charging.settle()

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

    # -- people and hardware ------------------------------------------------------------------------------------------

    def _command(self, command: Command) -> None:
        name, args = command.name, command.args
        if name == "power-up":
            self._power_up()
        elif name == "stray-stop":
            self.teller.stray_stop(args["transaction_id"], args["meter_stop"])
        elif name == "second-stop":
            self.teller.second_stop(args["payload"])
        else:
            self.body.feel(name, args)

    def _power_up(self) -> None:
        self.body.wake(self._flash)
        self._flash.clear()
        self.reservations.settle()
        self.smart_charging.settle()
        self.metering.arm()
        self.connection.dial()

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
