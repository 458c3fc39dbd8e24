"""`chargerig trace --at TIME`: what was going on at one moment of a run, and what happened around it, plane by plane.

Rows of the evidence in words; nothing is judged here.
"""

from __future__ import annotations

import datetime
import re
from typing import Any

from reports import trace_lines as lines
from reports import words
from reports.run import Row, Run
from reports.trace import Trace
from reports.trace_lines import Line, Step
from reports.walk import of_truth
from sim import clock
from sim.clock import MINUTE
from sim.errors import BadInput

AROUND = 2 * MINUTE
"""How long before and after the moment something still belongs to it, ms."""
_MOST = 25
"""Lines of a step; the nearest to the moment are kept."""
_MOMENT = re.compile(r"(?:(\d{4}-\d\d-\d\d)[T ])?(\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?)\s*(Z|[+-]\d\d:?\d\d)?")
_ALLOWED = "HH:MM or HH:MM:SS of the first day, or YYYY-MM-DD HH:MM:SS, of the run's zone, or with Z or an offset"


def moment_trace(run: Run, text: str) -> Trace:
    """The moment that a user wrote. Raises BadInput for a text that is none, or one outside of the run."""
    at = moment(run, text)
    begin = int((run.plan("window") or {}).get("start", at))
    end = int(run.evidence.ended_at())
    if not begin <= at <= end:
        span = f"{lines.local(begin, run.zone)} to {lines.local(end, run.zone)}"
        raise BadInput("command line", "--at", f"{text} is not in the run", span)
    steps = [
        Step("Faults under way", "truth", lines.faults(_under_way(run, at))),
        Step("Sessions that were running", "truth", _running(run, at)),
        Step("Connections", "wire", _connections(run, at)),
        Step("The move", "truth", _near(at, [_named(row, line) for row, line in _moves(run, at)])),
        Step("What happened to stations", "truth", _near(at, _life(run, at))),
        Step("On the wire", "wire", _near(at, _calls(run, at))),
        Step("In the books", "books", _near(at, _booked(run, at))),
    ]
    subject = f"what was going on at {lines.local(at, run.zone)}, and {words.duration(AROUND)} around it"
    return Trace(subject, run.zone, tuple(step for step in steps if step.lines))


def moment(run: Run, text: str) -> int:
    """The instant of a text, ms. Raises BadInput."""
    found = _MOMENT.fullmatch(text.strip())
    if found is None:
        raise BadInput("command line", "--at", f"{text!r} is no time", _ALLOWED)
    date = found[1] or str(run.scenario.get("day", {}).get("date", ""))
    try:
        moment = datetime.datetime.fromisoformat(f"{date}T{found[2]}{found[3] or ''}")
    except ValueError:
        raise BadInput("command line", "--at", f"{text!r} is no time", _ALLOWED) from None
    return clock.from_datetime(moment if moment.tzinfo else moment.replace(tzinfo=clock.zone(run.zone)))


def _under_way(run: Run, at: int) -> list[Row]:
    return [row for row in run.table("truth_faults") if int(row["at"]) <= at <= max(int(row["until"]), int(row["at"]))]


def _running(run: Run, at: int) -> tuple[Line, ...]:
    rows = [
        row
        for row in run.table("truth_sessions")
        if int(row["started_at"]) <= at and (row["stopped_at"] is None or int(row["stopped_at"]) > at)
    ]
    return tuple(lines.one_line(of_truth(run, row)) for row in rows)


def _connections(run: Run, at: int) -> tuple[Line, ...]:
    """How many stations each back-end holds, and whose connection began or ended around the moment."""
    rows = run.table("wire_links")
    counts: dict[str, set[str]] = {}
    told: list[Line] = []
    for row in rows:
        opened, closed = int(row["opened_at"] or 0), row["closed_at"]
        if opened <= at and (closed is None or int(closed) > at):
            counts.setdefault(str(row["backend"]), set()).add(str(row["station"]))
        if abs(opened - at) <= AROUND:
            told.append(Line(opened, f"{row['station']} connects to {row['backend']}", "wire_links", row))
        if closed is not None and abs(int(closed) - at) <= AROUND:
            text = f"{row['station']} loses {row['backend']}, closed by {row['closed_by']} ({row['reason']})"
            told.append(Line(int(closed), text, "wire_links", row))
    held = [f"{words.plural(len(some), 'station')} at {name}" for name, some in sorted(counts.items())]
    return (Line(at, ", ".join(held) or "no station is connected"), *_near(at, told))


def _moves(run: Run, at: int) -> list[tuple[Row, Line]]:
    rows = [row for row in run.table("truth_migration") if abs(int(row["at"]) - at) <= AROUND]
    return list(zip(rows, lines.moves(rows), strict=True))


def _life(run: Run, at: int) -> list[Line]:
    rows = [row for row in run.table("truth_events") if abs(int(row["at"]) - at) <= AROUND]
    told = []
    for row in rows:
        told += [_named(row, line) for line in lines.life([row])]
    return told


def _named(row: Row, line: Line) -> Line:
    return Line(line.at, f"{row['station']}: {line.text}", line.table, line.row)


def _calls(run: Run, at: int) -> list[Line]:
    rows = run.evidence.rows(
        "SELECT * FROM wire_calls WHERE sent_at BETWEEN ? AND ? ORDER BY sent_at, call_no", at - AROUND, at + AROUND
    )
    told = []
    for row in rows:
        way = f"{row['station']} to {row['backend']}" if row["way"] == "up" else f"{row['backend']} to {row['station']}"
        told.append(Line(row["sent_at"], f"{way}: {lines.name_of(row)}, {lines.answer_of(row)}", "wire_calls", row))
    return told


_WRITTEN: tuple[tuple[str, str, str], ...] = (
    ("books_transactions", "received_start_at", "transaction {transaction_id} of {station} begins at {backend}"),
    ("books_transactions", "received_stop_at", "transaction {transaction_id} of {station} ends at {backend}: {state}"),
    ("books_quarantine", "at", "{quarantine_id} at {backend} is held: {reason}"),
    ("books_bills", "issued_at", "bill {number} at {backend} for session {session_id}"),
    ("books_journal", "at", "journal entry {seq} at {backend}: {kind} {ref}"),
    ("books_payments", "created_at", "{purpose} {attempt_id} at {backend}: {state}"),
)


def _booked(run: Run, at: int) -> list[Line]:
    told = []
    for table, column, text in _WRITTEN:
        for row in run.table(table):
            if row[column] is not None and abs(int(row[column]) - at) <= AROUND:
                told.append(Line(int(row[column]), text.format(**row), table, row))
    return told


def _near(at: int, told: list[Line]) -> tuple[Line, ...]:
    """In order of time; of too many those nearest to the moment, and how many were left out."""
    kept = sorted(told, key=lambda line: abs(int(line.at or 0) - at))[:_MOST]
    ordered: list[Any] = sorted(kept, key=lambda line: int(line.at or 0))
    if len(told) > len(kept):
        ordered.append(Line(None, f"and {len(told) - len(kept)} more within {words.duration(AROUND)}"))
    return tuple(ordered)
