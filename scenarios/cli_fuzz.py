"""`chargerig fuzz`: options are read and results told here; frames are drawn and judged in `scenarios.sockets`."""

from __future__ import annotations

import os
from typing import Annotated

import msgspec
import typer

from scenarios import cli_screen
from scenarios.cli_guard import Json, guarded, print_json
from scenarios.cli_run import FINDING, OK
from sim.errors import BadInput

_PASSWORD_VARIABLE = "CHARGERIG_STATION_PASSWORD"
_MOST = 10_000_000
_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Make the command known."""
    app.command()(fuzz)


def fuzz(
    url: Annotated[str, typer.Option(metavar="ws://HOST/PATH/{id}", help="The back-end; {id} is the identity.")],
    name: Annotated[str, typer.Option("--id", metavar="ID", help="A station that the back-end accepts.")] = "FUZZ",
    frames: Annotated[int, typer.Option(min=0, max=_MOST, help="How many OCPP-J frames.")] = 2_000,
    rubbish: Annotated[int, typer.Option(min=0, max=_MOST, help="How many handshakes and websocket frames.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="The same seed sends the same.")] = 1,
    at_once: Annotated[int, typer.Option(min=1, max=100, help="Frames sent before each wait for answers.")] = 1,
    as_json: Json = False,
) -> None:
    """Send a back-end what a bad OCPP 1.6 station might, and judge its answers. Only for back-ends that are yours to test.

    \b
    chargerig fuzz --url ws://127.0.0.1:9000/ocpp/{id} --frames 10000 --seed 7

    A password comes from CHARGERIG_STATION_PASSWORD. Exit code 1: findings; each is shown with its frame.
    """
    with guarded(as_json):
        import asyncio

        from scenarios.sockets.fuzz import Lost, attack

        if "{id}" not in url or not url.startswith("ws://"):
            raise BadInput("--url", None, f"{url!r} is no such address", "ws://HOST:PORT/PATH/{id}")
        password = os.environ.get(_PASSWORD_VARIABLE)
        login = None if password is None else (name, password.encode())
        try:
            done = asyncio.run(attack(url.replace("{id}", name), frames, rubbish, seed, at_once, login))
        except Lost as err:
            raise BadInput("--url", None, str(err), "a back-end that accepts this station") from None
        if as_json:
            print_json(msgspec.to_builtins(done))
        else:
            answers = ", ".join(f"{what} {count}" for what, count in sorted(done.answers.items()))
            shown = [f"{one.kind}: {one.problem}\n    {one.frame}" for one in done.findings[:_SHOWN]]
            sent = f"{done.sent} frames and {done.thrown} pieces of rubbish sent over {done.dials} connections"
            cli_screen.lines([*shown, sent, f"answers: {answers}", f"findings: {len(done.findings)}"])
        raise typer.Exit(FINDING if done.findings else OK)
