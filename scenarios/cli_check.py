"""`chargerig check`: verdicts from the wire alone, of a recorded trace, a log, or a station that is connected now."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep
from typing import Annotated

import typer

from reports import junit
from scenarios import cli_screen
from scenarios.cli_guard import Json, guarded, print_json
from scenarios.cli_run import FINDING, NOT_JUDGED, OK
from scenarios.wirecheck import report as told
from scenarios.wirecheck.judge import Judge, Report
from scenarios.wirecheck.keys import read_keys
from scenarios.wirecheck.lines import ALLOWED, Line, Unread, raw_lines
from scenarios.wirecheck.live import follow
from scenarios.wirecheck.logs import instant, read
from scenarios.wirecheck.orient import oriented
from scenarios.wirecheck.rule import Limits
from scenarios.wirecheck.rules import RULES, chosen
from sim.clock import parse_duration
from sim.errors import BadInput, need
from sim.evidence.verdict import Verdict
from sim.wire.schema import VERSIONS

_POLL_S = 0.5
_WORDS = "A time as 90s, 5m or 1h30m."


def check(
    trace: Annotated[
        Path | None, typer.Argument(metavar="[TRACE|LOG]", help="wire.jsonl.zst, .jsonl, or a log with frames.")
    ] = None,
    live: Annotated[str | None, typer.Option(metavar="URL", help="The API of a running `chargerig serve`.")] = None,
    token: Annotated[
        str | None, typer.Option(help="The token of that API.", envvar="CHARGERIG_API_TOKEN", show_default=False)
    ] = None,
    watch: Annotated[str, typer.Option("--for", metavar="TIME", help="How long to listen live.")] = "60s",
    station: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Only this station; * stands for anything. May be repeated."),
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option(metavar="RULE", help="Only this rule, group or requirement. May be repeated.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only from this time, as 2026-05-01T12:00:00Z.")
    ] = None,
    keys: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Public keys of meters: JSON, or lines as METER KEY.")
    ] = None,
    ocpp: Annotated[
        str | None, typer.Option(help="The OCPP version: 1.6, 2.0.1 or 2.1; found out if left out.")
    ] = None,
    log_of: Annotated[
        str | None, typer.Option(help="Whose log it is, csms or station, if it says `in` and `out` only.")
    ] = None,
    timeout: Annotated[str, typer.Option(metavar="TIME", help="How long an answer may take.")] = "30s",
    skew: Annotated[str, typer.Option(metavar="TIME", help="How far a timestamp may be from its receipt.")] = "5m",
    junit_file: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write the verdicts as JUnit XML, too.")
    ] = None,
    list_rules: Annotated[bool, typer.Option("--list", help="List the rules, and judge nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Judge OCPP traffic: frames, order, status, transactions, registers, signatures; a verdict for each requirement.

    Exit code 0 all that was judged holds, 1 a finding, 2 bad input, 4 nothing could be judged.

    \b
    chargerig check reports/out/first-day-seed1-1a2b3c4d/wire.jsonl.zst
    chargerig check csms.log --station CP-0* --rule tx --junit verdicts.xml
    chargerig check --live http://127.0.0.1:9001 --station CP-01 --for 60s
    """
    with guarded(as_json):
        if list_rules:
            _list(as_json)
            raise typer.Exit(OK)
        need((trace is None) != (live is None), "command line", "TRACE", "one thing is judged at a time", _WHAT)
        judge = Judge(
            chosen(rule or []),
            limits=Limits(timeout=_ms("--timeout", timeout), skew=_ms("--skew", skew)),
            version=_version(ocpp),
            stations=tuple(station or ()),
            since=_instant(since),
            keys=None if keys is None else read_keys(keys),
        )
        if live is not None:
            how_long = _ms("--for", watch) / 1000
            from scenarios.targets.http import Http

            with Http(live, token) as http, cli_screen.steps(f"live from {live}") as say:
                judge.hear(_until_stopped(follow(http, live, tuple(station or ()), _pauses(how_long)), say))
        else:
            assert trace is not None
            judge.hear(_some(trace, oriented(read(raw_lines(trace)), log_of)))
        found = judge.report()
        if junit_file is not None:
            _write(junit_file, found, str(live or trace))
        code = {Verdict.PASS: OK, Verdict.FAIL: FINDING}.get(found.verdict, NOT_JUDGED)
        if as_json:
            print_json({**told.data(found), "exit_code": code})
        else:
            cli_screen.checked(told.data(found))
        raise typer.Exit(code)


_WHAT = "a file, or --live URL"


def _list(as_json: bool) -> None:
    rows = [told.rule_data(kind) for kind in RULES]
    if as_json:
        print_json(rows)
        return
    cli_screen.names(
        {
            row["rule"]: f"{row['sentence']} [{row['judges']}; OCPP {', '.join(row['versions'])}"
            f"{'; only notes' if row['only_notes'] else ''}] {'; '.join(row['requires'])}"
            for row in rows
        }
    )


def _some(trace: Path, lines: Iterator[Line | Unread]) -> Iterator[Line | Unread]:
    """The same lines. Raises BadInput if none of a file can be read."""
    first: Unread | None = None
    read_one = False
    for line in lines:
        read_one = read_one or isinstance(line, Line)
        if first is None and isinstance(line, Unread):
            first = line
        yield line
    if not read_one:
        raise BadInput(trace, first and first.place, first.why if first else "holds no line", ALLOWED)


def _pauses(seconds: float) -> Callable[[], bool]:
    end = monotonic() + seconds

    def pause() -> bool:
        left = end - monotonic()
        sleep(max(0.0, min(_POLL_S, left)))
        return left > 0

    return pause


def _until_stopped(lines: Iterator[Line | Unread], say: Callable[[str], None]) -> Iterator[Line | Unread]:
    """The same lines; Ctrl-C ends the listening, and what was heard until then is judged."""
    try:
        yield from lines
    except KeyboardInterrupt:
        say("stopped by hand; this is the verdict of what was heard")


def _write(path: Path, found: Report, source: str) -> None:
    """Write the JUnit file, whole or not at all."""
    results = told.check_results(found)
    properties = {"source": source, "lines": str(found.lines), "stations": str(len(found.stations))}
    forgiven = [result.check for result in results]
    text = junit.document(f"check {source}", "chargerig.check", properties, results, forgiven)
    part = path.with_name(f"{path.name}.part")
    try:
        part.write_text(text, "utf-8")
        os.replace(part, path)
    except OSError as err:
        raise BadInput(path, "--junit", f"cannot be written ({err.strerror})", "a path in an existing folder") from err


def _ms(option: str, text: str) -> int:
    try:
        return parse_duration(text)
    except ValueError:
        raise BadInput("command line", option, f"{text!r} is no length of time", _WORDS) from None


def _version(ocpp: str | None) -> str | None:
    need(ocpp is None or ocpp in VERSIONS, "command line", "--ocpp", f"{ocpp!r} is no version known here", VERSIONS)
    return ocpp


def _instant(since: str | None) -> int | None:
    at = None if since is None else instant(since)
    need(since is None or at is not None, "command line", "--since", f"{since!r} is no time", "2026-05-01T12:00:00Z")
    return at
