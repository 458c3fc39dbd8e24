"""Which checks a target lets us answer, and what each of the others lacks.

Asked of the same list of what is not shown, and by the same rule, as when a run is judged: what stands here as UNKNOWN is
UNKNOWN there, and no check can pass on a book that nobody saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from scenarios.checks.registry import all_checks
from scenarios.model import Scenario
from scenarios.targets.model import ForeignTarget
from scenarios.targets.rebook import Unshown
from sim.evidence.store import save_tables

MONEY = (
    *("INV-01", "INV-02", "INV-03", "INV-04", "INV-06", "INV-09", "INV-20", "INV-22", "INV-24", "INV-29", "INV-31"),
    *("INV-32", "INV-33", "INV-35"),
)
"""The invariants that say whether energy became money rightly; the checks of B, T, L, P and M are of money, too."""
LEVERS = "levers"
_START = "app-start"


class Answerable(Struct, frozen=True):
    """One check, and all that it lacks: nothing if it can be answered."""

    check: str
    sentence: str
    missing: tuple[str, ...]

    @property
    def money(self) -> bool:
        """Whether it is a check of money."""
        return is_money(self.check)


def is_money(check: str) -> bool:
    """Whether a check of this name is one of money."""
    return check in MONEY or (check[:1] in "BTLPM" and check[1:].isdecimal())


def answerable(missing: Unshown, checks: Iterable[str] | None = None) -> list[Answerable]:
    """Each check of these names, or of all, with what it lacks."""
    wanted = None if checks is None else [*checks]
    found = {one.name: one for one in all_checks() if wanted is None or one.name in wanted}
    with save_tables(None, {"unverifiable": missing}) as evidence:
        return [
            Answerable(name, found[name].sentence, tuple(evidence.missing(*found[name].requirements)))
            for name in (found if wanted is None else wanted)
        ]


def without_levers(target: ForeignTarget, scenario: Scenario | None) -> Unshown:
    """What cannot be observed because the target cannot be operated: a start that nobody could ask for."""
    if scenario is not None and not scenario.app.share:
        return []
    return [
        (role, LEVERS, f"{target.file} declares no [{role + '.' if role else ''}levers.{_START}]")
        for role, foreign in target.roles.items()
        if _START not in foreign.levers
    ]


def of_money(found: Sequence[Answerable]) -> tuple[int, int]:
    """How many checks of money can be answered, and how many there are."""
    money = [one for one in found if one.money]
    return sum(not one.missing for one in money), len(money)
