"""The back-ends of a virtual world: group commit, operations, deadlines, and death at the worst moment.

A back-end that dies keeps nothing but the `disk` of its Setup; its factory is called again with the same Setup. It must
never tell a back-end that it is about to die. Whatever a back-end raises leaves this module as BackEndRaised, which says
what the back-end was doing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, cast

from sim.backend import Asking, BackEnd, Factory, Operation, Refusal, Setup, subprotocol_of
from sim.clock import iso
from sim.errors import BackEndRaised, raised
from sim.machine import (
    Close,
    Closed,
    Effect,
    Event,
    Received,
    Refused,
    Send,
    Settle,
    Settled,
    Tell,
    Tick,
    Unknown,
)
from sim.network.link import Link
from sim.runtimes.virtual_ailing import Ailment, ailing_of
from sim.runtimes.virtual_crash import Crash
from sim.runtimes.virtual_process import DUTIES, Connection, Process, told

if TYPE_CHECKING:
    from sim.runtimes.virtual import VirtualWorld

_TICK = Tick()


class _Died(Exception):
    """Raised inside `release` to end a back-end between commit and replies. Never leaves this module."""


_NOT_THEIRS = (BackEndRaised, KeyboardInterrupt)  # told already, or the user's hand


class BackEnds:
    """All back-ends by name."""

    def __init__(self, world: VirtualWorld) -> None:
        self._world = world
        self._processes: dict[str, Process] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._processes

    def add(self, factory: Factory, setup: Setup) -> None:
        """Start a back-end for the first time."""
        process = self._processes[setup.name] = Process(factory, setup)
        process.release = self._world.links.way_down(partial(self._release, process))
        self._start(process)

    def is_up(self, name: str) -> bool:
        """Whether a back-end of this name exists and lives."""
        process = self._processes.get(name)
        return process is not None and process.object is not None

    def living(self, name: str) -> BackEnd:
        """The back-end object. Raises RuntimeError while it is down."""
        found = self._processes[name].object
        if found is None:
            raise RuntimeError(f"back-end {name} is down")
        return found

    def names(self) -> tuple[str, ...]:
        """All names, in order of their start."""
        return tuple(self._processes)

    # -- connections --------------------------------------------------------------------------------------------------

    def accept(self, link: Link, identity: str, subprotocols: Sequence[str]) -> Refusal | None:
        """Hand a handshake to the back-end; None if it was accepted."""
        process = self._processes[link.backend]
        assert process.object is not None
        with self._blaming(process, f"judging the handshake of {identity}"):
            accepted = process.object.accept(link.id, identity, subprotocols, self._world.now)
        self._arm_flush(process)
        if isinstance(accepted, Refusal):
            return accepted
        connection = process.connections[link.id] = Connection(accepted)
        link.peer = (process, connection)
        link.subprotocol = subprotocol_of(accepted)
        return None

    def handle(self, peer: tuple[Process, Connection], event: Event, through: bool = False) -> None:
        """Give an event to the Machine of a link, found by the link's `peer`; `through`: past all that it ails from."""
        process, connection = peer
        if process.ailing is not None and not through:
            if not process.ailing.holds(partial(self._take, peer, process.object, event)):
                self._take(peer, process.object, event)
            return
        if process.crashes and type(event) is Received:
            self._consider_death(process, event.frame)
        world, hand = self._world, connection.handle
        try:
            effects = hand(event, world.now)
            if effects:
                for effect in effects:
                    process.release(effect)
            if connection.ticks and connection.next_deadline() is not None:
                self._arm_connection(process, connection)
        except _NOT_THEIRS:
            raise
        except BaseException as err:
            raise self._blame(process, f"handling {told(event)}", err) from err
        if process.ailing is not None:
            self._arm_flush(process)
        elif not process.flush_armed:
            process.flush_armed = True
            later = world.later
            later(process.flush)

    def _take(self, peer: tuple[Process, Connection], lived: BackEnd | None, event: Event) -> None:
        """An ailing back-end comes to an event, of a connection that it may have lost meanwhile."""
        process, connection = peer
        assert process.ailing is not None
        gone = connection not in process.connections.values()
        if process.object is not lived or gone or process.ailing.refuses(event):
            return
        for _ in range(1 + process.ailing.repeats(event)):
            self.handle(peer, event, through=True)

    def closed(self, link: Link, reason: str, notify: bool) -> None:
        """A connection is over."""
        process = self._processes[link.backend]
        if process.ailing is not None and process.ailing.holds(partial(self.closed, link, reason, notify)):
            return  # what lies in the socket is read before its end
        connection = process.connections.pop(link.id, None)
        if connection is not None and notify:
            with self._blaming(process, "handling the end of a connection"):
                for effect in connection.handle(Closed(link.id, reason), self._world.now):
                    process.release(effect)
            self._arm_flush(process)

    def _arm_connection(self, process: Process, connection: Connection) -> None:
        deadline = connection.next_deadline()
        if deadline is not None and (connection.armed is None or deadline < connection.armed):
            connection.armed = deadline
            self._world.schedule(deadline, self._wake, (process, process.object, connection, deadline))

    def _wake(self, process: Process, lived: BackEnd, connection: Connection, armed: int) -> None:
        if process.object is not lived or connection.armed != armed:
            return
        if process.ailing is not None and process.ailing.holds(partial(self._wake, process, lived, connection, armed)):
            return
        connection.armed = None
        with self._blaming(process, "naming the next deadline of a connection"):
            deadline = connection.next_deadline()
        if deadline is not None and deadline <= self._world.now:
            self.handle((process, connection), _TICK)
        else:
            self._arm_connection(process, connection)

    def _release(self, process: Process, effect: Effect) -> None:
        kind = type(effect)
        if kind is Settle:
            self._world.settle(effect.call_id, effect.outcome)  # type: ignore[union-attr, arg-type]
        elif kind is Close:
            self._world.links.close_by_backend(effect.link, effect.reason)  # type: ignore[union-attr]
        elif kind is Tell:
            self._world.tell(process.setup.name, effect)  # type: ignore[arg-type]
        else:
            raise TypeError(f"back-end {process.setup.name} released {effect!r}, which this runtime does not perform")

    def when_committed(self, name: str, then: Callable[[], None]) -> None:
        """Call that once the group that is staged now is committed; never, if the back-end dies before."""
        self._processes[name].then.append(then)

    # -- operations, groups, deadlines --------------------------------------------------------------------------------

    def operate(self, tell: Tell) -> None:
        """An operation arrives at a back-end; one that is down refuses the connection."""
        process = self._processes[tell.to]
        call_id = tell.call_id or ""
        if process.object is None:
            self._world.settle(call_id, Refused("unavailable", f"{tell.to} is down"))
            return
        if process.ailing is not None and process.ailing.holds(partial(self.operate, tell)):
            return
        with self._blaming(process, f"taking the operation {tell.command.name}"):
            process.object.operate(Operation(tell.command.name, tell.command.args), call_id, self._world.now)
        self._arm_flush(process)

    def settled(self, name: str, event: Settled) -> None:
        """What a back-end told somebody came to an end; one that has died since never hears of it."""
        process = self._processes[name]
        if process.object is None:
            return
        with self._blaming(process, f"hearing what became of {event.call_id}"):
            cast(Asking, process.object).settled(event.call_id, event.outcome, self._world.now)
        self._arm_flush(process)

    def _arm_flush(self, process: Process) -> None:
        if process.flush_armed:
            return
        process.flush_armed = True
        takes = 0 if process.ailing is None else process.ailing.commit_takes()
        if takes:
            self._world.post(self._world.now + takes, *process.flush)
        else:
            self._world.later(process.flush)

    def _flush(self, what: tuple[Process, BackEnd]) -> None:
        process, lived = what
        if process.object is not lived:
            return
        if process.ailing is not None:
            if process.ailing.holds(partial(self._flush, what)):
                return
            full = process.ailing.full()
            if full is not None:
                process.crashes.append(full)
                self._die(process, full)
                return
        process.flush_armed = False
        doomed = process.doomed
        if doomed is not None:
            if doomed.groups <= 0:
                self._die(process, doomed)
                return
            doomed.groups -= 1
        try:
            still = lived.flush(self._world.now, process.release)
            if process.then:
                then, process.then = process.then, []
                for call in then:
                    call()
            if still:
                return
            deadline = lived.next_deadline()
        except _NOT_THEIRS:
            raise
        except BaseException as err:
            raise self._blame(process, "flushing a group", err) from err
        if deadline is not None and (process.armed is None or deadline < process.armed):
            self._arm(process)

    def _arm(self, process: Process, earliest: int = 0) -> None:
        """Wake the back-end when it wants. One that has just started may want what came due while it was down."""
        assert process.object is not None
        deadline = process.object.next_deadline()
        if deadline is not None and (process.armed is None or deadline < process.armed):
            process.armed = deadline
            self._world.schedule(max(deadline, earliest), self._tick, (process, process.object, deadline))

    def _tick(self, process: Process, lived: BackEnd, armed: int) -> None:
        if process.object is not lived or process.armed != armed:
            return
        if process.ailing is not None and process.ailing.holds(partial(self._tick, process, lived, armed)):
            return
        process.armed = None
        with self._blaming(process, "doing what its own deadline asked for"):
            deadline = lived.next_deadline()
            if deadline is not None and deadline <= self._world.now:
                lived.tick(self._world.now)
                self._arm_flush(process)
            else:
                self._arm(process)

    # -- ailments and restarts ----------------------------------------------------------------------------------------

    def ail(self, name: str, ailment: Ailment) -> None:
        """Let this back-end suffer from something from now on."""
        ailing_of(self._world, self._processes[name]).add(ailment)

    def stalled_until(self, name: str) -> int:
        """Until when this back-end serves nobody, 0 if it does."""
        ailing = self._processes[name].ailing
        return 0 if ailing is None else ailing.stalled_until()

    def restart(self, name: str, down_for: int) -> bool:
        """Stop it as it should be, its connections closed; it is back after so many ms. False if it was down already."""
        process = self._processes[name]
        if process.object is None:
            return False
        self._flush((process, process.object))
        for link_id in list(process.connections):
            self._world.links.close_by_backend(link_id, "going away")
        self._gone(process, down_for)
        return True

    def _gone(self, process: Process, down_for: int) -> None:
        """The process is no more; another one will be started from its disk."""
        world, name = self._world, process.setup.name
        process.object = None
        process.doomed = None
        process.armed = None
        process.then.clear()
        process.connections.clear()
        for call_id in world.asked_of(name):
            world.settle(call_id, Unknown(f"{name} died"))
        world.forget_asked_by(name)
        world.schedule(world.now + down_for, self._start, (process,))

    # -- death ----------------------------------------------------------------------------------------------------------

    def arm_crash(self, name: str, crash: Crash) -> None:
        """Let this back-end die as described. Several deaths may wait; each happens once."""
        process = self._processes[name]
        process.crashes.append(crash)
        if not crash.action:
            self._world.schedule(max(crash.at, self._world.now), self._doom, (process, crash))

    def _doom(self, process: Process, crash: Crash) -> None:
        if process.object is not None and process.doomed is None and crash in process.crashes:
            process.doomed = crash
            self._arm_flush(process)

    def _consider_death(self, process: Process, frame: bytes) -> None:
        for crash in process.crashes:
            if process.doomed is None and crash.action and self._world.now >= crash.at and crash.action in frame:
                process.doomed = crash

    def _die(self, process: Process, crash: Crash) -> None:
        world, now = self._world, self._world.now
        if crash.moment != "before-commit":
            self._flush_and_die(process, allowed=1 if crash.moment == "after-first-reply" else 0)
        process.crashes.remove(crash)
        world.links.crash(list(process.connections))
        self._gone(process, crash.down_for)
        crash.happened(now, now + crash.down_for)

    def _flush_and_die(self, process: Process, allowed: int) -> None:
        assert process.object is not None
        left = allowed

        def release(effect: Effect) -> None:
            nonlocal left
            if type(effect) is Send:
                if left == 0:
                    raise _Died
                left -= 1
            process.release(effect)
            if left == 0 and allowed and type(effect) is Send:
                raise _Died

        try:
            process.object.flush(self._world.now, release)
        except _Died:
            return
        except _NOT_THEIRS:
            raise
        except BaseException as err:
            raise self._blame(process, "flushing its last group", err) from err

    def _start(self, process: Process) -> None:
        if process.object is not None:
            return
        self._make(process)
        process.flush_armed = False
        with self._blaming(process, "naming its next deadline"):
            self._arm(process, self._world.now)
        for crash in process.crashes:
            if not crash.action and crash.at <= self._world.now:  # it came due while nobody was there to die
                self._doom(process, crash)

    def _make(self, process: Process) -> None:
        with self._blaming(process, "starting"):
            made = process.factory(process.setup)
            lacks = [duty for duty in DUTIES if not callable(getattr(made, duty, None))]
        if lacks:
            what = "None" if made is None else f"a {type(made).__name__}"
            problem = f"its factory returned {what}, which has no {lacks[0]}() and is no back-end"
            raise BackEndRaised(process.setup.name, "starting", problem, iso(self._world.now))
        process.object = made
        process.flush = (self._flush, (process, made))

    def revive(self, name: str) -> BackEnd:
        """The back-end, started again from its disk if it is down. For after the run: no more time passes for it."""
        process = self._processes[name]
        if process.object is None:
            self._make(process)
        assert process.object is not None
        return process.object

    @contextmanager
    def _blaming(self, process: Process, doing: str) -> Iterator[None]:
        """Whatever is raised in here is the back-end's."""
        try:
            yield
        except _NOT_THEIRS:
            raise
        except BaseException as err:
            raise self._blame(process, doing, err) from err

    def _blame(self, process: Process, doing: str, err: BaseException) -> BackEndRaised:
        return BackEndRaised(process.setup.name, doing, f"it raised {raised(err)}", iso(self._world.now))
