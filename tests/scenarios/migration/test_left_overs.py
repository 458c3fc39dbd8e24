"""What the old back-end left in a station is cleaned up in the move; a tool that forgets one of them is found out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

LEFT = ["leftover.zero-profile", "leftover.reservation", "leftover.inoperative", "leftover.local-list"]
Play = Callable[..., Any]
SLOW = [pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3)]


@pytest.mark.parametrize("seed", [1, *SLOW])
def test_left_overs_are_cleaned_and_the_day_gives_no_finding(play: Play, strike: Any, seed: int) -> None:
    """INV-28, INV-26, MF-14, MF-15, MF-16, MF-18: each was really there."""
    run = play(*map(strike, LEFT), seed=seed)
    assert run.wrong == []
    assert [len(run.hit(kind)) for kind in LEFT] == [1, 1, 1, 1]
    details = run.evidence.rows("SELECT detail FROM truth_migration WHERE state = 'PROVISIONED'")
    cleaned = " ".join(str(row["detail"]) for row in details)
    assert all(word in cleaned for word in ("profile", "reservation", "inoperative", "list"))


def nothing(*_: Any) -> list[Any]:
    return []


PLANTED: dict[str, tuple[str, dict[str, Any]]] = {
    "profiles not cleared": ("leftover.zero-profile", {"clear_profiles": nothing}),
    "reservations not cancelled": ("leftover.reservation", {"cancel_reservations": nothing}),
    "station not operative again": ("leftover.inoperative", {"make_operative": nothing}),
    "local list not sent": ("leftover.local-list", {"local_lists": nothing}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_tool_that_leaves_something_over_is_caught(play: Play, strike: Any, name: str) -> None:
    """INV-28: the check named for it finds the planted bug."""
    kind, parts = PLANTED[name]
    run = play(strike(kind), parts=parts)
    (station,) = run.hit(kind)
    assert "INV-28" in run.failed()
    assert station in {finding.subject for finding in run.results["INV-28"].findings}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["profiles not cleared", "reservations not cancelled", "local list not sent"])
def test_without_the_left_over_nothing_is_found(play: Play, name: str) -> None:
    """The fault matters: without it the same planted bug does no harm to INV-28."""
    run = play(parts=PLANTED[name][1])
    assert "INV-28" not in run.failed()


def test_a_profile_of_nothing_keeps_a_station_from_being_verified(play: Play, strike: Any) -> None:
    """M-07: GetCompositeSchedule proves that the limit is gone; where it is not, the station goes back."""
    run = play(strike("leftover.zero-profile"), parts={"clear_profiles": nothing})
    (station,) = run.hit("leftover.zero-profile")
    assert "VERIFIED" not in run.walk(station)
    assert run.outcomes()[station]["outcome"] == "rolled-back"
