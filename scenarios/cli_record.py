"""`chargerig record` and `chargerig replay`: real traffic into a trace, and a trace against another back-end.

Options are read here and results are told here; what happens in between is `sim.runtimes.proxy` and `sim.runtimes.replay`.
"""

from __future__ import annotations

import base64
import csv
import ssl
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from reports import replayed
from scenarios import cli_screen
from scenarios.cli_guard import Json, guarded, print_json
from scenarios.cli_run import FINDING, NOT_JUDGED, OK
from scenarios.cli_serve import seconds
from sim.errors import BadInput
from sim.evidence.compared import Comparison
from sim.evidence.sameness import Ignore
from sim.evidence.script import Script, read_script

_Ca = Annotated[
    Path | None,
    typer.Option("--ca", metavar="CA.pem", help="The authority of a wss:// back-end; the system's if left out."),
]
_SHOWN = 20
_TOLD_EVERY = 2.0
_LEAST_KEY = 16
_COMMAND_LINE = "command line"


def register(app: typer.Typer) -> None:
    """Make both commands known."""
    app.command()(record)
    app.command()(replay)


def record(
    listen: Annotated[str, typer.Option(metavar="[HOST:]PORT", help="Where stations connect; the host is 127.0.0.1.")],
    upstream: Annotated[str, typer.Option(metavar="ws://...", help="The back-end; a station's path is put behind it.")],
    out: Annotated[
        Path | None,
        typer.Option(metavar="FILE.jsonl.zst", help="The trace, a new file; named by the time if left out."),
    ] = None,
    pseudonymise: Annotated[
        bool,
        typer.Option(
            "--pseudonymise",
            help="Write pseudonyms for tokens, mobile numbers, EMAIDs and passwords. Traffic itself is not changed.",
        ),
    ] = False,
    key_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The key of the pseudonyms, to have the same ones in several traces."),
    ] = None,
    rules: Annotated[
        Path | None, typer.Option(metavar="FILE.toml", help="Link rules: latency, bandwidth, stall, reset, refuse, ...")
    ] = None,
    ca: _Ca = None,
    lasts: Annotated[str | None, typer.Option("--for", metavar="DURATION", help="End after 90s, 5m or 1h30m.")] = None,
    max_size: Annotated[int, typer.Option(min=1, help="Bytes of a message; longer ones are closed with 1009.")] = 1
    << 20,
    ping: Annotated[
        str, typer.Option(metavar="DURATION", help="Ping both sides this often and cut who does not answer; 0s: never.")
    ] = "20s",
    as_json: Json = False,
) -> None:
    """Stand between stations and a back-end, and write down what passes. Ctrl-C ends it.

    \b
    chargerig record --listen 9000 --upstream ws://localhost:8080/ocpp --out yesterday.jsonl.zst
    chargerig record --listen 0.0.0.0:9000 --upstream wss://csms.example --pseudonymise --rules bad-uplink.toml

    \b
    A file of link rules:
        seed = 1
        \\[\\[rule]]
        what    = "stall"            # latency bandwidth stall reset refuse slow-close flap
        station = "CA-*"             # a pattern; all if left out
        way     = "up"               # up, down or both
        action  = "StopTransaction"  # of a call and of its answer
        after   = 10                 # so many matching frames pass untouched
        lasts   = "20s"

    Without --pseudonymise the trace holds passwords, and only you can read it.
    """
    with guarded(as_json):
        from sim.evidence.pseudonyms import Pseudonyms
        from sim.evidence.recording import Recording
        from sim.evidence.wire import WireFile
        from sim.network.rules import load_rules
        from sim.runtimes.bridge import Limits
        from sim.runtimes.proxy import Ends, Proxy
        from sim.runtimes.proxy import record as run

        host, port = _listen(listen)
        address = _address(upstream, "--upstream")
        ends = Ends(host, port, address, _trust(address, ca))
        weather = load_rules(rules) if rules is not None else None
        key = _key(pseudonymise, key_file)
        end = None if lasts is None else seconds("--for", lasts)
        every = seconds("--ping", ping)
        place = _new_file(out)
        names = None if key is None else Pseudonyms(key)
        recording = Recording(WireFile(place, private=names is None), urlsplit(ends.upstream).netloc, names)
        with cli_screen.steps("record") as tell:
            limits = Limits(max_size=max_size, ping_interval=every, ping_timeout=every)
            shown = f"[{host}]" if ":" in host else host
            proxy = Proxy(ends, recording, weather, limits, tell)
            counted = run(
                proxy,
                end,
                lambda at: tell(f"ws://{shown}:{at} before {ends.upstream}, into {place}; Ctrl-C ends the recording"),
            )
        if as_json:
            print_json({"trace": str(place), **counted, "exit_code": OK})
        else:
            _recorded(place, counted)


def replay(
    trace: Annotated[Path, typer.Argument(help="A trace of `record`, or the wire.jsonl.zst of a run.")],
    target: Annotated[
        str, typer.Option(metavar="ws://...", help="The back-end; a station's identity is put behind it.")
    ],
    pace: Annotated[
        str, typer.Option(metavar="fast|real|N", help="As answers come, as recorded, or N times as fast.")
    ] = "fast",
    station: Annotated[str | None, typer.Option(metavar="ID", help="Only this station.")] = None,
    now: Annotated[
        bool, typer.Option("--now", help="Shift all times of the stations to now; signed values stay.")
    ] = False,
    timeout: Annotated[str, typer.Option(metavar="DURATION", help="How long an answer may take.")] = "30s",
    ignore: Annotated[
        list[str] | None,
        typer.Option(
            metavar="PATH", help="An expected difference: $.interval, Authorize:$.idTagInfo.*. May be repeated."
        ),
    ] = None,
    passwords: Annotated[
        Path | None, typer.Option(metavar="FILE.csv", help="Lines of station,password; else as in the trace.")
    ] = None,
    ca: _Ca = None,
    junit: Annotated[
        Path | None, typer.Option(metavar="FILE.xml", help="Write a JUnit report, one case per action.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Play the station side of a trace against another back-end, and tell each answer that differs.

    Ids that a back-end mints and times are normalised. Exit code 0 if all answers are the same, 1 if one differs or is
    missing, 2 for bad input, 4 if nothing was compared.

    \b
    chargerig replay yesterday.jsonl.zst --target ws://localhost:8081/ocpp
    chargerig replay yesterday.jsonl.zst --target ws://new:8080 --pace 60 --now --ignore '$.interval' --junit replay.xml
    """
    with guarded(as_json):
        from sim.runtimes.replay import Wish
        from sim.runtimes.replay import replay as run

        address = _address(target, "--target")
        wish = Wish(
            address,
            _pace(pace),
            now,
            seconds("--timeout", timeout),
            _passwords(passwords),
            _trust(address, ca),
        )
        script = read_script(trace, station)
        with cli_screen.steps("replay") as tell:
            result = run(script, wish, Ignore(ignore or []), _progress(script.asked, tell))
        code = NOT_JUDGED if not result.compared else FINDING if result.differences else OK
        if junit is not None:
            about = {"trace": str(trace), "target": wish.target, "pace": pace}
            _write(junit, replayed.junit(result, about))
        if as_json:
            about_trace = {"whole": script.whole, "lost": script.lost, "unreadable": script.unreadable}
            print_json({"trace": str(trace), **about_trace, **result.as_data(), "exit_code": code})
        else:
            _compared(script, result)
        raise typer.Exit(code)


# -- what is told ------------------------------------------------------------------------------------------------------


def _recorded(place: Path, counted: dict[str, Any]) -> None:
    rules = counted.get("rules", {})
    rows: list[tuple[str, Any]] = [(name.replace("_", " "), one) for name, one in counted.items() if name != "rules"]
    cli_screen.table(("", ""), [*rows, *rules.items()])
    for rule, hits in rules.items():
        if not hits:
            cli_screen.complain(f"{rule} never acted")
    cli_screen.out().print(str(place), soft_wrap=True, markup=False)


def _compared(script: Script, result: Comparison) -> None:
    heads = ("action", "asked", "same", "different", "unanswered", "not in the trace")
    cli_screen.table(
        heads,
        [
            (name, one.asked, one.same, one.different, one.unanswered, one.unknown)
            for name, one in sorted(result.actions.items())
        ],
    )
    console = cli_screen.out()
    kinds = replayed.kinds(result)
    for line in kinds[:_SHOWN]:
        console.print(line, soft_wrap=True, markup=False)
    if len(kinds) > _SHOWN:
        console.print(f"and {len(kinds) - _SHOWN:,} more kinds of differences; --json tells all")
    for line in [*replayed.summary(result), *_notes(script)]:
        console.print(line, soft_wrap=True, markup=False, style="dim")
    if not result.compared:
        console.print("nothing was compared", style="yellow")
    elif not result.differences:
        console.print(f"all {result.compared:,} answers are the same", style="green")


def _notes(script: Script) -> list[str]:
    notes = []
    if not script.whole:
        notes.append("the trace was cut off: what came later is not in it")
    if script.lost:
        notes.append(f"{script.lost:,} frames of stations never arrived in the trace and were not sent")
    if script.unreadable:
        notes.append(f"{script.unreadable:,} frames of the trace are no OCPP-J and were not sent")
    if script.pseudonymised:
        notes.append("the trace has pseudonyms: a back-end that knows only real tokens answers otherwise")
    return notes


def _progress(total: int, tell: Any) -> Any:
    told = [perf_counter()]

    def done(number: int) -> None:
        if perf_counter() - told[0] >= _TOLD_EVERY:
            told[0] = perf_counter()
            tell(f"{number:,} of {total:,} calls")

    return done


# -- what is asked -----------------------------------------------------------------------------------------------------


def _listen(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not port.isdecimal() or int(port) > 65_535:
        raise BadInput(
            _COMMAND_LINE, "--listen", f"{text!r} is no place to listen", "PORT or HOST:PORT, as 0.0.0.0:9000"
        )
    return host.strip("[]") or "127.0.0.1", int(port)


def _address(text: str, option: str) -> str:
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("ws", "wss") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or parts.query or parts.fragment or "@" in parts.netloc:
        allowed = "ws://HOST:PORT/PATH or wss://..., without query and password"
        raise BadInput(_COMMAND_LINE, option, f"{text!r} is no address of a back-end", allowed)
    return text


def _trust(address: str, ca: Path | None) -> ssl.SSLContext | None:
    if address.startswith("wss:"):
        from sim.runtimes.tls import client_context

        return client_context(ca, None)
    if ca is not None:
        raise BadInput(_COMMAND_LINE, "--ca", f"{address} has no certificate to be judged", "a wss:// address")
    return None


def _pace(text: str) -> float:
    named = {"fast": 0.0, "real": 1.0}
    try:
        pace = named[text] if text in named else float(text)
    except ValueError:
        pace = -1.0
    if not (text == "fast" or 0 < pace < 1e6):
        raise BadInput(_COMMAND_LINE, "--pace", f"{text!r} is no pace", "fast, real, or a number above 0 as 60")
    return pace


def _key(wanted: bool, file: Path | None) -> bytes | None:
    if file is None:
        from sim.runtimes.entropy import secret_text

        return secret_text().encode() if wanted else None
    if not wanted:
        raise BadInput(_COMMAND_LINE, "--key-file", "is of no use without --pseudonymise", "both or none")
    try:
        key = file.read_bytes().strip()
    except OSError as err:
        raise BadInput(file, None, f"cannot be read ({err.strerror})", "a file with a secret key") from None
    if len(key) < _LEAST_KEY:
        raise BadInput(file, None, f"has {len(key)} bytes, which is no secret", f"at least {_LEAST_KEY} bytes")
    return key


def _new_file(out: Path | None) -> Path:
    place = out or Path(f"trace-{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl.zst")
    if place.exists():
        raise BadInput(place, None, "is there already", "the path of a new file")
    return place


def _passwords(file: Path | None) -> dict[str, str]:
    """Authorization headers of stations."""
    if file is None:
        return {}
    headers = {}
    try:
        with file.open(newline="", encoding="utf-8") as lines:
            for number, row in enumerate(csv.reader(lines), 1):
                if len(row) != 2:
                    raise BadInput(file, f"line {number}", f"has {len(row)} columns", "station,password")
                headers[row[0]] = "Basic " + base64.b64encode(f"{row[0]}:{row[1]}".encode()).decode()
    except (OSError, UnicodeDecodeError) as err:
        raise BadInput(file, None, f"cannot be read ({err})", "lines of station,password in UTF-8") from None
    return headers


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as err:
        raise BadInput(path, None, f"cannot be written ({err.strerror})", "the path of a file") from None
