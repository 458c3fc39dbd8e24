"""The run itself: the same scenario and seed make the same digest in every process (INV-39)."""

from __future__ import annotations

from scenarios.checks.registry import Judge, check
from sim.evidence.reader import Evidence, note


@check(
    "INV-39",
    sentence="the same scenario and seed give the same digest of wire, truth and books under other hash seeds",
    planes=("run",),
    needs=("repeats",),
)
def same_digest(evidence: Evidence, judge: Judge) -> None:
    """Every repeat against this run's digest; at least two hash seeds must have been tried."""
    own = evidence.digest
    repeats = evidence.rows("SELECT hash_seed, digest FROM repeats")
    judge.examined(len(repeats))
    for one in repeats:
        if one["digest"] != own:
            sentence = f"with PYTHONHASHSEED {one['hash_seed']} the digest is {one['digest']}, here it is {own}"
            judge.fail("run", one["hash_seed"], sentence, note("run", "repeats", **one))
    seeds = {one["hash_seed"] for one in repeats} | {evidence.meta("hash_seed")} - {None}
    if repeats and len(seeds) < 2:
        judge.unknown("all runs had the same hash seed")
