"""All rules, in the order in which they are told."""

from __future__ import annotations

from collections.abc import Sequence

from scenarios.wirecheck import (
    rules_201,
    rules_boot,
    rules_meter,
    rules_rpc,
    rules_start,
    rules_status,
    rules_transactions,
)
from scenarios.wirecheck.rule import Rule
from sim.errors import BadInput, unknown

RULES: tuple[type[Rule], ...] = (
    *rules_rpc.RULES,
    *rules_boot.RULES,
    *rules_status.RULES,
    *rules_start.RULES,
    *rules_transactions.RULES,
    *rules_201.RULES,
    *rules_meter.RULES,
)


def chosen(names: Sequence[str]) -> tuple[type[Rule], ...]:
    """The rules of these ids, groups (`tx`) or requirements (`INV-12`); all if there is none. Raises BadInput."""
    picked = []
    for name in names:
        found = [rule for rule in RULES if name in (rule.id, rule.id.split(".")[0], *rule.requires)]
        if not found:
            known = [rule.id for rule in RULES]
            raise BadInput("command line", "--rule", *unknown("rule", name, known, "`chargerig check --list`"))
        picked += found
    return tuple(rule for rule in RULES if rule in picked) if names else RULES
