"""A swarm: each seed draws which kinds of faults its day has, how many, where and when, within what a scenario may say.

Only half of the kinds take part in a day, another half each time, so that rare combinations come up (swarm testing). Every
draw is one that `scenarios.load_rules` lets through; the healthy reference must survive all of them.
"""

from __future__ import annotations

from random import Random

from msgspec.structs import replace

from reports.rehearsal import BUDGET_CHECKS
from scenarios import catalogue, load_rules, nemesis_move
from scenarios.model import Duration, Fault, LocalTime, Scenario, Where, Window
from sim.clock import HOUR, MINUTE, SECOND
from sim.errors import BadInput
from sim.rng import stream

MOST_FAULTS = 6
"""Of one kind on one day."""
_SHORTEST, _LONGEST = 30 * SECOND, 90 * MINUTE
_TRIES = 8
"""Draws of one fault until one is legal; after so many it is left out."""
_MOMENTS = ("before-commit", "before-replies", "after-first-reply")
_AT = ("", "StartTransaction", "StopTransaction", "BootNotification")


def drawn(scenario: Scenario, seed: int) -> Scenario:
    """The same day with the faults of this seed instead of its own.

    What drivers suffer at most is no longer asked: the budgets of a scenario are made for its own faults. A technician may
    be sent, since without one a station that cannot be reached stays stuck, and rightly so.
    """
    rng = stream(seed, "swarm", scenario.name)
    kinds = [kind for kind in catalogue.FAULT_KEYS if _possible(kind, scenario)]
    taking_part = [kind for kind in kinds if rng.random() < 0.5] or [rng.choice(kinds)]
    there = scenario.sessions.sites
    sites = tuple(site for site in scenario.sites if not there or site in there)
    calm = _without_budgets(replace(scenario, fault=()))
    if calm.move is not None:
        calm = replace(calm, move=replace(calm.move, technician=True))
    faults: list[Fault] = []
    for kind in taking_part:
        for number in range(rng.randint(1, MOST_FAULTS)):
            fault = _legal(calm, kind, f"{kind}-{number + 1}", sites, stream(seed, "swarm", kind, number))
            if fault is not None:
                faults.append(fault)
    return replace(calm, fault=tuple(faults))


def _without_budgets(scenario: Scenario) -> Scenario:
    asked = tuple(check for check in scenario.checks.all_of if check not in BUDGET_CHECKS)
    claims = (
        replace(claim, checks=tuple(check for check in claim.checks if check in asked)) for claim in scenario.claims
    )
    return replace(
        scenario, checks=replace(scenario.checks, all_of=asked), claims=tuple(one for one in claims if one.checks)
    )


def _possible(kind: str, scenario: Scenario) -> bool:
    moves = scenario.move is not None or bool(scenario.wave)
    return moves or not (kind in nemesis_move.ON or kind == "tool.crash")


def _legal(calm: Scenario, kind: str, name: str, sites: tuple[str, ...], rng: Random) -> Fault | None:
    """A fault that the rules let through, None if none was found in a few draws."""
    for _ in range(_TRIES):
        fault = _fault(kind, name, sites, _longest(calm), rng)
        try:
            load_rules.judge(replace(calm, fault=(fault,)), calm.name)
        except BadInput:
            continue
        return fault
    return None


def _fault(kind: str, name: str, sites: tuple[str, ...], longest: int, rng: Random) -> Fault:
    """One draw, with the keys that this kind needs, and each that it may have in half of the draws."""
    keys = catalogue.FAULT_KEYS[kind]
    has = {*keys.needs, *(key for key in keys.may if rng.random() < 0.5)}
    begin = rng.randrange(0, 23 * 60) * MINUTE
    end = min(begin + rng.randrange(30, 12 * 60) * MINUTE, 23 * HOUR + 59 * MINUTE)
    return Fault(
        kind=kind,
        id=name,
        where=_where(kind, sites, rng),
        at=Window(from_=LocalTime(begin), to=LocalTime(end)) if "at" in has else None,
        lasts=Duration(_length(longest, rng)) if "lasts" in has else None,
        moment=rng.choice(_MOMENTS) if "moment" in has else None,  # type: ignore[arg-type]
        on=rng.choice(_AT) if "on" in has and kind == "backend.crash" else "",
        groups=rng.randint(0, 3) if "groups" in has else 0,
    )


def _length(longest: int, rng: Random) -> int:
    """Short ones as often as long ones: what they do differs more by order than by minutes."""
    return int(_SHORTEST * (longest / _SHORTEST) ** rng.random()) // SECOND * SECOND


def _longest(scenario: Scenario) -> int:
    """No longer than half of the patience of a move: what is away for longer is stuck, and rightly so."""
    patience = [int(wave.stuck_after) for wave in scenario.wave]
    patience += [int(scenario.move.stuck_after)] if scenario.move is not None else []
    return min([_LONGEST, *(max(_SHORTEST, one // 2) for one in patience)])


def _where(kind: str, sites: tuple[str, ...], rng: Random) -> Where:
    if kind == "backend.crash":
        return Where(backend=rng.choice(("legacy", "new")))
    site = rng.choice(("", *sites))
    return Where(count=rng.randint(1, 4), site=site, busy=rng.random() < 0.8)
