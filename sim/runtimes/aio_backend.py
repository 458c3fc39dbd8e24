"""A back-end on real sockets: handshakes, group commit once per turn of the loop, deadlines, operations.

Replies leave after the commit they speak of and never before. If a commit fails no reply of its group leaves, the
process serves nobody any more and says why; whoever runs it starts it again. It never looks into what a back-end does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import Any, cast

from sim.backend import Asking, BackEnd, Books, Guarded, Operation, Refusal, Row, subprotocol_of
from sim.clock import Instant
from sim.errors import StoreFailed, raised
from sim.machine import (
    Close,
    Closed,
    Effect,
    Event,
    LinkId,
    Opened,
    Outcome,
    Received,
    Refused,
    Send,
    Settle,
    Tell,
    Tick,
    Unknown,
)
from sim.office import ConnectionView, Counters
from sim.runtimes.aio import Clock
from sim.runtimes.aio_kept import KeptFrames
from sim.runtimes.aio_server_link import ServerLink
from sim.runtimes.aio_shed import Shedder, ShedLimits
from sim.runtimes.channel import Keeper
from sim.runtimes.sinks import WireSink
from sim.runtimes.websocket import GOING_AWAY, NORMAL_CLOSURE, PROTOCOL_ERROR
from sim.runtimes.websocket_server import Admission, Handshake

_TICK = Tick()
_INTERNAL_ERROR = 1011
_NO_SUBPROTOCOL = "no common subprotocol"


class BackEndHost:
    """Runs one back-end in this loop: implements `reference_csms.web.port.Office` and the judge of its sockets.

    `partners` are asked what the back-end tells somebody by name. `wire` gets every frame. `limits`: when it is overloaded.
    """

    def __init__(
        self,
        backend: BackEnd,
        clock: Clock,
        wire: WireSink | None = None,
        partners: Callable[[str, Operation], Any] | None = None,
        limits: ShedLimits = ShedLimits(),  # noqa: B008
    ) -> None:
        self.backend = backend
        self.name = backend.name
        self.clock = clock
        self.started_at = clock.now()
        self.counters = Counters()
        self.failed = asyncio.get_running_loop().create_future()
        """Done when the back-end cannot go on: the sentence that says why."""
        self._shedder = Shedder(limits, self.counters)
        self._wire = wire
        self._partners = partners
        self._loop = asyncio.get_running_loop()
        self._links: dict[LinkId, ServerLink] = {}
        self._next = 1
        self._waiting: dict[str, asyncio.Future[Outcome]] = {}
        self._asked = 0
        self._flush_armed = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at: int | None = None
        self._kept = KeptFrames(self.name)
        self.wire = self._kept.rows
        self._stopping: str | None = None
        self._showing: Any = backend
        """The rooms of `sim.showing`, for a back-end that shows its rows piece by piece."""
        self._guard = cast(Guarded, backend).authenticate if hasattr(backend, "authenticate") else None
        self._arm()

    # -- handshakes and frames -------------------------------------------------------------------------------------

    def judge(self, shake: Handshake) -> Admission | Refusal:
        """What a handshake gets."""
        if self._stopping is not None:
            return Refusal(503, self._stopping)
        overload = self._shedder.judge(len(self._links))
        if overload is not None:
            return overload
        now = self.clock.now()
        try:
            refused = self._guard(shake.identity, shake.proof, now) if self._guard is not None else None
            if refused is not None:
                return refused
            link_id = LinkId(self._next)
            accepted = self.backend.accept(link_id, shake.identity, shake.subprotocols, now)
        except Exception as err:
            return self._die(f"judging the handshake of {shake.identity!r} raised {raised(err)}")
        self._arm_flush()
        if isinstance(accepted, Refusal):
            return accepted
        self._next += 1
        chosen = subprotocol_of(accepted)
        chosen = chosen if chosen in shake.subprotocols else None
        return Admission(ServerLink(self, link_id, shake, accepted, chosen), chosen)

    def count_handshake(self, status: int) -> None:
        """One handshake ended with this status."""
        self.counters.handshakes[status] = self.counters.handshakes.get(status, 0) + 1

    def link_opened(self, link: ServerLink) -> None:
        """A connection is up."""
        link.opened_at = self.clock.now()
        self._links[link.id] = link
        if self._wire is not None:
            self._wire.link_opened(link.opened_at, link.station, self.name, link.id, link.subprotocol)
        self._kept.add(link.opened_at, link.station, link.id, "open", link.peer)
        self._handle(link, Opened(link.id, link.subprotocol))

    def received(self, link: ServerLink, frame: bytes) -> None:
        """A frame of a station."""
        now = link.last = self.clock.now()
        link.frames_up += 1
        link.counts.up(frame)
        self._kept.add(now, link.station, link.id, "up", frame)
        if self._wire is not None:
            self._wire.frame(now, now, link.station, self.name, link.id, "up", frame)
        self._handle(link, Received(link.id, frame))

    def link_closed(self, link: ServerLink, reason: str) -> None:
        """A connection is over; one that we closed ourselves is known of already."""
        if self._links.pop(link.id, None) is None:
            return
        now = self.clock.now()
        if self._wire is not None:
            self._wire.link_closed(now, link.id, "network", reason)
        self._kept.add(now, link.station, link.id, "close", reason)
        self._handle(link, Closed(link.id, reason))

    def _handle(self, link: ServerLink, event: Event) -> None:
        if self.failed.done():
            return
        try:
            for effect in link.machine.handle(event, self.clock.now()):
                self._release(effect)
            if link.machine.next_deadline() is not None:
                self._arm_link(link)
        except Exception as err:
            self._die(f"handling {type(event).__name__} of {link.station!r} raised {raised(err)}")
        if not self._flush_armed:
            self._arm_flush()

    def _arm_link(self, link: ServerLink) -> None:
        deadline = link.machine.next_deadline()
        if deadline is not None and (link.armed is None or deadline < link.armed):
            link.armed = deadline
            self._loop.call_later(max(0.0, self.clock.real_s(deadline)), self._wake_link, link, deadline)

    def _wake_link(self, link: ServerLink, armed: int) -> None:
        if link.armed == armed and link.id in self._links:
            link.armed = None
            deadline = link.machine.next_deadline()
            if deadline is not None and deadline <= self.clock.now():
                self._handle(link, _TICK)
            else:
                self._arm_link(link)

    # -- groups and deadlines --------------------------------------------------------------------------------------

    def _arm_flush(self) -> None:
        if not self._flush_armed:
            self._flush_armed = True
            self._loop.call_soon(self._flush)

    def _flush(self) -> None:
        """The group of this turn of the loop: commit, then let everything go."""
        self._flush_armed = False
        if self.failed.done():
            return
        began = perf_counter()
        try:
            self.backend.flush(self.clock.now(), self._release)
        except Exception as err:
            self._die(f"a commit failed: {raised(err)}")
            return
        self.counters.groups += 1
        self.counters.commit_ms_total += (perf_counter() - began) * 1000
        self._arm()

    def _arm(self) -> None:
        deadline = self.backend.next_deadline()
        if deadline is not None and (self._timer_at is None or deadline < self._timer_at):
            if self._timer is not None:
                self._timer.cancel()
            self._timer_at = deadline
            self._timer = self._loop.call_later(max(0.0, self.clock.real_s(deadline)), self._tick)

    def _tick(self) -> None:
        self._timer = self._timer_at = None
        if self.failed.done():
            return
        try:
            deadline = self.backend.next_deadline()
            if deadline is not None and deadline <= self.clock.now():
                self.backend.tick(self.clock.now())
                self._arm_flush()
            else:
                self._arm()
        except Exception as err:
            self._die(f"doing what its own deadline asked for raised {raised(err)}")

    def _release(self, effect: Effect) -> None:
        kind = type(effect)
        if kind is Send:
            link = self._links.get(effect.link)  # type: ignore[union-attr]
            if link is not None and link.socket is not None:
                frame: bytes = effect.frame  # type: ignore[union-attr]
                now = self.clock.now()
                link.frames_down += 1
                link.counts.down(frame)
                self._kept.add(now, link.station, link.id, "down", frame)
                if self._wire is not None:
                    self._wire.frame(now, now, link.station, self.name, link.id, "down", frame)
                link.socket.send(frame)
        elif kind is Settle:
            waiting = self._waiting.pop(effect.call_id, None)  # type: ignore[union-attr, arg-type]
            if waiting is not None and not waiting.done():
                waiting.set_result(effect.outcome)  # type: ignore[union-attr]
        elif kind is Close:
            self._hang_up(effect.link, effect.reason)  # type: ignore[union-attr]
        elif kind is Tell:
            self._loop.create_task(self._ask(effect))  # type: ignore[arg-type]
        else:
            raise TypeError(f"back-end {self.name} released {effect!r}, which this runtime does not perform")

    def _hang_up(self, link_id: LinkId, reason: str) -> None:
        link = self._links.pop(link_id, None)
        if link is not None and link.socket is not None:
            now = self.clock.now()
            if self._wire is not None:
                self._wire.link_closed(now, link.id, "backend", reason)
            self._kept.add(now, link.station, link.id, "close", reason)
            link.socket.close(PROTOCOL_ERROR if reason == _NO_SUBPROTOCOL else NORMAL_CLOSURE, reason)

    async def _ask(self, tell: Tell) -> None:
        """What the back-end tells a partner; without partners it hears that there are none."""
        operation = Operation(tell.command.name, tell.command.args)
        if self._partners is None:
            outcome: Outcome = Refused("unknown-recipient", tell.to)
        else:
            try:
                outcome = await self._partners(tell.to, operation)
            except (OSError, TimeoutError) as err:
                outcome = Unknown(str(err))
        if tell.call_id is not None and not self.failed.done():
            cast(Asking, self.backend).settled(tell.call_id, outcome, self.clock.now())
            self._arm_flush()

    def _die(self, why: str) -> Refusal:
        """The back-end cannot go on: nothing that was staged leaves, and nobody is served any more."""
        self._stopping = why
        if not self.failed.done():
            self.failed.set_result(why)
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_result(Unknown(why))
        for link in list(self._links.values()):
            if link.socket is not None:
                link.socket.close(_INTERNAL_ERROR, "the back-end failed")
        self._links.clear()
        return Refusal(503, why)

    # -- what operators see ----------------------------------------------------------------------------------------

    def now(self) -> Instant:
        """The present instant."""
        return self.clock.now()

    def ready(self) -> str | None:
        """None if it serves, else why not."""
        return self._stopping

    async def operate(self, operation: Operation, timeout_s: float) -> Outcome:
        """Ask the back-end something. Unknown if no outcome came in time, or the back-end stopped meanwhile."""
        if self._stopping is not None:
            return Refused("unavailable", self._stopping)
        self._asked += 1
        call_id = f"op-{self._asked}"
        waiting = self._waiting[call_id] = self._loop.create_future()
        try:
            self.backend.operate(operation, call_id, self.clock.now())
        except Exception as err:
            self._die(f"taking the operation {operation.kind} raised {raised(err)}")
            return Unknown(self._stopping or "")
        self._arm_flush()
        try:
            return await asyncio.wait_for(waiting, timeout_s)
        except TimeoutError:
            return Unknown(f"no outcome within {timeout_s:g} s")
        finally:
            self._waiting.pop(call_id, None)

    def books(self) -> Books:
        """All books as plain rows, after what is staged has been committed."""
        with self._reading():
            return self.backend.books(self.clock.now())

    def page(
        self, what: str, after: str | None, limit: int, where: Mapping[str, Any] | None = None
    ) -> Sequence[tuple[str, Row]]:
        """Rows of one list, see `sim.showing`. Raises BadInput and KeyError."""
        with self._reading():
            page: Sequence[tuple[str, Row]] = self._showing.page(what, after, limit, self.clock.now(), where)
            return page

    def row(self, what: str, key: str) -> Row | None:
        """One row of a list. Raises KeyError for a list that there is not."""
        with self._reading():
            row: Row | None = self._showing.row(what, key, self.clock.now())
            return row

    def tally(self) -> dict[str, int]:
        """How many there are of what."""
        tally: dict[str, int] = self._showing.tally()
        return tally

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Look at the books: what is staged is committed first; if they are gone, so is the back-end."""
        if self._flush_armed:
            self._flush()
        try:
            yield
        except StoreFailed as err:
            self._die(f"reading the books failed: {raised(err)}")
            raise

    def quote(self, request: Row) -> Row:
        """A price without booking anything."""
        return self.backend.quote(request, self.clock.now())

    def connections(self) -> Sequence[ConnectionView]:
        """All living connections, in the order of their opening."""
        return [link.view() for link in self._links.values()]

    # -- the end ---------------------------------------------------------------------------------------------------

    async def stop(self, keeper: Keeper, why: str, patience_s: float = 5.0) -> None:
        """Take nobody in any more, commit what is staged, say goodbye, and wait until all are gone, or for so long."""
        self._stopping = self._stopping or why
        if not self.failed.done():
            self._flush()
        keeper.close_all(GOING_AWAY, why)
        until = self._loop.time() + patience_s
        while len(keeper) and self._loop.time() < until:
            await asyncio.sleep(0.02)
        keeper.cut_all(why)
        if not self.failed.done():
            self._flush()
        if self._timer is not None:
            self._timer.cancel()
        self._shedder.stop()
