"""`chargerig bench`: how fast the rig is on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from scenarios import cli_screen
from scenarios.cli_guard import Json, doors_of, guarded, print_json

app = typer.Typer(no_args_is_help=True, help="Measure how fast the rig is on this machine.")


@app.callback()
def measure() -> None:
    """What can be measured; the help says it."""


@app.command()
def day(
    context: typer.Context,
    stations: Annotated[int, typer.Option(min=1, help="Number of stations.")] = 1000,
    hours: Annotated[int, typer.Option(min=1, help="Length of the virtual day.")] = 24,
    jobs: Annotated[
        int, typer.Option(min=1, help="Groups of stations played at the same time, each in a process.")
    ] = 1,
    group: Annotated[
        int, typer.Option(min=1, help="Stations in a group. The digest depends on it, and not on --jobs.")
    ] = 250,
    repeats: Annotated[int, typer.Option(min=1, help="Measurements at least of ours and of the library; medians.")] = 3,
    compare_jobs: Annotated[
        bool, typer.Option("--compare-jobs", help="Play the day with one job too: how much faster, same digest?")
    ] = False,
    keep: Annotated[Path | None, typer.Option(metavar="DIR", help="Write all evidence into this new folder.")] = None,
    as_json: Json = False,
) -> None:
    """Round trips per CPU second of a virtual day, and of the `ocpp` library's own engine for the same messages.

    \b
    chargerig bench day --stations 100 --hours 6
    chargerig bench day --stations 10000 --jobs 2
    """
    with guarded(as_json):
        with cli_screen.steps(f"{stations:,} stations, {hours} h") as tell:
            result = doors_of(context).bench_day(
                stations,
                hours,
                jobs=jobs,
                group=group,
                repeats=repeats,
                compare=compare_jobs,
                keep=keep,
                progress=tell,
            )
        if as_json:
            print_json(msgspec.to_builtins(result))
        else:
            typer.echo(result.text())


@app.command()
def sockets(
    seconds: Annotated[float, typer.Option(min=1, help="How long each server is flooded.")] = 5.0,
    repeats: Annotated[int, typer.Option(min=1, help="How often each server is measured; medians.")] = 3,
    connections: Annotated[int, typer.Option(min=1, max=1000, help="Stations that flood it.")] = 50,
    boots: Annotated[int, typer.Option(min=1, max=20_000, help="Stations that boot at once against a sink.")] = 10_000,
    as_json: Json = False,
) -> None:
    """Real sockets: our server against `ocpp` + `websockets` doing the same, and our fleet against a sink.

    \b
    chargerig bench sockets
    chargerig bench sockets --seconds 2 --repeats 1 --boots 1000
    """
    with guarded(as_json):
        from scenarios.bench.sockets import bench_sockets

        with cli_screen.steps("sockets") as tell:
            result = bench_sockets(seconds, repeats, connections, boots=boots, tell=tell)
        if as_json:
            print_json(msgspec.to_builtins(result))
        else:
            cli_screen.lines(result.text().splitlines())


@app.command()
def ocmf(
    records: Annotated[int, typer.Option(min=50, max=1_000_000, help="Records, each another one.")] = 2_000,
    rounds: Annotated[int, typer.Option(min=1, max=100, help="Rounds, of which the best counts.")] = 3,
    as_json: Json = False,
) -> None:
    """Signed records parsed, verified and held against all rules per CPU second, by ours and by pyocmf in the same run.

    \b
    chargerig bench ocmf
    """
    with guarded(as_json):
        from scenarios.bench.metering import bench_metering

        with cli_screen.steps("signed records"):
            result = bench_metering(records, rounds)
        if as_json:
            print_json({**msgspec.to_builtins(result), "enough": result.enough})
        else:
            cli_screen.lines(result.text().splitlines())


@app.command()
def pricing(
    cdrs: Annotated[int, typer.Option(min=1000, max=10_000_000, help="How many CDRs are rated.")] = 50_000,
    policy: Annotated[str, typer.Option(metavar="NAME", help="The policy; see `chargerig rate --policies`.")] = "ocpi",
    as_json: Json = False,
) -> None:
    """CDRs rated on one core with a tariff of six elements, in CPU time; what a million take.

    \b
    chargerig bench pricing
    chargerig bench pricing --cdrs 1000000
    """
    with guarded(as_json):
        from scenarios.bench.pricing import bench_pricing

        with cli_screen.steps("pricing") as tell:
            result = bench_pricing(cdrs, policy, tell)
        if as_json:
            print_json(msgspec.to_builtins(result))
        else:
            cli_screen.lines(result.text().splitlines())


@app.command()
def checks(
    seeds: Annotated[int, typer.Option(min=1, help="Outage days that are really played.")] = 12,
    jobs: Annotated[int, typer.Option(min=2, help="Of them at once, each in a process.")] = 2,
    repeats: Annotated[int, typer.Option(min=1, help="Measurements of a day and its checks; medians.")] = 3,
    as_json: Json = False,
) -> None:
    """What checks cost on top of a virtual day, how long a smoke run takes, and a thousand seeds of an outage day would.

    \b
    chargerig bench checks
    chargerig bench checks --seeds 40 --json
    """
    with guarded(as_json):
        from scenarios.bench.checks import bench_checks

        with cli_screen.steps("checks") as tell:
            result = bench_checks(seeds=seeds, jobs=jobs, repeats=repeats, tell=tell)
        if as_json:
            print_json(msgspec.to_builtins(result))
        else:
            cli_screen.lines(result.text().splitlines())
