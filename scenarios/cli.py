"""The command line `chargerig`. One door to typer.

Exit codes: 0 all checks pass, 1 a finding, 2 bad input, 3 our own failure or the target's code raised, 4 nothing
found but something could not be judged, 130 and 143 stopped by Ctrl-C or SIGTERM. With --json standard output carries
one JSON document and nothing else, whatever a target prints.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from reports.against import text as compared
from reports.run import Run
from reports.summary import summary
from scenarios import (
    catalogue,
    cli_audit,
    cli_bench,
    cli_check,
    cli_faults,
    cli_fleet,
    cli_fuzz,
    cli_load,
    cli_look,
    cli_matrix,
    cli_mutants,
    cli_ocmf,
    cli_rate,
    cli_record,
    cli_rehearse,
    cli_screen,
    cli_serve,
    cli_sweep,
    cli_target,
    shelf,
)
from scenarios.cli_guard import Json, Seed
from scenarios.cli_guard import doors_of as _doors
from scenarios.cli_guard import guarded as _guarded
from scenarios.cli_guard import print_json as _print_json
from scenarios.cli_guard import say as _say
from scenarios.cli_many import NotRun, play_all, plays_of
from scenarios.cli_run import (
    Done,
    Wish,
    draw,
    draw_again,
    known_checks,
    run_one,
    versions,
    wanted_scenario,
    worst,
)
from scenarios.cli_usage import OneSentence
from scenarios.load import load_scenario
from scenarios.model import plain
from scenarios.runfolder import open_run
from scenarios.stopping import quiet
from scenarios.targets import foreign
from sim.errors import BadInput, unknown

Templates = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Your own templates of the documents: .typ files and texts as nb.toml."),
]


class _Root(OneSentence):
    """The root of `chargerig`."""

    said = staticmethod(_say)


app = typer.Typer(
    name="chargerig",
    cls=_Root,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="Rehearse a charging back-end's day in virtual time, and follow every joule to the bill.\n\n"
    "Virtual stations (OCPP 1.6, signed meter values) replay real charging sessions at two back-ends while a site "
    "moves from one to the other. Afterwards checks read the evidence: was anything lost, billed twice or billed "
    "wrongly?\n\n"
    "Begin with [bold]chargerig run first-day --seed 1[/] and open the report that it names.\n\n"
    "Exit codes: 0 all checks pass, 1 a finding, 2 bad input, 3 our own failure or the target's code raised, 4 nothing "
    "found but something could not be judged, 130 and 143 stopped by a signal.",
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"chargerig {versions()['chargerig']}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of no command; what the help says stands at the app."""


@app.command()
def run(
    context: typer.Context,
    scenario: Annotated[
        list[str], typer.Argument(metavar="SCENARIO...", help="Names of scenarios, or paths of .toml files.")
    ],
    seed: Seed = 1,
    seeds: Annotated[str | None, typer.Option(metavar="A-B", help="Seeds to play, as 1-10 or 1,4,7-9.")] = None,
    jobs: Annotated[
        int, typer.Option(min=1, help="Runs at the same time, each in a process (and its repetition in another).")
    ] = 1,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the run, by default reports/out/<scenario>-seed<N>-<digest8>; of several, their parent."
        ),
    ] = None,
    as_json: Json = False,
    target: Annotated[
        str, typer.Option(help="The back-end under test: reference, a target file, or package.module:factory.")
    ] = "reference",
    allow_unknown: Annotated[
        list[str] | None,
        typer.Option(metavar="CHECK", help="A check that may be UNKNOWN without harm. May be repeated."),
    ] = None,
    sessions: Annotated[
        str | None, typer.Option(metavar="FILE", help="Replay this CSV file of charging sessions instead.")
    ] = None,
    zone: Annotated[
        str | None, typer.Option(metavar="ZONE", help="Time zone of that file's local times, as Europe/London.")
    ] = None,
    sites: Annotated[
        str | None, typer.Option(metavar="SITE,...", help="Only these sites of the session file take part.")
    ] = None,
    documents: Annotated[
        str, typer.Option(help="PDFs in the folder of the run: all, none, or a sample of each kind.")
    ] = "sample",
    templates: Templates = None,
    repeat: Annotated[
        bool, typer.Option(help="Run it a second time in another process, to see that it repeats itself (INV-39).")
    ] = True,
    pace: Annotated[
        float, typer.Option(min=0.1, max=1000, help="Behind sockets: how many times as fast as the clock on the wall.")
    ] = 1.0,
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Behind sockets: meters go on from here in the next run.")
    ] = None,
) -> None:
    """Run scenarios and judge them.

    \b
    chargerig run first-day --seed 1
    chargerig run first-day --seed 7 --json | jq .runs[0].verdict
    chargerig run first-day --seeds 1-10 --jobs 2
    chargerig run first-day --target mycompany.backend:factory
    chargerig run first-day --sessions mine.csv --zone Europe/London
    chargerig run smoke --target target.toml --pace 40 --state meters
    """
    with _guarded(as_json):
        days = [wanted_scenario(name, sessions, zone, sites) for name in scenario]
        forgiven = known_checks(allow_unknown or [])
        command = shlex.join(["chargerig", *sys.argv[1:]]) if sys.argv[1:] else ""
        wanted = [seed] if seeds is None else cli_rehearse.seeds_of(seeds)
        if jobs > 1 and foreign(target) is not None:
            raise BadInput("command line", "--jobs", "one station cannot dial twice at a time", "1 behind sockets")
        plays = plays_of(
            days, wanted, Wish(seed, target, out, repeat, forgiven, command, documents, templates, pace, state)
        )
        _doors(context).try_documents(documents, templates)
        if len(plays) == 1:
            day, wish = plays[0].scenario, plays[0].wish
            with cli_screen.progress(plays[0].name, day.day.zone) as tell, quiet():
                done: list[Done | NotRun] = [run_one(day, wish, _doors(context), tell, cli_screen.drawing())]
        else:
            with cli_screen.steps(f"{len(plays)} runs") as say, quiet():
                done = play_all(plays, jobs, _doors(context), say)
        code = worst([one.code for one in done])
        if as_json:
            _print_json({"runs": [one.as_data() for one in done], "exit_code": code})
        else:
            for one in done:
                if isinstance(one, Done):
                    _show(one.folder)
            if len(done) > 1:
                cli_screen.runs([one.line() for one in done])
        raise typer.Exit(code)


def _show(folder: Path) -> None:
    with Run(folder) as one:
        cli_screen.verdicts(summary(one), folder)


_LISTS = {
    "scenarios": catalogue.scenarios,
    "checks": catalogue.checks,
    "faults": catalogue.faults,
    "profiles": catalogue.profiles,
    "quirks": catalogue.quirks,
    "mutants": catalogue.mutants,
}
_IN_FULL = {
    "faults": cli_faults.lessons,
    "quirks": cli_faults.quirk_rows,
    "scenarios": shelf.scenario_rows,
    "checks": shelf.check_rows,
}
"""Lists of which a machine is told more than name and sentence."""


@app.command(name="list")
def list_(
    what: Annotated[str, typer.Argument(help="scenarios, checks, faults, profiles, quirks or mutants.")],
    as_json: Json = False,
) -> None:
    """List what there is: scenarios, checks, faults, profiles, quirks or mutants.

    \b
    chargerig list checks
    chargerig list faults
    """
    with _guarded(as_json):
        if what not in _LISTS:
            raise BadInput("command line", "list", *unknown("list", what, _LISTS))
        rows = _LISTS[what]()
        places = catalogue.planted_in() if what == "mutants" else {}
        if as_json and what in _IN_FULL:
            _print_json(_IN_FULL[what]())
        elif as_json:
            data = [{"name": name, "sentence": sentence} for name, sentence in rows.items()]
            _print_json([{**row, "scenario": places[row["name"]]} if places else row for row in data])
        elif what == "faults":
            cli_faults.kinds()
        else:
            cli_screen.names(rows, places)


@app.command()
def show(
    scenario: Annotated[str, typer.Argument(help="The name of a scenario, or the path of a .toml file.")],
    as_json: Json = False,
) -> None:
    """Show what a scenario says, after checking that it can be run.

    \b
    chargerig show first-day
    chargerig show my-day.toml
    """
    with _guarded(as_json):
        one = load_scenario(scenario)
        if as_json:
            _print_json(plain(one))
        else:
            cli_screen.scenario(one)


@app.command()
def report(
    context: typer.Context,
    run_dir: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    picture: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="Write the picture of the day into this file, too.")
    ] = None,
    documents: Annotated[
        str | None, typer.Option(help="Draw its PDFs anew: all, sample or none; as they are if left out.")
    ] = None,
    templates: Templates = None,
    against: Annotated[
        Path | None, typer.Option(metavar="RUN_DIR", help="Compare it with this other run instead.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Render the reports of an old run again, from its folder alone, or compare it with another run.

    \b
    chargerig report reports/out/first-day-seed1-1a2b3c4d
    chargerig report reports/out/upgrade-day-seed1-1a2b3c4d --documents all --templates my-templates
    chargerig report reports/out/before --against reports/out/after
    """
    with _guarded(as_json):
        manifest = open_run(run_dir)
        if against is not None:
            told = cli_look.against(run_dir, against)
            if as_json:
                _print_json(told)
            else:
                cli_screen.lines([*compared(told), f"page: {told['page']}"])
            return
        doors = _doors(context)
        drawn: dict[str, Any] = {}
        if documents is not None or templates is not None:
            drawn = draw_again(run_dir, documents or "sample", templates, doors, cli_screen.drawing())
        doors.reports(run_dir)
        if picture is not None:
            draw(run_dir, picture, doors)
        if as_json:
            _print_json({"folder": str(run_dir), "digest": manifest["digest"], "verdict": manifest["verdict"], **drawn})
        else:
            _show(run_dir)


@app.command()
def rehearse(
    context: typer.Context,
    scenario: Annotated[str, typer.Argument(help="The name of a scenario, or the path of a .toml file.")],
    seeds: Annotated[str, typer.Option(help="Seeds to play, as 0-99 or 1,4,10-12.")] = "0-99",
    jobs: Annotated[int | None, typer.Option(min=1, help="Days at once; one for each core if left out.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the forecast, by default reports/out/<scenario>-rehearsal-<seeds>.")
    ] = None,
    sites: Annotated[
        str | None, typer.Option(metavar="SITE,...", help="Only these sites of the session file take part.")
    ] = None,
    target: Annotated[str, typer.Option(help="The back-end under test, as of run.")] = "reference",
    as_json: Json = False,
) -> None:
    """Repeat a day over many seeds and forecast it. Exit code 0 go, 1 no-go or a finding, 3 if a day itself failed.

    \b
    chargerig rehearse upgrade-day --seeds 0-99 --jobs 4
    chargerig rehearse upgrade-day --seeds 0-9 --sites campus-4,campus-5
    """
    with _guarded(as_json):
        day, wanted = wanted_scenario(scenario, sites=sites), cli_rehearse.seeds_of(seeds)
        _doors(context).resolve(target)
        place = cli_rehearse.place_of(out, day, wanted)
        with cli_screen.counted(scenario) as tell:
            done = cli_rehearse.rehearse(day, wanted, cli_rehearse.jobs_of(jobs, len(wanted)), target, tell)
        only = () if sites is None else day.sessions.sites
        told, code = cli_rehearse.finish(scenario, day, done, len(wanted), place, only)
        if as_json:
            _print_json({**told, "folder": str(place), "exit_code": code})
        else:
            cli_screen.rehearsal(told, place / cli_rehearse.PAGE_FILE)
        if done.stopped:
            cli_screen.complain(
                f"stopped after {len(done.seeds)} of {len(wanted)} seeds; this is the forecast of those"
            )
        raise typer.Exit(code)


app.command()(cli_check.check)
app.add_typer(cli_bench.app, name="bench")
app.add_typer(cli_target.app, name="target")
app.add_typer(cli_ocmf.app, name="ocmf")
app.add_typer(cli_matrix.app, name="matrix")
cli_mutants.register(app)
cli_audit.register(app)
cli_rate.register(app)
cli_look.register(app)
cli_sweep.register(app)
cli_record.register(app)
cli_serve.register(app)
cli_fleet.register(app)
cli_fuzz.register(app)
cli_load.register(app)


def main() -> None:
    """The entry point of the script `chargerig`."""
    app()


if __name__ == "__main__":
    main()
