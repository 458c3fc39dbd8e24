"""The routes: how a station is sent to an address, there and back, through whichever back-end it is at.

A route says whether the station was told; whether it arrives is seen later, elsewhere. Asked twice for the same address, a
route does no harm. Sources: scenarios §1.1, §1.2; OCPP 1.6 §5.3, §5.14, §5.19; OCPP 2.0.1 B09, B10 for network profiles.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from scenarios.migration.asking import GONE, Ask, Asking, Wish
from sim.clock import iso
from sim.machine import Answered, Command

Sending = Generator[Wish, Any, str | None]
"""Tells how the station was sent, None if it was not."""

TAKEN = ("Accepted", "RebootRequired", GONE)


def send(move: Asking, through: str, url: str, back: bool) -> Sending:
    """Send the station of this move to `url`; `back` says that this is where it came from."""
    return (yield from _ROUTES[move.station.route](move, through, url, back))


def visit(move: Asking, url: str) -> Sending:
    """Send somebody to the station, who sets the address there; comes back when it is done."""
    errand = f"{'back' if url == move.order.old_url else 'there'}-{move.memory.get('splits', 0)}"
    args = {"station": move.station.station, "site": move.order.site, "url": url, "errand": errand}
    outcome = yield Ask("technician", Command("visit", args))
    return "a technician set the address at the station" if isinstance(outcome, Answered) else None


def _vendor_cloud(move: Asking, through: str, url: str, back: bool) -> Sending:
    outcome = yield Ask(f"rig:{move.station.station}", Command("set-url", {"url": url, "reboot": False}))
    if not isinstance(outcome, Answered):  # a cloud that has not confirmed is asked again, also by the next tool
        return None
    return f"vendor cloud pointed the station at the {'old' if back else 'new'} back-end"


def _technician(move: Asking, through: str, url: str, back: bool) -> Sending:
    return (yield from visit(move, url))


def _vendor_key(move: Asking, through: str, url: str, back: bool) -> Sending:
    key = move.station.url_key
    if move.station.applies == "at_once":
        answer = yield from move.last_call(through, "ChangeConfiguration", key=key, value=url)
        taken = answer is not None and answer["status"] in TAKEN
        return f"ChangeConfiguration answered {answer['status']}, it acts at once" if taken else None
    if not (yield from _write(move, through, [(key, url)])) or not (yield from _reads(move, through, key, url)):
        return None
    return (yield from _reset(move, through))


def _network_profile(move: Asking, through: str, url: str, back: bool) -> Sending:
    """The way back is the first slot, which still holds the old address (OCPP 2.0.1 B10)."""
    key = "NetworkConnectionProfile1" if back else move.station.url_key
    order = "1,2" if back else "2,1"
    if not (yield from _write(move, through, [(key, url), ("NetworkConfigurationPriority", order)])):
        return None
    if not (yield from _reads(move, through, key, url)):
        return None
    return (yield from _reset(move, through))


def _firmware(move: Asking, through: str, url: str, back: bool) -> Sending:
    """The maker builds the address into an image; UpdateFirmware has no answer of its own (OCPP 1.6 §5.19)."""
    location = f"https://images.example/{move.station.station}.bin?backend={url}"
    answer = yield from move.last_call(through, "UpdateFirmware", location=location, retrieveDate=iso(move.now()))
    return "UpdateFirmware answered, the image holds the address" if answer is not None else None


def _write(move: Asking, through: str, settings: list[tuple[str, str]]) -> Generator[Wish, Any, bool]:
    for key, value in settings:
        answer = yield from move.insist_call(through, "ChangeConfiguration", key=key, value=value)
        if answer is None:
            return False
        if answer["status"] not in TAKEN:
            move.remember(switched=False)  # it said no: it stays where it is
            return False
    return True


def _reads(move: Asking, through: str, key: str, url: str) -> Generator[Wish, Any, bool]:
    read = yield from move.insist_call(through, "GetConfiguration", key=[key])
    return [entry.get("value") for entry in (read or {}).get("configurationKey", [])] == [url]


def _reset(move: Asking, through: str) -> Sending:
    reset = yield from move.last_call(through, "Reset", type="Soft")
    return f"Reset answered {reset['status']}" if reset else None


_ROUTES: dict[str, Callable[[Asking, str, str, bool], Sending]] = {
    "vendor_cloud": _vendor_cloud,
    "technician": _technician,
    "vendor_key": _vendor_key,
    "network_profile": _network_profile,
    "firmware": _firmware,
}
