"""Firmware updates as this station does them: fetch the image at the given time, install it, restart into it.

The images of this world hold one thing that matters here, the address of a back-end; some makers move their stations that
way. What runs is ended as by any restart. Source: OCPP 1.6 §4.5, §5.19 (UpdateFirmware), §4.5 (FirmwareStatusNotification).
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs, urlsplit

from fleet.station.calls import Calls, Careless
from fleet.station.desk import Desk
from fleet.station.timers import NEVER
from sim.clock import SECOND, parse_iso
from sim.wire.payloads import v16

DOWNLOAD, INSTALL = 90 * SECOND, 60 * SECOND


class Firmware:
    """The update under way, if there is one. A power loss forgets it."""

    def __init__(self, desk: Desk, calls: Calls) -> None:
        self._desk = desk
        self._calls = calls
        self._slot = desk.timers.slot(self._next)
        self._location = ""
        self._stage = ""
        self.on_installed: Callable[[str], None] = lambda url: None

    def update(self, request: v16.UpdateFirmware) -> None:
        """Begin at `retrieveDate`; a later request replaces one that was not begun. Raises ValueError for no instant."""
        at = parse_iso(request.retrieve_date)
        self._location, self._stage = request.location, "Downloading"
        self._desk.timers.set(self._slot, max(self._desk.now, self._desk.now + at - self._desk.time()))

    def _next(self) -> None:
        """One stage is over: say so, and begin the next one."""
        stage = self._stage
        if stage == "Downloading":
            self._tell(stage)
            self._go("Downloaded", DOWNLOAD)
        elif stage == "Downloaded":
            url = image_url(self._location)
            self._tell("Downloaded" if url else "DownloadFailed")
            if url:
                self._tell("Installing")
                self._go("Installed", INSTALL)
        else:
            self._tell("Installed")
            self._desk.timers.set(self._slot, NEVER)
            self.on_installed(image_url(self._location))

    def _go(self, stage: str, takes: int) -> None:
        self._stage = stage
        self._desk.timers.set(self._slot, self._desk.now + takes)

    def _tell(self, status: str) -> None:
        self._calls.ask("FirmwareStatusNotification", v16.FirmwareStatusNotification(status=status), Careless())


def image_url(location: str) -> str:
    """The address that is built into an image, empty if the location names none."""
    return parse_qs(urlsplit(location).query).get("backend", [""])[0]
