"""Which back-end a station belonged to when, and so which of the two has a session's bill: the rule of the cut-over.

Read from the plan, the states of the move and the wire; never from the books, which are what is judged. Routes of money
follow from it: what the old back-end bills goes through the old partner, what the new one bills through the new one.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from scenarios.checks.joins import NEAR, Case
from scenarios.checks.stops import WireStop, stops
from sim.evidence.reader import Evidence
from sim.evidence.views import MoveState, TrueSession

PARTNER = {"old": "riverty", "new": "stripe"}
"""Who takes the drivers' money of each side of the move."""
BEFORE = ("", "PLANNED", "PREFLIGHT_OK", "NOTIFIED", "DRAINING", "BACK_AT_OLD")
AFTER = ("SEEN_AT_NEW", "PROVISIONED", "VERIFIED", "CLOSED_AT_OLD")


class Moves(Struct, frozen=True):
    """The move of this evidence: names of both back-ends, and the states of each station in order of time."""

    old: str
    new: str
    stations: tuple[str, ...]
    walks: dict[str, tuple[MoveState, ...]]
    first_stops: dict[tuple[str, int], tuple[WireStop, ...]]

    def partner(self, backend: str) -> str | None:
        """Whose partner a claim of this back-end goes to; None for a back-end that is no side of the move."""
        return {self.old: PARTNER["old"], self.new: PARTNER["new"]}.get(backend)

    def state(self, station: str, at: int) -> str:
        """In which state of its move a station was; empty before it began."""
        return next((one.state for one in reversed(self.walks.get(station, ())) if one.at <= at), "")

    def window(self, station: str) -> tuple[int, int] | None:
        """From when to when a station was moving; None if it never did."""
        walk = self.walks.get(station, ())
        begun = [one.at for one in walk if one.state not in BEFORE]
        return (begun[0], walk[-1].at) if begun else None

    def due(self, truth: TrueSession) -> frozenset[str]:
        """Which back-ends may bill a session that ended, by the rule of session end.

        A station that has not been sent away belongs to the old one, one that was seen at the new one to that. A stop
        that its station could deliver only later, or in the middle of the move, belongs to whoever took it first. One
        that was heard and not answered may have been taken all the same: the books went on, and the answer was lost.
        """
        if truth.station not in self.walks or truth.stopped_at is None:
            return frozenset()
        state = self.state(truth.station, truth.stopped_at)
        taken = self.first_stops.get((truth.station, truth.stopped_at // 1000), ())
        fitting = [one for one in taken if abs(one.meter_stop - (truth.register_stop or 0)) <= 1]
        if fitting:
            return frozenset(_may_have_taken(fitting))
        if state in BEFORE:
            return frozenset({self.old})
        return frozenset({self.new}) if state in AFTER else frozenset({self.old, self.new})


def _may_have_taken(stops_heard: Sequence[WireStop]) -> list[str]:
    """Who heard a stop up to the first answer; who answered with an error did not take it, unless nobody else did."""
    found: list[str] = []
    for one in stops_heard:
        if one.call.answer_kind != "error":
            found.append(one.call.backend)
        if one.call.answer_kind == "result":
            break
    return found or [one.call.backend for one in stops_heard]


def moves(evidence: Evidence) -> Moves:
    """The move of this evidence, read once; without a move no station is in it."""
    return evidence.keep("moves", _read)


def crossed(move: Moves, case: Case) -> bool:
    """Whether a session began before its station was sent away and ended after."""
    window = move.window(case.truth.station)
    ended = case.truth.stopped_at
    return window is not None and ended is not None and case.truth.started_at < window[0] <= ended


def _read(evidence: Evidence) -> Moves:
    plan = evidence.plan("move") or {}
    walks: dict[str, list[MoveState]] = {station: [] for station in plan.get("stations", ())}
    for state in evidence.read(MoveState):
        walks.setdefault(state.station, []).append(state)
    taken: dict[tuple[str, int], list[WireStop]] = {}
    if not evidence.missing("wire_calls"):
        for stop in sorted(stops(evidence), key=lambda one: one.call.delivered_at or 0):
            for second in range((stop.at - NEAR) // 1000, (stop.at + NEAR) // 1000 + 1):
                taken.setdefault((stop.call.station, second), []).append(stop)
    return Moves(
        old=str(plan.get("old", "legacy")),
        new=str(plan.get("new", "new")),
        stations=tuple(plan.get("stations", ())),
        walks={name: tuple(walk) for name, walk in walks.items()},
        first_stops={key: tuple(found) for key, found in taken.items()},
    )
