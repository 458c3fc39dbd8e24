"""`chargerig serve` and `chargerig certs`: options are read and results told here; the work is done elsewhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from scenarios import cli_screen
from scenarios.cli_guard import Json, guarded, print_json
from scenarios.cli_run import OK, OWN_FAILURE
from scenarios.sockets.variables import TOKEN
from sim.clock import parse_duration
from sim.errors import BadInput, unknown

_MANY_DAYS = 3650
_MOST_WORKERS = 64
_LONGEST_NAME = 64  # of a common name (RFC 5280, ub-common-name)


def register(app: typer.Typer) -> None:
    """Make both commands known."""
    app.command()(serve)
    app.command()(certs)


def serve(
    host: Annotated[
        str, typer.Option(help="The address to listen at; 0.0.0.0 is every one of this machine.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Where stations connect; 0: any free one.")] = 9000,
    api_port: Annotated[int, typer.Option(min=0, max=65535, help="Operations and records; 0: any free one.")] = 9001,
    db: Annotated[
        str,
        typer.Option(
            metavar="URL",
            help="sqlite:///FILE, memory, or postgresql+psycopg://...",
            show_default="chargerig-csms.sqlite",
        ),
    ] = "sqlite:///chargerig-csms.sqlite",
    full_sync: Annotated[
        bool, typer.Option("--full-sync", help="SQLite: commits also survive a loss of power, not only of the process.")
    ] = False,
    stations: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Rows of owners, sites, tariffs, stations, meters, tokens (TOML or JSON)."),
    ] = None,
    accept_unknown: Annotated[
        bool, typer.Option("--accept-unknown", help="Take in stations that nobody announced, on first contact.")
    ] = False,
    security: Annotated[
        int, typer.Option(min=0, max=3, help="The least OCPP security profile: 1 Basic, 2 TLS, 3 client certificate.")
    ] = 0,
    tls: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="CERT.pem", help="Server certificate, its key beside it as CERT.key; one each of ECDSA, RSA."
        ),
    ] = None,
    client_ca: Annotated[
        Path | None, typer.Option(metavar="CA.pem", help="The authority of the stations' certificates (profile 3).")
    ] = None,
    heartbeat: Annotated[int, typer.Option(min=1, help="Seconds between heartbeats, told to stations.")] = 300,
    ping: Annotated[
        str, typer.Option(metavar="DURATION", help="Ping stations that are silent so long; 0s: never.")
    ] = "30s",
    max_frame: Annotated[int, typer.Option(min=1024, help="Bytes of a message; longer ones are closed with 1009.")] = 1
    << 20,
    max_connections: Annotated[
        int, typer.Option(min=1, help="With so many connected the next one gets 503 and is told to come again.")
    ] = 100_000,
    most_lag: Annotated[
        str, typer.Option(metavar="DURATION", help="While it is so late with its work, newcomers get 503.")
    ] = "10s",
    wire: Annotated[
        Path | None, typer.Option(metavar="FILE.jsonl.zst", help="Write every frame down, for `chargerig check`.")
    ] = None,
    fast: Annotated[
        bool, typer.Option("--fast", help="The faster websocket stack (extra `fast`); not for client certificates.")
    ] = False,
    workers: Annotated[
        int,
        typer.Option(
            min=1, max=_MOST_WORKERS, help="Processes that hold the sockets, all at one port; one more does the books."
        ),
    ] = 1,
    log: Annotated[str, typer.Option(metavar="text|json", help="The form of the log on standard error.")] = "text",
    lasts: Annotated[str | None, typer.Option("--for", metavar="DURATION", help="End after 90s, 5m or 1h30m.")] = None,
    as_json: Json = False,
) -> None:
    """Run the reference CSMS as a server: stations by OCPP-J, operations and records by HTTP. Ctrl-C ends it cleanly.

    \b
    chargerig serve --accept-unknown
    chargerig serve --stations depot.toml --db sqlite:///depot.sqlite
    chargerig serve --db postgresql+psycopg://csms@db/csms    (see PGPASSWORD)
    chargerig serve --security 2 --tls certs/server-ecdsa.pem

    The API wants a token: that of CHARGERIG_API_TOKEN, or one that is made and printed at the start.
    One process writes to a database: a second one on it ends the first. If the database fails, serve ends with exit code 3.
    With --workers a command finds its station whichever process holds it; one that dies is started again.
    An unknown identity gets 404, a wrong password 401. What was answered is in the database.
    """
    with guarded(as_json):
        from reference_csms.web.tokens import api_token
        from scenarios.sockets.front import TlsFiles
        from scenarios.sockets.logs import FORMS, make_log
        from scenarios.sockets.serve import ServeWish, Where
        from scenarios.sockets.serve import serve as served_by
        from scenarios.sockets.sheet import read_sheet
        from sim.runtimes.aio import Clock
        from sim.runtimes.aio_loop import run_loop
        from sim.runtimes.aio_shed import ShedLimits
        from sim.runtimes.channel import Limits
        from sim.runtimes.entropy import secret_text
        from sim.runtimes.tls import server_context

        if log not in FORMS:
            problem, allowed = unknown("form of the log", log, FORMS)
            raise BadInput("--log", None, problem, allowed)
        if security >= 2 and not tls:
            raise BadInput("--security", None, f"profile {security} needs TLS", "--tls CERT.pem")
        if security == 3 and client_ca is None:
            raise BadInput("--security", None, "profile 3 needs the authority of the stations", "--client-ca CA.pem")
        if fast and client_ca is not None:
            raise BadInput("--fast", None, "this stack cannot judge client certificates", "no --fast with --client-ca")
        if fast and workers > 1:
            raise BadInput(
                "--fast", None, "workers hold their sockets with the other stack", "either --fast or --workers"
            )
        pairs = [(one, one.with_suffix(".key")) for one in tls or ()]
        given = os.environ.get(TOKEN)
        secret = given or secret_text()
        try:
            tokens = (api_token("operator", secret),)
        except BadInput as bad:
            raise BadInput(TOKEN, None, bad.problem, bad.allowed) from None
        wish = ServeWish(
            host=host,
            port=port,
            api_port=api_port,
            store=None if db == "memory" else db,
            store_full=full_sync,
            sheet=read_sheet(stations) if stations is not None else {},
            accept_unknown=accept_unknown,
            least=security,
            tls=server_context(pairs, client_ca, security == 3) if pairs else None,
            tls_files=TlsFiles(
                tuple((str(one), str(key)) for one, key in pairs),
                None if client_ca is None else str(client_ca),
                security == 3,
            )
            if pairs
            else None,
            workers=workers,
            tokens=tokens,
            limits=Limits(ping_interval_s=seconds("--ping", ping), max_frame=max_frame),
            shed=ShedLimits(most_connections=max_connections, most_lag_s=seconds("--most-lag", most_lag)),
            heartbeat_s=heartbeat,
            fast=fast,
            wire=wire,
            for_s=seconds("--for", lasts) if lasts is not None else None,
        )

        def ready(where: Where) -> None:
            shown = {"ocpp": where.ocpp, "api": where.api, "openapi": f"{where.api}/openapi.json"}
            if as_json:
                print_json({**shown, **({} if given else {"token": secret})})
            else:
                cli_screen.serving(shown, None if given else secret)

        done = run_loop(served_by(wish, make_log(log, Clock().now), ready), fast)
        if done.failure is not None:
            cli_screen.complain(done.failure)
        raise typer.Exit(OK if done.failure is None else OWN_FAILURE)


def seconds(option: str, text: str) -> float:
    """A duration in seconds. Raises BadInput naming the option."""
    try:
        return parse_duration(text) / 1000
    except ValueError:
        raise BadInput("command line", option, f"{text!r} is no duration", "90s, 5m, 1h30m or 250ms") from None


def certs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where the PEM files go; made if it is not there.")],
    names: Annotated[
        list[str] | None,
        typer.Option("--name", metavar="HOST", help="Host name or address of the server; several may be given."),
    ] = None,
    station: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="A station that gets a client certificate; several may be given."),
    ] = None,
    organisation: Annotated[str, typer.Option(help="The organisation (O) in all of them.")] = "chargerig",
    days: Annotated[int, typer.Option(min=1, max=_MANY_DAYS, help="How long they are valid.")] = 30,
    as_json: Json = False,
) -> None:
    """Make a test authority, server certificates (ECDSA and RSA) and client certificates for OCPP security profiles 2 and 3.

    \b
    chargerig certs certs --name localhost --station CS-1 --station CS-2

    For tests only: keys lie unencrypted beside the certificates. Files that are there already are never replaced.
    """
    with guarded(as_json):
        from sim.runtimes.aio import Clock
        from sim.wire import certificates as made

        hosts, stations = list(names or ("localhost", "127.0.0.1")), list(station or ())
        stems = ["ca", "server-ecdsa", "server-rsa", *(f"station-{name}" for name in stations)]
        for name in stations:
            if "/" in name or name.startswith(".") or not 1 <= len(name) <= _LONGEST_NAME:
                allowed = f"an identity of 1 to {_LONGEST_NAME} characters without /"
                raise BadInput("--station", None, f"{name!r} cannot be the name of a certificate", allowed)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as err:
            raise BadInput(str(folder), None, f"cannot be made ({err.strerror})", "a new or an empty folder") from None
        taken = [f"{stem}.pem" for stem in stems if (folder / f"{stem}.pem").exists()]
        if taken:
            raise BadInput(str(folder), taken[0], "is there already", "a folder without these files")
        authority = made.authority(organisation, made.now_utc(Clock().now()), days)
        made.write_pair(folder, "ca", authority.key, authority.certificate)
        for kind in ("ecdsa", "rsa"):
            made.write_pair(folder, f"server-{kind}", *made.issue_server(authority, hosts, organisation, kind))
        for name in stations:
            made.write_pair(folder, f"station-{name}", *made.issue_station(authority, name, organisation))
        files = [str(folder / f"{stem}.pem") for stem in stems]
        if as_json:
            print_json({"files": files})
        else:
            cli_screen.lines([*files, "", "each with its key beside it; for tests only"])
