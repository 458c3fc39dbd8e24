"""What a replay found, as words and as JUnit: one case for each action. Data only; the CLI draws it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from reports.junit import document
from sim.evidence.compared import Comparison, Told
from sim.evidence.verdict import CheckResult, Finding, Verdict

_LONGEST = 60


def kinds(result: Comparison) -> list[str]:
    """A line for each kind of difference: the same place with the same values, at however many calls."""
    found: dict[str, list[Told]] = {}
    for one in result.differences:
        found.setdefault(f"{one.action} {one.path}: {_short(one.recorded)} -> {_short(one.new)}", []).append(one)
    lines = []
    for words, those in found.items():
        first = f"{those[0].station}, line {those[0].line}"
        lines.append(f"{words} ({first if len(those) == 1 else f'{len(those):,} times, first at {first}'})")
    return lines


def summary(result: Comparison) -> list[str]:
    """What is to be said below the table, without the differences."""
    lines = []
    for action, told in sorted(result.told.items()):
        heard = told["answered as recorded"] + told["refused"]
        refused = f", {told['refused']} of them refused because the trace has no answer" if told["refused"] else ""
        lines.append(f"the back-end's own {action}: {told['recorded']} in the trace, {heard} now{refused}")
    lines += [f"{problem}{f' ({count} times)' if count > 1 else ''}" for problem, count in result.problems.items()]
    for path, hits in result.ignore.hits.items():
        lines.append(f"ignored at {path}: {hits}" + ("" if hits else ", so it can be left out"))
    return lines


def results(result: Comparison) -> list[CheckResult]:
    """One verdict for each action: are its answers as recorded?"""
    told = []
    for action, tally in sorted(result.actions.items()):
        found = tuple(_finding(one) for one in result.differences if one.action == action)
        items = tally.asked - tally.unknown
        verdict = Verdict.FAIL if found else Verdict.PASS if items else Verdict.NOT_APPLICABLE
        reason = f"{tally.different} different, {tally.unanswered} unanswered" if found else ""
        told.append(CheckResult(action, verdict, "its answers are as recorded", items, found, reason))
    return told


def junit(result: Comparison, properties: Mapping[str, str]) -> str:
    """The XML document: a case for each action."""
    return document("replay", "chargerig.replay", properties, results(result))


def _finding(one: Told) -> Finding:
    words = f"line {one.line} {one.path}: {_short(one.recorded)} -> {_short(one.new)}"
    return Finding(one.action, "station", one.station, words)


def _short(value: Any) -> str:
    if isinstance(value, str) and value.startswith("("):
        return value
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
