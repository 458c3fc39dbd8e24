"""`chargerig ocmf`: options are read and verdicts told here; records are judged, signed and tampered with in `sim.metering`.

Exit codes of `verify`: 0 everything may be billed, 1 something must not, 2 it cannot be read (or bad input).
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from scenarios import cli_screen
from scenarios.cli_guard import Json, guarded, print_json
from scenarios.cli_run import BAD_INPUT, FINDING, OK
from scenarios.metering import files, signing, telling, trying
from sim.metering.facts import SessionFacts
from sim.metering.reasons import BILLABLE, MALFORMED

app = typer.Typer(no_args_is_help=True, help="Signed meter values: verify, sign, tamper with them, and export them.")


@app.callback()
def metering() -> None:
    """What can be done; the help says it."""


@app.command()
def verify(
    file: Annotated[
        str, typer.Argument(metavar="FILE|-", help="Records, an XML container or OCPP frames; - reads input.")
    ],
    key: Annotated[str, typer.Option(metavar="KEY", help="The public key you vouch for, or @FILE with it.")] = "",
    registry: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The key registry: JSON, TOML or lines.")
    ] = None,
    station: Annotated[str, typer.Option(help="The station that it came from.")] = "",
    connector: Annotated[int, typer.Option(min=0, help="The connector there.")] = 0,
    id_tag: Annotated[str, typer.Option("--id-tag", help="Who started the session.")] = "",
    bills_time: Annotated[bool, typer.Option("--bills-time", help="The tariff has a price for time.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="kWh and Wh in one session are a fault.")] = False,
    as_json: Json = False,
) -> None:
    """Say whether signed meter values are authentic and may be billed, and if not, why.

    \b
    chargerig ocmf verify record.txt --key 3059301306072a86...
    chargerig ocmf verify container.xml --registry meters.toml --json

    Reads OCMF 0.1 to 1.4, ALFEN, EDL40, ISA-EDL40, Mennekes and PCDF, bare, in S.A.F.E. XML containers and in frames of
    OCPP 1.6 and 2.0.1. A key that came along serves to check the signature and never to bill: give --key or --registry.
    """
    with guarded(as_json):
        known = SessionFacts(station=station, connector=connector, id_tag=id_tag, bills_time=bills_time)
        found = telling.verify(
            files.read_text(file),
            files.key_text(key),
            None if registry is None else files.registry(registry),
            known,
            strict,
        )
        if as_json:
            print_json(found.told())
        else:
            cli_screen.lines(found.lines())
        if found.verdict == MALFORMED:
            raise typer.Exit(BAD_INPUT)
        raise typer.Exit(OK if found.verdict == BILLABLE else FINDING)


@app.command()
def sign(
    payload: Annotated[
        str, typer.Option(metavar="FILE|-", help="Sign exactly this payload instead of a session.")
    ] = "",
    curve: Annotated[
        str, typer.Option(help="secp256r1, secp192k1, secp256k1, secp192r1, secp384r1, brainpool256r1 …")
    ] = "secp256r1",
    seed: Annotated[int, typer.Option(min=0, help="The key is drawn from this number.")] = 1,
    meter: Annotated[str, typer.Option(help="Serial number of the meter (MS).")] = "M-1",
    station: Annotated[str, typer.Option(help="Serial number of the gateway (GS).")] = "CS-1",
    connector: Annotated[int, typer.Option(min=1, help="The connector (CI).")] = 1,
    page: Annotated[int, typer.Option(min=1, help="Page number (PG).")] = 1,
    id_tag: Annotated[str, typer.Option("--id-tag", help="Who charges (ID).")] = "04A1B2C3",
    id_type: Annotated[str, typer.Option("--id-type", help="Kind of identification (IT).")] = "ISO14443",
    begin: Annotated[str, typer.Option(metavar="TIME", help="When the session begins.")] = "2026-03-02T08:00:00Z",
    end: Annotated[str, typer.Option(metavar="TIME", help="When it ends.")] = "2026-03-02T09:00:00Z",
    first: Annotated[str, typer.Option("--from", metavar="KWH", help="Register at the begin.")] = "1234.500",
    last: Annotated[str, typer.Option("--to", metavar="KWH", help="Register at the end.")] = "1243.750",
    clock: Annotated[str, typer.Option(help="Status of the clock: S, R, I, U.")] = "S",
    tariff_text: Annotated[str, typer.Option("--tariff-text", help="Tariff text (TT).")] = "",
    encoding: Annotated[str, typer.Option(help="hex or base64, of the signature.")] = "hex",
    way: Annotated[
        str, typer.Option("--as", help="bare, or a value of OCPP 1.6: oca, raw, hex, base64, other-name, plain-inside.")
    ] = "bare",
    as_json: Json = False,
) -> None:
    """Sign a session of begin and end, or a payload of yours, with a key drawn from a seed. Same options, same bytes.

    \b
    chargerig ocmf sign --curve brainpool384r1 --seed 7
    chargerig ocmf sign --json | jq -r .public_key
    """
    with guarded(as_json):
        wish = signing.Wish(
            payload=files.read_text(payload) if payload else "",
            curve=curve,
            seed=seed,
            meter=meter,
            station=station,
            connector=connector,
            page=page,
            id_tag=id_tag,
            id_type=id_type,
            begin=begin,
            end=end,
            first=first,
            last=last,
            clock=clock,
            tariff_text=tariff_text,
            encoding=encoding,
            way=way,
        )
        made = signing.sign(wish)
        if as_json:
            print_json(made.told())
        else:
            sys.stdout.write(made.record if made.record.endswith("\n") else f"{made.record}\n")
            cli_screen.complain(f"public key ({made.algorithm}): {made.public_key}")


@app.command()
def tamper(
    name: Annotated[
        str, typer.Argument(metavar="NAME|all", help="A tampering; `chargerig ocmf tamper --list` names all.")
    ] = "",
    file: Annotated[
        str, typer.Argument(metavar="[FILE|-]", help="A record of yours; without it, an honest session.")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="The keys of the honest session are drawn from it.")] = 1,
    listed: Annotated[bool, typer.Option("--list", help="Name all tamperings with the verdicts that are due.")] = False,
    as_json: Json = False,
) -> None:
    """Tamper with a record or a session in a way that has a name, and show the verdict that is given.

    \b
    chargerig ocmf tamper value-edited record.txt
    chargerig ocmf tamper all

    Exit code 1 if the verdict is not the one that is due.
    """
    with guarded(as_json):
        if listed or not name:
            rows = trying.listed()
            print_json({"tampers": rows}) if as_json else cli_screen.lines(trying.as_lines(rows))
            raise typer.Exit(OK)
        if file:
            text = trying.on_text(name, files.read_text(file), seed)
            print_json({"name": name, "record": text}) if as_json else sys.stdout.write(f"{text}\n")
            raise typer.Exit(OK)
        outcomes = trying.played(name, seed)
        wrong = [one for one in outcomes if not one["right"]]
        if as_json:
            print_json({"tampers": outcomes, "right": len(outcomes) - len(wrong), "of": len(outcomes)})
        else:
            cli_screen.lines(trying.told(outcomes))
        raise typer.Exit(FINDING if wrong else OK)


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run.")],
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="New folder for the files; RUN/transparency by default.")
    ] = None,
    bill: Annotated[str, typer.Option(metavar="NUMBER", help="Only this bill.")] = "",
    as_json: Json = False,
) -> None:
    """Write the signed records of each bill as an XML container that transparency software opens.

    \b
    chargerig ocmf export reports/out/first-day-seed1-4d28d7e1
    """
    with guarded(as_json):
        from scenarios.metering.export import export_bills

        written = export_bills(run, out or run / "transparency", bill)
        shown: dict[str, Any] = {"folder": str(out or run / "transparency"), "files": list(written)}
        print_json(shown) if as_json else cli_screen.lines([f"{len(written)} containers in {shown['folder']}"])
