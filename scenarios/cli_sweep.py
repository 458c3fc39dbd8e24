"""`chargerig sweep`: a scenario over many seeds, a swarm of faults, and findings made small.

Options are read and results told here; the work is done in `scenarios.sweep`.
"""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from scenarios import catalogue, cli_screen
from scenarios.cli_guard import Json, doors_of, guarded, print_json
from scenarios.cli_rehearse import jobs_of, seeds_of
from scenarios.cli_run import FINDING, NOT_JUDGED, OK, OWN_FAILURE, wanted_scenario
from scenarios.load import sessions_path
from scenarios.model import Scenario
from scenarios.outfolder import free_place, write_results
from scenarios.runfolder import DEFAULT_BASE
from scenarios.stopping import quiet
from scenarios.targets import Target, foreign
from sim.errors import BadInput

SWARM_DAY, SWARM_SITES = "first-day", "campus-4,campus-5"
"""What a swarm is drawn on if no scenario is named: 21 stations of two sites, one of which moves."""
JSON_FILE, PAGE_FILE = "sweep.json", "sweep.html"


def register(app: typer.Typer) -> None:
    """Make the command known."""
    app.command()(sweep)


def sweep(
    context: typer.Context,
    scenario: Annotated[
        str | None,
        typer.Argument(
            metavar="[SCENARIO]", help="A scenario, or the path of a .toml file; may be left out with --swarm."
        ),
    ] = None,
    seeds: Annotated[str, typer.Option(metavar="A-B", help="Seeds to play, as 0-99 or 1,4,10-12.")] = "0-99",
    swarm: Annotated[
        bool, typer.Option("--swarm", help="Each seed draws its own faults: which kinds, how many, where and when.")
    ] = False,
    jobs: Annotated[int | None, typer.Option(min=1, help="Days at once; one for each core if left out.")] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Go on after a finding; without it the sweep stops at the first one.")
    ] = False,
    target: Annotated[
        str, typer.Option(help="The back-end under test, as of run; `mutant:NAME` is one with a planted bug.")
    ] = "reference",
    sites: Annotated[str | None, typer.Option(metavar="SITE,...", help="Only these sites take part.")] = None,
    shrink: Annotated[
        int, typer.Option(metavar="N", min=0, help="Make the first finding of so many checks small; 0: none.")
    ] = 1,
    trials: Annotated[int, typer.Option(min=1, help="Days that may be played to make one finding small.")] = 150,
    cluster: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="Play at the workers of this dask.distributed scheduler.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the results, by default reports/out/<scenario>-sweep-<seeds>.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Play a scenario over many seeds and look for a finding. A finding is made small: a few lines of TOML that show it.

    \b
    chargerig sweep first-day --seeds 0-99 --jobs 2
    chargerig sweep --swarm --seeds 0-999 --all
    chargerig sweep first-day --sites campus-4,campus-5 --target mutant:signature-not-checked
    chargerig sweep first-day --cluster tcp://scheduler:8786

    Exit code 0 without a finding, 1 with one, 3 if a day itself failed, 4 if something could not be judged.
    """
    from reports.sweep import dumps, page
    from scenarios.sweep.sweep import sweep as swept_by
    from scenarios.sweep.task import Task

    with guarded(as_json):
        day, base, wanted = _day(scenario, swarm, sites), scenario or SWARM_DAY, seeds_of(seeds)
        if foreign(target) is not None:
            raise BadInput("command line", "--target", "a sweep plays in virtual time", "a target that is no server")
        backend: Target = doors_of(context).resolve(target)
        name = f"{day.name}-{'swarm' if swarm else 'sweep'}-{wanted[0]}-{wanted[-1]}"
        place = free_place(out or DEFAULT_BASE / name, JSON_FILE, "sweep")
        where = None
        if cluster is not None:
            from scenarios.sweep.cluster import on_cluster

            where = on_cluster(cluster)
        task = Task(day, tuple(wanted), sessions_path(day), target, swarm)
        with cli_screen.counted(day.name, "with a finding") as tell:
            done = swept_by(task, jobs_of(jobs, len(wanted)), everything=everything, tell=tell, where=where)
        options = [*(["--sites", sites] if sites else []), *(["--target", target] if target != "reference" else [])]
        if done.signal:
            cli_screen.complain(f"stopped after {len(done.outcomes)} of {done.asked} seeds; this is what those gave")
            shrink = 0
        small = _small(done.outcomes, day, base, backend, swarm, place, shrink, trials)
        command = ["chargerig", "sweep", *([scenario] if scenario else []), *(["--swarm"] if swarm else [])]
        one = (
            [*command, "--seeds", "{seed}", "--shrink", "0"]
            if swarm
            else ["chargerig", "run", base, "--seed", "{seed}"]
        )
        head = {
            "scenario": base,
            "title": day.title,
            "target": target,
            "swarm": swarm,
            "asked": done.asked,
            "stopped": done.stopped,
            "command": shlex.join([*command, *options, "--seeds", seeds, *(["--all"] if everything else [])]),
            "shrunk": [told for told, _ in small],
        }
        figures = _figures(head, done.outcomes, " ".join([*one, *map(shlex.quote, options)]))
        texts = {told["file"]: text for told, text in small}
        write_results(place, {JSON_FILE: dumps(figures), PAGE_FILE: page(figures), **texts})
        code = OWN_FAILURE if figures["failed"] else FINDING if figures["findings"] else OK
        code = NOT_JUDGED if code == OK and figures["not_judged"] else code
        code = done.signal or code
        if as_json:
            print_json({**figures, "folder": str(place), "exit_code": code})
        else:
            _show(figures, place)
        raise typer.Exit(code)


def _day(scenario: str | None, swarm: bool, sites: str | None) -> Scenario:
    """The scenario that is swept. Raises BadInput if there is none to sweep."""
    if scenario is None and not swarm:
        raise BadInput("command line", "SCENARIO", "is missing", "the name of a scenario, or --swarm")
    if scenario is None:
        return wanted_scenario(SWARM_DAY, sites=sites or SWARM_SITES)
    return wanted_scenario(scenario, sites=sites)


def _figures(head: dict[str, Any], outcomes: Any, replay: str) -> dict[str, Any]:
    from reports.sweep import told

    return told(head, msgspec.to_builtins(outcomes), catalogue.checks(), replay)


def _small(
    outcomes: Any,
    day: Scenario,
    base: str,
    target: Target,
    swarm: bool,
    place: Path,
    many: int,
    trials: int,
) -> list[tuple[dict[str, Any], str]]:
    """The first finding of so many checks made small: what is told of each, and the text of its file."""
    from scenarios.sweep.shrink import shrink
    from scenarios.sweep.small import small_toml
    from scenarios.sweep.swarm import drawn

    firsts: dict[str, int] = {}
    for one in outcomes:
        for found in one.found:
            firsts.setdefault(found.check, one.seed)
    told = []
    for check, seed in list(firsts.items())[:many]:
        scenario = drawn(day, seed) if swarm else day
        with cli_screen.steps(f"{check} at seed {seed} made small") as tell, quiet():
            less = shrink(scenario, seed, check, sessions=sessions_path(day), target=target, most=trials, tell=tell)
        file = f"{less.scenario.name}.toml"
        finding = f"{less.finding.subject_kind} {less.finding.subject}: {less.finding.sentence}"
        text = small_toml(less.scenario, base, f"{check} at seed {seed}: {finding}", place / file)
        again = ["--target", target.spec] if target.spec != "reference" else []
        command = shlex.join(["chargerig", "run", str(place / file), "--seed", str(seed), "--no-repeat", *again])
        row = {"check": check, "seed": seed, "file": file, "command": command, "finding": finding, "toml": text}
        sizes = {"before": less.before.text(), "after": less.after.text(), "trials": less.trials, "least": less.least}
        told.append(({**row, **sizes}, text))
    return told


def _show(figures: dict[str, Any], place: Path) -> None:
    from reports.sweep import headline

    checks = [one for one in figures["checks"] if one["counts"]["FAIL"] or one["counts"]["UNKNOWN"]]
    if checks:
        rows = [(one["check"], one["counts"]["FAIL"], one["counts"]["UNKNOWN"], one["sentence"]) for one in checks]
        cli_screen.table(("check", "found", "unknown", "what it says"), rows)
    for kind in ("findings", "failed", "not_judged"):
        for row in figures[kind][:10]:
            what = row.get("said") or row.get("problem")
            cli_screen.lines([f"seed {row['seed']} {row.get('check', 'failed')}: {what} -> {row['replay']}"])
        if len(figures[kind]) > 10:
            cli_screen.lines([f"and {len(figures[kind]) - 10} more in {place / JSON_FILE}"])
    for one in figures["shrunk"]:
        cli_screen.lines(["", f"{one['check']} made small: {one['before']} -> {one['after']}", one["command"]])
    cli_screen.lines(
        ["", headline(figures), f"digest over all days: {figures['digest']}", f"page: {place / PAGE_FILE}"]
    )
