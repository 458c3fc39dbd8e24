"""The control unit of a station that speaks OCPP 2.0.1: the assembly of its parts.

A pure state machine over (event, now). A power loss drops the object; the next one is built from what Persist effects
put into flash. Whatever a back-end sends, `handle` does not raise. It must never learn whether its time is virtual.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from fleet.station import v201_words as words
from fleet.station.addresses import Addresses
from fleet.station.availability import Availability, is_operative
from fleet.station.body import Body, bays_of, desk_of, remembered
from fleet.station.boot import Boot, Liveness
from fleet.station.calls import Calls, message_ids
from fleet.station.charging import Charging
from fleet.station.config import StationConfig
from fleet.station.connection import Connection
from fleet.station.ears import Ears
from fleet.station.hardware import Hardware
from fleet.station.keys import TWO
from fleet.station.metering import Metering
from fleet.station.outbox import Outbox
from fleet.station.restart import Restart
from fleet.station.status import StatusTable
from fleet.station.timers import NEVER
from fleet.station.tokens import Tokens
from fleet.station.use import Authority, Use
from fleet.station.v201_commands import HANDLERS
from fleet.station.v201_teller import Teller201, every_second, waiting
from fleet.station.v201_variables import Variables
from sim.clock import Instant
from sim.machine import Closed, Command, Effect, Event, LinkId, Opened, Received, Tick
from sim.rng import stream
from sim.wire.dialect import V201

_REASONS = {"Immediate": "RemoteReset", "OnIdle": "ScheduledReset"}
"""The reason of the boot after each kind of Reset."""


class Station:
    """One station between power-up and power-down.

    Commands: power-up, plug, unplug, swipe{token}, sense{offered, drawing} (all with `connector`), stray-stop, set-url,
    stay-away{on}. The first event must be power-up.
    """

    def __init__(self, config: StationConfig, flash: Mapping[str, Any], hardware: Hardware) -> None:
        flash, forgotten = remembered(config.profile, flash)
        self._flash = dict(flash)
        boots = flash.get("boots", 0) + 1
        desk = self.desk = desk_of(config, flash, hardware, TWO)
        rng = stream(config.seed, "station", config.station, "back-off", boots)
        self.bays = bays_of(config, flash, hardware)
        self.calls = Calls(desk, message_ids(config.salt, config.station, boots), V201)
        self.outbox = Outbox(desk, self.calls, flash, every_second)
        self.tokens = Tokens(desk, flash)
        report = partial(words.status, desk)
        self.statuses = StatusTable(desk, self.calls, self.bays, report, words.connector_status)
        self.teller = Teller201(desk, self.outbox, self.tokens)
        self.metering = Metering(desk, self.outbox, self.bays, lambda connector: None, self.teller.reading)
        self.teller.metering = self.metering
        self.charging = Charging(desk, self.bays, self.statuses, self.metering, self.teller, flash)
        accepted_url = flash.get("accepted-url", "")
        self.addresses = Addresses(desk, flash)
        self.connection = Connection(
            desk, rng, self.addresses.urls(), accepted_url, V201.subprotocol, self._attempts_per_address
        )
        self.connection.shy = bool(flash.get("shy"))
        self._reason: str = flash.get("boot-reason", words.POWER_UP)
        self.boot = Boot(desk, self.calls, self.connection, accepted_url, lambda: words.hello(desk, self._reason))
        self.liveness = Liveness(desk, self.calls)
        authority = Authority(words.question, words.verdict)
        self.use = Use(
            desk,
            self.bays,
            self.calls,
            self.tokens,
            self.statuses,
            self.charging,
            self.boot,
            authority,
            lambda bay, claim: claim,  # nothing is ever reserved here
        )
        self.availability = Availability(desk, self.bays, self.statuses, is_operative(flash, 0))
        self.restart = Restart(desk, self.bays, self.charging, self.outbox, self.calls, self.connection)
        self.variables = Variables(desk, config.connectors, self._written)
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
        self.ears = Ears(desk, self.calls, self.boot, HANDLERS, self, rejected="SecurityError")  # B03
        self._wire()

    def _wire(self) -> None:
        self.connection.on_up = self.boot.up
        self.connection.on_down = self._down
        self.boot.on_online = self._online
        self.boot.on_accepted = self.statuses.forget_reports
        self.calls.on_stuck = lambda: self.connection.drop("no answer")
        self.calls.on_forgotten = self.boot.forgotten
        self.outbox.on_confirmed = self.teller.confirmed
        self.metering.on_tariff_change = self.charging.tariff_change
        self.availability.on_usable = self.use.begin_use
        self.availability.giver = self.tokens.giver = lambda: self.connection.url
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
        self._rest()
        return out

    def wake(self, now: Instant) -> Sequence[Effect]:
        """As `handle`, for a Tick."""
        desk = self.desk
        desk.now = now
        out = desk.out = []
        desk.timers.fire(now)
        self._rest()
        return out

    def _rest(self) -> None:
        """What waits for a moment of rest looks whether it has come."""
        if self.availability.waiting:
            self.availability.settle()
        if self.restart.waits_for:
            self.restart.settle()
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

    # -- connection ---------------------------------------------------------------------------------------------------

    def _down(self) -> None:
        self.calls.drop()
        self.boot.down()
        self.outbox.rewrite(waiting)
        self.outbox.save_all()

    def _online(self) -> None:
        self.desk.persist("boot-reason", None)
        self.statuses.report_changed()
        self.liveness.arm()
        self.outbox.pump()

    def _attempts_per_address(self) -> int:
        """How often an address is dialled before the next one has its turn (B10); for ever where there is only one way."""
        keys, name = self.desk.keys, "NetworkProfileConnectionAttempts"
        attempts: int = keys.get(name, self.desk.profile.migration.attempts)
        return attempts

    def _written(self, setting: str) -> None:
        """A setting has a new value: schedules follow."""
        self.metering.key_changed(setting)
        if setting == "HeartbeatInterval":
            self.liveness.arm()

    def say_hello(self, reason: str) -> None:
        """BootNotification now, for this reason."""
        self._reason = reason
        self.boot.send()

    def reset_ordered(self, kind: str) -> None:
        """A Reset was taken: nobody new may begin, and the next boot will say why it comes."""
        self.use.closed = True
        self.desk.persist("boot-reason", _REASONS[kind])

    # -- people and hardware ------------------------------------------------------------------------------------------

    def _command(self, command: Command) -> None:
        if command.name == "power-up":
            self.body.wake(self._flash)
            self._flash.clear()
            self.metering.arm()
            self.connection.dial()
        elif command.name == "stray-stop":
            self.teller.stray_stop(command.args["transaction_id"], command.args["meter_stop"])
        else:
            self.body.feel(command.name, command.args)

    def _closing(self) -> None:
        self.use.closed = True
