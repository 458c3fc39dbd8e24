"""What is billed of what was measured: free idle time, whole seconds, and steps. No prices here.

OCPI: a step rounds the total of a session up, once for energy and once for time, by the last component that counts; idle
time takes it if any is billed, since charging that goes over into idling is exact (2.2.1 §10.4.8, §11.4.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal

from reference_csms.pricing.lines import Taken
from reference_csms.pricing.model import ENERGY, IDLE, TIME, Policy

ZERO = Decimal(0)
_ONE = Decimal(1)
_FINE = Decimal("1e-9")
_SECONDS = {"floor": ROUND_FLOOR, "round": ROUND_HALF_UP}


def bill_quantities(
    taken: Sequence[Taken], idle: Sequence[tuple[Taken | None, Decimal]], grace_s: int, policy: Policy
) -> None:
    """Sets `billed` of every line: first what is free, then whole seconds, then steps."""
    if grace_s and idle:
        _grace(idle, grace_s, policy)
    kinds: dict[str, list[Taken]] = {}
    for one in taken:
        if one.unit_size:
            kinds.setdefault(one.dimension, []).append(one)
    mode = _SECONDS.get(policy.seconds)
    if mode is not None:
        for dimension, of_kind in kinds.items():
            total = ZERO if dimension == ENERGY else _total(of_kind)
            if total:
                _move(of_kind, total.quantize(_ONE, mode) - total, "seconds")
    if policy.steps == "none":
        return
    if policy.step_scope == "line":
        for one in taken:
            if one.step and one.unit_size:
                one.billed, one.stepped = _stepped(one.billed, one, policy), True
        return
    resting = IDLE in kinds and _total(kinds[IDLE])
    for dimension, of_kind in kinds.items():
        if not (dimension == TIME and resting):
            _step(of_kind, policy)


def _grace(idle: Sequence[tuple[Taken | None, Decimal]], grace_s: int, policy: Policy) -> None:
    """Takes the free time off, once per session, from the start or the end of all idle time."""
    left = Decimal(grace_s)
    for one, seconds in idle if policy.grace == "start" else reversed(idle):
        free = min(left, seconds)
        if one is not None and free:
            one.billed -= free
            one.why_not["grace"] = None
        left -= free
        if not left:
            return


def _step(of_kind: Sequence[Taken], policy: Policy) -> None:
    """The step of the last that counts, on the total of a kind; what it adds is priced there."""
    last, total = None, ZERO
    for one in of_kind:
        if one.billed:
            total += one.billed
            if last is None or one.last > last.last:
                last = one
    if last is None or not last.step:
        return
    delta = _stepped(total, last, policy) - total
    if delta > 0:
        last.billed += delta
    elif delta < 0 and policy.steps == "down":
        _move(of_kind, delta, "step")
    last.stepped = True


def _stepped(total: Decimal, one: Taken, policy: Policy) -> Decimal:
    """A total in whole steps of a component: up, or down to whole steps only. Time counts as whole seconds before that."""
    if not total:
        return total
    count = total * one.unit_size
    if one.dimension != ENERGY:
        count = count.quantize(_ONE, ROUND_HALF_UP)
    mode = ROUND_CEILING if policy.steps == "up" else ROUND_FLOOR
    steps = (count / one.step).quantize(_FINE).quantize(_ONE, mode)
    whole = steps * one.step / one.unit_size
    return max(total, whole) if policy.steps == "up" else whole


def _total(of_kind: Sequence[Taken]) -> Decimal:
    return sum((one.billed for one in of_kind), ZERO)


def _move(of_kind: Sequence[Taken], delta: Decimal, why: str) -> None:
    """Adds to the last line of a kind, or takes from the last ones as much as they have."""
    for one in sorted(of_kind, key=lambda one: -one.last):
        change = max(delta, -one.billed)
        one.billed += change
        if change:
            one.why_not[why] = None
        delta -= change
        if not delta:
            return
