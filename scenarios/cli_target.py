"""`chargerig target`: what a back-end behind sockets lets us judge, and a finished run judged by its books."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from scenarios import cli_screen
from scenarios.cli_guard import Json, guarded, print_json
from scenarios.cli_run import FINDING, NOT_JUDGED, OK
from sim.evidence.verdict import CheckResult, Verdict, overall

app = typer.Typer(
    no_args_is_help=True,
    help="Ask what a back-end of somebody else lets us judge. A target file names its sockets, levers and books.",
)

TargetFile = Annotated[Path, typer.Argument(metavar="TARGET.toml", help="A target file with books behind sockets.")]


@app.callback()
def about() -> None:
    """What can be asked of a target; the help says it."""


@app.command()
def check(
    target: TargetFile,
    scenario: Annotated[
        str | None, typer.Option(help="Only the checks of this scenario, and the levers that it needs.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Read the books of a target and say of each check whether it can be answered, or what is missing.

    \b
    chargerig target check target.toml
    chargerig target check target.toml --scenario first-day --json

    Exit code 0 if every check can be answered, 4 if one stays UNKNOWN.
    """
    from scenarios.load import load_scenario
    from scenarios.targets.answerable import answerable, of_money, without_levers
    from scenarios.targets.books import read_target
    from scenarios.targets.file import load_target
    from scenarios.targets.rebook import unshown

    with guarded(as_json):
        day = None if scenario is None else load_scenario(scenario)
        wanted = load_target(target)
        with cli_screen.steps(f"reading the books that {target} names"):
            books, statements = read_target(wanted, {"": str(target)})
        quotes = all(foreign.quote is not None for foreign in wanted.roles.values())
        missing = [*unshown(books, statements, quotes), *without_levers(wanted, day)]
        found = answerable(missing, None if day is None else day.checks.all_of)
        money, all_money = of_money(found)
        code = NOT_JUDGED if any(one.missing for one in found) else OK
        if as_json:
            checks = [{**msgspec.to_builtins(one), "answerable": not one.missing, "money": one.money} for one in found]
            rows = {name: _sizes(shown) for name, shown in {**books, "statements": statements}.items()}
            told = {"answerable": sum(not one.missing for one in found), "checks": checks, "rows": rows}
            money_told = {"money_answerable": money, "money_checks": all_money}
            print_json({"target": str(target), "scenario": scenario, **told, **money_told, "exit_code": code})
        else:
            cli_screen.answerable([(one.check, one.sentence, one.missing) for one in found])
            cli_screen.out().print(
                f"{sum(not one.missing for one in found)} of {len(found)} checks can be answered, "
                f"{money} of {all_money} of those of money"
            )
        raise typer.Exit(code)


@app.command()
def judge(
    run_dir: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    target: TargetFile,
    as_json: Json = False,
) -> None:
    """Judge a finished run by the books that a target shows now, instead of those that it was harvested with.

    What the stations and meters did and what crossed the wire is taken from the run. Nothing in its folder is changed.

    \b
    chargerig target judge reports/out/first-day-seed1-1a2b3c4d target.toml
    """
    from scenarios.runfolder import open_run
    from scenarios.targets.file import load_target
    from scenarios.targets.rejudge import rejudge

    with guarded(as_json):
        open_run(run_dir)
        wanted = load_target(target)
        with cli_screen.steps(f"judging {run_dir} by the books that {target} names"):
            results = rejudge(run_dir, wanted)
        verdict = overall(results)
        code = {Verdict.PASS: OK, Verdict.FAIL: FINDING}.get(verdict, NOT_JUDGED)
        if as_json:
            told = {"folder": str(run_dir), "target": str(target), "verdict": verdict.value}
            print_json({**told, "checks": [msgspec.to_builtins(one) for one in results], "exit_code": code})
        else:
            cli_screen.judged(_lines(results))
            cli_screen.out().print(verdict.value)
        raise typer.Exit(code)


def _lines(results: Sequence[CheckResult]) -> list[tuple[str, str, int, str]]:
    """Check, verdict, items, and the first finding or the reason."""
    return [
        (one.check, one.verdict.value, one.items, one.findings[0].sentence if one.findings else one.reason)
        for one in results
    ]


def _sizes(shown: dict[str, Any]) -> dict[str, int | str]:
    """By book how many rows it has, or why it has none."""
    return {name: len(rows) if isinstance(rows, list) else rows.reason for name, rows in shown.items()}
