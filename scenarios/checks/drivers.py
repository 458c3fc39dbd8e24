"""The drivers' side of the day, each with its budget: refused starts, interrupted charges, time lost (DRV-01 to 03)."""

from __future__ import annotations

from collections.abc import Callable

from scenarios.checks.registry import Judge, check
from sim.clock import MINUTE
from sim.evidence.reader import Evidence, line
from sim.evidence.views import Visit

RIGHTLY_REFUSED = frozenset(("blocked-token", "refused-by-right"))
"""Words of a visit's note: whoever comes with such a token is refused as it should be."""


@check(
    "DRV-01",
    sentence="no more starts were refused to drivers who may charge than the budget allows",
    planes=("truth", "plan"),
    needs=("levers",),
)
def refused_starts(evidence: Evidence, judge: Judge) -> None:
    """Refusals of visits that were not refused by right; a visit that ended refused counts at least once."""

    def refusals(visit: Visit) -> int:
        return max(visit.refusals or 0, int(visit.outcome == "refused"))

    _within_budget(evidence, judge, "refused_starts", refusals, "{} starts were refused")


@check(
    "DRV-02",
    sentence="no more charges were interrupted than the budget allows",
    planes=("truth", "plan"),
)
def interrupted_charges(evidence: Evidence, judge: Judge) -> None:
    """Charges that ended before the driver wanted them to."""
    _within_budget(evidence, judge, "interrupted_charges", lambda visit: visit.interrupted or 0, "{} charges broke off")


@check(
    "DRV-03",
    sentence="drivers lost no more connector-minutes than the budget allows",
    planes=("truth", "plan"),
    needs=("levers",),
)
def minutes_lost(evidence: Evidence, judge: Judge) -> None:
    """Time in which a driver was at a connector, wanted energy and got none; whole minutes of the sum, rounded up."""
    text = "{} minutes were lost"
    _within_budget(evidence, judge, "connector_minutes_lost", lambda visit: visit.lost_ms or 0, text, unit=MINUTE)


def _within_budget(
    evidence: Evidence, judge: Judge, key: str, count: Callable[[Visit], int], text: str, unit: int = 1
) -> None:
    allowed = (evidence.plan("budgets") or {}).get(key)
    visits = [visit for visit in evidence.read(Visit) if RIGHTLY_REFUSED.isdisjoint((visit.note or "").split(","))]
    judge.examined(len(visits))
    hit = [visit for visit in visits if count(visit) > 0]
    total = -(-sum(count(visit) for visit in hit) // unit)
    if allowed is None:
        judge.unknown(f"the plan has no budget {key}")
        return
    judge.say(f"{total} of a budget of {allowed}")
    if total > allowed:
        for visit in sorted(hit, key=count, reverse=True):
            own = -(-count(visit) // unit)
            sentence = f"{text.format(own)} at {visit.station}*{visit.connector} (in all {total}, budget {allowed})"
            judge.fail("visit", visit.visit_id, sentence, line(visit))
