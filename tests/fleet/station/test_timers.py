"""The deadlines of a station: earliest first, lower slots first, and the awaited answer before them."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from fleet.station.timers import NEVER, Timers


def logged(timers: Timers, count: int, log: list[int]) -> list[int]:
    """Slots that note down when they were called."""

    def call(number: int) -> Callable[[], None]:
        return lambda: log.append(number)

    return [timers.slot(call(number)) for number in range(count)]


def test_nothing_is_due_before_anything_was_set() -> None:
    timers, log = Timers(), list[int]()
    logged(timers, 2, log)
    timers.fire(NEVER - 1)
    assert log == []
    assert timers.earliest() == NEVER


def test_what_is_due_is_called_the_earliest_first_and_the_lower_slot_of_one_instant_first() -> None:
    timers, log = Timers(), list[int]()
    first, second, third = logged(timers, 3, log)
    timers.set(third, 5)
    timers.set(second, 7)
    timers.set(first, 7)
    timers.fire(7)
    assert log == [third, first, second]
    assert timers.earliest() == NEVER


def test_a_slot_may_be_moved_and_cleared() -> None:
    timers, log = Timers(), list[int]()
    one, other = logged(timers, 2, log)
    timers.set(one, 5)
    timers.set(other, 9)
    assert timers.earliest() == 5
    timers.set(one, 20)
    assert timers.earliest() == 9
    timers.set(other, NEVER)
    assert timers.earliest() == 20
    timers.fire(19)
    assert log == []


def test_a_call_may_set_its_own_slot_again_for_later() -> None:
    timers, calls = Timers(), list[int]()

    def again() -> None:
        calls.append(timers.earliest())
        timers.set(slot, 10)

    slot = timers.slot(again)
    timers.set(slot, 5)
    timers.fire(5)
    assert calls == [NEVER]  # cleared before its call
    assert timers.earliest() == 10


def test_the_answer_that_does_not_come_goes_before_a_slot_of_the_same_instant() -> None:
    timers, log = Timers(), list[int]()
    (slot,) = logged(timers, 1, log)
    timers.on_no_answer = lambda: log.append(-1)
    timers.set(slot, 5)
    timers.answer = 5
    assert timers.earliest() == 5
    timers.fire(5)
    assert log == [-1, slot]
    assert timers.answer == NEVER


@given(st.lists(st.tuples(st.integers(0, 9), st.one_of(st.integers(0, 50), st.just(NEVER))), max_size=30))
def test_the_earliest_is_the_least_of_all_that_is_set(steps: list[tuple[int, int]]) -> None:
    timers = Timers()
    slots = logged(timers, 10, [])
    known: dict[int, int] = {}
    for place, when in steps:
        timers.set(slots[place], when)
        known[place] = when
        assert timers.earliest() == min(known.values())
