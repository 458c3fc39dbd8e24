"""Latencies that are drawn ahead are those that would be drawn one by one."""

from __future__ import annotations

from sim.network.uplink import Uplink
from sim.rng import stream


def test_latencies_are_base_and_a_share_of_the_jitter_in_the_order_of_the_stream() -> None:
    uplink, draws = Uplink(stream(1, "uplink", "S1"), 15, 105), stream(1, "uplink", "S1")
    assert [uplink.latency() for _ in range(200)] == [16 + int(draws.random() * 105) for _ in range(200)]
