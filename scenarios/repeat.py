"""The same run once more in a process of its own, with another hash seed: determinism is shown, not claimed (INV-39).

Reads what to run from standard input and prints the digest, nothing else. It may never write a file.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

from scenarios.model import Scenario
from scenarios.targets import Target

HASH_SEEDS = ("20190612", "4711")


class Repeat:
    """A second run under way."""

    def __init__(self, scenario: Scenario, seed: int, sessions: Path, target: Target) -> None:
        own = os.environ.get("PYTHONHASHSEED", "random")
        self.hash_seed = next(seed for seed in HASH_SEEDS if seed != own)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "scenarios.repeat"],
            env={**os.environ, "PYTHONHASHSEED": self.hash_seed},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdin is not None
        pickle.dump(sys.path, self._process.stdin)  # first, so that the target's own module is found
        pickle.dump((scenario, seed, sessions, target), self._process.stdin)
        self._process.stdin.close()

    def digest(self) -> str:
        """Wait for it. Raises RuntimeError if the second run died."""
        assert self._process.stdout is not None
        text = self._process.stdout.read().decode().strip()
        if self._process.wait() != 0 or len(text) != 64:
            raise RuntimeError(f"the repeated run ended with exit code {self._process.returncode}")
        return text

    def stop(self) -> None:
        """End it if it still runs; for when the first run failed."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def main() -> None:
    """Play what standard input describes and print the digest."""
    from scenarios.runner import play

    sys.path[:] = pickle.load(sys.stdin.buffer)  # our own parent wrote both
    scenario, seed, sessions, target = pickle.load(sys.stdin.buffer)
    print(play(scenario, seed, sessions=sessions, target=target).evidence.digest)


if __name__ == "__main__":
    main()
