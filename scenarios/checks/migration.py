"""The move of a site: legal states, one end per station, and one back-end at a time (INV-26)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from scenarios.checks.registry import Judge, check
from scenarios.migration.states import LEGAL
from sim.clock import MINUTE
from sim.evidence.reader import Evidence, line
from sim.evidence.views import Happening, MoveState, WireLink

GOOD_ENDS = ("CLOSED_AT_OLD", "BACK_AT_OLD")
"""Where a move may end. A station that is stuck at the end of the day has not been moved."""
BOTH_AT_ONCE = MINUTE
"""How long a dead connection may go unnoticed at the old back-end, in ms."""


@check(
    "INV-26",
    sentence="each station of the move ends in one final state by legal steps, with one back-end at a time",
    planes=("truth", "wire", "plan"),
    needs=("wire_links",),
)
def moved_whole(evidence: Evidence, judge: Judge) -> None:
    """States by the table, and the connections: no two back-ends at once, none at the old one after its closing.

    Stations do not come back by themselves, so the tool knocks in their name: who is let in was not closed.
    """
    move = evidence.plan("move") or {}
    walks: dict[str, list[MoveState]] = {station: [] for station in move.get("stations", ())}
    for state in evidence.read(MoveState):
        walks.setdefault(state.station, []).append(state)
    links: dict[str, list[WireLink]] = {}
    for link in evidence.read(WireLink):
        if link.opened_at is not None:
            links.setdefault(link.station, []).append(link)
    knocks: dict[str, list[Happening]] = {}
    for happening in evidence.read(Happening):
        if happening.kind == "knock":
            knocks.setdefault(happening.station or "", []).append(happening)
    ends: dict[str, int] = {}
    for station, walk in walks.items():
        judge.examined()
        problem = _illegal(walk)
        if problem:
            judge.fail("station", station, problem, *map(line, walk))
        final = walk[-1].state if walk else "never begun"
        ends[final] = ends.get(final, 0) + 1
        if final == "CLOSED_AT_OLD" and not knocks.get(station):
            judge.unknown(f"nobody saw whether {station} is refused at its old back-end")
        _one_master(judge, move, station, walk, links.get(station, []), evidence.ended_at())
    judge.say(", ".join(f"{count} ended {state}" for state, count in sorted(ends.items())))


def _illegal(walk: Sequence[MoveState]) -> str | None:
    before = ""
    for step in walk:
        if step.state not in LEGAL.get(before, ()):
            return f"{step.state} may not follow {before or 'nothing'}"
        before = step.state
    finals = [step.state for step in walk if step.state in GOOD_ENDS]
    if len(finals) != 1 or before not in GOOD_ENDS:
        return f"the move ended as {before or 'never begun'}"
    return None


def _one_master(
    judge: Judge, move: Mapping[str, Any], station: str, walk: Sequence[MoveState], links: Sequence[WireLink], end: int
) -> None:
    old, new = move.get("old", "legacy"), move.get("new", "new")
    for at_old in (link for link in links if link.backend == old):
        for at_new in (link for link in links if link.backend == new):
            both = min(_alive_until(at_old, end), _alive_until(at_new, end)) - max(_opened(at_old), _opened(at_new))
            if both > BOTH_AT_ONCE:
                sentence = f"connected to {old} and {new} at once for {both // 1000} s"
                judge.fail("station", station, sentence, line(at_old), line(at_new))
    closed = next((step for step in walk if step.state == "CLOSED_AT_OLD"), None)
    if closed is not None:
        for link in links:
            if link.backend == old and (
                _opened(link) > closed.at or _alive_until(link, end) > closed.at + BOTH_AT_ONCE
            ):
                judge.fail("station", station, f"still accepted at {old} after its closing", line(closed), line(link))
    final = walk[-1].state if walk else ""
    wanted = {"CLOSED_AT_OLD": new, "BACK_AT_OLD": old}.get(final)
    last = max(links, key=_opened, default=None)
    if wanted and last is not None and last.backend != wanted:
        judge.fail("station", station, f"{final}, but its last connection is to {last.backend}", line(last))


def _opened(link: WireLink) -> int:
    return link.opened_at or 0


def _alive_until(link: WireLink, end: int) -> int:
    """When a connection really ended: one that the network swallowed lived until its last frame."""
    closed = end if link.closed_at is None else link.closed_at
    if link.closed_by == "network":
        return min(closed, max(link.last_frame_at or 0, _opened(link)))
    return closed
