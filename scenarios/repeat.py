"""The same run once more in a process of its own, with another hash seed: determinism is shown, not claimed (INV-39).

Reads what to run from standard input and prints the digest, nothing else. It may never write a file, and a second run
that cannot be made or fails says why instead of ending the first one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from scenarios import children
from scenarios.model import Scenario
from scenarios.targets import Target, resolve
from sim.backend import Unverifiable
from sim.errors import raised

HASH_SEEDS = ("20190612", "4711")
_FAILED = "failed: "


class Repeat:
    """A second run under way. The other process finds the target by its `spec`, as the first one did."""

    def __init__(self, scenario: Scenario, seed: int, sessions: Path, target: Target) -> None:
        own = os.environ.get("PYTHONHASHSEED", "random")
        self.hash_seed = next(seed for seed in HASH_SEEDS if seed != own)
        self._process: subprocess.Popen[bytes] | None = None
        self._trouble = ""
        try:  # all of it before there is a process that could be left behind
            work = children.packed((scenario, seed, sessions, target.spec or target))
        except Exception as err:  # pickle raises whatever the object's own code raises
            self._trouble = f"the target {target.name!r} was made in Python and cannot be sent to it: {raised(err)}"
            return
        self._process = children.start("scenarios.repeat", work, {"PYTHONHASHSEED": self.hash_seed})

    def digest(self) -> str | Unverifiable:
        """Wait for it: the digest, or why there is none."""
        if self._process is None:
            return Unverifiable(f"there was no second run: {self._trouble}")
        assert self._process.stdout is not None
        text = self._process.stdout.read().decode("utf-8", "replace").strip()
        code = self._process.wait()
        if code == 0 and len(text) == 64:
            return text
        why = text.removeprefix(_FAILED) if text.startswith(_FAILED) else f"it ended with exit code {code}"
        return Unverifiable(f"the second run (PYTHONHASHSEED {self.hash_seed}) failed: {why}")

    def stop(self) -> None:
        """End it if it still runs; for when the first run failed."""
        if self._process is not None:
            children.stop(self._process)


def main() -> int:
    """Play what standard input describes; print the digest, or why there is none. Returns the exit code."""
    answer = sys.stdout
    sys.stdout = sys.stderr  # a target may print what it likes
    try:
        print(_play(), file=answer)
    except KeyboardInterrupt:
        return 130
    except BaseException as err:  # also a SystemExit of the target
        print(f"{_FAILED}{raised(err)}", file=answer)
        return 1
    return 0


def _play() -> str:
    from scenarios.runner import play

    scenario, seed, sessions, target = children.unpacked()
    found = target if isinstance(target, Target) else resolve(target)
    return play(scenario, seed, sessions=sessions, target=found).evidence.digest
