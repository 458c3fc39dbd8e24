"""Which combinations of (state of the move, state of the connector, fault) occurred in a run: how much of the space a
rehearsal has really been through.

Counts what was recorded only: states of the move from the truth, connector states as the stations told them on the wire,
faults as they really happened. It never guesses a state that nobody noted.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from sim.evidence.reader import Evidence

Combination = tuple[str, str, str]
"""State of the station's move, OCPP 1.6 state of the connector or `offline`, kind of the fault."""

NONE = "none"
"""No move is planned for the station, or no fault hits it."""
OFFLINE = "offline"
_TOOL = "migration"
_AT_REST = (NONE, "CLOSED_AT_OLD", "BACK_AT_OLD")
_Timeline = list[tuple[int, str]]


class First(Struct, frozen=True):
    """Where a combination was seen first, and at how many connectors in all. `at` in ms."""

    station: str
    connector: int
    at: int
    connectors: int


def combinations(evidence: Evidence) -> set[Combination]:
    """Every combination that held at some instant, however short."""
    return set(occurred(evidence))


def occurred(evidence: Evidence) -> dict[Combination, First]:
    """The combinations in alphabetical order, each with its first appearance. Read once per evidence."""
    return evidence.keep("combinations", _occurred)


def _occurred(evidence: Evidence) -> dict[Combination, First]:
    found: dict[Combination, First] = {}
    moves = _timelines(evidence.rows("SELECT station, at, state FROM truth_migration ORDER BY at, rowid"))
    links = _links(evidence)
    statuses = _statuses(evidence)
    hits = _hits(evidence, moves, links)
    for (station, connector), told in sorted(statuses.items()):
        walk = [(0, NONE), *moves.get(station, [])]
        spans = [(begin, until) for begin, until, _ in links.get(station, [])]
        states = _with_offline(told, spans)
        faults = hits.get(station, [])
        for combination, at in _sweep(walk, states, faults).items():
            first = found.get(combination)
            if first is None:
                found[combination] = First(station, connector, at, 1)
            else:
                early = (station, connector, at) if at < first.at else (first.station, first.connector, first.at)
                found[combination] = First(*early, first.connectors + 1)
    return dict(sorted(found.items()))


def _sweep(walk: _Timeline, states: _Timeline, faults: Sequence[tuple[int, int, str]]) -> dict[Combination, int]:
    """What held together at one connector, with the first instant: at each change, and from there to the next one."""
    edges = {at for at, _ in (*walk, *states)}
    edges |= {at for begin, until, _ in faults for at in (begin, until)}
    walked, stated = [at for at, _ in walk], [at for at, _ in states]
    seen: dict[Combination, int] = {}
    for at in sorted(edges):
        if at < stated[0]:
            continue
        there, here = _held(walk, walked, at), _held(states, stated, at)
        lasting = [kind for begin, until, kind in faults if begin <= at < until] or [NONE]
        now = [kind for begin, until, kind in faults if begin <= at < until or begin == at] or [NONE]
        for move in there:
            for state in here:
                for kind in now:
                    seen.setdefault((move, state, kind), at)
        for kind in lasting:
            seen.setdefault((there[-1], here[-1], kind), at)
    return seen


def _held(timeline: _Timeline, times: Sequence[int], at: int) -> list[str]:
    """What held at an instant: all that began in this very millisecond, else what began last."""
    begin, end = bisect_left(times, at), bisect_right(times, at)
    return [label for _, label in timeline[begin:end]] or [timeline[begin - 1][1]]


def _timelines(rows: Iterable[Mapping[str, Any]]) -> dict[str, _Timeline]:
    found: dict[str, _Timeline] = {}
    for row in rows:
        found.setdefault(str(row["station"]), []).append((int(row["at"]), str(row["state"])))
    return found


def _links(evidence: Evidence) -> dict[str, list[tuple[int, int, str]]]:
    """When each station was connected, and to whom: what the network swallowed lived until its last frame."""
    end = evidence.ended_at()
    found: dict[str, list[tuple[int, int, str]]] = {}
    sql = "SELECT * FROM wire_links WHERE opened_at IS NOT NULL ORDER BY opened_at, rowid"
    for row in evidence.rows(sql):
        begin, until = int(row["opened_at"]), end if row["closed_at"] is None else int(row["closed_at"])
        if row["closed_by"] == "network" and row["last_frame_at"] is not None:
            until = max(begin, min(until, int(row["last_frame_at"])))
        found.setdefault(str(row["station"]), []).append((begin, until, str(row["backend"])))
    return found


def _statuses(evidence: Evidence) -> dict[tuple[str, int], _Timeline]:
    """What each connector said of itself, when it was sent (OCPP 1.6 StatusNotification; connector 0 is the station)."""
    sql = (
        "SELECT station, sent_at, payload FROM wire_calls WHERE action = 'StatusNotification' AND way = 'up'"
        " ORDER BY sent_at, rowid"
    )
    found: dict[tuple[str, int], _Timeline] = {}
    for row in evidence.rows(sql):
        try:
            payload = json.loads(row["payload"] or "{}")
            connector, status = int(payload["connectorId"]), str(payload["status"])
        except (ValueError, KeyError, TypeError):
            continue  # what a station sent amiss is told by the checks of the wire
        if connector > 0:
            found.setdefault((str(row["station"]), connector), []).append((int(row["sent_at"]), status))
    return found


def _with_offline(told: _Timeline, spans: Sequence[tuple[int, int]]) -> _Timeline:
    """The states as long as the station is connected, `offline` in between."""
    starts = [begin for begin, _ in spans]
    reach: list[int] = []
    for _, until in spans:
        reach.append(max(until, reach[-1] if reach else until))
    times = [at for at, _ in told]

    def state_at(at: int) -> str:
        place = bisect_right(starts, at) - 1
        last = bisect_right(times, at) - 1
        return OFFLINE if place < 0 or reach[place] <= at or last < 0 else told[last][1]

    edges = sorted({at for span in spans for at in span})
    both = [(at, state_at(at)) for at in edges]
    both += [(at, status if state_at(at) != OFFLINE else OFFLINE) for at, status in told]
    return sorted(both, key=lambda one: one[0])


def _hits(
    evidence: Evidence, moves: Mapping[str, _Timeline], links: Mapping[str, Sequence[tuple[int, int, str]]]
) -> dict[str, list[tuple[int, int, str]]]:
    """The faults by the stations they hit: one station, all of a back-end, or all that the migration tool has in hand."""
    found: dict[str, list[tuple[int, int, str]]] = {}
    stations = sorted({*moves, *links})
    backends = {backend for spans in links.values() for _, _, backend in spans}
    for row in evidence.rows("SELECT * FROM truth_faults WHERE at IS NOT NULL ORDER BY at, rowid"):
        target, begin = str(row["target"]), int(row["at"])
        until = begin if row["until"] is None else int(row["until"])
        if target in backends:
            hit = [one for one in stations if _was_at(links.get(one, ()), target, begin, until)]
        elif target == _TOOL:
            hit = [one for one in stations if _state_at(moves.get(one, []), begin) not in _AT_REST]
        else:
            hit = [target]
        for station in hit:
            found.setdefault(station, []).append((begin, until, str(row["kind"])))
    return found


def _was_at(spans: Sequence[tuple[int, int, str]], backend: str, begin: int, until: int) -> bool:
    return any(name == backend and opened <= until and alive >= begin for opened, alive, name in spans)


def _state_at(walk: _Timeline, at: int) -> str:
    place = bisect_right([when for when, _ in walk], at) - 1
    return walk[place][1] if place >= 0 else NONE
