"""Part of `make verify`: runs every packaged day as a user would and compares. The troubles that are laid over them (they
name a source) are played by `tests/scenarios/test_library.py`.

The same seed in two processes with different PYTHONHASHSEED gives the same digest, another seed another one, and every
check that the scenario names examined something. Prints what it compared; exit code 1 if anything is not so, or if there
was nothing to compare. To be run with `python -P`: the folder of this file has a folder `scenarios` of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from scenarios import catalogue
from scenarios.load import load_scenario


class Run:
    """One run in a process of its own, begun at once."""

    def __init__(self, scenario: str, seed: int, hash_seed: str, folder: Path, *options: str) -> None:
        self.name = f"{scenario}-{seed}-{hash_seed}"
        command = [sys.executable, "-m", "scenarios.cli", "run", scenario, "--seed", str(seed), "--json"]
        self._said, self._told = folder / f"{self.name}.json", folder / f"{self.name}.txt"
        with self._said.open("w", encoding="utf-8") as said, self._told.open("w", encoding="utf-8") as told:
            self._process = subprocess.Popen(
                [*command, "--out", str(folder / self.name), *options],
                env={**os.environ, "PYTHONHASHSEED": hash_seed},
                stdout=said,
                stderr=told,
            )

    def result(self) -> dict[str, Any]:
        """What it says of itself when it is over. Raises RuntimeError if that is not a clean PASS."""
        code = self._process.wait()
        said = self._said.read_text("utf-8")
        if code != 0:
            raise RuntimeError(f"{self.name} ended with exit code {code}:\n{said}{self._told.read_text('utf-8')}")
        result: dict[str, Any] = json.loads(said)["runs"][0]
        return result


def problems(scenario: str, folder: Path) -> list[str]:
    """What is wrong with a scenario, in sentences. Two processes at a time: the first run has a second one of its own."""
    first = Run(scenario, 1, "1", folder).result()
    others = [Run(scenario, seed, "2", folder, "--no-repeat", "--documents", "none") for seed in (1, 2)]
    again, other = [one.result() for one in others]
    print(f"{scenario}: seed 1 {first['digest'][:16]} and {again['digest'][:16]}, seed 2 {other['digest'][:16]}")
    found = []
    if first["digest"] != again["digest"]:
        found.append(f"{scenario}: seed 1 gives two digests under two PYTHONHASHSEED")
    if first["digest"] == other["digest"]:
        found.append(f"{scenario}: seeds 1 and 2 give the same digest")
    for check in first["checks"]:
        print(f"  {check['check']:8} examined {check['items']}")
        if not check["items"]:
            found.append(f"{scenario}: {check['check']} examined nothing")
    return found


def days() -> list[str]:
    """The packaged scenarios that are no trouble over a day of another one."""
    return [name for name in catalogue.scenarios() if not load_scenario(name).source]


def main() -> int:
    """Verify every packaged scenario."""
    names = days()
    if not names:
        print("no packaged scenario was found, so nothing was verified", file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        found = [problem for name in names for problem in problems(name, Path(folder))]
    for problem in found:
        print(problem, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
