"""What befalls stations: the mains, their clock and memory, and what they send that they should not.

Done by commands to the rig, which says itself what it did. Nothing here looks into a station.
"""

from __future__ import annotations

import json
import re
from typing import Any

from scenarios.faults.blows import Blow, Deed, Happened
from sim.clock import MINUTE, SECOND, Instant, iso, parse_iso
from sim.evidence.canonical import canonical
from sim.machine import Command
from sim.runtimes.virtual import VirtualWorld
from sim.wire import ocppj

SECOND_STOP_LATER = 40 * SECOND
SECOND_STOP_WH = 7
"""How a second stop differs from the first: not so much that its numbers alone would give it away."""
LISTENS = ("station.stray-stop", "station.second-stop")
"""The kinds that need to know what was sent before."""
DRIFT_STEP = MINUTE
"""A clock that drifts is moved in steps of this distance, ms."""


class Stations:
    """The deeds at the rigs of one world."""

    _ID = re.compile(rb'"transactionId":(\d+)')

    def __init__(self, world: VirtualWorld) -> None:
        self._world = world
        self._running: dict[str, tuple[str, int]] = {}
        self._ended: dict[str, dict[str, Any]] = {}

    def deeds(self) -> dict[str, Deed]:
        """By kind."""
        return {
            "meter.tamper": self._tamper,
            "station.stray-stop": self._stray_stop,
            "station.second-stop": self._second_stop,
            "station.withhold": self._withhold,
            "station.power-loss": self._power_loss,
            "station.flash-loss": self._flash_loss,
            "station.reboot": self._reboot,
            "station.clock-step": self._clock_step,
            "station.clock-drift": self._clock_drift,
            "station.register-reset": self._register_reset,
            "tool.bulk-wipe": self._wipe,
        }

    def _rig(self, blow: Blow, name: str, **args: Any) -> None:
        self._world.send_command(f"rig:{blow.target}", Command(name, args))

    def _later(self, at: int, blow: Blow, name: str, args: dict[str, Any]) -> None:
        self._world.at(at, self._world.send_command, f"rig:{blow.target}", Command(name, args))

    def _tamper(self, blow: Blow, happened: Happened) -> None:
        self._rig(blow, "tamper-next-record", connector=blow.data["connector"])
        happened()

    def _withhold(self, blow: Blow, happened: Happened) -> None:
        self._rig(blow, "withhold", connector=blow.data["connector"], on=True)
        self._later(blow.until, blow, "withhold", {"connector": blow.data["connector"], "on": False})
        happened()

    # -- mains, memory, clock -----------------------------------------------------------------------------------------

    def _power_loss(self, blow: Blow, happened: Happened) -> None:
        self._rig(blow, "power-loss")
        self._later(max(blow.until, self._world.now + SECOND), blow, "power-restored", {})
        happened()

    def _flash_loss(self, blow: Blow, happened: Happened) -> None:
        self._rig(blow, "power-loss")
        self._rig(blow, "flash-loss")
        self._later(max(blow.until, self._world.now + SECOND), blow, "power-restored", {})
        happened()

    def _reboot(self, blow: Blow, happened: Happened) -> None:
        self._rig(blow, "reboot")
        happened()

    def _clock_step(self, blow: Blow, happened: Happened) -> None:
        self._rig(blow, "clock-step", ms=int(blow.data["step"]))
        happened()

    def _clock_drift(self, blow: Blow, happened: Happened) -> None:
        step = int(blow.data["ppm"]) * DRIFT_STEP // 1_000_000
        for at in range(self._world.now + DRIFT_STEP, blow.until + 1, DRIFT_STEP):
            self._later(at, blow, "clock-step", {"ms": step})
        happened()

    def _register_reset(self, blow: Blow, happened: Happened) -> None:
        self._rig(blow, "register-reset", connector=blow.data["connector"])
        happened()

    def _wipe(self, blow: Blow, happened: Happened) -> None:
        """Somebody's tool sets every setting back, and the address with it, until it is noticed."""
        self._rig(blow, "wipe-settings")
        self._later(blow.until, blow, "restore-settings", {})
        happened()

    # -- what is sent too often ---------------------------------------------------------------------------------------

    def listen(self, station: str, backend: str, frame: bytes, now: int) -> None:
        """Hears what reaches back-ends."""
        if b'"MeterValues"' in frame:
            found = self._ID.search(frame)
            if found is not None:
                self._running[station] = (backend, int(found[1]))
        elif b'"StopTransaction"' in frame:
            self._running.pop(station, None)
            message = ocppj.parse(frame)
            if isinstance(message, ocppj.Call):
                self._ended[station] = json.loads(message.payload)

    def _stray_stop(self, blow: Blow, happened: Happened) -> None:
        mine = self._running.get(blow.target)
        others = [
            transaction_id
            for station, (backend, transaction_id) in sorted(self._running.items())
            if station != blow.target and (mine is None or backend == mine[0])
        ]
        if others:
            self._rig(blow, "stray-stop", transaction_id=others[0], meter_stop=9_999_999)
            happened()
        elif blow.until > self._world.now:  # nobody else is charging yet: try again while the fault lasts
            self._world.at(self._world.now + 5 * MINUTE, self._stray_stop, blow, happened)

    def _second_stop(self, blow: Blow, happened: Happened) -> None:
        """The stop that the station sent last, again: later, with a little more on the register, for another reason."""
        first = self._ended.get(blow.target)
        if first is not None:
            later = iso(Instant(parse_iso(first["timestamp"]) + SECOND_STOP_LATER))
            other = {"timestamp": later, "meterStop": first["meterStop"] + SECOND_STOP_WH, "reason": "Other"}
            self._rig(blow, "second-stop", payload=canonical({**first, **other}))
            happened()
        elif blow.until > self._world.now:
            self._world.at(self._world.now + 5 * MINUTE, self._second_stop, blow, happened)
