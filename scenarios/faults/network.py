"""What befalls the network between a station and its back-end. Honest to TCP: a living connection loses nothing.

The words are those of the link rules for real sockets (`sim.network.rules`). Nothing here looks into a frame.
"""

from __future__ import annotations

from collections.abc import Callable

from scenarios.faults.blows import Blow, Deed, Happened
from sim.clock import MINUTE
from sim.runtimes.virtual import VirtualWorld

GIVES_UP = 15 * MINUTE
"""After so long TCP gives a connection up that nobody acknowledges, ms."""
UNAUTHORIZED = 401


class Network:
    """The deeds at the uplinks of one world."""

    def __init__(self, world: VirtualWorld) -> None:
        self._world = world
        self._watched: dict[str, list[tuple[int, Happened]]] = {}

    def deeds(self) -> dict[str, Deed]:
        """By kind."""
        return {
            "link.stall": self._stall,
            "link.reset": self._reset,
            "link.latency": self._latency,
            "link.bandwidth": self._bandwidth,
            "link.refuse": self._refuse,
            "link.slow-close": self._slow_close,
            "link.flap": self._flap,
            "link.half-open": self._half_open,
            "people.wrong-password": self._wrong_password,
        }

    def _stall(self, blow: Blow, happened: Happened) -> None:
        self._world.uplink(blow.target).stall(blow.until)
        happened()

    def _reset(self, blow: Blow, happened: Happened) -> None:
        if self._world.links.reset([blow.target]):
            happened()

    def _latency(self, blow: Blow, happened: Happened) -> None:
        uplink = self._world.uplink(blow.target)
        more = int(blow.data["latency"]), int(blow.data.get("jitter", 0))
        uplink.slower(*more)
        self._world.at(blow.until, uplink.slower, -more[0], -more[1])
        self._watch(blow, happened)

    def _bandwidth(self, blow: Blow, happened: Happened) -> None:
        uplink = self._world.uplink(blow.target)
        uplink.rate = int(blow.data["rate"])
        self._world.at(blow.until, setattr, uplink, "rate", 0)
        self._watch(blow, happened)

    def _refuse(self, blow: Blow, happened: Happened) -> None:
        uplink = self._world.uplink(blow.target)
        uplink.on_refused = _once(happened)
        uplink.refuse(blow.until, status=int(blow.data.get("status", 0)))

    def _wrong_password(self, blow: Blow, happened: Happened) -> None:
        """From the next connection on the back-end knows another password than the station."""
        uplink = self._world.uplink(blow.target)
        uplink.on_refused = _once(happened)
        uplink.refuse(blow.until, status=UNAUTHORIZED)
        self._world.links.reset([blow.target])

    def _slow_close(self, blow: Blow, happened: Happened) -> None:
        uplink = self._world.uplink(blow.target)
        uplink.closes_late = int(blow.data["latency"])
        uplink.on_slow_close = _once(happened)
        self._world.at(blow.until, setattr, uplink, "closes_late", 0)

    def _flap(self, blow: Blow, happened: Happened) -> None:
        now = self._world.now
        if now >= blow.until:
            return
        if self._world.links.reset([blow.target]):
            happened()
        self._world.uplink(blow.target).refuse(min(blow.until, now + int(blow.data["down"])))
        again = now + int(blow.data["down"]) + int(blow.data["up"])
        self._world.at(again, self._flap, blow, _nothing)

    def _half_open(self, blow: Blow, happened: Happened) -> None:
        until = blow.until if blow.until > blow.at else self._world.now + GIVES_UP
        if self._world.links.half_open([blow.target], until):
            happened()

    # -- whether anything was under way -------------------------------------------------------------------------------

    def _watch(self, blow: Blow, happened: Happened) -> None:
        """It happened once a frame of this station came through while it lasts."""
        links = self._world.links
        if self._saw not in links.listeners:
            links.listeners.append(self._saw)
            links.down_listeners.append(self._saw)
        self._watched.setdefault(blow.target, []).append((blow.until, _once(happened)))

    def _saw(self, station: str, backend: str, frame: bytes, now: int) -> None:
        for until, happened in self._watched.pop(station, ()):
            if now <= until:
                happened()


def strand(world: VirtualWorld, station: str, name: str, leads_to: str, lasts: int, happened: Happened) -> None:
    """For a while a name leads this station to another back-end, as an old answer of a name server does."""
    uplink = world.uplink(station)
    uplink.on_misled = _once(happened)
    uplink.misname(name, leads_to, world.now + lasts)


def _once(happened: Callable[[], None]) -> Callable[[], None]:
    left = [happened]

    def first() -> None:
        while left:
            left.pop()()

    return first


def _nothing() -> None:
    """Told already."""
