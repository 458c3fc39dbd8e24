"""`chargerig rate`: options are read and prices told here; they are calculated in `reference_csms.pricing`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from reference_csms.pricing.explain import policy_words
from reference_csms.pricing.policies import DEFAULT, POLICIES, policy_named
from scenarios import cli_screen
from scenarios.cli_guard import Json, guarded
from scenarios.cli_run import FINDING, OK
from sim.errors import BadInput


def register(app: typer.Typer) -> None:
    """Make the command known."""
    app.command()(rate)


def rate(
    cdr: Annotated[
        Path | None, typer.Option("--cdr", metavar="FILE", help="OCPI CDR or session, a list of them, or an answer.")
    ] = None,
    tariff: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Tariff of OCPI or OCPP 2.1, or a list; else that inside the record."),
    ] = None,
    policy: Annotated[
        str, typer.Option(metavar="NAME", help="How to round and step; `--policies` lists them.")
    ] = DEFAULT,
    zone: Annotated[
        str, typer.Option(metavar="ZONE", help="IANA zone of the location, if the record tells none.")
    ] = "",
    self_test: Annotated[
        int | None, typer.Option("--self-test", min=1, max=10_000_000, metavar="N", help="Try N random pairs and end.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random pairs.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, max=64, help="Processes for the random pairs.")] = 1,
    policies: Annotated[bool, typer.Option("--policies", help="List the policies and end.")] = False,
    as_json: Json = False,
) -> None:
    """Price charges by their tariff, and explain every line: quantity before and after steps, price, VAT, rounding.

    \b
    chargerig rate --tariff tariff.json --cdr cdr.json
    chargerig rate --cdr cdr.json --policy floor-cents --json
    chargerig rate --policies
    chargerig rate --self-test 100000 --jobs 2

    OCPI leaves rounding open and counts steps up; others do not. A policy names one way of doing it, so that the price of
    any system can be calculated again. `--self-test` holds rating against a second calculation that shares no code with it;
    exit code 1 if any pair differs.
    """
    with guarded(as_json):
        if policies:
            rows = {name: policy_words(one) for name, one in POLICIES.items()}
            if as_json:
                _print(rows)
            else:
                cli_screen.names(rows)
            return
        if self_test is not None:
            raise typer.Exit(_tried(self_test, seed, jobs, as_json))
        if cdr is None:
            raise BadInput("command line", "--cdr", "is missing", "a file with an OCPI CDR or session")
        from scenarios.rate_files import price_files

        priced = price_files(tariff, cdr, policy_named(policy), zone)
        if as_json:
            rows_of = [one.row() for one in priced]
            _print(rows_of[0] if len(rows_of) == 1 else {"cdrs": rows_of})
            return
        for one in priced:
            cli_screen.lines(one.text())


def _print(data: object) -> None:
    """One JSON document, its decimals written as exact numbers."""
    encoded = msgspec.json.Encoder(decimal_format="number").encode(data)
    sys.stdout.write(msgspec.json.format(encoded, indent=2).decode() + "\n")


def _tried(pairs: int, seed: int, jobs: int, as_json: bool) -> int:
    """Tries random pairs; the exit code."""
    from scenarios.rate_trial import self_test

    with cli_screen.steps(f"{pairs:,} random pairs of tariff and charge") as tell:
        trial = self_test(pairs, seed, jobs=jobs, progress=lambda done: tell(f"{done:,} pairs"))
    if as_json:
        _print(msgspec.to_builtins(trial))
    else:
        rows = [f"{one.policy}: rating {one.rating}, oracle {one.oracle}" for one in trial.disagreements]
        cli_screen.lines(
            [*rows, f"{trial.agreed:,} of {trial.pairs:,} pairs agree, {trial.priced:,} of them cost something"]
        )
    return OK if trial.agreed == trial.pairs else FINDING
