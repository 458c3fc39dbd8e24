"""A swarm: each seed draws which kinds of faults its day has, how many, where and when, within what a scenario may say.

Only half of the kinds take part in a day, another half each time, so that rare combinations come up (swarm testing). Every
draw is one that `scenarios.faults.rules` lets through; the healthy reference must survive all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from msgspec.structs import replace

from scenarios import catalogue
from scenarios.faults import rules
from scenarios.faults.fields import Kind
from scenarios.faults.kinds import KINDS
from scenarios.faults.timing import Release, Repeat, Shift
from scenarios.model import Duration, Fault, LocalTime, Scenario, Where, Window
from sim.clock import HOUR, MINUTE, SECOND
from sim.errors import BadInput
from sim.rng import stream

LEFT_OUT: Mapping[str, str] = {
    "station.flash-loss": "what a station has forgotten no back-end can bill, and INV-03 says so",
    "station.clock-step": "a time that a station made up is priced as it was told, and T01 and INV-35 say so",
}
"""Kinds that no swarm draws, each with why."""
MOST_FAULTS = 6
"""Of one kind on one day."""
_SHORTEST, _LONGEST = 30 * SECOND, 90 * MINUTE
_OF_DRIVERS = "DRV-"
"""Checks that hold a day against its budgets."""
_PROBATION = HOUR
"""How long a moved station is still let in at the old back-end: without it one that flips back would find no door."""
_TRIES = 8
"""Draws of one fault until one is legal; after so many it is left out."""
_AT = ("", "StartTransaction", "StopTransaction", "BootNotification")


def drawn(scenario: Scenario, seed: int) -> Scenario:
    """The same day with the faults of this seed instead of its own.

    What drivers suffer at most is no longer asked: the budgets of a scenario are made for its own faults. A technician may
    be sent, since without one a station that cannot be reached stays stuck, and rightly so.
    """
    rng = stream(seed, "swarm", scenario.name)
    kinds = [kind for name, kind in KINDS.items() if name not in LEFT_OUT and _possible(kind, scenario)]
    taking_part = [kind for kind in kinds if rng.random() < 0.5] or [rng.choice(kinds)]
    there = scenario.sessions.sites
    sites = tuple(site for site in scenario.sites if not there or site in there)
    calm = _without_budgets(replace(scenario, fault=()))
    if calm.move is not None:
        calm = replace(calm, move=replace(calm.move, technician=True, probation=Duration(_PROBATION)))
    faults: list[Fault] = []
    for kind in taking_part:
        for number in range(rng.randint(1, MOST_FAULTS)):
            name = f"{kind.name}-{number + 1}"
            fault = _legal(calm, kind, name, sites, stream(seed, "swarm", kind.name, number))
            if fault is not None:
                faults.append(fault)
    return replace(calm, fault=tuple(faults))


def _without_budgets(scenario: Scenario) -> Scenario:
    asked = tuple(check for check in scenario.checks.all_of if not check.startswith(_OF_DRIVERS))
    claims = (
        replace(claim, checks=tuple(check for check in claim.checks if check in asked)) for claim in scenario.claims
    )
    return replace(
        scenario, checks=replace(scenario.checks, all_of=asked), claims=tuple(one for one in claims if one.checks)
    )


def _possible(kind: Kind, scenario: Scenario) -> bool:
    """Whether the day has what this kind hits. Some quirks make a station that cannot be moved, and rightly stays stuck."""
    moves = scenario.move is not None or bool(scenario.wave)
    if kind.name == "station.quirk":
        return not moves
    if kind.aims == "partner":
        return scenario.upgrade is not None
    return moves or kind.aims in ("station", "back-end")


def _legal(calm: Scenario, kind: Kind, name: str, sites: tuple[str, ...], rng: Random) -> Fault | None:
    """A fault that the rules let through, None if none was found in a few draws."""
    for _ in range(_TRIES):
        fault = _fault(kind, name, sites, _longest(calm), rng)
        try:
            rules.judge(replace(calm, fault=(fault,)), calm.name)
        except BadInput:
            continue
        return fault
    return None


def _fault(kind: Kind, name: str, sites: tuple[str, ...], longest: int, rng: Random) -> Fault:
    """One draw, with the fields that this kind needs, and each that it may have in half of the draws."""
    has = {*kind.needs, *(key for key in kind.may if rng.random() < 0.5)}
    drawn = {key: draw(longest, rng) for key, draw in _DRAWS.items() if key in has}
    if kind.name == "backend.crash" and "on" in has:
        drawn["on"] = rng.choice(_AT)
    if "release" in kind.fields and rng.random() < 0.3:
        drawn["release"] = Release(rng.choice(("staggered over 5m", "swizzled over 5m")))
    if "repeat" in kind.fields and rng.random() < 0.2:
        drawn["repeat"] = Repeat("2 times every 2h")
    return Fault(kind=kind.name, id=name, where=_where(kind, sites, rng), **drawn)


def _window(longest: int, rng: Random) -> Window:
    begin = rng.randrange(0, 23 * 60) * MINUTE
    end = min(begin + rng.randrange(30, 12 * 60) * MINUTE, 23 * HOUR + 59 * MINUTE)
    return Window(from_=LocalTime(begin), to=LocalTime(end))


def _between(low: int, high: int) -> Callable[[int, Random], int]:
    return lambda longest, rng: rng.randint(low, high)


def _seconds(low: int, high: int) -> Callable[[int, Random], Duration]:
    return lambda longest, rng: Duration(rng.randint(low, high) * SECOND)


def _one_of(*values: Any) -> Callable[[int, Random], Any]:
    return lambda longest, rng: rng.choice(values)


_DRAWS: Mapping[str, Callable[[int, Random], Any]] = {
    "at": _window,
    "lasts": lambda longest, rng: Duration(_length(longest, rng)),
    "moment": _one_of("before-commit", "before-replies", "after-first-reply"),
    "groups": _between(0, 3),
    "latency": _seconds(1, 20),
    "jitter": _seconds(1, 5),
    "rate": _one_of(1_200, 9_600, 64_000),
    "up": _seconds(20, 300),
    "down": _seconds(5, 60),
    "status": _one_of(429, 500, 503),
    "code": _one_of("InternalError", "GenericError"),
    "quirk": lambda longest, rng: rng.choice([*catalogue.quirks()]),
    "step": lambda longest, rng: Shift(rng.choice(("-2h", "-10m", "+90s", "+1h"))),
    "ppm": _one_of(-200, -50, 50, 200),
    "copies": _between(1, 2),
    "times": _between(1, 3),
}
"""How the value of each field is drawn; what none is drawn for is left out."""


def _length(longest: int, rng: Random) -> int:
    """Short ones as often as long ones: what they do differs more by order than by minutes."""
    return int(_SHORTEST * (longest / _SHORTEST) ** rng.random()) // SECOND * SECOND


def _longest(scenario: Scenario) -> int:
    """No longer than half of the patience of a move: what is away for longer is stuck, and rightly so."""
    patience = [int(wave.stuck_after) for wave in scenario.wave]
    patience += [int(scenario.move.stuck_after)] if scenario.move is not None else []
    return min([_LONGEST, *(max(_SHORTEST, one // 2) for one in patience)])


def _where(kind: Kind, sites: tuple[str, ...], rng: Random) -> Where:
    if kind.aims == "back-end":
        return Where(backend=rng.choice(("legacy", "new")))
    if kind.aims == "tool":
        return Where()
    if kind.aims == "partner":
        return Where(partner=rng.choice(("stripe", "riverty", "bank", "mailbox")))
    return Where(count=rng.randint(1, 4), site=rng.choice(("", *sites)), busy=rng.random() < 0.8)
