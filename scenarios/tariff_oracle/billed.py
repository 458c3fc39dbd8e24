"""How much of what was used is billed: free idle time, whole seconds, steps."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from msgspec import Struct

from scenarios.tariff_oracle.plain import TIMED, Row, nearest, number
from scenarios.tariff_oracle.uses import Use


class OneLine(Struct):
    """What was used at one price."""

    dimension: str
    component: Row
    billed: Fraction
    last: int
    step: int


def lines_of(tariff: Row, uses: Sequence[Use], policy: Row) -> list[OneLine]:
    """One line for each kind, price and tax."""
    free = Fraction(tariff["idle"]["grace_s"])
    idle = [n for n, use in enumerate(uses) if use.dimension == "idle"]
    amounts = [use.amount for use in uses]
    for n in idle if policy["grace"] == "start" else reversed(idle):
        off = min(free, amounts[n])
        amounts[n] -= off
        free -= off
    lines: dict[tuple[str, Fraction, str], OneLine] = {}
    for use, amount in zip(uses, amounts, strict=True):
        if use.component is None:
            continue
        key = (use.dimension, number(use.component["price"]), repr(use.component["taxes"]))
        line = lines.setdefault(key, OneLine(use.dimension, use.component, Fraction(0), 0, 0))
        line.billed += amount
        line.last, line.step = max(line.last, use.at), use.component["step"]
    found = list(lines.values())
    if policy["seconds"] != "exact":
        for dimension in TIMED:
            of_kind = [line for line in found if line.dimension == dimension]
            total = sum((line.billed for line in of_kind), Fraction(0))
            whole = total.__floor__() if policy["seconds"] == "floor" else nearest(total)
            _spread(of_kind, Fraction(whole) - total)
    if policy["steps"] != "none":
        _steps(found, policy)
    return found


def _steps(lines: Sequence[OneLine], policy: Row) -> None:
    if policy["step_scope"] == "line":
        for line in lines:
            if "flat" not in line.dimension and line.step:
                line.billed = _whole_steps(line.dimension, line.billed, line.step, policy["steps"])
        return
    idles = sum((line.billed for line in lines if line.dimension == "idle"), Fraction(0)) > 0
    for dimension in ("energy", "idle" if idles else "time", "reservation"):
        of_kind = [line for line in lines if line.dimension == dimension and line.billed]
        if not of_kind:
            continue
        latest = max(line.last for line in of_kind)
        last = next(line for line in of_kind if line.last == latest)
        total = sum((line.billed for line in of_kind), Fraction(0))
        if last.step:
            more = _whole_steps(dimension, total, last.step, policy["steps"]) - total
            if more > 0:
                last.billed += more
            else:
                _spread(of_kind, more)


def _whole_steps(dimension: str, total: Fraction, step: int, way: str) -> Fraction:
    if not total:
        return total
    scale = 1000 if dimension == "energy" else 1
    count = total * scale if dimension == "energy" else Fraction(nearest(total))
    if way == "up":
        return max(total, Fraction(-(-count // step) * step, scale))
    return Fraction(count // step * step, scale)


def _spread(lines: Sequence[OneLine], change: Fraction) -> None:
    for line in sorted(lines, key=lambda line: -line.last):
        here = max(change, -line.billed)
        line.billed += here
        change -= here
