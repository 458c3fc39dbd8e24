"""A technician: one station after the other, within working hours, and the same visit never twice."""

from __future__ import annotations

from fleet.technician import Technician
from sim.clock import HOUR, MINUTE, Instant
from sim.machine import Answered, Command, Effect, Refused, Settle, Tell, Tick

DAY = (Instant(8 * HOUR), Instant(10 * HOUR))


class Person:
    def __init__(self, *hours: tuple[Instant, Instant]) -> None:
        self.technician = Technician(3, hours or (DAY,))
        self.out: list[tuple[int, Effect]] = []

    def ask(self, at: int, station: str, url: str = "ws://new", site: str = "hall", id: str = "") -> None:
        args = {"station": station, "site": site, "url": url, "errand": url, "call_id": id or f"c-{station}"}
        self.out += [(at, effect) for effect in self.technician.handle(Command("visit", args), Instant(at))]

    def run(self) -> None:
        while (at := self.technician.next_deadline()) is not None:
            self.out += [(at, effect) for effect in self.technician.handle(Tick(), at)]

    def set_at(self) -> list[tuple[int, str]]:
        return [(at, effect.to) for at, effect in self.out if isinstance(effect, Tell)]

    def settled(self) -> dict[str, object]:
        return {effect.call_id: effect.outcome for _, effect in self.out if isinstance(effect, Settle)}


def test_stations_are_visited_one_after_the_other_and_each_takes_minutes() -> None:
    person = Person()
    for name in ("A", "B", "C"):
        person.ask(9 * HOUR, name)
    person.run()
    times = [at for at, _ in person.set_at()]
    assert [to for _, to in person.set_at()] == ["rig:A", "rig:B", "rig:C"]
    assert all(later - before >= 4 * MINUTE for before, later in zip([9 * HOUR, *times], times, strict=False))
    assert all(isinstance(outcome, Answered) for outcome in person.settled().values())


def test_nobody_goes_before_the_working_day_begins() -> None:
    person = Person()
    person.ask(6 * HOUR, "A")
    person.run()
    assert person.set_at()[0][0] >= 8 * HOUR + 4 * MINUTE


def test_what_does_not_fit_into_the_working_day_is_refused_or_waits_for_the_next_one() -> None:
    person = Person()
    person.ask(10 * HOUR - MINUTE, "A")
    assert isinstance(person.settled()["c-A"], Refused)
    person = Person(DAY, (Instant(32 * HOUR), Instant(34 * HOUR)))
    person.ask(10 * HOUR - MINUTE, "A")
    person.run()
    assert person.set_at()[0][0] > 32 * HOUR


def test_the_same_visit_asked_for_again_is_made_once_and_the_last_asker_is_told() -> None:
    """A migration tool that died asks again."""
    person = Person()
    person.ask(9 * HOUR, "A", id="first")
    person.ask(9 * HOUR + MINUTE, "A", id="second")
    person.run()
    person.ask(9 * HOUR + 30 * MINUTE, "A", id="third")
    assert len(person.set_at()) == 1
    assert list(person.settled()) == ["second", "third"]


def test_the_way_back_is_another_visit() -> None:
    person = Person()
    person.ask(9 * HOUR, "A")
    person.run()
    person.ask(9 * HOUR + 30 * MINUTE, "A", url="ws://legacy", id="back")
    person.run()
    assert len(person.set_at()) == 2
