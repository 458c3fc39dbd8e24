"""Visits are plain rows; the guard against one person in two places must find every clash."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from fleet.visits import Visit, assert_nowhere_twice
from sim.clock import Instant


def visit(number: int = 1, **changes: object) -> Visit:
    base = Visit(
        visit_id=f"v{number:04d}",
        site="yard",
        station=f"S{number}",
        connector=1,
        driver=f"d{number}",
        token=f"AB00000{number}",
        mobile=f"+4915100000{number:04d}",
        group="none",
        customer=f"C{number}",
        contract=True,
        channel="rfid",
        arrive=Instant(1000),
        leave=Instant(5000),
        energy_wh=1000,
        power_w=7400,
    )
    return replace(base, **changes)


def test_a_visit_names_its_machines() -> None:
    assert (visit().machine, visit().rig) == ("driver:v0001", "rig:S1")


def test_only_a_visit_marked_with_a_blocked_token_is_refused_by_right() -> None:
    assert visit(note="overlap,blocked-token").refused_by_right
    assert not visit(note="overlap").refused_by_right


def test_visits_that_touch_are_no_clash() -> None:
    assert_nowhere_twice([visit(1), visit(2, driver="d1", arrive=Instant(5000), leave=Instant(6000))])


@pytest.mark.parametrize("same", [{"driver": "d1"}, {"token": "AB000001"}, {"station": "S1"}])
def test_one_driver_token_or_connector_in_two_visits_at_once_is_our_mistake(same: dict[str, object]) -> None:
    with pytest.raises(AssertionError, match="v0001 and v0002 overlap"):
        assert_nowhere_twice([visit(2, arrive=Instant(4999), leave=Instant(9000), **same), visit(1)])
