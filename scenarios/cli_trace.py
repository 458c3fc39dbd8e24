"""`chargerig trace`: which story of a run the user asks for. Reads the folder of the run only."""

from __future__ import annotations

from pathlib import Path

from reports.run import Run
from reports.trace import Trace, invoice_trace, session_traces, station_trace
from sim.errors import BadInput


def traces(folder: Path, *, session: str | None, station: str | None, invoice: str | None) -> list[Trace]:
    """The stories asked for; several only for a visit with several sessions.

    Raises BadInput for an id that the run does not know, and unless just one of the three is asked for.
    """
    given = {"--session": session, "--station": station, "--invoice": invoice}
    named = [name for name, one in given.items() if one is not None]
    if len(named) != 1:
        allowed = "one of --session ID, --station ID and --invoice ID"
        problem = f"follows one thing at a time, and was given {' and '.join(named)}"
        raise BadInput("command line", "trace", problem if named else "needs to be told what to follow", allowed)
    with Run(folder) as run:
        if session is not None:
            return session_traces(run, session)
        return [station_trace(run, station)] if station is not None else [invoice_trace(run, str(invoice))]
