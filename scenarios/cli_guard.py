"""How every command of `chargerig` ends: which exit code, and how it is told, as text or as JSON."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from scenarios import cli_screen
from scenarios.cli_doors import Doors
from scenarios.cli_run import BAD_INPUT, blame
from scenarios.stopping import Stopped, stopping
from sim.errors import BadInput

Seed = Annotated[int, typer.Option("--seed", min=0, help="The number that everything random is drawn from.")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output and nothing else.")]


@contextmanager
def guarded(as_json: bool) -> Iterator[None]:
    """Exit code 2 and one sentence for a user's mistake, 3 for ours and for a target that raises, each told apart.

    SIGTERM ends as Ctrl-C does, through every `finally` on the way, with exit code 143 instead of 130.
    """
    try:
        with stopping():
            yield
    except BadInput as bad:
        raise typer.Exit(say(bad, as_json)) from None
    except KeyboardInterrupt as stop:
        code = stop.code if isinstance(stop, Stopped) else 128 + signal.SIGINT
        how = "stopped by a signal" if isinstance(stop, Stopped) else "stopped by hand"
        cli_screen.complain(f"{how}; nothing half-written is left")
        if as_json:
            print_json({"error": {"sentence": f"{how}; nothing half-written is left"}, "exit_code": code})
        raise typer.Exit(code) from None
    except typer.Exit:
        raise
    except Exception as err:
        code, sentence = blame(err)
        cli_screen.complain(sentence)
        if as_json:
            print_json({"error": {"sentence": sentence}, "exit_code": code})
        raise typer.Exit(code) from None


def say(bad: BadInput, as_json: bool) -> int:
    """Tell the user about a mistake of theirs; returns the exit code."""
    cli_screen.complain(str(bad))
    if as_json:
        keys = {name: getattr(bad, name) for name in ("file", "place", "problem", "allowed")}
        print_json({"error": {"sentence": str(bad), **keys}, "exit_code": BAD_INPUT})
    return BAD_INPUT


def print_json(data: Any) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=False) + "\n")


def doors_of(context: typer.Context) -> Doors:
    """The doors that a test handed in, else the real ones."""
    return context.obj if isinstance(context.obj, Doors) else Doors()
