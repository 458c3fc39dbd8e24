"""The move of sites: legal states, one end per station, one back-end at a time (INV-26), and nothing left over (INV-28)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scenarios.checks.registry import Judge, check
from scenarios.migration.states import LEGAL, SAID
from sim.clock import MINUTE
from sim.evidence.reader import Evidence, line
from sim.evidence.views import Happening, MoveState, WireLink, WorldEvent

GOOD_ENDS = ("CLOSED_AT_OLD", "BACK_AT_OLD")
"""Where a move may end. A station that is stuck at the end of the day has not been moved."""
_SET_UP = {"PROVISIONED": "new", "CLOSED_AT_OLD": "new", "BACK_AT_OLD": "old"}
"""The states in which a station has been set up, and by which of the two back-ends."""
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
    detours: dict[str, int] = {}
    for station, walk in walks.items():
        judge.examined()
        problem = _illegal(walk)
        if problem:
            judge.fail("station", station, problem, *map(line, walk))
        final = walk[-1].state if walk else ""
        ends[final] = ends.get(final, 0) + 1
        for name in ("STUCK", "SPLIT", "ROLLBACK"):
            times = sum(step.state == name for step in walk)
            detours[name] = detours.get(name, 0) + times
        if final == "CLOSED_AT_OLD" and not knocks.get(station):
            judge.unknown(f"nobody saw whether {station} is refused at its old back-end")
        _one_master(judge, move, station, walk, links.get(station, []), evidence.ended_at())
    judge.say(", ".join(f"{count} ended as {_said(state)}" for state, count in sorted(ends.items())))
    judge.say(", ".join(f"{count} times {_said(state)}" for state, count in sorted(detours.items()) if count))


def _illegal(walk: Sequence[MoveState]) -> str | None:
    before = ""
    for step in walk:
        if step.state not in LEGAL.get(before, ()):
            return f"{_said(step.state)} although it was {_said(before)} before, which is no legal step"
        before = step.state
    finals = [step.state for step in walk if step.state in GOOD_ENDS]
    if len(finals) != 1 or before not in GOOD_ENDS:
        return f"in the end it is {_said(before)}, which is no end of a move" if before else "the move was never begun"
    return None


def _said(state: str) -> str:
    return SAID.get(state, state) if state else "never begun"


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
    back = next((step for step in walk if step.state == "BACK_AT_OLD"), None)
    if back is not None:
        for link in links:
            if link.backend == new and (_opened(link) > back.at or _alive_until(link, end) > back.at + BOTH_AT_ONCE):
                judge.fail("station", station, f"still accepted at {new} after its rollback", line(back), line(link))
    final = walk[-1].state if walk else ""
    wanted = {"CLOSED_AT_OLD": new, "BACK_AT_OLD": old}.get(final)
    last = max(links, key=_opened, default=None)
    if wanted and last is not None and last.backend != wanted:
        judge.fail("station", station, f"{_said(final)}, but its last connection is to {last.backend}", line(last))


def _opened(link: WireLink) -> int:
    return link.opened_at or 0


def _alive_until(link: WireLink, end: int) -> int:
    """When a connection really ended: one that the network swallowed lived until its last frame."""
    closed = end if link.closed_at is None else link.closed_at
    if link.closed_by == "network":
        return min(closed, max(link.last_frame_at or 0, _opened(link)))
    return closed


@check(
    "INV-28",
    sentence="nothing that the old back-end left in a station is there when it is provisioned at the new one",
    planes=("truth", "plan"),
)
def nothing_left_over(evidence: Evidence, judge: Judge) -> None:
    """Charging profiles, reservations, local lists and Inoperative connectors, as the stations themselves hold them, at
    each moment at which a move was written down as PROVISIONED, BACK_AT_OLD or CLOSED_AT_OLD. What is there must come from
    the back-end that the station then belongs to.
    """
    move = evidence.plan("move") or {}
    urls = {move.get("new_url"): "new", move.get("old_url"): "old"}
    events: dict[str, list[WorldEvent]] = {}
    for event in evidence.read(WorldEvent):
        if event.kind in ("left-over", "left-over-gone"):
            events.setdefault(event.station, []).append(event)
    given: dict[str, int] = {}
    for step in evidence.read(MoveState):
        if step.state not in _SET_UP:
            continue
        judge.examined()
        for (what, _, id), event in _held(events.get(step.station, []), step.at).items():
            giver = urls.get(json.loads(event.data or "{}").get("giver"), "somebody else")
            if giver != _SET_UP[step.state]:
                sentence = f"{_said(step.state)}, and a {what} ({id}) of the {giver} back-end is still there"
                judge.fail("station", step.station, sentence, line(step), line(event))
    for event in (event for some in events.values() for event in some if event.kind == "left-over"):
        what = str(json.loads(event.data or "{}")["what"])
        given[what] = given.get(what, 0) + 1
    judge.say(", ".join(f"{count} times a {what} was put into a station" for what, count in sorted(given.items())))


def _held(events: Sequence[WorldEvent], at: int) -> dict[tuple[str, int | None, object], WorldEvent]:
    """What lies in a station at an instant, by kind, connector and id, with the event that put it there."""
    held: dict[tuple[str, int | None, object], WorldEvent] = {}
    for event in events:
        if event.at > at:
            break
        data = json.loads(event.data or "{}")
        what, id = str(data["what"]), data.get("id")
        if event.kind == "left-over":
            held[what, event.connector, id] = event
        else:  # without an id: everything of this kind was forgotten
            held = {key: value for key, value in held.items() if not (key[0] == what and id in (None, key[2]))}
    return held
