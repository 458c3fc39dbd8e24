"""`chargerig load`: options are read and results told here; the load itself lives in `scenarios.load_run`."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from scenarios import cli_live, cli_screen
from scenarios.cli_guard import Json, guarded, print_json
from scenarios.cli_run import FINDING, NOT_JUDGED, OK
from scenarios.cli_serve import seconds
from scenarios.runfolder import DEFAULT_BASE, RunFolder
from sim.errors import BadInput
from sim.evidence.verdict import Verdict

_MOST_USERS = 50_000
_MOST_WORKERS = 64
_SMOKE_USERS, _SMOKE_S = 5, 12.0
_CODES = {Verdict.FAIL.value: FINDING, Verdict.UNKNOWN.value: NOT_JUDGED}
FAILS_BY_ITSELF = ("errors>0",)
"""When nobody says when a load has failed."""


def register(app: typer.Typer) -> None:
    """Make the command known."""
    app.command()(load)


def load(
    url: Annotated[
        str, typer.Option(metavar="ws://HOST/PATH/{id}", help="The back-end; {id} is a station's identity.")
    ],
    users: Annotated[int, typer.Option(min=1, max=_MOST_USERS, help="How many stations, each with its drivers.")] = 100,
    spawn_rate: Annotated[float, typer.Option(min=0.01, max=10_000, help="So many come a second.")] = 10.0,
    run_time: Annotated[str, typer.Option(metavar="DURATION", help="How long, from the first station on.")] = "1m",
    shape: Annotated[
        str,
        typer.Option(
            help="steady, spike, sweep (of the sample interval), avalanche (after an outage), reset or storm."
        ),
    ] = "steady",
    smoke: Annotated[
        bool, typer.Option("--smoke", help="A load of 5 stations and 12 s with short sessions, in less than a minute.")
    ] = False,
    fail_if: Annotated[
        list[str] | None,
        typer.Option(
            metavar="THRESHOLD", help="Such as p95>500ms, errors>0, lost>0, p95@Authorize>1.2x; several may be given."
        ),
    ] = None,
    baseline: Annotated[
        Path | None, typer.Option(metavar="RUN", help="Folder of an earlier load, for thresholds in x.")
    ] = None,
    api: Annotated[
        str | None,
        typer.Option(
            metavar="http://HOST:PORT",
            help="API of `chargerig serve`: stations are made known there, and its books are compared afterwards.",
        ),
    ] = None,
    workers: Annotated[
        int,
        typer.Option(min=0, max=_MOST_WORKERS, help="Processes of this machine that share the load, with a master."),
    ] = 0,
    others: Annotated[
        int, typer.Option("--more-workers", min=0, max=1000, help="Workers of other machines that are waited for.")
    ] = 0,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where the master waits for them; without it only on loopback.")
    ] = "",
    names: Annotated[
        str | None,
        typer.Option(
            "--id",
            metavar="PATTERN",
            help="Identities: {n} counts from 1. With --api new ones each time, else CS-{n:05}.",
        ),
    ] = None,
    profile: Annotated[str, typer.Option(help="What kind they are: `chargerig list profiles`.")] = "ac-duo",
    connectors: Annotated[int, typer.Option(min=1, max=8, help="Connectors of each.")] = 1,
    token: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="An idTag that drivers use; several may be given.")
    ] = None,
    session: Annotated[str, typer.Option(metavar="DURATION", help="How long a session lasts.")] = "2m",
    gap: Annotated[str, typer.Option(metavar="DURATION", help="How long nobody comes then.")] = "30s",
    sample: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Between two readings of a meter; else as the profile has it."),
    ] = None,
    steps: Annotated[
        str, typer.Option(metavar="S,S,...", help="Seconds between readings that a sweep goes through.")
    ] = "300,120,60,30,10",
    quiet: Annotated[
        str, typer.Option(metavar="DURATION", help="Before the end nobody charges any more, so that all is delivered.")
    ] = "10s",
    pace: Annotated[
        float, typer.Option(min=0.1, max=1000, help="How many times as fast as the clock on the wall stations live.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Who comes when. The network decides the rest.")] = 1,
    ca: Annotated[
        Path | None, typer.Option(metavar="CA.pem", help="The authority of the server's certificate.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the load, by default reports/out/load-<shape>-seed<N>-<digest8>.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Load a back-end with the rigs of `chargerig fleet` as Locust users, and judge what came of it.

    \b
    chargerig load --url ws://127.0.0.1:9000/ocpp/{id} --users 2000 --spawn-rate 100 --run-time 5m
    chargerig load --url ... --api http://127.0.0.1:8080 --fail-if "p95>500ms" --fail-if "lost>0"
    chargerig load --url ... --workers 2 --baseline reports/out/load-steady-seed1-0a1b2c3d --fail-if "p95>1.2x"

    What was offered, sent, answered, accepted, stored and billed is counted apart, and how late the generator was itself.
    With --api (token in CHARGERIG_API_TOKEN) every session driven is looked up in the books: a load that loses one has
    failed, however fast. Without --fail-if it fails if a call was answered by an error. Exit codes: 0 nothing found, 1 a
    threshold or the books, 2 bad input, 4 something could not be judged. Workers of other machines are started there by
    `locust -f fleet/locustfile.py --worker --master-host HOST --master-port PORT`.
    """
    with guarded(as_json):
        from reports.load import write_load_reports
        from scenarios.load_run.children import Team, need_locust
        from scenarios.load_run.plan import TOKENS, LoadPlan, checked, steps_of
        from scenarios.load_run.result import LoadResult, read_result
        from scenarios.load_run.run import LoadWish, load
        from scenarios.load_run.thresholds import check_baseline, threshold
        from sim.runtimes.entropy import run_salt

        need_locust()
        if "{id}" not in url:
            raise BadInput("--url", None, f"{url!r} has no place for the identity", "ws://HOST:PORT/PATH/{id}")
        thresholds = tuple(threshold(text) for text in fail_if or FAILS_BY_ITSELF)
        before = None if baseline is None else read_result(baseline)
        team = Team(workers, others, _listening(listen))
        lasts_s = _SMOKE_S if smoke else seconds("--run-time", run_time)
        if smoke:
            users, spawn_rate, session, gap, sample, quiet, pace = _SMOKE_USERS, 5.0, "20s", "5s", "5s", "5s", 5.0
        plan = checked(
            LoadPlan(
                url=url,
                shape=shape,
                profile=profile,
                connectors=connectors,
                session_s=seconds("--session", session),
                gap_s=seconds("--gap", gap),
                sample_s=None if sample is None else max(1, round(seconds("--sample", sample))),
                steps=steps_of(steps),
                quiet_s=seconds("--quiet", quiet),
                lasts_s=lasts_s,
                pattern=names or (f"L{run_salt()[:6]}-{{n:05}}" if api else "CS-{n:05}"),
                tokens=tuple(token or (TOKENS if api else ())),
                seed=seed,
                pace=pace,
                api=api or "",
                ca="" if ca is None else str(ca.absolute()),
                generators=team.generators,
            )
        )
        check_baseline(thresholds, plan, users, before)
        if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise BadInput(str(out), None, "is there already", "a folder that does not exist or is empty")
        wish = LoadWish(
            plan=plan, users=users, spawn_rate=spawn_rate, team=team, thresholds=thresholds, baseline=before
        )
        with RunFolder(f"load-{shape}", seed, out, DEFAULT_BASE) as folder:
            with cli_live.living(f"{users:,} users, {shape}", None if as_json else lasts_s) as show:
                result: LoadResult = load(wish, folder.path, _teller(show))
            write_load_reports(folder.path)
            place = folder.publish(hashlib.sha256((folder.path / "result.json").read_bytes()).hexdigest())
        if as_json:
            print_json({**msgspec.to_builtins(result), "folder": str(place)})
        else:
            cli_live.load(result)
            cli_screen.lines(["", f"{result.verdict}: {place}"])
        raise typer.Exit(_CODES.get(result.verdict, OK))


def _teller(show: Callable[[float, str], None]) -> Callable[[Any], None]:
    def tell(point: Any) -> None:
        show(
            point.at_s,
            f"{point.connected:,} connected, {point.sent:,} sent, {point.answered:,} answered, "
            f"p95 {point.p95_ms:.0f} ms, lag {point.lag_ms:.0f} ms",
        )

    return tell


def _listening(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise BadInput("--listen", None, f"{text!r} is no address", "HOST:PORT, such as 0.0.0.0:5557")
    return host, int(port)
