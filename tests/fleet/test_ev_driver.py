"""The driver's story, told with a hand-made rig and app: what they do, and what the one row says of it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fleet.ev_driver import EvDriver
from fleet.visits import BLOCKED_TOKEN, Visit
from sim.clock import HOUR, MINUTE, SECOND, Instant
from sim.evidence.schema import TRUTH
from sim.machine import Answered, Command, Note, Refused, Settled, Tell, Tick, Unknown

NOON = 1_560_340_800_000


def a_visit(**changes: Any) -> Visit:
    base = Visit(
        visit_id="v0001",
        site="yard",
        station="CA-305",
        connector=1,
        driver="driver-1",
        token="04AABBCC",
        mobile="+4741234567",
        group="staff",
        customer="C123456",
        contract=True,
        channel="rfid",
        arrive=Instant(NOON),
        leave=Instant(NOON + 4 * HOUR),
        energy_wh=10_000,
        power_w=7_200,
    )
    return replace(base, **changes)


class Bench:
    """Runs one driver through time; `answer` plays rig, station and app."""

    def __init__(self, visit: Visit, seed: int = 1) -> None:
        self.driver = EvDriver(visit, seed)
        self.visit = visit
        self.now = visit.arrive - HOUR
        self.said: list[tuple[int, str, dict[str, Any], str | None]] = []
        self.notes: list[dict[str, Any]] = []

    def give(self, event: Command | Settled | Tick) -> None:
        for effect in self.driver.handle(event, Instant(self.now)):
            if isinstance(effect, Tell):
                name = f"{effect.to.partition(':')[0]}.{effect.command.name}"
                self.said.append((self.now, name, effect.command.args, effect.call_id))
            else:
                assert isinstance(effect, Note) and effect.kind == "visits"
                self.notes.append(effect.fields)
        due = self.driver.next_deadline()
        assert due is None or due > self.now

    def show(self, text: str, **more: Any) -> None:
        self.give(Command("display", {"connector": self.visit.connector, "text": text, **more}))

    def until(self, *names: str) -> str:
        """Let time pass until the driver says one of these."""
        while True:
            due = self.driver.next_deadline()
            assert due is not None, f"the driver never says {names}"
            self.now = due
            before = len(self.said)
            self.give(Tick())
            for _, name, _, _ in self.said[before:]:
                if name in names:
                    return name

    def finish(self) -> dict[str, Any]:
        while (due := self.driver.next_deadline()) is not None:
            self.now = due
            self.give(Tick())
        assert len(self.notes) == 1
        return self.notes[0]

    def names(self) -> list[str]:
        return [name for _, name, _, _ in self.said]


def seed_who(stop_by: str, visit: Visit) -> int:
    return next(seed for seed in range(100) if EvDriver(visit, seed).habits.stop_by == stop_by)


def test_a_good_visit_is_plug_swipe_charge_swipe_unplug_and_one_row() -> None:
    visit = a_visit()
    bench = Bench(visit, seed_who("swipe", visit))
    assert bench.driver.name == "driver:v0001" and bench.driver.next_deadline() == visit.arrive
    bench.until("rig.swipe")
    assert bench.said[0] == (
        visit.arrive,
        "rig.plug",
        {"connector": 1, "visit_id": "v0001", "driver": "driver:v0001", "energy_wh": 10_000, "power_w": 7_200},
        None,
    )
    assert bench.said[1][2] == {"connector": 1, "token": "04AABBCC"}
    swiped = bench.now
    bench.show("authorized")
    bench.show("charging")
    bench.show("suspended")
    bench.until("rig.swipe")
    assert visit.leave - 40 * SECOND <= bench.now < visit.leave
    bench.show("finished", wh=10_000)
    row = bench.finish()
    assert bench.names() == ["rig.plug", "rig.swipe", "rig.swipe", "rig.unplug"]
    assert bench.said[-1][0] == visit.leave == row["unplugged_at"]
    assert tuple(row) == TRUTH["truth_visits"]
    assert {key: row[key] for key in ("outcome", "attempts", "refusals", "interrupted", "lost_ms", "delivered_wh")} == {
        "outcome": "charged",
        "attempts": 1,
        "refusals": 0,
        "interrupted": 0,
        "lost_ms": 0,
        "delivered_wh": 10_000,
    }
    assert (row["plugged_at"], row["started_at"], row["note"]) == (visit.arrive, swiped, "")


def test_an_app_user_starts_and_stops_by_app_under_call_ids_of_their_own() -> None:
    visit = a_visit(channel="app")
    bench = Bench(visit, seed_who("app", visit))
    bench.until("app.start")
    where = {"mobile": "+4741234567", "station": "CA-305", "connector": 1}
    assert bench.said[-1][2:] == (where, "v0001/start-1")
    bench.give(Settled("v0001/start-1", Answered({"status": "Accepted"})))
    bench.show("charging")
    bench.until("app.stop")
    assert bench.said[-1][2:] == (where, "v0001/stop")
    bench.give(Settled("v0001/stop", Refused("Rejected")))
    assert bench.finish()["outcome"] == "charged"


def test_who_just_unplugs_hears_the_last_word_of_the_display() -> None:
    visit = a_visit()
    bench = Bench(visit, seed_who("unplug", visit))
    bench.until("rig.swipe")
    bench.show("charging")
    bench.until("rig.unplug")
    assert not bench.notes
    bench.show("finished", wh=4_321)
    row = bench.finish()
    assert bench.names() == ["rig.plug", "rig.swipe", "rig.unplug"]
    assert (row["delivered_wh"], row["interrupted"]) == (4_321, 0)


def test_energy_the_display_did_not_tell_stays_null() -> None:
    bench = Bench(a_visit())
    bench.until("rig.swipe")
    bench.show("charging")
    bench.until("rig.unplug")
    assert bench.finish()["delivered_wh"] is None


def test_a_refused_contract_driver_takes_the_other_way_and_loses_the_time_between() -> None:
    bench = Bench(a_visit())
    bench.until("rig.swipe")
    first = bench.now
    bench.now += SECOND
    bench.show("refused")
    assert bench.until("app.start", "rig.swipe") == "app.start"
    assert 15 * SECOND <= bench.now - first <= 42 * SECOND
    bench.now += 2 * SECOND
    bench.show("authorized")
    lost = bench.now - first
    row = bench.finish()
    assert (row["refusals"], row["attempts"], row["outcome"], row["lost_ms"]) == (1, 2, "charged", lost)


def test_the_display_and_the_app_saying_no_to_the_same_try_is_one_refusal() -> None:
    bench = Bench(a_visit(channel="app"))
    bench.until("app.start")
    bench.show("refused")
    bench.give(Settled("v0001/start-1", Refused("Rejected")))
    bench.until("rig.swipe")
    bench.show("charging")
    assert bench.finish()["refusals"] == 1


@pytest.mark.parametrize(
    ("outcome", "refusals"),
    [(Refused("no-such-station"), 1), (Answered({"status": "Rejected"}), 1), (Unknown("timeout"), 0)],
)
def test_the_answer_of_the_app_counts_as_no_only_when_it_is_one(outcome: Any, refusals: int) -> None:
    bench = Bench(a_visit(channel="app"))
    bench.until("app.start")
    bench.give(Settled("v0001/start-1", outcome))
    asked = bench.now
    assert bench.until("rig.swipe") == "rig.swipe"
    waited = bench.now - asked
    assert waited < 41 * SECOND if refusals else waited >= 75 * SECOND
    bench.show("charging")
    assert bench.finish()["refusals"] == refusals


def test_without_an_answer_tries_are_first_quick_then_now_and_then_and_end_with_the_visit() -> None:
    visit = a_visit()
    bench = Bench(visit)
    row = bench.finish()
    tries = [at for at, name, _, _ in bench.said if name in ("rig.swipe", "app.start")]
    gaps = [later - earlier for earlier, later in pairwise(tries)]
    assert len(tries) == row["attempts"] == bench.driver.habits.attempts
    assert all(gap <= 3 * MINUTE for gap in gaps[:2])
    assert all(10 * MINUTE <= gap <= 22 * MINUTE for gap in gaps[2:])
    assert (row["outcome"], row["refusals"], row["started_at"], row["delivered_wh"]) == ("refused", 0, None, 0)
    assert row["lost_ms"] == visit.leave - tries[0]


def test_guests_have_no_card_and_stay_with_the_app() -> None:
    bench = Bench(a_visit(channel="app", contract=False, token="GUEST-0A0B0C0D"))
    bench.finish()
    assert "rig.swipe" not in bench.names()


def test_a_session_ended_by_somebody_else_is_an_interruption_and_is_started_anew() -> None:
    visit = a_visit()
    bench = Bench(visit)
    bench.until("rig.swipe")
    bench.show("charging")
    bench.now += HOUR
    cut = bench.now
    bench.show("finished", wh=3_000)
    bench.until("rig.swipe")
    again = bench.now
    assert 20 * SECOND <= again - cut <= 2 * MINUTE
    bench.show("charging")
    bench.until("rig.unplug")
    bench.show("finished", wh=5_000)
    row = bench.finish()
    assert (row["interrupted"], row["delivered_wh"], row["lost_ms"]) == (1, 8_000, again - cut)


@pytest.mark.parametrize(
    ("suspended", "finished"),
    [({"by": "ev"}, {"wh": 9_990}), (None, {"wh": 10_000}), ({}, {}), ({"by": "ev"}, {})],
)
def test_a_session_ended_with_the_energy_in_harms_nobody(
    suspended: dict[str, Any] | None, finished: dict[str, Any]
) -> None:
    bench = Bench(a_visit())
    bench.until("rig.swipe")
    bench.show("charging")
    if suspended is not None:
        bench.show("suspended", **suspended)
    bench.show("finished", **finished)
    row = bench.finish()
    assert (row["interrupted"], row["lost_ms"], row["attempts"], row["note"]) == (0, 0, 1, "ended-when-full")


@pytest.mark.parametrize(("suspended", "finished"), [({"by": "evse"}, {}), ({}, {"wh": 2_000})])
def test_power_withheld_by_the_station_is_not_a_full_ev(suspended: dict[str, Any], finished: dict[str, Any]) -> None:
    bench = Bench(a_visit())
    bench.until("rig.swipe")
    bench.show("charging")
    bench.show("suspended", **suspended)
    bench.show("finished", **finished)
    assert bench.until("rig.swipe") == "rig.swipe"
    bench.show("charging")
    assert bench.finish()["interrupted"] == 1


def test_an_occupied_connector_is_time_lost_until_it_is_free() -> None:
    visit = a_visit()
    bench = Bench(visit)
    bench.until("rig.plug")
    bench.show("unavailable", occupied=True)
    bench.until("rig.plug")
    assert bench.now == visit.arrive + MINUTE
    bench.until("rig.swipe")
    bench.show("charging")
    lost = bench.now - visit.arrive
    row = bench.finish()
    assert (row["lost_ms"], row["plugged_at"], row["outcome"]) == (lost, visit.arrive + MINUTE, "charged")


def test_who_never_finds_the_connector_free_left_without_a_try() -> None:
    visit = a_visit(leave=Instant(NOON + 10 * MINUTE))
    bench = Bench(visit)
    while bench.driver.next_deadline() is not None:
        bench.now = bench.driver.next_deadline() or 0
        said = len(bench.said)
        bench.give(Tick())
        if any(name == "rig.plug" for name in bench.names()[said:]):
            bench.show("unavailable", occupied=True)
    row = bench.notes[0]
    assert (row["outcome"], row["attempts"], row["plugged_at"], row["unplugged_at"]) == ("left", 0, None, None)
    assert row["lost_ms"] == 10 * MINUTE and "rig.unplug" not in bench.names()


def test_an_ev_that_wants_nothing_loses_nothing() -> None:
    bench = Bench(a_visit(energy_wh=0))
    row = bench.finish()
    assert (row["outcome"], row["lost_ms"]) == ("refused", 0) and row["attempts"] > 1


def test_a_visit_of_thirty_seconds_is_plug_try_and_leave() -> None:
    visit = a_visit(energy_wh=0, leave=Instant(NOON + 30 * SECOND))
    bench = Bench(visit)
    bench.until("rig.swipe")
    assert bench.now <= visit.arrive + 5 * SECOND
    bench.show("suspended")
    bench.until("rig.unplug")
    assert bench.now == visit.leave
    bench.show("finished", wh=0)
    assert bench.finish()["delivered_wh"] == 0


def test_a_blocked_driver_keeps_the_mark_in_the_row() -> None:
    bench = Bench(a_visit(leave=Instant(NOON + 5 * MINUTE), note=BLOCKED_TOKEN))
    bench.until("rig.swipe")
    bench.show("refused")
    row = bench.finish()
    assert (row["outcome"], row["note"]) == ("refused", BLOCKED_TOKEN) and row["refusals"] >= 1


def test_a_late_yes_after_patience_ran_out_is_taken() -> None:
    bench = Bench(a_visit())
    bench.until("rig.swipe")
    bench.now = bench.driver.next_deadline() or 0
    bench.give(Tick())
    bench.now += SECOND
    bench.show("charging")
    row = bench.finish()
    assert (row["attempts"], row["outcome"]) == (1, "charged")


def test_the_display_of_another_connector_is_not_read() -> None:
    bench = Bench(a_visit())
    bench.until("rig.swipe")
    bench.give(Command("display", {"connector": 2, "text": "charging"}))
    assert bench.finish()["outcome"] == "refused"


def test_who_is_still_there_at_harvest_tells_the_visit_once() -> None:
    bench = Bench(a_visit())
    assert bench.driver.final_notes(Instant(NOON - HOUR)) == []
    bench.until("rig.swipe")
    bench.show("charging")
    (note,) = bench.driver.final_notes(Instant(NOON + HOUR))
    assert (note.fields["outcome"], note.fields["unplugged_at"], note.fields["delivered_wh"]) == ("charged", None, None)
    assert bench.driver.final_notes(Instant(NOON + HOUR)) == [] and bench.driver.next_deadline() is None


EVENTS = st.sampled_from(
    [
        "authorized",
        "charging",
        "suspended",
        "refused",
        "finished",
        "unavailable",
        "occupied",
        "no-answer",
        "app-no",
        "-",
    ]
)


@given(
    st.lists(st.tuples(EVENTS, st.integers(0, 20 * MINUTE)), max_size=25),
    st.integers(0, 30),
    st.integers(1, 6 * HOUR),
    st.sampled_from(["app", "rfid"]),
)
@settings(max_examples=150, deadline=None)
def test_whatever_the_display_shows_the_visit_ends_in_one_plausible_row(
    story: list[tuple[str, int]], seed: int, length: int, channel: str
) -> None:
    visit = a_visit(leave=Instant(NOON + length), channel=channel)
    bench = Bench(visit, seed)
    bench.now = visit.arrive
    for text, later in story:
        bench.give(Tick())
        if text == "app-no":
            bench.give(Settled(f"v0001/start-{bench.names().count('app.start')}", Refused("Rejected")))
        elif text == "occupied":
            bench.show("unavailable", occupied=True)
        elif text != "-":
            bench.show(text)
        target = bench.now + later
        while (due := bench.driver.next_deadline()) is not None and due <= target:
            bench.now = due
            bench.give(Tick())
        bench.now = target
    row = bench.finish()
    assert 0 <= row["lost_ms"] <= length
    assert row["refusals"] <= row["attempts"] <= bench.driver.habits.attempts
    assert (row["outcome"] == "charged") == (row["started_at"] is not None)
    assert (row["unplugged_at"] is None) == (row["plugged_at"] is None)
    assert bench.names().count("rig.unplug") <= 1
    assert all(at <= visit.leave for at, name, _, _ in bench.said)


def test_the_same_seed_tells_the_same_story() -> None:
    said = []
    for _ in range(2):
        bench = Bench(a_visit(), 7)
        bench.finish()
        said.append(bench.said)
    assert said[0] == said[1]
