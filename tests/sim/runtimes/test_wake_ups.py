"""A Machine gets its tick at the very instant that it named last, be that near or far, and whatever it named before."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sim.clock import MINUTE, SECOND, Instant
from sim.machine import Command, Effect, Tick
from sim.runtimes.virtual import VirtualWorld


class _Silent:
    def note(self, *_: Any) -> None:
        pass

    frame = link_opened = link_closed = note


class Sleeper:
    """Names a deadline by the command `until{at}`, None for never, and keeps when it was woken."""

    def __init__(self) -> None:
        self.deadline: Instant | None = None
        self.woken: list[int] = []

    def handle(self, event: Any, now: Instant) -> list[Effect]:
        if isinstance(event, Command):
            self.deadline = event.args["at"]
        elif isinstance(event, Tick) and self.deadline is not None and self.deadline <= now:
            self.woken.append(now)
            self.deadline = None
        return []

    def next_deadline(self) -> Instant | None:
        return self.deadline


def woken_at(wishes: list[tuple[int, int | None]]) -> list[int]:
    """When somebody with these wishes (told at, deadline) is to be woken."""
    found: list[int] = []
    for n, (_, at) in enumerate(wishes):
        later = [told for told, _ in wishes[n + 1 :]]
        if at is not None and (not later or at < later[0]):
            found.append(at)
    return found


steps = st.lists(
    st.tuples(st.integers(1, 1500), st.one_of(st.none(), st.integers(1, 900), st.integers(1000, 20_000))),
    min_size=1,
    max_size=12,
)


@given(steps)
@settings(max_examples=200, deadline=None)
def test_a_tick_comes_when_it_was_wanted(steps: list[tuple[int, int | None]]) -> None:
    world, sleeper = VirtualWorld(Instant(0), 7, _Silent(), _Silent(), (10, 10)), Sleeper()
    world.add("sleeper", sleeper)
    told, wishes = 0, []
    for gap, ahead in steps:
        told += gap
        wishes.append((told, None if ahead is None else told + ahead))
        world.at(told, world.send_command, "sleeper", Command("until", {"at": wishes[-1][1]}))
    world.run(Instant(told + MINUTE))
    ties = [at for told_at, at in wishes if any(at == other for other, _ in wishes)]
    assert [at for at in sleeper.woken if at not in ties] == [at for at in woken_at(wishes) if at not in ties]


def test_a_near_wish_after_a_far_one_within_the_same_second_is_not_forgotten() -> None:
    world, sleeper = VirtualWorld(Instant(0), 7, _Silent(), _Silent(), (10, 10)), Sleeper()
    world.add("sleeper", sleeper)
    world.add("other", Sleeper())
    for told, name, wanted in ((100, "sleeper", 10 * SECOND), (200, "sleeper", 300), (600, "other", None)):
        world.at(told, world.send_command, name, Command("until", {"at": wanted}))
    world.run(Instant(MINUTE))
    assert sleeper.woken == [300]
