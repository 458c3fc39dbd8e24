"""What customers were shown: the same prices before and after the move (M01), and nothing billed that was not shown (T03).

Prices are what both back-ends quoted for the grid. Neither the plan's tariff nor any rating is asked what is right.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from scenarios.checks.joins import ledgered
from scenarios.checks.moves import moves
from scenarios.checks.plan import Plan, plan_of
from scenarios.checks.registry import Judge, check
from sim.evidence.reader import Evidence, line, note
from sim.evidence.views import BookCdr, BookRated, BookSession, GridPrice, Rerated

FREE_LINE = "free"
"""A component that costs nothing and says why."""
_PER = {"energy": {"kWh": Decimal(1), "Wh": Decimal(1) / 1000}, "idle": {"s": Decimal(1) / 60, "min": Decimal(1)}}
_NO_MINOR = ("JPY", "KRW", "CLP", "ISK")
_THREE = ("KWD", "BHD", "OMR", "JOD", "TND")


@check(
    "M01",
    sentence="price after is price before: old and new give the same over site, group, time and component, and re-rated",
    planes=("quotes", "books", "plan"),
    needs=("quotes_grid", "quotes_rerated", "books_rated", "books_cdrs"),
)
def same_after_as_before(evidence: Evidence, judge: Judge) -> None:
    """Each cell of the whole matrix at old and new; each record of one with its rating by the other."""
    move = moves(evidence)
    cells: dict[tuple[str, str, Any, str], dict[str, GridPrice]] = {}
    for row in evidence.read(GridPrice):
        if row.backend in (move.old, move.new):
            cells.setdefault((row.site, row.grp or "", row.at, row.component), {})[row.backend] = row
    axes = [sorted({key[axis] for key in cells}) for axis in range(4)]
    for site in axes[0]:
        for group in axes[1]:
            for at in axes[2]:
                for component in axes[3]:
                    judge.examined()
                    pair = cells.get((site, group, at, component), {})
                    problem = _unequal(pair, move.old, move.new)
                    if problem:
                        shown = [line(one) for one in pair.values()] or [note("quotes", "quotes_grid", site=site)]
                        name = f"{site}/{group}/{at}/{component}"
                        judge.fail("price", name, f"{component} at {site}: {problem}", *shown)
    _rerated(evidence, judge, {move.old, move.new})
    judge.say(" x ".join(f"{len(axis)} {name}" for axis, name in zip(axes, _AXES, strict=True)))


_AXES = ("sites", "groups", "times", "components")


def _unequal(pair: dict[str, GridPrice], old: str, new: str) -> str:
    if old not in pair and new not in pair:
        return "neither back-end quotes it, and others like it are quoted"
    for name in (old, new):
        if name not in pair:
            return f"{name} quotes nothing"
    before, after = _terms(pair[old]), _terms(pair[new])
    return "" if before == after else f"{_said(pair[old])} before, {_said(pair[new])} after"


def _terms(row: GridPrice) -> tuple[Decimal | None, str, Decimal | None]:
    price = None if row.price is None else Decimal(row.price)
    vat = None if row.vat_percent is None else Decimal(row.vat_percent)
    return price, (row.currency or "").upper(), vat


def _said(row: GridPrice) -> str:
    return f"{row.price} {row.currency} with {row.vat_percent} % VAT"


def _rerated(evidence: Evidence, judge: Judge, sides: set[str]) -> None:
    """What was rated by one side and again by the other."""
    credits = {(one.backend, one.cdr_id) for one in evidence.read(BookCdr) if one.credit}
    first = {(one.backend, one.cdr_id): one for one in evidence.read(BookRated) if one.effective}
    for again in evidence.read(Rerated):
        place = (again.of_backend, again.cdr_id)
        rated = first.get(place)
        if rated is None or place in credits or not {again.backend, again.of_backend} <= sides:
            continue
        judge.examined()
        before, after = (rated.gross, rated.net, rated.vat), (again.gross, again.net, again.vat)
        if before != after or rated.currency != again.currency:
            sentence = f"{again.of_backend} asks gross, net and VAT {before}, and {again.backend} would ask {after}"
            judge.fail("price", again.cdr_id, sentence, line(rated), line(again))


@check(
    "T03",
    sentence="no component is billed that was not shown, and none above the highest price that was shown for it",
    planes=("quotes", "books", "plan"),
    needs=("quotes_grid", "books_sessions", "books_cdrs", "books_rated", "books_bills"),
)
def only_what_was_shown(evidence: Evidence, judge: Judge) -> None:
    """Every line with an amount of each bill against the prices that its back-end shows at that site for that group.

    Prices are compared where the tariff version of the session is one that the grid was asked about.
    """
    plan = plan_of(evidence)
    shown: dict[tuple[str, str, str, str], GridPrice] = {}
    asked: dict[tuple[str, str, str], set[int]] = {}
    unasked = 0
    for row in evidence.read(GridPrice):
        key = (row.backend, row.site, row.grp or "", row.component)
        if key not in shown or Decimal(row.price or 0) > Decimal(shown[key].price or 0):
            shown[key] = row
        asked.setdefault(key[:3], set()).add(int(row.at))
    for entry in ledgered(evidence):
        site, rated = entry.session.site or "", entry.rated
        grp = (entry.cdr.grp if entry.cdr else entry.session.grp) or ""
        moments = asked.get((entry.session.backend, site, grp))
        if rated is None or moments is None:
            unasked += rated is not None
            continue
        same = _same_version(plan, entry.session, moments)
        for one in json.loads(rated.lines or "[]"):
            if one["component"] == FREE_LINE or not one["amount"]:
                continue
            judge.examined()
            known = shown.get((rated.backend, site, grp, one["component"]))
            problem = _beyond(one, known, same)
            if problem:
                rows = [line(row) for row in (rated, known) if row is not None]
                judge.fail("bill", entry.name, problem, *rows, line(entry.session))
    judge.say(f"{unasked} bills of groups that nobody asked the prices of" if unasked else "")


def _same_version(plan: Plan, session: BookSession, moments: set[int]) -> bool:
    """Whether the version in force at the start is in force at every moment that was asked about."""
    if session.site not in plan.tariff_of_site:
        return False
    due = plan.tariff(session.site, session.started_at or 0)
    return all(plan.tariff(session.site, at) is due for at in moments)


def _beyond(one: dict[str, Any], shown: GridPrice | None, same_version: bool) -> str:
    """What is billed beyond what was shown; empty if nothing is."""
    component, amount = one["component"], int(one["amount"])
    if shown is None or shown.price is None:
        return f"{component} is billed with {amount}, and no such component was shown"
    per = _PER.get(component, {}).get(str(one.get("unit")), Decimal(1))
    most = Decimal(one.get("billed_quantity") or one.get("quantity") or 0) * per * Decimal(shown.price)
    most *= 1000 if shown.currency in _THREE else 1 if shown.currency in _NO_MINOR else 100
    if same_version and amount > most + 1:
        return f"{component} is billed with {amount}, and at {shown.price} as shown it is at most {most:f}"
    return ""
