"""The hot path stays short: counted in Python calls, which no busy machine can disturb."""

from __future__ import annotations

import sys
from typing import Any

from sim.clock import iso
from sim.machine import LinkId, Received, Send, Tick

MOST_CALLS = 36
"""Python functions entered per round trip, everything between the tick and the settled answer."""


def calls_of(rig: Any, link: LinkId, answer: bytes) -> int:
    count = 0

    def seen(frame: Any, event: str, arg: Any) -> None:
        nonlocal count
        count += event == "call"

    now = rig.next_deadline()
    before = sys.getprofile()
    sys.setprofile(seen)
    try:
        effects = rig.handle(Tick(), now)
        (send,) = [effect for effect in effects if isinstance(effect, Send)]
        rig.next_deadline()
        rig.handle(Received(link, b'[3,"%b",%b]' % (send.frame[4:40], answer)), now + 90)
        rig.next_deadline()
    finally:
        sys.setprofile(before)
    return count


def test_meter_values_cost_few_calls(bench: Any) -> None:
    b = (
        bench("ac-duo", connectors=(1, 2), keys={"MeterValueSampleInterval": "60"})
        .boot()
        .charge(energy_wh=10**6)
        .run(60)
    )
    assert calls_of(b.rig, b.link, b"{}") <= MOST_CALLS


def test_a_heartbeat_costs_few_calls(bench: Any) -> None:
    b = bench("ac-duo", connectors=(1, 2)).boot().run(400)  # decoders are built at their first use
    answer = b'{"currentTime":"%b"}' % iso(b.rig.next_deadline()).encode()
    assert calls_of(b.rig, b.link, answer) <= MOST_CALLS
