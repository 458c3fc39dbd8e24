"""How a claim of an audit is told: a verdict with findings, each with the places it rests on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sim.evidence.verdict import CheckResult, EvidenceLine, Finding, SubjectKind, Verdict


def result(check: str, claim: str, items: int, findings: Sequence[Finding], unknown: str = "") -> CheckResult:
    """FAIL if something was found, UNKNOWN if something could not be judged, NOT_APPLICABLE if there was nothing."""
    if findings:
        verdict = Verdict.FAIL
    elif unknown:
        verdict = Verdict.UNKNOWN
    else:
        verdict = Verdict.PASS if items else Verdict.NOT_APPLICABLE
    return CheckResult(check, verdict, claim, items, tuple(findings), unknown)


def found(check: str, kind: SubjectKind, subject: str, sentence: str, *rows: Any) -> Finding:
    """A finding that rests on these rows of the exports."""
    lines = tuple(EvidenceLine("books", type(row).__name__.lower(), {"place": row.place}) for row in rows)
    return Finding(check, kind, subject, sentence, lines)
