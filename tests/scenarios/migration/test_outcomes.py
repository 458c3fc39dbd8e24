"""Verified, stuck, split, rolled back: each outcome is really walked, and money and access are right after each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Play = Callable[..., Any]
SLOW = [pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3)]


@pytest.mark.parametrize("seed", [1, *SLOW])
def test_a_station_that_is_ordered_back_is_back_and_nothing_is_billed_twice_or_lost(
    play: Play, strike: Any, seed: int
) -> None:
    """M11, M-30, INV-26: every check of the day holds, and the old back-end has the station again."""
    run = play(strike("move.rollback-ordered"), seed=seed)
    assert run.wrong == []
    (station,) = run.hit("move.rollback-ordered")
    assert run.walk(station)[-3:] == ["PROVISIONED", "ROLLBACK", "BACK_AT_OLD"]
    assert run.outcomes()[station] == {
        "station": station, "site": "campus-4", "outcome": "rolled-back", "stuck": 0, "split": 0, "rollback": 1,
    }  # fmt: skip
    rows = run.evidence.rows("SELECT backend, registration FROM books_stations WHERE station = ?", station)
    assert {row["backend"]: row["registration"] for row in rows} == {"legacy": "accepted", "new": "closed"}


@pytest.mark.parametrize("seed", [1, *SLOW])
def test_a_station_that_flips_back_is_seen_at_both_and_sent_again(play: Play, strike: Any, seed: int) -> None:
    """MF-28, MF-19, INV-26: split, then healed; the old back-end let it wait and booked nothing meanwhile."""
    run = play(strike("station.flips-back"), seed=seed)
    assert run.wrong == []
    (station,) = run.hit("station.flips-back")
    walk = run.walk(station)
    assert "SPLIT" in walk and walk[-1] == "CLOSED_AT_OLD"
    assert run.outcomes()[station]["split"] == 1


@pytest.mark.parametrize(("kind", "lasts"), [("station.never-redials", 60), ("new.refuses", 60)])
def test_a_station_that_is_seen_nowhere_is_stuck_and_goes_on_when_it_is_seen(
    play: Play, strike: Any, kind: str, lasts: int
) -> None:
    """MF-21, INV-26: STUCK is no end while the network may heal."""
    run = play(strike(kind, lasts=lasts))
    assert run.wrong == []
    (station,) = run.hit(kind)
    walk = run.walk(station)
    assert walk[walk.index("STUCK") + 1] == "SEEN_AT_NEW"
    assert run.outcomes()[station]["outcome"] == "verified"


@pytest.mark.parametrize("seed", [1, SLOW[0]])
def test_a_mistyped_address_ends_back_at_the_old_back_end(play: Play, strike: Any, seed: int) -> None:
    """MF-01, M-10: by the station's own fallback, or by a technician who goes there."""
    run = play(strike("route.wrong-url"), seed=seed, technician=True)
    assert run.wrong == []
    (station,) = run.hit("route.wrong-url")
    assert run.walk(station)[-2:] == ["ROLLBACK", "BACK_AT_OLD"]


def test_what_is_not_verified_when_the_working_day_ends_goes_back(play: Play, strike: Any) -> None:
    """The rule of the deadline: the new back-end cannot be reached until evening, so the cloud or a visit undoes it."""
    run = play(strike("new.refuses", lasts=600), technician=True)
    assert run.wrong == []
    (station,) = run.hit("new.refuses")
    assert run.walk(station)[-2:] == ["ROLLBACK", "BACK_AT_OLD"]


def test_an_old_identity_that_stays_open_is_found(play: Play, strike: Any) -> None:
    """INV-26, planted: nobody closes the identity at the back-end that a station was sent back from, or moved from."""
    run = play(
        strike("station.flips-back", on="CLOSED_AT_OLD"),
        parts={"close_identity": lambda backend: False},
    )
    assert "INV-26" in run.failed()


def test_a_closed_identity_refuses_whoever_comes_back(play: Play, strike: Any) -> None:
    """MF-28 after the end: the station gets 404 at the old back-end, which books nothing more of it."""
    run = play(strike("station.flips-back", on="CLOSED_AT_OLD"))
    assert "INV-26" not in run.failed()


def test_transactions_that_are_not_handed_back_are_found(play: Play, strike: Any) -> None:
    """M11, planted: the rollback forgets the sessions that are open at the new back-end."""
    runs = (
        play(strike("move.rollback-ordered"), seed=seed, parts={"hand_back": lambda rows: []}) for seed in (1, 2, 3)
    )
    assert any(run.failed() & {"INV-03", "INV-01", "INV-04"} for run in runs)


def test_a_group_that_is_lost_in_the_move_is_found(play: Play) -> None:
    """T01 or INV-21, planted: sessions that are handed over lose the group of their driver, and with it the discount."""

    def no_group(rows: Any) -> list[Any]:
        return [{**row, "grp": None} for row in rows]

    runs = (play(seed=seed, parts={"hand_over": no_group}) for seed in (1, 2, 3))
    assert any(run.failed() & {"T01", "INV-21", "INV-04"} for run in runs)
