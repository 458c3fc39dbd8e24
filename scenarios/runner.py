"""Runs one scenario with one seed against one target, in virtual time, and hands the evidence to the checks.

The order is always the same: set the stage, let the day happen, harvest the books, write the evidence down, judge. Checks
see the evidence only, and nothing that is recorded may come from the clock on the wall.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from fleet.ev_driver import EvDriver
from fleet.rig import Rig
from scenarios.app import App
from scenarios.checks import run_checks
from scenarios.harvest import harvest
from scenarios.migration import MigrationTool
from scenarios.model import Scenario
from scenarios.nemesis import Nemesis
from scenarios.repeat import Repeat
from scenarios.stage import Stage, set_stage
from scenarios.targets import REFERENCE, ROLES, Target
from sim.backend import Setup
from sim.clock import Instant
from sim.evidence.store import Evidence
from sim.evidence.truth import TruthRecorder
from sim.evidence.verdict import CheckResult
from sim.evidence.wire import Policy, WireRecorder
from sim.runtimes.virtual import VirtualWorld

TRANSACTION_BASE = {"legacy": 1_000, "new": 500_000_000}
"""Where the number circle of each back-end's transaction ids begins; they never meet."""
REPEATED = "INV-39"

Progress = Callable[[Instant, Instant, Instant, int], None]
"""start, now, end, frames so far."""


class Played(Struct):
    """A day that has happened: its evidence, open for the checks."""

    stage: Stage
    evidence: Evidence
    frames: int


def play(
    scenario: Scenario,
    seed: int,
    *,
    sessions: Path,
    target: Target = REFERENCE,
    folder: Path | None = None,
    wire: Policy = "whole",
    progress: Progress | None = None,
) -> Played:
    """Let the day happen and gather its evidence, in `folder` or in memory."""
    stage = set_stage(scenario, seed, sessions)
    recorder = WireRecorder(folder / "wire.jsonl.zst" if folder else None, salt=str(seed), policy=wire)
    truth = TruthRecorder()
    low, high = scenario.network.latency_ms
    world = VirtualWorld(stage.start, seed, recorder, truth, (low, max(0, high - low)))
    residents = _populate(world, stage, target)
    Nemesis(world, stage.blows, truth.note)

    def beat(now: Instant, frames: int) -> None:
        if progress is not None:
            progress(stage.start, now, stage.end, frames)

    world.run(stage.end, beat)
    for resident in residents:
        for note in resident.final_notes(world.now):
            truth.note(note.kind, note.fields)
    evidence = harvest(world, stage, recorder, truth, folder / "evidence.sqlite" if folder else None)
    return Played(stage=stage, evidence=evidence, frames=world.links.frames)


def _populate(world: VirtualWorld, stage: Stage, target: Target) -> list[Rig | EvDriver]:
    for name in ROLES:
        options = {**target.options, "transaction_base": TRANSACTION_BASE[name]}
        setup = Setup(name=name, seed=stage.seed, provision=stage.provision, options=options)
        world.add_backend(target.factory(name), setup)
    world.add("app", App({plan.station: plan.backend for plan in stage.stations}))
    residents: list[Rig | EvDriver] = []
    for plan in stage.stations:
        rig = Rig(plan.config, stage.start)
        residents.append(rig)
        world.add(f"rig:{plan.station}", rig)
    for visit in stage.visits:
        driver = EvDriver(visit, stage.seed)
        residents.append(driver)
        world.add(visit.machine, driver)
    if stage.move is not None:
        world.add("migration", MigrationTool(stage.move))
    return residents


def judge(
    scenario: Scenario,
    seed: int,
    *,
    sessions: Path,
    target: Target = REFERENCE,
    folder: Path | None = None,
    wire: Policy = "whole",
    progress: Progress | None = None,
    repeat: bool = True,
    checks: Sequence[str] | None = None,
) -> tuple[Played, list[CheckResult]]:
    """Play the day and judge it by the scenario's checks, or by `checks`.

    With `repeat` the same run goes on in a second process meanwhile, with another hash seed, so that INV-39 has something
    to compare; without it INV-39 is not asked.
    """
    wanted = list(scenario.checks.all_of if checks is None else checks)
    if not repeat:
        wanted = [check for check in wanted if check != REPEATED]
    second = Repeat(scenario, seed, sessions, target) if repeat and REPEATED in wanted else None
    try:
        played = play(scenario, seed, sessions=sessions, target=target, folder=folder, wire=wire, progress=progress)
        if second is not None:
            played.evidence.add_repeats([(second.hash_seed, second.digest())])
    finally:
        if second is not None:
            second.stop()
    return played, run_checks(played.evidence, wanted)
