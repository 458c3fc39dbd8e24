"""Runs one scenario with one seed against one target, in virtual time, and hands the evidence to the checks.

The order is always the same: set the stage, let the day happen, harvest the books, write the evidence down, judge. Checks
see the evidence only, and nothing that is recorded may come from the clock on the wall.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from msgspec import Struct

from fleet.ev_driver import EvDriver
from fleet.rig import Rig
from fleet.technician import Technician
from scenarios.app import App
from scenarios.cast import ENDPOINT
from scenarios.checks import run_checks
from scenarios.faults.strike import Nemesis
from scenarios.harvest import harvest
from scenarios.migration import MigrationTool, MortalTool, MoveParts
from scenarios.model import Scenario
from scenarios.nemesis_move import MoveNemesis, Overheard
from scenarios.probes import Knocker, Tapper
from scenarios.repeat import Repeat
from scenarios.stage import Stage, set_stage
from scenarios.targets import REFERENCE, ROLES, Target
from scenarios.upgrade.casting import money_options, provision_of
from scenarios.upgrade.desk import OPERATOR, Desk
from scenarios.upgrade.owners import OwnerMachine, owner_name
from scenarios.upgrade.partners import make_partners
from scenarios.upgrade.parts import DeskParts
from sim.backend import Factory, Setup, Unverifiable
from sim.clock import Instant
from sim.errors import BackEndRaised, BadInput, TargetFailed
from sim.evidence.store import Evidence
from sim.evidence.truth import TruthRecorder
from sim.evidence.verdict import CheckResult
from sim.evidence.wire import Policy, WireRecorder
from sim.machine import Command
from sim.partners.party import merge
from sim.runtimes.virtual import VirtualWorld

TRANSACTION_BASE = {"legacy": 1_000, "new": 500_000_000}
"""Where the number circle of each back-end's transaction ids begins; they never meet."""
REPEATED = "INV-39"

Progress = Callable[[Instant, Instant, Instant, int], None]
"""start, now, end, frames so far."""


class Played(Struct):
    """A day that has happened: its evidence, open for the checks; `facts` are of real sockets, for the manifest."""

    stage: Stage
    evidence: Evidence
    frames: int
    facts: dict[str, str] = {}


def play(
    scenario: Scenario,
    seed: int,
    *,
    sessions: Path,
    target: Target = REFERENCE,
    folder: Path | None = None,
    wire: Policy = "whole",
    progress: Progress | None = None,
    move: MoveParts | None = None,
    desk: DeskParts | None = None,
) -> Played:
    """Let the day happen and gather its evidence, in `folder` or in memory.

    `move` replaces decisions of the migration tool, `desk` those of the operator's desk: there planted bugs go in.
    """
    stage = set_stage(scenario, seed, sessions)
    recorder = WireRecorder(folder / "wire.jsonl.zst" if folder else None, salt=str(seed), policy=wire)
    try:
        return _play(stage, target, recorder, folder, progress, move or MoveParts(), desk or DeskParts())
    finally:
        recorder.close()  # also where the day ends early: no file stays open


def _play(
    stage: Stage,
    target: Target,
    recorder: WireRecorder,
    folder: Path | None,
    progress: Progress | None,
    move: MoveParts,
    desk: DeskParts,
) -> Played:
    truth = TruthRecorder()
    overheard = Overheard(truth)
    low, high = stage.scenario.network.latency_ms
    world = VirtualWorld(stage.start, stage.seed, recorder, overheard, (low, max(0, high - low)))
    partners = {} if stage.upgrade is None else make_partners(stage.scenario, stage.seed, stage.upgrade)
    residents = _populate(world, stage, target, move)
    for name, partner in partners.items():
        world.add(name, partner)
    if stage.upgrade is not None:
        world.add(OPERATOR, Desk(stage.upgrade, desk, begins_at=stage.start))
        for owner in stage.upgrade.owners:
            world.add(owner_name(owner.owner), OwnerMachine(owner, stage.upgrade, begins_at=stage.start))
    Nemesis(world, stage.blows, overheard)
    MoveNemesis(world, stage.strikes, overheard)

    def beat(now: Instant, frames: int) -> None:
        if progress is not None:
            progress(stage.start, now, stage.end, frames)

    try:
        world.run(stage.end, beat)
    except BackEndRaised as err:
        _say_whose(err, target)
    for resident in residents:
        for note in resident.final_notes(world.now):
            truth.note(note.kind, note.fields)
    ours = [role for role in ROLES if target.is_ours(role)]
    statements = merge(partner.statement(world.now) for partner in partners.values()) if partners else None
    path = folder / "evidence.sqlite" if folder else None
    evidence = harvest(world, stage, recorder, truth, path, ours, statements)
    return Played(stage=stage, evidence=evidence, frames=world.links.frames)


def _populate(world: VirtualWorld, stage: Stage, target: Target, move: MoveParts) -> list[Rig | EvDriver | MortalTool]:
    for name in ROLES:
        options = {**target.options, "transaction_base": TRANSACTION_BASE[name]}
        if stage.upgrade is not None:
            options["money"] = money_options(name, stage.scenario, stage.seed)
        provision = provision_of(name, stage.provision, stage.upgrade)
        setup = Setup(name=name, seed=stage.seed, provision=provision, options=options)
        try:
            world.add_backend(target.factory(name), setup)
        except BackEndRaised as err:
            if target.is_ours(name):
                _say_whose(err, target)
            place = f"the factory of {name} ({_factory_name(target.factory(name))})"
            allowed = "a factory that takes a Setup and returns a back-end"
            raise BadInput(f"target {target.name}", place, err.problem, allowed) from err.__cause__
    world.add("app", App({plan.station: plan.backend for plan in stage.stations}))
    residents: list[Rig | EvDriver | MortalTool] = []
    for plan in stage.stations:
        rig = Rig(plan.config, stage.start)
        residents.append(rig)
        world.add(f"rig:{plan.station}", rig)
    for visit in stage.visits:
        driver = EvDriver(visit, stage.seed)
        residents.append(driver)
        world.add(visit.machine, driver)
    if stage.scenario.fleet.rest_after is not None:
        rest_at = stage.scenario.day.settles_at + int(stage.scenario.fleet.rest_after)
        for plan in stage.stations:
            world.at(rest_at, world.send_command, f"rig:{plan.station}", Command("switch-off"))
    if stage.moves:
        tool = MortalTool(lambda disk: MigrationTool(stage.moves, move, disk))
        residents.append(tool)
        world.add("migration", tool)
        world.add("technician", Technician(stage.seed, stage.technician_hours))
        for order in (one for wave in stage.moves for one in wave.stations):
            world.add(f"knock:{order.station}", Knocker(order.station))
    tokens = [str(row["token"]) for row in stage.provision["tokens"]]
    for probe in stage.plan["probes"]:
        name, url = str(probe["station"]), ENDPOINT.format(backend=probe["backend"])
        world.add(name, Tapper(name, url, tokens, stage.taps_at))
    return residents


def _say_whose(err: BackEndRaised, target: Target) -> NoReturn:
    """For a back-end that raised: our own error as it was, or the failure of the target."""
    if not target.is_ours(err.role):
        raise TargetFailed(f"the target {target.name} failed, not chargerig: {err}") from err.__cause__
    if isinstance(err.__cause__, Exception):
        raise err.__cause__
    raise err


def _factory_name(factory: Factory) -> str:
    name = getattr(factory, "__qualname__", None)
    return f"{getattr(factory, '__module__', '?')}:{name}" if name else repr(factory)[:80]


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
    move: MoveParts | None = None,
    desk: DeskParts | None = None,
) -> tuple[Played, list[CheckResult]]:
    """Play the day and judge it by the scenario's checks, or by `checks`.

    With `repeat` the same run goes on in a second process meanwhile, with another hash seed, so that INV-39 has something
    to compare; without it INV-39 is not asked. Raises BadInput for a factory that makes no back-end, TargetFailed for a
    target that raises in the middle of the day; a mistake of the reference raises as it is.
    """
    wanted = list(scenario.checks.all_of if checks is None else checks)
    if not repeat:
        wanted = [check for check in wanted if check != REPEATED]
    second = Repeat(scenario, seed, sessions, target) if repeat and REPEATED in wanted else None
    try:
        played = play(
            scenario,
            seed,
            sessions=sessions,
            target=target,
            folder=folder,
            wire=wire,
            progress=progress,
            move=move,
            desk=desk,
        )
        if second is not None:
            digest = second.digest()
            if isinstance(digest, Unverifiable):
                played.evidence.add_missing("repeats", digest.reason)
            else:
                played.evidence.add_repeats([(second.hash_seed, digest)])
    finally:
        if second is not None:
            second.stop()
    return played, run_checks(played.evidence, wanted)
