"""Real time: Machines on an asyncio loop, stations dialling real websockets.

The same Machines as in virtual time; only the clock and the sockets differ. What happens first is decided by the
network, so nothing may depend on order across connections. Machines never block the loop, and the loop never waits for
one: what is due is done, and how late it was is measured.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from heapq import heappop, heappush
from typing import Any, Protocol

from sim.backend import Operation
from sim.clock import Instant
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
    Unknown,
)
from sim.runtimes.aio_lag import Lag
from sim.runtimes.aio_lines import Line, Lines
from sim.runtimes.channel import Timer
from sim.runtimes.sinks import TruthSink

_TICK = Tick()
_AT_ONCE = 200
"""So many deadlines are served before the sockets get their turn."""
_OPERATION_TIMEOUT_S = 30.0


class Operator(Protocol):
    """A back-end as operators and apps reach it."""

    async def operate(self, operation: Operation, timeout_s: float) -> Outcome:
        """Ask it something, and wait for the outcome; Unknown after that many seconds."""
        ...


class Clock:
    """The time of a world: it begins at `start` and runs `pace` times as fast as the wall clock."""

    def __init__(self, start: Instant | None = None, pace: float = 1.0) -> None:
        if pace <= 0:
            raise ValueError(f"a pace of {pace}")
        self.pace = pace
        self._wall = start is None
        self.start = Instant(0) if start is None else start
        self.begin()

    def begin(self) -> None:
        """Time begins now: at the given start, or at what the clock on the wall says."""
        self._zero = time.monotonic()
        if self._wall:
            self.start = Instant(time.time_ns() // 1_000_000)

    def now(self) -> Instant:
        """The present instant."""
        return Instant(self.start + int((time.monotonic() - self._zero) * 1000 * self.pace))

    def real_s(self, when: int) -> float:
        """Seconds of real time from now until that instant; negative if it is over."""
        return (when - self.start) / 1000 / self.pace - (time.monotonic() - self._zero)


class Host:
    """A Machine, and the earliest wake-up that is armed for it."""

    __slots__ = ("armed", "machine", "name")

    def __init__(self, name: str, machine: Machine) -> None:
        self.name = name
        self.machine = machine
        self.armed: int | None = None


class AioWorld:
    """All Machines of a process that are not a back-end's, their timers and their connections."""

    def __init__(self, clock: Clock, truth: TruthSink, lines: Lines) -> None:
        self.clock = clock
        self.lag = Lag(clock.pace)
        self._truth = truth
        self._lines = lines
        self._hosts: dict[str, Host] = {}
        self._operators: dict[str, Operator] = {}
        self._asked: dict[str, str] = {}
        self._due: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self._count = 0
        self._timer: Timer | None = None
        self._timer_at = 0
        self._tasks: set[asyncio.Task[Any]] = set()
        self._failed: BaseException | None = None
        self._over = asyncio.Event()
        """Set once no deadline is served any more."""

    # -- building ---------------------------------------------------------------------------------------------------

    @property
    def now(self) -> Instant:
        """The present instant."""
        return self.clock.now()

    def add(self, name: str, machine: Machine) -> None:
        """Let a Machine live under this name. Raises ValueError if the name is taken."""
        if name in self._hosts or name in self._operators:
            raise ValueError(f"the name {name!r} is taken")
        host = self._hosts[name] = Host(name, machine)
        self._rearm(host)

    def remove(self, name: str) -> None:
        """This Machine lives no longer; what is still under way to it is dropped."""
        self._hosts.pop(name, None)

    def add_operator(self, name: str, operator: Operator) -> None:
        """Let Machines reach a back-end under this name."""
        if name in self._hosts or name in self._operators:
            raise ValueError(f"the name {name!r} is taken")
        self._operators[name] = operator

    def line(self, station: str) -> Line:
        """The network of a station, for faults."""
        return self._lines.line(station)

    def at(self, when: int, fn: Callable[..., None], *args: Any) -> None:
        """Call `fn(*args)` at that instant, or at once if it is over."""
        self._post(when, _call, (fn, args))

    def send_command(self, to: str, command: Command) -> None:
        """Hand a Command to a Machine."""
        self._tell(None, Tell(to, command))

    # -- running ----------------------------------------------------------------------------------------------------

    async def run(self, until: Instant) -> None:
        """Live until that instant, or until `stop`. Raises what a Machine raised: that is our own mistake."""
        self.at(until, self.stop)
        await self._over.wait()
        for task in list(self._tasks):
            task.cancel()
        if self._failed is not None:
            raise self._failed

    def stop(self) -> None:
        """No deadline is served any more."""
        self._over.set()

    @property
    def over(self) -> bool:
        """Whether nothing happens any more."""
        return self._over.is_set()

    @property
    def failure(self) -> BaseException | None:
        """What a Machine raised, if one did: the world is over then."""
        return self._failed

    def _post(self, when: int, fn: Callable[[Any], None], what: Any) -> None:
        self._count += 1
        heappush(self._due, (when, self._count, fn, what))
        if self._timer is None or when < self._timer_at:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due and not self._over.is_set():
            self._timer_at = self._due[0][0]
            wait = max(0.0, self.clock.real_s(self._timer_at))
            self._timer = self._lines.keeper.later(wait, self._serve)

    def _serve(self) -> None:
        """Do what is due, a bounded number of things at once."""
        self._timer = None
        due, now = self._due, self.clock.now()
        if due:
            self.lag.measure(now - due[0][0])
        for _ in range(_AT_ONCE):
            if not due or due[0][0] > now or self._over.is_set():
                break
            _, _, fn, what = heappop(due)
            try:
                fn(what)
            except Exception as err:
                self._fail(err)
        self._set_timer()

    def _fail(self, err: BaseException) -> None:
        self._failed = self._failed or err
        self.stop()

    # -- machines ---------------------------------------------------------------------------------------------------

    def handle(self, host: Host, event: Event) -> None:
        """Give an event to a Machine and perform what it wants."""
        self._handle(host, event, self.clock.now())

    def _handle(self, host: Host, event: Event, now: Instant) -> None:
        if self._over.is_set() or self._hosts.get(host.name) is not host:
            return
        try:
            for effect in host.machine.handle(event, now):
                self._perform(host, effect)
            self._rearm(host)
        except Exception as err:
            self._fail(err)

    def _rearm(self, host: Host) -> None:
        deadline = host.machine.next_deadline()
        if deadline is not None and (host.armed is None or deadline < host.armed):
            host.armed = deadline
            self._post(deadline, self._wake, host)

    def _wake(self, host: Host) -> None:
        now = self.clock.now()
        if host.armed is None or host.armed > now:
            return  # stale: served already, and armed again for later
        host.armed = None
        deadline = host.machine.next_deadline()
        if deadline is None:
            return
        if deadline <= now:
            self._handle(host, _TICK, now)
        else:
            self._rearm(host)

    def _perform(self, host: Host, effect: Effect) -> None:
        kind = type(effect)
        if kind is Send:
            self._lines.send(effect)  # type: ignore[arg-type]
        elif kind is Note:
            self._truth.note(effect.kind, effect.fields)  # type: ignore[union-attr]
        elif kind is Tell:
            self._tell(host.name, effect)  # type: ignore[arg-type]
        elif kind is Open:
            self._lines.open(host.name, effect, lambda event: self.handle(host, event))  # type: ignore[arg-type]
        elif kind is Close:
            self._lines.close(effect.link, effect.reason)  # type: ignore[union-attr]
        elif kind is Settle:
            self._settle(effect.call_id, effect.outcome)  # type: ignore[union-attr, arg-type]
        else:
            raise TypeError(f"{host.name} emitted {effect!r}, which this runtime does not perform")

    def _tell(self, sender: str | None, tell: Tell) -> None:
        call_id = tell.call_id
        if call_id is not None:
            if sender is None or call_id in self._asked:
                raise ValueError(f"call id {call_id!r} has no sender or is used twice")
            self._asked[call_id] = sender
        if tell.to in self._operators:
            self._spawn(self._operate(tell))
        elif tell.to in self._hosts:
            self._post(self.clock.now(), self._deliver, tell)
        elif call_id is not None:
            self._settle(call_id, Refused("unknown-recipient", tell.to))
        else:
            raise ValueError(f"nobody here is called {tell.to!r}")

    def _deliver(self, tell: Tell) -> None:
        host = self._hosts.get(tell.to)
        if host is not None:
            args = tell.command.args if tell.call_id is None else {**tell.command.args, "call_id": tell.call_id}
            self.handle(host, Command(tell.command.name, args))

    async def _operate(self, tell: Tell) -> None:
        operation = Operation(tell.command.name, tell.command.args)
        try:
            outcome = await self._operators[tell.to].operate(operation, _OPERATION_TIMEOUT_S)
        except (OSError, TimeoutError) as err:
            outcome = Unknown(str(err))
        self._settle(tell.call_id or "", outcome)

    def _settle(self, call_id: str, outcome: Outcome) -> None:
        sender = self._asked.pop(call_id, None)
        if sender is not None and sender in self._hosts:
            self._post(self.clock.now(), self._deliver_settled, (sender, Settled(call_id, outcome)))

    def _deliver_settled(self, what: tuple[str, Settled]) -> None:
        host = self._hosts.get(what[0])
        if host is not None:
            self.handle(host, what[1])

    def _spawn(self, work: Awaitable[None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _call(what: tuple[Callable[..., None], tuple[Any, ...]]) -> None:
    fn, args = what
    fn(*args)
