"""`chargerig audit`: somebody's own exports, every cent explained or flagged out. No station is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import asdict

from scenarios import cli_screen
from scenarios.cli_guard import Json, guarded, print_json
from scenarios.cli_run import FINDING, NOT_JUDGED, OK
from scenarios.outfolder import must_be_new, write_new
from sim.errors import BadInput
from sim.evidence.verdict import Verdict, overall

_MOST = 40


def register(app: typer.Typer) -> None:
    """Make the command known."""
    app.command()(audit)


def audit(
    exports: Annotated[
        Path | None,
        typer.Argument(metavar="DIR|audit.toml", help="A folder of exports, or the file that describes one."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="New folder for audit.html, audit.json and junit.xml.")
    ] = None,
    policy: Annotated[
        str, typer.Option(metavar="NAME", help="How amounts are rounded (`chargerig rate --policies`); else found out.")
    ] = "",
    sample: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write a sample export with planted errors there, and end.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge charge detail records, tariffs, signed values, sessions and invoices that a platform exported.

    \b
    chargerig audit --sample sample && chargerig audit sample --out sample-audit
    chargerig audit exports/ --json
    chargerig audit audit.toml --policy floor-cents

    Each price is explained by its tariff or flagged with the mistake that leads to it (rounding, step, clock, idle time,
    tax, wrong version ...); sessions twice or missing, overlaps, gaps of registers, bad signatures and sums that do not
    add up are named. docs/audit.md describes the files. Exit code 0 if all is right, 1 for a finding, 2 for exports
    that cannot be read, 4 if nothing was found and something could not be judged.
    """
    from reference_csms.pricing.policies import policy_named
    from reports.audit_page import page
    from reports.junit import document
    from scenarios.audit.exports import read_exports
    from scenarios.audit.judge import audit as judged
    from scenarios.audit.planted import write_sample

    with guarded(as_json):
        if sample is not None:
            planted = write_sample(sample)
            told = {"folder": str(sample), "planted": planted}
            print_json(told) if as_json else cli_screen.lines(
                [f"{len(planted)} planted errors in {sample}/planted.json"]
            )
            return
        if exports is None:
            raise BadInput("command line", "DIR", "is missing", "a folder of exports, an audit.toml, or --sample DIR")
        if out is not None:
            must_be_new(out, "--out")
        if policy:
            policy_named(policy)
        found = judged(read_exports(exports), policy)
        code = {Verdict.FAIL: FINDING, Verdict.UNKNOWN: NOT_JUDGED}.get(overall(found.results), OK)
        data = _data(found, code)
        if out is not None:
            name = f"audit of {found.name}"
            files = {
                "audit.html": page(data),
                "audit.json": _json(data),
                "junit.xml": document(name, "chargerig.audit", {"policy": found.policy}, found.results),
            }
            write_new(out, files, "--out")
        if as_json:
            print_json(data)
        else:
            _show(data, out)
        raise typer.Exit(code)


def _data(found: Any, code: int) -> dict[str, Any]:
    """The audit for machines and for the page."""
    return {
        "name": found.name,
        "verdict": str(overall(found.results)),
        "policy": found.policy,
        "policy_found_out": found.policy_chosen,
        "records": found.bills,
        "explained": sum(1 for one in found.prices if not one.kind),
        "flagged": sum(1 for one in found.prices if one.kind),
        "totals": [dict(zip(("currency", "said", "expected", "off"), row, strict=True)) for row in found.totals],
        "claims": [
            {
                "check": one.check,
                "sentence": one.sentence,
                "verdict": str(one.verdict),
                "items": one.items,
                "reason": one.reason,
                "findings": [
                    {
                        "subject": finding.subject,
                        "sentence": finding.sentence,
                        "places": [line.row["place"] for line in finding.evidence],
                    }
                    for finding in one.findings
                ],
            }
            for one in found.results
        ],
        "prices": [asdict(one) for one in found.prices],
        "files": list(found.files),
        "notes": list(found.notes),
        "exit_code": code,
    }


def _json(data: dict[str, Any]) -> str:
    import json

    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _show(data: dict[str, Any], out: Path | None) -> None:
    cli_screen.judged(
        (one["check"], one["verdict"], one["items"], one["sentence"] + (f" ({one['reason']})" if one["reason"] else ""))
        for one in data["claims"]
    )
    findings = [(one["check"], finding) for one in data["claims"] for finding in one["findings"]]
    cli_screen.lines(f"{check} {finding['subject']}: {finding['sentence']}" for check, finding in findings[:_MOST])
    if len(findings) > _MOST:
        cli_screen.lines([f"and {len(findings) - _MOST:,} more findings (--json or --out has all)"])
    how = "which explains most of them" if data["policy_found_out"] else "as was said"
    rows = [
        f"{data['explained']:,} of {data['records']:,} records cost what their tariff gives",
        f"by policy {data['policy']}, {how}",
    ]
    for row in data["totals"]:
        rows.append(f"in all {row['said']} {row['currency']} where {row['expected']} were due")
        rows.append(f"differences add up to {row['off']} {row['currency']}")
    cli_screen.lines(rows)
    if out is not None:
        cli_screen.lines([f"report: {out / 'audit.html'}"])
