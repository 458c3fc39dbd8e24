"""One seed of a rehearsal, played and judged in a process of its own: its facts as plain data.

Writes no file. What goes wrong is told in the answer, with whose mistake it is.
"""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec import Struct

from reports.seed import dumps, facts_of
from scenarios.model import Scenario
from scenarios.stopping import quiet
from scenarios.targets import resolve
from sim.errors import BadInput, raised
from sim.evidence.verdict import Verdict


class Day(Struct, frozen=True):
    """What is played in one process: a scenario with a seed against a target."""

    scenario: Scenario
    seed: int
    sessions: Path
    target: str


def told(day: Day) -> dict[str, Any]:
    """The facts of a day, or whose mistake it is that there are none: `bad_input` with its parts, or `failed`."""
    try:
        with quiet():  # a target may print what it likes
            return play_seed(day.scenario, day.seed, day.sessions, day.target)
    except BadInput as bad:
        return {"bad_input": {name: getattr(bad, name) for name in ("file", "place", "problem", "allowed")}}
    except (Exception, SystemExit) as err:  # also a SystemExit of the target
        return {"failed": raised(err)}


def play_seed(scenario: Scenario, seed: int, sessions: Path, target: str = "reference") -> dict[str, Any]:
    """Play one seed: `digest`, `facts` (`reports.seed.facts_of`), `findings` and `not_judged` by check.

    Raises BadInput, and whatever a run raises.
    """
    from scenarios.runner import judge

    played, results = judge(scenario, seed, sessions=sessions, target=resolve(target), repeat=False)
    with closing(played.evidence) as evidence:
        return {
            "digest": evidence.digest,
            "facts": json.loads(dumps(facts_of(evidence))),
            "findings": {one.check: [len(one.findings), one.findings[0].sentence] for one in results if one.findings},
            "not_judged": {one.check: one.reason for one in results if one.verdict is Verdict.UNKNOWN},
        }
