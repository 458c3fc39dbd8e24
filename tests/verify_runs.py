"""Part of `make verify`: runs every packaged scenario as a user would and compares.

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


def run(scenario: str, seed: int, hash_seed: str, folder: Path, *options: str) -> dict[str, Any]:
    """One run in a process of its own. Raises RuntimeError if it is not a clean PASS."""
    out = folder / f"{scenario}-{seed}-{hash_seed}"
    command = [sys.executable, "-m", "scenarios.cli", "run", scenario, "--seed", str(seed), "--json", "--out", str(out)]
    done = subprocess.run(
        [*command, *options],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(
            f"{scenario} seed {seed} ended with exit code {done.returncode}:\n{done.stdout}{done.stderr}"
        )
    result: dict[str, Any] = json.loads(done.stdout)["runs"][0]
    return result


def problems(scenario: str, folder: Path) -> list[str]:
    """What is wrong with a scenario, in sentences."""
    first = run(scenario, 1, "1", folder)
    again = run(scenario, 1, "2", folder, "--no-repeat")
    other = run(scenario, 2, "1", folder, "--no-repeat")
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


def main() -> int:
    """Verify every packaged scenario."""
    names = list(catalogue.scenarios())
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
