"""`chargerig fleet`: options are read and results told here; the stations live in `scenarios.sockets.fleet`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from scenarios import cli_live
from scenarios.cli_guard import Json, guarded, print_json
from scenarios.cli_run import FINDING, OK
from scenarios.cli_serve import seconds
from sim.errors import BadInput

_PASSWORD_VARIABLE = "CHARGERIG_STATION_PASSWORD"
_TOKEN_VARIABLE = "CHARGERIG_API_TOKEN"
_FLEET_TOKENS = tuple(f"FLEET-{number:03d}" for number in range(1, 101))
_QUIET_S = 8.0
"""Before the end nobody charges any more for so long, so that every station can deliver what it has."""
_MOST_STATIONS = 50_000


def register(app: typer.Typer) -> None:
    """Make the command known."""
    app.command()(fleet)


def fleet(
    url: Annotated[
        str, typer.Option(metavar="ws://HOST/PATH/{id}", help="The back-end; {id} is a station's identity.")
    ],
    stations: Annotated[int, typer.Option(min=1, max=_MOST_STATIONS, help="How many stations.")] = 10,
    names: Annotated[
        str, typer.Option("--id", metavar="PATTERN", help="Their identities: {n} counts from 1.")
    ] = "CS-{n:05}",
    profile: Annotated[str, typer.Option(help="What kind they are: `chargerig list profiles`.")] = "ac-duo",
    connectors: Annotated[int, typer.Option(min=1, max=8, help="Connectors of each.")] = 1,
    token: Annotated[
        list[str] | None,
        typer.Option(metavar="TAG", help="An idTag that drivers use; several may be given. Else one each."),
    ] = None,
    session: Annotated[
        str, typer.Option(metavar="DURATION", help="How long a session lasts, give or take a quarter.")
    ] = "2m",
    gap: Annotated[str, typer.Option(metavar="DURATION", help="How long nobody comes then.")] = "30s",
    arrive: Annotated[
        str | None,
        typer.Option(
            "--arrive-within", metavar="DURATION", help="The first EVs come spread over this; else a session and a gap."
        ),
    ] = None,
    sample: Annotated[
        str | None,
        typer.Option(metavar="DURATION", help="Between two readings of a meter; else as the profile has it."),
    ] = None,
    idle: Annotated[bool, typer.Option("--idle", help="Nobody charges: boots and heartbeats only.")] = False,
    lasts: Annotated[str, typer.Option("--for", metavar="DURATION", help="How long the fleet lives.")] = "1m",
    ramp: Annotated[
        str, typer.Option(metavar="DURATION", help="Stations are switched on spread over this time.")
    ] = "10s",
    pace: Annotated[
        float, typer.Option(min=0.1, max=1000, help="How many times as fast as the clock on the wall.")
    ] = 1.0,
    seed: Annotated[int, typer.Option(min=0, help="Who comes when. The network decides the rest.")] = 1,
    state: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Meters go on from here, and are written down at the end.")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option(metavar="CA.pem", help="The authority of the server's certificate.")
    ] = None,
    certificates: Annotated[
        Path | None,
        typer.Option("--certs", metavar="DIR", help="Client certificates station-ID.pem with station-ID.key."),
    ] = None,
    api: Annotated[
        str | None,
        typer.Option(
            metavar="http://HOST:PORT",
            help="API of `chargerig serve`: the fleet is made known there, and its books are compared afterwards.",
        ),
    ] = None,
    wire: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl.zst", help="Write every frame down, for `chargerig check`.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Virtual charging stations against a real back-end, with EVs that come and go.

    \b
    chargerig serve --accept-unknown                                  (in one window)
    chargerig fleet --url ws://127.0.0.1:9000/ocpp/{id} --stations 50   (in another)

    It counts what was offered, sent, answered and accepted, and how late it was itself: a generator that lags must not
    blame the back-end. A password for all stations (security profile 1 or 2) comes from CHARGERIG_STATION_PASSWORD.
    With --api (token in CHARGERIG_API_TOKEN) every session driven is looked up in the books. Exit code 1 if a call was
    answered by an error or not at all, or if a session is missing, doubled or has another energy.
    """
    with guarded(as_json):
        import asyncio

        from fleet.profile import load_profile
        from scenarios.sockets.account import Account, account, provision
        from scenarios.sockets.fleet import Fleet, FleetResult, FleetWish, Told, station_names
        from scenarios.sockets.sheet import SITE
        from scenarios.sockets.visits import Traffic
        from scenarios.targets.http import Http
        from sim.runtimes.entropy import run_salt
        from sim.runtimes.tls import client_context

        ids = station_names(names, stations)
        password = os.environ.get(_PASSWORD_VARIABLE)
        tls: Any = None
        if certificates is not None:
            folder = certificates
            contexts = {
                one: client_context(ca, (folder / f"station-{one}.pem", folder / f"station-{one}.key")) for one in ids
            }
            tls = contexts.__getitem__
        elif ca is not None:
            tls = client_context(ca, None)
        wish = FleetWish(
            url=url,
            stations=ids,
            profile=load_profile(profile),
            connectors=tuple(range(1, connectors + 1)),
            tokens=tuple(token or (() if api is None else _FLEET_TOKENS)),
            quiet_s=0.0 if api is None else _QUIET_S,
            traffic=None
            if idle
            else Traffic(
                session_s=seconds("--session", session),
                gap_s=seconds("--gap", gap),
                spread_s=None if arrive is None else seconds("--arrive-within", arrive),
            ),
            sample_s=None if sample is None else max(1, round(seconds("--sample", sample))),
            for_s=seconds("--for", lasts),
            ramp_s=seconds("--ramp", ramp),
            pace=pace,
            seed=seed,
            salt=run_salt(),
            passwords={} if password is None else {one: password.encode() for one in ids},
            tls=tls,
            state=state,
            wire=wire,
        )

        http = Http(api, os.environ.get(_TOKEN_VARIABLE)) if api is not None else None

        async def live(tell: Any) -> tuple[FleetResult, Account | None]:
            put_up = Fleet(wish)
            if http is not None:
                await asyncio.to_thread(provision, http, put_up.configs(), wish.tokens, SITE)
            put_up.put_up()
            try:
                result = await put_up.run(tell)
            finally:
                await put_up.leave()
            if http is None:
                return result, None
            return result, account(http, put_up.driven(), put_up.unsettled(), put_up.began)

        with cli_live.living(f"{stations:,} stations", None if as_json else wish.for_s) as show:

            def tell(told: Told) -> None:
                show(
                    told.at_s,
                    f"{told.connected:,} connected, {told.sent:,} sent, {told.answered:,} answered, "
                    f"p99 {told.p99_ms:.0f} ms, lag {told.lag_ms:.0f} ms",
                )

            result, kept = asyncio.run(live(tell))
        if as_json:
            print_json({**msgspec.to_builtins(result), "books": None if kept is None else msgspec.to_builtins(kept)})
        else:
            cli_live.fleet(result)
            if kept is not None:
                cli_live.books(kept)
        if result.opened == 0:
            raise BadInput(
                "--url", None, f"no station could connect to {url}", "the address of a back-end that takes them"
            )
        wrong = result.errors or result.lost or (kept is not None and not kept.clean)
        raise typer.Exit(FINDING if wrong else OK)
