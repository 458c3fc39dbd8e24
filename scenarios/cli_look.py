"""`chargerig trace`, `bisect` and `report --against`: looking back at finished runs, from their folders alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from scenarios import cli_screen
from scenarios.cli_guard import Json, guarded, print_json
from scenarios.cli_run import FINDING, OK
from scenarios.cli_trace import diagram, traces
from scenarios.outfolder import write_results
from scenarios.runfolder import newest_run, open_run
from sim.errors import BadInput

RunDir = Annotated[
    Path | None, typer.Argument(help="The folder of a finished run; the newest in reports/out if left out.")
]


def register(app: typer.Typer) -> None:
    """Make both commands known."""
    app.command()(trace)
    app.command()(bisect)


def trace(
    run_dir: RunDir = None,
    session: Annotated[
        str | None,
        typer.Option(metavar="ID", help="A session: its id in the books or the truth, transaction or visit."),
    ] = None,
    station: Annotated[str | None, typer.Option(metavar="ID", help="The life of a station.")] = None,
    invoice: Annotated[str | None, typer.Option(metavar="ID", help="The number of an invoice or a bill.")] = None,
    at: Annotated[
        str | None, typer.Option(metavar="TIME", help="A moment, as 09:25 or '2019-06-12 09:25:03': what was going on.")
    ] = None,
    svg: Annotated[
        Path | None, typer.Option(metavar="FILE.svg", help="With --session: its sequence diagram into this file, too.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Follow one session, station or invoice of a run from the joule to the payout, or look at one moment of it.

    \b
    chargerig trace --session legacy-s-000001 --svg session.svg
    chargerig trace reports/out/first-day-seed1-1a2b3c4d --station CA-489
    chargerig trace --at 09:25
    """
    with guarded(as_json):
        folder = newest_run() if run_dir is None else run_dir
        open_run(folder)
        told = traces(folder, session=session, station=station, invoice=invoice, at=at)
        if svg is not None:
            if session is None:
                raise BadInput("command line", "--svg", "only a session has a sequence diagram", "--session ID as well")
            diagram(folder, session, svg)
        if as_json:
            print_json({"folder": str(folder), "traces": [one.data() for one in told]})
        else:
            typer.echo(f"{folder}\n\n" + "\n\n\n".join(one.text() for one in told))


def bisect(run_dir: RunDir = None, as_json: Json = False) -> None:
    """Name the first moment at which the books of a run part from the truth: session, plane, and the lines that lead there.

    \b
    chargerig bisect reports/out/first-day-seed1-1a2b3c4d

    Exit code 0 if they part nowhere, 1 if they do.
    """
    from reports.run import Run
    from scenarios.cli_bisect import bisect as followed

    with guarded(as_json):
        folder = newest_run() if run_dir is None else run_dir
        open_run(folder)
        with Run(folder) as run, cli_screen.steps(str(folder)):
            found = followed(run)
        code = OK if found.first is None else FINDING
        if as_json:
            print_json({"folder": str(folder), **found.data(), "exit_code": code})
        else:
            typer.echo(f"{folder}\n\n{found.text()}")
        raise typer.Exit(code)


def against(run_dir: Path, other: Path) -> dict[str, Any]:
    """Compare two finished runs and write the page into the folder of the first; what --json tells. Raises BadInput."""
    from reports.against import compare, page
    from reports.run import Run

    open_run(run_dir)
    open_run(other)
    with Run(run_dir) as a, Run(other) as b:
        told = compare(a, b)
    name = f"against-{other.resolve().name}.html"
    write_results(run_dir, {name: page(told)})
    return {**told, "page": str(run_dir / name)}
