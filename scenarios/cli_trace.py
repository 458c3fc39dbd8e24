"""`chargerig trace`: which story of a run the user asks for. Reads the folder of the run only."""

from __future__ import annotations

from pathlib import Path

from reports.run import Run
from reports.sequence import sequence
from reports.trace import Trace, invoice_trace, session_traces, station_trace, walks_of
from reports.trace_at import moment_trace
from sim.errors import BadInput


def traces(
    folder: Path, *, session: str | None, station: str | None, invoice: str | None, at: str | None = None
) -> list[Trace]:
    """The stories asked for; several only for a visit with several sessions.

    Raises BadInput for an id or a moment that the run does not know, and unless just one of the four is asked for.
    """
    given = {"--session": session, "--station": station, "--invoice": invoice, "--at": at}
    named = [name for name, one in given.items() if one is not None]
    if len(named) != 1:
        allowed = "one of --session ID, --station ID, --invoice ID and --at TIME"
        problem = f"follows one thing at a time, and was given {' and '.join(named)}"
        raise BadInput("command line", "trace", problem if named else "needs to be told what to follow", allowed)
    with Run(folder) as run:
        if session is not None:
            return session_traces(run, session)
        if at is not None:
            return [moment_trace(run, at)]
        return [station_trace(run, station)] if station is not None else [invoice_trace(run, str(invoice))]


def diagram(folder: Path, session: str, file: Path) -> None:
    """Write the sequence diagram of a session, on white. Raises BadInput for a place that cannot hold it."""
    if file.suffix != ".svg":
        raise BadInput("command line", "--svg", f"{str(file)!r} is no name for an SVG file", "FILE.svg")
    with Run(folder) as run:
        drawn = sequence(run, walks_of(run, session)[0], "session")
    head, _, rest = drawn.partition("</title>")
    try:
        file.write_text(f'{head}</title><rect width="100%" height="100%" fill="#ffffff"/>{rest}', encoding="utf-8")
    except OSError as err:
        problem = f"{file} cannot be written ({err.strerror})"
        raise BadInput("command line", "--svg", problem, "a file in a folder that is there") from None
