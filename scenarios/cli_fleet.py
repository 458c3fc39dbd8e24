"""`chargerig fleet`: options are read and results told here; the stations live in `scenarios.sockets.fleet`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from reports import words
from scenarios import cli_live, cli_screen
from scenarios.cli_guard import Json, guarded, print_json
from scenarios.cli_run import FINDING, NOT_JUDGED, OK
from scenarios.cli_serve import seconds
from scenarios.sockets.variables import PASSWORD, TOKEN
from sim.errors import BadInput

_FLEET_TOKENS = tuple(f"FLEET-{number:03d}" for number in range(1, 101))
_QUIET_S = 8.0
"""Before the end nobody charges any more for so long, so that every station can deliver what it has."""
_MOST_STATIONS = 50_000
_FAILURES = {
    "refused": "nothing listens there, or there is no such host",
    "timeout": "nobody answered in time",
    "401": "HTTP 401, wrong or no password (CHARGERIG_STATION_PASSWORD)",
    "404": "HTTP 404, the back-end does not know the stations (--api or `serve --accept-unknown`)",
}
"""Why a dial came to nothing, for a user."""


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
    fast: Annotated[bool, typer.Option("--fast", help="The faster event loop (extra `fast`).")] = False,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the figures there as fleet.json, also after Ctrl-C.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Virtual charging stations against a real back-end, with EVs that come and go.

    \b
    chargerig serve --accept-unknown                       (in one window)
    chargerig fleet --url ws://127.0.0.1:9000/ocpp/{id}    (in another)
    chargerig fleet --url ws://HOST/{id} --api http://127.0.0.1:9001

    It counts what was offered, sent, answered and accepted, and how late it was itself: a generator that lags must not
    blame the back-end. A password for all stations (security profile 1 or 2) comes from CHARGERIG_STATION_PASSWORD.
    With --api (token in CHARGERIG_API_TOKEN) every session driven is looked up in the books. Exit code 1 if a call was
    answered by an error or not at all, or if a session is missing, doubled or has another energy. Ctrl-C ends it early with
    the figures so far, and with exit code 130.
    """
    with guarded(as_json):
        import asyncio
        import signal

        from fleet.profile import load_profile
        from scenarios.sockets.account import Account, account, provision
        from scenarios.sockets.fleet import Fleet, FleetResult, FleetWish, Told, station_names
        from scenarios.sockets.sheet import SITE
        from scenarios.sockets.signals import hearing
        from scenarios.sockets.visits import Traffic
        from scenarios.targets.http import Http
        from sim.runtimes.aio_loop import run_loop
        from sim.runtimes.entropy import run_salt
        from sim.runtimes.tls import client_context

        ids = station_names(names, stations)
        password = os.environ.get(PASSWORD)
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

        if out is not None:
            try:
                out.mkdir(parents=True, exist_ok=True)
            except OSError as err:
                allowed = "a new or an existing folder"
                raise BadInput("--out", None, f"{out} cannot be made ({err.strerror})", allowed) from None

        async def live(tell: Any) -> tuple[FleetResult, Account | None]:
            put_up = Fleet(wish)
            if http is not None:
                await asyncio.to_thread(provision, http, put_up.configs(), wish.tokens, SITE)
            put_up.put_up()
            try:
                with hearing(lambda number: put_up.stop(number.name)):
                    result = await put_up.run(tell)
            finally:
                await put_up.leave()
            if http is None:
                return result, None
            return result, account(http, put_up.driven(), put_up.unsettled(), put_up.began)

        books = nullcontext() if api is None else Http(api, os.environ.get(TOKEN))
        shown = cli_live.living(words.plural(stations, "station"), None if as_json else wish.for_s)
        with books as http, shown as show:

            def tell(told: Told) -> None:
                show(
                    told.at_s,
                    f"{told.connected:,} connected, {told.sent:,} sent, {told.answered:,} answered, "
                    f"p99 {told.p99_ms:.0f} ms, lag {told.lag_ms:.0f} ms",
                )

            result, kept = run_loop(live(tell), fast)
        figures = {**msgspec.to_builtins(result), "books": None if kept is None else msgspec.to_builtins(kept)}
        if out is not None:
            partial = out / "fleet.json.partial"
            partial.write_bytes(msgspec.json.format(msgspec.json.encode(figures)))
            partial.replace(out / "fleet.json")
        if result.opened == 0 and result.stopped is None:
            allowed = "the address of a back-end that takes them"
            raise BadInput("--url", None, f"no station could connect to {url}: {_why(result.failures)}", allowed)
        if as_json:
            print_json(figures)
        else:
            cli_live.fleet(result)
            if kept is not None:
                cli_live.books(kept)
        if result.stopped is not None:
            cli_screen.complain(
                f"ended by {result.stopped} after {result.seconds:.0f} s; the figures are those until then"
            )
            raise typer.Exit(128 + signal.Signals[result.stopped])
        wrong = result.errors or result.lost or (kept is not None and not kept.clean)
        proved = idle or kept is None or kept.driven > 0 or result.sessions > 0
        if not (wrong or proved):
            cli_screen.complain("no session ended, so the books prove nothing; a longer --for or a shorter --session")
        raise typer.Exit(FINDING if wrong else OK if proved else NOT_JUDGED)


def _why(failures: Mapping[str, int]) -> str:
    """What became of the dials, in words: the most frequent first."""
    told = sorted(failures.items(), key=lambda one: (-one[1], one[0]))
    words = [f"{_FAILURES.get(reason, f'HTTP {reason}' if reason.isdecimal() else reason)}" for reason, _ in told[:3]]
    return "; ".join(words) or "nobody answered in time"
