"""`chargerig mutants`: back-ends with planted bugs, and whether the checks catch them."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from scenarios import catalogue, cli_screen
from scenarios.cli_guard import Json, Seed, doors_of, guarded, print_json
from scenarios.cli_run import FINDING, OK
from scenarios.load import load_scenario
from scenarios.stopping import quiet
from sim.errors import BadInput, unknown

FIRST_DAY = "first-day"
"""Whose planted bugs are run when nobody says which."""


def register(app: typer.Typer) -> None:
    """Make the command known."""
    app.command()(mutants)


def mutants(
    context: typer.Context,
    name: Annotated[
        list[str] | None, typer.Argument(help="Planted bugs to run; if none is named, all of a scenario.")
    ] = None,
    seed: Seed = 1,
    scenario: Annotated[
        str | None,
        typer.Option(help="Those that are planted in this scenario: first-day, which is quick, or upgrade-day."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Run back-ends with planted bugs and see whether the checks catch them. Exit code 1 if one escapes.

    \b
    chargerig list mutants
    chargerig mutants repeated-stop-billed-twice
    chargerig mutants --scenario upgrade-day
    """
    with guarded(as_json):
        known, places = catalogue.mutants(), catalogue.planted_in()
        day = None if scenario is None else load_scenario(scenario).name
        if day is not None and day not in places.values():
            raise BadInput("command line", "--scenario", f"no bug is planted in {scenario}", "first-day, upgrade-day")
        for one in name or []:
            if one not in known:
                raise BadInput("command line", "NAME", *unknown("mutant", one, known, "`chargerig list mutants`"))
            if day not in (None, places[one]):
                raise BadInput("command line", "NAME", f"{one} is planted in {places[one]}", [*catalogue.mutants(day)])
        wanted = name or [*catalogue.mutants(day or FIRST_DAY)]
        doors = doors_of(context)
        rows = []
        for one in wanted:
            cli_screen.err().print(f"{one}: {known[one]}", soft_wrap=True, markup=False)
            with quiet():
                rows.append(doors.run_mutant(one, seed))
        caught = sum(bool(row.caught) for row in rows)
        code = OK if caught == len(rows) else FINDING
        if as_json:
            keys = ("name", "check", "caught", "failed", "note")
            data = [{key: getattr(row, key) for key in keys} for row in rows]
            print_json({"planted": len(rows), "caught": caught, "mutants": data, "exit_code": code})
        else:
            cli_screen.mutants(rows)
            cli_screen.out().print(f"{caught} of {len(rows)} planted bugs caught")
            for other, count in Counter(places.values()).items() if not name and day is None else ():
                if other != FIRST_DAY:
                    cli_screen.out().print(f"{count} more: chargerig mutants --scenario {other}", highlight=False)
        raise typer.Exit(code)
