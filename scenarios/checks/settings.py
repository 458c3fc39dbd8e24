"""What a move changes in the configuration of a station: only what the plan of the move lists (INV-27, MF-25).

Put together from the wire alone: what GetConfiguration showed, and what a station accepted to be written, or may have
accepted, by whichever back-end.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from scenarios.checks.registry import Judge, check
from scenarios.checks.stops import answer
from sim.evidence.reader import Evidence, line, note
from sim.evidence.views import MoveState, WireCall

_TAKEN = ("Accepted", "RebootRequired")
_ON_ITS_WAY = ("DRAINING", "SWITCH_SENT")
"""The first state in which a move may change anything in a station."""


class Setting(Struct, frozen=True):
    """A value of a key, as it was written or shown in one call."""

    key: str
    value: str
    written: bool
    call: WireCall


@check(
    "INV-27",
    sentence="what a move changed in the configuration of a station is on the plan's list of changes",
    planes=("truth", "wire", "plan"),
    needs=("wire_calls",),
)
def only_listed_changes(evidence: Evidence, judge: Judge) -> None:
    """Every station of the move: each key that it accepted or showed since it was sent off, against what it had before."""
    move = evidence.plan("move") or {}
    listed: Mapping[str, Mapping[str, list[str] | None]] = move.get("configuration") or {}
    sent_off = _sent_off(evidence)
    calls: dict[str, list[WireCall]] = {}
    for call in evidence.read(WireCall):
        if call.way == "down" and call.action in ("ChangeConfiguration", "GetConfiguration"):
            calls.setdefault(call.station, []).append(call)
    changed = 0
    for station in move.get("stations", ()):
        since = sent_off.get(station)
        if since is None:
            continue  # it was never sent anywhere
        if station not in listed:
            judge.unknown(f"the plan does not say what may change in {station}")
            continue
        mine = sorted(calls.get(station, ()), key=lambda call: call.answered_at or call.sent_at)
        before = {one.key: one for call in mine if call.sent_at < since for one in _settings(call)}
        for call in mine:
            for one in _settings(call) if call.sent_at >= since else ():
                judge.examined()
                old = before.get(one.key)
                if (old is None and not one.written) or (old is not None and old.value == one.value):
                    continue
                changed += 1
                allowed = listed[station].get(one.key, [])
                if allowed is not None and one.value not in allowed:
                    was = f"{old.value!r} before" if old is not None else "not known before"
                    sentence = f"{one.key} is {one.value!r} since the move, {was}, and no such change is planned"
                    rows = [line(old.call)] if old is not None else []
                    planned = note("plan", "move", station=station, key=one.key, allowed=json.dumps(allowed))
                    judge.fail("station", station, sentence, *rows, line(call), planned)
        _none_lost(judge, station, mine, since)
    judge.say(f"{changed} values were written or shown anew")


def _sent_off(evidence: Evidence) -> dict[str, int]:
    """From when on each station may have been changed."""
    found: dict[str, int] = {}
    for state in evidence.read(MoveState):
        if state.state in _ON_ITS_WAY:
            found.setdefault(state.station, state.at)
    return found


def _settings(call: WireCall) -> Iterator[Setting]:
    """What one call tells: the value that was accepted, or all values that were shown.

    A write that arrived and whose answer nobody saw may have been taken too.
    """
    said: Any = answer(call)
    unseen = call.answer_kind is None and call.delivered_at is not None
    if call.action == "ChangeConfiguration":
        asked = json.loads(call.payload or "{}")
        if unseen or (isinstance(said, dict) and said.get("status") in _TAKEN):
            yield Setting(str(asked.get("key")), str(asked.get("value")), True, call)
        return
    for entry in said.get("configurationKey") or () if isinstance(said, dict) else ():
        if "value" in entry:
            yield Setting(str(entry.get("key")), str(entry["value"]), False, call)


def _none_lost(judge: Judge, station: str, calls: list[WireCall], since: int) -> None:
    """No key that a whole dump showed before is missing in the last whole dump after: missing is no way to delete."""
    dumps = [call for call in calls if call.action == "GetConfiguration" and _whole(call)]
    before = [call for call in dumps if call.sent_at < since]
    after = [call for call in dumps if call.sent_at >= since]
    if not before or not after:
        return
    judge.examined()
    lost = sorted(_keys(before[-1]) - _keys(after[-1]))
    if lost:
        sentence = f"{', '.join(lost)} {'is' if len(lost) == 1 else 'are'} gone from the configuration since the move"
        judge.fail("station", station, sentence, line(before[-1]), line(after[-1]))


def _whole(call: WireCall) -> bool:
    """Whether everything was asked for, and shown (OCPP 1.6 §5.8: without keys)."""
    return not json.loads(call.payload or "{}").get("key") and bool(_keys(call))


def _keys(call: WireCall) -> set[str]:
    said: Any = answer(call)
    return {str(entry.get("key")) for entry in (said or {}).get("configurationKey") or ()}
