"""Calls are counted under their names, however a station writes them."""

from __future__ import annotations

import pytest

from sim.runtimes.aio_counts import CallCounts


@pytest.mark.parametrize(
    "frame", [b'[2,"1","Fly",{}]', b'[2, "1", "Fly", {}]', b' [\n2 ,\t"1","Fly",{}]', b'[2 ,"1" ,"Fly" ,{ } ]']
)
def test_a_call_is_counted_under_its_name_with_blanks_or_without(frame: bytes) -> None:
    total: dict[tuple[str, str], int] = {}
    counts = CallCounts(total)
    counts.up(frame)
    counts.down(b'[4,"1","NotImplemented","",{}]')
    assert total == {("Fly", "NotImplemented"): 1}


def test_names_that_a_station_makes_up_do_not_grow_the_counts_without_end() -> None:
    total: dict[tuple[str, str], int] = {}
    counts = CallCounts(total)
    for number in range(1_000):
        counts.up(b'[2, "%d", "Fly%d", {}]' % (number, number))
        counts.down(b'[4,"%d","NotImplemented","",{}]' % number)
    assert len(total) <= 201 and total["other", "NotImplemented"] == 800
