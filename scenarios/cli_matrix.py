"""`chargerig matrix`: a table of prices checked, priced, drawn, and compared with another one."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from scenarios import cli_screen
from scenarios.cli_guard import Json, guarded, print_json
from scenarios.cli_run import FINDING, NOT_JUDGED, OK
from sim.errors import BadInput

SHIPPED_ZONE = "America/Los_Angeles"
_PICTURES = (".svg", ".png")
_MOST_ROWS = 40
"""Rows of a table on the screen; --json has all."""


class _FileFirst(TyperGroup):
    """`chargerig matrix FILE` is `chargerig matrix price FILE`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("--help", "-h"):
            args = ["price", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_FileFirst,
    no_args_is_help=True,
    help="Check a table of prices (location x group x time), price sessions through every cell of it, and compare two.",
)
Table = Annotated[Path, typer.Argument(metavar="MATRIX", help="A pricing matrix, .csv or .toml (docs/matrix.md).")]


@app.callback()
def about() -> None:
    """A pricing matrix is one row per price; the help says it.

    \b
    chargerig matrix prices.csv                    the same as chargerig matrix price prices.csv
    chargerig matrix diff old.csv new.csv
    """


@app.command()
def price(
    matrix: Table,
    sessions: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Price these instead of the four weeks that are shipped.")
    ] = None,
    zone: Annotated[str | None, typer.Option(help="Time zone of the times in --sessions, an IANA name.")] = None,
    most: Annotated[int, typer.Option(min=1, help="At most so many sessions, the first of the file.")] = 1000,
    power: Annotated[str, typer.Option(help="kW at which a car draws until its energy is in.")] = "11",
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes at the same time.")] = 1,
    picture: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw a heat map, .svg or .png.")] = None,
    as_json: Json = False,
) -> None:
    """Check that each location, group and time has exactly one price, and price sessions through every cell.

    \b
    chargerig matrix prices.csv --picture prices.png
    chargerig matrix prices.toml --sessions mine.csv --zone Europe/Oslo --jobs 2

    Every price is held against a second opinion that reads the rows by itself. Exit code 0 if all agree, 1 if one does
    not, 2 for a gap or an overlap, which is named, 4 if the policy of the matrix is one that the oracle does not know.
    """
    from scenarios.matrix.charges import stays_of
    from scenarios.matrix.grid import compile_table
    from scenarios.matrix.priced import price_matrix
    from scenarios.matrix.table import read_table

    with guarded(as_json):
        if picture is not None and picture.suffix not in _PICTURES:
            raise BadInput("--picture", picture, "is no picture by its name", _PICTURES)
        read = _sessions(sessions, zone)
        kilowatts = _power(power)
        whole = compile_table(read_table(matrix))
        stays, odd = stays_of(read, kilowatts, most)
        if not stays:
            raise BadInput(read.name, None, "holds no session with energy and time", "at least one such row")
        title = f"{whole.cells:,} cells x {len(stays):,} sessions"
        with cli_screen.counted(title, what="locations and groups") as tell:
            priced = price_matrix(whole, stays, jobs, lambda done, total: tell(done, total, jobs))
        differing = sum(one.differing for one in priced)
        compared = sum(one.compared for one in priced)
        code = FINDING if differing else OK if compared else NOT_JUDGED
        left_out = _draw(whole, stays[0].start, picture) if picture is not None else 0
        told = {
            "matrix": whole.table.name,
            "policy": whole.table.policy,
            "fields": len(whole.fields),
            "cells": whole.cells,
            "sessions": len(stays),
            "sessions_left_out": odd,
            "prices": sum(one.sessions for one in priced),
            "compared": compared,
            "differing": differing,
            "priced": [one.as_data() for one in priced],
            "exit_code": code,
        }
        if as_json:
            print_json(told)
        else:
            _show(told, priced)
            if left_out:
                cli_screen.lines([f"the picture leaves out {left_out:,} rows between the dearest and the cheapest"])
        raise typer.Exit(code)


@app.command()
def diff(
    old: Annotated[Path, typer.Argument(metavar="OLD", help="The matrix before.")],
    new: Annotated[Path, typer.Argument(metavar="NEW", help="The matrix after.")],
    as_json: Json = False,
) -> None:
    """Prove that a migration changes no price, or name each cell that does with its smallest example.

    \b
    chargerig matrix diff before.csv after.toml

    Two tables may be cut up differently and still ask the same. Exit code 0 if nothing changes, 1 if something does.
    """
    from scenarios.matrix.diff import diff_of
    from scenarios.matrix.grid import compile_table
    from scenarios.matrix.table import read_table

    with guarded(as_json):
        found = diff_of(compile_table(read_table(old)), compile_table(read_table(new)))
        code = OK if found.same else FINDING
        if as_json:
            print_json(
                {
                    "same": found.same,
                    "fields": found.fields,
                    "pieces_of_time": found.pieces,
                    "only_in_old": [list(one) for one in found.gone],
                    "only_in_new": [list(one) for one in found.came],
                    "changed": [one.as_data() for one in found.changed],
                    "exit_code": code,
                }
            )
        else:
            _show_diff(found)
        raise typer.Exit(code)


def _sessions(file: Path | None, zone: str | None) -> Any:
    from scenarios import catalogue
    from scenarios.workloads.sessions import read_sessions

    if file is None:
        if zone is not None:
            raise BadInput("--zone", zone, "is the zone of no file", "--zone together with --sessions")
        return read_sessions(catalogue.session_file("acn-2019-june.csv"), SHIPPED_ZONE)
    if zone is None:
        raise BadInput("--sessions", file, "needs the time zone of its times", "--zone with an IANA name")
    return read_sessions(file, zone)


def _power(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except ArithmeticError:
        value = Decimal("NaN")
    if not value.is_finite() or not Decimal("0.1") <= value <= 1000:
        raise BadInput("--power", text, "is no power", "0.1 to 1000 kW")
    return value


def _draw(whole: Any, start: int, file: Path) -> int:
    from reports.plots_matrix import Heat, draw_heat_map
    from scenarios.matrix.heat import TITLE, heat_of
    from sim.clock import to_datetime

    panels, left_out = heat_of(whole, to_datetime(start).date())
    draw_heat_map([Heat(**panel) for panel in panels], TITLE, file)
    return left_out


def _show(told: dict[str, Any], priced: Sequence[Any]) -> None:
    rows = [
        (one.location, one.group, cell.time, cell.sessions, _each(cell.gross, cell.kwh), one.currency)
        for one in priced
        for cell in one.cells
    ]
    heads = ("location", "group", "time", "sessions", "a kWh, all in", "currency")
    cli_screen.table(heads, rows[:_MOST_ROWS])
    if len(rows) > _MOST_ROWS:
        cli_screen.lines([f"and {len(rows) - _MOST_ROWS:,} more cells (--json has all)"])
    for one in priced:
        for wrong in one.differences:
            cli_screen.lines(
                [
                    f"location {one.location}, group {one.group}, session {wrong.session} ({wrong.start}, {wrong.kwh} kWh): "
                    f"rated {wrong.gross}, the oracle says {wrong.expected_gross} {one.currency}"
                ]
            )
    cells = f"{told['cells']:,} cells, each location, group and time in exactly one"
    prices = f"{told['prices']:,} prices by policy {told['policy']}"
    if not told["compared"]:
        prices += ": not judged, the oracle does not know this policy or a component of it"
    elif told["differing"]:
        prices += f", {told['differing']:,} are not those of the oracle"
    else:
        prices += f", {told['compared']:,} held against the oracle, all the same"
    left_out = (
        f"; {told['sessions_left_out']:,} sessions without energy or time left out" if told["sessions_left_out"] else ""
    )
    cli_screen.lines([cells, prices + left_out])


def _each(gross: str, kwh: str) -> str:
    return f"{Decimal(gross) / Decimal(kwh):.3f}" if Decimal(kwh) else "-"


def _show_diff(found: Any) -> None:
    for where, names in (("old", found.gone), ("new", found.came)):
        cli_screen.lines(f"location {place}, group {who}: priced only in the {where} one" for place, who in names)
    for one in found.changed[:_MOST_ROWS]:
        what = ", ".join(f"{column} {old} -> {new}" for column, (old, new) in one.columns.items())
        example = (
            f"{one.example.what} at {one.example.start}: {one.example.old} -> {one.example.new}"
            if one.example
            else "no single charge of up to 1,000 kWh or two days shows it"
        )
        cli_screen.lines([f"location {one.location}, group {one.group}, {one.time}: {what}; {example}"])
    if len(found.changed) > _MOST_ROWS:
        cli_screen.lines([f"and {len(found.changed) - _MOST_ROWS:,} more cells (--json has all)"])
    if found.same:
        pieces = f"{found.pieces:,} pieces of time of {found.fields:,} locations and groups"
        cli_screen.lines([f"no price changes: every component is the same in all {pieces}"])
    else:
        count = len(found.changed) + len(found.gone) + len(found.came)
        cli_screen.lines([f"{count:,} cells change"])
