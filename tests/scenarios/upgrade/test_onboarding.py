"""Onboarding by fate: what owners do with the invitation, and what becomes of their accounts."""

from __future__ import annotations

from typing import Any

import pytest

from scenarios.upgrade.plan import (
    CLERK,
    FINANCE,
    IN_TIME,
    INTERRUPTED,
    LINK_BURNT,
    LINK_EXPIRED,
)
from sim.clock import parse_iso

BEFORE_DEADLINE, AFTER = "2024-04-07T00:00:00Z", "2024-05-20T00:00:00Z"
LATE_DAY = parse_iso("2024-04-12T09:00:00Z")


@pytest.mark.parametrize(
    "fates",
    [
        (IN_TIME,),
        (INTERRUPTED,),
        (LINK_EXPIRED,),
        (LINK_BURNT,),
        (CLERK,),
        (FINANCE,),
        (INTERRUPTED, LINK_EXPIRED),
        (INTERRUPTED, CLERK),
        (LINK_BURNT, FINANCE),
    ],
    ids="+".join,
)
def test_whoever_is_not_late_can_charge_before_the_deadline(town: Any, owner: Any, plan: Any, fates: Any) -> None:
    play = town(plan([owner(1, *fates)])).until(BEFORE_DEADLINE)
    account = play.account()
    assert account["charges_enabled"] and account["payouts_enabled"], account["requirements"]
    assert [row["charges_enabled"] for row in play.book("new", "accounts")][-1] == 1
    assert play.mails("onboarding-reminder") == []
