"""What drivers were shown while they charged (T04) and when it was over (INV-34), against what was rated and billed.

Read from the answers to TransactionEvents of OCPP 2.0.1, where back-ends tell the cost so far and the final one. What stands
in the books is not calculated again here; whether it is right is for T01.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise
from typing import Any

from scenarios.checks.events import WireEvent, events
from scenarios.checks.plan import Plan, plan_of
from scenarios.checks.registry import Judge, check
from sim.evidence.reader import Evidence, line
from sim.evidence.views import BookBill, BookRated, BookSession

_DIGITS = {"JPY": 0, "KRW": 0, "CLP": 0, "ISK": 0, "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "TND": 3}
_NEEDS = ("wire_calls", "books_sessions", "books_rated")


@check(
    "T04",
    sentence="the cost shown while charging never falls, and the final cost is at least the last one shown",
    planes=("wire", "books", "plan"),
    needs=_NEEDS,
)
def running_cost_is_kept(evidence: Evidence, judge: Judge) -> None:
    """Costs so far of each transaction in the order in which they were told, and its last one against its rating.

    Two minor units may be lost to rounding. Where the price changes during a charge, the energy between two of its events
    may have been shown at the dearer of both prices.
    """
    plan = plan_of(evidence)
    sessions, ratings = _books(evidence)
    for key, told in events(evidence).items():
        answered = sorted(told, key=lambda one: (one.call.answered_at or 0, one.call.call_no))
        shown = [(event, cost) for event in answered if event.kind == "Updated" and (cost := _cost(event)) is not None]
        session = sessions.get(key)
        rated = ratings.get((session.backend, session.cdr_id)) if session is not None else None
        if not shown or session is None:
            continue
        judge.examined()
        spread = _spread(plan, session, told)
        for (event, cost), (later, next_cost) in pairwise(shown):
            if next_cost < cost - spread:
                sentence = f"the cost shown falls from {float(cost)} to {float(next_cost)}"
                judge.fail("transaction", key[1], sentence, line(event.call), line(later.call))
        if rated is None or not rated[-1].gross:
            continue
        last, cost = shown[-1]
        due = _major(max(one.gross or 0 for one in rated), rated[-1].currency)
        slack = _major(2, rated[-1].currency) + spread
        if cost > due + slack:
            sentence = f"{float(cost)} was the last cost shown, and only {float(due)} is asked in the end"
            judge.fail("transaction", key[1], sentence, line(last.call), *map(line, rated))


@check(
    "INV-34",
    sentence="the final cost shown is the rating of the charge and the sum of its bill, and nothing is shown without one",
    planes=("wire", "books"),
    needs=(*_NEEDS, "books_bills"),
)
def final_cost_is_the_bill(evidence: Evidence, judge: Judge) -> None:
    """The cost in the answer to each Ended, of back-ends that show costs at all."""
    sessions, ratings = _books(evidence)
    bills: dict[tuple[str, str], list[BookBill]] = {}
    for bill in evidence.read(BookBill):
        bills.setdefault((bill.backend, bill.session_id), []).append(bill)
    all_told = events(evidence)
    showing = {event.call.backend for told in all_told.values() for event in told if _cost(event) is not None}
    for key, told in all_told.items():
        session = sessions.get(key)
        for event in told:
            cost = _cost(event)
            if event.call.backend not in showing:
                continue
            if event.kind != "Ended" or session is None or event.call.answer_kind != "result":
                continue
            judge.examined()
            rated = ratings.get((session.backend, session.cdr_id), [])
            billed = bills.get((session.backend, session.session_id), [])
            problem = _problem(cost, rated, billed)
            if problem:
                judge.fail("transaction", key[1], problem, line(event.call), *map(line, rated), *map(line, billed))


def _problem(cost: Fraction | None, rated: Sequence[BookRated], billed: Sequence[BookBill]) -> str:
    if cost is None:
        return "a bill was made, and its final cost was never shown" if billed and len(rated) == 1 else ""
    if not rated:
        return f"{float(cost)} was shown as the final cost, and nothing was rated"
    if cost not in [_major(one.gross or 0, one.currency) for one in rated]:
        return f"{float(cost)} was shown as the final cost, and {rated[-1].gross} minor units were rated"
    if billed and len(rated) == 1 and cost != _major(billed[0].gross, billed[0].currency):
        return f"{float(cost)} was shown as the final cost, and the bill asks {billed[0].gross} minor units"
    return ""


def _books(
    evidence: Evidence,
) -> tuple[dict[tuple[str, str], BookSession], dict[tuple[str, str | None], list[BookRated]]]:
    """Sessions by (station, transaction), and all ratings of a charge detail record by its back-end."""
    sessions = {(one.station, str(one.transaction_id)): one for one in evidence.read(BookSession)}
    ratings: dict[tuple[str, str | None], list[BookRated]] = {}
    for one in evidence.read(BookRated):
        ratings.setdefault((one.backend, one.cdr_id), []).append(one)
    return sessions, ratings


def _cost(event: WireEvent) -> Fraction | None:
    """The cost in the answer to an event, in major units."""
    if event.call.answer_kind != "result":
        return None
    answer: dict[str, Any] = json.loads(event.call.answer or "{}")
    told = answer.get("totalCost")
    return None if told is None else Fraction(str(told))


def _major(minor: int, currency: str | None) -> Fraction:
    return Fraction(minor, 10 ** _DIGITS.get(currency or "", 2))


def _spread(plan: Plan, session: BookSession, told: Sequence[WireEvent]) -> Fraction:
    """What the most energy between two events costs at the difference of the highest and the lowest price of energy."""
    if session.site is None or session.site not in plan.tariff_of_site:
        return Fraction(0)
    prices = [Fraction(band["price"]) for band in plan.tariff(session.site, session.started_at or 0)["energy"]]
    registers = [wh for event in told for wh in event.registers()]
    most = max((after - before for before, after in pairwise(registers)), default=0)
    return Fraction(max(0, most), 1000) * (max(prices) - min(prices))
