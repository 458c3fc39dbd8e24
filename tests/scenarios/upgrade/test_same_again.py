"""Two plays of one plan leave the same truth behind, whatever goes wrong in them."""

from __future__ import annotations

from typing import Any

from scenarios.upgrade.plan import CLERK, INTERRUPTED, LINK_BURNT, Announced
from sim.clock import parse_iso
from sim.partners.faults import Fault


def test_two_plays_give_the_same_truth(town: Any, owner: Any, plan: Any) -> None:
    later = Announced("2024-04-23", parse_iso("2024-04-10T08:00:00Z"))
    faults = {
        "mailbox": [Fault(kind="timeout-after", share=40)],
        "stripe": [Fault(kind="500-after", share=20), Fault(kind="slow", extra=100_000, share=30)],
    }
    rows = []
    for _ in range(2):
        owners = [owner(1, INTERRUPTED), owner(2, CLERK), owner(3, LINK_BURNT)]
        play = town(plan(owners, later), faults=faults).until("2024-05-10T00:00:00Z")
        rows.append((play.truth.digest, play.truth.rows()["truth_upgrade"], play.mailbox.statement(play.world.now)))
    assert rows[0] == rows[1] and len(rows[0][1]) > 50
