"""What a trace proves, as data for machines and as results that the reports of a run know how to write."""

from __future__ import annotations

from typing import Any

from scenarios.wirecheck.judge import Report, Result, Standing
from scenarios.wirecheck.rule import Breach, Rule
from sim.clock import iso
from sim.evidence.verdict import CheckResult, EvidenceLine, Finding, Verdict

WORDS = {True: "yes", False: "no", None: "cannot be said"}
"""Would a station work with a strict back-end?"""


def rule_data(kind: type[Rule]) -> dict[str, Any]:
    """A rule as --list --json tells it."""
    return {
        "rule": kind.id,
        "requires": list(kind.requires),
        "sentence": kind.sentence,
        "versions": list(kind.versions),
        "judges": kind.side,
        "only_notes": kind.only_notes,
    }


def data(report: Report) -> dict[str, Any]:
    """Everything, as --json tells it."""
    return {
        "verdict": report.verdict.value,
        "lines": report.lines,
        "from": None if report.begin is None else iso(report.begin),
        "to": None if report.end is None else iso(report.end),
        "rules": [_result(one) for one in report.rules],
        "stations": [_standing(one, report) for one in report.stations],
        "not_read": [{"why": one.why, "lines": one.count, "first": one.places} for one in report.skipped],
    }


def _result(one: Result) -> dict[str, Any]:
    return {
        "rule": one.rule.id,
        "requires": list(one.rule.requires),
        "verdict": one.verdict.value,
        "examined": one.examined,
        "findings": one.found,
        "at_station": one.at_station,
        "first": [_breach(breach) for breach in one.breaches],
        "notes": [_breach(note) for note in one.notes],
        "not_judged": one.unknown,
        "reason": one.reason,
    }


def _breach(one: Breach) -> dict[str, Any]:
    lines = [{"place": proof.place, "frame": proof.frame} for proof in one.proofs]
    return {"station": one.station, "blames": one.side, "sentence": one.sentence, "evidence": lines}


def _standing(one: Standing, report: Report) -> dict[str, Any]:
    mine = [result for result in report.by_station if result.station == one.station]
    return {
        "station": one.station,
        "version": one.version,
        "calls": one.calls,
        "works_with_a_strict_back_end": one.works,
        "broken": list(one.broken),
        "rules": {result.rule.id: result.verdict.value for result in mine},
    }


def check_results(report: Report) -> list[CheckResult]:
    """One result for each rule, as junit.xml wants it. A rule that could not be judged is skipped there and no error."""
    return [
        CheckResult(
            one.rule.id,
            one.verdict,
            f"{one.rule.sentence} [{'; '.join(one.rule.requires)}]",
            one.examined,
            tuple(_finding(one, breach) for breach in one.breaches),
            one.reason or ("" if one.verdict is not Verdict.NOT_APPLICABLE else "nothing to examine"),
        )
        for one in report.rules
    ]


def _finding(one: Result, breach: Breach) -> Finding:
    lines = tuple(EvidenceLine("wire", proof.place, {"frame": proof.frame}) for proof in breach.proofs)
    return Finding(one.rule.id, "station", breach.station, f"{breach.side}: {breach.sentence}", lines)
