"""Every visit gets a driver who can be there, enough of them use the app, and everybody's papers are their own."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.people import Registry, mobile_number
from fleet.population import LEAST_POWER_W, Population, populate, tokens
from fleet.visits import BLOCKED_TOKEN, RawVisit, assert_nowhere_twice
from sim.clock import DAY, HOUR, MINUTE, SECOND, Instant
from sim.errors import BadInput
from sim.rng import stream

GROUPS = {"none": 0.6, "staff": 0.25, "resident": 0.15}
START = 18_000 * DAY


def raw(number: int, station: str, arrive: int, minutes: int, **changes: object) -> RawVisit:
    fields: dict[str, object] = {
        "visit_id": f"v{number:04d}",
        "line": number,
        "site": "north" if number % 3 else "south",
        "station": station,
        "connector": 1,
        "arrive": Instant(START + arrive * MINUTE),
        "leave": Instant(START + (arrive + minutes) * MINUTE),
        "energy_wh": min(8000, 7400 * minutes // 60),
        "limit_w": 7400,
        "registered": True,
    }
    return RawVisit(**{**fields, **changes})  # type: ignore[arg-type]


def a_day(count: int = 60) -> list[RawVisit]:
    return [
        raw(n, f"S{n % 20}", (n // 20) * 400 + (n % 20) * 7, 240, registered=n % 9 != 0) for n in range(1, count + 1)
    ]


@st.composite
def days(draw: st.DrawFn) -> list[RawVisit]:
    """Visits that never share a connector: each station's follow one another."""
    made: list[RawVisit] = []
    for station in range(draw(st.integers(1, 6))):
        at = draw(st.integers(0, 600))
        for _ in range(draw(st.integers(0, 5))):
            minutes = draw(st.integers(1, 900))
            number = len(made) + 1
            user = draw(st.sampled_from([None, f"U{station}"]))
            made.append(raw(number, f"S{station}", at, minutes, registered=draw(st.booleans()), user=user))
            at += minutes + draw(st.integers(0, 90))
    return made


@given(days(), st.integers(0, 50))
@settings(max_examples=120, deadline=None)
def test_nobody_is_in_two_places_and_a_quarter_starts_from_an_app(visits: list[RawVisit], seed: int) -> None:
    day = populate(visits, seed, groups=GROUPS)
    assert_nowhere_twice(day.visits)
    assert day.app_visits * 4 >= len(day.visits)
    of_file = [v for v in day.visits if not v.refused_by_right]
    assert [v.visit_id for v in of_file] == [v.visit_id for v in sorted(visits, key=lambda v: (v.arrive, v.visit_id))]


@given(days(), st.integers(0, 20))
@settings(max_examples=60, deadline=None)
def test_the_ev_can_take_its_energy_in_nine_tenths_of_the_time_where_the_connector_allows(
    visits: list[RawVisit], seed: int
) -> None:
    day = populate(visits, seed, groups=GROUPS, blocked_visits=0)
    limit_of = {v.visit_id: v.limit_w for v in visits}
    for one in day.visits:
        assert isinstance(one.power_w, int) and LEAST_POWER_W <= one.power_w <= limit_of[one.visit_id]
        fits = one.power_w * (one.leave - one.arrive) * 9 >= one.energy_wh * HOUR * 10
        assert fits or one.power_w == limit_of[one.visit_id]


def test_file_users_stay_themselves_and_the_unregistered_are_guests_from_the_app() -> None:
    visits = [
        raw(1, "A", 0, 60, user="U7"),
        raw(2, "B", 90, 60, user="U7"),
        raw(3, "C", 0, 60, registered=False),
        raw(4, "D", 0, 60),
    ]
    by_id = {v.visit_id: v for v in populate(visits, 5, groups=GROUPS, blocked_visits=0).visits}
    assert by_id["v0001"].driver == by_id["v0002"].driver == "user-U7"
    assert by_id["v0001"].token == by_id["v0002"].token
    guest = by_id["v0003"]
    assert re.fullmatch(r"GUEST-[0-9A-F]{8}", guest.token)
    assert (guest.contract, guest.channel, guest.customer) == (False, "app", guest.token)
    assert re.fullmatch(r"[0-9A-F]{8}|[0-9A-F]{14}", by_id["v0004"].token) and by_id["v0004"].contract


def test_drawn_drivers_come_back_and_mostly_to_their_own_site() -> None:
    visits = a_day(200)
    day = populate(visits, 3, groups=GROUPS, blocked_visits=0)
    regulars = [v for v in day.visits if v.contract]
    assert len({v.driver for v in regulars}) < len(regulars)
    sites: dict[str, list[str]] = {}
    for one in regulars:
        sites.setdefault(one.driver, []).append(one.site)
    repeated = [names for names in sites.values() if len(names) > 1]
    assert sum(len(set(names)) == 1 for names in repeated) * 2 > len(repeated)


def test_blocked_drivers_come_besides_the_file_in_gaps_and_are_marked() -> None:
    day = populate(a_day(), 1, groups=GROUPS, blocked_visits=2)
    blocked = [v for v in day.visits if v.refused_by_right]
    status = {row["token"]: row["status"] for row in tokens(day)}
    assert [v.note for v in blocked] == [BLOCKED_TOKEN, BLOCKED_TOKEN]
    assert {status[v.token] for v in blocked} == {"Blocked"}
    assert all(v.channel == "rfid" and 4 * MINUTE <= v.leave - v.arrive < 8 * MINUTE for v in blocked)
    assert {status[v.token] for v in day.visits if not v.refused_by_right} == {"Accepted"}


def test_tokens_cover_everybody_and_some_who_never_come() -> None:
    day = populate(a_day(), 1, groups=GROUPS, idle_tokens=6, blocked_visits=1)
    rows = tokens(day)
    assert [row["token"] for row in rows] == sorted({row["token"] for row in rows})
    assert set(rows[0]) == {"token", "status", "group", "customer", "mobile", "contract"}
    for key in ("token", "mobile", "customer"):
        assert len({row[key] for row in rows}) == len(rows)
    coming = {v.token for v in day.visits}
    absent = [row["status"] for row in rows if row["token"] not in coming]
    assert sorted(absent) == ["Blocked"] * 3 + ["Expired"] * 3
    assert {row["group"] for row in rows} <= set(GROUPS)
    assert all(len(row["token"]) <= 20 for row in rows)


def test_the_same_seed_gives_the_same_day_and_another_seed_another() -> None:
    first, again, other = (populate(a_day(), seed, groups=GROUPS) for seed in (1, 1, 2))
    assert first == again
    assert first.visits != other.visits


def test_one_visit_more_leaves_the_papers_of_other_people_alone() -> None:
    few = populate(a_day(59), 1, groups=GROUPS)
    more = populate(a_day(60), 1, groups=GROUPS)
    assert few.people[0] == next(one for one in more.people if one.driver == few.people[0].driver)


def test_group_shares_are_weights() -> None:
    people = Registry(4, {"staff": 1, "none": 3})
    groups = [people.contract(f"p{n}", "NO").group for n in range(400)]
    assert 60 < groups.count("staff") < 140


def test_a_group_without_a_share_is_bad_input() -> None:
    for groups in ({}, {"none": 0.0}, {"none": 1.0, "staff": -1.0}):
        with pytest.raises(BadInput, match="positive shares"):
            populate([], 1, groups=groups)


def test_no_visits_make_a_day_without_visits() -> None:
    assert populate([], 1, groups=GROUPS, idle_tokens=0) == Population((), ())


def test_mobile_numbers_look_like_those_of_their_country() -> None:
    chance = stream(1, "numbers")
    assert re.fullmatch(r"\+474\d{7}", mobile_number("NO", chance))
    assert re.fullmatch(r"\+4915\d{9}", mobile_number("de", chance))


def test_times_stay_whole_seconds_for_blocked_drivers() -> None:
    blocked = [v for v in populate(a_day(), 2, groups=GROUPS).visits if v.refused_by_right]
    assert blocked and all((v.leave - v.arrive) % SECOND == 0 for v in blocked)
