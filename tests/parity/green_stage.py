"""The same play with the stations on gevent: the back-end lives on asyncio in a thread of its own, behind its sockets."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

from fleet.rig import Rig
from reference_csms import assemble
from sim.backend import Operation
from sim.clock import SECOND, Instant
from sim.evidence.truth import TruthRecorder
from sim.machine import Command, Effect, Event, Settle
from sim.runtimes.aio import Clock
from sim.runtimes.aio_backend import BackEndHost
from sim.runtimes.channel import Keeper, Limits
from sim.runtimes.greenlet import GreenWorld, green_lines, wait_until
from sim.runtimes.websocket_server import listen
from tests.parity import stages

_TIMEOUT_S = 30.0


class Elsewhere:
    """A back-end on the loop of another thread; `url` is where its stations dial."""

    def __init__(self, stories: Sequence[stages.Story], clock: Clock) -> None:
        self._clock = clock
        self._stories = stories
        self._up = threading.Event()
        self._over: asyncio.Event
        self.url = ""
        self.books: Any = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._live()))
        self._thread.start()
        assert self._up.wait(_TIMEOUT_S)

    async def _live(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        self._host = BackEndHost(assemble(stages.setup(self._stories)), self._clock)
        keeper = Keeper(Limits())
        server = await listen("127.0.0.1", 0, keeper, self._host.judge, self._host.count_handshake)
        self.url = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ocpp"
        self._up.set()
        await self._over.wait()
        self.books = self._host.books()
        assert not self._host.failed.done()
        server.close()
        await self._host.stop(keeper, "the play is over")

    def ask(self, operation: Operation) -> Any:
        """The future of its outcome."""
        return asyncio.run_coroutine_threadsafe(self._host.operate(operation, _TIMEOUT_S), self._loop)

    def end(self) -> None:
        """It is over; its books are there."""
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(_TIMEOUT_S)
        assert self.books is not None


class Desk:
    """Stands in the world for that back-end: passes on what it is told, and settles when the outcome is there."""

    def __init__(self, backend: Elsewhere, world: GreenWorld) -> None:
        self._backend = backend
        self._world = world

    def handle(self, event: Event, now: Instant) -> list[Effect]:
        assert isinstance(event, Command)
        args = dict(event.args)
        call_id = args.pop("call_id")
        if event.name == "outcome":
            return [Settle(call_id, args["outcome"])]
        self._world.aside(self._wait, call_id, self._backend.ask(Operation(event.name, args)))
        return []

    def next_deadline(self) -> Instant | None:
        return None

    def _wait(self, call_id: str, outcome: Any) -> None:
        assert wait_until(outcome.done, _TIMEOUT_S)
        self._world.send_command(stages.CSMS, Command("outcome", {"call_id": call_id, "outcome": outcome.result()}))


class GreenStage:
    """Real sockets on gevent."""

    def play(self, stories: Sequence[stages.Story], seconds: float) -> stages.Played:
        clock = Clock(stages.BEGIN, stages.PACE)
        backend = Elsewhere(stories, clock)
        try:
            wire, truth, hand = stages.Wire(), TruthRecorder(), stages.Hand()
            lines = green_lines(clock.now, wire, Limits())
            world = GreenWorld(clock, truth, lines)
            world.add(stages.CSMS, Desk(backend, world))
            world.add("operator", hand)
            world.add(stages.SOMEONE, stages.Someone())
            for story in stories:
                world.add(f"rig:{story.station}", Rig(stages.config(story, backend.url), stages.BEGIN))
            stages.direct(stories, world.at, stages.acts_on(world))
            world.live(Instant(stages.BEGIN + int(seconds * SECOND)))
            lines.keeper.cut_all("the play is over")
        finally:
            backend.end()
        return stages.played(wire, truth, hand, backend.books)
