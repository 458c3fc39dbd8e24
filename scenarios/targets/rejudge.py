"""A finished run, judged by the books that a target shows."""

from __future__ import annotations

from pathlib import Path

from scenarios.checks.registry import run_checks
from scenarios.targets.books import read_target
from scenarios.targets.model import ForeignTarget
from scenarios.targets.rebook import rebooked
from sim.errors import need
from sim.evidence.store import open_evidence
from sim.evidence.verdict import CheckResult

ALL = "legacy and new"


def rejudge(folder: Path, target: ForeignTarget) -> list[CheckResult]:
    """The checks of the run in this folder, over its truth and wire and the books of this target.

    A target of one back-end needs a run of one back-end. Raises BadInput.
    """
    with open_evidence(folder / "evidence.sqlite") as run:
        roles = sorted({str(row["backend"]) for row in run.plan("stations", ())})
        moved = run.plan("move")
        if target.single:
            one = moved is None and len(roles) == 1
            need(one, target.file, "", f"names one back-end, and the run has {ALL}", "[legacy...] and [new...]")
        names = {"": roles[0]} if target.single else {}
        books, statements = read_target(target, names)
        with rebooked(run, books, statements) as evidence:
            return run_checks(evidence, [str(name) for name in run.plan("checks", ())])
