"""Machines on asyncio: deadlines, commands and outcomes between Machines, operators, and mistakes that raise loudly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sim.backend import Operation
from sim.clock import SECOND, Instant
from sim.machine import Answered, Command, Effect, Event, Note, Outcome, Refused, Settle, Settled, Tell, Tick
from sim.runtimes.aio import AioWorld, Clock
from sim.runtimes.aio_lag import Lag
from sim.runtimes.aio_ledger import CallLedger, Latencies, LinkLedger
from sim.runtimes.aio_lines import Lines
from sim.runtimes.channel import Keeper, Limits


class Nothing:
    """A wire and a truth that forget everything but notes."""

    def __init__(self) -> None:
        self.notes: list[dict[str, Any]] = []

    def frame(self, *row: Any) -> None: ...

    def link_opened(self, *row: Any) -> None: ...

    def link_closed(self, *row: Any) -> None: ...

    def note(self, kind: str, fields: dict[str, Any]) -> None:
        self.notes.append(fields)


class Clockwork:
    """Ticks a few times and remembers when; answers commands by what it was told to."""

    def __init__(self, at: Sequence[int] = (), answer: Callable[[Event], list[Effect]] = lambda event: []) -> None:
        self.due = list(at)
        self.seen: list[tuple[Event, Instant]] = []
        self._answer = answer

    def handle(self, event: Event, now: Instant) -> Sequence[Effect]:
        self.seen.append((event, now))
        if isinstance(event, Tick):
            self.due = [at for at in self.due if at > now]
        return self._answer(event)

    def next_deadline(self) -> Instant | None:
        return Instant(min(self.due)) if self.due else None


def live(build: Callable[[AioWorld], None], seconds: float = 1.0, pace: float = 20.0) -> Nothing:
    """Let a world live for some seconds of its own time."""

    async def run() -> Nothing:
        nothing, clock = Nothing(), Clock(Instant(0), pace)
        world = AioWorld(clock, nothing, Lines(clock.now, nothing, Keeper(Limits())))
        build(world)
        await world.run(Instant(int(seconds * SECOND)))
        return nothing

    return asyncio.run(run())


def test_deadlines_are_served_in_order_and_never_early() -> None:
    machine = Clockwork([100, 300, 200])
    live(lambda world: world.add("m", machine))
    times = [now for event, now in machine.seen if isinstance(event, Tick)]
    assert times[0] >= 100 and times == sorted(times) and machine.due == []  # a late loop serves several by one tick
    assert 1 <= len(times) <= 3


def test_an_earlier_deadline_named_later_is_served_first() -> None:
    machine = Clockwork([900])

    def build(world: AioWorld) -> None:
        world.add("m", machine)
        machine.due.append(100)
        world.send_command("m", Command("look", {}))

    live(build)
    ticks = [now for event, now in machine.seen if isinstance(event, Tick)]
    assert len(ticks) == 2 and 100 <= ticks[0] < 900


def test_a_command_with_a_call_id_is_settled_for_who_asked() -> None:
    def settle(event: Event) -> list[Effect]:
        return [Settle(event.args["call_id"], Answered(1))] if isinstance(event, Command) else []

    def ask(event: Event) -> list[Effect]:
        return (
            [Tell("b", Command("do", {}), "c1"), Tell("nobody", Command("do", {}), "c2")]
            if isinstance(event, Tick)
            else []
        )

    asker = Clockwork([10], ask)

    def build(world: AioWorld) -> None:
        world.add("a", asker)
        world.add("b", Clockwork((), settle))

    live(build)
    settled = {event.call_id: event.outcome for event, _ in asker.seen if isinstance(event, Settled)}
    assert settled == {"c1": Answered(1), "c2": Refused("unknown-recipient", "nobody")}


def test_an_operator_is_asked_and_its_outcome_comes_back() -> None:
    class Operator:
        async def operate(self, operation: Operation, timeout_s: float) -> Outcome:
            return Answered(operation.kind)

    asker = Clockwork(
        [10], lambda event: [Tell("csms", Command("app-start", {}), "c")] if isinstance(event, Tick) else []
    )

    def build(world: AioWorld) -> None:
        world.add_operator("csms", Operator())
        world.add("a", asker)

    live(build)
    assert [event.outcome for event, _ in asker.seen if isinstance(event, Settled)] == [Answered("app-start")]


def test_what_a_machine_raises_ends_the_world_loudly() -> None:
    def break_down(event: Event) -> list[Effect]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        live(lambda world: world.add("m", Clockwork([10], break_down)))


def test_an_effect_that_nobody_performs_is_a_mistake_of_ours() -> None:
    odd: Any = object()
    with pytest.raises(TypeError, match="does not perform"):
        live(lambda world: world.add("m", Clockwork([10], lambda event: [odd])))


def test_a_machine_that_was_removed_hears_nothing_more() -> None:
    machine = Clockwork([500])

    def build(world: AioWorld) -> None:
        world.add("m", machine)
        world.at(100, world.remove, "m")

    live(build)
    assert machine.seen == []


def test_notes_reach_the_truth() -> None:
    note = Note("events", {"at": 1})
    nothing = live(lambda world: world.add("m", Clockwork([10], lambda event: [note])))
    assert nothing.notes == [{"at": 1}]


def test_lag_is_told_in_real_time() -> None:
    lag = Lag(pace=10.0)
    for late in (0, 5, 900, 40):
        lag.measure(late)
    assert lag.worst_ms == 90.0 and lag.quantile(1.0) == 90.0 and lag.quantile(0.5) <= 4
    assert (lag.recent(), lag.recent()) == (90.0, 0.0)


def test_quantiles_of_latencies_are_right_to_five_percent() -> None:
    times = Latencies()
    for ms in range(1, 1001):
        times.add(float(ms))
    for share in (0.5, 0.95, 0.99):
        assert times.quantile(share) == pytest.approx(share * 1000, rel=0.06)
    assert times.worst == 1000.0


def test_a_result_that_says_no_is_no_success_and_an_answer_to_nothing_counts_nowhere() -> None:
    ledger = CallLedger()
    link = LinkLedger(ledger, "CS-1")
    for id, action in (("1", "StartTransaction"), ("2", "StartTransaction"), ("3", "Heartbeat"), ("4", "MeterValues")):
        link.up(f'[2,"{id}","{action}",{{}}]'.encode())
    link.down(b'[3,"1",{"transactionId":1,"idTagInfo":{"status":"Accepted"}}]')
    link.down(b'[3,"2",{"transactionId":0,"idTagInfo":{"status":"ConcurrentTx"}}]')
    link.down(b'[4,"3","InternalError","",{}]')
    link.down(b'[3,"9",{}]')
    link.over()
    total = ledger.total()
    assert (total.sent, total.answered, total.accepted, total.refused, total.errors, total.lost) == (4, 2, 1, 1, 1, 1)


def test_what_a_station_sends_before_it_is_accepted_is_refused_and_afterwards_it_is_an_error() -> None:
    ledger = CallLedger()
    link = LinkLedger(ledger, "CS-1")
    refusal = b'[4,"1","SecurityError","not accepted",{}]'
    boot, status = b'[2,"2","BootNotification",{}]', b'[2,"1","StatusNotification",{}]'
    for answer, refused, errors in ((b'"Pending"', 1, 0), (b'"Accepted"', 2, 0)):
        link.up(status)
        link.down(refusal)
        assert (ledger.of("StatusNotification").refused, ledger.of("StatusNotification").errors) == (refused, errors)
        link.up(boot)
        link.down(b'[3,"2",{"status":' + answer + b"}]")
    link.up(status)
    link.down(refusal)
    assert ledger.of("StatusNotification").errors == 1, "an accepted station is not to be refused so"
