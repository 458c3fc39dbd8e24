"""The connections of a virtual world: handshakes, frames both ways, and every way in which a connection ends.

Frames keep their order and nothing is lost while both sides live. It must never look inside a frame, and it must report
every frame to the wire plane exactly once: when it arrives, or when it turns out to be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import heappush
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from sim.backend import Refusal, Release
from sim.machine import Closed, Effect, LinkId, Open, Opened, Received, Send
from sim.network.link import Link
from sim.network.uplink import CONNECT_TIMEOUT, KEEPALIVE_TIMEOUT, Uplink
from sim.rng import stream
from sim.runtimes.sinks import WireSink

if TYPE_CHECKING:
    from sim.runtimes.virtual import Host, VirtualWorld

NORMAL = 1
"""Our entries in SimPy's heap are (instant, NORMAL, number, function, argument); its own have an event at the end."""

Flight = tuple[Link, bytes, int]
"""A frame under way: its link, its bytes, and when it was sent."""
Line = tuple[int, int, int | None, str, str, int, str, bytes]
"""A frame as it is recorded: a number, and what `WireSink.frame` takes."""
Listener = Callable[[str, str, bytes, int], None]
_IN_ITS_NAME = ("rig", "knock")
"""Machines `rig:<station>` and `knock:<station>` dial as that station; every other one dials under its own name."""


class Links:
    """All connections between stations and back-ends."""

    def __init__(self, world: VirtualWorld, wire: WireSink, latency_ms: tuple[int, int]) -> None:
        self._world = world
        self._queue, self._numbers = (
            world.queue,
            world.numbers,
        )  # frames go straight into the heap: they are always near
        self._up, self._down = self._deliver_up, self._deliver_down
        self._wire = wire
        # A sink that numbers lines and takes them whole, as the wire recorder does, spares a call for each frame.
        self._lines: Iterator[int] = getattr(wire, "numbers", count(1))
        self._record: Callable[[Line], None] = getattr(wire, "line", lambda line: wire.frame(*line[1:]))
        self._latency = latency_ms
        self._uplinks: dict[str, Uplink] = {}
        self._links: dict[LinkId, Link] = {}
        self._next = 1
        self.frames = 0
        self.listeners: list[Listener] = []
        self.down_listeners: list[Listener] = []
        """Hear what arrives at back-ends, and what arrives at stations."""

    def uplink(self, station: str) -> Uplink:
        """The network of a station; its latencies come from a stream of its own."""
        found = self._uplinks.get(station)
        if found is None:
            found = self._uplinks[station] = Uplink(stream(self._world.seed, "uplink", station), *self._latency)
        return found

    # -- opening ------------------------------------------------------------------------------------------------------

    def open(self, host: Host, effect: Open) -> None:
        """A station dials. Answers with Opened or Closed after the round trips of a handshake."""
        world = self._world
        parts = urlsplit(effect.url)
        identity = unquote(parts.path.rsplit("/", 1)[-1])
        role, _, named = host.name.partition(":")
        station = named if role in _IN_ITS_NAME else host.name
        uplink = self.uplink(station)
        backend = uplink.resolve(parts.hostname or "", world.now)
        link = Link(LinkId(self._next), host, station, backend, uplink)
        self._next += 1
        self._links[link.id] = link
        now = world.now
        if uplink.stalled_until > now + CONNECT_TIMEOUT:
            world.schedule(now + CONNECT_TIMEOUT, self._fail_open, (host, link, "timeout"))
            return
        arrival = link.arrival_up(now) + uplink.latency() + uplink.latency()
        link.up_free_at = arrival
        world.schedule(arrival, self._arrive_open, (host, link, identity, effect.subprotocols))

    def _fail_open(self, host: Host, link: Link, reason: str) -> None:
        if link.station_alive:
            link.station_alive = False
            self._forget(link)
            self._world.handle(host, Closed(link.id, reason))

    def _arrive_open(self, host: Host, link: Link, identity: str, subprotocols: Sequence[str]) -> None:
        world = self._world
        if not link.station_alive:
            self._forget(link)
            return
        back = link.arrival_down(world.now)
        refused = link.uplink.refusal(link.backend, world.now)
        if refused or not world.backends.is_up(link.backend):
            world.schedule(back, self._fail_open, (host, link, refused or "refused"))
            return
        stalled_until = world.backends.stalled_until(link.backend)
        if stalled_until:  # the port is open, and nobody answers
            if stalled_until > world.now + CONNECT_TIMEOUT:
                world.schedule(world.now + CONNECT_TIMEOUT, self._fail_open, (host, link, "timeout"))
            else:
                world.schedule(stalled_until + 1, self._arrive_open, (host, link, identity, subprotocols))
            return
        refusal = world.backends.accept(link, identity, subprotocols)
        if isinstance(refusal, Refusal):
            world.schedule(back, self._fail_open, (host, link, str(refusal.status)))
            return
        link.backend_alive = True
        self._wire.link_opened(world.now, link.station, link.backend, link.id, link.subprotocol)
        world.schedule(back, self._opened, (host, link))
        world.backends.handle(link.peer, Opened(link.id, link.subprotocol))

    def _opened(self, host: Host, link: Link) -> None:
        if link.station_alive and link.backend_alive:
            self._world.handle(host, Opened(link.id, link.subprotocol))
        elif link.station_alive:
            self._fail_open(host, link, "reset")

    # -- frames -------------------------------------------------------------------------------------------------------

    def send_up(self, effect: Send) -> None:
        """A frame from the station. Sending on a link that the station knows to be gone is our own mistake."""
        link = self._links.get(effect.link)
        if link is None or not link.station_alive:
            raise ValueError(f"a frame for link {effect.link}, which its station had lost already")
        now = self._world.now
        uplink = link.uplink  # as `arrival_up`, without a call: no frame goes without
        begins = now if now > uplink.stalled_until else uplink.stalled_until
        if uplink.rate:
            begins = uplink.carried("up", begins, len(effect.frame))
        at = begins + (uplink.ahead or uplink.draw_ahead()).pop()
        if at < link.up_free_at:
            at = link.up_free_at
        link.up_free_at = at
        heappush(self._queue, (at, NORMAL, next(self._numbers), self._up, (link, effect.frame, now)))

    def _deliver_up(self, flight: Flight) -> None:
        link, frame, sent_at = flight
        world = self._world
        now = world.now
        if link.uplink.stalled_until > now:
            world.post(link.uplink.stalled_until + 1, self._up, flight)
            return
        self.frames += 1
        arrived = now if link.backend_alive else None
        record = self._record
        record((next(self._lines), sent_at, arrived, link.station, link.backend, link.id, "up", frame))
        if arrived is not None:
            world.backends.handle(link.peer, Received(link.id, frame))
            if self.listeners:
                for listener in self.listeners:
                    listener(link.station, link.backend, frame, now)

    def way_down(self, otherwise: Release) -> Release:
        """The function through which a back-end lets effects go; what is no frame is let go by `otherwise`.

        A frame on a link that is gone meanwhile goes nowhere, as on a closed socket.
        """
        world, links, queue, numbers, down = self._world, self._links, self._queue, self._numbers, self._down

        def release(effect: Effect) -> None:
            if type(effect) is not Send:
                otherwise(effect)
                return
            frame = effect.frame
            if type(frame) is not bytes:
                raise TypeError(f"a frame is bytes, not {type(frame).__name__}")
            link = links.get(effect.link)
            if link is not None and link.backend_alive:
                now = world.now
                uplink = link.uplink  # as `arrival_down`
                begins = now if now > uplink.stalled_until else uplink.stalled_until
                if uplink.rate:
                    begins = uplink.carried("down", begins, len(frame))
                at = begins + (uplink.ahead or uplink.draw_ahead()).pop()
                if at < link.down_free_at:
                    at = link.down_free_at
                link.down_free_at = at
                heappush(queue, (at, NORMAL, next(numbers), down, (link, frame, now)))

        return release

    def _deliver_down(self, flight: Flight) -> None:
        link, frame, sent_at = flight
        world = self._world
        now = world.now
        if link.uplink.stalled_until > now:
            world.post(link.uplink.stalled_until + 1, self._down, flight)
            return
        self.frames += 1
        arrived = now if link.station_alive else None
        record = self._record
        record((next(self._lines), sent_at, arrived, link.station, link.backend, link.id, "down", frame))
        if arrived is not None:
            world.handle(link.host, Received(link.id, frame))
            if self.down_listeners:
                for listener in self.down_listeners:
                    listener(link.station, link.backend, frame, now)

    # -- closing ------------------------------------------------------------------------------------------------------

    def close_by_station(self, link_id: LinkId, reason: str) -> None:
        """The station hangs up, or loses power (`power`): then the back-end only notices when its pings go unanswered."""
        link = self._links.get(link_id)
        if link is None or not link.station_alive:
            return
        link.station_alive = False
        self._forget(link)
        now = self._world.now
        if reason == "power":
            self._world.schedule(now + KEEPALIVE_TIMEOUT, self.end_at_backend, (link, "network", "keep-alive"))
        else:
            at = link.uplink.closing(link.arrival_up(now))
            self._world.schedule(at, self.end_at_backend, (link, "station", reason))

    def close_by_backend(self, link_id: LinkId, reason: str) -> None:
        """The back-end hangs up."""
        link = self._links.get(link_id)
        if link is not None and link.backend_alive:
            self.end_at_backend(link, "backend", reason, notify=False)
            at = link.uplink.closing(link.arrival_down(self._world.now))
            self._world.schedule(at, self._end_at_station, (link, reason))

    def end_at_backend(self, link: Link, closed_by: str, reason: str, notify: bool = True) -> None:
        """The connection is over for the back-end."""
        if link.backend_alive:
            link.backend_alive = False
            self._wire.link_closed(self._world.now, link.id, closed_by, reason)
            self._world.backends.closed(link, reason, notify)
            self._forget(link)

    def _end_at_station(self, link: Link, reason: str) -> None:
        if link.station_alive:
            link.station_alive = False
            self._forget(link)
            self._world.handle(link.host, Closed(link.id, reason))

    def _forget(self, link: Link) -> None:
        if not link.station_alive and not link.backend_alive:
            self._links.pop(link.id, None)

    def crash(self, link_ids: Iterable[LinkId]) -> None:
        """The back-end of these connections is gone without a word."""
        now = self._world.now
        for link_id in link_ids:
            link = self._links[link_id]
            link.backend_alive = False
            self._wire.link_closed(now, link_id, "crash", "reset")
            self._world.schedule(link.arrival_down(now), self._end_at_station, (link, "reset"))

    def reset(self, stations: Iterable[str]) -> int:
        """Cut the living connections of these stations; what is in flight is lost. How many there were."""
        cut = self._living(stations)
        for link in cut:
            self.end_at_backend(link, "network", "reset")
            self._end_at_station(link, "reset")
        return len(cut)

    def half_open(self, stations: Iterable[str], until: int) -> int:
        """The back-end's side of these connections is gone, and the stations are told no sooner than then. How many there
        were.
        """
        cut = [link for link in self._living(stations) if link.backend_alive]
        for link in cut:
            self.end_at_backend(link, "network", "half-open")
            self._world.at(until, self._end_at_station, link, "reset")
        return len(cut)

    def _living(self, stations: Iterable[str]) -> list[Link]:
        wanted = set(stations)
        return [link for link in self._links.values() if link.station in wanted]
