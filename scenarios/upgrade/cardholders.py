"""Drivers who take a card payment back at their bank, and what that bank decides weeks later.

One Machine for all of them. It knows who they are and when they are angry, and nothing of claims, owners or terms.
"""

from __future__ import annotations

from scenarios.migration.asking import Wait
from scenarios.upgrade.plan import Dispute, UpgradePlan
from scenarios.upgrade.platform import STRIPE
from scenarios.upgrade.stories import Stories, Story
from sim.clock import DAY, Instant
from sim.machine import Answered

CARDHOLDERS = "cardholders"
LOOKS = 14
"""For so many days a payment is looked for that may be disputed."""


class Cardholders(Stories):
    """Machine `cardholders`. It begins by itself."""

    def __init__(self, plan: UpgradePlan) -> None:
        super().__init__(CARDHOLDERS)
        for one in plan.disputes:
            self.begin(self._dispute(one), one.at)

    def _dispute(self, one: Dispute) -> Story:
        for _ in range(LOOKS):
            outcome = yield from self.ask(STRIPE, "dispute", customer=one.customer, reason="product_not_received")
            if isinstance(outcome, Answered):
                yield self.note("disputed", None, customer=one.customer, dispute=outcome.payload["dispute"])
                yield from self.until(Instant(self.now + one.decided_after))
                yield from self.insist(STRIPE, "close-dispute", dispute=outcome.payload["dispute"], won=one.won)
                return
            yield Wait(DAY)
