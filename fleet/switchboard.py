"""The metal of one rig: outlets, meters, and what a control unit can read of them and move.

It is the station's Hardware, carries out what the station actuates, and keeps the truth of every session. It decides
nothing, and it knows neither the wire nor the station's mind.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from fleet.meter import Meter, first_register, key_of, meter_id_of, public_key_of
from fleet.outlet import UNTOLD, Outlet
from fleet.profile import StationProfile
from fleet.quirks import MISREPORTED
from fleet.station.config import StationConfig
from fleet.station.timers import NEVER
from sim.machine import Actuate, Command, Effect, Note, Tell
from sim.wire import ocmf


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
    given: tuple[str, ...] = ()
    """Quirks that were given to this one station: it tells when each first shows."""
    meters: dict[int, tuple[int, int]] = {}
    """Register in Wh and last page by connector, for meters that go on from an earlier run; else from the seed."""

    def of_station(self) -> StationConfig:
        """What the control unit is told of it."""
        return StationConfig(
            station=self.station,
            profile=self.profile,
            connectors=self.connectors,
            url=self.url,
            seed=self.seed,
            salt=self.salt or str(self.seed),
            max_power_w=self.max_power_w,
            given=self.given,
        )


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


class Switchboard:
    """All outlets of one rig."""

    def __init__(self, config: RigConfig) -> None:
        self._config = config
        self.outlets = {number: self._outlet(number) for number in config.connectors}
        self._registers = {number: outlet.meter.register(0) for number, outlet in self.outlets.items()}
        self._sessions = 0

    def _outlet(self, number: int) -> Outlet:
        seed, meter_id = self._config.seed, meter_id_of(self._config.station, number)
        register, page = self._config.meters.get(number) or (first_register(seed, meter_id), 0)
        meter = Meter(meter_id, key_of(seed, meter_id), register, page)
        return Outlet(number, meter, self._config.max_power_w)

    # -- energy -------------------------------------------------------------------------------------------------------

    def full_at(self) -> int:
        """The next moment at which an EV is full; NEVER if none is charging."""
        return min([outlet.full_at for outlet in self.outlets.values() if outlet.full_at is not None], default=NEVER)

    def fill(self, now: int) -> list[Outlet]:
        """The outlets whose EV is full now: nothing flows there any more."""
        full = [outlet for outlet in self.outlets.values() if outlet.full_at is not None and outlet.full_at <= now]
        for outlet in full:
            outlet.stop(now)
        return full

    def fall_open(self, now: int) -> None:
        """The control unit is dark: every contactor opens."""
        for outlet in self.outlets.values():
            outlet.contactor = False
            outlet.limit_w = None
            outlet.flow(now)
            outlet.observe(now)

    # -- what the station moves ---------------------------------------------------------------------------------------

    def actuate(self, effect: Actuate, now: int, out: list[Effect]) -> Outlet | None:
        """Carry it out. Returns the outlet if its power may have changed."""
        outlet = self.outlets[effect.connector]
        if effect.what == "contactor":
            outlet.contactor = effect.value
            outlet.flow(now)
            return outlet
        if effect.what == "offer":
            outlet.limit(now, effect.value)
            return outlet
        if effect.what == "display":
            self.show_text(outlet, effect.value, out)
        elif effect.what == "transaction":
            self._transaction(outlet, effect.value, now, out)
        return None

    def _transaction(self, outlet: Outlet, what: dict[str, Any], now: int, out: list[Effect]) -> None:
        if "begin" in what:
            self._sessions += 1
            outlet.begin(now, f"{self._config.station}/{self._sessions}", what["token"])
            if self._config.profile.misreports:
                self.harm(MISREPORTED, outlet.number)
        elif "mark" in what:
            outlet.mark(now, what["mark"])
        else:
            out.append(Note("sessions", outlet.end(now, self._config.site, self._config.station, what["end"])))

    def show_text(self, outlet: Outlet, value: dict[str, Any], out: list[Effect]) -> None:
        """Tell the driver at this outlet what its display shows."""
        if outlet.driver is not None:
            words = {"connector": outlet.number, **value}
            if value["text"] == "finished":
                words["wh"] = outlet.last_wh
            out.append(Tell(outlet.driver, Command("display", words)))

    def harm(self, what: str, connector: int | None) -> None:
        """What befalls a station befalls what runs at it: at one connector, or at all."""
        for outlet in self.outlets.values():
            session = outlet.session
            if session is not None and connector in (None, outlet.number) and what not in session.harm:
                session.harm.append(what)

    @property
    def charging(self) -> bool:
        """Whether any session runs."""
        return any(outlet.session is not None for outlet in self.outlets.values())

    def untold(self, now: int) -> list[Note]:
        """The station has forgotten what ran: it is over, and nobody will be told."""
        rows = []
        for outlet in self.outlets.values():
            if outlet.session is not None:
                outlet.session.harm.append(UNTOLD)
                rows.append(outlet.end(now, self._config.site, self._config.station, "PowerLoss"))
        return [Note("sessions", row) for row in rows]

    def final_notes(self, now: int) -> list[Note]:
        """At harvest: the sessions that still run, and every meter."""
        site, station = self._config.site, self._config.station
        running = [outlet for outlet in self.outlets.values() if outlet.session is not None]
        meters = [
            {
                "meter_id": outlet.meter.meter_id,
                "station": station,
                "connector": number,
                "public_key": self.public_key(number),
                "register_start": self._registers[number],
                "register_stop": outlet.meter.register(now),
            }
            for number, outlet in self.outlets.items()
        ]
        rows = [Note("sessions", outlet.row(site, station, None, None)) for outlet in running]
        return rows + [Note("meters", row) for row in meters]

    # -- what the station reads -----------------------------------------------------------------------------------------

    def register(self, connector: int, now: int) -> int:
        """The meter's register in Wh."""
        return self.outlets[connector].meter.register(now)

    def display(self, connector: int) -> Callable[[int], tuple[int, int]]:
        """The meter's display: at an instant, the register in Wh and the power that flows in W."""
        return self.outlets[connector].meter.show

    def plugged(self, connector: int) -> bool:
        """Whether an EV's cable is in."""
        return self.outlets[connector].ev is not None

    def public_key(self, connector: int) -> str:
        """The meter's public key, SPKI DER in hex."""
        return public_key_of(self._config.seed, self.outlets[connector].meter.meter_id)

    def sign(
        self, connector: int, id_tag: str, id_type: str, letter: str, readings: Sequence[tuple[int, str, int]]
    ) -> str:
        """One signed record; a fault that was asked for alters the end record after signing."""
        outlet = self.outlets[connector]
        profile = self._config.profile.meter
        text = outlet.meter.sign(
            station=self._config.station,
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
