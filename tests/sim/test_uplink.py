"""The uplink of a station: who refuses it, and until when."""

from __future__ import annotations

from random import Random

from sim.network.uplink import Uplink
from sim.rng import stream


def test_one_back_end_may_refuse_while_the_others_do_not() -> None:
    uplink = Uplink(Random(1), 10, 5)
    uplink.refuse(1_000, "new")
    assert uplink.refuses("new", 999) and not uplink.refuses("legacy", 999)
    assert not uplink.refuses("new", 1_000)


def test_a_refusal_without_a_name_is_for_all_and_never_gets_shorter() -> None:
    uplink = Uplink(Random(1), 10, 5)
    uplink.refuse(2_000)
    uplink.refuse(1_000)
    uplink.refuse(1_500, "new")
    assert uplink.refuses("legacy", 1_999) and uplink.refuses("new", 1_999)


def test_latencies_drawn_ahead_are_those_that_would_be_drawn_one_by_one() -> None:
    uplink, draws = Uplink(stream(1, "uplink", "S1"), 15, 105), stream(1, "uplink", "S1")
    assert [uplink.latency() for _ in range(200)] == [16 + int(draws.random() * 105) for _ in range(200)]
