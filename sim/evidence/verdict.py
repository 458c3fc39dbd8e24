"""What a check can say, and what it says it about.

A check that crashed or lacked a book is UNKNOWN, one that examined nothing is NOT_APPLICABLE: neither may ever count as
PASS. Nothing here may look at evidence itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

from msgspec import Struct

from sim.evidence.canonical import Scalar

Plane = Literal["truth", "wire", "books", "quotes", "plan", "run"]
SubjectKind = Literal[
    "session",
    "station",
    "connector",
    "meter",
    "bill",
    "link",
    "token",
    "transaction",
    "entry",
    "visit",
    "price",
    "run",
    "customer",
]


class Verdict(StrEnum):
    """The answer of a check."""

    PASS = "PASS"
    FAIL = "FAIL"
    UNKNOWN = "UNKNOWN"
    NOT_APPLICABLE = "NOT_APPLICABLE"


class EvidenceLine(Struct, frozen=True):
    """One row of evidence.sqlite that a finding rests on, or the part of it that matters."""

    plane: Plane
    table: str
    row: dict[str, Scalar]


class Finding(Struct, frozen=True):
    """A proven breach: who is concerned, what is wrong in one sentence, and the rows that prove it."""

    check: str
    subject_kind: SubjectKind
    subject: str
    sentence: str
    evidence: tuple[EvidenceLine, ...] = ()


class CheckResult(Struct, frozen=True):
    """What one check found. `sentence` is what it claims; `reason` says why UNKNOWN, or what was counted besides."""

    check: str
    verdict: Verdict
    sentence: str
    items: int
    findings: tuple[Finding, ...] = ()
    reason: str = ""


def overall(results: Iterable[CheckResult], allow_unknown: Iterable[str] = ()) -> Verdict:
    """The verdict of a run: FAIL beats UNKNOWN beats PASS; NOT_APPLICABLE only if nothing at all was examined.

    Checks named in `allow_unknown` may be UNKNOWN without harm.
    """
    forgiven = frozenset(allow_unknown)
    seen = [one.verdict for one in results if not (one.verdict is Verdict.UNKNOWN and one.check in forgiven)]
    for verdict in (Verdict.FAIL, Verdict.UNKNOWN, Verdict.PASS):
        if verdict in seen:
            return verdict
    return Verdict.NOT_APPLICABLE
