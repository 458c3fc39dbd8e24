"""Shapes of load: who comes when, what befalls all, and which identities the processes share out."""

from __future__ import annotations

from itertools import pairwise

import pytest

from scenarios.load_run.plan import OPTIONS, LoadPlan, arguments_of, checked, destination, plan_of, station_names
from scenarios.load_run.shapes import CUT, OFFLINE, ONLINE, RESET, SAMPLE, SHAPES, Course
from scenarios.sockets.visits import Traffic
from sim.clock import SECOND
from sim.errors import BadInput

URL = "ws://127.0.0.1:9/ocpp/{id}"
COURSE = Course(100.0, 1.0, Traffic(session_s=10, gap_s=5), (1, 2), ("T1", "T2"), 1, (60, 20, 10, 5))


@pytest.mark.parametrize(
    ("shape", "moments"),
    [
        ("steady", []),
        ("spike", []),
        ("sweep", [(25.0, SAMPLE, 20), (50.0, SAMPLE, 10), (75.0, SAMPLE, 5)]),
        ("avalanche", [(25.0, OFFLINE, 0), (60.0, ONLINE, 0)]),
        ("reset", [(40.0, RESET, 0)]),
        ("storm", [(40.0, CUT, 0)]),
    ],
)
def test_what_befalls_all_stations_and_when(shape: str, moments: list[tuple[float, str, int]]) -> None:
    assert [(one.at_s, one.act, one.value) for one in SHAPES[shape](COURSE).moments()] == moments


@pytest.mark.parametrize("shape", sorted(SHAPES))
def test_visits_come_in_order_and_never_two_at_one_connector(shape: str) -> None:
    begin, end = 5 * SECOND, 100 * SECOND
    for number in range(20):
        visits = list(SHAPES[shape](COURSE).visits(f"CS-{number}", begin, end, 0))
        assert [visit.arrive for visit in visits] == sorted(visit.arrive for visit in visits)
        assert all(begin <= visit.arrive < visit.leave <= end for visit in visits)
        for connector in (1, 2):
            here = [visit for visit in visits if visit.connector == connector]
            assert all(before.leave < after.arrive for before, after in pairwise(here))


def test_in_a_spike_most_drivers_come_within_a_tenth_of_the_time() -> None:
    arrivals = [
        visit.arrive
        for number in range(200)
        for visit in SHAPES["spike"](COURSE).visits(f"CS-{number}", 0, 100 * SECOND, 0)
    ]
    crowd = sum(30 * SECOND <= at < 40 * SECOND for at in arrivals)
    assert len(arrivals) > 380 and crowd / len(arrivals) == pytest.approx(0.82, abs=0.06)


@pytest.mark.parametrize("generators", [1, 2, 3])
def test_however_users_are_spread_their_stations_are_announced_and_no_two_the_same(generators: int) -> None:
    names = station_names(LoadPlan(url=URL, generators=generators), 7)
    assert len(set(names)) == len(names) >= 7 and "CS-00001" in names


def test_the_options_of_a_plan_give_the_same_plan_in_a_process_of_locust() -> None:
    plan = LoadPlan(
        url=URL, shape="storm", sample_s=5, steps=(9, 3), tokens=("A", "B"), quiet_s=2.5, lasts_s=30.0, pace=2.5
    )
    said = dict(text.split("=", 1) for text in arguments_of(plan))
    options = {destination(option): said.get(option.name) for option in OPTIONS}
    assert plan_of(URL, options) == plan


@pytest.mark.parametrize(
    ("options", "part"),
    [({"rig_pace": "fast"}, "--pace"), ({"rig_shape": "no"}, "--shape"), ({"rig_steps": ""}, "--steps")],
)
def test_a_wrong_option_of_locust_is_one_sentence(options: dict[str, str], part: str) -> None:
    with pytest.raises(BadInput, match=part):
        plan_of(URL, options)
    with pytest.raises(BadInput, match="--host"):
        plan_of("http://x", {})
    assert checked(LoadPlan(url=URL)).shape == "steady"
