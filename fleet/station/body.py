"""What every station does, whatever it speaks: remember, wake up, feel what people do at it, be pointed elsewhere.

Nothing here knows a message. Parts are handed in; the assembly of each version puts them together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.meter import published_key
from fleet.profile import StationProfile
from fleet.quirks import CLOCK_AT_1970, CLOCK_AT_2014
from fleet.station.addresses import Addresses
from fleet.station.availability import is_operative
from fleet.station.bay import Bay
from fleet.station.charging import Charging
from fleet.station.clock import StationClock
from fleet.station.config import StationConfig
from fleet.station.connection import Connection
from fleet.station.desk import Desk
from fleet.station.hardware import Hardware
from fleet.station.keys import Configuration, Key, fixed_keys, route_keys
from fleet.station.restart import Restart
from fleet.station.status import StatusTable
from fleet.station.use import Use
from sim.clock import SECOND, parse_iso

_WAKES_AT = {CLOCK_AT_2014: "2014-01-01T01:13:13Z", CLOCK_AT_1970: "1970-01-01T00:00:10Z"}
"""When it is, for a clock that has lost its battery."""
NOWHERE = "ws://unset/"
"""The address of a station that nobody has given one."""
_LEFT_OVERS = {"profiles": "profile", "reservations": "reservation", "list": "list", "availability": "inoperative"}
"""What each part of the flash is called in the truth."""


def remembered(profile: StationProfile, flash: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """What a station of this kind still knows after a reboot, and the keys of the flash that it has forgotten."""
    forgotten = [key for key in flash if key.split("/")[0] in profile.memory.volatile]
    return {key: value for key, value in flash.items() if key not in forgotten}, forgotten


def desk_of(config: StationConfig, flash: Mapping[str, Any], hardware: Hardware, standard: Mapping[str, Key]) -> Desk:
    """The desk of a station that has these standard settings, besides those of its route and of its hardware."""
    migration = config.profile.migration
    meters = {number: published_key(hardware.public_key(number)) for number in config.connectors}
    keys = {
        **standard,
        **fixed_keys(len(config.connectors), meters),
        **route_keys(
            migration.route, migration.url_key, config.url, migration.attempts, migration.applies == "at_once"
        ),
    }
    saved = {key[7:]: text for key, text in flash.items() if key.startswith("config/")}
    offset = flash.get("clock", config.profile.clock.factory_offset_s * SECOND)
    return Desk(config, Configuration(keys, config.profile.settings, saved), StationClock(offset), hardware)


def bays_of(config: StationConfig, flash: Mapping[str, Any], hardware: Hardware) -> tuple[Bay, ...]:
    """The connectors as they are found at power-up."""
    return tuple(Bay(n, is_operative(flash, n), hardware.plugged(n)) for n in config.connectors)


class Body:
    """The side of one station that is no wire. `boots` counts this power-up, `forgotten` are keys of the flash."""

    def __init__(
        self,
        desk: Desk,
        bays: Sequence[Bay],
        charging: Charging,
        statuses: StatusTable,
        use: Use,
        connection: Connection,
        restart: Restart,
        addresses: Addresses,
        boots: int,
        forgotten: Sequence[str],
    ) -> None:
        self._desk = desk
        self._bays = bays
        self._charging = charging
        self._statuses = statuses
        self._use = use
        self._connection = connection
        self._restart = restart
        self._addresses = addresses
        self._boots = boots
        self._forgotten = forgotten

    def wake(self, flash: Mapping[str, Any]) -> None:
        """Power is on: what was open is ended, and every connector is what its cable says."""
        desk = self._desk
        desk.persist("boots", self._boots)
        desk.note("power-up", boots=self._boots)
        for quirk, text in _WAKES_AT.items():
            if desk.profile.has(quirk):
                desk.clock.offset = parse_iso(text) - desk.now
                desk.shows(quirk)
        for key in self._forgotten:
            desk.persist(key, None)
            desk.note("left-over-gone", what=_LEFT_OVERS[key.split("/")[0]], why="forgotten at the reboot")
        self._charging.restore(flash)
        for bay in self._bays:
            if bay.plugged and bay.operative and not bay.finishing and bay.reservation is None:
                bay.preparing = True
            self._statuses.begin(bay.number, bay.status())
            if bay.preparing:
                self._use.begin_use(bay)

    def feel(self, name: str, args: Mapping[str, Any]) -> None:
        """A command from outside the wire. Raises ValueError for one that no station knows."""
        if name == "set-url":
            self._set_url(args["url"], bool(args.get("reboot")))
        elif name == "reboot":
            if not self._restart.decided:
                self._restart.begin("Own")
        elif name == "clock-step":
            self._clock_step(int(args["ms"]))
        elif name == "register-reset":
            self._desk.counter.reset(int(args["connector"]), self._desk.now)
            self._desk.note("register-reset", int(args["connector"]))
        elif name == "wipe-settings":
            self._wipe()
        elif name == "stay-away":
            self._desk.persist("shy", True if args["on"] else None)
            self._connection.stay_away(bool(args["on"]))
        else:
            self._at_connector(name, args)

    def _at_connector(self, name: str, args: Mapping[str, Any]) -> None:
        bay = self._use.bay(args["connector"])
        if bay is None:
            raise ValueError(f"{self._desk.station} has no connector {args['connector']}")
        if name == "plug":
            self._use.plug(bay)
        elif name == "unplug":
            self._use.unplug(bay)
        elif name == "swipe":
            self._use.swipe(bay, args["token"])
        elif name == "sense":
            self._charging.sense(bay, args["offered"], args["drawing"])
        else:
            raise ValueError(f"a station knows no command {name!r}")

    def _clock_step(self, ms: int) -> None:
        """The clock jumps, by itself: the next answer of a back-end may set it right."""
        desk = self._desk
        desk.clock.offset += ms
        desk.persist("clock", desk.clock.offset)
        desk.note("clock-stepped", ms=ms)
        desk.clock_set()

    def _wipe(self) -> None:
        """Every setting is as it came from the factory, and no back-end is written down any more."""
        desk = self._desk
        for name in desk.keys.names():
            desk.persist(f"config/{name}", None)
        desk.note("settings-wiped")
        self._set_url(NOWHERE, reboot=True)

    def _set_url(self, url: str, reboot: bool) -> None:
        """The maker's cloud or a technician points the station elsewhere; the configuration follows."""
        desk = self._desk
        if reboot:
            self._connection.shy = False  # whoever restarts it on site sees to it that it dials
            desk.persist("shy", None)
        self._addresses.write(url)
        desk.note("set-url", url=url, reboot=reboot)
        if reboot:
            self._restart.begin("Own")
        else:
            self._connection.repoint([url])
