"""One seed of a rehearsal in a process of its own: plays and judges the day, and prints its facts as one line of JSON.

Writes no file. What goes wrong is told in the answer, with whose mistake it is.
"""

from __future__ import annotations

import json
import signal
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from reports.seed import dumps, facts_of
from scenarios import children
from scenarios.model import Scenario
from scenarios.targets import resolve
from sim.errors import BadInput, raised
from sim.evidence.verdict import Verdict


def main() -> int:
    """Play what standard input describes; print what came of it. Ctrl-C is the parent's business, which ends this one."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answer = sys.stdout
    sys.stdout = sys.stderr  # a target may print what it likes
    print(dumps(_told(*children.unpacked())), file=answer)
    return 0


def _told(scenario: Scenario, seed: int, sessions: Path, target: str) -> dict[str, Any]:
    try:
        return play_seed(scenario, seed, sessions, target)
    except BadInput as bad:
        return {"bad_input": {name: getattr(bad, name) for name in ("file", "place", "problem", "allowed")}}
    except BaseException as err:  # also a SystemExit of the target
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
