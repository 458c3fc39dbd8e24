"""What a planted bug is: a few named parts replaced, in a back-end, the migration tool or the operator's desk.

It may never know of a check, and it replaces parts by name and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from reference_csms import assemble
from scenarios.load import load_scenario
from scenarios.migration.parts import MoveParts
from scenarios.model import Scenario
from scenarios.targets import ROLES, Target, reference
from scenarios.upgrade.parts import DeskParts
from sim.backend import BackEnd, Factory, Setup

FIRST_DAY = "first-day"
WEEKS_BEAT = 3_600
"""Seconds between heartbeats in the weeks of an upgrade: most of its messages, and no planted bug of it shows in one."""
Parts = Callable[[Setup], Mapping[str, Any]]


def _none(setup: Setup) -> Mapping[str, Any]:
    return {}


class Mutant(Struct, frozen=True, kw_only=True):
    """One planted bug: what is wrong, where, and the check named for it.

    `parts` are those of the back-ends in `roles`, `move` and `desk` those of the tool and of the operator. It is played on
    `scenario`, at some of its `sites` if there are any, as `change` leaves it. `baits` are the faults, also of partners,
    without which it gets through, and `calm` is the same day without whatever else it needs: an owner who is late or
    forgets something, a wave that is put off. They show that those matter.
    """

    name: str
    sentence: str
    check: str
    parts: Parts = _none
    roles: tuple[str, ...] = ROLES
    baits: tuple[str, ...] = ()
    scenario: str = FIRST_DAY
    sites: tuple[str, ...] = ()
    change: Callable[[Scenario], Scenario] | None = None
    calm: Callable[[Scenario], Scenario] | None = None
    move: MoveParts | None = None
    desk: DeskParts | None = None

    def target(self) -> Target:
        """The two back-ends with the bug planted in its roles."""

        def broken(setup: Setup) -> BackEnd:
            return assemble(setup, **self.parts(setup))

        factories: dict[str, Factory] = {role: broken if role in self.roles else reference for role in ROLES}
        return Target(name=f"mutant {self.name}", legacy=factories["legacy"], new=factories["new"])

    def day(self) -> Scenario:
        """What it is played on."""
        day = load_scenario(self.scenario)
        day = day.at_sites(*self.sites) if self.sites else day
        if self.scenario != FIRST_DAY:
            day = replace(day, fleet=replace(day.fleet, heartbeat_s=max(day.fleet.heartbeat_s, WEEKS_BEAT)))
        return day if self.change is None else self.change(day)

    @property
    def baited(self) -> bool:
        """Whether anything is known without which it gets through."""
        return bool(self.baits) or self.calm is not None

    def calm_day(self) -> Scenario:
        """The same day without its baits: it is expected to get through."""
        day = self.day().without_faults(*self.baits)
        return day if self.calm is None else self.calm(day)


def always(**parts: Any) -> Parts:
    """The same parts for every back-end."""
    return lambda setup: parts
