"""The day as series over time: who was connected where, who charged, where each moving station was, what went wrong.

Pure numbers for the picture; nothing here draws.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import Struct

from reports import words
from reports.run import BACKENDS, Row, Run, by, points
from sim.clock import DAY, HOUR, MINUTE

Steps = tuple[list[int], list[int]]


class Band(Struct, frozen=True):
    """Something that lasted, in a row of its own."""

    row: str
    label: str
    begin: int
    end: int


class Day(Struct, frozen=True):
    """All that the pictures of the day show. Instants in ms.

    `homes` says for each moving station where it belonged: legacy, on the way, new; `moves` each phase of its move.
    """

    begin: int
    end: int
    zone: str
    connected: dict[str, Steps]
    plugged: Steps
    drawing: Steps
    moves: tuple[Band, ...]
    homes: tuple[Band, ...]
    charging_at_moved: tuple[Band, ...]
    faults: tuple[Band, ...]


def day(run: Run) -> Day:
    """The series of a run."""
    begin, end = _window(run)
    sessions = run.table("truth_sessions")
    open_sessions = [(s["started_at"], s["stopped_at"] if s["stopped_at"] is not None else end) for s in sessions]
    moves = tuple(_moves(run, end))
    moving = {band.row for band in moves}
    homes = tuple(
        home for station in dict.fromkeys(band.row for band in moves) for home in _homes(run, station, begin, end)
    )
    return Day(
        begin=begin,
        end=end,
        zone=run.zone,
        connected={name: connected(run, name, end) for name in BACKENDS},
        plugged=_steps(open_sessions),
        drawing=_steps(span for session in sessions for span in drawing(session, end)),
        moves=moves,
        homes=homes,
        charging_at_moved=tuple(
            Band(s["station"], "", s["started_at"], s["stopped_at"] or end) for s in sessions if s["station"] in moving
        ),
        faults=tuple(_faults(run)),
    )


def _window(run: Run) -> tuple[int, int]:
    """From an hour before the first session to the end of the last, at most a day: longer ones run off the edge."""
    starts = [int(row["started_at"]) for row in run.table("truth_sessions")]
    stops = [int(row["stopped_at"]) for row in run.table("truth_sessions") if row["stopped_at"] is not None]
    links = run.table("wire_links")
    begin = min(starts, default=min((int(row["opened_at"]) for row in links), default=0)) - HOUR
    end = min(max(stops, default=begin + HOUR), begin + DAY)
    return begin // HOUR * HOUR, -(-(end + HOUR // 2) // HOUR) * HOUR


def _steps(spans: Iterable[tuple[Any, Any]]) -> Steps:
    """How many spans are open, as a step function."""
    edges: dict[int, int] = {}
    for begin, end in spans:
        edges[int(begin)] = edges.get(int(begin), 0) + 1
        edges[int(end)] = edges.get(int(end), 0) - 1
    times, counts, level = [], [], 0
    for at in sorted(edges):
        level += edges[at]
        times.append(at)
        counts.append(level)
    return times, counts


def connected(run: Run, backend: str, end: int) -> Steps:
    """Stations with at least one living connection to this back-end."""
    spans: list[tuple[int, int]] = []
    for links in by([row for row in run.table("wire_links") if row["backend"] == backend], "station").values():
        for link in sorted(links, key=lambda row: int(row["opened_at"])):
            begin, until = int(link["opened_at"]), int(link["closed_at"] if link["closed_at"] is not None else end)
            if spans and spans[-1][1] >= begin and spans[-1][0] <= begin and link is not links[0]:
                spans[-1] = (spans[-1][0], max(until, spans[-1][1]))  # an old connection that nobody had noticed dying
            else:
                spans.append((begin, until))
    return _steps(spans)


def drawing(session: Row, end: int) -> Iterable[tuple[int, int]]:
    """When power flowed in a session: not while the EV was full (S to C) or the station withheld it (W to w)."""
    stopped = {"S", "W"}
    begin: int | None = int(session["started_at"])
    for at, _, mark in points(session):
        if mark in stopped and begin is not None:
            yield begin, at
            begin = None
        elif mark in ("C", "w") and begin is None:
            begin = at
    if begin is not None:
        yield begin, int(session["stopped_at"] if session["stopped_at"] is not None else end)


def _moves(run: Run, end: int) -> Iterable[Band]:
    phase_of = {state: phase for phase, states in words.PHASES for state in states}
    stations = by(run.table("truth_migration"), "station")
    for station in sorted(stations, key=lambda name: _turn(stations[name])):
        rows = stations[station]
        for number, row in enumerate(rows):
            until = int(rows[number + 1]["at"]) if number + 1 < len(rows) else end
            yield Band(station, phase_of[row["state"]], int(row["at"]), until)


def _homes(run: Run, station: str, begin: int, end: int) -> Iterable[Band]:
    """Where a moving station belonged: at legacy until the switch, at new once it was seen there."""
    rows = [row for row in run.table("truth_migration") if row["station"] == station]
    edges = [(begin, "legacy")]
    labels = {"SWITCH_SENT": "on the way", "SEEN_AT_NEW": "new", "BACK_AT_OLD": "legacy", "STUCK": "in trouble"}
    edges += [(int(row["at"]), labels[row["state"]]) for row in rows if row["state"] in labels]
    for (at, name), (until, _) in zip(edges, [*edges[1:], (end, "")], strict=True):
        yield Band(station, name, at, until)


def move_window(day: Day) -> tuple[int, int]:
    """From a quarter of an hour before the first turn to a quarter after the last station had moved."""
    active = [band for band in day.moves if band.label != words.PHASES[4][0]]
    begin = min((band.begin for band in active if band.label != words.PHASES[0][0]), default=day.begin)
    return begin - 15 * MINUTE, max((band.end for band in active), default=day.end) + 15 * MINUTE


def _turn(rows: list[Row]) -> tuple[int, str]:
    drained = [int(row["at"]) for row in rows if row["state"] == "DRAINING"]
    return (drained or [int(rows[-1]["at"])])[0], str(rows[0]["station"])


def _faults(run: Run) -> Iterable[Band]:
    for row in sorted(run.table("truth_faults"), key=lambda row: (str(row["kind"]), int(row["at"]))):
        label = words.FAULTS.get(row["kind"], str(row["kind"]))
        yield Band(label, str(row["target"]), int(row["at"]), max(int(row["until"] or 0), int(row["at"]) + MINUTE))
