"""The facts of one day: of a played first day, and of rows made by hand where the first day has none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from reports.rehearsal import Seed, forecast
from reports.seed import dumps, facts_of, money_held, rollbacks
from reports.switching import Hour, away_ms, hours_of
from scenarios.load import load_scenario, sessions_path
from scenarios.runner import judge
from sim.clock import DAY, HOUR, MINUTE, parse_iso
from sim.evidence.canonical import scalar
from sim.evidence.reader import Evidence
from sim.evidence.schema import all_tables
from sim.evidence.store import save_tables

Row = dict[str, Any]
MONDAY = parse_iso("2024-04-08T00:00:00+02:00")


@pytest.fixture(scope="module")
def played() -> Iterator[Evidence]:
    """The first day at the site that moves and one of each back-end, played once."""
    day = load_scenario("first-day").at_sites("campus-3", "campus-4", "campus-5")
    evidence = judge(day, 1, sessions=sessions_path(day), repeat=False, checks=["DRV-01"])[0].evidence
    yield evidence
    evidence.close()


def test_the_facts_of_a_played_day_are_those_of_its_truth(played: Evidence) -> None:
    facts = facts_of(played)
    (truth,) = played.rows(
        "SELECT SUM(interrupted) AS interrupted, SUM(lost_ms) AS lost, COUNT(*) AS visits FROM truth_visits"
        " WHERE COALESCE(note, '') NOT LIKE '%blocked%' AND COALESCE(note, '') NOT LIKE '%by-right%'"
    )
    sites = facts["sites"].values()
    assert sum(site["interrupted_charges"] for site in sites) == truth["interrupted"] > 0
    assert sum(site["lost_ms"] for site in sites) == truth["lost"] > 0
    assert sum(site["visits"] for site in sites) == truth["visits"]
    assert sum(site["stations"] for site in sites) == len(played.plan("stations"))
    (held,) = played.rows("SELECT SUM(energy_wh) AS wh FROM books_sessions WHERE state = 'quarantined'")
    assert sum(site["quarantined_wh"] for site in sites) == held["wh"] > 0
    assert all(site["money_held"] == {} and site["stuck_stations"] == 0 for site in sites)


def test_the_facts_of_a_played_day_say_when_its_site_moves(played: Evidence) -> None:
    facts = facts_of(played)
    window = facts["windows"]["campus-4"]
    assert (window["wave"], window["deadline"] - window["start"]) == (1, 8 * HOUR)
    hours = facts["hours"]["campus-4"]
    assert [hour["hour"] for hour in hours] == list(range(8, 17))
    assert any(hour["lost_ms"] for hour in hours) and len(facts["combinations"]) > 50


def test_facts_survive_the_way_between_processes(played: Evidence) -> None:
    facts = json.loads(dumps(facts_of(played)))
    assert dumps(facts) == dumps(facts_of(played))
    told = forecast("first-day", "", {"refused_starts": 10}, [Seed(1, played.digest, facts)], asked=1)
    assert told["waves"][0]["sites"] == ["campus-4"] and told["combinations"]["count"] == len(facts["combinations"])


def evidence(plan: Row | None = None, **tables: list[Row]) -> Evidence:
    """Rows made by hand, at one site that moves on a Tuesday."""
    told = {
        "stations": [{"station": "S", "site": "pier"}],
        "owners": [{"owner": "fjord", "zone": "Europe/Oslo"}],
        "sites": [{"site": "pier", "owner": "fjord"}],
        "window": {"start": MONDAY, "end": MONDAY + 2 * DAY},
        **(plan or {}),
    }
    tables = {"plan": [{"key": key, "json": json.dumps(value)} for key, value in told.items()], **tables}
    tables.setdefault("meta", [{"key": "ended_at", "value": str(MONDAY + 9 * DAY)}])
    columns = all_tables()
    return save_tables(
        None,
        {name: [tuple(scalar(row.get(c)) for c in columns[name]) for row in rows] for name, rows in tables.items()},
    )


def move(at: int, state: str, station: str = "S", site: str = "pier") -> Row:
    return {"at": at, "station": station, "site": site, "state": state}


WINDOW = {"start": MONDAY + DAY + 9 * HOUR, "deadline": MONDAY + DAY + 12 * HOUR, "drain_timeout": 10 * MINUTE}
AWAY = [move(MONDAY + DAY + 9 * HOUR, "SWITCH_SENT"), move(MONDAY + DAY + 9 * HOUR + 5 * MINUTE, "PROVISIONED")]


def charge(begin: int, end: int, full: int | None = None) -> tuple[Row, Row]:
    """A visit and its session; the car draws until it is full, or until the end."""
    points = [[begin, 0, "B"], [full or end, 9, "S" if full else "E"]]
    session = {
        "session_id": "t",
        "site": "pier",
        "station": "S",
        "started_at": begin,
        "stopped_at": end,
        "points": points,
    }
    return {"visit_id": "v", "site": "pier", "station": "S", "arrive": begin, "outcome": "charged"}, session


def test_a_switch_costs_who_still_draws_and_who_comes_meanwhile() -> None:
    """One car draws from 09:00 to 10:00 on the Monday before; the station drains for 10 min and is 5 min away."""
    visit, session = charge(MONDAY + 9 * HOUR, MONDAY + 10 * HOUR)
    with evidence(truth_visits=[visit], truth_sessions=[session], truth_migration=AWAY) as one:
        assert away_ms(one, "pier") == 5 * MINUTE
        found = hours_of(one, "pier", "Europe/Oslo", WINDOW)
    # at 09:00 it has just come: no session yet, so the station is away at once and the car waits for 5 min; at 09:10 to
    # 09:40 it is interrupted and waits until the station is back; from 09:50 on it ends while the station drains
    assert found == [Hour(9, 6, 4, 5 * MINUTE + 4 * 5 * MINUTE), Hour(10, 6, 0, 0), Hour(11, 5, 0, 0)]


def test_a_full_car_is_not_interrupted() -> None:
    visit, session = charge(MONDAY + 8 * HOUR, MONDAY + 11 * HOUR, full=MONDAY + 8 * HOUR + MINUTE)
    with evidence(truth_visits=[visit], truth_sessions=[session], truth_migration=AWAY) as one:
        found = hours_of(one, "pier", "Europe/Oslo", WINDOW)
    assert [(hour.interrupted, hour.lost_ms) for hour in found] == [(0, 0)] * 3


def test_the_day_of_the_move_says_nothing_where_there_is_another() -> None:
    on_the_day, session = charge(MONDAY + DAY + 9 * HOUR, MONDAY + DAY + 10 * HOUR)
    before = {**on_the_day, "arrive": MONDAY + HOUR}
    with evidence(truth_visits=[on_the_day], truth_sessions=[session], truth_migration=AWAY) as alone:
        assert sum(hour.interrupted for hour in hours_of(alone, "pier", "Europe/Oslo", WINDOW)) == 4
    with evidence(truth_visits=[before, on_the_day], truth_sessions=[session], truth_migration=AWAY) as both:
        assert sum(hour.interrupted for hour in hours_of(both, "pier", "Europe/Oslo", WINDOW)) == 0


def test_a_site_without_a_switch_of_its_own_borrows_those_of_others() -> None:
    other = [move(0, "SWITCH_SENT", "T", "mill"), move(7 * MINUTE, "SEEN_AT_NEW", "T", "mill")]
    with evidence(truth_migration=other) as one:
        assert away_ms(one, "pier") == 7 * MINUTE
    with evidence(truth_migration=[move(0, "PLANNED")]) as none:
        assert away_ms(none, "pier") == 0


def test_rollbacks_that_came_to_their_end_are_measured() -> None:
    walk = [
        move(5, "ROLLBACK"),
        move(9, "STUCK"),
        move(20, "ROLLBACK"),
        move(65, "BACK_AT_OLD"),
        move(7, "ROLLBACK", "T"),
    ]
    with evidence(truth_migration=walk) as one:
        assert rollbacks(one) == [60]


def claim(name: str, at: int, **more: Any) -> Row:
    row = {"backend": "new", "claim_id": name, "seller": "fjord", "session_id": "s", "currency": "NOK", "amount": 100}
    return {**row, "route": "stripe", "credited": 0, "state": "paid", "created_at": at, **more}


def account(at: int, able: int) -> Row:
    return {"backend": "new", "owner": "fjord", "charges_enabled": able, "at": at}


SESSION = {"backend": "new", "session_id": "s", "site": "pier", "state": "billed", "energy_wh": 1000}


@pytest.mark.parametrize(
    ("claims", "accounts", "most"),
    [
        ([], [], {}),
        ([claim("a", 10)], [account(5, 1)], {}),
        ([claim("a", 10)], [account(5, 0), account(90, 1)], {"pier": {"NOK": 100}}),
        ([claim("a", 10), claim("b", 20, credited=30)], [account(90, 1)], {"pier": {"NOK": 170}}),
        ([claim("a", 10), claim("b", 95)], [account(90, 1)], {"pier": {"NOK": 100}}),
        ([claim("a", 10, state="waiting-account")], [], {"pier": {"NOK": 100}}),
        ([claim("a", 10, route="riverty"), claim("b", 11, route="bank")], [], {}),
        ([claim("a", 10)], [account(5, 1), account(8, 0), account(40, 1)], {"pier": {"NOK": 100}}),
    ],
)
def test_money_is_held_while_the_account_cannot_charge(claims: list[Row], accounts: list[Row], most: Row) -> None:
    with evidence(books_sessions=[SESSION], books_claims=claims, books_accounts=accounts) as one:
        assert money_held(one) == most


def test_an_invoice_is_held_at_the_sites_of_its_bills_and_quarantine_at_the_sites_mean_price() -> None:
    sessions = [
        SESSION,
        {**SESSION, "session_id": "m", "site": "mill"},
        {**SESSION, "session_id": "q", "state": "quarantined", "energy_wh": 500, "stopped_at": 50},
    ]
    bills = [
        {"backend": "new", "number": "B1", "session_id": "s", "gross": 60, "currency": "NOK"},
        {"backend": "new", "number": "B2", "session_id": "m", "gross": 40, "currency": "NOK"},
    ]
    lines = [{"backend": "new", "number": "I1", "bill": bill["number"]} for bill in bills]
    waiting = claim("a", 10, state="waiting-account", session_id=None, document="I1")
    with evidence(books_sessions=sessions, books_bills=bills, books_invoice_lines=lines, books_claims=[waiting]) as one:
        assert money_held(one) == {"mill": {"NOK": 40}, "pier": {"NOK": 60 + 30}}
