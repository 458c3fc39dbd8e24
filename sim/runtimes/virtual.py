"""Virtual time: Machines on SimPy's heap.

Time is the heap's and jumps from event to event; no wall clock, no thread, no real entropy may enter. Everything that
happens at one instant is ordered by (time, priority, sequence), so a run with the same inputs makes the same bytes.
This is the only importer of simpy; links and back-ends of the same world live in the two modules beside it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from typing import Any

import simpy

from sim.backend import BackEnd, Factory, Setup
from sim.clock import MINUTE, Instant
from sim.machine import (
    Close,
    Command,
    Effect,
    Event,
    Machine,
    Note,
    Open,
    Outcome,
    Refused,
    Send,
    Settle,
    Settled,
    Tell,
    Tick,
)
from sim.network.uplink import Uplink
from sim.rng import stream
from sim.runtimes.sinks import TruthSink, WireSink
from sim.runtimes.virtual_backends import BackEnds
from sim.runtimes.virtual_crash import Crash
from sim.runtimes.virtual_links import NORMAL, Links
from sim.runtimes.virtual_memory import Leftovers, few_collections
from sim.runtimes.virtual_process import Late, hearing

__all__ = ["Crash", "TruthSink", "VirtualWorld"]

_SLOT = 1 << 10
"""Width of one slot of the far future, ms."""
_NEVER = 1 << 62
_TICK = Tick()


class Host:
    """A Machine and its doors, the deadline it named last, its one armed wake-up, and whether that is still to be armed."""

    __slots__ = ("armed", "deadline", "hear", "machine", "name", "next_deadline", "unsettled", "wake")

    def __init__(self, name: str, machine: Machine) -> None:
        self.name = name
        self.machine = machine
        self.hear = hearing(machine)
        self.wake: Callable[[Instant], Sequence[Effect]] = getattr(
            machine, "wake", lambda now: machine.handle(_TICK, now)
        )
        self.next_deadline = machine.next_deadline
        self.deadline: Instant | None = None
        self.armed: int = _NEVER
        self.unsettled = False


class VirtualWorld:
    """All Machines of a run and the heap that moves them."""

    def __init__(
        self, start: Instant, seed: int, wire: WireSink, truth: TruthSink, latency_ms: tuple[int, int]
    ) -> None:
        self.now = start
        """The present instant."""
        self.env = simpy.Environment(initial_time=start)
        self.queue: list[Any] = self.env._queue
        """SimPy's heap."""
        self.numbers: Iterator[int] = self.env._eid
        """Numbers the entries."""
        self._late: deque[Late] = deque()
        self.later = self._late.append
        """Takes (fn, what), to be called at this instant behind everything else that happens at it (group commit)."""
        self._near = (start // _SLOT + 1) * _SLOT
        self._far: dict[int, list[Any]] = {}
        self._far_slots: list[int] = []
        self._unsettled: list[Host] = []  # whose wake-up lies beyond the present slot: armed when the slot is over
        self._wakes = self._wake  # one object, so that a wake-up is known when it is seen
        self._seed = seed
        self._truth = truth
        self._begun = False
        self._hosts: dict[str, Host] = {}
        self._asked: dict[str, tuple[str, str | None]] = {}
        self._http = stream(seed, "http-latency")
        self.links = Links(self, wire, latency_ms)
        self._send_up = self.links.send_up
        self.backends = BackEnds(self)

    # -- building ---------------------------------------------------------------------------------------------------

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return self._seed

    def add(self, name: str, machine: Machine) -> None:
        """Let a Machine live under this name. Raises ValueError if the name is taken."""
        if name in self._hosts or name in self.backends:
            raise ValueError(f"the name {name!r} is taken")
        host = self._hosts[name] = Host(name, machine)
        deadline = host.deadline = machine.next_deadline()
        if deadline is not None:
            self._arm(host, deadline)

    def add_backend(self, factory: Factory, setup: Setup) -> None:
        """Start a back-end; its URL is `ws://<name>/...`."""
        self.backends.add(factory, setup)

    def backend(self, name: str) -> BackEnd:
        """The living back-end of this name. Raises RuntimeError while it is down."""
        return self.backends.living(name)

    def uplink(self, station: str) -> Uplink:
        """The network of a station."""
        return self.links.uplink(station)

    def host(self, name: str) -> Host:
        """The Machine of this name with its wake-up."""
        return self._hosts[name]

    def at(self, when: int, fn: Callable[..., None], *args: Any) -> None:
        """Call `fn(*args)` at that instant; an instant in the past is our own mistake and raises ValueError."""
        self.schedule(when, fn, args)

    def schedule(self, when: int, fn: Callable[..., None], args: tuple[Any, ...]) -> None:
        """As `at`."""
        self.post(when, _call, (fn, args))

    def post(self, when: int, fn: Callable[[Any], None], what: Any) -> None:
        """Call `fn(what)` at that instant. SimPy itself would take an instant in the past in silence.

        What is near goes straight into SimPy's heap, numbered as its own `schedule` would; what is far waits in slots of
        a second until its time is near, since most of it is timeouts that never come, and a small heap is a fast one.
        """
        if when < self._near:
            if when < self.now:
                raise ValueError(f"an event {self.now - when} ms in the past")
            heappush(self.queue, (when, NORMAL, next(self.numbers), fn, what))
            return
        slot = when // _SLOT
        (self._far.get(slot) or self._new_slot(slot)).append((when, NORMAL, next(self.numbers), fn, what))

    def _new_slot(self, slot: int) -> list[Any]:
        """The entries of a slot of the far future of which there were none."""
        heappush(self._far_slots, slot)
        entries = self._far[slot] = []
        return entries

    # -- running ----------------------------------------------------------------------------------------------------

    def run(
        self, until: Instant, progress: Callable[[Instant, int], None] | None = None, every: int = 10 * MINUTE
    ) -> None:
        """Let time pass until then. `progress(now, frames)` is called each `every` ms of virtual time."""
        if progress is not None:

            def beat() -> None:
                progress(self.now, self.links.frames)
                if self.now + every < until:
                    self.schedule(self.now + every, beat, ())

            self.at(self.now, beat)
        if not self._begun:
            Leftovers.look()
        self._begun, carried = True, self.links.frames
        try:
            with few_collections():
                self._run(until)
        finally:
            Leftovers.frames += self.links.frames - carried

    def _run(self, until: Instant) -> None:
        """SimPy's loop over SimPy's heap. Our own entries are calls and need none of what its `step` does for events."""
        env, queue, late = self.env, self.queue, self._late
        limit = min(self._near, until)
        now = min(self.now, until - 1)
        while True:
            if late and not (queue and queue[0][0] <= now):
                fn, what = late.popleft()
            elif queue and queue[0][0] < limit:
                entry = heappop(queue)
                try:
                    when, _, _, fn, what = entry
                except ValueError:  # an event of SimPy's own
                    heappush(queue, entry)
                    now = self.now = entry[0]
                    env.step()
                    continue
                if when != now:
                    now = self.now = env._now = when
            elif self._next_slot(until):
                limit = self._near if self._near < until else until
                continue
            else:
                break
            fn(what)
        self.now = env._now = until

    def _next_slot(self, until: Instant) -> bool:
        """The slot is over: arm what its last events left to be armed, then go on to the next; False if there is none."""
        if self._unsettled:
            self._settle_deadlines()
        slots = self._far_slots
        if slots and slots[0] * _SLOT < until:
            self._come_nearer(heappop(slots))
        elif self.queue and self.queue[0][0] < until:
            self._near = (self.queue[0][0] // _SLOT + 1) * _SLOT
        else:
            return False
        return True

    def _come_nearer(self, slot: int) -> None:
        """Move a slot of the far future into the heap; wake-ups that are stale by now go back or away."""
        far, queue, wakes = self._far, self.queue, self._wakes
        near = self._near = (slot + 1) * _SLOT
        for entry in far.pop(slot):
            when, _, _, fn, host = entry
            if fn is wakes:
                if host.armed != when:
                    continue
                deadline = host.deadline
                if deadline is None:
                    host.armed = _NEVER
                    continue
                if deadline >= near:
                    host.armed = deadline
                    later = deadline // _SLOT
                    again = (deadline, NORMAL, next(self.numbers), wakes, host)
                    (far.get(later) or self._new_slot(later)).append(again)
                    continue
            heappush(queue, entry)

    def send_command(self, to: str, command: Command) -> None:
        """Hand a Command to a Machine at this instant."""
        self.tell(None, Tell(to, command))

    # -- machines ---------------------------------------------------------------------------------------------------

    def _arm(self, host: Host, deadline: Instant) -> None:
        if deadline < self.now:
            raise ValueError(f"{host.name} wants a tick {self.now - deadline} ms in the past")
        host.armed = deadline
        self.post(deadline, self._wakes, host)

    def _wake(self, host: Host) -> None:
        now = self.now
        if host.armed != now:
            return  # a stale wake-up: an earlier one was armed meanwhile
        host.armed = _NEVER
        deadline = host.deadline
        if deadline is None:
            return
        if deadline <= now:
            self.follow(host, host.wake(now))
        else:
            self._arm(host, deadline)

    def handle(self, host: Host, event: Event) -> None:
        """Give an event to a Machine and perform what it wants."""
        self.follow(host, host.machine.handle(event, self.now))

    def follow(self, host: Host, effects: Sequence[Effect]) -> None:
        """Perform what a Machine wants, and see when it wants to wake."""
        for effect in effects:
            if type(effect) is Send:
                self._send_up(effect)
            else:
                self._perform(host, effect)
        deadline = host.deadline = host.next_deadline()
        if deadline is not None and deadline < host.armed:
            if deadline < self._near:
                self._arm(host, deadline)
            elif not host.unsettled:  # most such deadlines are timeouts that an answer moves within the same slot
                host.unsettled = True
                self._unsettled.append(host)

    def _settle_deadlines(self) -> None:
        """Arm what the events of this slot left to be armed, all of it beyond the slot."""
        far, numbers, wakes = self._far, self.numbers, self._wakes
        for host in self._unsettled:
            host.unsettled = False
            deadline = host.deadline
            if deadline is not None and deadline < host.armed:
                host.armed = deadline
                slot = deadline // _SLOT
                (far.get(slot) or self._new_slot(slot)).append((deadline, NORMAL, next(numbers), wakes, host))
        self._unsettled.clear()

    def _perform(self, host: Host, effect: Effect) -> None:
        kind = type(effect)
        if kind is Note:
            self._truth.note(effect.kind, effect.fields)  # type: ignore[union-attr]
        elif kind is Tell:
            self.tell(host.name, effect)  # type: ignore[arg-type]
        elif kind is Open:
            self.links.open(host, effect)  # type: ignore[arg-type]
        elif kind is Close:
            self.links.close_by_station(effect.link, effect.reason)  # type: ignore[union-attr]
        elif kind is Settle:
            self.settle(effect.call_id, effect.outcome)  # type: ignore[union-attr, arg-type]
        else:
            raise TypeError(f"{host.name} emitted {effect!r}, which this runtime does not perform")

    def tell(self, sender: str | None, tell: Tell) -> None:
        """Hand a Command on. What goes to or comes from a back-end takes the time of an HTTP request each way."""
        from_backend = sender is not None and sender in self.backends
        to_backend = tell.to in self.backends
        if tell.call_id is not None:
            if sender is None or tell.call_id in self._asked:
                raise ValueError(f"call id {tell.call_id!r} has no sender or is used twice")
            self._asked[tell.call_id] = (sender, tell.to if to_backend else None)
        if to_backend:
            self.schedule(self.now + self._http_latency(), self.backends.operate, (tell,))
        elif tell.to in self._hosts:
            delay = self._http_latency() if from_backend else 0
            self.schedule(self.now + delay, self._deliver_command, (tell,))
        elif tell.call_id is not None:
            self.settle(tell.call_id, Refused("unknown-recipient", tell.to))
        else:
            raise ValueError(f"nobody here is called {tell.to!r}")

    def _deliver_command(self, tell: Tell) -> None:
        args = tell.command.args if tell.call_id is None else {**tell.command.args, "call_id": tell.call_id}
        self.handle(self._hosts[tell.to], Command(tell.command.name, args))

    def settle(self, call_id: str, outcome: Outcome) -> None:
        """Tell whoever asked under this id; an id nobody waits for is dropped."""
        asked = self._asked.pop(call_id, None)
        if asked is not None:
            sender, backend = asked
            delay = self._http_latency() if backend or sender in self.backends else 0
            self.schedule(self.now + delay, self._deliver_settled, (sender, Settled(call_id, outcome)))

    def asked_of(self, backend: str) -> list[str]:
        """The call ids that this back-end still owes an outcome."""
        return [call_id for call_id, (_, to) in self._asked.items() if to == backend]

    def forget_asked_by(self, backend: str) -> None:
        """A back-end died: its connections are gone, and nobody is left to hear what it had asked for."""
        for call_id in [call_id for call_id, (sender, _) in self._asked.items() if sender == backend]:
            del self._asked[call_id]

    def _deliver_settled(self, to: str, event: Settled) -> None:
        if to in self.backends:
            self.backends.settled(to, event)
        else:
            self.handle(self._hosts[to], event)

    def _http_latency(self) -> int:
        return 20 + int(self._http.random() * 60)


def _call(what: tuple[Callable[..., None], tuple[Any, ...]]) -> None:
    fn, args = what
    fn(*args)
