"""Some seeds of a sweep, played one after the other in whatever process this is, and what each of them gave.

What a seed gives depends on the task alone: not on its neighbours, on how many go on at once, or on the machine. Nothing
here may write a file.
"""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import msgspec
from msgspec import Struct

from scenarios import children
from scenarios.model import Scenario
from scenarios.runner import REPEATED, judge
from scenarios.stopping import quiet
from scenarios.sweep.swarm import drawn
from scenarios.targets import REFERENCE, Target, resolve
from sim.errors import BadInput, raised
from sim.evidence.verdict import CheckResult


class Task(Struct, frozen=True):
    """Seeds of one scenario against one target. `swarm`: each seed draws its own faults instead of the scenario's."""

    scenario: Scenario
    seeds: tuple[int, ...]
    sessions: Path
    target: str = "reference"
    swarm: bool = False


class Checked(Struct, frozen=True):
    """What one check said of a seed: its verdict, how many findings, and the first of them or the reason."""

    check: str
    verdict: str
    findings: int = 0
    said: str = ""


class Outcome(Struct, frozen=True):
    """What became of one seed. `failed` is why it came to no verdict, `faults` are the kinds that were planned."""

    seed: int
    digest: str = ""
    checks: tuple[Checked, ...] = ()
    faults: tuple[str, ...] = ()
    failed: str = ""
    bad_input: tuple[str, str, str, str] | None = None

    @property
    def found(self) -> tuple[Checked, ...]:
        """The checks that found something."""
        return tuple(one for one in self.checks if one.findings)


def play(task: Task) -> tuple[Outcome, ...]:
    """Every seed of the task. Whatever one of them raises is told in its outcome."""
    with quiet():  # a target may print what it likes
        return tuple(_outcome(task, seed) for seed in task.seeds)


def _outcome(task: Task, seed: int) -> Outcome:
    try:
        scenario = drawn(task.scenario, seed) if task.swarm else task.scenario
        return played(scenario, seed, task.sessions, resolve(task.target))
    except BadInput as bad:
        said = (bad.file, bad.place, bad.problem, bad.allowed)
        return Outcome(seed, failed=str(bad), bad_input=said)
    except Exception as err:
        return Outcome(seed, failed=raised(err))
    except SystemExit as err:  # of the target
        return Outcome(seed, failed=raised(err))


def played(scenario: Scenario, seed: int, sessions: Path, target: Target = REFERENCE) -> Outcome:
    """Play and judge one seed, without its repetition. Raises BadInput, and whatever a run raises."""
    done, results = judge(scenario, seed, sessions=sessions, target=target, wire="index", repeat=False)
    with closing(done.evidence) as evidence:
        faults = tuple(sorted({fault.kind for fault in scenario.fault}))
        return Outcome(seed, evidence.digest, tuple(map(_checked, results)), faults)


def asked(scenario: Scenario) -> tuple[str, ...]:
    """The checks that a seed of a sweep is judged by: those of the scenario but the repetition of a run."""
    return tuple(check for check in scenario.checks.all_of if check != REPEATED)


def _checked(result: CheckResult) -> Checked:
    first = result.findings[0] if result.findings else None
    said = result.reason if first is None else f"{first.subject_kind} {first.subject}: {first.sentence}"
    return Checked(result.check, result.verdict.value, len(result.findings), said)


def main() -> int:
    """In a process of its own: play the task of standard input, answer in JSON on standard output."""
    outcomes = play(children.unpacked())
    print(msgspec.json.encode(outcomes).decode("utf-8"))
    return 0


def in_a_process(task: Task) -> tuple[Outcome, ...]:
    """Play a task in a fresh process of this machine and wait for it. Raises RuntimeError if that dies."""
    process = children.start("scenarios.sweep.task", children.packed(task))
    try:
        assert process.stdout is not None
        said = process.stdout.read()
        code = process.wait()
    finally:
        children.stop(process)
    if code != 0:
        raise RuntimeError(f"the process of a sweep ended with exit code {code}")
    answer: tuple[Outcome, ...] = msgspec.json.decode(said, type=tuple[Outcome, ...])
    return answer
