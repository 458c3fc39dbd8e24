"""A finding made small: faults, sites, sessions and hours are taken away as long as the same check still fails.

Delta debugging (Zeller, Hildebrandt: Simplifying and Isolating Failure-Inducing Input, 2002) over the parts of a scenario.
A part is gone for good only if the day without it was played and the check found something; nothing is guessed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from scenarios import load_rules
from scenarios.model import Claim, Duration, Scenario, plain
from scenarios.runner import REPEATED, judge
from scenarios.stage import workload_of
from scenarios.targets import Target
from sim.clock import DAY, HOUR
from sim.errors import BackEndRaised, BadInput, TargetFailed
from sim.evidence.verdict import Finding

MOST_TRIALS = 150
_SHORT_HORIZON, _SHORT_SETTLE = DAY + HOUR, HOUR
P = TypeVar("P")
Tell = Callable[[str], None]


class Size(Struct, frozen=True):
    """How much there is in a scenario."""

    faults: int
    sites: int
    stations: int
    sessions: int
    hours: int

    def text(self) -> str:
        """In words."""
        return ", ".join(f"{getattr(self, name)} {name}" for name in self.__struct_fields__)


class Shrunk(Struct, frozen=True):
    """The small scenario, the first finding in it, how large it was and is, and how many days were played for that.

    `least`: whether nothing more could be taken away; False if the trials were used up before.
    """

    scenario: Scenario
    finding: Finding
    before: Size
    after: Size
    trials: int
    least: bool


def shrink(
    scenario: Scenario,
    seed: int,
    check: str,
    *,
    sessions: Path,
    target: Target,
    most: int = MOST_TRIALS,
    tell: Tell | None = None,
) -> Shrunk:
    """Make the scenario small in which `check` finds something at this seed. Raises BadInput if it finds nothing there."""
    if check == REPEATED:
        raise BadInput(
            "command line", "shrink", f"{REPEATED} compares two runs and has no day to shrink", "another check"
        )
    trials = _Trials(seed, check, sessions, target, most, tell or (lambda _: None))
    now = replace(
        _with_names(scenario),
        name=f"{scenario.name}-{check}-seed{seed}".lower(),
        claims=(Claim(says=f"{check} holds", checks=(check,)),),
        checks=replace(scenario.checks, all_of=(check,)),
    )
    before = size_of(now, sessions)
    if not trials.fails(now):
        raise BadInput("command line", "shrink", f"{check} finds nothing at seed {seed}", "a seed with a finding")
    for step in (_without_faults, _fewer_sites, _fewer_faults, _fewer_sessions, _fewer_faults, _single, _shorter):
        now = step(now, trials)
    assert trials.found is not None
    return Shrunk(now, trials.found, before, size_of(now, sessions), trials.played, not trials.used_up)


def size_of(scenario: Scenario, sessions: Path) -> Size:
    """How large a scenario is on its session file. Raises BadInput."""
    workload = workload_of(scenario, sessions)
    hours = -(-int(scenario.day.horizon + scenario.day.settle) // HOUR)
    faults = len(scenario.fault) + len(scenario.partner_fault)
    return Size(faults, len(workload.sites), len(workload.stations), len(workload.visits), hours)


class _Trials:
    """Plays candidates, each once, and remembers the finding of the last one that failed as it should."""

    def __init__(self, seed: int, check: str, sessions: Path, target: Target, most: int, tell: Tell) -> None:
        self.sessions = sessions
        self.found: Finding | None = None
        self.played = 0
        self.used_up = False
        self._seed = seed
        self._check = check
        self._target = target
        self._most = most
        self._tell = tell
        self._known: dict[bytes, Finding | None] = {}

    def fails(self, candidate: Scenario) -> bool:
        """Whether the check finds something in it; a day that cannot be played is none that fails."""
        key = msgspec.json.encode(plain(candidate))
        if key not in self._known:
            if self.played >= self._most:
                self.used_up = True
                return False
            self._known[key] = self._finding(candidate)
        found = self._known[key]
        self.found = found or self.found
        return found is not None

    def _finding(self, candidate: Scenario) -> Finding | None:
        self.played += 1
        try:
            load_rules.judge(candidate, candidate.name)
            played, results = judge(
                candidate,
                self._seed,
                sessions=self.sessions,
                target=self._target,
                wire="index",
                repeat=False,
                checks=[self._check],
            )
        except (BadInput, BackEndRaised, TargetFailed):  # not this finding
            return None
        with closing(played.evidence):
            stage = played.stage
            size = f"{len(candidate.fault)} faults, {len(stage.stations)} stations, {len(stage.visits)} sessions"
            found = results[0].findings[0] if results and results[0].findings else None
            self._tell(f"{size}: {'still found' if found else 'gone'}")
            return found


def least(items: Sequence[P], fails: Callable[[tuple[P, ...]], bool]) -> tuple[P, ...]:
    """A smallest part of the items that still fails (ddmin): no single one of them can be left out.

    The whole of them is known to fail. The order of the items stays.
    """
    now, pieces = tuple(items), 2
    while len(now) > 1:
        size = -(-len(now) // pieces)
        parts = [now[begin : begin + size] for begin in range(0, len(now), size)]
        rests = [tuple(one for part in parts if part is not left for one in part) for left in parts]
        smaller = next((part for part in (*parts, *rests) if part and len(part) < len(now) and fails(part)), None)
        if smaller is None:
            if pieces >= len(now):
                break
            pieces = min(len(now), pieces * 2)
        else:
            pieces = max(2, pieces - 1) if len(smaller) > size else 2
            now = smaller
    return now


def _with_names(scenario: Scenario) -> Scenario:
    """Each fault under the name that its draws depend on, so that they stay when others go."""
    named = tuple(
        fault if fault.id else replace(fault, id=f"{fault.kind}-{number}")
        for number, fault in enumerate(scenario.fault, 1)
    )
    return replace(scenario, fault=named)


def _first(candidates: Sequence[Scenario], now: Scenario, trials: _Trials) -> Scenario:
    """The first of the candidates that fails, else what there is."""
    return next((one for one in candidates if one != now and trials.fails(one)), now)


def _without_faults(now: Scenario, trials: _Trials) -> Scenario:
    return _first([replace(now, fault=(), partner_fault=())], now, trials)


def _fewer_sites(now: Scenario, trials: _Trials) -> Scenario:
    sites = workload_of(now, trials.sessions).sites
    few = least(sites, lambda some: trials.fails(now.at_sites(*some)))
    return now if few == sites else now.at_sites(*few)


def _fewer_faults(now: Scenario, trials: _Trials) -> Scenario:
    for name in ("partner_fault", "fault"):
        faults = getattr(now, name)
        if faults:
            none = replace(now, **{name: ()})
            base = now
            few = least(faults, lambda some: trials.fails(replace(base, **{name: some})))  # noqa: B023 - used at once
            now = none if trials.fails(none) else replace(now, **{name: few})
    return now


def _fewer_sessions(now: Scenario, trials: _Trials) -> Scenario:
    lines = tuple(visit.line for visit in workload_of(now, trials.sessions).visits)
    few = least(lines, lambda some: trials.fails(_on_lines(now, some)))
    return now if few == lines else _on_lines(now, few)


def _on_lines(scenario: Scenario, lines: tuple[int, ...]) -> Scenario:
    return replace(scenario, sessions=replace(scenario.sessions, rows=tuple(sorted(lines))))


def _single(now: Scenario, trials: _Trials) -> Scenario:
    """Each fault at one station, where it was at several."""
    for number, fault in enumerate(now.fault):
        one = replace(fault, where=replace(fault.where, count=None, share=None))
        now = _first([replace(now, fault=(*now.fault[:number], one, *now.fault[number + 1 :]))], now, trials)
    return now


def _shorter(now: Scenario, trials: _Trials) -> Scenario:
    """Fewer hours: the horizon first, then the time in which everything comes to rest."""
    for name, short in (("horizon", _SHORT_HORIZON), ("settle", _SHORT_SETTLE)):
        long = int(getattr(now.day, name))
        tried = [length for length in (short, (short + long) // 2 // HOUR * HOUR) if short <= length < long]
        days = [replace(now, day=replace(now.day, **{name: Duration(length)})) for length in tried]
        now = _first(days, now, trials)
    return now
