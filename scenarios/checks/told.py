"""What back-ends keep of what stations told them: the numbers of events (INV-10), and the state of connectors (INV-11)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from scenarios.checks.events import WireEvent, events
from scenarios.checks.joins import ledgered
from scenarios.checks.registry import Judge, check
from scenarios.checks.stops import delivered
from sim.clock import parse_iso
from sim.evidence.reader import Evidence, line
from sim.evidence.views import BookEvents, BookStation, WireCall, WireLink

Place = tuple[str, str, int]
"""Station, back-end, connector (the EVSE in 2.0.1)."""


@check(
    "INV-10",
    sentence="a session told in numbered events is billed only if none is missing, or the books name those that are",
    planes=("wire", "books"),
    needs=("wire_calls", "books_events", "books_sessions", "books_bills"),
)
def holes_are_known(evidence: Evidence, judge: Judge) -> None:
    """By transaction: numbers that were answered must be in the books, numbers that never came must be called missing.

    An event whose answer was never sent is a maybe: the back-end may have died with it.
    """
    kept: dict[tuple[str, str], list[BookEvents]] = {}
    for row in evidence.read(BookEvents):
        kept.setdefault((row.station, row.transaction_id), []).append(row)
    billed = {(entry.session.station, str(entry.session.transaction_id)) for entry in ledgered(evidence) if entry.bills}
    holes = 0
    for key, told in events(evidence).items():
        rows = kept.get(key, [])
        judge.examined()
        answered = {event.seq for event in told if event.call.answer_kind == "result"}
        came = {event.seq for event in told}
        never = [number for number in range(max(came) + 1) if number not in came]
        holes += len(never)
        problem = _problem(rows, answered, never) if answered else ""
        if problem:
            what = "billed, and " if key in billed else ""
            judge.fail("transaction", key[1], f"{what}{problem}", *map(line, rows), *_ends(told))
    judge.say(f"{holes} events never came" if holes else "")


def _problem(rows: Sequence[BookEvents], answered: set[int], never: Sequence[int]) -> str:
    """What the books say wrong of the events of a transaction; empty if nothing."""
    if not rows:
        return f"{len(answered)} events were answered, and no book knows the transaction"
    named = {int(number) for row in rows for number in json.loads(row.missing)}
    forgotten = sorted(answered & named)
    if forgotten:
        return f"event {forgotten[0]} was answered, and the books call it missing"
    unnoticed = [number for number in never if number not in named]
    if unnoticed:
        few = ", ".join(map(str, unnoticed[:5])) + (" ..." if len(unnoticed) > 5 else "")
        return f"its events {few} never came, and the books do not say so"
    return ""


def _ends(told: Sequence[WireEvent]) -> list[Any]:
    return [line(told[0].call), line(told[-1].call)]


@check(
    "INV-11",
    sentence="the state of a connector in the books is what it said last of itself, by the time of its station",
    planes=("wire", "books"),
    needs=("wire_calls", "wire_links", "books_stations"),
)
def latest_state(evidence: Evidence, judge: Judge) -> None:
    """By station and connector, or EVSE. What a back-end heard before it died may be lost: live state is no ledger."""
    said: dict[Place, list[tuple[int, int, str, WireCall]]] = {}
    for call in delivered(evidence, "StatusNotification"):
        if call.answer_kind == "result" and call.answered_at is not None:
            connector, status, at = _status(call)
            place = (call.station, call.backend, connector)
            said.setdefault(place, []).append((at, call.call_no, status, call))
    died: dict[str, int] = {}
    for link in evidence.read(WireLink):
        if link.closed_by == "crash":
            died[link.backend] = max(died.get(link.backend, 0), link.closed_at or 0)
    for row in evidence.read(BookStation):
        shown = _shown(row)
        told = {place[2]: sorted(news) for place, news in said.items() if place[:2] == (row.station, row.backend)}
        for connector in sorted(told.keys() | shown.keys()):
            judge.examined()
            problem = _stale(told.get(connector, []), shown.get(connector), died.get(row.backend, 0))
            if problem:
                rows = [line(news[3]) for news in told.get(connector, [])[-1:]]
                judge.fail("station", row.station, f"connector {connector} {problem}", line(row), *rows)


def _stale(told: Sequence[tuple[int, int, str, WireCall]], shown: str | None, died: int) -> str:
    if not told:
        return f"is {shown} in the books, and said nothing"
    sure = [place for place, news in enumerate(told) if (news[3].answered_at or 0) > died]
    first = sure[-1] if sure else 0  # what was said after the last death is known; before it, anything may be lost
    possible = {news[2] for news in told[first:]}
    if shown in possible or (shown is None and not sure):
        return ""
    return f"said {told[-1][2]} last, and the books have {shown or 'nothing'}"


def _status(call: WireCall) -> tuple[int, str, int]:
    payload: Mapping[str, Any] = json.loads(call.payload or "{}")
    at = parse_iso(payload["timestamp"]) if payload.get("timestamp") else call.delivered_at or 0
    if "evseId" in payload:
        return int(payload["evseId"]), str(payload["connectorStatus"]), at
    return int(payload["connectorId"]), str(payload["status"]), at


def _shown(row: BookStation) -> dict[int, str]:
    statuses = json.loads(row.data or "{}").get("statuses", {})
    return {int(connector): str(status[0]) for connector, status in statuses.items()}
